"""State dicts: PyTorch's names and layouts, in and out of modules, files and sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import FeedError
from asg.io import load_arrays, save_arrays
from tests.nn.oracle import assert_like_pytorch


class Tied(nn.Module):
    def __init__(self) -> None:
        self.first = nn.Linear(3, 3)
        self.again = self.first


def net() -> nn.Sequential:
    return nn.Sequential(fc1=nn.Linear(4, 3), drop=nn.Dropout(0.5), fc2=nn.Linear(3, 2))


def test_first_values_are_those_of_a_session() -> None:
    model = net()
    step = asg.train_step(
        model, loss=lambda y, t: ((y - t) ** 2).mean(), optimizer=optim.sgd(0.1)
    )(x=("n", 4), t=("n", 2))
    session = asg.compile(step).start(seed=3)
    first = model.state_dict(seed=3)
    assert list(first) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    for name, array in session.state_dict("parameter").items():
        np.testing.assert_array_equal(array, first[name])
    session(x=np.ones((5, 4), np.float32), t=np.ones((5, 2), np.float32))
    trained = model.state_dict(session)
    assert not np.array_equal(trained["fc2.bias"], first["fc2.bias"])
    np.testing.assert_array_equal(trained["fc2.bias"], session.state_dict()["fc2.bias"])


def test_loaded_arrays_are_where_sessions_start(tmp_path: Path) -> None:
    model, other = net(), net()
    save_arrays(tmp_path / "weights.safetensors", model.state_dict(seed=5))
    assert other.load_state_dict(load_arrays(tmp_path / "weights.safetensors")) == ((), ())
    for name, array in other.state_dict(seed=9).items():
        np.testing.assert_array_equal(array, model.state_dict(seed=5)[name])
    again = nn.Sequential(inner=other).state_dict()
    np.testing.assert_array_equal(again["inner.fc1.bias"], other.state_dict()["fc1.bias"])


def test_problems_are_listed_together_and_change_nothing() -> None:
    model = net()
    before = model.state_dict()
    arrays = {
        "fc1.weight": np.zeros((4, 3)), "fc1.bias": np.zeros(3, np.int32),
        "fc2.weight": np.zeros((2, 3)), "fc3.bias": np.zeros(2),
    }  # fmt: skip
    with pytest.raises(FeedError) as told:
        model.load_state_dict(arrays)
    lines = str(told.value).splitlines()
    assert lines == [
        "the state dict does not fit Sequential:",
        "  'fc3.bias' is not in the module",
        "  'fc2.bias': f32[2] is missing",
        "  'fc1.weight' is f32[3, 4], given f64[4, 3]",
        "  'fc1.bias' is f32[3], given i32[3]",
    ]
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    del arrays["fc1.weight"], arrays["fc1.bias"]
    left = model.load_state_dict(arrays, strict=False)
    assert left.missing == ("fc1.weight", "fc1.bias", "fc2.bias")
    assert left.unexpected == ("fc3.bias",)
    assert not model.state_dict()["fc2.weight"].any()


def test_what_is_loaded_is_a_copy() -> None:
    model, array = nn.Linear(2, 1, bias=False), np.zeros((1, 2))
    model.load_state_dict({"weight": array})
    array[:] = 7.0
    assert not model.state_dict()["weight"].any()


def test_shared_modules_are_listed_under_each_name_and_need_one() -> None:
    tied = Tied()
    assert list(tied.state_dict()) == ["first.weight", "first.bias", "again.weight", "again.bias"]
    ones = {"again.weight": np.ones((3, 3)), "again.bias": np.ones(3)}
    assert tied.load_state_dict(ones) == ((), ())
    assert (tied.state_dict()["first.weight"] == 1.0).all()
    with pytest.raises(FeedError, match="shared with another name"):
        tied.load_state_dict({**ones, "first.weight": np.zeros((3, 3))})


def test_a_session_that_lacks_variables() -> None:
    model = net()
    graph = asg.Graph(y=model.fc1(asg.input("x", ("n", 4))))
    with pytest.raises(FeedError, match=r"fc2\.weight, fc2\.bias"):
        model.state_dict(asg.compile(graph).start())


def test_clones_have_variables_of_their_own() -> None:
    tied = Tied()
    holder = nn.Sequential(tied)
    twin: Any = holder[0].clone()
    assert twin.first is twin.again and twin.first is not tied.first
    assert [v.name for v in twin.variables().values()] == ["first.weight", "first.bias"]
    both = nn.Sequential(a=tied.first.clone(), b=tied.first.clone())
    assert [v.name for v in both.parameters().values()] == [
        "a.weight", "a.bias", "b.weight", "b.bias",
    ]  # fmt: skip
    values = both.state_dict()
    assert not np.array_equal(values["a.weight"], values["b.weight"])


def test_modules_by_path() -> None:
    tied = Tied()
    assert [path for path, _ in tied.named_modules()] == ["", "first"]
    assert [path for path, _ in tied.named_modules(remove_duplicate=False)] == [
        "", "first", "again",
    ]  # fmt: skip
    seen: list[str] = []
    net().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Dropout", "Linear", "Sequential"]


def test_summary_counts_shared_layers_once() -> None:
    class Twice(Tied):
        def forward(self, x: Any) -> Any:
            return self.again(self.first(x))

    lines = Twice().summary(("n", 3)).splitlines()
    assert [line.split()[-2] for line in lines[1:-1]] == ["12", "12", "0"]
    assert lines[-1] == "12 parameters, 0 of them frozen"
    assert Twice().freeze().summary(("n", 3)).endswith("12 parameters, 12 of them frozen")


def test_html_lists_layers() -> None:
    html = nn.Sequential(fc=nn.Linear(2, 3), act=nn.GELU("tanh"))._repr_html_()
    assert "Linear(2, 3, bias=True)" in html and "&#x27;tanh&#x27;" in html and ">9<" in html


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_linear_is_pytorchs(bias: bool, training: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    x = np.random.default_rng(0).normal(size=(5, 4))
    for symbolic in (False, True):
        assert_like_pytorch(
            nn.Linear(4, 3, bias=bias, dtype="float64"), torch.nn.Linear(4, 3, bias=bias), [x],
            training=training, symbolic_batch=symbolic,
        )  # fmt: skip


def test_a_wrong_layer_is_told_apart() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    x = np.random.default_rng(0).normal(size=(5, 4))

    class Wrong(nn.Linear):
        def forward(self, x: asg.Tensor) -> asg.Tensor:
            return asg.stop_gradient(super().forward(x)) * 0.5 + super().forward(x) * 0.5

    with pytest.raises(AssertionError, match="input:0"):
        assert_like_pytorch(Wrong(4, 3, dtype="float64"), torch.nn.Linear(4, 3), [x])
