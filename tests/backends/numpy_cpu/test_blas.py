"""The OpenBLAS under NumPy is found, and its threads and kernels are chosen."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from asg.backends.numpy_cpu import blas
from asg.backends.numpy_cpu.backend import NumpyBackend

from asg.config import configure
from tests.backends.numpy_cpu.programs import program, state

ROOT = Path(__file__).resolve().parents[3]
needs_openblas = pytest.mark.skipif(blas.openblas() is None, reason="NumPy has another BLAS")

EXCHANGE = """
import logging, os, sys
import numpy as np
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
from asg.backends.numpy_cpu import blas
a, b = np.random.default_rng(0).normal(size=(2, 300, 300)).astype(np.float32)
before, first = blas.kernels(), a @ b
del os.environ["OPENBLAS_CORETYPE"]
print(before, blas.use_best_kernels(), blas.kernels(), "OPENBLAS_CORETYPE" in os.environ)
print(np.allclose(a @ b, first, rtol=1e-4, atol=1e-4), np.array_equal(a @ b, first))
"""


@needs_openblas
@pytest.mark.skipif(not blas.processor_features() >= blas.AVX512, reason="no AVX-512 here")
def test_kernels_for_an_older_processor_are_exchanged_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXCHANGE], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "OPENBLAS_CORETYPE": "Haswell"},
    )  # fmt: skip
    told, state, equal = done.stdout.strip().split("\n")
    assert told.startswith("OpenBLAS uses its AVX-512 kernels in this process, not those for Has")
    assert "configure(blas_kernels='library')" in told
    assert state == "Haswell True SkylakeX False"
    assert equal == "True False"  # other kernels, other roundings


@needs_openblas
def test_single_threaded_blocks_nest_and_end() -> None:
    library = blas.openblas()
    assert library is not None
    before = library.get_threads()
    try:
        blas.set_threads(2)
        with blas.single_threaded():
            assert library.get_threads() == 1
            with pytest.raises(KeyError), blas.single_threaded():
                raise KeyError
            assert library.get_threads() == 1
        assert library.get_threads() == 2
    finally:
        blas.set_threads(before)


@needs_openblas
def test_known_processors_and_a_choice_of_the_user_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    library = blas.openblas()
    chosen: list[tuple[object, str]] = []

    def choose(self: blas.OpenBlas, processor: str) -> bool:
        chosen.append((self, processor))
        return True

    monkeypatch.setattr(blas.OpenBlas, "choose_kernels", choose)
    use = blas.use_best_kernels.__wrapped__
    monkeypatch.setattr(blas.OpenBlas, "kernels", lambda self: "Haswell")
    monkeypatch.setattr(blas, "processor_features", lambda: blas.AVX512 - {"avx512vl"})
    with caplog.at_level(logging.DEBUG, "asg.backends.numpy"):
        assert not use()
    assert "OpenBLAS keeps its kernels for Haswell" in caplog.text
    monkeypatch.setattr(blas, "processor_features", lambda: blas.AVX512 | {"fma"})
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert not use()
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    monkeypatch.setattr(blas.OpenBlas, "kernels", lambda self: "Sapphirerapids")
    assert not use() and not chosen
    monkeypatch.setattr(blas.OpenBlas, "kernels", lambda self: "Zen")
    assert use() and chosen == [(library, "SkylakeX")]


def test_without_openblas_nothing_happens_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(blas, "_bundled", lambda: iter(["/no/such/libopenblas.so"]))
    monkeypatch.setattr(blas, "_loaded", list)
    with caplog.at_level(logging.DEBUG, "asg.backends.numpy"):
        assert blas.openblas.__wrapped__() is None
    assert "no OpenBLAS" in caplog.text
    monkeypatch.setattr(blas, "openblas", lambda: None)
    assert blas.kernels() is None and not blas.use_best_kernels.__wrapped__()
    blas.set_threads(3)
    with blas.single_threaded():
        pass


def test_a_library_that_is_no_openblas_is_refused() -> None:
    import _ctypes

    with pytest.raises(AttributeError, match="has no function openblas_get_num_threads"):
        blas.OpenBlas(_ctypes.__file__)


def test_the_first_program_chooses_unless_the_setting_forbids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[int] = []
    monkeypatch.setattr("asg.backends.numpy_cpu.backend.use_best_kernels", lambda: called.append(1))
    graph = program([], [], [state("x", (2,))])
    with configure(blas_kernels="library"):
        NumpyBackend().compile(graph)
    assert not called
    NumpyBackend().compile(graph)
    assert called
