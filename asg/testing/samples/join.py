"""Samples of joining, cutting, padding and mirroring."""

from __future__ import annotations

import numpy as np

from asg.core.types import as_shape
from asg.ops.join import Concat, Flip, Pad, PadCopies, Split
from asg.testing.sample import Array, Sample, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


register_samples(
    [
        Sample(Concat(0), (_numbers(2, 3), _numbers(4, 3), _numbers(1, 3)),
               lambda *xs: np.concatenate(xs), (("a", "n"), ("b", "n"), (1, "n"))),
        Sample(Concat(1), (_numbers(2, 3), _numbers(2, 1)),
               lambda *xs: np.concatenate(xs, 1), (("n", "a"), ("m", "b")),
               label="sizes that the run checks"),
        Sample(Concat(0), (_numbers(3),), np.copy, (("n",),), label="one operand"),
        Sample(Concat(0), (_numbers(0, 2), _numbers(3, 2)), lambda *xs: np.concatenate(xs),
               None),
        Sample(Concat(0), (_numbers(2), np.array([3, 4], np.int32)),
               lambda *xs: np.concatenate(xs), None, label="two dtypes"),
        Sample(Split((1, 3), 1), (_numbers(2, 4),), lambda x: (x[:, :1], x[:, 1:]),
               (("n", "m"),), Split(as_shape((1, "m - 1")), 1)),
        Sample(Split((2, 2), 0), (_numbers(4, 3),), lambda x: (x[:2], x[2:]), (("n", 3),),
               Split(as_shape(("n//2", "n//2")), 0), label="halves that the run checks"),
        Sample(Split((0, 3, 0), 0), (_numbers(3),), lambda x: (x[:0], x, x[3:]), None),
        Sample(Pad((1, 0), (2, 3), 0), (_numbers(2, 3),),
               lambda x: np.pad(x, ((1, 2), (0, 3))), (("n", "m"),)),
        Sample(Pad((2,), (1,), -1.5), (_numbers(4),),
               lambda x: np.pad(x, (2, 1), constant_values=-1.5), (("n",),),
               Pad(as_shape("n//2"), (1,), -1.5)),
        Sample(Pad((0, 1, 1), (0, 2, 0), 7), (np.arange(12, dtype=np.int32).reshape(2, 3, 2),),
               lambda x: np.pad(x, ((0, 0), (1, 2), (1, 0)), constant_values=7), None),
        Sample(Pad((), (), 0), (_numbers(),), np.copy, None),
        Sample(Pad((2,), (0,), 1), (_numbers(0),), lambda x: np.ones(2), None),
        Sample(PadCopies((1, 0), (2, 3), "reflect"), (_numbers(3, 4),),
               lambda x: np.pad(x, ((1, 2), (0, 3)), "reflect"), (("n", "m"),)),
        Sample(PadCopies((2, 1), (0, 4), "replicate"), (_numbers(2, 3),),
               lambda x: np.pad(x, ((2, 0), (1, 4)), "edge"), (("n", "m"),)),
        Sample(PadCopies((0, 3), (2, 1), "circular"), (_numbers(2, 3),),
               lambda x: np.pad(x, ((0, 2), (3, 1)), "wrap"), (("n", "m"),)),
        Sample(PadCopies((), (), "reflect"), (_numbers(),), np.copy, None),
        Sample(PadCopies((0, 1), (0, 1), "replicate"), (np.zeros((0, 2), np.int32),),
               lambda x: np.zeros((0, 4), np.int32), None),
        Sample(Flip((0, 1)), (_numbers(2, 3),), lambda x: x[::-1, ::-1], (("a", "b"),)),
        Sample(Flip((1,)), (_numbers(2, 3),), np.fliplr, (("a", "b"),)),
        Sample(Flip(()), (_numbers(),), np.copy, None),
        Sample(Flip((0,)), (_numbers(0, 2),), np.copy, None),
    ]
)  # fmt: skip
