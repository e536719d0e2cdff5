"""Samples of sequence losses: every spelling enumerated, short steps, empty targets."""

from __future__ import annotations

from itertools import groupby, product
from typing import Any

import numpy as np

from asg.ops.sequences import CtcLoss
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples

SCORES = np.sin(np.arange(24.0) * 1.7 + 0.4).reshape(4, 2, 3)
LOGARITHMS = SCORES - np.log(np.exp(SCORES).sum(-1, keepdims=True))
SHAPES: tuple[SymbolicShape, ...] = (("t", "n", 3), ("n", "s"), ("n",), ("n",))


def _enumerated(blank: int) -> Any:
    """The probabilities of all paths that collapse to the target."""

    def value(x: Array, target: Array, steps: Array, lengths: Array) -> Any:
        result = np.empty(x.shape[1], x.dtype)
        for n in range(x.shape[1]):
            wanted, total = list(target[n, : lengths[n]]), 0.0
            for path in product(range(x.shape[2]), repeat=int(steps[n])):
                if [label for label, _ in groupby(path) if label != blank] == wanted:
                    total += np.exp(sum(float(x[t, n, label]) for t, label in enumerate(path)))
            result[n] = -np.log(total) if total else np.inf
        return result

    return value


def _sample(blank: int, target: Any, steps: Any, lengths: Any, **facts: Any) -> Sample:
    arrays = (np.array(target), np.array(steps), np.array(lengths))
    return Sample(CtcLoss(blank), (LOGARITHMS, *arrays), _enumerated(blank), **facts)


register_samples(
    [
        _sample(0, [[1, 2], [2, 2]], [4, 3], [2, 2], symbolic=SHAPES),
        _sample(2, [[1, -1], [5, 7]], [3, 4], [1, 0],
                symbolic=(("t", 2, 3), (2, "s"), (2,), ("n",)),
                label="padded"),
        _sample(0, [[1, 1], [1, 2]], [2, 0], [2, 1], symbolic=SHAPES, differentiate=(),
                label="does not fit"),
    ]
)  # fmt: skip
