"""Data on the device: steps on positions alone are steps on batches, and nothing of it is saved."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import FeedError, OperandError, StateError
from asg.data import DataLoader, Dataset

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(0)
DATA = Dataset({
    "x": RANDOM.normal(size=(40, 6)).astype(np.float32),
    "y": RANDOM.integers(0, 3, 40).astype(np.int32),
})  # fmt: skip


class OnPositions(nn.Module):
    """A classifier that finds its examples itself."""

    def __init__(self, data: nn.ResidentData) -> None:
        self.data = data
        self.body = nn.Linear(6, 3)

    def forward(self, indices: asg.Tensor) -> asg.Tensor:
        batch = self.data(indices)
        return asg.cross_entropy(self.body(batch["x"]), batch["y"])


class OnBatches(nn.Module):
    def __init__(self) -> None:
        self.body = nn.Linear(6, 3)

    def forward(self, x: asg.Tensor, y: asg.Tensor) -> asg.Tensor:
        return asg.cross_entropy(self.body(x), y)


POSITIONS = asg.input("indices", ("n",), "int32")


def training_step(net: nn.Module, *inputs: asg.Tensor) -> asg.Graph:
    step: asg.Graph = asg.train_step(net(*inputs), optimizer=optim.adam(0.05))
    return step


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_positions_train_like_batches(backend: str) -> None:
    net = OnPositions(nn.ResidentData(DATA))
    fed = training_step(OnBatches(), asg.input("x", ("n", 6)), asg.input("y", ("n",), "int32"))
    ours = asg.compile(training_step(net, POSITIONS), backend=backend).start(seed=3)
    theirs = asg.compile(fed, backend=backend).start(seed=3)
    places = Dataset({"indices": np.arange(40, dtype=np.int32)})
    for _ in range(2):
        loaders = [DataLoader(data, 20, shuffle=True) for data in (places, DATA)]
        for mine, batch in zip(*loaders, strict=True):
            assert abs(float(ours(**mine)["loss"]) - float(theirs(**batch)["loss"])) < 1e-6
    held, fed_state = ours.state_dict(), theirs.state_dict()
    assert held.keys() == fed_state.keys()
    for name, array in held.items():
        assert np.allclose(array, fed_state[name], atol=1e-6)
    assert np.array_equal(ours.state_dict("data")["data.x"], DATA.arrays["x"])


def test_only_positions_are_fed_and_no_gradient_is_asked_of_data() -> None:
    net = OnPositions(nn.ResidentData(DATA))
    step = training_step(net, POSITIONS)
    assert list(step.feeds) == ["indices"]
    assert list(net.parameters()) == ["body.weight", "body.bias"]
    assert list(net.state_dict()) == ["body.weight", "body.bias"]
    assert len(str(step)) < 10_000  # the numbers are not in the text


def test_the_state_is_saved_and_restored_without_the_data() -> None:
    net = OnPositions(nn.ResidentData(DATA))
    executable = asg.compile(training_step(net, POSITIONS))
    first = executable.start(seed=0)
    indices = np.arange(8, dtype=np.int32)
    first(indices=indices)
    saved = first.state_dict()
    assert not [name for name in saved if name.startswith("data.")]
    second = executable.start(seed=1)
    second.load_state_dict(saved)
    third = executable.start(seed=2, state=saved)
    losses = [session(indices=indices)["loss"] for session in (first, second, third)]
    assert losses[0] == losses[1] == losses[2]
    with pytest.raises(FeedError, match=r"body\.weight"):
        second.load_state_dict({})


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_attached_sessions_share_their_own_data_and_load_other_data(backend: str) -> None:
    """Other data of the same name and shape are not taken for one's own."""
    train, test = nn.ResidentData(DATA), nn.ResidentData({"x": -DATA.arrays["x"]})
    net = OnPositions(train)
    session = asg.compile(training_step(net, POSITIONS), backend=backend).start()
    same = session.attach(asg.compile(asg.Graph(x=train(POSITIONS)["x"]), backend=backend))
    indices = np.array([5, 1], np.int32)
    assert np.array_equal(same(indices=indices)["x"], DATA.arrays["x"][[5, 1]])
    other = session.attach(asg.compile(asg.Graph(x=test(POSITIONS)["x"]), backend=backend))
    assert np.array_equal(other(indices=indices)["x"], -DATA.arrays["x"][[5, 1]])
    session(indices=indices)
    assert np.array_equal(same(indices=indices)["x"], DATA.arrays["x"][[5, 1]])


def test_data_are_not_written() -> None:
    data = nn.ResidentData(DATA)
    with asg.StateTrace(training=True), pytest.raises(StateError, match="only reads"):
        data.variables()["x"].write(asg.zeros((40, 6)))


def test_the_layer_tells_what_it_holds() -> None:
    assert repr(nn.ResidentData(DATA)) == "ResidentData(x: f32[40, 6], y: i32[40])"
    assert nn.ResidentData(DATA).length == 40


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({}, "must be a mapping of arrays"),
        (3, "dataset=int must be"),
        (DATA.map(dict), "Dataset.from_examples"),
        ({"x": np.zeros(3), "y": np.zeros(4)}, r"one length, at least 1; given x \[3\], y \[4\]"),
        ({"x": np.zeros((0, 2))}, "at least 1"),
        ({"x": np.float32(1)}, "at least 1"),
        ({"forward": np.zeros(3)}, "'forward' cannot be the name"),
        ({"a b": np.zeros(3)}, "'a b' cannot be the name"),
    ],
)
def test_what_is_no_data_set_is_refused(dataset: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        nn.ResidentData(dataset)


def test_the_step_can_be_drawn(tmp_path: Path) -> None:
    step = training_step(OnPositions(nn.ResidentData(DATA)), POSITIONS)
    assert "box3d" in step.render(tmp_path / "step.dot", depth=9).read_text("utf-8")
