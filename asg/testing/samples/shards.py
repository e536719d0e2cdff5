"""Samples of bodies that run on shards; the oracles know nothing of shards."""

from __future__ import annotations

import numpy as np

from asg.core.dtype import float64
from asg.core.region import Body, body_input
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.elementwise_unary import sqrt, tanh
from asg.ops.shards import SUM, WHOLE, AllReduceSum, Place, ShardMap
from asg.testing.sample import Array, Sample, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def _leaf(name: str, *shape: int) -> Tensor:
    return body_input(name, TensorType.of(float64, shape))


def _layer(shards: int, rows: int) -> ShardMap:
    """A layer on rows, the sum of what it gives, and the largest of the weights."""
    x, w = _leaf("x", rows // shards, 3), _leaf("w", 3, 2)
    y = tanh(x @ w)
    body = Body.of([x, w], [y, y.sum(0), w.max()], ["y", "total", "largest"])
    return ShardMap(body, shards, (0, WHOLE), (0, SUM, WHOLE))


def _layer_oracle(x: Array, w: Array) -> tuple[Array, Array, Array]:
    y = np.tanh(x @ w)
    return y, y.sum(0), w.max()


def _standardised(shards: int) -> ShardMap:
    """Columns less their mean, by their root mean square: two meetings, and a whole result."""
    x = _leaf("x", 6 // shards, 3)
    add = AllReduceSum(shards)
    centred = x - add(x.sum(0)) / 6.0
    square = add((centred * centred).sum(0)) / 6.0
    body = Body.of([x], [centred / sqrt(square), square], ["y", "square"])
    return ShardMap(body, shards, (0,), (0, WHOLE))


def _standardised_oracle(x: Array) -> tuple[Array, Array]:
    return (x - x.mean(0)) / x.std(0), x.var(0)


def _columns(place: Place) -> ShardMap:
    """Cut along the last axis, joined along another one or added."""
    x = _leaf("x", 2, 2)
    return ShardMap(Body.of([x], [(x * x).T], ["y"]), 3, (1,), (place,))


register_samples(
    [
        Sample(_layer(2, 4), (_numbers(4, 3), _numbers(3, 2)), _layer_oracle, None,
               label="a layer"),
        Sample(_layer(1, 4), (_numbers(4, 3), _numbers(3, 2)), _layer_oracle, None,
               label="one shard"),
        Sample(_standardised(3), (_numbers(6, 3),), _standardised_oracle, None, label="meetings"),
        Sample(_standardised(1), (_numbers(6, 3),), _standardised_oracle, None,
               label="meetings of one"),
        Sample(AllReduceSum(3), (_numbers(2, 3),), lambda x: 3.0 * x, (("n", 3),)),
        Sample(AllReduceSum(2), (np.arange(4),), lambda x: 2 * x, None, label="integers"),
        Sample(_columns(0), (_numbers(2, 6),), lambda x: (x * x).T, None, label="columns"),
        Sample(_columns(SUM), (_numbers(2, 6),),
               lambda x: (x * x).T.reshape(3, 2, 2).sum(0), None, label="a sum of columns"),
    ]
)  # fmt: skip
