"""Random orders that are the same on every machine and with every version of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.errors import OperandError


def permutation(length: int, seed: int, stream: int) -> np.ndarray[Any, Any]:
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
    sequence = np.random.SeedSequence(require_seed(seed), spawn_key=(stream,))
    keys = np.random.Philox(sequence).random_raw(length)
    return np.argsort(keys, kind="stable")


def require_seed(seed: object) -> int:
    """``seed`` as a non-negative int, else OperandError."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise OperandError(f"a seed is a non-negative int, got {seed!r}")
    return int(seed)
