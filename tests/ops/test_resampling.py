"""Resizing and sampling against PyTorch, derivatives included; what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError

from .pytorch import assert_as_pytorch

IMAGES = np.random.default_rng(0).normal(size=(2, 2, 5, 4))
LINE = np.random.default_rng(1).normal(size=(1, 2, 7))


@pytest.mark.parametrize(
    ("mode", "theirs", "array"),
    [("nearest", "nearest", IMAGES), ("nearest-exact", "nearest-exact", LINE),
     ("linear", "linear", LINE), ("bilinear", "bilinear", IMAGES), ("cubic", "bicubic", IMAGES)],
)  # fmt: skip
@pytest.mark.parametrize(
    ("size", "scale", "align"),
    [(9, None, False), (3, None, True), (1, None, True), (None, 1.7, False), (None, 0.6, True)],
)
def test_sizes_and_scales(
    mode: str, theirs: str, array: Any, size: Any, scale: Any, align: bool
) -> None:
    functional = pytest.importorskip("torch").nn.functional
    corners: dict[str, Any] = {} if mode.startswith("nearest") else {"align_corners": align}
    assert_as_pytorch(
        lambda x: asg.resize(x, size, scale, mode, **corners),
        lambda x: functional.interpolate(x, size, scale, theirs, **corners),
        [array],
    )


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("spatial", [2, 3])
def test_samples_at_places(spatial: int, mode: str, padding: str, align: bool) -> None:
    functional = pytest.importorskip("torch").nn.functional
    options: dict[str, Any] = {"mode": mode, "padding_mode": padding, "align_corners": align}
    generator = np.random.default_rng(spatial)
    x = generator.normal(size=(2, 2, 3, 4, 5)[: spatial + 2])
    grid = generator.uniform(-2.4, 2.4, size=(*(2, 3, 4, 2, 5)[: spatial + 1], spatial))
    if mode == "nearest":  # nothing flows to the grid
        torch = pytest.importorskip("torch")
        assert_as_pytorch(
            lambda x: asg.grid_sample(x, grid, **options),
            lambda x: functional.grid_sample(x, torch.tensor(grid), **options),
            [x],
        )
        return
    assert_as_pytorch(
        lambda x, g: asg.grid_sample(x, g, **options),
        lambda x, g: functional.grid_sample(x, g, **options),
        [x, grid],
        order=1,
    )


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_cubic_samples_as_in_pytorch(padding: str, align: bool) -> None:
    """PyTorch has no second derivative of it; the contract test compares that with differences."""
    functional = pytest.importorskip("torch").nn.functional
    options: dict[str, Any] = {"mode": "bicubic", "padding_mode": padding, "align_corners": align}
    generator = np.random.default_rng(2)
    x, grid = generator.normal(size=(2, 2, 5, 3)), generator.uniform(-2.4, 2.4, size=(2, 3, 4, 2))
    for backend in ("numpy", "jax")[: 1 + align * (padding == "reflection")]:
        assert_as_pytorch(
            lambda x, g: asg.grid_sample(x, g, **options),
            lambda x, g: functional.grid_sample(x, g, **options),
            [x, grid], 1, backend,
        )  # fmt: skip


X = asg.input("x", (1, 2, 3, 4))
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: asg.resize(asg.input("x", (2, 3)), 4), ShapeError, "no spatial axes"),
    (lambda: asg.resize(X, (4,)), ShapeError, "1 sizes for"),
    (lambda: asg.resize(asg.input("x", (1, 1, "n")), 4), ShapeError, "literal"),
    (lambda: asg.resize(asg.input("x", (1, 1, "n")), scale=2), ShapeError, "symbolic"),
    (lambda: asg.resize(X, 0), ShapeError, "not 0"),
    (lambda: asg.resize(X), OperandError, "either size or scale"),
    (lambda: asg.resize(X, 4, scale=2), OperandError, "either size or scale"),
    (lambda: asg.resize(X, scale=-1), OperandError, "positive"),
    (lambda: asg.resize(X, 4, mode="area"), OperandError, "mode is 'area'"),
    (lambda: asg.resize(X, 4, mode="trilinear"), ShapeError, "for 3 spatial axes"),
    (lambda: asg.resize(X, 4, align_corners=True), OperandError, "does not apply"),
    (lambda: asg.resize(asg.input("x", (1, 1, 4), "int32"), 2, mode="linear"), DtypeError, "float"),
    (lambda: asg.grid_sample(X, asg.input("g", (1, 2, 2, 3))), ShapeError, "no 2 coordinates"),
    (lambda: asg.grid_sample(X, asg.input("g", (2, 2, 2, 2))), ShapeError, "differ in N"),
    (lambda: asg.grid_sample(X, asg.input("g", (1, 2, 2, 2)), "area"), OperandError, "mode is"),
    (lambda: asg.grid_sample(X[0], asg.input("g", (2, 2, 1)), "bicubic"), ShapeError, "for 2 spat"),
    (lambda: asg.grid_sample(X, asg.input("g", (1, 2, 2, 2)), padding_mode="same"), OperandError,
     "padding_mode is"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "error", "message"), REFUSED)
def test_wrong_arguments_are_refused(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()
