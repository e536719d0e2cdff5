"""Products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, product
from asg.core.op import Op
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, broadcast_shapes, require_equal
from asg.ops.shape import Reshape, expand_dims, matrix_transpose, squeeze

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Matmul(Op):
    """Sum over k of ``x1[..., i, k] * x2[..., k, j]``; leading axes broadcast.

    A vector on the left is a row, on the right a column, and its axis is missing in the result.
    Products of float16 and bfloat16 are summed in float32 and rounded once.
    """

    category: ClassVar[str] = "linalg"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x1: TensorType, x2: TensorType) -> TensorType:
        x1.require_numeric("x1")
        for name, each in (("x1", x1), ("x2", x2)):
            if each.ndim == 0:
                raise TypeProblem(f"{name} is a scalar", "multiply by it instead: x * y")
        inner = 0 if x2.ndim == 1 else x2.ndim - 2
        require_equal(
            x1.shape[-1],
            x2.shape[inner],
            f"the last axis of x1 and axis {inner} of x2 differ",
            "transpose or reshape one side so that they are the same size",
        )
        batch = broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        return x1.with_shape((*batch, *x1.shape[:-1][-1:], *x2.shape[inner + 1 :]))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (a, b), (c,) = inputs, cotangents
        return [lambda: _left_cotangent(a, b, c), lambda: _right_cotangent(a, b, c)]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 2 * inputs[0].shape[-1] * outputs[0].size


def _left_cotangent(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """``c . b^T``, in the shape of ``a`` but for leading axes, which the driver sums."""
    if b.ndim == 1:
        return c * b if a.ndim == 1 else expand_dims(c, -1) * b
    if a.ndim > 1:
        return matmul(c, matrix_transpose(b))
    if b.ndim == 2:
        return matmul(b, c)
    return squeeze(matmul(b, expand_dims(c, -1)), -1)


def _right_cotangent(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """``a^T . c``; one product of matrices also where ``a`` has many leading axes."""
    if a.ndim == 1:
        return c * a if b.ndim == 1 else expand_dims(a, -1) * expand_dims(c, -2)
    if b.ndim > 2:
        return matmul(matrix_transpose(a), c)
    rows = a if a.ndim == 2 else _merge_leading(a, 1)
    if b.ndim == 1:
        return matmul(c if a.ndim == 2 else _merge_leading(c, 0), rows)
    return matmul(matrix_transpose(rows), c if a.ndim == 2 else _merge_leading(c, 1))


def _merge_leading(x: Tensor, kept: int) -> Tensor:
    """All but the last ``kept`` axes merged into one."""
    border = x.ndim - kept
    return Reshape((product(x.shape[:border]), *x.shape[border:]))(x)


@public
def matmul(x1: Any, x2: Any) -> Tensor:
    """The matrix product, ``x1 @ x2``, by the rules of the Array API.

    Shapes: ``[..., m, k] @ [..., k, n] -> [..., m, n]`` with leading axes broadcast;
    ``[k] @ [..., k, n] -> [..., n]``; ``[..., m, k] @ [k] -> [..., m]``; ``[k] @ [k] -> []``.

    On JAX, float32 products use JAX's own default precision, which is full float32 on a CPU and
    may be TF32 on a GPU; ``jax.default_matmul_precision("highest")`` around the run changes it.

    Raises:
        ShapeError: the summed axes differ, or an operand is a scalar.
        DtypeError: an operand is bool.

    >>> import asg
    >>> asg.matmul(asg.input("x", ("batch", 784)), asg.input("w", (784, 10))).shape
    (Dim('batch'), 10)
    """
    return Matmul()(x1, x2)


@public
def vecdot(x1: Any, x2: Any, *, axis: int = -1) -> Tensor:
    """The sum of ``x1 * x2`` along ``axis`` (counted from the end), other axes broadcast.

    Raises:
        ShapeError: the summed axes differ.

    >>> import asg
    >>> asg.run(asg.vecdot([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])).tolist()
    [21.0, 43.0]
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    for name, each in (("x1", x1), ("x2", x2)):
        if not -each.ndim <= axis < 0:
            raise TypeProblem(f"axis {axis} of {name} does not exist", "count from the end: -1")
    if (x1.shape[axis] == 1) != (x2.shape[axis] == 1):  # which a product would stretch
        raise TypeProblem(
            f"axis {axis} of x1 and x2 differ: {x1.shape[axis]} against {x2.shape[axis]}",
            sizes=(x1.shape[axis], x2.shape[axis]),
        )
    return call("sum", call("multiply", x1, x2), axis)


@public
def vdot(x1: Any, x2: Any) -> Tensor:
    """The sum of ``x1 * x2`` over all elements, a scalar; both of as many elements.

    >>> import asg
    >>> asg.run(asg.vdot([[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]])).item()
    5.0
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    return matmul(Reshape((x1.size,))(x1), Reshape((x2.size,))(x2))


@public
def outer(x1: Any, x2: Any) -> Tensor:
    """``x1[i] * x2[j]`` for two vectors (other shapes are flattened first).

    >>> import asg
    >>> asg.run(asg.outer([1.0, 2.0], [3.0, 4.0])).tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    return call("multiply", Reshape((x1.size, 1))(x1), Reshape((1, x2.size))(x2))
