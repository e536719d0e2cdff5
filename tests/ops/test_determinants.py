"""Determinants and pseudoinverses against PyTorch; singular matrices; wrong uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError

RNG = np.random.default_rng(0)
BACKENDS = ("numpy", "jax")


def run(tensors: Any, feeds: Any = None, backend: str = "numpy") -> Any:
    found = asg.run(tensors, feeds or {}, backend=backend)
    return list(map(np.asarray, found)) if isinstance(tensors, list) else np.asarray(found)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["det", "logdet", "pinv"])
def test_value_and_two_derivatives_as_pytorch(name: str, backend: str) -> None:
    torch = pytest.importorskip("torch")
    data = RNG.normal(size=(2, 4, 3 if name == "pinv" else 4))
    functions: dict[str, Callable[[Any, Any], Any]] = {
        "det": lambda library, x: library.det(x),
        "logdet": lambda library, x: library.slogdet(x)[1],
        "pinv": lambda library, x: library.pinv(x),
    }
    x = asg.input("x", data.shape, "float64")
    value = functions[name](asg, x)
    first = asg.grad((value**2).sum(), x)
    second = asg.grad((first**2).sum(), x)
    ours = run([value, first, second], {x: data}, backend)
    p = torch.tensor(data, requires_grad=True)
    wanted = functions[name](torch.linalg, p)
    one = torch.autograd.grad((wanted**2).sum(), p, create_graph=True)[0]
    two = torch.autograd.grad((one**2).sum(), p)[0]
    for found, expected in zip(ours, [wanted, one, two], strict=True):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_singular_matrices_have_values_but_no_gradient(backend: str) -> None:
    x = asg.input("x", (2, 2), "float64")
    sign, logarithm = asg.slogdet(x)
    tensors = [asg.det(x), sign, logarithm, asg.grad(asg.det(x), x)]
    found = run(tensors, {x: np.ones((2, 2))}, backend)
    assert [each.item() for each in found[:3]] == [0.0, 0.0, -np.inf]
    assert np.isnan(found[3]).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_logarithm_does_not_overflow(backend: str) -> None:
    sign, logarithm = asg.slogdet(1e9 * np.diag([1.0, -1.0] * 50))
    found = run([sign, logarithm], {}, backend)
    assert found[0] == 1.0
    np.testing.assert_allclose(found[1], 100 * np.log(1e9))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_pseudoinverse_of_equal_singular_values_has_a_gradient(backend: str) -> None:
    x = asg.input("x", (2, 2), "float64")
    slope = asg.grad(asg.pinv(x)[0, 1], x)
    np.testing.assert_allclose(run(slope, {x: np.eye(2)}, backend), [[0, -1], [0, 0]], atol=1e-14)


def test_the_gradient_at_a_lower_rank_is_that_of_changes_that_keep_it() -> None:
    """Along a curve of matrices of rank one, against finite differences."""
    u, v = RNG.normal(size=(4, 1)), RNG.normal(size=(1, 3))
    du, dv, weights = RNG.normal(size=(4, 1)), RNG.normal(size=(1, 3)), RNG.normal(size=(3, 4))
    x = asg.input("x", (4, 3), "float64")
    slope = run(asg.grad((asg.pinv(x) * weights).sum(), x), {x: u @ v})

    def along(t: float) -> float:
        matrix = (u + t * du) @ (v + t * dv)
        return float((matrix.T / (matrix**2).sum() * weights).sum())

    numeric = (along(1e-5) - along(-1e-5)) / 2e-5
    np.testing.assert_allclose((slope * (du @ v + u @ dv)).sum(), numeric, rtol=1e-7)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (2, 4, 4)])
def test_least_squares_as_numpy(backend: str, shape: tuple[int, ...]) -> None:
    a, b = RNG.normal(size=shape), RNG.normal(size=(*shape[:-1], 2))
    found = run(asg.lstsq(a, b), {}, backend)
    pairs = zip(a.reshape(-1, *shape[-2:]), b.reshape(-1, shape[-2], 2), strict=True)
    wanted = [np.linalg.lstsq(one, other, rcond=None)[0] for one, other in pairs]
    np.testing.assert_allclose(found.reshape(np.shape(wanted)), wanted, rtol=1e-9, atol=1e-11)


def test_rtol_decides_what_counts_as_zero() -> None:
    x = np.diag([1.0, 1e-3])
    assert run(asg.pinv(x, rtol=1e-2)).tolist() == [[1.0, 0.0], [0.0, 0.0]]
    np.testing.assert_allclose(run(asg.pinv(x)), np.diag([1.0, 1e3]))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda x: asg.det(x), ShapeError, "not square"),
        (lambda x: asg.slogdet(x[0]), ShapeError, "x has 1 axes"),
        (lambda x: asg.det((x @ x.mT).astype("int32")), DtypeError, "x is int32"),
        (lambda x: asg.pinv(x[0]), ShapeError, "x has 1 axes"),
        (lambda x: asg.pinv(x, rtol=2.0), OperandError, "rtol is 2.0"),
        (lambda x: asg.pinv(x.astype("float16")), DtypeError, "x is float16"),
        (lambda x: asg.lstsq(x, x.mT), ShapeError, "differ"),
        (lambda x: asg.lstsq(x.astype("int32"), x.astype("int32")), DtypeError, "b is int32"),
    ],
)
def test_errors_say_what_is_wrong(
    wrong: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        wrong(asg.input("x", (2, 3)))
