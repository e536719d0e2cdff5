"""Rolled layers on JAX: variables as rows of stacks, for whoever trains, asks, loads and shares."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from asg.backends.jax_xla.backend import BACKEND, JaxBackend
from asg.backends.jax_xla.lift import lifted
from asg.backends.jax_xla.stacked import StackedExecutable, VariableView

import asg
from asg import nn, optim
from asg.core.errors import FeedError, StateError
from asg.core.graph import Graph
from asg.passes.roll import roll
from tests.passes.deep_networks import deep_step

ROLLED, PLAIN = JaxBackend(roll=True), JaxBackend(roll=False)
WIDTH, COUNT = 3, 6


def network(h: Any, dtype: Any = asg.float64) -> Any:
    for number in range(COUNT):
        w = asg.parameter(f"w{number}", (WIDTH, WIDTH), dtype=dtype, init=nn.init.normal(0.5))
        h = h + asg.tanh(h @ w)
    return h


def training(dtype: Any = asg.float64) -> Graph:
    x = asg.input("x", ("n", WIDTH), dtype)
    optimizer = optim.sgd(0.1, momentum=0.9)
    step: Graph = asg.train_step((network(x, dtype) ** 2).mean(), optimizer=optimizer)
    return step


def batch(rows: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(rows, WIDTH))


def trained(backend: Any, sizes: list[int]) -> Any:
    session = asg.compile(training(), backend).start(seed=1)
    return session, [float(session(x=batch(n, i))["loss"]) for i, n in enumerate(sizes)]


def assert_same_state(one: Any, other: Any) -> None:
    wanted, found = one.state_dict(), other.state_dict()
    assert wanted.keys() == found.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-13, err_msg=name)


def test_training_is_the_same_and_batches_of_other_sizes_go_on_from_the_same_stacks() -> None:
    sizes = [4, 4, 7, 4, 7, 7]  # two programs, which take the stacks from each other
    plain, wanted = trained(PLAIN, sizes)
    rolled, found = trained(ROLLED, sizes)
    np.testing.assert_allclose(found, wanted, rtol=1e-11)
    assert_same_state(plain, rolled)
    assert isinstance(rolled.program((4, WIDTH)), StackedExecutable)


SEEDS = [5, 8, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(40))]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_train_alike(seed: int) -> None:
    step = deep_step(seed)
    drawn = np.random.default_rng(seed)
    feeds = {name: drawn.normal(size=t.shape) for name, t in step.feeds.items()}
    sessions = [asg.compile(step, backend).start(seed=1) for backend in (PLAIN, ROLLED)]
    for _ in range(3):
        one, other = (float(session(**feeds)["loss"]) for session in sessions)
        if one > 1e3:
            return  # of what explodes, the last digits of the steps before are all that is told
        np.testing.assert_allclose(one, other, rtol=1e-9)
        wanted, found = (session.state_dict() for session in sessions)
        for name, array in wanted.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-7, atol=1e-10, err_msg=name)


def test_a_checkpoint_is_loaded_as_a_whole_or_in_part() -> None:
    plain, _ = trained(PLAIN, [4])
    rolled, _ = trained(ROLLED, [4, 4])
    rolled.load_state_dict(plain.state_dict())
    assert_same_state(plain, rolled)
    for session in (plain, rolled):
        session.load_state_dict({"w3": np.eye(WIDTH)}, strict=False)
        session(x=batch(4, 9))
    assert_same_state(plain, rolled)


def test_evaluation_reads_the_stack_that_training_writes() -> None:
    x = asg.input("x", ("n", WIDTH), asg.float64)
    results = []
    for backend in (PLAIN, ROLLED):
        session = asg.compile(training(), backend).start(seed=1)
        other = session.attach(asg.compile(asg.Graph(y=network(x)), backend))
        seen = []
        for number in range(3):
            session(x=batch(4, number))
            seen.append(np.asarray(other(x=batch(5))["y"]))
        results.append(seen)
    np.testing.assert_allclose(results[1], results[0], rtol=1e-11)
    own = other.program((5, WIDTH))
    assert isinstance(own, StackedExecutable)
    held: Any = [session._store[f"w{number}"] for number in range(COUNT)]
    stack = VariableView.stack_of(held)
    assert stack is not None and own._own([batch(5)], held)[0] is stack
    assert VariableView.stack_of(held[1:]) is None and VariableView.stack_of(held[::-1]) is None


def test_two_training_sessions_of_one_state_take_turns() -> None:
    def alternate(backend: Any) -> Any:
        one = asg.compile(training(), backend).start(seed=1)
        two = one.attach(asg.compile(training(), backend))
        for number in range(3):
            one(x=batch(4, number))
            two(x=batch(4, number + 5))
        return one

    assert_same_state(alternate(PLAIN), alternate(ROLLED))


def test_a_session_that_was_not_rolled_shares_a_state_with_one_that_was() -> None:
    def shared(backend: Any) -> Any:
        session = asg.compile(training(), backend).start(seed=1)
        session(x=batch(4))
        x = asg.input("x", ("n", WIDTH), asg.float64)
        w = asg.parameter("w2", (WIDTH, WIDTH), dtype=asg.float64, init=0.0)
        graph = asg.train_step(((x @ w) ** 2).mean(), optimizer=optim.sgd(0.1))
        other = session.attach(asg.compile(graph, backend))
        other(x=batch(4))
        session(x=batch(4, 2))
        return session

    assert_same_state(shared(PLAIN), shared(ROLLED))


def test_variables_are_handed_out_as_copies() -> None:
    session, _ = trained(ROLLED, [4])
    before = session.state_dict()
    kept = {name: array.copy() for name, array in before.items()}
    before["w1"][:] = 100.0
    session(x=batch(4))
    np.testing.assert_array_equal(before["w2"], kept["w2"])
    assert not np.array_equal(session.state_dict()["w2"], kept["w2"])


def test_float64_stays_float64_and_float32_is_trained() -> None:
    session, _ = trained(ROLLED, [4])
    assert {array.dtype.name for array in session.state_dict().values()} == {"float64"}
    narrow = asg.compile(training(asg.float32), ROLLED).start(seed=0)
    narrow(x=batch(4).astype("f4"))
    assert {array.dtype.name for array in narrow.state_dict().values()} == {"float32"}


# -- programs by themselves -----------------------------------------------------------------------


def program() -> tuple[Graph, StackedExecutable, list[Any]]:
    graph = asg.compile(training(), ROLLED).specialised([(4, WIDTH)])
    made = ROLLED.compile(graph)
    assert isinstance(made, StackedExecutable)
    drawn = np.random.default_rng(3)
    return graph, made, [drawn.normal(size=tensor.shape) for tensor in graph.inputs]


def test_a_call_takes_and_gives_single_variables() -> None:
    graph, made, inputs = program()
    wanted = PLAIN.compile(asg.compile(training(), PLAIN).specialised([(4, WIDTH)]))(inputs)
    found = made(inputs)
    assert all(isinstance(array, jax.Array) for array in found)
    for name, one, other in zip(graph.output_names, wanted, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-11, err_msg=name)
    fed = dict(zip(graph.output_names, found, strict=True))
    made([inputs[0], *[fed[f"next:{name}"] for name in graph.input_names[1:]]])
    rows = [fed[f"next:w{number}"] for number in range(COUNT)]
    assert not any(row.is_deleted() for row in rows)  # they were copied


def test_arrays_that_do_not_fit_are_named() -> None:
    graph, made, inputs = program()
    place = graph.input_names.index("w2")
    for wrong, text in (
        (np.zeros((WIDTH, 2)), r"'w2' is float64\[3, 2\], compiled for f64\[3, 3\]"),
        (np.zeros((WIDTH, WIDTH), "f4"), "'w2' is float32"),
        ("weights", "'w2' was fed str"),
    ):
        with pytest.raises(FeedError, match=text):
            made([*inputs[:place], wrong, *inputs[place + 1 :]])
    with jax.enable_x64(True):
        gone = jnp.zeros((WIDTH, WIDTH), "f8")
    gone.delete()
    with pytest.raises(StateError, match="'w2' was given an array that an earlier step consumed"):
        made([*inputs[:place], gone, *inputs[place + 1 :]])


def test_the_state_is_donated_and_the_plan_tells_of_it() -> None:
    _, made, _ = program()
    state_bytes = 2 * COUNT * WIDTH * WIDTH * 8
    assert made.memory_analysis().alias_size_in_bytes >= state_bytes
    assert made.plan().reported["shared bytes"] >= state_bytes
    assert made.cost_analysis()["flops"] > 0 and "while" in made.hlo_text()


def test_profiles_tell_nodes_of_the_loops() -> None:
    session, _ = trained(ROLLED, [4])
    before = session.state_dict()
    profile = session.profile(2, batch(4))
    assert profile.ops and len(profile.steps) == 2
    assert {"scan"} <= {each.node.op.name for each in profile.ops}
    for name, array in session.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_debugging_checks_the_pass() -> None:
    with asg.configure(debug=True):
        session = asg.compile(training(), ROLLED).start(seed=1)
        session(x=batch(4))
    plain, _ = trained(PLAIN, [4])
    assert_same_state(plain, session)


# -- when layers are rolled, and which stacks are lifted ------------------------------------------


def test_layers_are_rolled_where_that_saves_much() -> None:
    assert not [each for each in PLAIN.passes if each.name == "roll"]
    few = asg.compile(training(), BACKEND)
    few.specialised([(4, WIDTH)])
    assert [record.changed for record in few.late_records if record.name == "roll"] == [False]
    assert BACKEND.fingerprint() != ROLLED.fingerprint()


def test_variables_in_two_stacks_or_only_partly_written_are_not_lifted() -> None:
    graph = asg.compile(training(), PLAIN).specialised([(4, WIDTH)])
    assert lifted(graph) is None
    rolled = lifted(roll(graph, repeats=2, nodes=1))
    assert rolled is not None and len(rolled.stacks) == 2  # of weights, and of momenta
    assert len(set(rolled.places())) == 2 * COUNT
    left = [node.op.name for node in rolled.inner.nodes]
    assert "stack_rows" not in left and "scan" in left  # what loops give is the next stack
    h = asg.input("x", (2, WIDTH), asg.float64)
    for number in range(4):
        frozen = number % 2 == 0
        w = asg.parameter(
            f"w{number}", (WIDTH, WIDTH), dtype=asg.float64, init=0.1, trainable=not frozen
        )
        h = asg.tanh(h @ w)
    mixed = asg.train_step((h * h).sum(), optimizer=optim.sgd(0.1))
    sessions = [asg.compile(mixed, backend).start(seed=0) for backend in (PLAIN, ROLLED)]
    for session in sessions:
        session(x=batch(2))
    assert_same_state(*sessions)
