"""Norms against NumPy and PyTorch, narrow floats, wrong uses; Kronecker products and diagonals."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError

RNG = np.random.default_rng(0)
BACKENDS = ("numpy", "jax")


def run(tensor: Any, feeds: Any = None, backend: str = "numpy") -> Any:
    return np.asarray(asg.run(tensor, feeds or {}, backend=backend))


@pytest.mark.parametrize("ord", [0, 0.5, 1, 1.5, 2, 3, -2, inf, -inf])
def test_vector_norms_and_gradients_as_pytorch(ord: float) -> None:
    torch = pytest.importorskip("torch")
    data = RNG.normal(size=(2, 3, 4))
    x = asg.input("x", data.shape, "float64")
    value = asg.vector_norm(x, (0, -1), keepdims=True, ord=ord)
    p = torch.tensor(data, requires_grad=True)
    wanted = torch.linalg.vector_norm(p, ord, (0, -1), keepdim=True)
    np.testing.assert_allclose(run(value, {x: data}), wanted.detach().numpy(), rtol=1e-12)
    if ord:
        slope = torch.autograd.grad((wanted**2).sum(), p)[0]
        found = run(asg.grad((value**2).sum(), x), {x: data})
        np.testing.assert_allclose(found, slope.numpy(), rtol=1e-10)


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, inf, -inf])
def test_matrix_norms_and_gradients_as_pytorch(ord: Any) -> None:
    torch = pytest.importorskip("torch")
    data = RNG.normal(size=(2, 3, 4))
    x = asg.input("x", data.shape, "float64")
    value = asg.matrix_norm(x, ord=ord, keepdims=True)
    p = torch.tensor(data, requires_grad=True)
    wanted = torch.linalg.matrix_norm(p, ord, keepdim=True)
    slope = torch.autograd.grad((wanted**2).sum(), p)[0]
    np.testing.assert_allclose(run(value, {x: data}), wanted.detach().numpy(), rtol=1e-12)
    found = run(asg.grad((value**2).sum(), x), {x: data})
    np.testing.assert_allclose(found, slope.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_narrow_floats_are_squared_in_float32(backend: str) -> None:
    x = asg.input("x", (100,), "float16")
    value = asg.vector_norm(x)
    data = np.full(100, 300.0, np.float16)  # squares leave float16
    assert value.dtype is asg.float16
    assert run(value, {x: data}, backend) == 3000.0
    slope = run(asg.grad(value, x), {x: data}, backend)
    np.testing.assert_allclose(slope.astype(float), 0.1, rtol=1e-3)


def test_a_norm_is_one_box() -> None:
    x = asg.input("x", ("m", "n"))
    graph = asg.Graph(a=asg.vector_norm(x, -1), b=asg.matrix_norm(x, ord="nuc"))
    names = [node.op.name for node in graph.nodes if node.inputs]
    assert names == ["vector_norm", "matrix_norm"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_products_and_diagonals_as_numpy(backend: str) -> None:
    a, b = RNG.normal(size=(2, 3)), RNG.normal(size=(2, 1, 3))
    np.testing.assert_allclose(run(asg.kron(a, b), None, backend), np.kron(a, b))
    np.testing.assert_allclose(run(asg.cross(a, b), None, backend), np.cross(a, b))
    for offset in (-2, 0, 1):
        assert np.array_equal(run(asg.diag(a[0], offset), None, backend), np.diag(a[0], offset))
        assert np.array_equal(run(asg.diag(a, offset), None, backend), np.diag(a, offset))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda x: asg.vector_norm(x, 2), ShapeError, "axis 2 does not exist"),
        (lambda x: asg.vector_norm(x, ord="fro"), OperandError, "ord is 'fro'"),  # type: ignore[arg-type]
        (lambda x: asg.vector_norm(x, ord=float("nan")), OperandError, "ord is NaN"),
        (lambda x: asg.vector_norm(x.astype("int32")), DtypeError, "x is int32"),
        (lambda x: asg.vector_norm(x[:0], ord=inf), ShapeError, "no elements"),
        (lambda x: asg.matrix_norm(x[0]), ShapeError, "x has 1 axes"),
        (lambda x: asg.matrix_norm(x, ord=3), OperandError, "ord is '3', known are fro, nuc"),
        (lambda x: asg.matrix_norm(x.astype("float16"), ord=2), DtypeError, "x is float16"),
        (lambda x: asg.matrix_norm(x[:0], ord=1), ShapeError, "no elements"),
        (lambda x: asg.cross(x, x[:, :2]), ShapeError, "axis -1 of x2 .* is not of size 3"),
        (lambda x: asg.cross(x, x, axis=0), ShapeError, "axis 0 of x1 does not exist"),
        (lambda x: asg.kron(x > 0, x > 0), DtypeError, "x1 is bool"),
        (lambda x: asg.diag(asg.stack([x, x])), ShapeError, "x has 3 axes.*diag_embed"),
        (lambda x: asg.diag_embed(x.sum()), ShapeError, "x is a scalar"),
        (lambda x: asg.diag_embed(x, 0.5), OperandError, "offset is 0.5"),  # type: ignore[arg-type]
    ],
)
def test_errors_say_what_is_wrong(
    wrong: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        wrong(asg.input("x", (2, 3)))
