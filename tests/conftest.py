"""What holds in every test.

Memory that a NumPy program takes holds NaN: who reads before writing is found. Nothing that is
compiled is kept on disk, in processes that tests start neither: passes run, no file is left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ["ASG_COMPILE_CACHE"] = "off"


@pytest.fixture(autouse=True, scope="session")
def poisoned_memory() -> Iterator[None]:
    """All bits set is NaN in every floating dtype, and -1 or the largest number in others."""
    from asg.backends.numpy_cpu import bind

    plain = bind.aligned_memory

    def poisoned(nbytes: int) -> Any:
        memory = plain(nbytes)
        if not bind.only_planning():
            memory[...] = 0xFF
        return memory

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bind, "aligned_memory", poisoned)
        yield
