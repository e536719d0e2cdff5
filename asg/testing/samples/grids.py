"""Samples of grids of coordinates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asg.ops.grids import AffineGrid
from asg.testing.sample import Array, Sample, register_samples


def _mapped(sizes: tuple[int, ...], align: bool) -> Callable[[Array], Array]:
    """Pixel by pixel."""

    def value(theta: Array) -> Array:
        result = np.zeros((theta.shape[0], *sizes, len(sizes)))
        for pixel in np.ndindex(*sizes):
            place = [
                (2 * i / (size - 1) - 1 if size > 1 else 0.0) if align else (2 * i + 1) / size - 1
                for i, size in zip(pixel, sizes, strict=True)
            ]
            result[(slice(None), *pixel)] = theta @ np.array([*reversed(place), 1.0])
        return result

    return value


THETA = np.sin(np.arange(24.0) * 1.3).reshape(2, 3, 4)

register_samples(
    [
        Sample(AffineGrid((2, 3)), (THETA[:, :2, :3],), _mapped((2, 3), False), (("n", 2, 3),)),
        Sample(AffineGrid((3, 1), True), (THETA[:1, :2, :3],), _mapped((3, 1), True), None),
        Sample(AffineGrid((2, 3, 2), True), (THETA,), _mapped((2, 3, 2), True), (("n", 3, 4),)),
    ]
)  # fmt: skip
