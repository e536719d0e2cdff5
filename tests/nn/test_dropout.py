"""Dropout layers: rates, scales, shapes of masks, moments, gradients, backends, evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError, ShapeError, StateError

Array = np.ndarray[Any, Any]
IMAGES = (40, 30, 3, 2)
LAYERS: list[tuple[str, Any, tuple[int, ...], tuple[int, ...]]] = [  # with the shape of the mask
    ("Dropout", lambda p: nn.Dropout(p), (80, 60), (80, 60)),
    ("Dropout of a vector", lambda p: nn.Dropout(p), (3000,), (3000,)),
    ("Dropout1d", lambda p: nn.Dropout1d(p), (60, 50, 3), (60, 50, 1)),
    ("Dropout1d of one", lambda p: nn.Dropout1d(p), (3000, 3), (3000, 1)),
    ("Dropout2d", lambda p: nn.Dropout2d(p), (60, 50, 2, 3), (60, 50, 1, 1)),
    ("Dropout3d", lambda p: nn.Dropout3d(p), (60, 50, 2, 1, 2), (60, 50, 1, 1, 1)),
    ("Dropout3d of one", lambda p: nn.Dropout3d(p), (3000, 2, 1, 2), (3000, 1, 1, 1)),
    ("rows", lambda p: nn.StochasticDepth(p, "row"), (3000, 2, 2), (3000, 1, 1)),
]
ALPHA: list[tuple[str, Any, tuple[int, ...]]] = [
    ("AlphaDropout", lambda p: nn.AlphaDropout(p), (200, 150)),
    ("FeatureAlphaDropout", lambda p: nn.FeatureAlphaDropout(p), (200, 150, 1, 2)),
]


def steps(
    layer: nn.Module, x: Array, count: int = 1, backend: str = "numpy", seed: int = 0
) -> list[tuple[Array, Array]]:
    """(output, gradient of its product with 3) of some training steps on the same input."""
    placeholder = asg.input("x", ("n", *x.shape[1:]), x.dtype.name)
    with asg.StateTrace(training=True) as trace:
        y = layer(placeholder)
        slope = asg.grad((y * 3.0).sum(), placeholder)
        graph = trace.close({"y": y, "slope": slope})
    session = asg.compile(graph, backend=backend).start(seed)
    return [(found["y"], found["slope"]) for found in (session(x=x) for _ in range(count))]


def filled(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
@pytest.mark.parametrize(("name", "make", "shape", "mask"), LAYERS, ids=lambda v: str(v)[:20])
def test_parts_are_dropped_at_their_rate(
    name: str, make: Any, shape: tuple[int, ...], mask: tuple[int, ...], p: float
) -> None:
    x = filled(shape)
    ((y, slope),) = steps(make(p), x)
    kept = y != 0.0
    first = kept[tuple(slice(size) for size in mask)]
    np.testing.assert_array_equal(kept, np.broadcast_to(first, shape), err_msg=name)
    deviation = np.sqrt(p * (1 - p) / first.size)
    assert abs(first.mean() - (1 - p)) < 4 * deviation
    np.testing.assert_allclose(y[kept], (x / (1 - p))[kept], rtol=1e-12)
    np.testing.assert_allclose(slope, np.where(kept, 3.0 / (1 - p), 0.0), rtol=1e-12)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
@pytest.mark.parametrize(("name", "make", "shape"), ALPHA, ids=lambda v: str(v)[:20])
def test_alpha_dropout_keeps_mean_and_variance(
    name: str, make: Any, shape: tuple[int, ...], p: float
) -> None:
    x = filled(shape)
    ((y, slope),) = steps(make(p), x)
    assert abs(y.mean()) < 0.03 and abs(y.var() - 1.0) < 0.05
    kept = slope != 0.0
    assert abs(kept.mean() - (1 - p)) < 0.01
    if len(shape) > 2:
        np.testing.assert_array_equal(kept, np.broadcast_to(kept[:, :, :1, :1], shape))
    floor = -1.0507009873554805 * 1.6732632423543772
    scale = 1.0 / np.sqrt((p * floor**2 + 1.0) * (1.0 - p))
    wanted = scale * np.where(kept, x, floor) - scale * floor * p
    np.testing.assert_allclose(y, wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(slope, np.where(kept, 3.0 * scale, 0.0), rtol=1e-9)


def test_the_two_values_of_alpha_dropout_are_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    x = np.full((500,), 0.7)
    for p in (0.1, 0.6, 1.0):
        ((y, _),) = steps(nn.AlphaDropout(p), x)
        theirs = torch.nn.AlphaDropout(p).train()(torch.tensor(x)).numpy()
        np.testing.assert_allclose(np.unique(y), np.unique(theirs), rtol=1e-9, atol=1e-12)


def test_a_whole_batch_has_one_fate() -> None:
    x = np.ones((4, 3))
    found = [y for y, _ in steps(nn.StochasticDepth(0.5, "batch"), x, 60)]
    assert all(np.unique(y).size == 1 for y in found)
    assert {float(y[0, 0]) for y in found} == {0.0, 2.0}


def every_layer(p: float) -> list[tuple[nn.Module, Array]]:
    return [
        *((make(p), filled((4, *shape[1:]))) for _, make, shape, _ in LAYERS),
        *((make(p), filled((4, *shape[1:]))) for _, make, shape in ALPHA),
        (nn.StochasticDepth(p, "batch"), filled((4, 3))),
    ]


def test_everything_or_nothing() -> None:
    for layer, x in every_layer(1.0):
        ((y, slope),) = steps(layer, x)
        assert not y.any() and not slope.any()
    for layer, x in every_layer(0.0):
        placeholder = asg.input("x", x.shape)
        assert layer(placeholder) is placeholder


def test_evaluation_is_the_identity_and_has_to_be_chosen() -> None:
    for layer, x in every_layer(0.5):
        placeholder = asg.input("x", x.shape)
        with asg.training_mode(False):
            assert layer(placeholder) is placeholder
        with pytest.raises(StateError, match=f"{type(layer).__name__} behaves differently"):
            layer(placeholder)


@pytest.mark.parametrize("make", [make for _, make, *_ in [LAYERS[0], LAYERS[4], *ALPHA]])
def test_another_mask_at_every_step_and_call(make: Any) -> None:
    x = filled((20, 30, 1, 1))
    found = [y for y, _ in steps(make(0.5), x, 3)]
    assert not np.array_equal(found[0], found[1]) and not np.array_equal(found[1], found[2])
    layer = make(0.5)
    with asg.StateTrace(training=True) as trace:
        graph = trace.close({"one": layer(asg.constant(x)), "other": layer(asg.constant(x))})
    results = asg.compile(graph).start(0)()
    assert not np.array_equal(results["one"], results["other"])


def test_masks_are_the_same_on_jax() -> None:
    pytest.importorskip("jax", reason="JAX is an optional backend")
    x = filled((6, 5, 2, 2))
    net = nn.Sequential(
        nn.Dropout(0.3), nn.Dropout2d(0.3), nn.StochasticDepth(0.3, "row"), nn.AlphaDropout(0.3),
        nn.FeatureAlphaDropout(0.3),
    )  # fmt: skip
    both = zip(steps(net, x, 2), steps(net, x, 2, "jax"), strict=True)
    for (y, slope), (other, other_slope) in both:
        np.testing.assert_allclose(y, other, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(slope, other_slope, rtol=1e-12)


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan"), True, "half", None])
def test_wrong_probabilities(p: Any) -> None:
    makes = [make for _, make, *_ in LAYERS] + [make for _, make, _ in ALPHA]
    for make in makes:
        with pytest.raises(OperandError, match=f"p={p!r}"):
            make(p)


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: nn.StochasticDepth(0.5, "column"), OperandError, "mode='column'"),
        (lambda: nn.Dropout1d()(asg.input("x", (3,))), ShapeError, r"takes \[channels, length\]"),
        (lambda: nn.Dropout2d()(asg.input("x", (3, 2, 2))), ShapeError, r"given f32\[3, 2, 2\]"),
        (lambda: nn.Dropout3d()(asg.input("x", (3, 2, 2))), ShapeError, "depth"),
        (lambda: nn.FeatureAlphaDropout()(asg.input("x", (3,))), ShapeError, "channels"),
        (lambda: asg.dropout(asg.input("x", (3,)), 0.5, asg.random_key(0), 1), ShapeError, "axis"),
    ],
)
def test_what_is_refused(make: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told), asg.training_mode(False):
        make()
