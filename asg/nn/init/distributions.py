"""Initialisers that know nothing of the shape: constants and plain distributions."""

from __future__ import annotations

from math import inf

from asg.core.dtype import DType, float32, float64
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.nn.checks import require_number
from asg.state.variable import Initialiser


def constant(value: float) -> Initialiser:
    """Every element ``value``."""
    return lambda key, type: call("full", type.shape, value, type.dtype)


def zeros() -> Initialiser:
    """Every element 0."""
    return constant(0)


def ones() -> Initialiser:
    """Every element 1."""
    return constant(1)


def drawn_in(type: TensorType) -> DType:
    """The dtype random numbers are drawn in: half precision and integers are rounded to later."""
    return float64 if type.dtype is float64 else float32


def uniform(low: float = 0.0, high: float = 1.0) -> Initialiser:
    """Uniform on [low, high).

    Raises:
        OperandError: not numbers with ``low < high``.
    """
    if not require_number("low", low) < require_number("high", high):
        raise OperandError(f"uniform needs low < high, got {low} and {high}")

    def build(key: Tensor, type: TensorType) -> Tensor:
        drawn = call("uniform", key, type.shape, low=low, high=high, dtype=drawn_in(type))
        return drawn.astype(type.dtype)

    return build


def normal(mean: float = 0.0, std: float = 1.0) -> Initialiser:
    """Normal with the given mean and standard deviation.

    Raises:
        OperandError: not numbers, or a negative ``std``.
    """
    require_number("mean", mean)
    require_number("std", std, 0.0)

    def build(key: Tensor, type: TensorType) -> Tensor:
        drawn = call("normal", key, type.shape, dtype=drawn_in(type))
        return (drawn * std + mean).astype(type.dtype)

    return build


def truncated_normal(
    mean: float = 0.0, std: float = 1.0, lower: float = -2.0, upper: float = 2.0
) -> Initialiser:
    """``mean + std * x``, x standard normal given ``lower <= x <= upper``: as JAX and Keras.

    The limits count in standard deviations. (PyTorch's `trunc_normal` limits the result.)

    Raises:
        OperandError: not numbers, a ``std`` that is not positive, or an interval that is empty or
            so far in a tail that it cannot be drawn from.

    >>> from asg import nn
    >>> layer = nn.Linear(400, 10, init=nn.init.truncated_normal(std=0.1))
    >>> bool(abs(layer.state_dict()["weight"]).max() <= 0.2)
    True
    """
    require_number("mean", mean)
    if not require_number("std", std, 0.0) > 0.0:
        raise OperandError(f"std={std!r} must be positive")
    if not require_number("lower", lower) < require_number("upper", upper):
        raise OperandError(f"truncated_normal needs lower < upper, got {lower} and {upper}")

    def build(key: Tensor, type: TensorType) -> Tensor:
        drawn = call("truncated_normal", key, type.shape, lower, upper, mean, std, drawn_in(type))
        return drawn.astype(type.dtype)

    return build


def trunc_normal(
    mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Initialiser:
    """Normal given that the result lies in [a, b], as `torch.nn.init.trunc_normal_`.

    Raises:
        OperandError: as `truncated_normal`.
    """
    if not require_number("std", std, 0.0) > 0.0:
        raise OperandError(f"std={std!r} must be positive")
    if not require_number("a", a, -inf) < require_number("b", b, -inf):
        raise OperandError(f"trunc_normal needs a < b, got {a} and {b}")
    draw = truncated_normal(mean, std, (a - mean) / std, (b - mean) / std)

    def build(key: Tensor, type: TensorType) -> Tensor:
        wide = TensorType(drawn_in(type), type.shape)
        return call("clip", draw(key, wide), a, b).astype(type.dtype)

    return build
