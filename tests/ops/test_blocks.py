"""Padding by copies, blocks, pixels and grids against PyTorch and NumPy; what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import OperandError, ShapeError

from .pytorch import assert_as_pytorch

IMAGES = np.random.default_rng(0).normal(size=(2, 3, 5, 6))
COLUMNS = np.random.default_rng(1).normal(size=(2, 12, 12))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_by_copies(mode: str) -> None:
    functional = pytest.importorskip("torch").nn.functional
    assert_as_pytorch(
        lambda x: asg.pad(x, ((0, 0), (0, 0), (1, 2), (4, 3)), mode=mode),
        lambda x: functional.pad(x, (4, 3, 1, 2), mode=mode),
        [IMAGES],
    )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_names_of_modes_in_numpy(backend: str) -> None:
    for mode in ("edge", "wrap", "reflect"):
        found = asg.run(asg.pad(asg.constant([[1, 2, 3]] * 2), 1, mode=mode), backend=backend)
        np.testing.assert_array_equal(found, np.pad([[1, 2, 3]] * 2, 1, mode))


OPTIONS: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_columns_of_images(options: dict[str, Any]) -> None:
    functional = pytest.importorskip("torch").nn.functional
    assert_as_pytorch(
        lambda x: asg.unfold(x, **options), lambda x: functional.unfold(x, **options), [IMAGES]
    )


def test_images_of_columns() -> None:
    functional = pytest.importorskip("torch").nn.functional
    options = {"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 0)}
    assert_as_pytorch(
        lambda x: asg.fold(x, (3, 8), **options),
        lambda x: functional.fold(x, (3, 8), **options),
        [COLUMNS],
    )


def test_channels_and_pixels() -> None:
    functional = pytest.importorskip("torch").nn.functional
    x = np.random.default_rng(2).normal(size=(2, 8, 4, 6))
    for name in ("pixel_shuffle", "pixel_unshuffle"):
        assert_as_pytorch(
            lambda t, name=name: getattr(asg, name)(t, 2),
            lambda t, name=name: getattr(functional, name)(t, 2),
            [x],
        )


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 3, 2, 4, 3)])
def test_affine_grids(size: tuple[int, ...], align: bool) -> None:
    functional = pytest.importorskip("torch").nn.functional
    spatial = len(size) - 2
    theta = np.random.default_rng(3).normal(size=(2, spatial, spatial + 1))
    assert_as_pytorch(
        lambda t: asg.affine_grid(t, size, align),
        lambda t: functional.affine_grid(t, list(size), align_corners=align),
        [theta],
    )


@pytest.mark.parametrize("indexing", ["xy", "ij"])
def test_grids_of_coordinates(indexing: Any) -> None:
    vectors = [np.arange(2), np.arange(3) * 1.5, np.arange(4)]
    for count in (0, 1, 2, 3):
        found = asg.meshgrid(*vectors[:count], indexing=indexing)
        wanted = np.meshgrid(*vectors[:count], indexing=indexing)
        assert len(found) == len(wanted)
        for tensor, array in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(asg.run(tensor), array)


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: asg.pad(asg.input("x", (3,)), 3, mode="reflect"), ShapeError, "too few elements"),
    (lambda: asg.pad(asg.input("x", (3,)), 4, mode="wrap"), ShapeError, "too few elements"),
    (lambda: asg.pad(asg.input("x", (0,)), 1, mode="edge"), ShapeError, "too few elements"),
    (lambda: asg.pad(asg.input("x", (3,)), 1, mode="mirror"), OperandError, "mode is 'mirror'"),
    (lambda: asg.pad(asg.input("x", (3,)), 1, 2.0, mode="edge"), OperandError, "is not used"),
    (lambda: asg.unfold(asg.input("x", (2, 3)), 2), ShapeError, "spatial axes"),
    (lambda: asg.unfold(asg.input("x", (2, 3, 4)), 5), ShapeError, "does not fit"),
    (lambda: asg.unfold(asg.input("x", (2, 3, 4)), 0), OperandError, "kernel_size is 0"),
    (lambda: asg.fold(asg.input("x", (2, 4, 3)), (4, 4), 2), ShapeError, "does not fit"),
    (lambda: asg.fold(asg.input("x", (2, 5, 9)), (4, 4), 2), ShapeError, "no multiple"),
    (lambda: asg.fold(asg.input("x", (2, 4, 9)), 4, 2), OperandError, "output_size is 4"),
    (lambda: asg.pixel_shuffle(asg.input("x", (6, 2, 2)), 2), ShapeError, "no multiple of 4"),
    (lambda: asg.pixel_unshuffle(asg.input("x", (1, 2, 3)), 2), ShapeError, "no multiple of 2"),
    (lambda: asg.pixel_shuffle(asg.input("x", (2, 2)), 2), ShapeError, "is no image"),
    (lambda: asg.pixel_shuffle(asg.input("x", (4, 2, 2)), 0), OperandError, "upscale_factor is 0"),
    (lambda: asg.channel_shuffle(asg.input("x", ("n", 6)), 4), ShapeError, "no multiple of 4"),
    (lambda: asg.channel_shuffle(asg.input("x", ("n", 6)), 0), OperandError, "groups is 0"),
    (lambda: asg.channel_shuffle(asg.input("x", (6,)), 2), ShapeError, "has no channels"),
    (lambda: asg.unflatten(asg.input("x", (6,)), 0, (4, -1)), ShapeError, "no multiple of 4"),
    (lambda: asg.unflatten(asg.input("x", (6,)), 0, (2, 2)), ShapeError, "does not fill"),
    (lambda: asg.unflatten(asg.input("x", (6,)), 0, (-1, -1)), ShapeError, "-1 twice"),
    (lambda: asg.meshgrid([1], [2], indexing="yx"), OperandError, "indexing is 'yx'"),
    (lambda: asg.meshgrid([[1]]), ShapeError, "is no vector"),
    (lambda: asg.affine_grid(asg.input("t", (1, 2, 2)), (3, 3)), ShapeError, "does not fit"),
    (lambda: asg.affine_grid(asg.input("t", (1, 2, 3)), ("h", 3)), OperandError, "literal"),
]


@pytest.mark.parametrize(("build", "error", "message"), REFUSED)
def test_wrong_arguments_are_refused(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()
