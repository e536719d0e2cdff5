"""Large matrix products are shared by a team of threads, with BLAS on the thread that calls it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import batch_convolution, blas, products
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.products import (
    is_faster_turned,
    keeps_blas_alone,
    most_parts_of_sum,
    parts_of_sum,
    products_of,
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


# -- slender products ------------------------------------------------------------------------------


@pytest.fixture
def little_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cuts products of a few hundred multiplications already."""
    monkeypatch.setattr(products, "kernels", lambda: "SkylakeX")
    monkeypatch.setattr(products, "SMALL", 300)
    monkeypatch.setattr(products, "SMALL_STEP", 4)
    monkeypatch.setattr(products, "SMALL_LEAST", 4)
    monkeypatch.setattr(products, "LONG", 4)


def lying(shape: tuple[int, ...], turned: bool, gaps: bool, dtype: str) -> Any:
    """Random numbers that lie turned, or with gaps between the rows, or both."""
    whole = list(shape[:-2]) + [size + 3 * gaps for size in shape[-2:]]
    if turned:
        whole[-2:] = whole[:-3:-1]
    drawn = np.random.default_rng(sum(shape)).normal(size=whole).astype(dtype)
    array = drawn.swapaxes(-1, -2) if turned else drawn
    return array[..., : shape[-2], : shape[-1]]


def cut_and_run(a: Any, b: Any, out: Any, shared: bool = True) -> int:
    """How many small products there were; their results are those of the whole."""
    calls = products_of(a, b, out, shared)
    out[...] = np.nan
    for function, args in calls:
        function(*args)
    tolerance = 1e-4 if out.dtype == np.float32 else 1e-11
    np.testing.assert_allclose(out, np.matmul(a, b), rtol=tolerance, atol=tolerance)
    return sum(int(np.prod(args[2].shape[:-2], dtype=int)) for _, args in calls)


@pytest.mark.usefixtures("little_is_small")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("turned", [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 1), (0, 0, 1)])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("rows, columns", [(3, 41), (41, 3), (4, 64), (5, 5), (18, 8)])
def test_small_products_make_the_whole(
    rows: int, columns: int, gaps: bool, turned: tuple[bool, bool, bool], dtype: str
) -> None:
    a, b = lying((rows, 9), turned[0], gaps, dtype), lying((9, columns), turned[1], gaps, dtype)
    out = lying((rows, columns), turned[2], gaps, dtype)
    count = cut_and_run(a, b, out)
    if not (turned[1] or turned[2]):
        assert (count > 1) == (rows * columns * 9 > 300)


@pytest.mark.usefixtures("little_is_small")
def test_small_products_of_stacks_and_of_one_factor_for_all() -> None:
    b, out = lying((2, 3, 9, 41), False, False, "float64"), np.empty((2, 3, 4, 41))
    assert cut_and_run(lying((3, 4, 9), False, False, "float64"), b, out) > 2
    assert cut_and_run(lying((1, 4, 9), False, False, "float64"), b, out) > 2


@pytest.mark.usefixtures("little_is_small")
def test_what_is_left_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "SMALL", 1000)
    a, b, out = np.ones((20, 9)), np.ones((9, 64)), np.empty((20, 64))
    assert cut_and_run(a, b, out) > 1
    with asg.configure(threads=2):
        assert cut_and_run(a, b, out, shared=False) == 1  # two threads of BLAS are as fast
        assert cut_and_run(a[:4], b, out[:4], shared=False) > 1
    with asg.configure(threads=1):
        assert cut_and_run(a, b, out, shared=False) > 1
    wide = np.ones((25, 9)), b, np.empty((25, 64))
    assert cut_and_run(*wide) == 1
    one, other, result = (each.astype(np.float32) for each in wide)
    assert cut_and_run(one, other, result) > 1
    monkeypatch.setattr(products, "SMALL_LEAST", 8)
    assert cut_and_run(a, b, out) == 1  # 1000 // (20 * 9) columns each
    monkeypatch.setattr(products, "kernels", lambda: "Haswell")
    assert cut_and_run(a[:4], b, out[:4]) == 1


def test_operands_with_gaps_are_not_copied() -> None:
    """As `np.dot` does."""
    gaps = np.ones((40, 50))[:, :40]
    for a, function in ((gaps, np.matmul), (gaps.copy(), np.dot), (gaps.copy().T, np.dot)):
        ((found, _),) = products_of(a, np.ones((40, 40)), np.empty((40, 40)))
        assert found is function


# -- long sums -------------------------------------------------------------------------------------


def test_long_sums_are_cut_into_equal_small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "kernels", lambda: "SkylakeX")
    single = np.dtype(np.float32)
    assert parts_of_sum(27, 4096, 32, single) == 4
    assert parts_of_sum(27, 1152, 32, single) == 1  # small as it is
    assert parts_of_sum(27, 4096 + 2, 32, single) == 1  # in two, and three: too large, uneven
    assert parts_of_sum(288, 4096, 32, single) == most_parts_of_sum(288, 32) == 1
    assert parts_of_sum(27, 4096, 32, np.dtype(np.float16)) == 1
    assert parts_of_sum(27, 1 << 20, 32, single) == 1 < most_parts_of_sum(27, 32)
    monkeypatch.setattr(products, "kernels", lambda: "Haswell")
    assert parts_of_sum(27, 4096, 32, single) == 1


@pytest.mark.parametrize("batch", [8, 12, 13])
@pytest.mark.parametrize("options", [{"padding": 1}, {"stride": 2}, {"dilation": 2}, {"groups": 2}])
@pytest.mark.parametrize("threads", [1, 2])
def test_convolutions_in_small_products(
    threads: int,
    options: dict[str, Any],
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    groups = options.get("groups", 1)
    x = asg.input("x", (batch, 2, 9, 8), "float64")
    w = asg.input("w", (4, 2 // groups, 3, 3), "float64")
    y = asg.conv2d(x, w, **options)
    slopes = asg.grad(asg.sum(y * asg.sin(y)), [x, w])
    graph = asg.Graph(y=y, dx=slopes[0], dw=slopes[1])
    random = np.random.default_rng(0)
    feeds = {"x": random.normal(size=(batch, 2, 9, 8)), "w": random.normal(size=w.shape)}
    cuts: list[int] = []

    def counted(*args: Any) -> int:
        cuts.append(parts_of_sum(*args))
        return cuts[-1]

    monkeypatch.setattr(batch_convolution, "parts_of_sum", counted)
    with asg.configure(threads=threads, compile_cache="off"):
        expected = asg.compile(graph)(**feeds)
        request.getfixturevalue("little_is_small")
        monkeypatch.setattr(products, "MOST_PARTS", 1000)
        found = asg.compile(graph)(**feeds)
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-10, atol=1e-10, err_msg=name)
    assert (max(cuts, default=1) > 1) == ("padding" in options or "dilation" in options)
