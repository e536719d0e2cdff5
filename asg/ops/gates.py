"""Gated linear units: one half of an axis, through an activation, multiplies the other half."""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axis, require_equal
from asg.ops.activation import Approximation, gelu, silu
from asg.ops.elementwise_unary import sigmoid
from asg.ops.join import split


class Gate(Op, abstract=True):
    """Two halves of x along ``axis`` make one result of half the size."""

    axis: int
    category: ClassVar[str] = "activation"

    def infer(self, x: TensorType) -> TensorType:
        x.require_float().require_axis(self.axis)
        size = x.shape[self.axis]
        require_equal(
            size // 2 * 2, size, f"axis {self.axis} of {x} does not have two equal halves",
            "give it an even size: one half is the gate, the other the value",
        )  # fmt: skip
        return x.with_shape((*x.shape[: self.axis], size // 2, *x.shape[self.axis + 1 :]))

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The first and the second half along the axis."""
        size = x.shape[self.axis] // 2
        first, second = split(x, (size, size), self.axis)
        return first, second


class GLU(Gate):
    """``y = a * sigmoid(b)``; a and b are the first and the second half of x along ``axis``."""

    def decompose(self, x: Tensor) -> Tensor:
        value, gate = self.halves(x)
        return value * sigmoid(gate)


class SwiGLU(Gate):
    """``y = silu(a) * b``; a and b are the first and the second half of x along ``axis``."""

    name: ClassVar[str] = "swiglu"

    def decompose(self, x: Tensor) -> Tensor:
        gate, value = self.halves(x)
        return silu(gate) * value


class GeGLU(Gate):
    """``y = gelu(a) * b``; a and b are the first and the second half of x along ``axis``."""

    approximate: str = "none"
    name: ClassVar[str] = "geglu"

    def infer(self, x: TensorType) -> TensorType:
        if self.approximate not in ("none", "tanh"):
            raise TypeProblem(
                f"approximate is {self.approximate!r}", "choose 'none' or 'tanh'", OperandError
            )
        return super().infer(x)

    def decompose(self, x: Tensor) -> Tensor:
        gate, value = self.halves(x)
        return gelu(gate, "tanh" if self.approximate == "tanh" else "none") * value


@public
def glu(x: Any, axis: int = -1) -> Tensor:
    """``a * sigmoid(b)``, with ``a, b`` the two halves of ``x`` along ``axis``.

    The *second* half is the gate, as in PyTorch; in `swiglu` and `geglu` it is the first.

    Raises:
        ShapeError: the axis does not exist, or its size is odd.
        DtypeError: ``x`` is not floating.

    Source: Dauphin et al., https://arxiv.org/abs/1612.08083.

    >>> import asg
    >>> asg.run(asg.glu(asg.constant([4.0, 6.0, 0.0, 1000.0]))).tolist()
    [2.0, 6.0]
    """
    x = as_tensor(x)
    return GLU(normalize_axis(axis, x.ndim))(x)


@public
def swiglu(x: Any, axis: int = -1) -> Tensor:
    """``silu(a) * b``, with ``a, b`` the two halves of ``x`` along ``axis``: the gate is the first.

    Source: Shazeer, "GLU variants improve transformer", https://arxiv.org/abs/2002.05202.

    >>> import asg
    >>> asg.run(asg.swiglu(asg.constant([0.0, 1000.0, 5.0, 2.0]))).tolist()
    [0.0, 2000.0]
    """
    x = as_tensor(x)
    return SwiGLU(normalize_axis(axis, x.ndim))(x)


@public
def geglu(x: Any, axis: int = -1, approximate: Approximation = "none") -> Tensor:
    """``gelu(a) * b``, with ``a, b`` the two halves of ``x`` along ``axis``: the gate is the first.

    Source: Shazeer, "GLU variants improve transformer", https://arxiv.org/abs/2002.05202.

    >>> import asg
    >>> asg.run(asg.geglu(asg.constant([0.0, 1000.0, 5.0, 2.0]))).tolist()
    [0.0, 2000.0]
    """
    x = as_tensor(x)
    return GeGLU(normalize_axis(axis, x.ndim), approximate)(x)
