"""Keep freed memory in the process: on a CPU, fresh pages cost more than arithmetic.

XLA allocates the buffers of a step and frees them after it, on whichever of its threads runs the
step. By default glibc hands large freed blocks back to the kernel, which clears every page again
when the next step asks for it. With these settings the pages stay, at the price that the process
keeps its peak.

Threads have arenas of their own, but these never hold blocks over 64 MB, which programs on large
arrays ask for. One arena for all threads keeps such too: steps of a GPT and of a convolutional
network take four fifths of the time. Threads then wait for each other, which doubles the time of
steps of 0.05 ms, so small programs leave each thread its own.
"""

from __future__ import annotations

import ctypes
import logging
import platform
from functools import cache

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGEST_INT = 2**31 - 1

LARGE = 1 << 21
"""Bytes of arguments and results. Smaller programs leave each thread its own arena."""


@cache
def keep_freed_memory() -> bool:
    """Tell glibc, once, to keep freed blocks (up to 1 GiB each); False where it is not glibc."""
    # Before version 2.35 glibc refuses thresholds over 32 MiB.
    kept = any(_set(_M_MMAP_THRESHOLD, 1 << power) for power in (30, 25))
    kept = kept and _set(_M_TRIM_THRESHOLD, _LARGEST_INT)
    if not kept:
        return False
    logging.getLogger("asg.backends.jax").info(
        "glibc keeps freed memory in this process: JaxBackend(keep_freed_memory=False) leaves it"
    )
    return True


@cache
def share_memory_among_threads() -> bool:
    """Tell glibc, once, that threads to come use the memory of the first; False where it is not it.

    Threads that have allocated before keep the arenas they have; so this is called before XLA
    starts its threads.
    """
    return _set(_M_ARENA_MAX, 1)


def _set(name: int, value: int) -> bool:
    """By glibc's ``mallopt``; False where it refuses, or is another library."""
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(name, value) == 1)
