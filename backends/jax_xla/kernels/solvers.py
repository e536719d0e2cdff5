"""Linear equations; a singular matrix gives NaN, as it does on every backend."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import linalg

from asg.ops import solvers as ops

from ..kernel import kernel


def nan_where(wrong: jax.Array, x: jax.Array) -> jax.Array:
    """``x`` with NaN in the matrices (or rows) that ``wrong`` marks along the leading axes."""
    marks = wrong.reshape(wrong.shape + (1,) * (x.ndim - wrong.ndim))
    return jnp.where(marks, jnp.asarray(jnp.nan, x.dtype), x)


def _broadcast(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    batch = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    left = jnp.broadcast_to(a, batch + a.shape[-2:])
    return left, jnp.broadcast_to(b, batch + b.shape[-2:])


def _has_zero_pivot(a: jax.Array) -> jax.Array:
    return jnp.any(jnp.diagonal(a, 0, -2, -1) == 0.0, -1)


@kernel(ops.Solve)
def solve(op: ops.Solve, a: jax.Array, b: jax.Array) -> jax.Array:
    left, right = _broadcast(a, b)
    if right.size == 0:
        return right
    factors, _, order = linalg.lu(left)
    ordered = jnp.take_along_axis(right, order[..., None], -2)
    options: dict[str, Any] = {"left_side": True}
    half = linalg.triangular_solve(factors, ordered, lower=True, unit_diagonal=True, **options)
    solved = linalg.triangular_solve(factors, half, **options)
    return nan_where(_has_zero_pivot(factors), solved)


@kernel(ops.SolveTriangular)
def solve_triangular(op: ops.SolveTriangular, a: jax.Array, b: jax.Array) -> jax.Array:
    left, right = _broadcast(a, b)
    if right.size == 0:
        return right
    solved = linalg.triangular_solve(
        left,
        right,
        left_side=True,
        lower=op.lower,
        transpose_a=op.transpose,
        unit_diagonal=op.unit_diagonal,
    )
    return solved if op.unit_diagonal else nan_where(_has_zero_pivot(left), solved)
