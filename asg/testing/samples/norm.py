"""Samples of normalisations with one, two and three operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.ops.norm import LayerNorm, RMSNorm
from asg.testing.sample import Array, Sample, register_samples

MATRIX = np.array([[0.3, -1.7, 2.4, 0.9], [-0.6, 1.1, -2.9, 0.2], [1.3, 0.4, -0.8, 2.2]])
BLOCK = np.sin(np.arange(24.0) * 1.7).reshape(2, 3, 4) * 2.0
WEIGHT = np.array([0.7, -1.2, 1.9, 0.4])
BIAS = np.array([0.1, 0.8, -0.3, 2.0])


def _oracle(op: LayerNorm | RMSNorm) -> Callable[..., Any]:
    def value(x: Array, *parameters: Array) -> Any:
        off = x - x.mean(op.axis, keepdims=True) if isinstance(op, LayerNorm) else x
        result = off / np.sqrt((off**2).mean(op.axis, keepdims=True) + op.eps)
        if parameters:
            result = result * parameters[0]
        return result + parameters[1] if len(parameters) > 1 else result

    return value


def _sample(op: LayerNorm | RMSNorm, *operands: Array, **facts: Any) -> Sample:
    return Sample(op, operands, _oracle(op), **facts)


register_samples(
    [
        _sample(LayerNorm((1,), 1e-5), MATRIX, symbolic=(("batch", 4),)),
        _sample(LayerNorm((1,), 1e-5), MATRIX, WEIGHT, symbolic=(("batch", "n"), ("n",))),
        _sample(LayerNorm((1,), 0.1), MATRIX, WEIGHT, BIAS, symbolic=(("batch", 4), (4,), (4,))),
        _sample(LayerNorm((1,), 0.1), MATRIX, WEIGHT, BIAS, symbolic=(("b", "n"), (4,), (4,)),
                label="sizes spelled apart"),
        _sample(LayerNorm((2,), 1e-5), BLOCK, WEIGHT, BIAS,
                symbolic=(("batch", "t", 4), (4,), (4,))),
        _sample(LayerNorm((1, 2), 1e-5), BLOCK, BLOCK[0] + 0.5, BLOCK[1],
                symbolic=(("batch", 3, 4), (3, 4), (3, 4))),
        _sample(LayerNorm((1,), 1e-5), np.empty((0, 4)), WEIGHT, BIAS,
                symbolic=(("batch", 4), (4,), (4,)), label="no rows"),
        _sample(LayerNorm((0,), 1e-2), np.array([3.0, 3.0]), symbolic=(("n",),),
                label="equal elements"),
        _sample(RMSNorm((1,), 1e-6), MATRIX, symbolic=(("batch", 4),)),
        _sample(RMSNorm((1,), 0.1), MATRIX, WEIGHT, symbolic=(("batch", "n"), ("n",))),
        _sample(RMSNorm((2,), 1e-6), BLOCK, WEIGHT, symbolic=(("batch", "t", 4), (4,))),
        _sample(RMSNorm((1, 2), 1e-6), BLOCK, BLOCK[0] + 0.5, symbolic=(("batch", 3, 4), (3, 4))),
        _sample(RMSNorm((1,), 1e-6), np.empty((0, 4)), WEIGHT, symbolic=(("batch", 4), (4,)),
                label="no rows"),
    ]
)  # fmt: skip
