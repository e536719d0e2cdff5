"""Eigenvalues and singular values: signs, equal values, numbers that are not finite, PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, ShapeError

RNG = np.random.default_rng(0)
BACKENDS = ("numpy", "jax")


def run(tensors: Any, feeds: Any = None, backend: str = "numpy") -> Any:
    found = asg.run(tensors, feeds or {}, backend=backend)
    return list(map(np.asarray, found)) if isinstance(tensors, list) else np.asarray(found)


def assert_leading_positive(vectors: Any) -> None:
    for column in vectors.T:
        size = np.abs(column)
        assert column[size > 0.9 * size.max()][0] > 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_signs_follow_the_rule_and_factors_give_the_matrix(backend: str) -> None:
    x = RNG.normal(size=(6, 4))
    u, s, vh = run(list(asg.svd(x)), backend=backend)
    assert_leading_positive(u)
    np.testing.assert_allclose(u * s @ vh, x, atol=1e-12)
    w, v = run(list(asg.eigh(x.T @ x)), backend=backend)
    assert_leading_positive(v)
    np.testing.assert_allclose(v * w @ v.T, x.T @ x, atol=1e-12)
    np.testing.assert_allclose(np.sqrt(w)[::-1], s, rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("function", [asg.eigh, asg.svd])
def test_what_is_not_finite_gives_nan_and_never_hangs(
    backend: str, bad: float, function: Callable[[Any], Any]
) -> None:
    """Handed to LAPACK, such a matrix can keep it iterating without end."""
    x = np.stack([np.diag([1.0, 2.0, 3.0]), np.eye(3)])
    x[1, 0, 2] = bad
    for each in run(list(function(x)), backend=backend):
        assert np.isfinite(each[0]).all() and np.isnan(each[1]).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_have_a_gradient_where_they_are_equal_and_vectors_nan(backend: str) -> None:
    x = asg.input("x", (3, 3), "float64")
    values, vectors = asg.eigh(x)
    slopes = [
        asg.grad((values**2).sum(), x),
        asg.grad((asg.svdvals(x) ** 2).sum(), x),
        asg.grad((vectors * RNG.normal(size=(3, 3))).sum(), x),
    ]
    first, second, third = run(slopes, {x: 2 * np.eye(3)}, backend=backend)
    np.testing.assert_allclose(first, 4 * np.eye(3), atol=1e-14)
    np.testing.assert_allclose(second, 4 * np.eye(3), atol=1e-14)
    assert np.isnan(third).any()


def test_the_gradient_of_values_alone_is_short() -> None:
    x = asg.input("x", (3, 3))
    for values in (asg.eigvalsh(x), asg.svdvals(x)):
        graph = asg.Graph(slope=asg.grad(values.sum(), x))
        assert sum(node.op.name == "matmul" for node in graph.nodes) == 1


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 5)])
def test_functions_without_signs_have_two_derivatives_as_pytorch(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    data, weights = RNG.normal(size=shape), RNG.normal(size=shape)
    x = asg.input("x", shape, "float64")
    u, s, vh = asg.svd(x)
    loss = ((u * asg.expand_dims(asg.tanh(s), -2)) @ vh * weights).sum()
    first = asg.grad(loss, x)
    second = asg.grad((first**2).sum(), x)
    ours = run([first, second], {x: data})
    p = torch.tensor(data, requires_grad=True)
    tu, ts, tvh = torch.linalg.svd(p, full_matrices=False)
    value = (tu * torch.tanh(ts) @ tvh * torch.tensor(weights)).sum()
    one = torch.autograd.grad(value, p, create_graph=True)[0]
    two = torch.autograd.grad((one**2).sum(), p)[0]
    for found, wanted in zip(ours, [one, two], strict=True):
        np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-7, atol=1e-8)


def test_the_square_root_of_a_matrix_has_the_gradient_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    root = RNG.normal(size=(4, 4))
    data, weights = root @ root.T + np.eye(4), RNG.normal(size=(4, 4))
    x = asg.input("x", (4, 4), "float64")
    w, v = asg.eigh(x)
    found = run(asg.grad((v * asg.sqrt(w) @ v.mT * weights).sum(), x), {x: data})
    p = torch.tensor(data, requires_grad=True)
    tw, tv = torch.linalg.eigh((p + p.mT) / 2)
    loss = (tv * torch.sqrt(tw) @ tv.mT * torch.tensor(weights)).sum()
    wanted = torch.autograd.grad(loss, p)[0]
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda x: asg.eigh(x), ShapeError, "not square"),
        (lambda x: asg.eigvalsh(x[0]), ShapeError, "x has 1 axes"),
        (lambda x: asg.eigh((x @ x.mT).astype("bfloat16")), DtypeError, "x is bfloat16"),
        (lambda x: asg.svd(x[0]), ShapeError, "x has 1 axes"),
        (lambda x: asg.svdvals(x.astype("int32")), DtypeError, "astype\\('float32'\\)"),
    ],
)
def test_errors_say_what_is_wrong(
    wrong: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        wrong(asg.input("x", (2, 3)))
