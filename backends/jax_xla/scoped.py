"""The JAX settings that our programs are traced, compiled and fed under.

All are set for the current thread and for the length of a ``with`` block, so that whatever the
user configured for their own JAX code neither changes our programs nor is changed by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import jax

from asg.core.errors import ConfigError


@contextmanager
def tracing(wide: bool, matmul_precision: str) -> Iterator[None]:
    """Settings to trace, lower and compile under; ``wide`` admits 64-bit dtypes."""
    with ExitStack() as stack:
        stack.enter_context(jax.enable_x64(wide))
        stack.enter_context(jax.default_matmul_precision(matmul_precision))
        stack.enter_context(jax.numpy_dtype_promotion("standard"))
        stack.enter_context(jax.numpy_rank_promotion("allow"))
        stack.enter_context(jax.disable_jit(False))
        stack.enter_context(jax.transfer_guard("allow"))  # constants go to the device
        yield


def check_matmul_precision(name: str) -> None:
    """ConfigError when JAX does not know the precision ``name``."""
    try:
        with jax.default_matmul_precision(name):
            pass
    except ValueError as error:
        raise ConfigError(f"matmul_precision={name!r}: {error}") from None
