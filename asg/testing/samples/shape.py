"""Samples of the ops that give the same elements another shape."""

from __future__ import annotations

import numpy as np

from asg.core.types import Shape, as_shape
from asg.ops.diagonals import Diagonal
from asg.ops.shape import (
    AssumeShape,
    BroadcastTo,
    ExpandDims,
    PermuteDims,
    Reshape,
    Squeeze,
)
from asg.testing.sample import Array, Sample, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def _shape(*sizes: int | str) -> Shape:
    return as_shape(sizes)


register_samples(
    [
        Sample(Reshape((3, 4)), (_numbers(2, 6),), lambda x: x.reshape(3, 4), None),
        Sample(Reshape((6, 4)), (_numbers(2, 3, 4),), lambda x: x.reshape(6, 4),
               (("batch", 3, "n"),), Reshape(_shape("3*batch", "n"))),
        Sample(Reshape((4, 2)), (_numbers(8),), lambda x: x.reshape(4, 2), (("n",),),
               Reshape(_shape(4, "n//4")), label="a division that the run checks"),
        Sample(Reshape(()), (_numbers(1, 1),), lambda x: x.reshape(()), ((1, 1),)),
        Sample(Reshape((1, 1)), (_numbers(),), lambda x: x.reshape(1, 1), None),
        Sample(Reshape((0, 7)), (_numbers(3, 0),), lambda x: x.reshape(0, 7), None),
        Sample(Reshape((2, 2)), (np.array([True, False, True, True]),),
               lambda x: x.reshape(2, 2), None),
        Sample(AssumeShape((4, 3)), (_numbers(4, 3),), np.copy, (("a", "b"),),
               AssumeShape(_shape("b + 1", 3)), label="sizes spelled another way"),
        Sample(AssumeShape(()), (_numbers(),), np.copy, None),
        Sample(PermuteDims((2, 0, 1)), (_numbers(2, 3, 4),), lambda x: x.transpose(2, 0, 1),
               (("a", 3, "b"),)),
        Sample(PermuteDims((1, 0)), (_numbers(2, 3),), np.transpose, (("a", "b"),)),
        Sample(PermuteDims(()), (_numbers(),), np.copy, None),
        Sample(PermuteDims((1, 0)), (_numbers(0, 3),), np.transpose, None),
        Sample(BroadcastTo((4, 2, 3)), (_numbers(2, 1),),
               lambda x: np.broadcast_to(x, (4, 2, 3)), (("n", 1),),
               BroadcastTo(_shape("2*n", "n", 3))),
        Sample(BroadcastTo((2, 3)), (_numbers(),), lambda x: np.broadcast_to(x, (2, 3)), ((),)),
        Sample(BroadcastTo((0, 3)), (_numbers(3),), lambda x: np.broadcast_to(x, (0, 3)), None),
        Sample(BroadcastTo((2, 3)), (_numbers(2, 3),), np.copy, (("a", "b"),),
               BroadcastTo(_shape("a", "b")), label="nothing to stretch"),
        Sample(ExpandDims((0, 2)), (_numbers(2, 3),), lambda x: np.expand_dims(x, (0, 2)),
               (("a", "b"),)),
        Sample(ExpandDims((0,)), (_numbers(),), lambda x: x[None], ((),)),
        Sample(ExpandDims((1,)), (_numbers(0),), lambda x: x[:, None], None),
        Sample(ExpandDims(()), (_numbers(2),), np.copy, (("a",),)),
        Sample(Squeeze((0, 2)), (_numbers(1, 3, 1),), lambda x: x[0, :, 0], ((1, "n", 1),)),
        Sample(Squeeze((1,)), (_numbers(3, 1),), lambda x: x[:, 0], (("n", "m"),),
               label="a size that the run checks"),
        Sample(Squeeze((0,)), (_numbers(1),), lambda x: x[0].reshape(()), ((1,),)),
        Sample(Diagonal(), (_numbers(2, 3, 3),), lambda x: np.einsum("aii->ai", x),
               (("a", "n", "n"),)),
        Sample(Diagonal(), (_numbers(3, 3),), np.diagonal, (("n", "m"),)),
        Sample(Diagonal(), (_numbers(1, 1),), np.diagonal, None),
        Sample(Diagonal(), (_numbers(0, 0),), np.diagonal, None),
    ]
)  # fmt: skip
