"""Freed memory stays in the process, so that the next step needs no fresh pages."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest
from asg.backends.jax_xla import backend, heap

from tests.backends.jax_xla.programs import graph, tensor

ROOT = Path(__file__).resolve().parents[3]

FAULTS = """
import resource, sys
import numpy as np
import asg
from asg.backends.jax_xla.heap import keep_freed_memory

def faults():
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        block = np.empty(48 << 20, np.uint8)
        block[::4096] = 1
        del block
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start

before = faults()
assert keep_freed_memory()
faults()
print(before, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is one of glibc")
def test_pages_are_kept() -> None:
    command = [sys.executable, "-c", FAULTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after * 10 < before


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    assert heap.keep_freed_memory.__wrapped__() is False
    assert heap.share_memory_among_threads.__wrapped__() is False


def test_a_backend_may_leave_the_allocator_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(backend, "keep_freed_memory", lambda: called.append(1))
    x = tensor("x")
    for keep in (False, True):
        chosen = backend.JaxBackend(keep_freed_memory=keep)
        chosen.supports(x.node.op, ())
        assert len(called) == keep
        chosen.compile(graph([x], [x]))
        assert len(called) == 2 * keep


def test_only_large_programs_share_memory_among_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(backend, "share_memory_among_threads", lambda: called.append(1))
    small, large = tensor("x", (1000,)), tensor("x", (1 << 20,))
    backend.JaxBackend().compile(graph([small], [small]))
    backend.JaxBackend(keep_freed_memory=False).compile(graph([large], [large]))
    assert not called
    backend.JaxBackend().compile(graph([large], [large]))
    assert called
