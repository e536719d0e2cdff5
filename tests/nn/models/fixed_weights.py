"""Weights that follow from their names, so that two implementations can be given the same."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any
from zlib import crc32

import numpy as np

Array = np.ndarray[Any, Any]


def fixed_weight(name: str, shape: tuple[int, ...]) -> Array:
    """Numbers of a usual scale for a parameter or buffer of this name (NumPy's frozen stream)."""
    random = np.random.RandomState(crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var"):
        return np.asarray(random.uniform(0.5, 1.5, shape))
    if len(shape) > 1:
        return random.standard_normal(shape) * sqrt(2 / prod(shape[1:]))
    return 0.1 * random.standard_normal(shape) + (1.0 if name.endswith("weight") else 0.0)


def fixed_images(size: int) -> Array:
    """Two images ``[2, 3, size, size]``."""
    return np.random.RandomState(0).standard_normal((2, 3, size, size))
