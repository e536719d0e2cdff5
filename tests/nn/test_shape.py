"""Layers that lay elements out anew, against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError, ShapeError
from tests.nn.oracle import assert_like_pytorch

# name, arguments, shape of x, whether its first axis is a batch
CASES: list[tuple[str, dict[str, Any], tuple[int, ...], bool]] = [
    ("Flatten", {}, (2, 3, 4, 5), True),
    ("Flatten", {"start_dim": 2}, (2, 3, 4, 5), True),
    ("Flatten", {"start_dim": 0, "end_dim": -2}, (2, 3, 4, 5), True),
    ("Unflatten", {"dim": 1, "unflattened_size": (2, -1)}, (2, 6, 3), True),
    ("Unflatten", {"dim": -1, "unflattened_size": (1, 3, 1)}, (2, 6, 3), True),
    ("PixelShuffle", {"upscale_factor": 2}, (2, 8, 3, 2), True),
    ("PixelShuffle", {"upscale_factor": 3}, (9, 1, 2), False),
    ("PixelUnshuffle", {"downscale_factor": 2}, (2, 2, 4, 6), True),
    ("PixelUnshuffle", {"downscale_factor": 3}, (2, 3, 6), False),
    ("ChannelShuffle", {"groups": 3}, (2, 6, 2, 3), True),
    ("ChannelShuffle", {"groups": 2}, (2, 6, 5), True),
    ("Unfold", {"kernel_size": 2}, (2, 3, 4, 5), True),
    ("Unfold", {"kernel_size": (2, 3), "stride": (2, 1), "padding": (0, 1)}, (3, 4, 5), False),
    ("Unfold", {"kernel_size": 3, "dilation": (2, 1), "padding": 1}, (2, 3, 4, 5), True),
    ("Fold", {"output_size": (4, 5), "kernel_size": 2}, (2, 12, 12), True),
    ("Fold", {"output_size": (4, 5), "kernel_size": (2, 3), "stride": (2, 1),
              "padding": (0, 1)}, (18, 10), False),
    ("Fold", {"output_size": 4, "kernel_size": 2, "dilation": 2, "padding": 1}, (2, 8, 16), True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "shape", "batched"), CASES)
def test_values_and_gradients_are_pytorchs(
    name: str, options: dict[str, Any], shape: tuple[int, ...], batched: bool
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    assert repr(ours) == repr(theirs)
    x = np.random.default_rng(0).normal(size=shape)
    for symbolic in {False, batched}:
        assert_like_pytorch(ours, theirs, [x], symbolic_batch=symbolic)


@pytest.mark.parametrize("case", [CASES[3], CASES[5], CASES[9], CASES[12], CASES[16]])
def test_xla_agrees(case: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    name, options, shape, _ = case
    x = np.random.default_rng(0).normal(size=shape)
    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    assert_like_pytorch(ours, theirs, [x], backend="jax")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Flatten("1"), "start_dim='1'"),  # type: ignore[arg-type]
        (lambda: nn.Flatten(1, True), "end_dim=True"),
        (lambda: nn.Unflatten(1, 6), "unflattened_size=6"),  # type: ignore[arg-type]
        (lambda: nn.Unflatten(1, (2, -2)), r"unflattened_size=\(2, -2\)"),
        (lambda: nn.Unflatten("c", (2, 3)), "dim='c'"),  # type: ignore[arg-type]
        (lambda: nn.PixelShuffle(0), "upscale_factor=0"),
        (lambda: nn.PixelUnshuffle(1.5), "downscale_factor=1.5"),  # type: ignore[arg-type]
        (lambda: nn.ChannelShuffle(-1), "groups=-1"),
        (lambda: nn.Unfold((2, 2, 2)), r"kernel_size=\(2, 2, 2\) has 3 entries"),
        (lambda: nn.Unfold(2, padding=-1), "padding=-1"),
        (lambda: nn.Fold(0, 2), "output_size=0"),
        (lambda: nn.Fold(4, 2, stride=0), "stride=0"),
        (lambda: nn.Fold(4, 2, dilation=(1, 0)), r"dilation=\(1, 0\)"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Flatten(3), "axis 3 does not exist"),
        (nn.Flatten(2, 1), "lies behind"),
        (nn.Unflatten(1, (4, -1)), "no multiple of 4"),
        (nn.PixelShuffle(2), "no multiple of 4"),
        (nn.PixelUnshuffle(2), "no multiple of 2"),
        (nn.ChannelShuffle(4), "no multiple of 4"),
        (nn.Unfold(2), "a layer over 2 spatial axes takes"),
        (nn.Fold(4, 5), "no multiple of the kernel's 25"),
    ],
)
def test_wrong_calls_are_refused(layer: nn.Module, message: str) -> None:
    shape = (2, 6, 3) if not isinstance(layer, nn.Unfold) else (2, 6)
    with pytest.raises(ShapeError, match=message):
        layer(asg.input("x", shape))
