"""InstanceNorm against PyTorch: steps in a row, evaluation, derivatives, single examples."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError, ShapeError
from tests.nn.oracle import assert_like_pytorch, assert_steps_like_pytorch

torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
LAYERS = [
    ("InstanceNorm1d", (2, 3, 4)),
    ("InstanceNorm1d", (3, 4)),
    ("InstanceNorm2d", (2, 3, 2, 3)),
    ("InstanceNorm2d", (3, 2, 3)),
    ("InstanceNorm3d", (2, 3, 2, 1, 2)),
    ("InstanceNorm3d", (3, 2, 1, 2)),
]
GRID: list[dict[str, Any]] = [
    {"affine": affine, "track_running_stats": tracked, "momentum": momentum}
    for affine, tracked, momentum in product((True, False), (True, False), (0.6,))
] + [{"eps": 0.5, "affine": True, "bias": False}, {"track_running_stats": True}]


def arrays(shape: tuple[int, ...], count: int = 3) -> list[np.ndarray[Any, Any]]:
    random = np.random.default_rng(8)
    return [random.normal(i, i + 1.0, shape) for i in range(count)]


def pair(name: str, **options: Any) -> tuple[Any, Any]:
    theirs = getattr(torch.nn, name)(3, **options)
    with torch.no_grad():
        for position, held in enumerate([*theirs.parameters(), *theirs.buffers()]):
            if held.dtype.is_floating_point:
                held.copy_(torch.linspace(0.5, 1.5 + position, 3))
    return getattr(nn, name)(3, dtype="float64", **options), theirs


@pytest.mark.parametrize(("name", "shape"), LAYERS)
@pytest.mark.parametrize("options", GRID, ids=str)
def test_steps_in_a_row(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    assert_steps_like_pytorch(*pair(name, **options), arrays(shape))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "shape"), LAYERS)
def test_derivatives(name: str, shape: tuple[int, ...], training: bool) -> None:
    for options in ({}, {"affine": True, "track_running_stats": True}):
        ours, theirs = pair(name, **options)
        batched = shape[0] == 2
        assert_like_pytorch(
            ours, theirs, arrays(shape, 1), training=training, symbolic_batch=batched
        )


def test_on_jax() -> None:
    pytest.importorskip("jax", reason="JAX is an optional backend")
    both = pair("InstanceNorm2d", affine=True, track_running_stats=True)
    assert_steps_like_pytorch(*both, arrays((2, 3, 2, 3)), "jax")


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: nn.InstanceNorm1d(0), OperandError, "num_features=0"),
        (lambda: nn.InstanceNorm1d(3, eps=-1.0), OperandError, r"eps=-1\.0"),
        (lambda: nn.InstanceNorm1d(3, momentum=None), OperandError, "momentum=None"),  # type: ignore[arg-type]
        (lambda: nn.InstanceNorm1d(3, affine=2), OperandError, "affine=2"),  # type: ignore[arg-type]
        (lambda: nn.InstanceNorm1d(3)(asg.input("x", (2, 4, 5))), ShapeError, "3 channels"),
        (lambda: nn.InstanceNorm2d(3)(asg.input("x", (4, 5, 5))), ShapeError, "3 channels"),
        (lambda: nn.InstanceNorm2d(3)(asg.input("x", (3, 5))), ShapeError, "takes"),
        (lambda: nn.InstanceNorm2d(3)(asg.input("x", (2, 3, 1, 1))), ShapeError, "two values"),
    ],
)
def test_what_is_refused(make: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        make()
