"""What the ops on matrices share: types they take, identities, cotangents known to be zero."""

from __future__ import annotations

from asg.core.dim import Dim, product
from asg.core.dtype import DType, float32, float64
from asg.core.errors import DtypeError
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, TypeProblem, require_equal
from asg.ops.compare import equal
from asg.ops.leaf import Full, iota
from asg.ops.operand import respelled
from asg.ops.shape import matrix_transpose


def require_matrix(x: TensorType, name: str = "x") -> TensorType:
    """Two axes at least: the last two are those of the matrices, the others count them."""
    if x.ndim < 2:
        raise TypeProblem(f"{name} has {x.ndim} axes, a matrix needs two", "expand_dims adds axes")
    return x


def require_square(x: TensorType, name: str = "x") -> Dim:
    """The one size of square matrices."""
    require_matrix(x, name)
    reason = f"the matrices of {name} {x} are not square"
    return require_equal(x.shape[-1], x.shape[-2], reason)


def require_wide_float(x: TensorType, name: str = "x") -> TensorType:
    """float32 or float64: LAPACK and XLA factorise nothing else, and a cast is the user's."""
    if x.dtype not in (float32, float64):
        raise TypeProblem(
            f"{name} is {x.dtype.name}, float32 or float64 is needed",
            f"cast it first: {name}.astype('float32')",
            DtypeError,
        )
    return x


def square_type(x: TensorType) -> TensorType:
    """``x`` with its two last sizes, which must be equal, spelled alike."""
    size = require_square(require_wide_float(x))
    return x.with_shape((*x.shape[:-2], size, size))


def squared(x: Tensor) -> Tensor:
    """``x`` of the type `square_type` gives."""
    return respelled(x, square_type(x.type).shape)


def identity(size: Dim, dtype: DType) -> Tensor:
    """The identity matrix."""
    return equal(iota((size, 1)), iota((1, size), axis=1)).astype(dtype)


def symmetric(x: Tensor) -> Tensor:
    """The symmetric part of matrices."""
    return (x + matrix_transpose(x)) * 0.5


def is_zero(tensor: Tensor) -> bool:
    """Known to be zero while building, as the cotangents of unused outputs are."""
    op: Op = tensor.node.op
    return isinstance(op, Full) and op.value == 0


def count_of(shape: Shape) -> Dim:
    """How many matrices there are."""
    return product(shape[:-2])
