"""Casts beyond the samples: identity, gradients between dtypes, what stops them."""

import numpy as np
import pytest

import asg
from asg.core.dtype import DTYPES
from asg.core.errors import DtypeError, UnreachedParameter
from asg.testing.parity import parity_problems


def test_a_cast_to_the_same_dtype_is_the_tensor_itself() -> None:
    x = asg.input("x", (2,))
    assert asg.astype(x, "float32") is x
    assert x.astype("f64").dtype is asg.float64


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(DtypeError, match="float23"):
        asg.input("x", ()).astype("float23")


@pytest.mark.parametrize("narrow", ["float16", "bfloat16", "float32"])
def test_the_cotangent_is_cast_back(narrow: str) -> None:
    x = asg.input("x", (2,), "float64")
    found = asg.grad((x.astype(narrow) * 3).sum(), x)
    assert found.dtype is asg.float64
    assert asg.run(found, {x: np.array([1.0, 2.0])}).tolist() == [3.0, 3.0]


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_integers_and_bool_stop_the_gradient(dtype: str) -> None:
    x = asg.input("x", (2,))
    with pytest.raises(UnreachedParameter, match="cast"):
        asg.grad(x.astype(dtype).astype("float32").sum(), x)


def test_stop_gradient_stops_one_path_only() -> None:
    x = asg.input("x", (), "float64")
    found = asg.grad(x * x * asg.stop_gradient(x), x)
    assert asg.run(found, {x: np.asarray(3.0)}).item() == 18.0
    with pytest.raises(UnreachedParameter, match="stop_gradient"):
        asg.grad(asg.stop_gradient(x), x)


@pytest.mark.parametrize("source", sorted(DTYPES))
def test_every_cast_is_the_same_on_both_backends(source: str) -> None:
    values = np.array([-1e30, -3e9, -70000.0, -129.0, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 127.5, 255.5,
                       256.0, 65519.0, 65520.0, 2.0**31, 2.0**63, 2.0**64, 1e30, np.inf, -np.inf,
                       np.nan])  # fmt: skip
    array = asg.run(asg.astype(asg.constant(values), source), {})
    x = asg.input("x", array.shape, source)
    outputs = {name: x.astype(name) for name in DTYPES if name != source}
    assert not parity_problems(outputs, {"x": array}, relative=0.0, of_largest=0.0)
