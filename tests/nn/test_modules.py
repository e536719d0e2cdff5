"""Module trees: names, sharing, scopes; layers against formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError, StateError


class Block(nn.Module):
    def __init__(self) -> None:
        self.inner = nn.Linear(3, 3)

    def forward(self, x: asg.Tensor) -> asg.Tensor:
        hidden: asg.Tensor = self.inner(x)
        return asg.relu(hidden)


class Net(nn.Module):
    def __init__(self) -> None:
        self.layers = [Block(), Block()]
        self.head = nn.Linear(3, 2, bias=False)

    def forward(self, x: asg.Tensor) -> asg.Tensor:
        for layer in self.layers:
            x = layer(x)
        out: asg.Tensor = self.head(x)
        return out


def test_names_are_those_of_pytorch() -> None:
    net = Net()
    names = [
        "layers.0.inner.weight", "layers.0.inner.bias", "layers.1.inner.weight",
        "layers.1.inner.bias", "head.weight",
    ]  # fmt: skip
    assert list(net.parameters()) == names
    assert [variable.name for variable in net.parameters().values()] == names


def test_names_follow_when_a_net_becomes_part_of_another() -> None:
    outer = nn.Sequential(body=Net(), tail=nn.Identity())
    assert next(iter(outer.parameters())) == "body.layers.0.inner.weight"
    assert next(iter(outer.parameters().values())).name == "body.layers.0.inner.weight"


def test_calls_open_scopes() -> None:
    y = Net()(asg.input("x", ("n", 3)))
    scopes = {node.origin.scope for node in asg.Graph(y=y).nodes if not node.op.is_placeholder}
    assert scopes == {"layers/0", "layers/0/inner", "layers/1", "layers/1/inner", "head"}


def test_a_shared_module_shares_its_parameters() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            self.first = nn.Linear(3, 3)
            self.again = self.first

        def forward(self, x: asg.Tensor) -> asg.Tensor:
            out: asg.Tensor = self.again(self.first(x))
            return out

    net = Twice()
    assert list(net.parameters()) == ["first.weight", "first.bias"]
    loss = asg.sum(net(asg.input("x", ("n", 3))))
    assert len(asg.Graph(loss=loss).state) == 2
    asg.grad(loss, net.parameters())


def test_lists_of_mixed_things_are_refused() -> None:
    class Wrong(nn.Module):
        def __init__(self) -> None:
            self.parts = [nn.Identity(), 3]

    with pytest.raises(OperandError, match="parts"):
        Wrong()


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(nn.Identity(), name=nn.Identity()),
        lambda: nn.Sequential(forward=nn.Identity()),
        lambda: nn.Sequential(3),  # type: ignore[arg-type]
        lambda: nn.Linear(0, 3),
        lambda: nn.Linear(3, 2.5),  # type: ignore[arg-type]
        lambda: nn.Dropout(1.5),
        lambda: nn.ModuleDict({"forward": nn.Identity()}),
    ],
)
def test_wrong_constructions_are_refused(make: Any) -> None:
    with pytest.raises(OperandError):
        make()


def values_of(net: nn.Module, seed: int = 0) -> dict[asg.Variable, np.ndarray[Any, Any]]:
    random = np.random.default_rng(seed)
    return {
        variable: random.standard_normal([int(size) for size in variable.shape]).astype("f4")
        for variable in net.variables().values()
    }


def test_linear_is_x_times_weight_transposed_plus_bias() -> None:
    net = nn.Linear(3, 2)
    feeds = values_of(net)
    x = np.random.default_rng(1).standard_normal((4, 5, 3)).astype("f4")
    placeholder = asg.input("x", ("a", "b", 3))
    found = asg.run(net(placeholder), {placeholder: x, **feeds})
    assert net.bias is not None
    wanted = x @ feeds[net.weight].T + feeds[net.bias]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_embedding_takes_rows() -> None:
    net = nn.Embedding(5, 3)
    feeds = values_of(net)
    indices = np.array([[0, 4], [2, 2]], np.int32)
    placeholder = asg.input("i", ("n", 2), "int32")
    found = asg.run(net(placeholder), {placeholder: indices, **feeds})
    np.testing.assert_array_equal(found, feeds[net.weight][indices])


def test_layer_norm_normalises_and_scales() -> None:
    net = nn.LayerNorm(6)
    feeds = values_of(net)
    x = np.random.default_rng(1).standard_normal((4, 6)).astype("f4")
    placeholder = asg.input("x", ("n", 6))
    found = asg.run(net(placeholder), {placeholder: x, **feeds})
    assert net.weight is not None
    assert net.bias is not None
    centred = x - x.mean(1, keepdims=True)
    wanted = centred / np.sqrt(x.var(1, keepdims=True) + 1e-5) * feeds[net.weight] + feeds[net.bias]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_dropout_keeps_the_mean_and_changes_its_mask() -> None:
    net = nn.Dropout(0.25)
    with asg.StateTrace(training=True) as trace:
        graph = trace.close({"y": net(asg.ones((100_000,)))})
    session = asg.compile(graph).start(seed=0)
    first, second = session()["y"], session()["y"]
    assert set(np.unique(first)) == {np.float32(0.0), np.float32(1.0 / 0.75)}
    assert abs(first.mean() - 1.0) < 0.01
    assert not np.array_equal(first, second)
    x = asg.input("x", (3,))
    with asg.training_mode(False):
        assert net(x) is x


def test_dropout_outside_a_step_asks_for_the_mode() -> None:
    x = asg.input("x", (3,))
    with pytest.raises(StateError, match="training_mode"):
        nn.Dropout(0.5)(x)
    assert nn.Dropout(0.0)(x) is x


def test_repr_shows_the_tree() -> None:
    assert repr(nn.Sequential(a=nn.Linear(2, 3), b=nn.ReLU())) == (
        "Sequential()\n  a: Linear(2, 3, bias=True)\n  b: ReLU()"
    )
