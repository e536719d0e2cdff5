"""Calls of convolutions and pools, in one, two and three dimensions; see `test_functions`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import asg

from .function_cases import case, drawn

V = drawn(2)


def _windows(x: Any, size: tuple[int, ...], stride: int = 1) -> Any:
    """[N, C, *places, *size]."""
    axes = tuple(range(2, x.ndim))
    every = (slice(None),) * 2 + (slice(None, None, stride),) * len(axes)
    return sliding_window_view(x, size, axes)[every]


def _convolved(x: Any, w: Any, b: Any) -> Any:
    seen = _windows(x, w.shape[2:])
    spatial = x.ndim - 2
    axes = list(range(2 + spatial, 2 + 2 * spatial))
    y = np.tensordot(seen, w, ([1, *axes], list(range(1, 2 + spatial))))
    return np.moveaxis(y, -1, 1) + b.reshape(-1, *(1,) * spatial)


def _transposed(x: Any, w: Any, b: Any) -> Any:
    """Every element of x spreads its kernel."""
    sizes = [n + k - 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    y = np.zeros((x.shape[0], w.shape[1], *sizes))
    for tap in np.ndindex(*w.shape[2:]):
        part = tuple(slice(t, t + n) for t, n in zip(tap, x.shape[2:], strict=True))
        y[(slice(None), slice(None), *part)] += np.einsum("nc...,cd->nd...", x, w[(..., *tap)])
    return (y + b.reshape(-1, *(1,) * (x.ndim - 2))).astype(x.dtype)


def _reduced(function: Callable[..., Any], spatial: int) -> Callable[..., Any]:
    """Non-overlapping windows of 2 along each axis."""
    axes = tuple(range(-spatial, 0))
    return lambda x: function(_windows(x, (2,) * spatial, 2), axis=axes).astype(x.dtype)


def _first_largest(spatial: int) -> Callable[..., Any]:
    """(largest elements of windows of 2, their places in the flattened image)."""

    def value(x: Any) -> tuple[Any, Any]:
        image = np.arange(np.prod(x.shape[2:])).reshape(1, 1, *x.shape[2:])
        flat = _windows(x, (2,) * spatial, 2).reshape(*x.shape[:2], -1, 2**spatial)
        places = np.broadcast_to(image, x.shape)
        there = _windows(places, (2,) * spatial, 2).reshape(flat.shape)
        best = flat.argmax(-1)[..., None]
        shape = (*x.shape[:2], *(n // 2 for n in x.shape[2:]))
        return (
            np.take_along_axis(flat, best, -1).reshape(shape),
            np.take_along_axis(there, best, -1).reshape(shape).astype(np.int32),
        )

    return value


def _unpooled(x: Any, indices: Any) -> Any:
    spatial = x.ndim - 2
    y = np.zeros((*x.shape[:2], int(np.prod(x.shape[2:])) * 2**spatial), x.dtype)
    for n, c in product(*map(range, x.shape[:2])):
        y[n, c, indices[n, c].ravel()] = x[n, c].ravel()
    return y.reshape(*x.shape[:2], *(2 * size for size in x.shape[2:]))


for spatial, shape in ((1, (4,)), (2, (4, 2)), (3, (2, 2, 4))):
    x, names = drawn(1, 2, *shape), ("n", 2, *shape)
    w = drawn(2, 2, *(2,) * spatial)
    literal = (2, 2, *(2,) * spatial)
    case(
        f"conv{spatial}d",
        getattr(asg, f"conv{spatial}d"),
        (x, w, V),
        _convolved,
        names,
        literal,
        (2,),
    )
    case(
        f"conv_transpose{spatial}d",
        getattr(asg, f"conv_transpose{spatial}d"),
        (x, w, V),
        _transposed,
        names,
        literal,
        (2,),
    )
    for name, function in (("avg", np.mean), ("max", np.max)):
        pool = getattr(asg, f"{name}_pool{spatial}d")
        case(
            f"{name}_pool{spatial}d",
            lambda x, pool=pool: pool(x, 2),
            (x,),
            _reduced(function, spatial),
            names,
        )
        adaptive = getattr(asg, f"adaptive_{name}_pool{spatial}d")
        halves = tuple(size // 2 for size in shape)
        case(
            f"adaptive_{name}_pool{spatial}d",
            lambda x, pool=adaptive, sizes=halves: pool(x, sizes),
            (x,),
            _reduced(function, spatial),
            names,
        )
    with_places = getattr(asg, f"max_pool{spatial}d_with_indices")
    case(
        f"max_pool{spatial}d_with_indices",
        lambda x, pool=with_places: pool(x, 2),
        (x,),
        _first_largest(spatial),
        names,
    )
    adaptive = getattr(asg, f"adaptive_max_pool{spatial}d_with_indices")
    case(
        f"adaptive_max_pool{spatial}d_with_indices",
        lambda x, pool=adaptive, sizes=halves: pool(x, sizes),
        (x,),
        _first_largest(spatial),
        names,
    )
    norm = getattr(asg, f"lp_pool{spatial}d")
    case(
        f"lp_pool{spatial}d",
        lambda x, pool=norm: pool(x, 2.0, 2),
        (x,),
        lambda x, spatial=spatial: np.sqrt(_reduced(np.sum, spatial)(x * x)),
        names,
    )
    unpool, (values, indices) = getattr(asg, f"max_unpool{spatial}d"), _first_largest(spatial)(x)
    case(
        f"max_unpool{spatial}d",
        lambda x, i, pool=unpool: pool(x, i, 2),
        (values, indices),
        _unpooled,
    )
