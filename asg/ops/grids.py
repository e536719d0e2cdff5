"""Coordinates of grids: those of axes, and those of images under affine maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, require_equal
from asg.ops.leaf import constant
from asg.ops.shape import BroadcastTo, Tensors, expand_dims, reshape


@public
def meshgrid(*arrays: Any, indexing: str = "xy") -> Tensors:
    """Vectors as coordinates of a grid: one tensor for each, all of the grid's shape.

    Args:
        arrays: vectors (a scalar counts as one element).
        indexing: "ij": axis i of the results is that of vector i; "xy": the first two axes are
            exchanged, as in NumPy.

    Raises:
        OperandError: another indexing.
        ShapeError: an operand with more than one axis.

    >>> import asg
    >>> x, y = asg.meshgrid([1, 2, 3], [4, 5])
    >>> asg.run(x).tolist(), asg.run(y).tolist()
    ([[1, 2, 3], [1, 2, 3]], [[4, 4, 4], [5, 5, 5]])
    """
    if indexing not in ("xy", "ij"):
        raise TypeProblem(f"indexing is {indexing!r}", "choose 'xy' or 'ij'", OperandError)
    vectors = [_vector(as_tensor(each), number) for number, each in enumerate(arrays)]
    order = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        order[0], order[1] = 1, 0
    shape = tuple(vectors[axis].shape[0] for axis in order)
    return tuple(
        _spread(vector, order.index(number), shape) for number, vector in enumerate(vectors)
    )


def _vector(x: Tensor, number: int) -> Tensor:
    if x.ndim > 1:
        raise TypeProblem(f"arrays[{number}] {x.type} is no vector", "flatten it")
    return x if x.ndim else expand_dims(x, 0)


def _spread(vector: Tensor, axis: int, shape: tuple[Any, ...]) -> Tensor:
    others = tuple(other for other in range(len(shape)) if other != axis)
    thin = expand_dims(vector, others) if others else vector
    return BroadcastTo(shape)(thin)


class AffineGrid(Op):
    """``y[n, p] = theta[n, :, :-1] @ position(p) + theta[n, :, -1]``.

    Positions run from -1 to 1, x before y: over the centres of the border pixels if
    ``align_corners``, over the borders of the image otherwise.
    """

    sizes: tuple[int, ...]
    align_corners: bool = False
    category: ClassVar[str] = "index"

    def infer(self, theta: TensorType) -> TensorType:
        theta.require_float("theta").require_ndim(3, "theta")
        spatial = len(self.sizes)
        if spatial not in (2, 3) or any(type(size) is not int or size < 1 for size in self.sizes):
            raise TypeProblem(
                f"spatial sizes {self.sizes}", "give two or three literal sizes", OperandError
            )
        for axis, wanted in ((1, spatial), (2, spatial + 1)):
            require_equal(
                theta.shape[axis], wanted, f"axis {axis} of theta {theta} does not fit {spatial} "
                "spatial axes", f"give theta [N, {spatial}, {spatial + 1}]",
            )  # fmt: skip
        return theta.with_shape((theta.shape[0], *self.sizes, spatial))

    def decompose(self, theta: Tensor) -> Tensor:
        places = constant(self._homogeneous(), theta.dtype)
        flat = call("matmul", places, call("matrix_transpose", theta))
        return reshape(flat, self.infer(theta.type).shape)

    def _homogeneous(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """[pixels, d + 1]: the position of each pixel, x first, and a one."""
        along = [_positions(size, self.align_corners) for size in self.sizes]
        mesh: Sequence[Any] = np.meshgrid(*along, indexing="ij")
        columns = [each.reshape(-1) for each in reversed(mesh)]
        return np.stack([*columns, np.ones_like(columns[0])], 1)


def _positions(size: int, align_corners: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    if not align_corners:
        return (2 * np.arange(size, dtype=np.float64) + 1) / size - 1
    return np.linspace(-1.0, 1.0, size) if size > 1 else np.zeros(1)


@public
def affine_grid(theta: Any, size: Any, align_corners: bool = False) -> Tensor:
    """Where each pixel of a result reads, for `grid_sample`: an affine map of its position.

    Args:
        theta: floating, [N, 2, 3] for images or [N, 3, 4] for volumes.
        size: the spatial sizes of the result, (H, W) or (D, H, W). PyTorch's (N, C, H, W) is
            taken, too: N must be that of theta.
        align_corners: whether -1 and 1 are the centres of the border pixels, or their borders.

    Returns:
        [N, H, W, 2] or [N, D, H, W, 3].

    Raises:
        ShapeError: theta does not fit the size.

    >>> import asg
    >>> asg.run(asg.affine_grid([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], (1, 2))).tolist()
    [[[[-0.5, 0.0], [0.5, 0.0]]]]
    """
    theta = as_tensor(theta)
    given = tuple(size) if isinstance(size, tuple | list) else (size,)
    if len(given) > 3:
        require_equal(theta.shape[0], given[0], "theta and size differ in N")
        given = given[2:]
    return AffineGrid(given, bool(align_corners))(theta)
