"""Which values share memory: every case that must, and every case that must not."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import kernel as table
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.interpreter import NumpyExecutable

from asg import ops
from asg.analysis.memory import Place
from asg.core.dtype import float32, float64
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.registry import OPS
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from tests.backends.numpy_cpu.programs import program, state


def compiled(graph: Graph) -> NumpyExecutable:
    executable: NumpyExecutable = BACKEND.compile(graph)
    return executable


def places(graph: Graph) -> dict[Tensor, Place]:
    return dict(compiled(graph).plan.places)


def same_memory(left: Place, right: Place) -> bool:
    return (left.memory, left.offset) == (right.memory, right.offset)


def x34(name: str = "x") -> Tensor:
    return ops.input(name, (3, 4), float64)


# -- values -------------------------------------------------------------------------------------


def test_an_elementwise_chain_runs_in_the_memory_of_its_input() -> None:
    x = x34()
    a = ops.exp(x)
    b = ops.tanh(a)
    found = places(Graph(b=b))
    assert found[a].sharing == found[b].sharing == "in place"
    assert same_memory(found[x], found[b])


def test_an_operand_that_is_read_later_is_not_overwritten() -> None:
    x = x34()
    a = ops.exp(x)
    found = places(Graph(y=ops.add(a, x)))
    assert not same_memory(found[a], found[x])


def test_an_output_of_the_graph_is_not_overwritten() -> None:
    x = x34()
    a = ops.exp(x)
    b = ops.tanh(a)
    found = places(Graph(a=a, b=b))
    assert found[b].sharing == "own"
    assert not same_memory(found[a], found[b])


def test_an_operand_with_a_living_view_is_not_overwritten() -> None:
    x = x34()
    a = ops.exp(x)
    seen = ops.permute_dims(a, (1, 0))
    b = ops.tanh(a)
    found = places(Graph(y=ops.matmul(b, seen)))
    assert found[seen].sharing == "view"
    assert found[b].sharing == "own"


def test_an_operand_read_in_another_order_by_the_same_node_is_not_overwritten() -> None:
    x = ops.input("x", (3, 3), float64)
    a = ops.exp(x)
    b = ops.add(a, ops.permute_dims(a, (1, 0)))
    executable = compiled(Graph(b=b))
    assert executable.plan.places[b].sharing == "own"
    given = np.arange(9.0).reshape(3, 3)
    np.testing.assert_allclose(executable([given])[0], np.exp(given) + np.exp(given.T))


def test_an_operand_given_twice_is_overwritten() -> None:
    x = x34()
    assert places(Graph(y=(y := ops.multiply(x, x))))[y].sharing == "in place"


def test_a_broadcast_operand_is_not_overwritten() -> None:
    row, x = ops.input("row", (1, 4), float64), x34()
    y = ops.add(row, x)
    found = places(Graph(y=y))
    assert same_memory(found[y], found[x])


def test_another_dtype_is_not_overwritten() -> None:
    x = ops.input("x", (3,), float32)
    assert places(Graph(y=(y := ops.astype(x, float64))))[y].sharing == "own"


def test_a_reshaped_value_may_be_overwritten_through_its_view() -> None:
    x = x34()
    flat = ops.reshape(ops.matmul(x, ops.input("w", (4, 4), float64)), (12,))
    y = ops.exp(flat)
    found = places(Graph(y=y))
    assert same_memory(found[y], found[flat])


def test_a_kernel_that_does_not_allow_it_is_not_run_in_place() -> None:
    x = ops.input("x", (3, 3), float64)
    y = ops.matmul(x, x)
    found = places(Graph(y=y))
    assert not same_memory(found[x], found[y])


def test_constants_are_never_written() -> None:
    constant = ops.constant(np.ones((3, 4)))
    y = ops.exp(constant)
    found = places(Graph(y=y))
    assert found[constant].memory == "constant"
    assert found[y].sharing == "own"


def test_repeated_constants_take_the_memory_of_one_element() -> None:
    x = ops.input("x", (1000, 1000), float64)
    executable = compiled(Graph(y=ops.add(x, ops.full((1000, 1000), 2.0, float64))))
    assert executable.plan.constant_bytes == 8


def test_scratch_lies_in_the_arena_while_its_node_runs() -> None:
    x = ops.input("x", (64, 64), float32)
    wide = ops.matmul(ops.astype(x, "float16"), ops.astype(x, "float16"))
    plan = compiled(Graph(y=wide)).plan
    product_in_float32 = 64 * 64 * 4
    assert plan.arena_bytes >= product_in_float32 + 2 * 64 * 64 * 2
    assert plan.arena_bytes < 1.5 * plan.lower_bound_bytes


# -- variables ----------------------------------------------------------------------------------


def test_a_variable_is_updated_in_place() -> None:
    old, x = state("w", (3, 4)), x34()
    step = ops.multiply(x, 0.1)
    new = ops.subtract(old, step)
    found = places(program([x], [(old, new)], []))
    assert found[new].memory == "state"
    assert found[new].sharing == "in place"


def test_momentum_uses_the_memory_of_the_variable_for_its_temporary() -> None:
    old, x = state("m", (3, 4)), x34()
    scaled = ops.multiply(old, 0.9)
    new = ops.add(scaled, x)
    executable = compiled(program([x], [(old, new)], [ops.sum(x)]))
    found = executable.plan.places
    assert same_memory(found[scaled], found[old]) and same_memory(found[new], found[old])
    assert "then copy" not in executable.explain()


def test_a_matrix_product_is_written_into_the_variable_once_it_is_read_no_more() -> None:
    old, x = state("w", (4, 4)), ops.input("x", (4, 4), float64)
    early = ops.tanh(old)
    new = ops.matmul(early, x)
    assert places(program([x], [(old, new)], []))[new].memory == "state"


def test_a_late_reader_of_the_old_value_forces_a_copy() -> None:
    old, x = state("w", (3, 4)), x34()
    new = ops.subtract(old, x)
    late = ops.multiply(old, new)
    executable = compiled(program([x], [(old, new)], [late]))
    assert executable.plan.places[new].memory == "arena"
    assert "then copy" in executable.explain()
    w, given = np.full((3, 4), 5.0), np.full((3, 4), 2.0)
    product, stored = executable([given, w])
    assert (product == 15).all() and (stored == 3).all()


def test_the_old_value_can_be_returned() -> None:
    old, x = state("w", (3, 4)), x34()
    before, after = compiled(program([x], [(old, ops.add(old, x))], [old]))(
        [np.ones((3, 4)), np.zeros((3, 4))]
    )
    assert (before == 0).all() and (after == 1).all()


def test_variables_can_be_exchanged() -> None:
    a, b = state("a", (2,)), state("b", (2,))
    run = compiled(program([], [(a, b), (b, a)], []))
    values = run([np.array([1.0, 2.0]), np.array([3.0, 4.0])])
    assert [v.tolist() for v in values] == [[3, 4], [1, 2]]
    assert [v.tolist() for v in run(values)] == [[1, 2], [3, 4]]


def test_a_variable_can_take_its_own_transpose() -> None:
    a = state("a", (2, 2))
    run = compiled(program([], [(a, ops.permute_dims(a, (1, 0)))], []))
    assert run([np.array([[1.0, 2.0], [3.0, 4.0]])])[0].tolist() == [[1, 3], [2, 4]]


def test_a_variable_that_is_written_unchanged_is_not_copied() -> None:
    a = state("a", (2,))
    executable = compiled(program([], [(a, a)], []))
    assert "0 calls" in executable.explain()
    assert executable([np.array([1.0, 2.0])])[0].tolist() == [1, 2]


def test_two_variables_can_take_one_value() -> None:
    a, b, x = state("a", (2,)), state("b", (2,)), ops.input("x", (2,), float64)
    new = ops.multiply(ops.add(a, b), x)
    run = compiled(program([x], [(a, new), (b, new)], []))
    given = np.array([2.0, 3.0])
    values = run([given, np.ones(2), np.ones(2)])
    assert [v.tolist() for v in values] == [[4, 6], [4, 6]]
    assert [v.tolist() for v in run([given, *values])] == [[16, 36], [16, 36]]


def test_a_variable_can_take_an_input_made_after_its_last_reader() -> None:
    old = state("w", (2,))
    read = ops.exp(old)
    new = ops.input("x", (2,), float64)
    read_value, stored = compiled(program([new], [(old, new)], [read]))(
        [np.array([7.0, 8.0]), np.zeros(2)]
    )
    assert read_value.tolist() == [1, 1]
    assert stored.tolist() == [7, 8]


def test_a_variable_that_is_only_read_keeps_its_value() -> None:
    old, x = state("w", (3, 4)), x34()
    y = ops.exp(ops.add(old, x))
    executable = compiled(program([x], [(old, None)], [y]))
    assert executable.plan.places[y].memory == "arena"
    w, given = np.ones((3, 4)), np.zeros((3, 4))
    first = executable([given, w])[0]
    assert np.array_equal(first, executable([given, w])[0])


# -- pairs of output and operand ------------------------------------------------------------------


@pytest.fixture
def two_outputs() -> Iterator[type[Op]]:
    """An op of (x, y) to (x + y, x - y) whose kernel allows each output over one operand."""
    before = dict(OPS)

    class SumAndDifferenceForTest(Op):
        def infer(self, x: TensorType, y: TensorType) -> tuple[TensorType, TensorType]:
            return x, y

    def bind(op: Op, inputs: Any, outputs: Any, scratch: Any) -> list[table.Call]:
        (x, y), (total, difference) = inputs, outputs
        held = scratch(x.shape, x.dtype)
        return [(np.subtract, (x, y, held)), (np.add, (x, y, total)),
                (np.copyto, (difference, held))]  # fmt: skip

    table.kernel(SumAndDifferenceForTest, inplace=((0, 0), (1, 1)))(bind)

    yield SumAndDifferenceForTest
    del table.KERNELS[SumAndDifferenceForTest]
    OPS.clear()
    OPS.update(before)


def test_listed_pairs_are_run_in_place(two_outputs: type[Op]) -> None:
    x, y = x34("x"), x34("y")
    total, difference = two_outputs().apply(x, y)
    executable = compiled(Graph(total=total, difference=difference))
    found = executable.plan.places
    assert same_memory(found[total], found[x]) and same_memory(found[difference], found[y])
    results = executable([np.full((3, 4), 5.0), np.full((3, 4), 3.0)])
    assert (results[0] == 8).all() and (results[1] == 2).all()


def test_pairs_are_refused_when_the_operands_are_one(two_outputs: type[Op]) -> None:
    x = x34()
    total, difference = two_outputs().apply(x, x)
    executable = compiled(Graph(total=total, difference=difference))
    found = executable.plan.places
    assert not same_memory(found[total], found[difference])
    assert not same_memory(found[total], found[x])
    assert (executable([np.ones((3, 4))])[1] == 0).all()


def test_several_variables_are_updated_by_one_node(two_outputs: type[Op]) -> None:
    a, b = state("a", (3, 4)), state("b", (3, 4))
    total, difference = two_outputs().apply(a, b)
    executable = compiled(program([], [(a, total), (b, difference)], []))
    assert executable.plan.places[total].memory == "state"
    assert executable.plan.places[difference].memory == "state"
    values = executable([np.full((3, 4), 5.0), np.full((3, 4), 3.0)])
    assert (values[0] == 8).all() and (values[1] == 2).all()


def test_pairs_are_promised_of_distinct_operands_only(
    two_outputs: type[Op], monkeypatch: pytest.MonkeyPatch
) -> None:
    either = replace(table.KERNELS[two_outputs], inplace=((0, 0), (0, 1)))
    monkeypatch.setitem(table.KERNELS, two_outputs, either)
    x, y = x34("x"), x34("y")
    total, _ = two_outputs().apply(x, y)
    assert places(Graph(total=total))[total].sharing == "in place"
    total, _ = two_outputs().apply(x, x)
    assert places(Graph(total=total))[total].sharing == "own"


@pytest.fixture
def greedy() -> Iterator[type[Op]]:
    """As above, but every output may overwrite every operand."""
    before = dict(OPS)

    class CopiesForTest(Op):
        def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
            return x, x

    def bind(op: Op, inputs: Any, outputs: Any, scratch: Any) -> list[table.Call]:
        return [(np.add, (inputs[0], i, output)) for i, output in enumerate(outputs)]

    table.kernel(CopiesForTest, inplace=((0, 0), (1, 0)))(bind)

    yield CopiesForTest
    del table.KERNELS[CopiesForTest]
    OPS.clear()
    OPS.update(before)


def test_two_outputs_never_take_the_same_operand(greedy: type[Op]) -> None:
    first, second = greedy().apply(x34())
    found = places(Graph(first=first, second=second))
    assert not same_memory(found[first], found[second])


def test_two_outputs_never_take_the_same_variable(greedy: type[Op]) -> None:
    old = state("a", (3, 4))
    first, second = greedy().apply(old)
    found = places(program([], [(old, first)], [second]))
    assert found[first].memory == "state"
    assert found[second].memory == "arena"
