"""Activations against PyTorch, in narrow dtypes, and at the ends of the range."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError

POINTS = np.array([-9.3, -4.0, -1.3, -0.4, -1e-3, 2e-3, 0.7, 1.9, 5.2, 11.0])
EVERY = [
    ("relu", {}, "relu", {}),
    ("leaky_relu", {"negative_slope": 0.2}, "leaky_relu", {"negative_slope": 0.2}),
    ("elu", {"alpha": 1.3}, "elu", {"alpha": 1.3}),
    ("silu", {}, "silu", {}),
    ("gelu", {}, "gelu", {}),
    ("gelu", {"approximate": "tanh"}, "gelu", {"approximate": "tanh"}),
    ("softplus", {"beta": 1.5}, "softplus", {"beta": 1.5, "threshold": 1e9}),
    ("softmax", {"axis": 0}, "softmax", {"dim": 0}),
    ("log_softmax", {"axis": 0}, "log_softmax", {"dim": 0}),
]


def run(tensor: asg.Tensor, feeds: Any = None, backend: str = "numpy") -> Any:
    return np.asarray(asg.run(tensor, feeds or {}, backend=backend))


@pytest.mark.parametrize(("name", "options", "other", "theirs"), EVERY)
def test_value_and_two_derivatives_as_pytorch(
    name: str, options: dict[str, Any], other: str, theirs: dict[str, Any]
) -> None:
    torch = pytest.importorskip("torch")
    x = asg.input("x", POINTS.shape, "float64")
    value = getattr(asg, name)(x, **options)
    first = asg.grad((value * value * asg.constant(np.cos(POINTS))).sum(), x)
    second = asg.grad((first * first).sum(), x)
    t = torch.tensor(POINTS, requires_grad=True)
    wanted = getattr(torch.nn.functional, other)(t, **theirs)
    (one,) = torch.autograd.grad(
        (wanted * wanted * torch.cos(t.detach())).sum(), t, create_graph=True
    )
    (two,) = torch.autograd.grad((one * one).sum(), t)
    for found, expected in ((value, wanted), (first, one), (second, two)):
        np.testing.assert_allclose(
            run(found, {x: POINTS}), expected.detach().numpy(), rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize(("name", "options"), [(name, options) for name, options, *_ in EVERY])
def test_large_numbers_give_no_nan_in_value_and_gradient(
    name: str, options: dict[str, Any], dtype: str, backend: str
) -> None:
    x = asg.input("x", (4,), dtype)
    value = getattr(asg, name)(x, **options)
    data = np.array([-60000.0, -300.0, 300.0, 60000.0]).astype(x.dtype.numpy)
    graph = asg.Graph(y=value, g=asg.grad(value.sum(), x))
    found = asg.compile(graph, backend)(x=data)
    assert not np.isnan(np.asarray(found["g"], np.float32)).any()
    assert not np.isnan(np.asarray(found["y"], np.float32)).any()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_softmax_of_float16_sums_beyond_the_range_of_float16(backend: str) -> None:
    zeros = asg.zeros((70000,), "float16")
    found = run(asg.log_softmax(zeros), backend=backend)
    np.testing.assert_allclose(found[:3].astype(float), -np.log(70000.0), rtol=1e-3)


def test_second_derivative_of_log_softmax_agrees_with_softmax() -> None:
    x = asg.input("x", (2, 5), "float64")
    data = np.sin(np.arange(10.0)).reshape(2, 5) * 3.0
    log_of = asg.log(asg.softmax(x))
    ways = []
    for value in (asg.log_softmax(x), log_of):
        first = asg.grad((value * asg.constant(np.cos(data))).sum(), x)
        ways.append(run(asg.grad((first * first).sum(), x), {x: data}))
    np.testing.assert_allclose(ways[0], ways[1], rtol=1e-10, atol=1e-13)


def test_wrong_arguments_are_refused() -> None:
    x = asg.input("x", ("batch", 3))
    with pytest.raises(OperandError, match="choose 'none' or 'tanh'"):
        asg.gelu(x, "sigmoid")  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="beta is 0"):
        asg.softplus(x, 0)
    with pytest.raises(OperandError, match="alpha is 'a'"):
        asg.elu(x, "a")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="axis 2 does not exist"):
        asg.softmax(x, 2)
    for function in (asg.relu, asg.silu, asg.gelu, asg.softmax, asg.softplus, asg.elu):
        with pytest.raises(DtypeError, match="a floating dtype is needed"):
            function(asg.input("n", (3,), "int32"))
