"""What a caller of an executable may rely on."""

import threading
import tracemalloc
from itertools import pairwise
from time import process_time
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.interpreter import NumpyExecutable, evaluate

from asg import ops
from asg.autodiff.api import grad
from asg.compiler.backend import Backend, Executable
from asg.core.dtype import bfloat16, float32, float64
from asg.core.errors import FeedError
from asg.core.graph import Graph
from asg.core.origin import scope
from asg.core.tensor import Tensor
from asg.passes.lower import lower
from tests.backends.numpy_cpu.programs import program, state


def compiled(graph: Graph) -> NumpyExecutable:
    executable: NumpyExecutable = BACKEND.compile(lower(graph, BACKEND))
    return executable


def doubling(shape: tuple[int, ...] = (3, 4)) -> NumpyExecutable:
    x = ops.input("x", shape, float64)
    return compiled(Graph(y=ops.add(x, x)))


def counter() -> NumpyExecutable:
    """count += x; returns the old count as well."""
    count, x = state("count", (2,)), ops.input("x", (2,), float64)
    return compiled(program([x], [(count, ops.add(count, x))], [ops.multiply(count, 1.0)]))


def test_it_is_a_backend_and_makes_executables() -> None:
    assert isinstance(BACKEND, Backend)
    assert BACKEND.name == "numpy"
    assert isinstance(doubling(), Executable)


# -- results and inputs ---------------------------------------------------------------------------


def test_results_are_the_callers_to_keep() -> None:
    run = doubling()
    first = run([np.ones((3, 4))])[0]
    run([np.zeros((3, 4))])
    assert (first == 2).all()
    first[:] = 7
    assert (run([np.ones((3, 4))])[0] == 2).all()


def test_inputs_are_not_changed() -> None:
    x = ops.input("x", (3, 4), float64)
    run = compiled(Graph(y=ops.exp(x), x=x))
    given = np.ones((3, 4))
    y, same = run([given])
    same[:] = 0
    y[:] = 0
    assert (given == 1).all()


@pytest.mark.parametrize(
    "given",
    [np.arange(12.0).reshape(4, 3).T, np.arange(24.0).reshape(3, 8)[:, ::2],
     np.flip(np.arange(12.0).reshape(3, 4)), np.broadcast_to(np.arange(4.0), (3, 4))],
    ids=["transposed", "strided", "flipped", "repeated"],
)  # fmt: skip
def test_inputs_may_lie_in_memory_as_they_like(given: np.ndarray[Any, Any]) -> None:
    np.testing.assert_array_equal(doubling()([given])[0], 2 * given)


def test_results_are_in_c_order_even_when_views_are_returned() -> None:
    x = ops.input("x", (3, 4), float64)
    (y,) = compiled(Graph(y=ops.permute_dims(x, (1, 0))))([np.arange(12.0).reshape(3, 4)])
    assert y.flags.c_contiguous and y.flags.owndata
    np.testing.assert_array_equal(y, np.arange(12.0).reshape(3, 4).T)


@pytest.mark.parametrize("shape", [(0,), (3, 0), ()])
def test_empty_and_scalar_arrays_work(shape: tuple[int, ...]) -> None:
    given = np.ones(shape)
    (result,) = doubling(shape)([given])
    assert isinstance(result, np.ndarray) and result.shape == shape
    np.testing.assert_array_equal(result, 2 * given)


def test_a_graph_without_inputs_or_calls_works() -> None:
    zeros, counts = evaluate(Graph(z=ops.zeros((2, 3)), i=ops.iota((2, 3), 1)))
    assert zeros.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert counts.tolist() == [[0, 1, 2], [0, 1, 2]]
    zeros[:] = 1  # a copy, not the constant


def test_bfloat16_values_have_places_too() -> None:
    x = ops.input("x", (3,), bfloat16)
    (y,) = evaluate(Graph(y=ops.add(x, x)), [np.array([1, 2, 3], bfloat16.numpy)])
    assert y.dtype == bfloat16.numpy and y.tolist() == [2, 4, 6]


@pytest.mark.parametrize(
    ("given", "message"),
    [(np.ones((4, 3)), r"'x' is f64\[3, 4\], given float64\[4, 3\]"),
     (np.ones((1, 4)), r"given float64\[1, 4\]"),
     (np.ones((3, 4), np.float32), r"given float32\[3, 4\]")],
)  # fmt: skip
def test_an_array_that_does_not_fit_is_refused(given: Any, message: str) -> None:
    with pytest.raises(FeedError, match=message):
        doubling()([given])


def test_floating_point_conditions_do_not_warn() -> None:
    x = ops.input("x", (2,), float64)
    (y,) = compiled(Graph(y=ops.log(x)))([np.array([0.0, -1.0])])
    assert y[0] == -np.inf and np.isnan(y[1])


# -- variables ------------------------------------------------------------------------------------


def test_the_returned_state_array_is_the_memory_of_the_executable() -> None:
    run = counter()
    one = np.ones(2)
    _, first = run([one, np.zeros(2)])
    old, second = run([one, first])
    assert second is first
    assert second.tolist() == [2, 2] and old.tolist() == [1, 1]


def test_a_foreign_state_array_is_adopted_by_copy() -> None:
    run = counter()
    given = np.full(2, 5.0)
    _, after = run([np.ones(2), given])
    assert after.tolist() == [6, 6] and given.tolist() == [5, 5]
    _, other = run([np.ones(2), np.full(2, 100.0)])
    assert other.tolist() == [101, 101]


def test_an_unfit_state_array_changes_nothing() -> None:
    run = counter()
    _, count = run([np.ones(2), np.zeros(2)])
    with pytest.raises(FeedError, match=r"'count' is f64\[2\], given float64\[3\]"):
        run([np.ones(2), np.zeros(3)])
    with pytest.raises(FeedError, match=r"'x' is f64\[2\]"):
        run([np.ones(3), np.zeros(2)])
    assert count.tolist() == [1, 1]


def test_state_arrays_given_in_exchanged_order_are_adopted_rightly() -> None:
    a, b = state("a", (2,)), state("b", (2,))
    run = compiled(program([], [(a, ops.negative(a)), (b, ops.multiply(b, 10.0))], []))
    first = run([np.array([1.0, 2.0]), np.array([3.0, 4.0])])
    assert [v.tolist() for v in first] == [[-1, -2], [30, 40]]
    again = run([first[1], first[0]])
    assert [v.tolist() for v in again] == [[-30, -40], [-10, -20]]


def test_a_view_of_our_own_state_is_adopted_rightly() -> None:
    a, b = state("a", (2,)), state("b", (2,))
    run = compiled(program([], [(a, ops.negative(a)), (b, ops.negative(b))], []))
    first = run([np.array([1.0, 2.0]), np.array([3.0, 4.0])])
    again = run([first[1][::-1], first[0][::-1]])
    assert [v.tolist() for v in again] == [[4, 3], [2, 1]]


def test_two_executables_hand_one_state_to_each_other() -> None:
    small, large = counter(), counter()
    value: Any = np.zeros(2)
    for run in (small, large, large, small, large):
        _, value = run([np.ones(2), value])
    assert value.tolist() == [5, 5]


# -- the step -------------------------------------------------------------------------------------


def training_step(batch: int, width: int) -> Graph:
    """A two-layer perceptron with momentum, large enough that one stray copy is seen."""
    x, y = ops.input("x", (batch, width)), ops.input("y", (batch, width))
    weights = [state(f"w{i}", (width, width), float32) for i in range(2)]
    momenta = [state(f"m{i}", (width, width), float32) for i in range(2)]
    hidden = ops.maximum(ops.matmul(x, weights[0]), 0.0)
    loss = ops.mean(ops.square(ops.subtract(ops.matmul(hidden, weights[1]), y)))
    gradients = grad(loss, weights)
    pairs: list[tuple[Tensor, Tensor | None]] = []
    for weight, momentum, gradient in zip(weights, momenta, gradients, strict=True):
        new = ops.add(ops.multiply(momentum, 0.9), gradient)
        pairs += [(weight, ops.subtract(weight, ops.multiply(new, 0.01))), (momentum, new)]
    return program([x, y], pairs, [loss])


def test_a_step_allocates_nothing_but_its_results() -> None:
    run = compiled(training_step(batch=128, width=128))
    random = np.random.default_rng(0)
    feeds = [random.standard_normal((128, 128), np.float32) for _ in range(2)]
    states = [random.standard_normal((128, 128), np.float32) for _ in range(4)]
    results = run([*feeds, *states])
    given = [*feeds, *results[1:]]
    run(given)
    tracemalloc.start()
    try:
        for _ in range(3):
            run(given)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16_384  # casting ufuncs buffer 8 KiB; one array of the step takes 64


def test_the_step_is_planned_close_to_the_bound_and_copies_no_variable() -> None:
    run = compiled(training_step(batch=64, width=64))
    assert run.plan.arena_bytes <= 1.05 * run.plan.lower_bound_bytes
    assert run.plan.separate_bytes >= 2 * run.plan.arena_bytes
    assert run.plan.state_bytes == 4 * 64 * 64 * 4
    assert "then copy" not in run.explain()


def test_every_result_and_state_is_aligned() -> None:
    run = compiled(training_step(batch=3, width=5))
    for array in run._program.arrays.values():
        if array.base is not None and array.flags.c_contiguous and array.size > 1:
            assert array.__array_interface__["data"][0] % 64 == 0


def test_one_step_runs_at_a_time() -> None:
    run = counter()
    _, count = run([np.zeros(2), np.zeros(2)])

    def count_up() -> None:
        for _ in range(200):
            run([np.ones(2), count])

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count.tolist() == [800, 800]


def test_an_error_in_a_kernel_names_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    with scope("encoder"):
        run = doubling()

    def broken(*args: Any) -> None:
        raise MemoryError("no memory")

    calls = run._program.steps[0][1]
    calls[0] = run._schedule[0] = (broken, calls[0][1])
    with pytest.raises(MemoryError) as caught:
        run([np.ones((3, 4))])
    (note,) = caught.value.__notes__
    assert "while running add" in note and "test_interpreter.py" in note and "[encoder]" in note


# -- looking inside -------------------------------------------------------------------------------


def test_run_all_gives_every_value_and_leaves_the_state() -> None:
    count, x = state("count", (2,)), ops.input("x", (2,), float64)
    doubled = ops.multiply(x, 2.0)
    new = ops.add(count, doubled)
    run = compiled(program([x], [(count, new)], []))
    (held,) = run([np.ones(2), np.zeros(2)])
    values = run.run_all([np.full(2, 10.0), held])
    assert values[doubled].tolist() == [20, 20]
    assert values[new].tolist() == [22, 22]
    assert values[count].tolist() == [2, 2] and held.tolist() == [2, 2]


def test_time_nodes_lists_what_takes_time_and_leaves_the_state() -> None:
    run = compiled(training_step(batch=4, width=4))
    arrays = [np.ones((4, 4), np.float32) for _ in range(6)]
    states = run(arrays)[1:]
    before = [each.copy() for each in states]
    timed = run.time_nodes([*arrays[:2], *states], steps=3)
    assert all(np.array_equal(a, b) for a, b in zip(states, before, strict=True))
    assert all(seconds > 0 for _, seconds in timed)
    names = {node.op.name for node, _ in timed}
    assert "matmul" in names and "permute_dims" not in names


def test_explain_shows_places_calls_and_origin() -> None:
    x = ops.input("x", (2, 3), float32)
    with scope("head"):
        y = ops.maximum(ops.permute_dims(x, (1, 0)), 0.0)
    text = compiled(Graph(y=y)).explain()
    assert "graph 'graph': 4 nodes, 1 calls a step" in text
    assert "arena[0:24] view" in text and "f32[3, 2]" in text
    assert "constant (4 B)" in text
    assert "\n        maximum" in text
    assert "[head]" in text and "test_interpreter.py" in text


# -- large graphs ---------------------------------------------------------------------------------


def chain(length: int) -> Graph:
    x = ops.input("x", (2,))
    value = x
    for _ in range(length):
        value = ops.add(value, x)
    return Graph(y=value)


def test_a_chain_of_20000_nodes_runs() -> None:
    (y,) = evaluate(chain(20_000), [np.ones(2, np.float32)])
    assert y.tolist() == [20_001, 20_001]


def test_compile_time_is_linear() -> None:
    def seconds(length: int) -> float:
        graph = chain(length)
        _ = graph.nodes
        start = process_time()
        BACKEND.compile(graph)
        return process_time() - start

    times = [min(seconds(length) for _ in range(3)) for length in (500, 2000, 8000)]
    assert all(later < 4 * 3 * earlier for earlier, later in pairwise(times))
