"""Sequence to sequence: what a network reads and writes while it is taught, and when it is used.

It is taught with the right answer so far ("teacher forcing"). When it is used, its own answer takes
that place, one symbol after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from asg.train.model import Model

Array = np.ndarray[Any, Any]


def taught(source: Array, target: Array, start: int) -> dict[str, Array]:
    """What is read, what was written so far (one late, after ``start``), what is to be written.

    >>> taught(np.array([[1, 2, 3]]), np.array([[3, 2, 1]]), 9)["written"].tolist()
    [[9, 3, 2]]
    """
    first = np.full((len(target), 1), start, target.dtype)
    return {
        "source": source,
        "written": np.concatenate([first, target[:, :-1]], axis=1),
        "target": target,
    }


def answers(model: Model, source: Array, start: int) -> Array:
    """What the network writes for sequences [n, length]: the likeliest symbol, again and again."""
    written = np.full((len(source), source.shape[1] + 1), start, source.dtype)
    for place in range(source.shape[1]):
        scores = model.predict(source, written[:, :-1])
        written[:, place + 1] = np.asarray(scores)[:, place].argmax(-1)
    return written[:, 1:]
