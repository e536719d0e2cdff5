"""State: fed back for many steps, donated, and never a surprise for who holds other arrays."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from asg.backends.jax_xla.backend import BACKEND
from asg.backends.jax_xla.plan import Plan, arrangement

from asg.core.errors import GraphError, StateError
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.ops.leaf import Full
from tests.backends.jax_xla.programs import Plus, full, graph, state, tensor

SHAPE = (64, 64)


def counted() -> Graph:
    """Results first, then the next states, as graphs have them: total, w + x, v + w."""
    x, w, v = tensor("x", SHAPE), state("w", SHAPE), state("v", SHAPE)
    outputs = [Plus()(Plus()(w, v), x), Plus()(w, x), Plus()(v, w)]
    return graph([x, w, v], outputs, [(1, 1), (2, 2)])


def test_states_fed_back_for_three_steps() -> None:
    program = BACKEND.compile(counted())
    x, w, v = full(1, SHAPE), full(0, SHAPE), full(10, SHAPE)
    for expected in ((11, 1, 10), (12, 2, 11), (14, 3, 13)):
        total, w, v = program([x, w, v])
        assert [float(each[5, 7]) for each in (total, w, v)] == list(expected)
        assert all(isinstance(each, jax.Array) for each in (total, w, v))


def test_each_state_is_updated_in_its_own_memory() -> None:
    program = BACKEND.compile(counted())
    arrays = [jnp.ones(SHAPE), jnp.zeros(SHAPE), jnp.ones(SHAPE)]
    before = [each.unsafe_buffer_pointer() for each in arrays]
    _, w, v = program(arrays)
    assert [w.unsafe_buffer_pointer(), v.unsafe_buffer_pointer()] == before[1:]
    assert [each.is_deleted() for each in arrays] == [False, True, True]
    assert program.memory_analysis().alias_size_in_bytes == 2 * 64 * 64 * 4


def test_a_state_that_is_only_read_is_not_consumed() -> None:
    x, w = tensor("x"), state("w")
    program = BACKEND.compile(graph([x, w], [Plus()(w, x), w], [(1, None)]))
    held = jnp.ones(3)
    outputs = program([jnp.ones(3), held])
    assert not held.is_deleted()
    assert outputs[1].unsafe_buffer_pointer() != held.unsafe_buffer_pointer()
    assert [each.tolist() for each in outputs] == [[2, 2, 2], [1, 1, 1]]


def swapped(a: Tensor, b: Tensor) -> list[Tensor]:
    return [b, a]


def kept(a: Tensor, b: Tensor) -> list[Tensor]:
    return [a, Plus()(b, a)]


def same_value(a: Tensor, b: Tensor) -> list[Tensor]:
    total = Plus()(a, b)
    return [total, total]


def copied(a: Tensor, b: Tensor) -> list[Tensor]:
    return [a, a]


def reset(a: Tensor, b: Tensor) -> list[Tensor]:
    zeros = Full(0.0, a.dtype, a.shape)()
    return [zeros, zeros]


@pytest.mark.parametrize(
    ("update", "expected"),
    [(swapped, (2, 1)), (kept, (1, 3)), (same_value, (3, 3)), (copied, (1, 1)), (reset, (0, 0))],
)
def test_every_form_of_update_is_donated_and_right(update: Any, expected: tuple[int, int]) -> None:
    a, b = state("a", SHAPE), state("b", SHAPE)
    program = BACKEND.compile(graph([a, b], update(a, b), [(0, 0), (1, 1)]))
    assert program.memory_analysis().alias_size_in_bytes == 2 * 64 * 64 * 4
    first, second = program([jnp.full(SHAPE, 1.0), jnp.full(SHAPE, 2.0)])
    assert (float(first[0, 0]), float(second[0, 0])) == expected
    assert first.unsafe_buffer_pointer() != second.unsafe_buffer_pointer()
    program([first, second])  # the two are separate arrays, so both can be consumed


def test_a_result_equal_to_a_state_survives_the_next_step() -> None:
    x, w = tensor("x", SHAPE), state("w", SHAPE)
    new = Plus()(w, x)
    program = BACKEND.compile(graph([x, w], [new, new], [(1, 1)]))
    metric, w1 = program([jnp.ones(SHAPE), jnp.ones(SHAPE)])
    program([jnp.ones(SHAPE), w1])
    assert w1.is_deleted()
    assert float(metric[3, 3]) == 2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "uint64", "bool"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,)])
def test_states_of_every_kind_are_donated(dtype: str, shape: tuple[int, ...]) -> None:
    a, b = state("a", shape, dtype), state("b", shape, dtype)
    program = BACKEND.compile(graph([a, b], [b, a], [(0, 0), (1, 1)]))
    kind = a.dtype.numpy
    first, second = program([np.ones(shape, kind), np.zeros(shape, kind)])
    first, second = program([first, second])
    assert np.asarray(first).tolist() == np.ones(shape, kind).tolist()
    assert np.asarray(second).tolist() == np.zeros(shape, kind).tolist()


def test_numpy_states_are_not_written_to() -> None:
    program = BACKEND.compile(counted())
    arrays = [full(1, SHAPE), full(2, SHAPE), full(3, SHAPE)]
    for each in program(arrays):
        each.block_until_ready()
    assert [each.min() for each in arrays] == [each.max() for each in arrays] == [1, 2, 3]


def test_a_consumed_state_is_refused_by_name() -> None:
    program = BACKEND.compile(counted())
    arrays = [jnp.ones(SHAPE), jnp.ones(SHAPE), jnp.ones(SHAPE) + 1]
    program(arrays)
    with pytest.raises(StateError, match="'w' was given an array that an earlier step consumed"):
        program(arrays)


@pytest.mark.parametrize(("names", "positions"), [("'w' and 'v'", (1, 2)), ("'x' and 'w'", (0, 1))])
def test_one_array_for_a_state_and_another_input_is_refused(
    names: str, positions: tuple[int, int]
) -> None:
    arrays = [jnp.ones(SHAPE) + i for i in range(3)]
    arrays[positions[1]] = arrays[positions[0]]
    with pytest.raises(StateError, match=f"{names} were given one array"):
        BACKEND.compile(counted())(arrays)


def test_a_donation_that_xla_drops_is_an_error() -> None:
    plan = Plan(counted())
    arguments = plan.arguments()
    undonated = jax.jit(plan.function(), keep_unused=True).lower(*arguments).compile()
    with pytest.raises(GraphError, match="XLA reuses 0 of the 32768 bytes"):
        plan.require_donation(undonated)


def test_the_results_are_put_back_in_order() -> None:
    assert arrangement((0, 1, 2)) is None
    assert arrangement((2, 0, 1)) == (1, 2, 0)
    x, a, b = tensor("x", ()), state("a", ()), state("b", ())
    program = BACKEND.compile(graph([b, x, a], [a, x, b], [(0, 2), (2, 0)]))
    outputs = program([full(1, ()), full(2, ()), full(3, ())])
    assert [float(each) for each in outputs] == [3, 2, 1]
