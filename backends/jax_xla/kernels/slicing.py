"""Slices and their transpose, which XLA knows as a pad between and around the elements."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from asg.ops import slicing as ops

from ..kernel import kernel


@kernel(ops.Slice)
def slice_(op: Any, x: jax.Array) -> jax.Array:
    if not all(isinstance(size, int) for size in (*x.shape, *op.start, *op.stop)):
        return x[ops.python_slices(x.shape, op.start, op.stop, op.step)]
    parts = [range(size)[part] for size, part in zip(x.shape, _parts(op, x.shape), strict=True)]
    first = [min(part[0], part[-1]) if part else 0 for part in parts]
    last = [max(part[0], part[-1]) + 1 if part else 0 for part in parts]
    found = jax.lax.slice(x, first, last, [abs(part.step) for part in parts])
    backward = tuple(axis for axis, part in enumerate(parts) if part.step < 0)
    return jax.lax.rev(found, backward) if backward else found


def _parts(op: Any, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return ops.python_slices(shape, op.start, op.stop, op.step)


@kernel(ops.Unslice)
def unslice(op: Any, x: jax.Array) -> jax.Array:
    if x.size == 0:
        return jnp.zeros(op.shape, x.dtype)
    backward = tuple(axis for axis, step in enumerate(op.step) if step < 0)
    x = jax.lax.rev(x, backward)
    padding = [
        _padding(part, size) for part, size in zip(_parts(op, op.shape), op.shape, strict=True)
    ]
    return jax.lax.pad(x, jnp.zeros((), x.dtype), padding)


def _padding(part: slice, size: int) -> tuple[int, int, int]:
    """Zeros before, behind and between the elements that lie at ``part`` of an axis."""
    places = range(size)[part]
    first, last = min(places[0], places[-1]), max(places[0], places[-1])
    return first, size - 1 - last, abs(places.step) - 1


@kernel(ops.Select)
def select(op: Any, x: jax.Array) -> jax.Array:
    key: list[Any] = [slice(None)] * x.ndim
    for axis, place in zip(op.axes, op.places, strict=True):
        key[axis] = slice(place, place + 1)
    return jax.lax.squeeze(x[tuple(key)], op.axes)
