"""Equal updates of many variables run as one, in memory that the variables share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import passes
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.join_updates import JoinUpdates

import asg
from asg import optim

Array = np.ndarray[Any, Any]
SHAPES = [(4, 3), (3,), (3, 2), (2,), (1,), (2, 1, 3)]


def step_of(optimizer: Any, **options: Any) -> Any:
    """A product for each variable, so that every gradient is computed apart."""

    def loss(x: Any) -> Any:
        total = asg.sum(x * 0.0)
        for number, shape in enumerate(SHAPES):
            weight = asg.parameter(f"w{number}", shape, init=0.1 * (number + 1))
            size = int(np.prod(shape))
            total = total + asg.sum(asg.tanh(asg.reshape(weight, (1, size)) @ x[:size]))
        return total

    return asg.train_step(loss, optimizer=optimizer, **options)(x=asg.input("x", (12, 2)))


def sessions(step: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The same step without the passes of the backend that keep every bit, and with them."""
    with monkeypatch.context() as patch:
        patch.setattr(type(BACKEND), "passes", passes.PASSES[:2])
        plain = asg.compile(step).start(seed=0)
    joined = asg.compile(step).start(seed=0)
    assert [each.name for each in passes.PASSES[:2]] == ["numpy_rules", "collect_factors"]
    assert any(isinstance(each, JoinUpdates) for each in passes.PASSES)
    return plain, joined


OPTIMIZERS = {
    "sgd": optim.sgd(0.1, momentum=0.9),
    "adamw": optim.adamw(0.01),
    "rmsprop": optim.rmsprop(0.01),
    "lion": optim.lion(0.01),
    "clipped": optim.chain(optim.clip_by_global_norm(0.5), optim.adam(0.01)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_step_is_the_same_to_the_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, joined = sessions(step_of(OPTIMIZERS[name], skip_nonfinite=name == "adamw"), monkeypatch)
    random = np.random.default_rng(0)
    for number in range(4):
        x = random.normal(size=(12, 2)).astype(np.float32)
        if number == 2 and name == "adamw":
            x[0, 0] = np.nan
        wanted, got = plain(x=x), joined(x=x)
        assert wanted["loss"].tobytes() == got["loss"].tobytes()
    wanted, got = plain.state_dict(), joined.state_dict()
    for key, array in wanted.items():
        np.testing.assert_array_equal(got[key], array, err_msg=key)
    few, many = joined.program((12, 2)), plain.program((12, 2))
    assert few.explain().count("then copy") <= many.explain().count("then copy")
    assert len(few._schedule) <= len(many._schedule) - 15


def test_variables_of_one_formula_lie_side_by_side() -> None:
    session = asg.compile(step_of(optim.sgd(0.1, momentum=0.9))).start(seed=0)
    program: Any = session.program((12, 2))
    places = {name: program.plan.places[leaf] for name, leaf in
              zip(program.graph.input_names, program.graph.inputs, strict=True)}  # fmt: skip
    offset = places["w0"].offset
    for i, shape in enumerate(SHAPES):
        assert places[f"w{i}"].memory == "state" and places[f"w{i}"].offset == offset
        offset += 4 * int(np.prod(shape))
    written = [p.memory for t, p in program.plan.places.items() if t.node.op.name == "add"
               and t.shape == (sum(int(np.prod(shape)) for shape in SHAPES),)]  # fmt: skip
    assert written == ["state"] * 2
    gathered = [node for node in program.graph.nodes if node.op.name == "concat"]
    assert len(gathered) == 3 and not {*gathered} & {node for node, _ in program._program.steps}


def test_a_session_goes_on_with_arrays_it_is_given() -> None:
    step = step_of(optim.adam(0.05))
    first, second = (asg.compile(step).start(seed=0) for _ in range(2))
    x = np.ones((12, 2), np.float32)
    first(x=x)
    second.load_state_dict(first.state_dict())
    results = [session(x=x)["loss"] for session in (first, second)]
    assert results[0] == results[1]
    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name], array)
