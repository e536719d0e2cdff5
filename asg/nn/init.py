"""Initialisers: functions of (key, type) that build the first value of a variable as graph.

Because they are graph on counter-based random bits, both backends start from equal values.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import TensorType
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


def uniform(low: float = 0.0, high: float = 1.0) -> Initialiser:
    """Uniform on [low, high)."""
    if not low < high:
        raise OperandError(f"uniform needs low < high, got {low} and {high}")

    def build(key: Tensor, type: TensorType) -> Tensor:
        return call("uniform", key, type.shape, low=low, high=high).astype(type.dtype)

    return build


def normal(mean: float = 0.0, std: float = 1.0) -> Initialiser:
    """Normal with the given mean and standard deviation."""

    def build(key: Tensor, type: TensorType) -> Tensor:
        return (call("normal", key, type.shape) * std + mean).astype(type.dtype)

    return build


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight ``[out, in, *kernel]``, as PyTorch counts them."""
    if len(shape) < 2:
        raise OperandError(f"fan-based initialisers need two axes or more, the shape is {shape}")
    receptive = prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


def _static(type: TensorType) -> list[int]:
    return [int(size) for size in type.shape]  # variables have literal sizes


def xavier_uniform(gain: float = 1.0) -> Initialiser:
    """Uniform on +-gain * sqrt(6 / (fan_in + fan_out)); Glorot and Bengio, 2010."""

    def build(key: Tensor, type: TensorType) -> Tensor:
        bound = gain * sqrt(6.0 / sum(fans(_static(type))))
        return uniform(-bound, bound)(key, type)

    return build


def xavier_normal(gain: float = 1.0) -> Initialiser:
    """Normal with std gain * sqrt(2 / (fan_in + fan_out)); Glorot and Bengio, 2010."""

    def build(key: Tensor, type: TensorType) -> Tensor:
        return normal(0.0, gain * sqrt(2.0 / sum(fans(_static(type)))))(key, type)

    return build


def kaiming_uniform(negative_slope: float = 0.0) -> Initialiser:
    """Uniform on +-sqrt(6 / ((1 + a^2) fan_in)); He et al., 2015, https://arxiv.org/abs/1502.01852."""

    def build(key: Tensor, type: TensorType) -> Tensor:
        bound = sqrt(6.0 / ((1.0 + negative_slope**2) * fans(_static(type))[0]))
        return uniform(-bound, bound)(key, type)

    return build


def kaiming_normal(negative_slope: float = 0.0) -> Initialiser:
    """Normal with std sqrt(2 / ((1 + a^2) fan_in)); He et al., 2015."""

    def build(key: Tensor, type: TensorType) -> Tensor:
        std = sqrt(2.0 / ((1.0 + negative_slope**2) * fans(_static(type))[0]))
        return normal(0.0, std)(key, type)

    return build
