"""Cholesky and QR beyond the contract: wide matrices, failures in a batch, PyTorch, wrong uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, FeedError, ShapeError

RNG = np.random.default_rng(0)
BACKENDS = ("numpy", "jax")


def run(tensors: Any, feeds: Any = None, backend: str = "numpy") -> Any:
    found = asg.run(tensors, feeds or {}, backend=backend)
    return list(map(np.asarray, found)) if isinstance(tensors, list) else np.asarray(found)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cholesky_and_two_derivatives_as_pytorch(backend: str) -> None:
    torch = pytest.importorskip("torch")
    root = RNG.normal(size=(2, 5, 5))
    data = root @ root.transpose(0, 2, 1) + np.eye(5)
    x = asg.input("x", data.shape, "float64")
    value = asg.cholesky(x)
    weights = RNG.normal(size=data.shape)
    first = asg.grad((value * weights).sum(), x)
    second = asg.grad((first**2).sum(), x)
    ours = run([value, first, second], {x: data}, backend=backend)
    p = torch.tensor(data, requires_grad=True)
    half = torch.linalg.cholesky((p + p.mT) / 2)
    one = torch.autograd.grad((half * torch.tensor(weights)).sum(), p, create_graph=True)[0]
    two = torch.autograd.grad((one**2).sum(), p)[0]
    for found, wanted in zip(ours, [half, one, two], strict=True):
        np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_matrix_that_is_not_positive_definite_is_nan_below(backend: str) -> None:
    x = np.stack([np.eye(3), np.diag([1.0, -1.0, 1.0]), 4 * np.eye(3)])
    found = run(asg.cholesky(x), backend=backend)
    assert np.array_equal(np.isnan(found[1]), np.tril(np.ones((3, 3), bool)))
    assert np.array_equal(found[[0, 2]], [np.eye(3), 2 * np.eye(3)])
    upper = run(asg.cholesky(x[2], upper=True), backend=backend)
    assert np.array_equal(upper, 2 * np.eye(3))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (2, 3, 5), (1, 4), (0, 3)])
def test_qr_is_reduced_and_of_positive_diagonal(backend: str, shape: tuple[int, ...]) -> None:
    data = RNG.normal(size=shape)
    q, r = run(list(asg.qr(data)), backend=backend)
    count = min(shape[-2:])
    assert q.shape == (*shape[:-1], count) and r.shape == (*shape[:-2], count, shape[-1])
    np.testing.assert_allclose(q @ r, data, atol=1e-12)
    identity = np.broadcast_to(np.eye(count), (*shape[:-2], count, count))
    np.testing.assert_allclose(np.swapaxes(q, -1, -2) @ q, identity, atol=1e-12)
    assert (np.diagonal(r, 0, -2, -1) > 0).all()
    assert np.array_equal(r, np.triu(r))


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_the_gradient_of_qr_as_pytorch(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    data = RNG.normal(size=shape)
    x = asg.input("x", shape, "float64")
    q, r = asg.qr(x)
    weights = RNG.normal(size=q.shape), RNG.normal(size=r.shape)
    found = run(asg.grad((q * weights[0]).sum() + (r * weights[1]).sum(), x), {x: data})
    p = torch.tensor(data, requires_grad=True)
    q, r = torch.linalg.qr(p)
    signs = torch.sign(torch.diagonal(r))
    q, r = q * signs, r * signs[:, None]
    loss = (q * torch.tensor(weights[0])).sum() + (r * torch.tensor(weights[1])).sum()
    wanted = torch.autograd.grad(loss, p)[0]
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-9, atol=1e-10)


def test_symbolic_rows_must_reach_the_columns_when_it_runs() -> None:
    x = asg.input("x", ("m", 3))
    q, _ = asg.qr(x)
    assert run(q, {x: np.eye(4, 3, dtype=np.float32)}).shape == (4, 3)
    with pytest.raises(FeedError, match="more columns than rows"):
        run(q, {x: np.eye(2, 3, dtype=np.float32)})


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda x: asg.cholesky(x), ShapeError, "not square"),
        (lambda x: asg.cholesky(x[0]), ShapeError, "x has 1 axes"),
        (lambda x: asg.cholesky((x @ x.mT).astype("float16")), DtypeError, "x is float16"),
        (lambda x: asg.cholesky((x @ x.mT).astype("int32")), DtypeError, "astype\\('float32'\\)"),
        (lambda x: asg.qr(x[0]), ShapeError, "x has 1 axes"),
        (lambda x: asg.qr(x.astype("int32")), DtypeError, "x is int32"),
    ],
)
def test_errors_say_what_is_wrong(
    wrong: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        wrong(asg.input("x", (2, 3)))
