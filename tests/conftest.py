"""Memory that a NumPy program takes holds NaN in every test: who reads before writing is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


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
