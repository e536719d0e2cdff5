"""Random orders that are the same on every machine and with every version of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.errors import OperandError

Array = np.ndarray[Any, Any]


def permutation(length: int, seed: int, stream: int) -> Array:
    """A random order of ``range(length)``, a pure function of its arguments.

    Different ``stream`` numbers of one seed give independent orders. The order is that of random
    64-bit keys, because NumPy promises the same bits for ever (Philox), but not the same
    `Generator.permutation` (NEP 19, https://numpy.org/neps/nep-0019-rng-policy.html).

    Args:
        length: how many.
        seed: a non-negative int.
        stream: a non-negative int, the number of the epoch for instance.

    >>> permutation(5, seed=0, stream=1).tolist() == permutation(5, seed=0, stream=1).tolist()
    True
    >>> sorted(permutation(5, seed=0, stream=2).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(_bits(length, seed, stream), kind="stable")


def uniform(count: int, seed: int, *stream: int) -> Array:
    """``count`` float64 numbers in (0, 1), neither end included, a pure function of the arguments.

    >>> uniform(3, 0, 1).tolist() == uniform(4, 0, 1)[:3].tolist()
    True
    """
    return ((_bits(count, seed, *stream) >> np.uint64(11)) + 0.5) * 2.0**-53


def stratified_order(labels: Array, seed: int, stream: int) -> Array:
    """A random order in which every run of examples has the classes' shares of the whole.

    Member ``k`` of the ``n`` of a class stands at the place ``(k + u) / n`` of the unit interval,
    with one random ``u`` for each class, and the order is that of the places.

    >>> labels = np.array([0] * 6 + [1] * 2)
    >>> order = stratified_order(labels, seed=0, stream=1)
    >>> labels[order[:4]].sum(), labels[order[4:]].sum()
    (np.int64(1), np.int64(1))
    """
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = permutation(len(labels), seed, stream)
    grouped = order[np.argsort(classes[order], kind="stable")]
    group = classes[grouped]
    rank = np.arange(len(labels)) - (np.cumsum(counts) - counts)[group]
    places = (rank + uniform(len(counts), seed, stream, 1)[group]) / counts[group]
    return grouped[np.argsort(places, kind="stable")]


def require_seed(seed: object) -> int:
    """``seed`` as a non-negative int, else OperandError."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise OperandError(f"a seed is a non-negative int, got {seed!r}")
    return int(seed)


def _bits(count: int, seed: int, *stream: int) -> Array:
    sequence = np.random.SeedSequence(require_seed(seed), spawn_key=stream)
    return np.random.Philox(sequence).random_raw(count)
