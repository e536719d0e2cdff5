"""Parametrised variables: weight and spectral norm against PyTorch, custom ones, life cycles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import OperandError, ShapeError, StateError
from asg.nn.utils import (
    Parametrization,
    is_parametrized,
    register_parametrization,
    remove_parametrizations,
    spectral_norm,
    weight_norm,
)
from asg.nn.utils.weight_norm import WeightNorm
from tests.nn.oracle import assert_like_pytorch, assert_steps_like_pytorch

torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
theirs = torch.nn.utils.parametrizations
Array = np.ndarray[Any, Any]


def filled(*shape: int) -> Array:
    return np.random.default_rng(5).normal(size=shape)


LAYERS: list[tuple[str, Any, tuple[int, ...]]] = [
    ("Linear", (4, 3), (5, 4)),
    ("Conv1d", (2, 3, 2), (2, 2, 5)),
    ("Conv2d", (2, 3, (2, 1)), (2, 2, 4, 3)),
    ("ConvTranspose2d", (2, 3, 2), (2, 2, 3, 3)),
]  # fmt: skip


def layers(name: str, args: Any) -> tuple[Any, Any]:
    return getattr(nn, name)(*args, dtype="float64"), getattr(torch.nn, name)(*args)


@pytest.mark.parametrize(("name", "args", "shape"), LAYERS)
def test_weight_norm(name: str, args: Any, shape: tuple[int, ...]) -> None:
    rank = layers(name, args)[0].weight.ndim
    for dim in (None, *range(rank)):
        ours, other = layers(name, args)
        weight_norm(ours, dim=dim)
        theirs.weight_norm(other, dim=dim)
        with torch.no_grad():
            other.parametrizations.weight.original0.mul_(1.7)
        assert_like_pytorch(ours, other, [filled(*shape)], symbolic_batch=dim == 0)


def test_weight_norm_of_a_bias_and_on_jax() -> None:
    for backend in ("numpy", "jax"):
        ours, other = layers("Linear", (4, 3))
        for each, module in ((weight_norm, ours), (theirs.weight_norm, other)):
            each(each(module, "bias"), "weight")
        assert_like_pytorch(ours, other, [filled(5, 4)], backend=backend)


@pytest.mark.parametrize(("name", "args", "shape"), LAYERS)
@pytest.mark.parametrize("options", [{}, {"n_power_iterations": 3}, {"dim": 1}, {"dim": -1}])
def test_spectral_norm(
    name: str, args: Any, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    x = filled(*shape)
    for training in (True, False):
        ours, other = layers(name, args)
        spectral_norm(ours, **options)
        theirs.spectral_norm(other, **options)
        assert_like_pytorch(ours, other, [x], training=training)
    ours, other = layers(name, args)
    assert_steps_like_pytorch(
        spectral_norm(ours, **options), theirs.spectral_norm(other, **options), [x, x, x]
    )


def test_spectral_norm_of_a_vector_and_on_jax() -> None:
    for backend in ("numpy", "jax"):
        ours, other = layers("Linear", (4, 3))
        spectral_norm(spectral_norm(ours), "bias", eps=1e-3)
        theirs.spectral_norm(theirs.spectral_norm(other), "bias", eps=1e-3)
        assert_like_pytorch(ours, other, [filled(5, 4)], training=True, backend=backend)


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_recurrent_and_embedding_layers(name: str) -> None:
    ours, other = nn.LSTM(3, 2, dtype="float64"), torch.nn.LSTM(3, 2)
    getattr(nn.utils, name)(ours, "weight_hh_l0")
    getattr(theirs, name)(other, "weight_hh_l0")
    assert_like_pytorch(ours, other, [filled(4, 2, 3)])  # in training theirs reads four times
    table, rows = nn.Embedding(5, 3, padding_idx=1, dtype="float64"), torch.nn.Embedding(5, 3, 1)
    getattr(nn.utils, name)(table)
    getattr(theirs, name)(rows)
    assert_like_pytorch(table, rows, [np.array([1, 2, 2])], training=True)


def test_the_first_singular_vectors_are_good_already() -> None:
    layer = spectral_norm(nn.Linear(6, 5, dtype="float64"))
    held = layer.state_dict(seed=3)
    matrix = held["parametrizations.weight.original"]
    u, v = held["parametrizations.weight.0._u"], held["parametrizations.weight.0._v"]
    np.testing.assert_allclose([np.linalg.norm(u), np.linalg.norm(v)], 1.0, rtol=1e-12)
    top = np.linalg.svd(matrix, compute_uv=False)[0]
    assert 0.98 * top < u @ matrix @ v <= top * (1 + 1e-12)


def test_a_net_with_normalised_weights_trains_as_pytorchs() -> None:
    ours = nn.Sequential(
        weight_norm(nn.Linear(4, 3, dtype="float64")),
        spectral_norm(nn.Linear(3, 2, dtype="float64")),
    )
    other = torch.nn.Sequential(
        theirs.weight_norm(torch.nn.Linear(4, 3)), theirs.spectral_norm(torch.nn.Linear(3, 2))
    ).double()
    ours.load_state_dict({name: v.numpy() for name, v in other.state_dict().items()})
    build = asg.train_step(ours, loss=lambda y, t: ((y - t) ** 2).mean(), optimizer=optim.sgd(0.3))
    session = asg.compile(build(x=(("n", 4), "float64"), t=(("n", 2), "float64"))).start()
    x, t = filled(6, 4), filled(6, 2)
    for _ in range(4):
        session(x=x, t=t)
        for parameter in other.parameters():
            parameter.grad = None
        ((other(torch.tensor(x)) - torch.tensor(t)) ** 2).mean().backward()
        with torch.no_grad():
            for parameter in other.parameters():
                parameter -= 0.3 * parameter.grad
    held = ours.state_dict(session)
    for name, wanted in other.state_dict().items():
        np.testing.assert_allclose(held[name], wanted.numpy(), rtol=1e-9, err_msg=name)


def weight_of(layer: nn.Module, seed: int = 0) -> Array:
    with asg.training_mode(False):
        graph = asg.Graph(weight=layer.weight * 1.0)  # type: ignore[attr-defined]
    array: Array = asg.compile(graph).start(seed)()["weight"]
    return array


def test_the_weight_starts_as_the_direction_does() -> None:
    layer = weight_norm(nn.Linear(4, 3), dim=1)
    held = layer.state_dict(seed=2)
    np.testing.assert_allclose(
        weight_of(layer, 2), held["parametrizations.weight.original1"], rtol=1e-6
    )


def test_clones_normalise_their_own_variables() -> None:
    net = nn.Sequential(weight_norm(nn.Linear(4, 3)), spectral_norm(nn.Linear(3, 2)))
    twin = net.clone()
    assert not set(twin.variables().values()) & set(net.variables().values())
    assert list(twin.state_dict()) == list(net.state_dict())
    both = nn.Sequential(a=net, b=twin)
    held = both.state_dict()
    for prefix in ("a", "b"):
        g, v = (held[f"{prefix}.0.parametrizations.weight.original{i}"] for i in (0, 1))
        np.testing.assert_allclose(g, np.linalg.norm(v, axis=1, keepdims=True), rtol=1e-6)
    assert not np.array_equal(held["a.0.bias"], held["b.0.bias"])


class Doubled(nn.Module):
    def forward(self, original: asg.Tensor) -> asg.Tensor:
        return original * 2.0


class Squared(Parametrization):
    def forward(self, original: asg.Tensor) -> asg.Tensor:
        return original**2


def test_names_scopes_and_order_of_several() -> None:
    layer = nn.Linear(2, 2, dtype="float64", init=nn.init.constant(3.0))
    net = nn.Sequential(fc=layer)
    register_parametrization(layer, "weight", Doubled())
    register_parametrization(layer, "weight", Squared())
    assert [v.name for v in net.parameters().values()] == [
        "fc.bias", "fc.parametrizations.weight.original",
    ]  # fmt: skip
    assert weight_of(layer).tolist() == [[36.0, 36.0], [36.0, 36.0]]
    y = net(asg.input("x", ("n", 2), "float64"))
    scopes = {node.origin.scope for node in asg.Graph(y=y).nodes if not node.op.is_placeholder}
    assert "fc/parametrizations/weight/1" in scopes
    assert "ParametrizedValue(f64[2, 2])" in repr(net)


def test_first_values_can_still_be_chosen() -> None:
    layer = register_parametrization(nn.Linear(2, 2), "weight", Doubled())
    nn.init.initialize(layer, {"*weight.original": 0.5})
    assert weight_of(layer).tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_frozen_parts_stay() -> None:
    frozen = weight_norm(nn.Linear(2, 2).freeze())
    assert not any(variable.trainable for variable in frozen.parameters().values())


@pytest.mark.parametrize("make", [weight_norm, spectral_norm])
def test_a_variable_again(make: Any) -> None:
    layer = make(make(nn.Linear(3, 2)), "bias")
    before = weight_of(layer, 4)
    assert is_parametrized(layer) and is_parametrized(layer, "weight")
    remove_parametrizations(layer, "weight", seed=4)
    assert is_parametrized(layer, "bias") and not is_parametrized(layer, "weight")
    remove_parametrizations(layer, "bias")
    assert not is_parametrized(layer) and list(layer.parameters()) == ["weight", "bias"]
    np.testing.assert_allclose(layer.state_dict(seed=9)["weight"], before, rtol=1e-6)


def test_a_variable_again_from_a_session() -> None:
    layer = weight_norm(nn.Linear(3, 1, dtype="float64"))
    net = nn.Sequential(layer)
    build = asg.train_step(net, loss=lambda y, t: ((y - t) ** 2).mean(), optimizer=optim.sgd(0.3))
    session = asg.compile(build(x=(("n", 3), "float64"), t=(("n", 1), "float64"))).start()
    session(x=filled(4, 3), t=filled(4, 1))
    held = net.state_dict(session)
    g, v = (held[f"0.parametrizations.weight.original{i}"] for i in (0, 1))
    remove_parametrizations(layer, "weight", session)
    wanted = g * v / np.linalg.norm(v, axis=1, keepdims=True)
    np.testing.assert_allclose(net.state_dict()["0.weight"], wanted, rtol=1e-12)


class Shorter(nn.Module):
    def forward(self, original: asg.Tensor) -> asg.Tensor:
        return original[:1]


def normed() -> nn.Linear:
    return weight_norm(nn.Linear(3, 2))


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: weight_norm(nn.Linear(3, 2), "wieght"), OperandError,
     "no variable 'wieght' .* it has weight, bias"),
    (lambda: weight_norm(nn.Linear(3, 2, bias=False), "bias"), OperandError, "no variable 'bias'"),
    (lambda: weight_norm(nn.Linear(3, 2), dim=2), OperandError, "dim=2 is none of the 2 axes"),
    (lambda: weight_norm(nn.Linear(3, 2), dim=-1), OperandError, "dim=-1"),
    (lambda: weight_norm(normed()), OperandError, "no variable 'weight'"),
    (lambda: spectral_norm(normed()), OperandError, "'weight' is parametrised already"),
    (lambda: spectral_norm(nn.Linear(3, 2), dim=2), OperandError, "dim=2"),
    (lambda: spectral_norm(nn.Linear(3, 2), eps=0.0), OperandError, r"eps=0\.0 must be positive"),
    (lambda: spectral_norm(nn.Linear(3, 2), n_power_iterations=0), OperandError, "n_power"),
    (lambda: register_parametrization(nn.Linear(3, 2), "weight", 2), OperandError, "is a module"),  # type: ignore[arg-type]
    (lambda: register_parametrization(nn.Linear(3, 2), "weight", Shorter()), ShapeError,
     r"'weight' makes f32\[1, 3\] of f32\[2, 3\]"),
    (lambda: register_parametrization(normed(), "weight", Shorter()), ShapeError, "makes"),
    (lambda: register_parametrization(normed(), "weight", WeightNorm(0)), OperandError,
     "first parametrisation of 'weight'"),
    (lambda: remove_parametrizations(nn.Linear(3, 2), "weight"), OperandError, "no parametri"),
    (lambda: weight_norm(nn.Embedding(3, 2, max_norm=1.0))(asg.constant([1])), OperandError,
     "max_norm shortens"),
    (lambda: setattr(normed(), "weight", 3.0), OperandError, "'weight' is parametrised"),
    (lambda: nn.Linear(3, 2).wieght, AttributeError, "'Linear' object has no attribute 'wieght'"),  # type: ignore[attr-defined]
    (lambda: spectral_norm(nn.Linear(3, 2))(asg.input("x", (1, 3))), StateError, "spectral_norm"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "told"), REFUSED)
def test_what_is_refused(make: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        make()


def test_what_is_refused_changes_nothing() -> None:
    layer = nn.Linear(3, 2)
    with pytest.raises(ShapeError):
        register_parametrization(layer, "weight", Shorter())
    assert list(layer.parameters()) == ["weight", "bias"] and layer.weight.name == "weight"
