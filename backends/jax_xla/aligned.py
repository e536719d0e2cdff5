"""Operands as the primitives of `jax.lax` take them, which are traced in a third of jnp's time.

A function of `jax.numpy` is a jitted program of its own for every call of it that is traced: of a
network with a thousand nodes, tracing them takes as long as the passes of asg.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax


def aligned(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """Arrays of one rank, scalars left alone: the primitives stretch those, and axes of size 1."""
    ranks = {array.ndim for array in arrays if array.ndim}
    if len(ranks) < 2:
        return arrays
    rank = max(ranks)
    return tuple([_of_rank(array, rank) for array in arrays])


def _of_rank(array: jax.Array, rank: int) -> jax.Array:
    missing = rank - array.ndim
    return lax.expand_dims(array, range(missing)) if array.ndim and missing else array


def stretched(array: jax.Array, shape: Sequence[Any]) -> jax.Array:
    """An array broadcast to a shape, axes aligned at the end."""
    if array.shape == tuple(shape):
        return array
    missing = len(shape) - array.ndim
    pairs = zip(array.shape, shape[missing:], strict=True)
    stretching = [axis for axis, (size, wanted) in enumerate(pairs) if size != wanted]
    kept = [axis for axis in range(array.ndim) if axis not in stretching]
    plain = lax.squeeze(array, stretching) if stretching else array
    return lax.broadcast_in_dim(plain, tuple(shape), [missing + axis for axis in kept])


def filled(value: Any, dtype: np.dtype[Any], shape: Sequence[Any]) -> jax.Array:
    """An array of one number."""
    array: jax.Array = lax.broadcast_in_dim(np.asarray(value, dtype), tuple(shape), ())
    return array


def chosen(condition: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    """``where(condition, x, y)`` of a condition of bools and values of one dtype."""
    shape = lax.broadcast_shapes(condition.shape, x.shape, y.shape)
    return lax.select(*(stretched(array, shape) for array in (condition, x, y)))


def each_aligned(function: Callable[..., Any]) -> Callable[..., jax.Array]:
    """A primitive of several operands that broadcast."""

    def of_operands(*arrays: jax.Array) -> jax.Array:
        result: jax.Array = function(*aligned(*arrays))
        return result

    return of_operands
