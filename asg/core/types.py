"""TensorType: dtype and shape of a value; broadcasting; what `infer` rules are written with.

Sizes are compared at build time. Two sizes that are provably different are an error, two that are
equal or literal 1 broadcast, and two whose equality cannot be decided are taken as equal *and
recorded* as a :class:`SizeCheck`, which every executor evaluates before it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import index
from typing import SupportsIndex

from asg.core.dim import Dim, SymbolicDim, as_dim, known_equal, known_less_equal, product
from asg.core.dtype import DType, as_dtype, promote
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError

Shape = tuple[Dim, ...]


@dataclass(frozen=True, slots=True)
class SizeCheck:
    """``left == right`` (or ``<=``) must hold for the sizes bound at run time.

    ``place`` tells which op claims it, and on which line; claims that differ in it are equal.
    """

    left: Dim
    relation: str
    right: Dim
    reason: str
    place: str = field(default="", compare=False)


class TypeProblem(AsgError):
    """Raised by `infer` rules; the caller adds op, operands and source lines (core/explain.py)."""

    def __init__(
        self, what: str, advice: str = "", error: type[AsgError] = ShapeError, sizes: Shape = ()
    ) -> None:
        """``sizes`` are the ones in conflict; their provenance is told to the user."""
        super().__init__(what)
        self.what, self.advice, self.error, self.sizes = what, advice, error, sizes


_pending_checks: list[SizeCheck] = []


def take_checks() -> tuple[SizeCheck, ...]:
    """The checks recorded since the last call; `Op.apply` stores them in the node."""
    if not _pending_checks:
        return ()
    taken = tuple(_pending_checks)
    _pending_checks.clear()
    return taken


def require_equal(
    left: Dim, right: Dim, reason: str | Callable[[], str], advice: str = ""
) -> Dim:
    """One size for two that must be equal: checked now if decidable, else at run time.

    Returns the literal one of the two if there is one, else ``left``. A reason that takes long to
    write is given as a function.
    """
    if left is right or left == right:
        return left
    reason = reason if isinstance(reason, str) else reason()
    if known_equal(left, right) is False:
        raise TypeProblem(f"{reason}: {left} against {right}", advice, sizes=(left, right))
    _pending_checks.append(SizeCheck(left, "==", right, reason))
    return right if isinstance(right, int) else left


def require_less_equal(left: Dim, right: Dim, reason: str, advice: str = "") -> None:
    """``left <= right``, now if decidable, else recorded for run time."""
    known = known_less_equal(left, right)
    if known is False:
        raise TypeProblem(f"{reason}: {left} exceeds {right}", advice, sizes=(left, right))
    if known is None:
        _pending_checks.append(SizeCheck(left, "<=", right, reason))


@dataclass(frozen=True, slots=True)
class TensorType:
    """Dtype and shape; prints as ``f32[batch, 784]``.

    >>> from asg.core.dtype import float32
    >>> str(TensorType.of(float32, ("batch", 784)))
    'f32[batch, 784]'
    """

    dtype: DType
    shape: Shape

    @staticmethod
    def of(dtype: object, shape: Iterable[int | str | SymbolicDim]) -> TensorType:
        """A type from anything that names a dtype and sizes."""
        return TensorType(as_dtype(dtype), as_shape(shape))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> Dim:
        """Number of elements, possibly symbolic."""
        return product(self.shape)

    @property
    def is_static(self) -> bool:
        """True when no size is symbolic."""
        return all(isinstance(size, int) for size in self.shape)

    def with_shape(self, shape: Iterable[Dim]) -> TensorType:
        """Same dtype, other shape."""
        return TensorType(self.dtype, tuple(shape))

    def with_dtype(self, dtype: DType) -> TensorType:
        """Same shape, other dtype."""
        return TensorType(dtype, self.shape)

    def __str__(self) -> str:
        """``f32[batch, 784]``; a scalar is ``f32[]``."""
        return f"{self.dtype.short}[{', '.join(map(str, self.shape))}]"

    # -- what infer rules ask for; each returns self so that calls chain -------------------

    def require_float(self, operand: str = "x") -> TensorType:
        """A floating dtype, else DtypeError with the cast to write."""
        if not self.dtype.is_float:
            raise TypeProblem(
                f"{operand} is {self.dtype.name}, a floating dtype is needed",
                f"cast it first: {operand}.astype('float32')",
                DtypeError,
            )
        return self

    def require_numeric(self, operand: str = "x") -> TensorType:
        """Not bool."""
        if self.dtype.is_bool:
            raise TypeProblem(
                f"{operand} is bool, a number is needed",
                f"cast it first: {operand}.astype('int32'), or use where/logical_and",
                DtypeError,
            )
        return self

    def require_integer(self, operand: str = "x") -> TensorType:
        """A signed or unsigned integer dtype."""
        if not self.dtype.is_integer:
            raise TypeProblem(
                f"{operand} is {self.dtype.name}, integers are needed",
                f"cast it first: {operand}.astype('int32')",
                DtypeError,
            )
        return self

    def require_bool(self, operand: str = "x") -> TensorType:
        """Dtype bool."""
        if not self.dtype.is_bool:
            raise TypeProblem(
                f"{operand} is {self.dtype.name}, bool is needed",
                f"compare it first: asg.not_equal({operand}, 0)",
                DtypeError,
            )
        return self

    def require_ndim(self, ndim: int, operand: str = "x") -> TensorType:
        """Exactly ``ndim`` axes."""
        if self.ndim != ndim:
            raise TypeProblem(f"{operand} has {self.ndim} axes, {ndim} are needed", "reshape it")
        return self

    def require_axis(self, axis: int) -> TensorType:
        """``axis`` exists."""
        normalize_axis(axis, self.ndim)
        return self


def as_shape(shape: Iterable[int | str | SymbolicDim] | int | str) -> Shape:
    """A shape from ints, dim names and Dims; a single size is a vector.

    Raises:
        DimError: something else than sizes.
        ShapeError: a literal size is negative.
    """
    if not isinstance(shape, Iterable) or isinstance(shape, str) or hasattr(shape, "__index__"):
        shape = (shape,)  # type: ignore[assignment]
    sizes = tuple(as_dim(size) for size in shape)  # type: ignore[union-attr]
    for size in sizes:
        if isinstance(size, int) and size < 0:
            raise ShapeError(f"size {size} in shape {sizes} is negative; sizes are >= 0")
    return sizes


def normalize_axis(axis: SupportsIndex, ndim: int, operand: str = "x") -> int:
    """``axis`` counted from the front; TypeProblem when it does not exist."""
    try:
        number = index(axis)
    except TypeError:
        raise TypeProblem(
            f"axis {axis!r} is not an integer", "axes are numbered 0, 1, ..., or -1, -2, ... from "
            "the last", OperandError,
        ) from None  # fmt: skip
    if not -ndim <= number < ndim:
        axes = f"axes {-ndim} to {ndim - 1}" if ndim else "no axes"
        advice = "name one that exists, or add one with expand_dims"
        raise TypeProblem(f"axis {number} does not exist: {operand} has {axes}", advice)
    return number % ndim


def normalize_axes(
    axes: SupportsIndex | Sequence[SupportsIndex] | None, ndim: int, operand: str = "x"
) -> tuple[int, ...]:
    """Sorted, distinct, non-negative axes; None means all of them."""
    if axes is None:
        return tuple(range(ndim))
    given = axes if isinstance(axes, tuple | list) else (axes,)
    numbers = [normalize_axis(axis, ndim, operand) for axis in given]
    if len(set(numbers)) != len(numbers):
        raise TypeProblem(f"axis repeated in {tuple(given)}", "name each axis once")
    return tuple(sorted(numbers))


def broadcast_dims(left: Dim, right: Dim, axis_from_end: int) -> Dim:
    """One axis of a broadcast: equal sizes, or a literal 1 that stretches."""
    if left is right or left == right:
        return left
    if left == 1:
        return right
    if right == 1:
        return left
    return require_equal(
        left,
        right,
        f"cannot broadcast: axis -{axis_from_end}",
        "sizes must be equal or one of them literally 1; reshape, slice or expand_dims one side",
    )


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The common shape by NumPy's rule (axes aligned at the end), symbolic sizes included.

    >>> broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    result = shapes[0]
    for shape in shapes[1:]:
        if shape == result:
            continue
        longer, shorter = (result, shape) if len(result) >= len(shape) else (shape, result)
        offset = len(longer) - len(shorter)
        tail = tuple(
            broadcast_dims(longer[offset + i], size, len(shorter) - i)
            if len(result) >= len(shape)
            else broadcast_dims(size, longer[offset + i], len(shorter) - i)
            for i, size in enumerate(shorter)
        )
        result = longer[:offset] + tail
    return result


def broadcast_types(*types: TensorType) -> TensorType:
    """Promoted dtype and broadcast shape of several operands."""
    first = types[0]
    if all([other is first or other == first for other in types]):
        return first
    dtype = first.dtype
    for other in types[1:]:
        if other.dtype is not dtype:
            dtype = promote(dtype, other.dtype)
    return TensorType(dtype, broadcast_shapes(*(t.shape for t in types)))
