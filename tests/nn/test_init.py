"""Initialisers: distributions against PyTorch's, structure, backends; rules for whole modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, OperandError
from asg.nn import init

Array = np.ndarray[Any, Any]


def value(initialiser: Any, *shape: int, dtype: str = "float32", seed: int = 0, **how: Any) -> Any:
    built = initialiser(asg.random_key(seed), asg.TensorType.of(dtype, shape))
    assert built.type == asg.TensorType.of(dtype, shape)
    return np.asarray(asg.run(built, **how))


DISTRIBUTIONS: list[tuple[str, dict[str, Any], Any, tuple[int, ...]]] = [
    ("uniform_", {"a": -0.3, "b": 0.1}, init.uniform(-0.3, 0.1), (150, 200)),
    ("normal_", {"mean": 0.5, "std": 0.1}, init.normal(0.5, 0.1), (150, 200)),
    ("trunc_normal_", {"mean": 0.5, "a": -0.5}, init.trunc_normal(0.5, a=-0.5), (150, 200)),
    ("trunc_normal_", {"mean": 0.5, "std": 0.2, "a": 0.3, "b": 0.9},
     init.truncated_normal(0.5, 0.2, -1.0, 2.0), (150, 200)),
    ("trunc_normal_", {"std": 0.02}, init.trunc_normal(std=0.02), (150, 200)),
    ("xavier_uniform_", {}, init.xavier_uniform(), (50, 80, 3, 3)),
    ("xavier_uniform_", {"gain": 2.0}, init.glorot_uniform(2.0), (150, 200)),
    ("xavier_normal_", {}, init.xavier_normal(), (50, 80, 3, 3)),
    ("xavier_normal_", {"gain": 0.5}, init.glorot_normal(0.5), (150, 200)),
    ("kaiming_uniform_", {}, init.kaiming_uniform(), (50, 80, 3, 3)),
    ("kaiming_uniform_", {"a": 5**0.5}, init.he_uniform(5**0.5), (150, 200)),
    ("kaiming_uniform_", {"a": 0.1, "mode": "fan_out"}, init.kaiming_uniform(0.1, "fan_out"),
     (50, 80, 3, 3)),
    ("kaiming_uniform_", {"nonlinearity": "tanh"}, init.kaiming_uniform(nonlinearity="tanh"),
     (150, 200)),
    ("kaiming_normal_", {}, init.kaiming_normal(), (150, 200)),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"},
     init.he_normal(mode="fan_out", nonlinearity="relu"), (50, 80, 3, 3)),
    ("kaiming_normal_", {"nonlinearity": "linear"}, init.lecun_normal(), (50, 80, 3, 3)),
    ("kaiming_uniform_", {"nonlinearity": "linear"}, init.lecun_uniform(), (50, 80, 3, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "ours", "shape"), DISTRIBUTIONS)
def test_distributions_are_pytorchs(
    name: str, options: dict[str, Any], ours: Any, shape: tuple[int, ...]
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    torch.manual_seed(0)
    w = torch.empty(shape)
    getattr(torch.nn.init, name)(w, **options)
    found, wanted = value(ours, *shape).ravel(), w.numpy().ravel()
    deviation = wanted.std()
    at = np.array([0.001, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999])
    here, there = np.quantile(found, at), np.quantile(wanted, at)
    np.testing.assert_allclose(here[1:-1], there[1:-1], atol=0.05 * deviation)
    np.testing.assert_allclose(here, there, atol=0.35 * deviation)
    assert abs(found.std() / deviation - 1.0) < 0.02
    assert abs(found.mean() - wanted.mean()) < 0.03 * deviation


@pytest.mark.parametrize(
    ("ours", "low", "high"),
    [
        (init.uniform(-0.3, 0.1), -0.3, 0.1),
        (init.trunc_normal(0.5, 1.0, -0.5, 2.0), -0.5, 2.0),
        (init.truncated_normal(0.5, 0.2, -1.0, 2.0), 0.3, 0.9),
        (init.xavier_uniform(2.0), -2.0 * (6 / 350) ** 0.5, 2.0 * (6 / 350) ** 0.5),
        (init.kaiming_uniform(0.5), -((6 / 1.25 / 200) ** 0.5), (6 / 1.25 / 200) ** 0.5),
        (init.kaiming_uniform(0.0, "fan_out"), -((6 / 150) ** 0.5), (6 / 150) ** 0.5),
        (init.lecun_uniform(), -((3 / 200) ** 0.5), (3 / 200) ** 0.5),
    ],
)
def test_limits(ours: Any, low: float, high: float) -> None:
    for dtype in ("float32", "float64"):
        found = value(ours, 150, 200, dtype=dtype).astype(float)
        slack = 1e-6 * (high - low)
        assert low - slack <= found.min() < low + 1e-3 * (high - low)
        assert high - 1e-3 * (high - low) < found.max() <= high + slack


def test_gains_are_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    for name in ("linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "selu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    for slope in (None, 0, 0.3, -2):
        wanted = torch.nn.init.calculate_gain("leaky_relu", slope)
        assert init.calculate_gain("leaky_relu", slope) == wanted


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (2, 3, 4), (10, 2, 3), (5, 1)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-14)])
def test_orthogonal(shape: tuple[int, ...], dtype: str, tolerance: float) -> None:
    q = value(init.orthogonal(1.5), *shape, dtype=dtype).reshape(shape[0], -1).astype(float)
    square = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(square, 2.25 * np.eye(len(square)), atol=tolerance)


def test_orthogonal_is_uniform() -> None:
    draws = np.array([value(init.orthogonal(), 2, 2, seed=seed)[0, 0] for seed in range(80)])
    assert abs(draws.mean()) < 0.2 and abs((draws**2).mean() - 0.5) < 0.1
    assert 0.35 < (draws > 0).mean() < 0.65


@pytest.mark.parametrize(
    "shape", [(4, 3, 3), (4, 2, 4), (2, 5, 3, 2), (6, 3, 1, 3), (4, 4, 3, 2, 3)]
)
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac_is_pytorchs(shape: tuple[int, ...], groups: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    wanted = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()
    np.testing.assert_array_equal(value(init.dirac(groups), *shape), wanted)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
def test_eye(shape: tuple[int, int]) -> None:
    np.testing.assert_array_equal(value(init.identity(2.0), *shape), 2.0 * np.eye(*shape))


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.35, 1.0])
def test_sparse(sparsity: float) -> None:
    w = value(init.sparse(sparsity, 0.5), 100, 60)
    assert set((w == 0.0).sum(0)) == {int(np.ceil(sparsity * 100))}
    if sparsity < 1.0:
        assert abs(w[w != 0.0].std() / 0.5 - 1.0) < 0.05
        assert sparsity == 0.0 or len({tuple(column) for column in (w == 0.0).T}) > 50


def test_equal_on_jax_and_other_with_another_seed() -> None:
    pytest.importorskip("jax", reason="JAX is an optional backend")
    each = [
        init.uniform(), init.normal(), init.truncated_normal(), init.trunc_normal(std=0.1),
        init.kaiming_normal(), init.orthogonal(), init.sparse(0.3), init.dirac(), init.eye(),
    ]  # fmt: skip
    shapes = [(6, 5)] * 7 + [(4, 2, 3), (3, 3)]
    types = [asg.TensorType.of("float32", shape) for shape in shapes]
    made = [f(asg.random_key(0), t) for f, t in zip(each, types, strict=True)]
    other = [f(asg.random_key(1), t) for f, t in zip(each, types, strict=True)]
    pairs = zip(asg.run(made), asg.run(made, backend="jax"), asg.run(other), strict=True)
    for position, (here, there, elsewhere) in enumerate(pairs):
        np.testing.assert_allclose(here, np.asarray(there), rtol=1e-6, atol=1e-6)
        assert np.array_equal(here, elsewhere) == (position > 6)


REFUSED: list[tuple[Any, str]] = [
    (lambda: init.uniform(1.0, 1.0), "low < high"),
    (lambda: init.uniform("a"), "low='a'"),  # type: ignore[arg-type]
    (lambda: init.normal(0.0, -1.0), r"std=-1\.0"),
    (lambda: init.normal(None), "mean=None"),  # type: ignore[arg-type]
    (lambda: init.truncated_normal(std=0.0), "std="),
    (lambda: init.truncated_normal(lower=2.0, upper=1.0), "lower < upper"),
    (lambda: init.trunc_normal(std=0.0), "std="),
    (lambda: init.trunc_normal(a=3.0, b=1.0), "a < b"),
    (lambda: init.xavier_uniform(-1.0), r"gain=-1\.0"),
    (lambda: init.xavier_normal("big"), "gain='big'"),  # type: ignore[arg-type]
    (lambda: init.kaiming_normal(mode="fan_avg"), "mode='fan_avg'"),
    (lambda: init.kaiming_uniform(nonlinearity="swish"), "nonlinearity='swish'"),
    (lambda: init.kaiming_uniform(a="a"), "a='a'"),  # type: ignore[arg-type]
    (lambda: init.calculate_gain("leaky_relu", True), "param=True"),
    (lambda: init.orthogonal("one"), "gain='one'"),  # type: ignore[arg-type]
    (lambda: init.dirac(0), "groups=0"),
    (lambda: init.sparse(1.5), r"sparsity=1\.5"),
    (lambda: init.sparse(0.5, -1.0), r"std=-1\.0"),
    (lambda: value(init.orthogonal(), 3), "orthogonal needs floats along 2 axes or more"),
    (lambda: value(init.orthogonal(), 3, 3, dtype="int32"), "the variable is i32"),
    (lambda: value(init.eye(), 3, 3, 3), "eye needs"),
    (lambda: value(init.dirac(), 3, 3), "dirac needs floats along 3 to 5 axes"),
    (lambda: value(init.dirac(2), 3, 3, 3), "2 groups do not divide 3 outputs"),
    (lambda: value(init.sparse(0.5), 3), "sparse needs"),
    (lambda: value(init.kaiming_normal(), 3), "two axes or more"),
]


@pytest.mark.parametrize(("make", "told"), REFUSED)
def test_what_is_refused(make: Any, told: str) -> None:
    with pytest.raises(OperandError, match=told):
        make()


# -- rules for whole modules -----------------------------------------------------------------------


def net() -> nn.Sequential:
    inner = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2, bias=False))
    return nn.Sequential(body=inner, head=nn.Linear(2, 2))


def test_the_last_rule_that_fits_counts() -> None:
    model = net()
    before = model.state_dict()
    assert init.initialize(
        model,
        {
            "*.bias": 3.0,
            nn.Linear: {"weight": init.constant(0.5), "bias": init.zeros()},
            "head.weight": np.eye(2),
            "body.1.bias": init.ones(),
        },
    ) is model  # fmt: skip
    after = model.state_dict()
    wanted: dict[str, Any] = {
        "body.0.weight": 0.5, "body.0.bias": 0.0, "body.1.bias": 1.0, "body.2.weight": 0.5,
        "head.weight": np.eye(2), "head.bias": 0.0, "body.1.weight": before["body.1.weight"],
    }  # fmt: skip
    assert wanted.keys() == after.keys()
    for name, expected in wanted.items():
        np.testing.assert_array_equal(after[name], np.broadcast_to(expected, after[name].shape))


def test_each_variable_draws_numbers_of_its_own() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    held = init.initialize(model, {"*.weight": init.normal()}).state_dict()
    assert not np.array_equal(held["0.weight"], held["1.weight"])


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"*.wieght": 0.0}, r"no parameter is called '\*\.wieght'; there are body\.0\.weight"),
        ({nn.Embedding: {"weight": 0.0}}, "no Embedding of the module has a parameter 'weight'"),
        ({nn.LayerNorm: {"wieght": 0.0}}, "no LayerNorm of the module"),
        ({nn.Linear: init.zeros()}, "the rule for Linear is a dict"),
        ({3: 0.0}, "a pattern of names or a class"),
        ({"*": init.kaiming_normal()}, r"first value of 'head\.bias' cannot be made: fan-based"),
        ({"head.weight": np.zeros(3)}, r"first value of 'head\.weight' cannot be made"),
    ],
)
def test_wrong_rules_change_nothing(rules: Any, told: str) -> None:
    model = net()
    before = model.state_dict()
    with pytest.raises(AsgError, match=told):
        init.initialize(model, {"head.bias": 7.0, **rules})
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
