"""Large matrix products are shared by a team of threads, with BLAS on the thread that calls it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import blas, products
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.products import (
    is_faster_turned,
    keeps_blas_alone,
    shared_product,
)
from asg.backends.numpy_cpu.threads import beside_others, on_one_thread, threads_here

import asg
from asg.core.graph import Graph


@pytest.fixture(autouse=True)
def all_products_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "LEAST_SHARED", 1.0)


def matrix(rows: int, columns: int, turned: bool) -> Any:
    drawn = np.random.default_rng(rows).normal(size=(rows, columns))
    return np.asfortranarray(drawn) if turned else drawn


@pytest.mark.parametrize("turned", [(0, 0, 0), (1, 0, 0), (0, 1, 1), (1, 1, 1)])
@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("rows, columns", [(70, 33), (33, 70), (17, 16)])
def test_pieces_make_the_whole_product(
    rows: int, columns: int, threads: int, turned: tuple[bool, bool, bool]
) -> None:
    a, b = matrix(rows, 9, turned[0]), matrix(9, columns, turned[1])
    out = np.full((rows, columns), np.nan, order="F" if turned[2] else "C")
    with asg.configure(threads=threads):
        calls = shared_product(a, b, out)
        assert calls is not None
        for function, args in calls:
            function(*args)
    np.testing.assert_allclose(out, a @ b, rtol=1e-12, atol=1e-12)


def test_every_thread_gets_a_piece_of_its_own() -> None:
    a, b = np.ones((100, 8)), np.ones((8, 64))
    with asg.configure(threads=3):
        by_rows = shared_product(a, b, np.empty((100, 64)))
        by_columns = shared_product(a[:20], b, np.empty((20, 64)))
    assert by_rows is not None and by_columns is not None
    assert [part[0][1][0].shape[0] for part in by_rows[0][1][0]] == [32, 32, 36]
    assert [part[0][1][1].shape[1] for part in by_columns[0][1][0]] == [16, 16, 32]


def test_what_stays_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, out = np.ones((100, 8)), np.ones((8, 64)), np.empty((100, 64))
    with asg.configure(threads=1):
        assert shared_product(a, b, out) is None
    with asg.configure(threads=2):
        with on_one_thread():
            assert threads_here() == 1 and beside_others()
            assert shared_product(a, b, out) is None
        assert threads_here() == 2 and not beside_others()
        assert shared_product(a, b[:, 0], out[:, 0]) is None
        assert shared_product(a[:9], b[:, :9], np.empty((9, 9))) is None
        monkeypatch.setattr(products, "LEAST_SHARED", 2.0 * 100 * 64 * 8 + 1)
        assert shared_product(a, b, out) is None


def layers(solve: bool = False) -> tuple[Graph, list[Any]]:
    x, w = asg.input("x", (2, 40, 8), "float64"), asg.input("w", (8, 8), "float64")
    y = asg.tanh(x @ w) @ asg.transpose(w)
    graph = Graph.of([x, w], [asg.solve(w, y[0].T) if solve else y], ["y"])
    drawn = np.random.default_rng(0)
    return graph, [drawn.normal(size=(2, 40, 8)), drawn.normal(size=(8, 8))]


def test_blas_is_alone_while_a_step_runs_and_has_its_threads_after_it() -> None:
    library = blas.openblas()
    if library is None:
        pytest.skip("NumPy has another BLAS")
    counts: list[int] = []
    graph, inputs = layers()
    with asg.configure(threads=2):
        program, before = BACKEND.compile(graph), library.get_threads()
        program._schedule.append((lambda: counts.append(library.get_threads()), ()))
        try:
            blas.set_threads(2)
            (y,) = program(inputs)
            assert counts == [1] and library.get_threads() == 2
        finally:
            blas.set_threads(before)
    x, w = inputs
    np.testing.assert_allclose(y, np.tanh(x @ w) @ w.T, rtol=1e-12)


def test_decompositions_keep_the_threads_of_blas() -> None:
    with asg.configure(threads=2):
        assert keeps_blas_alone(layers()[0])
        assert not keeps_blas_alone(layers(solve=True)[0])
    with asg.configure(threads=1):
        assert not keeps_blas_alone(layers()[0])


def weight(columns: int, inner: int, dtype: str = "float32") -> Any:
    """As a dense layer reads it: transposed."""
    return np.ones((columns, inner), dtype).T


def faster_turned(rows: int, b: Any, order: Any = "C") -> bool:
    inner, columns = b.shape
    result: bool = is_faster_turned(
        np.ones((rows, inner), b.dtype), b, np.empty((rows, columns), b.dtype, order)
    )
    return result


@pytest.mark.parametrize(
    ("rows", "columns", "inner"),
    [(4, 512, 784), (8, 256, 256), (16, 128, 128), (48, 1500, 300), (64, 512, 784)],
)
def test_few_rows_beside_a_transposed_weight_are_multiplied_turned(
    rows: int, columns: int, inner: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "kernels", lambda: "SkylakeX")
    assert faster_turned(rows, weight(columns, inner))
    assert not faster_turned(rows, np.ascontiguousarray(weight(columns, inner)))
    assert not faster_turned(rows, weight(columns, inner), order="F")
    assert not faster_turned(rows, weight(columns, inner, "float64"))
    assert not faster_turned(128, weight(columns, inner)) and not faster_turned(1, weight(9, 9))
    monkeypatch.setattr(products, "kernels", lambda: "Haswell")
    assert not faster_turned(rows, weight(columns, inner))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(24, 160), (2, 12, 160)])
def test_a_turned_product_has_the_values_of_the_other(
    shape: tuple[int, ...], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "kernels", lambda: "SkylakeX")
    random = np.random.default_rng(0)
    x, w = (random.normal(size=size).astype(np.float32) for size in (shape, (130, 160)))
    given = asg.input("x", shape), asg.input("w", (130, 160))
    with asg.configure(threads=threads):
        run = asg.compile(asg.Graph(y=given[0] @ asg.transpose(given[1])))
        result = run(x=x, w=w)["y"]
    np.testing.assert_allclose(result, x @ w.T, rtol=1e-4, atol=1e-4)
