"""Samples of resampling, against formulas evaluated element by element."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from asg.ops.resampling import GridSample, Resize
from asg.testing.sample import Array, Sample, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def _tent(x: Array, size: int, align: bool) -> Array:
    """Linear interpolation along the last axis by `np.interp`."""
    n = x.shape[-1]
    at = np.arange(size) * (n - 1) / max(size - 1, 1)
    if not align:
        at = (np.arange(size) + 0.5) * n / size - 0.5
    rows = [np.interp(at, np.arange(n), row) for row in x.reshape(-1, n)]
    return np.array(rows).reshape(*x.shape[:-1], size)


def _bilinear(x: Array) -> Array:
    """From any size to [5, 2], corners aligned."""
    return np.swapaxes(_tent(np.swapaxes(_tent(x, 2, True), 2, 3), 5, True), 2, 3)


def _cubic(x: Array) -> Array:
    """Twice the size: the weights at a quarter, in 256ths, from Keys' formula with -0.75."""
    quarter = np.array([-27.0, 225.0, 67.0, -9.0]) / 256
    wide = np.concatenate([x[..., :1]] * 2 + [x] + [x[..., -1:]] * 2, -1)
    result = np.zeros((*x.shape[:-1], 2 * x.shape[-1]))
    for i in range(x.shape[-1]):
        result[..., 2 * i + 1] = wide[..., i + 1 : i + 5] @ quarter
        result[..., 2 * i] = wide[..., i : i + 4] @ quarter[::-1]
    return result


def _sampled(padding: str, nearest: bool = False) -> Callable[..., Any]:
    """Place by place, with aligned corners, as a sum over all pixels of x."""

    def value(x: Array, grid: Array) -> Array:
        result = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
        for n, *place in np.ndindex(*grid.shape[:-1]):
            at = [
                (c + 1) / 2 * (s - 1)
                for c, s in zip(grid[(n, *place)][::-1], x.shape[2:], strict=True)
            ]
            if padding == "border":
                at = [min(max(a, 0.0), s - 1) for a, s in zip(at, x.shape[2:], strict=True)]
            for pixel in product(*map(range, x.shape[2:])):
                far = [abs(a - p) for a, p in zip(at, pixel, strict=True)]
                share = [float(d < 0.5) if nearest else max(0.0, 1 - d) for d in far]
                result[(n, slice(None), *place)] += x[(n, slice(None), *pixel)] * np.prod(share)
        return result

    return value


def _cubically(padding: str) -> Callable[..., Any]:
    """[N, C, W] place by place, from the powers of Keys' kernel; corners aligned."""

    def value(x: Array, grid: Array) -> Array:
        result = np.zeros((*x.shape[:2], grid.shape[1]))
        for n, p in np.ndindex(*grid.shape[:2]):
            at = (grid[n, p, 0] + 1) / 2 * (x.shape[2] - 1)
            for pixel in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
                d = abs(at - pixel)
                near, far = 1.25 * d**3 - 2.25 * d**2 + 1, -0.75 * (d**3 - 5 * d**2 + 8 * d - 4)
                inside = min(max(pixel, 0), x.shape[2] - 1)
                if padding == "border" or inside == pixel:
                    result[n, :, p] += x[n, :, inside] * (near if d <= 1 else far)
        return result

    return value


GRID = np.random.default_rng(7).uniform(-1.3, 1.3, size=(2, 3, 2, 2))

register_samples(
    [
        Sample(Resize((4,), "nearest"), (np.arange(6, dtype=np.int32).reshape(1, 2, 3),),
               lambda x: x[:, :, [0, 0, 1, 2]], None),
        Sample(Resize((2,), "nearest-exact"), (_numbers(2, 1, 5),), lambda x: x[:, :, [1, 3]],
               (("n", "c", 5),)),
        Sample(Resize((5, 2), "linear", True), (_numbers(1, 2, 3, 4)[..., :3],),
               _bilinear, (("n", 2, 3, 3),)),
        Sample(Resize((7,), "linear"), (_numbers(2, 1, 3),), lambda x: _tent(x, 7, False),
               (("n", "c", 3),)),
        Sample(Resize((6,), "cubic", False, (2.0,)), (_numbers(2, 1, 3),), _cubic,
               (("n", "c", 3),)),
        Sample(Resize((2,), "linear"), (np.zeros((0, 1, 3)),), lambda x: np.zeros((0, 1, 2)), None),
        Sample(GridSample("linear", "zeros", True), (_numbers(2, 2, 3, 4), GRID),
               _sampled("zeros"), (("n", "c", "h", "w"), ("n", "a", "b", 2))),
        Sample(GridSample("linear", "border", True), (_numbers(2, 1, 3, 4), GRID),
               _sampled("border"), (("n", 1, 3, 4), ("n", "a", 2, 2))),
        Sample(GridSample("nearest", "zeros", True), (_numbers(2, 1, 3, 4), GRID),
               _sampled("zeros", True), None),
        Sample(GridSample("cubic", "border", True), (_numbers(2, 1, 5), GRID[:, :, 0, :1]),
               _cubically("border"), (("n", "c", "w"), ("n", "a", 1))),
        Sample(GridSample("cubic", "zeros", True), (_numbers(2, 1, 5), GRID[:, :, 0, :1]),
               _cubically("zeros"), None),
        Sample(GridSample("cubic", "reflection"), (_numbers(2, 1, 3, 4)[:1], GRID[:1, :2, :1]),
               None, (("n", 1, "h", 4), ("n", "a", 1, 2))),
        Sample(GridSample("linear", "reflection"), (_numbers(2, 1, 3, 4), GRID), None,
               (("n", 1, "h", 4), ("n", "a", 2, 2))),
    ]
)  # fmt: skip
