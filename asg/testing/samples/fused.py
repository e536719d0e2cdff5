"""Samples of fused elementwise work; the oracles are the same formulas in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.dtype import bool_, float64
from asg.core.region import Body
from asg.core.tensor import Tensor
from asg.ops.elementwise import where
from asg.ops.elementwise_unary import tanh
from asg.ops.fused import Fused
from asg.ops.leaf import input
from asg.ops.reduce import max, sum
from asg.testing.sample import Array, Sample, register_samples

Shape = tuple[int | str, ...]


def _gate(*shapes: Shape) -> Fused:
    """Operands of the full shape, a mask, a row and a number; two results and a sum of columns."""
    x, mask, row, number = (
        input(name, shape, dtype)
        for name, shape, dtype in zip("xmrn", shapes, (float64, bool_, float64, float64),
                                      strict=True)
    )  # fmt: skip
    bent = tanh(x * number + row)
    kept = where(mask, bent, 0.5 * x)
    return _of((x, mask, row, number), kept, bent * bent, sum(kept, 0))


def _gate_oracle(x: Array, mask: Array, row: Array, number: Array) -> tuple[Array, ...]:
    bent = np.tanh(x * number + row)
    kept = np.where(mask, bent, 0.5 * x)
    return kept, bent * bent, kept.sum(0)


def _extremes(*shapes: Shape) -> Fused:
    """Reductions over the last axis and over all, and no other result."""
    (x,) = (input("x", shape, float64) for shape in shapes)
    cubed = x * x * x
    return _of((x,), max(cubed, 1), sum(cubed, keepdims=True))


def _extremes_oracle(x: Array) -> tuple[Array, Array]:
    return (x**3).max(1), (x**3).sum(keepdims=True)


def _of(inputs: tuple[Tensor, ...], *outputs: Tensor) -> Fused:
    return Fused(Body.of(inputs, outputs, [f"y{i}" for i in range(len(outputs))]))


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def _sample(build: Any, oracle: Any, shapes: tuple[Shape, ...], sizes: dict[str, int]) -> Sample:
    known = [tuple(n if isinstance(n, int) else sizes[n] for n in shape) for shape in shapes]
    operands = [_numbers(*shape) for shape in known]
    if build is _gate:
        operands[1] = operands[1] > 0.0
    return Sample(build(*known), tuple(operands), oracle, shapes, build(*shapes))


def _square(x: Array) -> Array:
    return np.asarray(x * x - 1.0)


_GATE: tuple[Shape, ...] = (("batch", "n"), ("batch", "n"), ("n",), ())
_SCALAR = input("x", (), float64)
_NOTHING = (np.zeros((0, 2)), np.zeros((0, 2), np.bool_), np.ones(2), np.array(0.5))

register_samples(
    [
        _sample(_gate, _gate_oracle, _GATE, {"batch": 3, "n": 4}),
        Sample(_gate((0, 2), (0, 2), (2,), ()), _NOTHING, _gate_oracle, None, label="no elements"),
        _sample(_extremes, _extremes_oracle, (("rows", 3),), {"rows": 2}),
        Sample(_of((_SCALAR,), _SCALAR * _SCALAR - 1.0), (np.array(0.7),), _square, ((),)),
    ]
)
