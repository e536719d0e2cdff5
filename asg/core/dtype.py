"""Element types and the one table that says what two of them give together.

Promotion (`promote`) follows the Array API standard 2024.12 where that standard has a row (within
the floats, within the integers, signed with unsigned) and JAX and PyTorch where it leaves the
result open:

=====================  ==========================================================
operands               result
=====================  ==========================================================
equal                  the same
bool, X                X
two floats             the wider; float16 with bfloat16 gives float32
two (u)ints of a kind  the wider
signed with unsigned   the smallest signed type that holds both; uint64: error
integer, float         the float, whatever the width of the integer
=====================  ==========================================================

A Python scalar is *weak*: it takes the dtype of the tensor beside it (`promote_weak`), unless its
kind does not exist there. The defaults are then, as in JAX, float32 and int32.

>>> [str(promote(int8, other)) for other in (bool_, int16, uint8, uint32, float16)]
['int8', 'int16', 'int16', 'int64', 'float16']
>>> promote(float16, bfloat16), promote(uint8, uint32), promote(bool_, bool_)
(asg.float32, asg.uint32, asg.bool_)
>>> promote_weak(int, float16), promote_weak(float, int8), promote_weak(int, bool_)
(asg.float16, asg.float32, asg.int32)

Sources: https://data-apis.org/array-api/2024.12/API_specification/type_promotion.html and
https://docs.jax.dev/en/latest/jep/9407-type-promotion.html (weak Python scalars).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NoReturn

import numpy

from asg.core.errors import DtypeError

__all__ = [
    "DTYPES",
    "DType",
    "FloatInfo",
    "IntInfo",
    "as_dtype",
    "bfloat16",
    "bool_",
    "default_float",
    "default_int",
    "finfo",
    "fits",
    "float16",
    "float32",
    "float64",
    "iinfo",
    "int8",
    "int16",
    "int32",
    "int64",
    "promote",
    "promote_weak",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]  # fmt: skip


class DType:
    """One element type. There is one object per type, so `is` and `==` agree.

    >>> float32, str(float32), float32.short, float32.kind, float32.itemsize, float32.bits
    (asg.float32, 'float32', 'f32', 'float', 4, 32)
    >>> float32.numpy
    dtype('float32')
    >>> bool_.is_numeric, uint8.is_integer, uint8.is_signed, float16.is_signed
    (False, True, False, True)
    """

    __slots__ = ("_numpy", "itemsize", "kind", "name", "short")

    name: str
    short: str
    kind: str  # "float", "int", "uint" or "bool"
    itemsize: int
    _numpy: numpy.dtype[Any] | None

    def __init__(self, name: str, short: str, kind: str, itemsize: int) -> None:
        for slot, value in (("name", name), ("short", short), ("kind", kind),
                            ("itemsize", itemsize), ("_numpy", None)):  # fmt: skip
            object.__setattr__(self, slot, value)

    def __setattr__(self, attribute: str, value: object) -> NoReturn:
        raise AttributeError(f"{self!r} is immutable; cannot set {attribute!r}")

    def __delattr__(self, attribute: str) -> NoReturn:
        raise AttributeError(f"{self!r} is immutable; cannot delete {attribute!r}")

    def __reduce__(self) -> tuple[Callable[[object], DType], tuple[str]]:
        return as_dtype, (self.name,)  # copies and deep copies stay the one object

    def __repr__(self) -> str:
        return "asg.bool_" if self.kind == "bool" else f"asg.{self.name}"

    def __str__(self) -> str:
        return self.name

    @property
    def bits(self) -> int:
        """Storage size of one element in bits."""
        return 8 * self.itemsize

    @property
    def numpy(self) -> numpy.dtype[Any]:
        """The NumPy dtype; for bfloat16 the one of `ml_dtypes`, imported on first use."""
        if self._numpy is None:
            object.__setattr__(self, "_numpy", _numpy_dtype(self.name))
        assert self._numpy is not None
        return self._numpy

    @property
    def is_float(self) -> bool:
        """True for float16, bfloat16, float32 and float64."""
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        """True for signed and unsigned integers; False for bool."""
        return self.kind in ("int", "uint")

    @property
    def is_signed(self) -> bool:
        """True if negative values exist: signed integers and floats."""
        return self.kind in ("int", "float")

    @property
    def is_bool(self) -> bool:
        """True for bool only."""
        return self.kind == "bool"

    @property
    def is_numeric(self) -> bool:
        """True for everything but bool."""
        return self.kind != "bool"


def _numpy_dtype(name: str) -> numpy.dtype[Any]:
    if name != "bfloat16":
        return numpy.dtype(name)
    import ml_dtypes  # lazily: programs without bfloat16 do not pay for it

    dtype: numpy.dtype[Any] = numpy.dtype(ml_dtypes.bfloat16)
    return dtype


float16: Final = DType("float16", "f16", "float", 2)
bfloat16: Final = DType("bfloat16", "bf16", "float", 2)
float32: Final = DType("float32", "f32", "float", 4)
float64: Final = DType("float64", "f64", "float", 8)
int8: Final = DType("int8", "i8", "int", 1)
int16: Final = DType("int16", "i16", "int", 2)
int32: Final = DType("int32", "i32", "int", 4)
int64: Final = DType("int64", "i64", "int", 8)
uint8: Final = DType("uint8", "u8", "uint", 1)
uint16: Final = DType("uint16", "u16", "uint", 2)
uint32: Final = DType("uint32", "u32", "uint", 4)
uint64: Final = DType("uint64", "u64", "uint", 8)
bool_: Final = DType("bool", "bool", "bool", 1)

DTYPES: Final[dict[str, DType]] = {
    dtype.name: dtype
    for dtype in (float16, bfloat16, float32, float64, int8, int16, int32, int64,
                  uint8, uint16, uint32, uint64, bool_)
}  # fmt: skip
"""Every dtype by name; there are no others."""

default_float: Final = float32
"""What a Python float becomes when nothing beside it has a float dtype."""
default_int: Final = int32
"""What a Python int becomes when nothing beside it has a numeric dtype."""

_BY_TEXT: Final = {**DTYPES, **{d.short: d for d in DTYPES.values()}, "bool_": bool_}
_BY_PYTHON_TYPE: Final[dict[type, DType]] = {bool: bool_, int: default_int, float: default_float}


def as_dtype(value: object) -> DType:
    """The DType meant by a name, a short name, a NumPy or JAX dtype, or `bool`, `int`, `float`.

    Raises DtypeError, with the list of choices, for anything else.

    >>> as_dtype("float32"), as_dtype("bf16"), as_dtype(numpy.int8), as_dtype(numpy.dtype("u2"))
    (asg.float32, asg.bfloat16, asg.int8, asg.uint16)
    >>> as_dtype(float), as_dtype(int), as_dtype(bool)
    (asg.float32, asg.int32, asg.bool_)
    """
    if isinstance(value, DType):
        return value
    if isinstance(value, str):
        found = _BY_TEXT.get(value)
    elif isinstance(value, type) and value in _BY_PYTHON_TYPE:
        found = _BY_PYTHON_TYPE[value]
    else:
        foreign = _foreign_dtype(value)
        found = None if foreign is None else _of_numpy(foreign)
    if found is None:
        raise DtypeError(_unknown_dtype_message(value))
    return found


# numpy.dtype(numpy.floating) answers float64 with a warning; "some float" is not a dtype.
_ABSTRACT_NUMPY_TYPES: Final = frozenset({
    numpy.generic, numpy.number, numpy.integer, numpy.signedinteger, numpy.unsignedinteger,
    numpy.inexact, numpy.floating, numpy.complexfloating, numpy.flexible, numpy.character,
})  # fmt: skip


def _foreign_dtype(value: object) -> numpy.dtype[Any] | None:
    """The NumPy dtype behind a dtype object, a NumPy scalar type or a JAX scalar type."""
    if isinstance(value, numpy.dtype):
        return value
    if not isinstance(value, type) or value in _ABSTRACT_NUMPY_TYPES:
        return None
    if issubclass(value, numpy.generic):
        return numpy.dtype(value)
    carried = getattr(value, "dtype", None)  # jax.numpy.float32 is a class with a dtype
    return carried if isinstance(carried, numpy.dtype) else None


@cache
def _of_numpy(dtype: numpy.dtype[Any]) -> DType | None:
    """By its name, which NumPy puts together anew at every question."""
    return DTYPES.get(dtype.name)


def _unknown_dtype_message(value: object) -> str:
    choices = ", ".join(DTYPES)
    text = value if isinstance(value, str) else getattr(value, "__name__", repr(value))
    if "complex" in str(text):
        return (
            f"complex numbers are not supported (got {value!r}); keep the real and the imaginary "
            f"part as two float tensors. The dtypes are: {choices}"
        )
    if value is None:
        return f"None is not a dtype; name one of: {choices}"
    if hasattr(value, "dtype") and not isinstance(value, type):
        return f"expected a dtype, got a {type(value).__name__}; pass its .dtype instead"
    near = difflib.get_close_matches(str(text), _BY_TEXT, n=1, cutoff=0.75)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown dtype {value!r}; {hint}the dtypes are: {choices}"


def _promote_pair(a: DType, b: DType) -> DType | None:
    """The rule from which the table is built; None: there is no common type."""
    if a is b or b.is_bool:
        return a
    if a.is_bool:
        return b
    if a.is_float != b.is_float:
        return a if a.is_float else b
    if a.kind == b.kind:
        if a.itemsize == b.itemsize:  # float16 and bfloat16: neither holds the other
            return float32
        return a if a.itemsize > b.itemsize else b
    signed, unsigned = (a, b) if a.kind == "int" else (b, a)
    return DTYPES.get(f"int{max(signed.bits, 2 * unsigned.bits)}")


_PROMOTIONS: Final = {(a, b): _promote_pair(a, b) for a in DTYPES.values() for b in DTYPES.values()}


def promote(a: DType, b: DType) -> DType:
    """The dtype that holds a result of `a` with `b`, by the table at the top of this module.

    Symmetric. Raises DtypeError for uint64 with a signed integer: no integer type holds both.

    >>> promote(int32, float16), promote(int64, uint32)
    (asg.float16, asg.int64)
    """
    result = _PROMOTIONS[a, b]
    if result is None:
        signed, unsigned = (a, b) if a.kind == "int" else (b, a)
        raise DtypeError(
            f"{a} with {b} has no common dtype: no integer type holds both. "
            f"Cast one of them first: to {signed} if the values stay below 2**{signed.bits - 1}, "
            f"or to {unsigned} if none is negative"
        )
    return result


def promote_weak(scalar_type: type, dtype: DType) -> DType:
    """The dtype of a Python scalar of `scalar_type` (bool, int or float) with a tensor of `dtype`.

    The tensor decides, except that a float with an integer or bool tensor gives float32, and an
    int with a bool tensor gives int32. Whether the value then fits is the question of `fits`.
    Raises DtypeError for complex, and for NumPy scalar types, which are not weak.

    >>> promote_weak(bool, int8), promote_weak(int, uint8), promote_weak(float, bfloat16)
    (asg.int8, asg.uint8, asg.bfloat16)
    """
    if issubclass(scalar_type, numpy.generic):
        raise DtypeError(
            f"{scalar_type.__name__} is not a Python scalar: it has a dtype of its own. "
            f"Use promote(as_dtype({scalar_type.__name__}), {dtype!r})"
        )
    if issubclass(scalar_type, bool):
        return dtype
    if issubclass(scalar_type, int):
        return default_int if dtype.is_bool else dtype
    if issubclass(scalar_type, float):
        return dtype if dtype.is_float else default_float
    raise DtypeError(
        _unknown_dtype_message(scalar_type)
        if issubclass(scalar_type, complex)
        else f"expected the Python scalar type bool, int or float, got {scalar_type.__name__}"
    )


@dataclass(frozen=True, slots=True)
class FloatInfo:
    """Limits of a float dtype: largest, lowest, spacing above 1, smallest normal number."""

    dtype: DType
    bits: int
    max: float
    min: float
    eps: float
    smallest_normal: float


@dataclass(frozen=True, slots=True)
class IntInfo:
    """Limits of an integer dtype."""

    dtype: DType
    bits: int
    max: int
    min: int


# IEEE 754 figures: digits of the significand with the hidden one, and the largest exponent.
_FLOAT_FORMATS: Final = {float16: (11, 15), bfloat16: (8, 127), float32: (24, 127),
                         float64: (53, 1023)}  # fmt: skip


def finfo(dtype: DType) -> FloatInfo:
    """Limits of a float dtype, as Python floats (all exact). Raises DtypeError for the others.

    >>> finfo(bfloat16).eps, finfo(float16).max, finfo(float32).smallest_normal
    (0.0078125, 65504.0, 1.1754943508222875e-38)
    """
    if dtype not in _FLOAT_FORMATS:
        raise DtypeError(f"finfo needs a float dtype, got {dtype}; use iinfo for integers")
    digits, exponent = _FLOAT_FORMATS[dtype]
    eps = math.ldexp(1.0, 1 - digits)
    largest = math.ldexp(2.0 - eps, exponent)
    return FloatInfo(dtype, dtype.bits, largest, -largest, eps, math.ldexp(1.0, 1 - exponent))


def iinfo(dtype: DType) -> IntInfo:
    """Limits of an integer dtype, as Python ints. Raises DtypeError for the others.

    >>> iinfo(int8).min, iinfo(uint16).max
    (-128, 65535)
    """
    if not dtype.is_integer:
        raise DtypeError(f"iinfo needs an integer dtype, got {dtype}; use finfo for floats")
    if dtype.kind == "uint":
        return IntInfo(dtype, dtype.bits, 2**dtype.bits - 1, 0)
    return IntInfo(dtype, dtype.bits, 2 ** (dtype.bits - 1) - 1, -(2 ** (dtype.bits - 1)))


def fits(value: bool | int | float, dtype: DType) -> bool:
    """Whether a Python scalar becomes an element of `dtype` without overflow or change of kind.

    Bool takes True, False, 0 and 1; integers take whole numbers in range; floats take what does
    not round to infinity, besides nan and the infinities themselves. Loss of digits is not a
    misfit.

    >>> fits(255, uint8), fits(256, uint8), fits(-1, uint8), fits(1.5, int8), fits(70000, float16)
    (True, False, False, False, False)
    """
    if isinstance(value, float) and not math.isfinite(value):
        return dtype.is_float
    if isinstance(value, float):
        value = float(value)  # np.float64 is a float, but does not compare with large ints
    if dtype.is_float:
        return abs(value) < _overflow_threshold(dtype)
    if value != int(value):
        return False
    if dtype.is_bool:
        return value in (0, 1)
    limits = iinfo(dtype)
    return limits.min <= value <= limits.max


@cache
def _overflow_threshold(dtype: DType) -> int:
    """The smallest number that rounds to infinity: half a step beyond the largest float."""
    digits, exponent = _FLOAT_FORMATS[dtype]
    threshold = int(2 ** (exponent + 1) - 2 ** (exponent - digits))
    # ml_dtypes rounds to float32 on the way to bfloat16, which lifts what is half of a float32 step
    # below the threshold onto it.
    return threshold - 2 ** (exponent - 24) if dtype is bfloat16 else threshold
