"""Products of Kronecker and of vectors in space."""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, broadcast_types, normalize_axis, require_equal
from asg.ops.join import roll
from asg.ops.operand import respelled
from asg.ops.shape import Reshape


class Kron(Op):
    """Every element of ``x1`` times all of ``x2``: ``y[i p + k] = x1[i] x2[k]`` on every axis."""

    category: ClassVar[str] = "linalg"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x1: TensorType, x2: TensorType) -> TensorType:
        x1.require_numeric("x1")
        ndim = max(x1.ndim, x2.ndim)
        pairs = zip(_padded(x1.shape, ndim), _padded(x2.shape, ndim), strict=True)
        return x1.with_shape(a * b for a, b in pairs)

    def decompose(self, x1: Tensor, x2: Tensor) -> Tensor:
        ndim = max(x1.ndim, x2.ndim)
        outer, inner = _padded(x1.shape, ndim), _padded(x2.shape, ndim)
        spread = Reshape(tuple(size for each in outer for size in (each, 1)))(x1)
        repeated = Reshape(tuple(size for each in inner for size in (1, each)))(x2)
        return Reshape(self.infer(x1.type, x2.type).shape)(spread * repeated)


def _padded(shape: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    """With ones in front, as NumPy aligns axes."""
    return (1,) * (ndim - len(shape)) + shape


class Cross(Op):
    """The vector product along an axis of size 3; ``axis`` is counted from the end."""

    axis: int = -1
    category: ClassVar[str] = "linalg"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x1: TensorType, x2: TensorType) -> TensorType:
        for name, each in (("x1", x1), ("x2", x2)):
            each.require_numeric(name)
            if not -each.ndim <= self.axis < 0:
                raise TypeProblem(
                    f"axis {self.axis} of {name} does not exist", "count from the end: -1"
                )
            reason = f"axis {self.axis} of {name} {each} is not of size 3"
            require_equal(each.shape[self.axis], 3, reason)
        return broadcast_types(self._with_three(x1), self._with_three(x2))

    def _with_three(self, x: TensorType) -> TensorType:
        place = normalize_axis(self.axis, x.ndim)
        return x.with_shape(3 if i == place else size for i, size in enumerate(x.shape))

    def decompose(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The sum over the cyclic permutations minus that over the others."""
        a, b = (respelled(x, self._with_three(x.type).shape) for x in (x1, x2))
        first = roll(a, -1, self.axis) * roll(b, -2, self.axis)
        return first - roll(a, -2, self.axis) * roll(b, -1, self.axis)


# -- functions -----------------------------------------------------------------------------------


@public
def kron(x1: Any, x2: Any) -> Tensor:
    """The Kronecker product: every element of ``x1`` times all of ``x2``, side by side.

    Shapes: ``[m, n]`` and ``[p, q] -> [m p, n q]``; with other numbers of axes likewise, the
    shorter shape is filled up with ones in front.

    Raises:
        DtypeError: bool.

    >>> import asg
    >>> asg.run(asg.kron([[1, 2]], [[1, 1], [0, 1]])).tolist()
    [[1, 1, 2, 2], [0, 1, 0, 2]]
    """
    return Kron()(x1, x2)


@public
def cross(x1: Any, x2: Any, *, axis: int = -1) -> Tensor:
    """The vector product of vectors in space, along ``axis`` (counted from the end).

    Shapes: ``[..., 3]`` and ``[..., 3] -> [..., 3]``, the other axes broadcast.

    Raises:
        ShapeError: the axis has another size than 3.
        DtypeError: bool.

    >>> import asg
    >>> asg.run(asg.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    return Cross(axis)(x1, x2)
