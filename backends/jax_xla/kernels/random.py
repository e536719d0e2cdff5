"""Random bits and keys, by JAX's own threefry cipher on explicit counters.

The counters are written out here because they are part of what the ops mean: the numbers do not
follow JAX's setting ``jax_threefry_partitionable``.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.random import threefry2x32_p

from asg.core.errors import UnsupportedOp
from asg.ops import random as ops

from ..kernel import kernel

Pair = tuple[jax.Array, jax.Array]

MOST_WORDS = 2**32
"""Of one key: they are counted by 32 bits."""


def _cipher(key: jax.Array, high: jax.Array, low: jax.Array) -> Pair:
    first, second = threefry2x32_p.bind(key[0], key[1], high, low)  # type: ignore[no-untyped-call]
    return first, second


def _cipher_counts(key: jax.Array, count: int) -> Pair:
    """The ciphers of 0, 1, ..., count - 1."""
    if isinstance(count, int) and count > MOST_WORDS:  # else it is a claim of what is exported
        raise UnsupportedOp(
            f"{count} random words of one key; on jax at most 2**32: split the key, draw in parts"
        )
    low = jax.lax.iota(jnp.uint32, count)
    return _cipher(key, jnp.zeros_like(low), low)


@kernel(ops.RandomBits)
def random_bits(op: ops.RandomBits, key: jax.Array) -> jax.Array:
    shape: Any = op.shape
    first, second = _cipher_counts(key, math.prod(shape))
    if op.dtype.itemsize == 8:
        joined = jnp.left_shift(first.astype(jnp.uint64), 32) | second.astype(jnp.uint64)
        return joined.reshape(shape)
    return (first ^ second).astype(op.dtype.numpy).reshape(shape)


@kernel(ops.SplitKey)
def split_key(op: ops.SplitKey, key: jax.Array) -> jax.Array:
    return jnp.stack(_cipher_counts(key, op.count), 1)


@kernel(ops.FoldIn)
def fold_in(op: ops.FoldIn, key: jax.Array, data: jax.Array) -> jax.Array:
    return jnp.stack(_cipher(key, jnp.zeros_like(data), data))
