"""Augmentation on the host: against loops over single images, and the shares of mixed targets."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from asg import data
from asg.core.errors import OperandError
from asg.data import DataLoader, Dataset, Draw
from asg.data.augment import rotated
from asg.data.mixing import symmetric_beta

X = np.random.default_rng(0).uniform(0.1, 1.0, (64, 3, 5, 6))
Y = np.arange(64) % 4
MAKERS: list[Callable[[], Any]] = [
    lambda: data.random_crop("x", padding=2),
    lambda: data.random_horizontal_flip("x"),
    lambda: data.random_rotation("x", 30.0),
    lambda: data.color_jitter("x", 0.4, 0.4, 0.4),
    lambda: data.cutout("x", 3),
    lambda: data.mixup("x", "y", 4),
    lambda: data.cutmix("x", "y", 4),
]


def changed(transform: Any, seed: int = 0, x: Any = X) -> Any:
    return transform({"x": x, "y": Y[: len(x)]}, Draw.first(len(x), seed))["x"]


@pytest.mark.parametrize("make", MAKERS)
def test_all_repeat_keep_the_dtype_and_leave_the_batch_alone(make: Callable[[], Any]) -> None:
    x = X.astype(np.float32)
    before = x.copy()
    first = changed(make(), 1, x)
    assert first.dtype == np.float32 and first.shape == x.shape
    assert np.array_equal(first, changed(make(), 1, x))
    assert not np.array_equal(first, changed(make(), 2, x))
    assert not np.array_equal(first, x)
    assert np.array_equal(x, before)


@pytest.mark.parametrize("make", MAKERS[:5])
def test_an_image_is_changed_alike_in_batches_of_any_size(make: Callable[[], Any]) -> None:
    loaders = (DataLoader(Dataset({"x": X}), n, transform=make(), seed=2) for n in (7, 64))
    small, large = (np.concatenate([batch["x"] for batch in loader]) for loader in loaders)
    assert np.array_equal(small, large)


@pytest.mark.parametrize(("size", "padding"), [(None, 2), ((3, 4), 0), ((5, 6), 1), ((9, 10), 2)])
def test_a_crop_is_a_window_of_the_padded_image(size: Any, padding: int) -> None:
    found = changed(data.random_crop("x", size, padding, fill=7.0))
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


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_a_flip_exchanges_left_and_right(p: float) -> None:
    images = np.tile(X, (10, 1, 1, 1))
    transform = data.random_horizontal_flip("x", p)
    found = transform({"x": images}, Draw.first(640))["x"]
    flipped = (found == images[..., ::-1]).all((1, 2, 3))
    assert (flipped | (found == images).all((1, 2, 3))).all()
    assert abs(flipped.mean() - p) < 4 * (p * (1 - p) / 640) ** 0.5 + 1e-12


def test_a_quarter_turn_is_exact_and_others_are_grid_sample() -> None:
    square = X[:, :, :5, :5]
    assert np.allclose(rotated(square, np.full(64, np.pi / 2)), np.rot90(square, axes=(2, 3)))
    assert np.allclose(rotated(X, np.full(64, np.pi)), X[:, :, ::-1, ::-1])
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    angles = np.linspace(-3.0, 3.0, 64)
    cosine, sine = np.cos(angles), np.sin(angles)
    rows = [[cosine, -sine * 5 / 6, 0 * sine], [sine * 6 / 5, cosine, 0 * sine]]
    theta = torch.tensor(np.array(rows).transpose(2, 0, 1))
    functional = torch.nn.functional
    grid = functional.affine_grid(theta, list(X.shape), align_corners=False)
    expected = functional.grid_sample(torch.tensor(X), grid, align_corners=False)
    assert np.allclose(rotated(X, angles), expected.numpy(), atol=1e-12)


def test_a_rotation_stays_within_its_degrees() -> None:
    draws = 2 * Draw.first(64, 3).uniform() - 1
    expected = rotated(X, np.deg2rad(40.0) * draws)
    assert np.allclose(changed(data.random_rotation("x", 40.0), 3), expected)
    assert np.array_equal(changed(data.random_rotation("x", 0.0)), X)


def test_colours_are_blended_in_order() -> None:
    found = changed(data.color_jitter("x", 0.8, 0.6, 0.4), 5)
    factors = 1 + np.array([0.8, 0.6, 0.4]) * (2 * Draw.first(64, 5).uniform(3) - 1)
    for ours, image, (bright, contrast, colour) in zip(found, X, factors, strict=True):
        image = np.clip(image * bright, 0, 1)
        grey = np.tensordot([0.299, 0.587, 0.114], image, 1)
        image = np.clip(contrast * image + (1 - contrast) * grey.mean(), 0, 1)
        grey = np.tensordot([0.299, 0.587, 0.114], image, 1)
        assert np.allclose(ours, np.clip(colour * image + (1 - colour) * grey, 0, 1))
    one = changed(data.color_jitter("x", saturation=0.5), 5, X[:, :1])
    assert np.allclose(one, X[:, :1])


@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_cutout_hides_a_square(size: int) -> None:
    found = changed(data.cutout("x", size, fill=9.0))
    hidden = (found == 9.0).all(1)
    assert np.array_equal(found[:, 0] == 9.0, hidden)
    assert np.array_equal(np.where(hidden[:, None], 0, found), np.where(hidden[:, None], 0, X))
    for mask in hidden:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask.sum() == len(rows) * len(columns)
        assert 1 <= len(rows) <= size and np.ptp(rows) == len(rows) - 1
    assert hidden.sum((1, 2)).max() == min(size**2, 30)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixed_targets_go_with_the_images(soft: bool, alpha: float) -> None:
    batch = {"x": X, "y": np.eye(4, dtype=np.float32)[Y] if soft else Y}
    for seed in range(5):
        mixed = data.mixup("x", "y", 4, alpha)(batch, Draw.first(64, seed))
        share = symmetric_beta(alpha, Draw.first(64, seed).fork(1))
        partners = Draw.first(64, seed).fork(0).partners()
        assert sorted(partners) == list(range(64))
        assert np.allclose(mixed["x"], share * X + (1 - share) * X[partners])
        targets = np.eye(4)[Y] * share + np.eye(4)[Y[partners]] * (1 - share)
        assert np.allclose(mixed["y"], targets, atol=1e-6)
        assert mixed["y"].dtype == np.float32


def test_cutmix_targets_are_areas() -> None:
    areas = set()
    for seed in range(20):
        mixed = data.cutmix("x", "y", 4)({"x": X, "y": Y}, Draw.first(64, seed))
        partners = Draw.first(64, seed).fork(0).partners()
        moved = partners != np.arange(64)
        own = (mixed["x"] == X).all(1)
        assert np.array_equal(own | (mixed["x"] == X[partners]).all(1), np.ones_like(own))
        share = own[moved][0].mean()
        assert np.allclose(own[moved].mean((1, 2)), share)
        targets = np.eye(4)[Y] * share + np.eye(4)[Y[partners]] * (1 - share)
        assert np.allclose(mixed["y"], targets, atol=1e-6)
        areas.add(round(share, 3))
    assert len(areas) >= 6


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 4.0])
def test_shares_are_of_the_beta_distribution(alpha: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    drawn = [symmetric_beta(alpha, Draw(1, epoch, 0, np.arange(1))) for epoch in range(400)]
    assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 0.001


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: changed(data.cutout("x", 3), 0, X[0]), r"'x' is float64\[3, 5, 6\]"),
    (lambda: changed(data.cutout("x", 3), 0, np.zeros((1, 3, 4, 4), np.uint8)), "to_float"),
    (lambda: data.random_crop("x", (0, 3)), r"size\[0\]=0"),
    (lambda: data.random_crop("x", padding=-1), "padding=-1"),
    (lambda: changed(data.random_crop("x", (8, 3), 1)), "8x3 is larger than images of 5x6"),
    (lambda: data.random_horizontal_flip("x", 1.5), "p=1.5"),
    (lambda: data.random_rotation("x", -1.0), "degrees=-1.0"),
    (lambda: data.color_jitter("x", contrast=-0.5), "contrast=-0.5"),
    (lambda: changed(data.color_jitter("x", contrast=0.5), 0, X[:, :2]), "has 2 channels"),
    (lambda: data.cutout("x", 0), "size=0"),
    (lambda: data.mixup("x", "y", 4, 0.0), "alpha=0.0 must be positive"),
    (lambda: data.mixup("x", "y", 0), "classes=0"),
    (lambda: changed(data.mixup("x", "y", 3)), r"y\[3\] is 3, not one of 0\.\.\.2"),
    (lambda: data.mixup("x", "y", 4)({"x": X, "y": np.ones((64, 3))}, Draw.first(64)), "soft"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_what_makes_no_sense_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()
