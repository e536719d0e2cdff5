"""Augmentation inside the step: windows, rates, turns, colours, areas; alike on both backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, OperandError, ShapeError
from asg.data.augment import rotated

Array = np.ndarray[Any, Any]
X: Array = np.random.default_rng(0).uniform(0.1, 1.0, (64, 3, 5, 6))
Y: Array = np.arange(64, dtype=np.int32) % 4
LAYERS: list[Callable[[], nn.Module]] = [
    lambda: nn.RandomCrop(padding=2),
    lambda: nn.RandomHorizontalFlip(),
    lambda: nn.RandomRotation(30.0),
    lambda: nn.ColorJitter(0.4, 0.4, 0.4),
    lambda: nn.Cutout(3),
]
MIXING: list[Callable[[], nn.Module]] = [
    lambda: nn.Mixup(4), lambda: nn.Mixup(4, 1.0), lambda: nn.CutMix(4), lambda: nn.CutMix(4, 0.3),
]  # fmt: skip


def run(
    layer: nn.Module, *arrays: Array, training: bool = True, backend: str = "numpy",
    shape: tuple[Any, ...] = ("n", 3, 5, 6), count: int = 1, seed: int = 0,
) -> list[list[Array]]:  # fmt: skip
    """The results of some steps on the same images (and labels)."""
    inputs = [asg.input("x", shape, arrays[0].dtype.name)]
    if len(arrays) > 1:
        inputs.append(asg.input("y", ("n", *arrays[1].shape[1:]), arrays[1].dtype.name))
    with asg.StateTrace(training=training) as trace:
        found: Any = layer(*inputs)
        outputs = found if isinstance(found, tuple) else (found,)
        graph = trace.close({f"out{i}": each for i, each in enumerate(outputs)})
    session = asg.compile(graph, backend=backend).start(seed)
    feeds = dict(zip("xy", arrays, strict=False))
    return [list(session(**feeds).values()) for _ in range(count)]


def given(layer: nn.Module, numbers: Array) -> nn.Module:
    """The layer with its random numbers fixed: column by column as it asks for them."""
    columns = iter(numbers.T)

    def fixed(x: Any, *shape: int) -> Any:
        return asg.constant(next(columns).reshape(-1, *shape))

    object.__setattr__(layer, "numbers", fixed)
    return layer


@pytest.mark.parametrize("make", LAYERS)
def test_images_change_at_random_while_training_only(make: Callable[[], nn.Module]) -> None:
    x = X.astype(np.float32)
    (first,), (second,) = run(make(), x, count=2)
    assert first.shape == x.shape and first.dtype == np.float32
    assert not np.array_equal(first, x) and not np.array_equal(first, second)
    assert np.array_equal(first, run(make(), x)[0][0])
    assert np.array_equal(run(make(), x, training=False)[0][0], x)


class Everything(nn.Module):
    """All layers on the same images, so that one program compiles."""

    def __init__(self) -> None:
        self.layers = nn.ModuleList([make() for make in LAYERS])
        self.mixing = nn.ModuleList([nn.Mixup(4), nn.CutMix(4)])

    def forward(self, x: asg.Tensor, labels: asg.Tensor) -> tuple[asg.Tensor, ...]:
        mixed = [each for layer in self.mixing for each in layer(x, labels)]
        return tuple([layer(x) for layer in self.layers] + mixed)


def test_both_backends_draw_alike() -> None:
    ours, theirs = (run(Everything(), X, Y, backend=backend)[0] for backend in ("numpy", "jax"))
    assert len(ours) == 9
    for mine, its in zip(ours, theirs, strict=True):
        assert np.allclose(mine, its, atol=1e-6)


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize(("size", "padding"), [(None, 2), ((3, 4), 0), ((5, 6), 1), ((9, 10), 2)])
def test_a_crop_is_a_window_of_the_padded_image(size: Any, padding: int, symbolic: bool) -> None:
    shape: tuple[Any, ...] = ("n", 3, "h", "w") if symbolic else ("n", 3, 5, 6)
    ((found,),) = run(nn.RandomCrop(size, padding, fill=7.0), X, shape=shape)
    height, width = size or (5, 6)
    padded = np.pad(X, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2), constant_values=7.0)
    corners = set()
    for ours, image in zip(found, padded, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(image, (height, width), axis=(1, 2))
        same = (windows == ours[:, None, None]).all((0, 3, 4))
        assert same.sum() == 1
        corners.add(tuple(np.argwhere(same)[0]))
    possible = (6 + 2 * padding - height) * (7 + 2 * padding - width)
    assert len(corners) >= min(possible, 4)


def test_a_crop_takes_the_middle_in_evaluation() -> None:
    ((found,),) = run(nn.RandomCrop((3, 2), padding=1), X, training=False)
    assert np.array_equal(found, X[:, :, 1:4, 2:4])


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_a_flip_exchanges_left_and_right(p: float) -> None:
    images = np.tile(X, (10, 1, 1, 1))
    ((found,),) = run(nn.RandomHorizontalFlip(p), images, shape=("n", 3, "h", "w"))
    flipped = (found == images[..., ::-1]).all((1, 2, 3))
    assert (flipped | (found == images).all((1, 2, 3))).all()
    assert abs(flipped.mean() - p) < 4 * (p * (1 - p) / 640) ** 0.5 + 1e-12


@pytest.mark.parametrize("degrees", [0.0, 25.0, 180.0])
def test_a_turn_is_that_of_the_host(degrees: float) -> None:
    numbers = np.random.default_rng(1).uniform(size=(64, 1))
    ((found,),) = run(given(nn.RandomRotation(degrees), numbers), X, shape=(64, 3, 5, 6))
    angles = np.deg2rad(degrees) * (2 * numbers[:, 0] - 1)
    assert np.allclose(found, rotated(X, angles), atol=1e-12)


def test_colours_are_blended_in_order() -> None:
    numbers = np.random.default_rng(1).uniform(size=(64, 3))
    layer = given(nn.ColorJitter(0.8, 0.6, 0.4), numbers)
    ((found,),) = run(layer, X, shape=(64, 3, "h", "w"))
    factors = 1 + np.array([0.8, 0.6, 0.4]) * (2 * numbers - 1)
    for ours, image, (bright, contrast, colour) in zip(found, X, factors, strict=True):
        image = np.clip(image * bright, 0, 1)
        grey = np.tensordot([0.299, 0.587, 0.114], image, 1)
        image = np.clip(contrast * image + (1 - contrast) * grey.mean(), 0, 1)
        grey = np.tensordot([0.299, 0.587, 0.114], image, 1)
        assert np.allclose(ours, np.clip(colour * image + (1 - colour) * grey, 0, 1), atol=1e-12)
    ((one,),) = run(nn.ColorJitter(saturation=0.5), X[:, :1], shape=("n", 1, 5, 6))
    assert np.allclose(one, X[:, :1])


@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_cutout_hides_a_square(size: int) -> None:
    ((found,),) = run(nn.Cutout(size, fill=9.0), X, shape=("n", 3, "h", "w"))
    hidden = (found == 9.0).all(1)
    assert np.array_equal(found[:, 0] == 9.0, hidden)
    assert np.array_equal(np.where(hidden[:, None], 0, found), np.where(hidden[:, None], 0, X))
    for mask in hidden:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask.sum() == len(rows) * len(columns)
        assert 1 <= len(rows) <= size and np.ptp(rows) == len(rows) - 1
    assert hidden.sum((1, 2)).max() == min(size**2, 30)


@pytest.mark.parametrize("make", MIXING[:2])
@pytest.mark.parametrize("soft", [False, True])
def test_mixup_mixes_images_and_targets_alike(make: Callable[[], nn.Module], soft: bool) -> None:
    """Images that name their place show partner and share."""
    x = np.tile(np.eye(64)[:, None, None, :], (1, 1, 2, 1))
    targets = np.eye(4)[Y]
    labels = targets if soft else Y
    shares = set()
    for images, mixed in run(make(), x, labels, shape=("n", 1, 2, 64), count=5):
        weights = images[:, 0, 0]
        assert np.allclose(weights.sum(0), 1) and np.allclose(weights.sum(1), 1)
        assert ((weights > 1e-9).sum(1) <= 2).all()
        assert np.allclose(mixed, weights @ targets, atol=1e-6)
        shares.add(round(float(np.diag(weights).min()), 4))
    assert len(shares) == 5


@pytest.mark.parametrize("make", MIXING[2:])
def test_cutmix_targets_are_areas(make: Callable[[], nn.Module]) -> None:
    x = np.broadcast_to(np.arange(64.0)[:, None, None, None], (64, 1, 8, 9)).copy()
    areas = set()
    for images, mixed in run(make(), x, Y, shape=("n", 1, "h", "w"), count=12):
        own = images == x
        moved = images.max((1, 2, 3)) != images.min((1, 2, 3))
        share = own[moved][0].mean() if moved.any() else 1.0
        for i in np.flatnonzero(moved):
            partner = int(images[i][~own[i]][0])
            assert (images[i][~own[i]] == partner).all()
            expected = share * np.eye(4)[Y[i]] + (1 - share) * np.eye(4)[Y[partner]]
            assert np.allclose(mixed[i], expected, atol=1e-6)
        areas.add(round(float(share), 4))
    assert len(areas) > 3


@pytest.mark.parametrize("make", MIXING)
def test_nothing_is_mixed_in_evaluation(make: Callable[[], nn.Module]) -> None:
    ((images, targets),) = run(make(), X, Y, training=False)
    assert np.array_equal(images, X) and np.array_equal(targets, np.eye(4)[Y])


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_shares_are_of_the_beta_distribution(alpha: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    x = np.stack([np.ones((1, 1, 1)), np.zeros((1, 1, 1))])
    found = run(nn.Mixup(2, alpha), x, Y[:2], shape=("n", 1, 1, 1), count=200)
    shares = [max(targets[0, 0], 1e-9) for _, targets in found if targets[0, 0] < 1.0]
    assert len(shares) > 60  # the two are partners in half of the steps
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.001


def test_gradients_go_through_the_change() -> None:
    x = asg.input("x", (64, 3, 5, 6), "float64")
    with asg.StateTrace(training=True) as trace:
        y = nn.Sequential(nn.RandomHorizontalFlip(), nn.Cutout(3, fill=5.0))(x)
        graph = trace.close({"y": y, "slope": asg.grad((y * y).sum() / 2.0, x)})
    found = asg.compile(graph).start(0)(x=X)
    kept = np.where(found["y"] == 5.0, 0.0, found["y"])
    straight = np.isclose(found["slope"], kept).all((1, 2, 3))
    turned = np.isclose(found["slope"], kept[..., ::-1]).all((1, 2, 3))
    assert (straight | turned).all() and straight.any() and turned.any()


SMALL = asg.input("x", ("n", 3, 4, 4))
WRONG: list[tuple[Callable[[], Any], type[AsgError], str]] = [
    (lambda: nn.RandomCrop((0, 3)), OperandError, "height=0"),
    (lambda: nn.RandomCrop(padding=-1), OperandError, "padding=-1"),
    (lambda: nn.RandomHorizontalFlip(1.5), OperandError, "p=1.5"),
    (lambda: nn.RandomRotation(-1.0), OperandError, "degrees=-1.0"),
    (lambda: nn.ColorJitter(contrast=-0.5), OperandError, "contrast=-0.5"),
    (lambda: nn.Cutout(0), OperandError, "size=0"),
    (lambda: nn.Mixup(0), OperandError, "classes=0"),
    (lambda: nn.Mixup(3, 0.0), OperandError, "alpha=0.0"),
    (lambda: nn.CutMix(3, -1.0), OperandError, "alpha=-1.0"),
    (lambda: training(nn.RandomCrop((7, 4), 1), SMALL), ShapeError, r"takes \(7, 4\)"),
    (lambda: training(nn.Cutout(2), SMALL[0]), ShapeError, "Cutout takes"),
    (lambda: training(nn.RandomRotation(9), asg.input("x", ("n", 3, "h", 4))), ShapeError,
     "literal height"),
    (lambda: training(nn.ColorJitter(0, 0.5), asg.input("x", ("n", 2, 4, 4))), ShapeError,
     "3 channels"),
    (lambda: training(nn.Mixup(3), SMALL, SMALL), ShapeError, "labels takes"),
]  # fmt: skip


def training(layer: nn.Module, *inputs: asg.Tensor) -> Any:
    with asg.StateTrace(training=True):
        return layer(*inputs)


@pytest.mark.parametrize(("make", "error", "message"), WRONG)
def test_what_makes_no_sense_is_refused(
    make: Callable[[], Any], error: type[AsgError], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()
