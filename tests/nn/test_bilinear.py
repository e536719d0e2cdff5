"""The bilinear layer against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError, ShapeError
from tests.nn.oracle import assert_like_pytorch


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("lead", [(), (5,), (2, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_bilinear_is_pytorchs(bias: bool, lead: tuple[int, ...], backend: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours, theirs = nn.Bilinear(3, 4, 5, bias, "float64"), torch.nn.Bilinear(3, 4, 5, bias)
    assert repr(ours) == repr(theirs)
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(*lead, 3)), random.normal(size=(*lead, 4))]
    assert_like_pytorch(ours, theirs, arrays, symbolic_batch=bool(lead), backend=backend)


def test_first_values_have_pytorchs_distribution() -> None:
    for values in nn.Bilinear(16, 20, 30).state_dict(seed=1).values():
        assert 0.2 < np.abs(values).max() <= 0.25 and values.std() > 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Bilinear(0, 4, 5), "in1_features=0"),
        (lambda: nn.Bilinear(3, 4.0, 5), "in2_features=4.0"),  # type: ignore[arg-type]
        (lambda: nn.Bilinear(3, 4, True), "out_features=True"),
        (lambda: nn.Bilinear(3, 4, 5, bias="no"), "bias='no'"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


def test_wrong_calls_are_refused() -> None:
    layer = nn.Bilinear(3, 4, 5)
    with pytest.raises(ShapeError, match="they differ in the last axis only"):
        layer(asg.input("a", (2, 3)), asg.input("b", (4,)))
    with pytest.raises(ShapeError, match="two sizes"):
        layer(asg.input("a", (2, 3)), asg.input("b", (2, 3)))
