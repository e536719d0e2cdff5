"""Keep freed memory in the process: on a CPU, fresh pages cost more than arithmetic.

XLA allocates the buffers of a step and frees them after it, on whichever of its threads runs the
step. By default glibc hands large freed blocks back to the kernel, which clears every page again
when the next step asks for it. With these settings the pages stay, and all threads share them, at
the price that the process keeps its peak.
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


@cache
def keep_freed_memory() -> bool:
    """Tell glibc, once, to keep freed blocks (up to 1 GiB each); False where it is not glibc.

    Threads that have allocated before keep the arenas they have, and those give back more; so
    this is called before XLA starts its threads.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # Before version 2.35 glibc refuses thresholds over 32 MiB.
    kept = any(mallopt(_M_MMAP_THRESHOLD, 1 << power) == 1 for power in (30, 25))
    settings = ((_M_TRIM_THRESHOLD, _LARGEST_INT), (_M_ARENA_MAX, 1))
    kept = kept and all([mallopt(name, value) == 1 for name, value in settings])
    logging.getLogger("asg.backends.jax").info(
        "glibc keeps freed memory in this process: JaxBackend(keep_freed_memory=False) leaves it"
    )
    return kept
