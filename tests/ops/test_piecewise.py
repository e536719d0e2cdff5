"""Piecewise activations against PyTorch, joints included, and what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.ops.pytorch import assert_as_pytorch

POINTS = np.array([-9.3, -4.0, -3.0, -1.3, -1.0, -0.5, -0.4, 0.0, 0.25, 0.5, 1.0, 3.0, 6.0, 11.0])
EVERY = [
    ("relu6", {}),
    ("hardtanh", {}),
    ("hardtanh", {"min_val": -0.5, "max_val": 3.0}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("hardshrink", {"lambd": 0.4}),
    ("softshrink", {"lambd": 0.4}),
    ("threshold", {"threshold": 0.25, "value": -7.0}),
]


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_value_and_two_derivatives_as_pytorch(name: str, options: dict[str, Any]) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    assert_as_pytorch(
        lambda x: getattr(asg, name)(x, **options),
        lambda x: getattr(functional, name)(x, **options),
        [POINTS],
        tolerance=1e-7 if name == "hardsigmoid" else 1e-9,  # PyTorch's sixth is a float32
        order=1 if name == "hardsigmoid" else 2,  # PyTorch has no second derivative of that one
    )


@pytest.mark.parametrize("shape", [(14,), (2, 7), (1, 2, 7)])
@pytest.mark.parametrize("weight", [np.array([0.3]), np.array([0.3, -0.2, 0.1, 0.9, 1.1, 0.5, 2])])
def test_prelu_as_pytorch(shape: tuple[int, ...], weight: Any) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    x = (POINTS + 0.01).reshape(shape)
    if weight.size > 1 and shape != (2, 7):
        x = np.moveaxis(x.reshape(1, 2, 7), 1, 2).copy()
    assert_as_pytorch(asg.prelu, functional.prelu, [x, weight])


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_large_numbers_give_no_nan(backend: str, dtype: str) -> None:
    x = asg.input("x", (4,), dtype)
    data = np.array([-60000.0, -300.0, 300.0, 60000.0]).astype(x.dtype.numpy)
    values = [getattr(asg, name)(x, **options) for name, options in EVERY]
    slopes = [asg.grad(value.sum(), x) for value in values]
    for found in asg.run([*values, *slopes], {x: data}, backend=backend):
        assert not np.isnan(np.asarray(found).astype(np.float32)).any()


def test_wrong_arguments_are_refused() -> None:
    x = asg.input("x", ("batch", 3))
    with pytest.raises(OperandError, match=r"min_val 1\.0 is not below max_val 0\.0"):
        asg.hardtanh(x, 1, 0)
    with pytest.raises(OperandError, match="lambd is -1"):
        asg.hardshrink(x, -1)
    with pytest.raises(OperandError, match="lambd is 'a', a number is needed"):
        asg.softshrink(x, "a")  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="value is None"):
        asg.threshold(x, 1.0, None)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="does not fit the channels"):
        asg.prelu(x, asg.input("w", (4,)))
    with pytest.raises(ShapeError, match="neither one number nor one per channel"):
        asg.prelu(x, asg.input("w", (1, 3)))
    with pytest.raises(ShapeError, match="neither one number nor one per channel"):
        asg.prelu(asg.input("v", (3,)), asg.input("w", (3,)))
    for function in (asg.relu6, asg.hardtanh, asg.hardsigmoid, asg.hardswish, asg.softshrink):
        with pytest.raises(DtypeError, match="a floating dtype is needed"):
            function(asg.input("n", (3,), "int32"))
