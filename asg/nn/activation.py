"""Activations as modules, for use in `Sequential`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.function import Count, FunctionModule, Int, NonNegative, Number, Positive, one_of
from asg.nn.module import Module
from asg.state.random import RandomStream
from asg.state.trace import chosen_mode
from asg.state.variable import Variable

Approximation = Annotated[str, one_of("none", "tanh")]


class Identity(Module):
    """The input itself."""

    def forward(self, x: Any) -> Any:
        """``x``."""
        return x


class ReLU(FunctionModule):
    """``max(x, 0)``; the derivative at 0 is 0."""

    function = "relu"


class ReLU6(FunctionModule):
    """``min(max(x, 0), 6)``; the derivative at 0 and at 6 is 0."""

    function = "relu6"


class SELU(FunctionModule):
    """``1.0507 * x`` where positive, else ``1.7581 * (exp(x) - 1)``; Klambauer et al., 2017."""

    function = "selu"


class SiLU(FunctionModule):
    """``x * sigmoid(x)``, also called swish; Elfwing et al., 2017."""

    function = "silu"


Swish = SiLU


class Mish(FunctionModule):
    """``x * tanh(softplus(x))``; Misra, 2019."""

    function = "mish"


class Hardswish(FunctionModule):
    """``x * min(max(x + 3, 0), 6) / 6``; Howard et al., 2019."""

    function = "hardswish"


class Hardsigmoid(FunctionModule):
    """``min(max(x + 3, 0), 6) / 6``."""

    function = "hardsigmoid"


class Softsign(FunctionModule):
    """``x / (1 + |x|)``."""

    function = "softsign"


class Sigmoid(FunctionModule):
    """``1 / (1 + exp(-x))``."""

    function = "sigmoid"


class LogSigmoid(FunctionModule):
    """``-log(1 + exp(-x))``, without underflow."""

    function = "log_sigmoid"


class Tanh(FunctionModule):
    """``tanh(x)``."""

    function = "tanh"


class Tanhshrink(FunctionModule):
    """``x - tanh(x)``."""

    function = "tanhshrink"


class LeakyReLU(FunctionModule):
    """``x`` where positive, else ``negative_slope * x``."""

    function = "leaky_relu"
    negative_slope: Number = 0.01


class ELU(FunctionModule):
    """``x`` where positive, else ``alpha * (exp(x) - 1)``; Clevert et al., 2015."""

    function = "elu"
    alpha: Number = 1.0


class CELU(FunctionModule):
    """``x`` where positive, else ``alpha * (exp(x / alpha) - 1)``; Barron, 2017."""

    function = "celu"
    alpha: Positive = 1.0


class GELU(FunctionModule):
    """``x * P(Z <= x)``, Z normal: exact (``"none"``) or by ``"tanh"``; Hendrycks, 2016."""

    function = "gelu"
    approximate: Approximation = "none"


class Softplus(FunctionModule):
    """``log(1 + exp(beta * x)) / beta``, and ``x`` where ``beta * x > threshold``."""

    function = "softplus"
    beta: Positive = 1.0
    threshold: Number = 20.0


class Softshrink(FunctionModule):
    """``x`` moved towards 0 by ``lambd``, and 0 where that passes 0."""

    function = "softshrink"
    lambd: NonNegative = 0.5


class Hardshrink(FunctionModule):
    """``x`` where ``|x| > lambd``, else 0."""

    function = "hardshrink"
    lambd: NonNegative = 0.5


class Threshold(FunctionModule):
    """``x`` where ``x > threshold``, else ``value``."""

    function = "threshold"
    threshold: Number
    value: Number


class _AlongDim(FunctionModule):
    """A function along the axis that PyTorch calls ``dim``."""

    renamed: ClassVar[dict[str, str]] = {"dim": "axis"}


class Softmax(_AlongDim):
    """``exp(x) / sum(exp(x))`` along axis ``dim``."""

    function = "softmax"
    dim: Int


class LogSoftmax(_AlongDim):
    """``x - log(sum(exp(x)))`` along axis ``dim``."""

    function = "log_softmax"
    dim: Int


class Softmin(_AlongDim):
    """``exp(-x) / sum(exp(-x))`` along axis ``dim``."""

    function = "softmin"
    dim: Int


class GLU(_AlongDim):
    """``a * sigmoid(b)``, a and b the halves of x along ``dim``; Dauphin et al., 2016."""

    function = "glu"
    dim: Int = -1


class SwiGLU(_AlongDim):
    """``silu(a) * b``, a and b the halves of x along ``dim``; Shazeer, 2020."""

    function = "swiglu"
    dim: Int = -1


class GeGLU(_AlongDim):
    """``gelu(a) * b``, a and b the halves of x along ``dim``; Shazeer, 2020."""

    function = "geglu"
    dim: Int = -1
    approximate: Approximation = "none"


class Softmax2d(FunctionModule):
    """`Softmax` over the channels of images ``[..., channels, height, width]``."""

    function = "softmax"

    def forward(self, x: Tensor) -> Tensor:
        """Images, or one image, of the same shape."""
        self.require(x.ndim in (3, 4), "input", x.type, "must have 3 or 4 axes")
        return call("softmax", x, -3)


class Hardtanh(FunctionModule):
    """``min(max(x, min_val), max_val)``; the derivative at both bounds is 0."""

    function = "hardtanh"
    min_val: Number = -1.0
    max_val: Number = 1.0

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        """``min_val < max_val``."""
        super().__init__(min_val, max_val)
        self.require(min_val < max_val, "min_val", min_val, f"must be less than {max_val=}")


class RReLU(FunctionModule):
    """``x`` where positive, else ``a * x``: a is random in training, its mean in evaluation.

    Each element draws its own ``a``, uniform on ``[lower, upper]``. Source: Xu et al.,
    https://arxiv.org/abs/1505.00853.

    Attributes:
        key: the random stream.
    """

    function = "rrelu"
    lower: Number = 1.0 / 8.0
    upper: Number = 1.0 / 3.0

    def __init__(self, lower: float = 1.0 / 8.0, upper: float = 1.0 / 3.0) -> None:
        """``lower <= upper``."""
        super().__init__(lower, upper)
        self.require(lower <= upper, "lower", lower, f"must not exceed {upper=}")
        self.key = RandomStream()

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; new slopes at every call while training."""
        key = self.key.next() if chosen_mode("RReLU") else None
        return call("rrelu", x, self.lower, self.upper, key)


class PReLU(FunctionModule):
    """``x`` where positive, else ``weight * x``, the weight being learned; He et al., 2015.

    Attributes:
        weight: ``[num_parameters]``: one number, or one for each channel (axis 1).

    >>> from asg import nn
    >>> nn.PReLU(3).weight
    <parameter 'weight': f32[3]>
    """

    function = "prelu"
    num_parameters: Count = 1
    init: Number = 0.25

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: Any = float32) -> None:
        """``init`` is the first value of the weight."""
        super().__init__(num_parameters, init)
        self.weight = Variable("weight", (num_parameters,), float(init), dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return call("prelu", x, self.weight)

    def describe(self) -> str:
        return f"num_parameters={self.num_parameters}"
