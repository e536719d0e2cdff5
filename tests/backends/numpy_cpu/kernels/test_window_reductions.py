"""Reductions over windows: what their kernels ask for before they are bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import bind
from asg.backends.numpy_cpu.kernel import KERNELS
from asg.backends.numpy_cpu.kernels import window_reductions

from asg.ops.window_reductions import MaxPool


def test_memory_is_asked_for_by_the_first_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_reductions, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(window_reductions, "threads_here", lambda: 1)
    usual, bound = window_reductions._axis_by_axis, []

    def counted(*args: Any) -> Any:
        bound.append(args)
        return usual(*args)

    monkeypatch.setattr(window_reductions, "_axis_by_axis", counted)
    op = MaxPool((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))
    x, out = np.ones((8, 3, 16, 16), np.float32), np.empty((8, 3, 8, 8), np.float32)
    recorded = bind._RecordedScratch()
    KERNELS[MaxPool].bind(op, [x], [out], recorded)
    assert len(bound) == 1
    given: list[int] = []

    def scratch(shape: Sequence[int], dtype: Any, /) -> Any:
        given.append(np.empty(shape, dtype).nbytes)
        return np.empty(shape, dtype)

    KERNELS[MaxPool].bind(op, [x], [out], scratch)
    assert len(bound) == 1 + 8 and given == recorded.sizes
