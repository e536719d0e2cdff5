"""Powers, logarithms, signs and neighbours of floats."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from asg.core.op import Op
from asg.ops import floats as ops

from ..kernel import kernel

FUNCTIONS: dict[type[Op], Callable[..., jax.Array]] = {
    ops.Exp2: jnp.exp2,
    ops.Log10: jnp.log10,
    ops.Cbrt: jnp.cbrt,
    ops.Signbit: jnp.signbit,
    ops.Nextafter: jnp.nextafter,
}


@kernel(*FUNCTIONS)
def elementwise(op: Op, *operands: jax.Array) -> jax.Array:
    return FUNCTIONS[type(op)](*operands)
