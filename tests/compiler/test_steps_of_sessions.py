"""What sessions hand from step to step: whose arrays, and when they are copied."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import asg
from asg import optim
from asg.compiler.backend import Executable
from asg.compiler.step import step_of
from asg.core.graph import Graph


def model() -> tuple[asg.Graph, asg.Graph]:
    """A step that adds to w what it is given, and one that reads w and a statistic."""
    w = asg.parameter("w", (3,), init=1.0)
    x = asg.input("x", (3,))
    train = asg.train_step((w * x).sum(), optimizer=optim.sgd(1.0))
    return train, Graph(y=w * 2.0)


def adoptions(session: asg.Session, *shapes: tuple[int, ...]) -> list[int]:
    """How many steps of a program copied arrays; it grows while the session is used."""
    program: Any = session.program(*shapes)
    adopt, seen = program._adopt, []

    def counted(feeds: Sequence[Any], state: Sequence[Any]) -> None:
        seen.append(len(state))
        adopt(feeds, state)

    program._adopt = counted
    return seen


def test_variables_that_are_only_read_are_copied_once() -> None:
    session = asg.compile(model()[1]).start()
    seen = adoptions(session)
    for _ in range(3):
        assert session()["y"].tolist() == [2.0, 2.0, 2.0]
    assert seen == [1]


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_evaluation_sees_every_update(backend: str) -> None:
    train, evaluate = (asg.compile(graph, backend=backend) for graph in model())
    session = train.start()
    attached = session.attach(evaluate)
    ones, expected = np.ones(3, np.float32), 2.0
    for _ in range(3):
        for _ in range(2):
            session(x=ones)
            expected -= 2.0
        for _ in range(2):
            assert attached()["y"].tolist() == [expected] * 3
    attached.load_state_dict({"w": np.full(3, 5.0, np.float32)})
    assert attached()["y"].tolist() == [10.0] * 3
    session(x=ones)
    assert session.state_dict()["w"].tolist() == [4.0] * 3
    assert attached()["y"].tolist() == [8.0] * 3


def test_batches_of_two_sizes_update_one_state() -> None:
    w = asg.parameter("w", (), init=0.0)
    x = asg.input("x", ("n",))
    session = asg.compile(asg.train_step((w * x).sum(), optimizer=optim.sgd(1.0))).start()
    for size in (2, 3, 2, 2, 3):
        session(x=np.ones(size, np.float32))
    assert session.state_dict()["w"] == -12.0


class Together:
    """A program that knows no steps."""

    def __init__(self, program: Executable) -> None:
        self._program = program

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        return self._program(inputs)


def test_a_program_that_takes_all_inputs_at_once() -> None:
    train, _ = model()
    executable = asg.compile(train)
    program = executable.build(((3,),))
    step = step_of(Together(program), executable.signature)
    results, state = step([np.full(3, 2.0, np.float32)], [np.ones(3, np.float32)])
    assert [float(each) for each in results] == [6.0]
    assert [each.tolist() for each in state] == [[-1.0, -1.0, -1.0]]


def test_results_stay_as_they_were() -> None:
    train, _ = model()
    session = asg.compile(train).start()
    first = session(x=np.ones(3, np.float32))["loss"]
    second = session(x=np.ones(3, np.float32))["loss"]
    assert (float(first), float(second)) == (3.0, 0.0)


def test_the_first_step_lets_go_of_each_array_before_the_next_is_copied() -> None:
    v, w = (asg.parameter(name, (3,), init=1.0) for name in "vw")
    session = asg.compile(asg.train_step((v * w).sum(), optimizer=optim.sgd(1.0))).start()
    program: Any = session.program()
    take, first, alive = program.take, [weakref.ref(array) for array in session._store.values()], []

    def watched(number: int, array: Any) -> Any:
        alive.append(sum(each() is not None for each in first))
        return take(number, array)

    program.take = watched
    session()
    assert alive == [2, 1]
    assert session.state_dict()["v"].tolist() == [0.0, 0.0, 0.0]


def test_two_programs_of_two_sessions_take_over_one_state() -> None:
    w = asg.parameter("w", (), init=0.0)
    x = asg.input("x", ("n",))
    step = asg.compile(asg.train_step((w * x).sum(), optimizer=optim.sgd(1.0)))
    one = step.start()
    other = one.attach(step)
    for session, size in [(one, 2), (other, 2), (one, 3), (one, 2), (other, 3), (other, 2)]:
        session(x=np.ones(size, np.float32))
    assert one.state_dict()["w"] == other.state_dict()["w"] == -14.0


def test_first_zeros_keep_their_sign() -> None:
    found = asg.compile(asg.Graph(plus=asg.full((3,), 0.0), minus=asg.full((3,), -0.0)))()
    assert {name: bool(np.signbit(each).all()) for name, each in found.items()} == {
        "plus": False, "minus": True
    }  # fmt: skip
    assert all(each.flags.owndata and not each.any() for each in found.values())


def test_a_number_that_is_repeated_is_no_zero_because_its_memory_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "asg.backends.numpy_cpu.bind.aligned_memory",
        lambda nbytes: np.zeros(nbytes + 1, np.uint8),
    )
    x = asg.input("x", (2,))
    repeated = asg.broadcast_to(asg.sum(x), (3,))
    found = asg.compile(asg.Graph(y=repeated))(x=[1.0, 2.0])
    assert found["y"].tolist() == [3.0, 3.0, 3.0]


def test_a_session_and_its_memory_go_without_the_collector() -> None:
    train, _ = model()
    session = asg.compile(train).start()
    session(x=np.ones(3, np.float32))
    held = weakref.ref(session), weakref.ref(session.program((3,)))
    gc.collect()
    gc.disable()
    try:
        del session
        assert [each() for each in held] == [None, None]
    finally:
        gc.enable()
