"""Samples of normalisations with channels, over neighbours and of length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.ops.normalisation import (
    BatchNorm,
    BatchNormTraining,
    GroupNorm,
    InstanceNorm,
    L2Normalize,
    LocalResponseNorm,
)
from asg.testing.sample import Array, Sample, register_samples

BLOCK = np.sin(np.arange(24.0) * 1.7 + 0.4).reshape(2, 4, 3) * 2.0
IMAGE = np.sin(np.arange(24.0) * 1.3 + 0.4).reshape(2, 2, 3, 2) * 2.0
WEIGHT = np.array([0.7, -1.2, 1.9, 0.4])
BIAS = np.array([0.1, 0.8, -0.3, 2.0])
MEAN = np.array([0.5, -0.1, 0.3, 0.2])
VAR = np.array([1.5, 0.7, 0.3, 2.2])


def _affine(result: Array, axis: int, parameters: tuple[Array, ...]) -> Any:
    shape = [-1 if i == axis else 1 for i in range(result.ndim)]
    if parameters:
        result = result * parameters[0].reshape(shape)
    return result + parameters[1].reshape(shape) if len(parameters) > 1 else result


def _groups(groups: int, eps: float) -> Callable[..., Any]:
    def value(x: Array, *parameters: Array) -> Any:
        result = np.empty_like(x)
        for example in range(len(x)):
            for part in np.split(np.arange(x.shape[1]), groups):
                each = x[example, part]
                result[example, part] = (each - each.mean()) / np.sqrt(each.var() + eps)
        return _affine(result, 1, parameters)

    return value


def _given(axis: int, eps: float) -> Callable[..., Any]:
    def value(x: Array, mean: Array, var: Array, *parameters: Array) -> Any:
        shape = [-1 if i == axis else 1 for i in range(x.ndim)]
        result = (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + eps)
        return _affine(result, axis, parameters)

    return value


def _training(axis: int, eps: float) -> Callable[..., Any]:
    def value(x: Array, *parameters: Array) -> Any:
        others = tuple(i for i in range(x.ndim) if i != axis)
        mean, var = x.mean(others), x.var(others)
        return _given(axis, eps)(x, mean, var, *parameters), mean, var

    return value


def _group(groups: int, eps: float, *operands: Array, **facts: Any) -> Sample:
    return Sample(GroupNorm(groups, eps), operands, _groups(groups, eps), **facts)


def _instance(eps: float, *operands: Array, **facts: Any) -> Sample:
    def value(x: Array, *parameters: Array) -> Any:
        return _groups(x.shape[1], eps)(x, *parameters)

    return Sample(InstanceNorm(eps), operands, value, **facts)


def _batch(axis: int, *operands: Array, **facts: Any) -> Sample:
    return Sample(BatchNorm(axis, 1e-3), operands, _given(axis, 1e-3), **facts)


def _learning(axis: int, *operands: Array, **facts: Any) -> Sample:
    return Sample(BatchNormTraining(axis, 1e-3), operands, _training(axis, 1e-3), **facts)


register_samples(
    [
        _group(2, 1e-3, BLOCK, WEIGHT, BIAS, symbolic=(("batch", 4, "w"), (4,), (4,))),
        _group(2, 1e-3, BLOCK, WEIGHT, symbolic=(("batch", "c", 3), ("c",))),
        _group(1, 0.1, IMAGE, symbolic=(("batch", 2, "h", "w"),)),
        _group(2, 0.1, BLOCK[:, :, 0], symbolic=(("batch", 4),)),
        _group(2, 1e-5, np.empty((0, 4, 3)), WEIGHT, BIAS,
               symbolic=(("batch", 4, 3), (4,), (4,)), label="no examples"),
        _instance(1e-3, BLOCK, WEIGHT, BIAS, symbolic=(("batch", "c", "w"), ("c",), ("c",))),
        _instance(1e-3, BLOCK, WEIGHT, symbolic=(("batch", 4, 3), ("c",))),
        _instance(0.1, IMAGE, symbolic=(("batch", 2, "h", "w"),)),
        _instance(0.1, np.empty((0, 4, 3)), symbolic=(("batch", 4, 3),), label="no examples"),
        _batch(1, BLOCK, MEAN, VAR, symbolic=(("batch", "c", 3), ("c",), ("c",))),
        _batch(1, BLOCK, MEAN, VAR, WEIGHT, symbolic=(("batch", 4, "w"), (4,), (4,), (4,))),
        _batch(1, BLOCK, MEAN, VAR, WEIGHT, BIAS,
               symbolic=(("batch", "c", 3), (4,), (4,), ("c",), ("c",)), label="spelled apart"),
        _batch(2, BLOCK.swapaxes(1, 2).copy(), MEAN, VAR, WEIGHT, BIAS,
               symbolic=(("batch", "w", 4), (4,), (4,), (4,), (4,))),
        _batch(1, np.empty((0, 4)), MEAN, VAR, symbolic=(("batch", 4), (4,), (4,)),
               label="no examples"),
        _learning(1, BLOCK, WEIGHT, BIAS, symbolic=(("batch", "c", "w"), ("c",), ("c",))),
        _learning(1, BLOCK[:, :, 0] + BLOCK[:, :, 1] ** 2, WEIGHT, symbolic=(("batch", 4), (4,))),
        _learning(1, IMAGE, symbolic=(("batch", 2, "h", "w"),)),
        _learning(2, BLOCK.swapaxes(1, 2).copy(), WEIGHT, BIAS,
                  symbolic=(("batch", "w", 4), (4,), (4,))),
    ]
)  # fmt: skip


def _responses(op: LocalResponseNorm) -> Callable[[Array], Any]:
    def value(x: Array) -> Any:
        result = np.empty_like(x)
        for c in range(x.shape[1]):
            window = x[:, max(c - op.size // 2, 0) : c + (op.size - 1) // 2 + 1]
            total = (window**2).sum(1)
            result[:, c] = x[:, c] / (op.k + op.alpha / op.size * total) ** op.beta
        return result

    return value


def _local(op: LocalResponseNorm, x: Array, **facts: Any) -> Sample:
    return Sample(op, (x,), _responses(op), **facts)


def _unit(axis: int, eps: float) -> Callable[[Array], Any]:
    return lambda x: x / np.maximum(np.sqrt((x**2).sum(axis, keepdims=True)), eps)


register_samples(
    [
        _local(LocalResponseNorm(3, 0.2), BLOCK, symbolic=(("batch", "c", "w"),)),
        _local(LocalResponseNorm(2, 0.5, 0.6, 2.0), IMAGE, symbolic=(("batch", 2, "h", "w"),)),
        _local(LocalResponseNorm(7, 0.2), BLOCK, symbolic=(("batch", 4, "w"),)),
        _local(LocalResponseNorm(1, 0.2), np.empty((0, 3)), symbolic=(("batch", 3),),
               label="no examples"),
        Sample(L2Normalize(1), (BLOCK,), _unit(1, 1e-12), (("batch", "c", 3),)),
        Sample(L2Normalize(0), (np.array([3.0, 4.0]),), _unit(0, 1e-12), (("n",),)),
        Sample(L2Normalize(1), (np.empty((0, 4)),), _unit(1, 1e-12), (("batch", 4),),
               label="no rows"),
        Sample(L2Normalize(1, 0.5), (np.array([[0.0, 0.0], [0.1, 0.2], [1.0, 2.0]]),),
               _unit(1, 0.5), (("batch", 2),), label="short ones"),
    ]
)  # fmt: skip
