"""Upsampling layers against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError, ShapeError
from tests.nn.oracle import assert_like_pytorch

CASES: list[tuple[str, int, dict[str, Any]]] = [
    ("Upsample", 1, {"scale_factor": 2}),
    ("Upsample", 1, {"size": 7, "mode": "linear"}),
    ("Upsample", 1, {"scale_factor": 1.7, "mode": "linear", "align_corners": True}),
    ("Upsample", 2, {"size": (5, 9)}),
    ("Upsample", 2, {"scale_factor": (2.0, 0.6), "mode": "nearest-exact"}),
    ("Upsample", 2, {"scale_factor": 2.3, "mode": "bilinear"}),
    ("Upsample", 2, {"scale_factor": 2.3, "mode": "bilinear", "recompute_scale_factor": True}),
    ("Upsample", 2, {"scale_factor": (1.5, 2.5), "mode": "bicubic",
                     "recompute_scale_factor": True}),
    ("Upsample", 2, {"size": (7, 3), "mode": "bilinear", "align_corners": True}),
    ("Upsample", 2, {"scale_factor": 2, "mode": "bicubic"}),
    ("Upsample", 2, {"size": 6, "mode": "bicubic", "align_corners": True}),
    ("Upsample", 3, {"scale_factor": 2}),
    ("Upsample", 3, {"scale_factor": (1.0, 2.0, 1.5), "mode": "trilinear"}),
    ("Upsample", 3, {"size": (5, 3, 4), "mode": "trilinear", "align_corners": True}),
    ("UpsamplingNearest2d", 2, {"scale_factor": 3}),
    ("UpsamplingNearest2d", 2, {"size": (3, 10)}),
    ("UpsamplingBilinear2d", 2, {"scale_factor": 2}),
    ("UpsamplingBilinear2d", 2, {"size": (3, 10)}),
]  # fmt: skip


def layers(name: str, options: dict[str, Any]) -> tuple[Any, Any]:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    return getattr(nn, name)(**options), getattr(torch.nn, name)(**options)


@pytest.mark.parametrize(("name", "spatial", "options"), CASES)
def test_values_and_gradients_are_pytorchs(
    name: str, spatial: int, options: dict[str, Any]
) -> None:
    ours, theirs = layers(name, options)
    assert repr(ours) == repr(theirs)
    x = np.random.default_rng(0).normal(size=(2, 2, *(4, 5, 3)[-spatial:]))
    for symbolic in (False, True):
        assert_like_pytorch(ours, theirs, [x], symbolic_batch=symbolic)


@pytest.mark.parametrize("case", [CASES[3], CASES[6], CASES[9], CASES[16]])
def test_xla_agrees(case: Any) -> None:
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 5))
    assert_like_pytorch(*layers(case[0], case[2]), [x], backend="jax")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Upsample(), "give one of the two"),
        (lambda: nn.Upsample(3, 2.0), "size=3 and scale_factor=2.0: give one"),
        (lambda: nn.Upsample(0), "size=0"),
        (lambda: nn.Upsample((3, 2.5)), "size=2.5"),  # type: ignore[arg-type]
        (lambda: nn.Upsample(scale_factor=-1), "scale_factor=-1"),
        (lambda: nn.Upsample(scale_factor=(1, "2")), "scale_factor='2'"),  # type: ignore[arg-type]
        (lambda: nn.Upsample(3, mode="area"), "mode='area'"),
        (lambda: nn.Upsample(3, align_corners=False), "align_corners=False has no meaning"),
        (lambda: nn.Upsample(3, mode="linear", align_corners=1), "align_corners=1"),  # type: ignore[arg-type]
        (lambda: nn.Upsample(3, recompute_scale_factor=True), "recompute_scale_factor=True"),
        (lambda: nn.UpsamplingNearest2d(), "give one of the two"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.UpsamplingBilinear2d(3), r"takes \[batch, channels, height, width\]"),
        (nn.Upsample(3, mode="bilinear"), "bilinear is for 2 spatial axes"),
        (nn.Upsample((3, 4)), "2 sizes for"),
        (nn.Upsample(scale_factor=(2, 2), recompute_scale_factor=True), "as many literal"),
        (nn.Upsample(scale_factor=2, recompute_scale_factor=True), "as many literal"),
        (nn.Upsample(scale_factor=2), "symbolic"),
    ],
)
def test_wrong_calls_are_refused(layer: nn.Module, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        layer(asg.input("x", ("n", 3, "t")))
