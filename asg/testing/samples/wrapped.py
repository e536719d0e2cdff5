"""Samples of checkpoints, functions with their own gradient, and barriers."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.dtype import float64
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.ops.elementwise_unary import exp, sin, tanh
from asg.ops.leaf import input
from asg.ops.wrapped import Barrier, checkpoint, custom_vjp
from asg.testing.sample import Array, Sample, register_samples


def _op(build: Any, *shapes: tuple[int | str, ...]) -> Op:
    """The op that ``build`` applies last, called with one float64 input for each shape."""
    result: Any = build(*[input(f"x{i}", shape, float64) for i, shape in enumerate(shapes)])
    tensor: Tensor = result[0] if isinstance(result, tuple) else result
    return tensor.node.op


_layer = checkpoint(lambda x, w: tanh(tanh(x @ w) @ w))
_pair = checkpoint(lambda x: (sin(x) * x, exp(x)))
_product = custom_vjp(
    lambda x, y: x * y, lambda operands, _, dy: [dy[0] * operands[1], dy[0] * operands[0]]
)


def _two_layers(x: Array, w: Array) -> Array:
    return np.asarray(np.tanh(np.tanh(x @ w) @ w))


X = np.random.default_rng(0).standard_normal((4, 3))
W = np.random.default_rng(1).standard_normal((3, 3)) * 0.5

register_samples(
    [
        Sample(_op(_layer, (4, 3), (3, 3)), (X, W), _two_layers, (("batch", 3), (3, 3)),
               symbolic_op=_op(_layer, ("batch", 3), (3, 3))),
        Sample(_op(_pair, (4, 3)), (X,), lambda x: (np.sin(x) * x, np.exp(x)), None),
        Sample(_op(_layer, (0, 3), (3, 3)), (X[:0], W), _two_layers, None),
        Sample(_op(_product, (4, 3), (4, 3)), (X, X * 0.5 + 1.0), lambda x, y: x * y,
               (("batch", 3), ("batch", 3)),
               symbolic_op=_op(_product, ("batch", 3), ("batch", 3))),
        Sample(_op(_product, (), ()), (X[0, 0], X[0, 1]), lambda x, y: x * y, None),
        Sample(Barrier(), (X, W), lambda x, after: x, (("batch", 3), (3, 3)), differentiate=(0,)),
        Sample(Barrier(), (X[0, 0],), lambda x: x, None),
        Sample(Barrier(), (X[:0],), lambda x: x, None),
    ]
)  # fmt: skip
