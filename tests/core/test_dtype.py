"""DTypes against NumPy and ml_dtypes, and the promotion table against the standard's own rows."""

from __future__ import annotations

import copy
import itertools
import math
import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asg.core import dtype as dtypes
from asg.core.dtype import (
    DTYPES,
    DType,
    as_dtype,
    bfloat16,
    bool_,
    default_float,
    default_int,
    finfo,
    fits,
    float16,
    float32,
    float64,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote,
    promote_weak,
    uint8,
    uint16,
    uint32,
    uint64,
)
from asg.core.errors import DtypeError

ALL = list(DTYPES.values())
FLOATS = [each for each in ALL if each.is_float]
INTEGERS = [each for each in ALL if each.is_integer]


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_facts_agree_with_numpy(dtype: DType) -> None:
    native = dtype.numpy
    assert native.name == dtype.name == str(dtype)
    assert native.itemsize == dtype.itemsize == dtype.bits // 8
    kinds = {"f": "float", "i": "int", "u": "uint", "b": "bool", "V": "float"}
    assert kinds[native.kind] == dtype.kind
    assert repr(dtype) == f"asg.{'bool_' if dtype is bool_ else dtype.name}"
    assert getattr(dtypes, repr(dtype).removeprefix("asg.")) is dtype
    assert dtype.is_signed == (dtype.is_numeric and dtype.kind != "uint")
    assert [dtype.is_float, dtype.is_integer, dtype.is_bool].count(True) == 1


def test_short_names() -> None:
    shorts = [
        "f16",
        "bf16",
        "f32",
        "f64",
        "i8",
        "i16",
        "i32",
        "i64",
        "u8",
        "u16",
        "u32",
        "u64",
        "bool",
    ]
    assert {each.short for each in ALL} == {*shorts, "bool"}
    assert [each.short for each in DTYPES.values() if each.is_float] == [
        "f16",
        "bf16",
        "f32",
        "f64",
    ]


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_every_spelling_gives_the_one_object(dtype: DType) -> None:
    for spelling in (dtype, dtype.name, dtype.short, dtype.numpy, dtype.numpy.type):
        assert as_dtype(spelling) is dtype
    assert copy.deepcopy(dtype) is copy.copy(dtype) is dtype


def test_other_spellings() -> None:
    assert as_dtype("bool_") is bool_
    assert as_dtype(numpy.longlong) is int64
    assert as_dtype(numpy.dtype(">f4")) is float32
    assert as_dtype(ml_dtypes.bfloat16) is bfloat16
    assert (as_dtype(bool), as_dtype(int), as_dtype(float)) == (bool_, int32, float32)
    assert (default_int, default_float) == (int32, float32)


def test_jax_dtypes() -> None:
    jax_numpy = pytest.importorskip("jax.numpy")
    for dtype in ALL:
        assert as_dtype(getattr(jax_numpy, repr(dtype).removeprefix("asg."))) is dtype
        assert as_dtype(jax_numpy.dtype(dtype.name)) is dtype


@pytest.mark.parametrize(
    "value",
    [
        "float",
        "float8",
        "f4",
        "Float32",
        "",
        None,
        str,
        object,
        numpy.str_,
        3,
        [1],
        "i128",
        numpy.floating,
        numpy.generic,
        numpy.dtype("datetime64[s]"),
        numpy.dtype([("a", "f4")]),
    ],
    ids=repr,
)
def test_an_unknown_dtype_lists_the_choices(value: object) -> None:
    with pytest.raises(DtypeError, match=", ".join(DTYPES)):
        as_dtype(value)


def test_unknown_dtypes_give_advice() -> None:
    with pytest.raises(DtypeError, match="did you mean 'float32'"):
        as_dtype("flaot32")
    with pytest.raises(DtypeError, match=r"pass its \.dtype"):
        as_dtype(numpy.zeros(2))
    for value in (complex, "complex64", numpy.complex128, numpy.dtype("c8")):
        with pytest.raises(DtypeError, match="real and the imaginary"):
            as_dtype(value)


def test_dtypes_are_immutable() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        float32.name = "float64"
    with pytest.raises(AttributeError, match="immutable"):
        del float32.kind


def test_ml_dtypes_is_imported_only_for_bfloat16() -> None:
    code = (
        "import sys; from asg.core.dtype import as_dtype, bfloat16, finfo, float32; "
        "as_dtype('bf16'), finfo(bfloat16), float32.numpy; assert 'ml_dtypes' not in sys.modules; "
        "bfloat16.numpy; assert 'ml_dtypes' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# The rows of the Array API standard 2024.12, copied out by hand: signed, unsigned, mixed, float.
STANDARD = """
i1 i1 i1 | i1 i2 i2 | i1 i4 i4 | i1 i8 i8 | i2 i2 i2 | i2 i4 i4 | i2 i8 i8 | i4 i4 i4 | i4 i8 i8
i8 i8 i8 | u1 u1 u1 | u1 u2 u2 | u1 u4 u4 | u1 u8 u8 | u2 u2 u2 | u2 u4 u4 | u2 u8 u8 | u4 u4 u4
u4 u8 u8 | u8 u8 u8 | i1 u1 i2 | i1 u2 i4 | i1 u4 i8 | i2 u1 i2 | i2 u2 i4 | i2 u4 i8 | i4 u1 i4
i4 u2 i4 | i4 u4 i8 | i8 u1 i8 | i8 u2 i8 | i8 u4 i8 | f4 f4 f4 | f4 f8 f8 | f8 f8 f8 | b1 b1 b1
"""


def test_promotion_has_the_rows_of_the_standard() -> None:
    for row in STANDARD.replace("\n", " | ").split("|"):
        if row.strip():
            a, b, result = (as_dtype(numpy.dtype(code)) for code in row.split())
            assert promote(a, b) is promote(b, a) is result, row


def test_promotion_within_kinds_is_numpys() -> None:
    for a, b in itertools.product(ALL, ALL):
        mixed = (a.is_integer and b.is_float) or (a.is_float and b.is_integer)
        unsupported = {a, b} & {bfloat16} or ("uint64" in (a.name, b.name) and a.kind != b.kind)
        if not mixed and not unsupported:
            assert promote(a, b).numpy == numpy.promote_types(a.numpy, b.numpy)


def test_promotion_across_kinds_is_jaxs() -> None:
    jax_numpy = pytest.importorskip("jax.numpy")
    for a, b in itertools.product(ALL, ALL):
        wide = {a.name, b.name} & {"float64", "int64", "uint64"}  # JAX narrows these by default
        if not wide and promote(a, b).itemsize < 8:
            assert as_dtype(jax_numpy.promote_types(a.numpy, b.numpy)) is promote(a, b)


def test_promotion_across_kinds_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for a, b in itertools.product(ALL, ALL):
        unsigned = {a.name, b.name} & {"uint16", "uint32", "uint64"}  # PyTorch refuses to mix these
        if not unsigned:
            theirs = torch.promote_types(getattr(torch, a.name), getattr(torch, b.name))
            assert str(theirs) == f"torch.{promote(a, b)}"


def test_bool_and_integers_give_way() -> None:
    for dtype in ALL:
        assert promote(bool_, dtype) is promote(dtype, bool_) is dtype
    for integer, real in itertools.product(INTEGERS, FLOATS):
        assert promote(integer, real) is promote(real, integer) is real
    assert promote(float16, bfloat16) is promote(bfloat16, float16) is float32


@pytest.mark.parametrize("signed", [int8, int16, int32, int64], ids=str)
def test_uint64_with_signed_is_refused(signed: DType) -> None:
    for pair in ((uint64, signed), (signed, uint64)):
        with pytest.raises(DtypeError, match=f"no common dtype.*Cast.*{signed}.*uint64"):
            promote(*pair)


def test_promotion_is_associative_where_defined() -> None:
    """Apart from the integers beside uint64, and two half floats beside one another."""
    safe = [each for each in ALL if each not in (uint64, float16, bfloat16)]
    for a, b, c in itertools.product(safe, repeat=3):
        assert promote(promote(a, b), c) is promote(a, promote(b, c))


def test_python_scalars_are_weak() -> None:
    for dtype in ALL:
        assert promote_weak(bool, dtype) is dtype
        assert promote_weak(int, dtype) is (int32 if dtype is bool_ else dtype)
        assert promote_weak(float, dtype) is (dtype if dtype.is_float else float32)


def test_other_scalars_are_refused() -> None:
    with pytest.raises(DtypeError, match=r"promote\(as_dtype\(float64\), asg\.int8\)"):
        promote_weak(numpy.float64, int8)
    with pytest.raises(DtypeError, match="imaginary"):
        promote_weak(complex, float32)
    with pytest.raises(DtypeError, match="got str"):
        promote_weak(str, float32)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_finfo_agrees_with_ml_dtypes(dtype: DType) -> None:
    ours: Any = finfo(dtype)
    theirs: Any = ml_dtypes.finfo(dtype.numpy)  # type: ignore[no-untyped-call]
    assert ours.bits == theirs.bits
    for name in ("max", "min", "eps", "smallest_normal"):
        assert getattr(ours, name) == float(getattr(theirs, name))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_iinfo_agrees_with_numpy(dtype: DType) -> None:
    ours, theirs = iinfo(dtype), numpy.iinfo(dtype.numpy)
    assert (ours.min, ours.max, ours.bits) == (theirs.min, theirs.max, theirs.bits)


def test_limits_of_the_wrong_kind() -> None:
    with pytest.raises(DtypeError, match="use iinfo"):
        finfo(int8)
    for dtype in (float32, bool_):
        with pytest.raises(DtypeError, match="use finfo"):
            iinfo(dtype)


@given(st.sampled_from(INTEGERS), st.integers(-(2**65), 2**65))
def test_an_int_fits_where_numpy_holds_it(dtype: DType, value: int) -> None:
    try:
        held = int(numpy.array(value, dtype.numpy)) == value
    except OverflowError:
        held = False
    assert fits(value, dtype) is held


@given(st.sampled_from(FLOATS), st.floats() | st.integers(-(10**39), 10**39).map(float))
def test_a_float_fits_where_it_does_not_round_to_infinity(dtype: DType, value: float) -> None:
    with numpy.errstate(over="ignore"):
        rounded = float(numpy.array(value, numpy.float64).astype(dtype.numpy))
    assert fits(value, dtype) is (math.isinf(value) or not math.isinf(rounded))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_edge_of_a_float(dtype: DType) -> None:
    assert fits(finfo(dtype).max, dtype)
    assert fits(int(finfo(dtype).min), dtype)
    assert not fits(int(finfo(dtype).max) * 2, dtype)
    assert fits(math.nan, dtype) and fits(-math.inf, dtype)


@pytest.mark.parametrize(
    ("dtype", "beyond"),
    [
        (float16, 65520.0),
        (bfloat16, 2.0**128 - 2.0**119 - 2.0**103),
        (float32, 2.0**128 - 2.0**103),
    ],
    ids=str,
)
def test_the_first_float_that_overflows(dtype: DType, beyond: float) -> None:
    below = math.nextafter(beyond, 0.0)
    assert not fits(beyond, dtype) and not fits(-beyond, dtype)
    assert fits(below, dtype) and fits(-below, dtype)
    with numpy.errstate(over="ignore"):
        converted = numpy.array([below, beyond]).astype(dtype.numpy)
    assert [bool(each) for each in numpy.isinf(converted)] == [False, True]


def test_fits_across_kinds() -> None:
    assert fits(True, uint8) and fits(True, bool_) and fits(0, bool_) and fits(2.0, int8)
    assert not fits(2, bool_) and not fits(0.5, bool_) and not fits(0.5, int8)
    assert not fits(math.inf, int64) and not fits(math.nan, bool_)
    assert not fits(10**400, float64)
    assert fits(3.4028235e38, float32) and not fits(3.5e38, float32)
    assert fits(2**32 - 1, uint32) and not fits(2**16, uint16)
