"""Padding layers against PyTorch's: every mode over one, two and three axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError, ShapeError
from tests.nn.oracle import assert_like_pytorch

KINDS = ["ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad"]
SIZES = (4, 5, 3)
WIDTHS: dict[int, list[Any]] = {
    1: [1, (2, 0), (-1, 2), (0, -2)],
    2: [2, (1, 2, 0, 1), (2, -1, -1, 1)],
    3: [1, (0, 1, 2, 0, 1, 2), (-1, 1, 0, -2, 1, 0)],
}
CASES = [(kind, spatial, w) for kind in KINDS for spatial in WIDTHS for w in WIDTHS[spatial]]


def layers(kind: str, spatial: int, widths: Any) -> tuple[Any, Any]:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    arguments = (widths, -1.5) if kind == "ConstantPad" else (widths,)
    name = f"{kind}{spatial}d"
    return getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments)


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(("kind", "spatial", "widths"), CASES)
def test_values_and_gradients_are_pytorchs(
    kind: str, spatial: int, widths: Any, batched: bool
) -> None:
    ours, theirs = layers(kind, spatial, widths)
    assert repr(ours) == repr(theirs)
    shape = (*((2,) if batched else ()), 2, *SIZES[-spatial:])
    x = np.random.default_rng(0).normal(size=shape)
    assert_like_pytorch(ours, theirs, [x], symbolic_batch=batched)


@pytest.mark.parametrize("kind", KINDS)
def test_xla_agrees(kind: str) -> None:
    x = np.random.default_rng(0).normal(size=(2, 2, 5, 3))
    assert_like_pytorch(*layers(kind, 2, (2, -1, -1, 1)), [x], backend="jax")


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_may_be_symbolic(kind: str) -> None:
    ours, _ = layers(kind, 2, (1, 2, -1, 1))
    x = asg.input("x", ("n", "c", "h", "w"))
    images = np.random.default_rng(0).normal(size=(1, 2, 4, 3)).astype("f4")
    literal = asg.input("x", images.shape)
    found, wanted = asg.run(ours(x), {x: images}), asg.run(ours(literal), {literal: images})
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.ZeroPad1d(1.5), "padding=1.5"),  # type: ignore[arg-type]
        (lambda: nn.ZeroPad2d((1, 2)), r"padding=\(1, 2\) must be"),
        (lambda: nn.ReflectionPad2d((1, 2, 3, True)), "padding="),
        (lambda: nn.CircularPad3d("1"), "padding='1'"),  # type: ignore[arg-type]
        (lambda: nn.ConstantPad1d(1, "0"), "value='0'"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


def test_wrong_calls_are_refused() -> None:
    x = asg.input("x", (2, 3))
    with pytest.raises(ShapeError, match=r"ZeroPad3d pads 3 axes, x is f32\[2, 3\]"):
        nn.ZeroPad3d(1)(x)
    with pytest.raises(ShapeError, match="too few elements for reflect"):
        nn.ReflectionPad1d(3)(x)
    with pytest.raises(asg.AsgError, match="does not fit int32"):
        nn.ConstantPad1d(1, 0.5)(x.astype("int32"))
