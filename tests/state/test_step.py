"""Variables, traces, and the pure graphs that the step builders make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import (
    FeedError,
    GraphError,
    OperandError,
    ShapeError,
    StateError,
    UnreachedParameter,
)
from asg.state.initial import init_step


def two_layers() -> nn.Sequential:
    return nn.Sequential(fc1=nn.Linear(4, 8), act=nn.ReLU(), fc2=nn.Linear(8, 3))


def step_of(net: nn.Module, **options: Any) -> asg.Graph:
    build = asg.train_step(net, loss=asg.cross_entropy, optimizer=optim.adam(1e-2), **options)
    return build(images=("batch", 4), labels=(("batch",), "int32"))


# -- variables and traces --------------------------------------------------------------------


def test_read_sees_the_last_write() -> None:
    count = asg.Variable("count", (), init=3.0, role="counter")
    with asg.StateTrace() as trace:
        first = count.read()
        count.write(first + 1.0)
        second = count.read()
        count.write(second * 2.0)
        graph = trace.close({"first": first, "second": second})
    session = asg.compile(graph).start()
    assert {k: float(v) for k, v in session().items()} == {"first": 3.0, "second": 4.0}
    assert {k: float(v) for k, v in session().items()} == {"first": 8.0, "second": 9.0}


def test_write_outside_a_trace_says_how_to_open_one() -> None:
    with pytest.raises(StateError, match="StateTrace"):
        asg.Variable("v", (), init=0.0).write(1.0)


def test_write_of_another_type_is_refused() -> None:
    variable = asg.Variable("v", (2,), init=0.0)
    with asg.StateTrace(), pytest.raises(ShapeError, match=r"f32\[2\].*f32\[3\]"):
        variable.write(asg.zeros((3,)))


def test_nested_traces_do_not_mix() -> None:
    variable = asg.Variable("v", (), init=0.0)
    with asg.StateTrace():
        variable.write(1.0)
        with asg.StateTrace():
            assert variable.read() is variable.leaf
        assert variable.read() is not variable.leaf


def test_symbolic_variables_and_unknown_roles_are_refused() -> None:
    with pytest.raises(ShapeError, match="literal"):
        asg.Variable("v", ("n",), init=0.0)
    with pytest.raises(OperandError, match="role"):
        asg.Variable("v", (2,), init=0.0, role="other")
    with pytest.raises(ShapeError, match="initial array"):
        asg.Variable("v", (2,), init=np.zeros(3))


# -- the step is one pure graph -----------------------------------------------------------------


def test_step_has_slots_for_parameters_and_optimizer_state() -> None:
    graph = step_of(two_layers())
    names = [graph.input_names[slot.input] for slot in graph.state]
    parameters = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert {*names} == {
        *parameters,
        "optimizer.adam.count",
        *(f"optimizer.adam.{part}.{name}" for part in "mv" for name in parameters),
    }
    assert all(slot.output is not None for slot in graph.state)
    assert list(graph.feeds) == ["images", "labels"]
    assert list(graph.results) == ["loss"]


def test_three_forms_make_equal_steps() -> None:
    """Model and loss, one function, and a loss that is already built."""

    def by_model(net: nn.Module) -> asg.Graph:
        return step_of(net)

    def by_function(net: nn.Module) -> asg.Graph:
        build = asg.train_step(
            lambda images, labels: asg.cross_entropy(net(images), labels),
            optimizer=optim.adam(1e-2),
        )
        return build(images=("batch", 4), labels=(("batch",), "int32"))

    def by_tensor(net: nn.Module) -> asg.Graph:
        images = asg.input("images", ("batch", 4))
        labels = asg.input("labels", ("batch",), dtype="int32")
        loss = asg.cross_entropy(net(images), labels)
        return asg.train_step(loss, optimizer=optim.adam(1e-2))

    random = np.random.default_rng(0)
    images = random.random((5, 4), dtype=np.float32)
    labels = random.integers(0, 3, 5).astype(np.int32)
    losses = []
    for build in (by_model, by_function, by_tensor):
        session = asg.compile(build(two_layers())).start(seed=3)
        losses.append([float(session(images=images, labels=labels)["loss"]) for _ in range(4)])
    assert losses[0] == losses[1] == losses[2]
    assert losses[0][-1] < losses[0][0]


def test_training_and_evaluation_are_chosen_when_a_step_is_built() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.fc = nn.Linear(4, 3)
            self.drop = nn.Dropout(0.5)

        def forward(self, x: asg.Tensor) -> asg.Tensor:
            out: asg.Tensor = self.drop(self.fc(x))
            return out

    net = Net()
    train = step_of(net)
    evaluate = asg.eval_step(net, loss=asg.cross_entropy)(
        images=("batch", 4), labels=(("batch",), "int32")
    )
    assert "drop.key" in train.input_names
    assert "drop.key" not in evaluate.input_names
    assert all(slot.output is None for slot in evaluate.state)


def test_unreached_parameters_are_all_listed() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.used = nn.Linear(4, 3)
            self.idle = nn.Linear(4, 3)

        def forward(self, x: asg.Tensor) -> asg.Tensor:
            out: asg.Tensor = self.used(x)
            return out

    with pytest.raises(UnreachedParameter) as caught:
        step_of(Net())
    assert "idle.weight" in str(caught.value)
    assert "idle.bias" in str(caught.value)


def test_frozen_parameters_are_left_alone() -> None:
    net = two_layers()
    net.fc1.freeze()
    graph = step_of(net)
    session = asg.compile(graph).start(seed=0)
    before = session.state_dict()
    session(images=np.ones((2, 4), np.float32), labels=np.zeros(2, np.int32))
    after = session.state_dict()
    assert np.array_equal(before["fc1.weight"], after["fc1.weight"])
    assert not np.array_equal(before["fc2.weight"], after["fc2.weight"])
    assert "optimizer.adam.m.fc1.weight" not in after


def test_nothing_to_train_is_an_error() -> None:
    x = asg.input("x", ())
    with pytest.raises(GraphError, match="no trainable parameter"):
        asg.train_step(x * 1.0, optimizer=optim.sgd(0.1))


def test_two_parameters_of_one_name_are_an_error() -> None:
    a, b = (asg.parameter("w", (), init=1.0) for _ in range(2))
    with pytest.raises(GraphError, match=r"'w'|named w"):
        asg.train_step(a * b, optimizer=optim.sgd(0.1))


def test_step_needs_inputs_and_a_loss() -> None:
    build = asg.train_step(lambda x: {"accuracy": asg.sum(x)}, optimizer=optim.sgd(0.1))
    with pytest.raises(OperandError, match="'loss'"):
        build(x=("n",))
    with pytest.raises(OperandError, match="name the inputs"):
        build()


# -- first values ---------------------------------------------------------------------------------


def test_first_values_depend_on_seed_and_name_only() -> None:
    small, large = two_layers(), nn.Sequential(fc1=nn.Linear(4, 8), extra=nn.Linear(8, 3))
    first = asg.compile(step_of(small)).start(seed=1).state_dict()
    second = asg.compile(step_of(large)).start(seed=1).state_dict()
    other = asg.compile(step_of(small)).start(seed=2).state_dict()
    assert np.array_equal(first["fc1.weight"], second["fc1.weight"])
    assert not np.array_equal(first["fc1.weight"], other["fc1.weight"])


def test_first_values_are_equal_on_both_backends() -> None:
    graph = step_of(two_layers())
    found = [
        asg.compile(graph, backend=name).start(seed=5).state_dict() for name in ("numpy", "jax")
    ]
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, found[1][name])


def test_linear_starts_uniform_within_its_bound() -> None:
    net = nn.Linear(16, 1000)
    session = asg.compile(asg.train_step(net(asg.ones((1, 16))).sum(), optimizer=optim.sgd(0.1)))
    weight = session.start(seed=0).state_dict()["weight"]
    assert abs(weight).max() <= 0.25
    assert abs(weight.mean()) < 0.01
    assert abs(weight.std() - 0.25 / np.sqrt(3)) < 0.005


def test_init_step_is_a_graph_from_a_key() -> None:
    init = init_step(step_of(two_layers()))
    assert list(init.feeds) == ["key"]
    assert "fc1.weight" in init.output_names


# -- sessions --------------------------------------------------------------------------------------


def test_state_dict_is_a_copy_and_loads_back() -> None:
    executable = asg.compile(step_of(two_layers()))
    feeds = {"images": np.ones((2, 4), np.float32), "labels": np.zeros(2, np.int32)}
    session = executable.start(seed=0)
    session(**feeds)
    saved = session.state_dict()
    kept = {name: array.copy() for name, array in saved.items()}
    following = [float(session(**feeds)["loss"]) for _ in range(3)]
    for name, array in saved.items():
        np.testing.assert_array_equal(array, kept[name])
    session.load_state_dict(saved)
    assert [float(session(**feeds)["loss"]) for _ in range(3)] == following
    resumed = executable.start(state=saved)
    assert [float(resumed(**feeds)["loss"]) for _ in range(3)] == following


def test_state_that_does_not_fit_is_listed_and_changes_nothing() -> None:
    session = asg.compile(step_of(two_layers())).start(seed=0)
    before = session.state_dict()
    wrong: dict[str, Any] = dict(before)
    del wrong["fc1.bias"]
    wrong["fc9.bias"] = np.zeros(3, np.float32)
    wrong["fc2.bias"] = np.zeros(4, np.float32)
    with pytest.raises(FeedError) as caught:
        session.load_state_dict(wrong)
    for word in ("fc1.bias", "fc9.bias", "fc2.bias"):
        assert word in str(caught.value)
    for name, array in session.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_evaluation_sees_the_state_of_training(backend: str) -> None:
    net = two_layers()
    train = asg.compile(step_of(net), backend=backend).start(seed=0)
    graph = asg.eval_step(net, loss=asg.cross_entropy)(
        images=("batch", 4), labels=(("batch",), "int32")
    )
    evaluate = train.attach(asg.compile(graph, backend=backend))
    feeds = {"images": np.ones((3, 4), np.float32), "labels": np.zeros(3, np.int32)}
    before = float(evaluate(**feeds)["loss"])
    for _ in range(5):
        loss = float(train(**feeds)["loss"])
    assert before > loss > float(evaluate(**feeds)["loss"])


def test_attach_to_a_session_without_the_variable_is_refused() -> None:
    session = asg.compile(step_of(two_layers())).start(seed=0)
    other = asg.Graph(y=asg.parameter("other", (2,), init=0.0) * 2.0)
    with pytest.raises(FeedError, match="other"):
        session.attach(asg.compile(other))


@pytest.mark.parametrize("seed", [-(2**64), 2**64, 1.5, True, "0"])
def test_wrong_seeds_are_refused(seed: Any) -> None:
    executable = asg.compile(step_of(two_layers()))
    with pytest.raises(OperandError, match="seed"):
        executable.start(seed=seed)


@pytest.mark.parametrize("batch", [1, 2, 7, 64])
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_one_step_serves_every_batch_size(batch: int, backend: str) -> None:
    session = asg.compile(step_of(two_layers()), backend=backend).start(seed=0)
    images = np.random.default_rng(0).random((batch, 4), dtype=np.float32)
    labels = np.arange(batch, dtype=np.int32) % 3
    losses = [float(session(images=images, labels=labels)["loss"]) for _ in range(3)]
    assert losses[2] < losses[0]


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_step_that_is_not_finite_may_be_left_out(backend: str) -> None:
    net = nn.Linear(2, 1)
    step = asg.train_step(
        net, loss=lambda y, t: asg.sqrt(y - t).mean(), optimizer=optim.adam(), skip_nonfinite=True
    )(x=("n", 2), t=("n", 1))
    session = asg.compile(step, backend=backend).start()
    first = session.state_dict()
    x = np.ones((3, 2), np.float32)
    bad = session(x=x, t=np.full((3, 1), 9, np.float32))
    assert np.isnan(bad["loss"]) and not bad["finite"]
    for name, array in session.state_dict().items():
        np.testing.assert_array_equal(array, first[name])
    assert session(x=x, t=np.full((3, 1), -9, np.float32))["finite"]
    assert session.state_dict()["optimizer.adam.count"] == 1


def test_a_list_of_first_values_keeps_the_digits_of_wide_variables() -> None:
    wide = asg.parameter("w", (2,), init=[-1.2, 1.0], dtype="float64")
    session = asg.compile(asg.Graph(w=wide.leaf)).start()
    assert session.state_dict()["w"].tolist() == [-1.2, 1.0]


def test_two_parameters_of_one_name_are_told_with_their_lines() -> None:
    first, second = (asg.parameter("w", (2,), init=0.5) for _ in range(2))
    with pytest.raises(GraphError) as caught:
        asg.train_step(asg.sum(first * second), optimizer=optim.sgd(0.1))
    head, *lines, repair = str(caught.value).splitlines()
    assert head == "several parameters are named w:" and repair.startswith("  repair: rename")
    assert [line.startswith("  parameter 'w' at ") for line in lines] == [True, True]
    assert all("test_step.py:" in line for line in lines)
