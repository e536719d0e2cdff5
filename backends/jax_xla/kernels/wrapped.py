"""A barrier keeps XLA from computing across it."""

from __future__ import annotations

from typing import Any

from jax import lax

from asg.ops import wrapped as ops

from ..kernel import kernel


@kernel(ops.Barrier)
def barrier(op: ops.Barrier, x: Any, *after: Any) -> Any:
    return lax.optimization_barrier((x, *after))[0]  # type: ignore[no-untyped-call]
