"""Mean, variance and log-sum-exp beyond the samples: dtypes, refusals, PyTorch."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError

X = np.sin(np.arange(24.0) * 1.7).reshape(2, 3, 4)


def run(tensor: asg.Tensor, feeds: Any = None, backend: str = "numpy") -> Any:
    return np.asarray(asg.run(tensor, feeds or {}, backend=backend))


def test_integers_and_bools_are_averaged_as_float32() -> None:
    for data in (np.array([1, 2, 4], np.int64), np.array([True, False, True])):
        for function, expected in ((asg.mean, data.mean()), (asg.var, data.var())):
            found = run(function(asg.constant(data)))
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_symbolic_counts_are_counted_at_the_run(backend: str) -> None:
    x = asg.input("x", ("batch", "n"), "float64")
    program = asg.compile(
        asg.Graph(mean=x.mean(), var=x.var(1, correction=1), std=x.std(0, correction=2.5)), backend
    )
    for shape in ((4, 5), (7, 3)):
        data = np.sin(np.arange(float(np.prod(shape)))).reshape(shape)
        found = program(x=data)
        np.testing.assert_allclose(found["mean"], data.mean(), rtol=1e-12)
        np.testing.assert_allclose(found["var"], data.var(1, ddof=1), rtol=1e-12)
        np.testing.assert_allclose(found["std"], data.std(0, ddof=2.5), rtol=1e-12)


@pytest.mark.parametrize("correction", [True, "1", None])
def test_a_correction_is_a_number(correction: Any) -> None:
    with pytest.raises(OperandError, match="correction is"):
        asg.var(asg.input("x", (3,)), correction=correction)


def test_logsumexp_needs_floats() -> None:
    with pytest.raises(DtypeError, match="a floating dtype is needed"):
        asg.logsumexp(asg.input("x", (3,), "int32"))


@pytest.mark.parametrize("name", ["var", "std", "logsumexp"])
def test_two_derivatives_as_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    x = asg.input("x", X.shape, "float64")
    options = {"axis": (0, 2)} if name == "logsumexp" else {"axis": (0, 2), "correction": 1}
    value = getattr(asg, name)(x, **options)
    first = asg.grad((value * value).sum(), x)
    second = asg.grad((first * asg.constant(np.cos(X))).sum(), x)
    t = torch.tensor(X, requires_grad=True)
    other = getattr(torch, name)(t, **{"dim" if k == "axis" else k: v for k, v in options.items()})
    (one,) = torch.autograd.grad((other * other).sum(), t, create_graph=True)
    (two,) = torch.autograd.grad((one * torch.cos(t.detach())).sum(), t)
    np.testing.assert_allclose(run(value, {x: X}), other.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(run(first, {x: X}), one.detach().numpy(), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(run(second, {x: X}), two.numpy(), rtol=1e-10, atol=1e-12)


def test_rows_without_mass_have_no_gradient_and_no_nan_at_any_order() -> None:
    data = np.array([[-np.inf, -np.inf, -np.inf], [-np.inf, 0.5, 1.5]])
    x = asg.input("x", data.shape, "float64")
    first = asg.grad(asg.exp(asg.logsumexp(x, 1)).sum(), x)
    second = asg.grad((first * first).sum(), x)
    raised = np.exp(data)
    np.testing.assert_allclose(run(first, {x: data}), raised, rtol=1e-14)
    np.testing.assert_allclose(run(second, {x: data}), 2.0 * raised**2, rtol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_variance_far_from_zero_does_not_cancel(backend: str) -> None:
    data = (10_000.0 + np.sin(np.arange(64.0))).astype(np.float32)
    found = run(asg.var(asg.constant(data)), backend=backend)
    np.testing.assert_allclose(found, data.astype(np.float64).var(), rtol=1e-3)
