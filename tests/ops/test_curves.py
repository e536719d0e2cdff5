"""Smooth activations against PyTorch, at the ends of the range, and what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.ops.pytorch import assert_as_pytorch

POINTS = np.array([-9.3, -4.0, -1.3, -0.4, -1e-3, 2e-3, 0.7, 1.9, 5.2, 11.0])
EVERY: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("selu", {}, {}),
    ("celu", {"alpha": 1.3}, {"alpha": 1.3}),
    ("mish", {}, {}),
    ("softsign", {}, {}),
    ("tanhshrink", {}, {}),
    ("softmin", {"axis": 0}, {"dim": 0}),
]


@pytest.mark.parametrize(("name", "options", "theirs"), EVERY)
def test_value_and_two_derivatives_as_pytorch(
    name: str, options: dict[str, Any], theirs: dict[str, Any]
) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    assert_as_pytorch(
        lambda x: getattr(asg, name)(x, **options),
        lambda x: getattr(functional, name)(x, **theirs),
        [POINTS],
        tolerance=1e-6 if name == "celu" else 1e-9,  # PyTorch's 1 / alpha is a float32
    )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_large_numbers_give_no_nan_in_value_and_gradient(dtype: str, backend: str) -> None:
    x = asg.input("x", (4,), dtype)
    data = np.array([-60000.0, -300.0, 300.0, 60000.0]).astype(x.dtype.numpy)
    values = [getattr(asg, name)(x, **options) for name, options, _ in EVERY]
    slopes = [asg.grad(value.sum(), x) for value in values]
    for found in asg.run([*values, *slopes], {x: data}, backend=backend):
        assert not np.isnan(np.asarray(found).astype(np.float32)).any()


def test_wrong_arguments_are_refused() -> None:
    x = asg.input("x", ("batch", 3))
    with pytest.raises(OperandError, match=r"alpha is 0\.0"):
        asg.celu(x, 0)
    with pytest.raises(ShapeError, match="axis 2 does not exist"):
        asg.softmin(x, 2)
    for function in (asg.selu, asg.celu, asg.mish, asg.softsign, asg.tanhshrink, asg.softmin):
        with pytest.raises(DtypeError, match="a floating dtype is needed"):
            function(asg.input("n", (3,), "int32"))
