"""Initialisers scaled by how many inputs and outputs an element of the weight connects.

Weights are laid out as in PyTorch, ``[out, in, *kernel]``: ``fan_in`` is in times the size of the
kernel, ``fan_out`` out times that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod, sqrt

from asg.core.errors import OperandError
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.nn.checks import require_number
from asg.nn.init.distributions import normal, uniform, zeros
from asg.state.variable import Initialiser

Deviation = Callable[[Sequence[int]], float]

_GAINS = {"sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": sqrt(2.0), "selu": 3.0 / 4.0}
_LINEAR = (
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d",
)  # fmt: skip


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight ``[out, in, *kernel]``, as PyTorch counts them.

    Raises:
        OperandError: fewer than two axes.

    >>> fans((8, 3, 5, 5))
    (75, 200)
    """
    if len(shape) < 2:
        raise OperandError(f"fan-based initialisers need two axes or more, the shape is {shape}")
    receptive = prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of the standard deviation that an activation calls for, as in PyTorch.

    1 for linear layers and "sigmoid", 5/3 for "tanh", sqrt(2) for "relu",
    ``sqrt(2 / (1 + param^2))`` for "leaky_relu" (whose slope is 0.01 unless told), 3/4 for "selu".

    Raises:
        OperandError: another name, or a slope that is no number.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity in _LINEAR:
        return 1.0
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else require_number("param", param)
        return sqrt(2.0 / (1.0 + slope**2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu", *_LINEAR])
        raise OperandError(f"nonlinearity={nonlinearity!r} is not one of {known}")
    return _GAINS[nonlinearity]


def xavier_uniform(gain: float = 1.0) -> Initialiser:
    """Uniform on +-gain * sqrt(6 / (fan_in + fan_out)); Glorot and Bengio, 2010."""
    require_number("gain", gain, 0.0)
    return _uniform_of_std(lambda shape: gain * sqrt(2.0 / sum(fans(shape))))


def xavier_normal(gain: float = 1.0) -> Initialiser:
    """Normal with std gain * sqrt(2 / (fan_in + fan_out)); Glorot and Bengio, 2010."""
    require_number("gain", gain, 0.0)
    return _normal_of_std(lambda shape: gain * sqrt(2.0 / sum(fans(shape))))


def kaiming_uniform(
    a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Initialiser:
    """Uniform on +-gain * sqrt(3 / fan); He et al., 2015, https://arxiv.org/abs/1502.01852.

    Args:
        a: the negative slope, for "leaky_relu"; 0 makes that "relu".
        mode: ``"fan_in"`` keeps the variance in forward, ``"fan_out"`` in backward.
        nonlinearity: names the gain, see `calculate_gain`.

    Raises:
        OperandError: another mode or nonlinearity, a slope that is no number.
    """
    return _uniform_of_std(_kaiming(a, mode, nonlinearity))


def kaiming_normal(
    a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Initialiser:
    """Normal with std gain / sqrt(fan); arguments and errors as `kaiming_uniform`."""
    return _normal_of_std(_kaiming(a, mode, nonlinearity))


def lecun_uniform() -> Initialiser:
    """Uniform on +-sqrt(3 / fan_in); LeCun et al., "Efficient backprop", 1998."""
    return _uniform_of_std(lambda shape: sqrt(1.0 / fans(shape)[0]))


def lecun_normal() -> Initialiser:
    """Normal with std 1 / sqrt(fan_in), not truncated: that of self-normalising networks."""
    return _normal_of_std(lambda shape: sqrt(1.0 / fans(shape)[0]))


def _kaiming(a: float, mode: str, nonlinearity: str) -> Deviation:
    if mode not in ("fan_in", "fan_out"):
        raise OperandError(f"mode={mode!r} must be 'fan_in' or 'fan_out'")
    gain = calculate_gain(nonlinearity, require_number("a", a))
    return lambda shape: gain / sqrt(fans(shape)[mode == "fan_out"])


def _uniform_of_std(std: Deviation) -> Initialiser:
    def build(key: Tensor, type: TensorType) -> Tensor:
        bound = sqrt(3.0) * std(static_shape(type))
        return (uniform(-bound, bound) if bound else zeros())(key, type)

    return build


def _normal_of_std(std: Deviation) -> Initialiser:
    def build(key: Tensor, type: TensorType) -> Tensor:
        return normal(0.0, std(static_shape(type)))(key, type)

    return build


def static_shape(type: TensorType) -> tuple[int, ...]:
    """The shape of a variable, whose sizes are literal."""
    return tuple(int(size) for size in type.shape)
