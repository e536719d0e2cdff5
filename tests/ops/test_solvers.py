"""Linear equations beyond the contract: blocks, singular matrices of a batch, wrong uses."""

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


def well_conditioned(size: int) -> Any:
    return RNG.normal(size=(size, size)) / size + np.diag(1.0 + RNG.random(size))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [63, 64, 65, 150])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular_blocks_as_scipy(
    backend: str, size: int, lower: bool, transpose: bool, unit: bool
) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    a, b = well_conditioned(size), RNG.normal(size=(size, 3))
    options = {"lower": lower, "unit_diagonal": unit}
    found = asg.solve_triangular(a, b, transpose=transpose, **options)
    wanted = linalg.solve_triangular(a, b, trans=int(transpose), **options)
    np.testing.assert_allclose(run(found, backend=backend), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_the_singular_matrix_of_a_batch_is_nan(backend: str) -> None:
    a = np.stack([np.eye(3), np.ones((3, 3)), 2 * np.eye(3)])
    b = np.arange(9.0).reshape(3, 3, 1)
    found = run(asg.solve(a, b), backend=backend)
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[[0, 2]], [b[0], b[2] / 2])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_triangle_with_a_zero_is_nan_but_not_with_a_unit_diagonal(backend: str) -> None:
    a = np.tril(np.ones((70, 70)), -1)
    b = np.ones(70)
    assert np.isnan(run(asg.solve_triangular(a, b), backend=backend)).all()
    found = run(asg.solve_triangular(a, b, unit_diagonal=True), backend=backend)
    np.testing.assert_allclose(found, np.eye(70)[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_other_triangle_may_hold_anything(backend: str) -> None:
    a = np.array([[2.0, np.nan], [1.0, 1.0]])
    found = run(asg.solve_triangular(a, np.array([2.0, 3.0])), backend=backend)
    assert found.tolist() == [1.0, 2.0]


def test_a_vector_is_one_column_for_every_matrix() -> None:
    a = np.stack([np.eye(2), 2 * np.eye(2)])
    found = asg.solve(a, np.array([2.0, 4.0]))
    assert found.shape == (2, 2)
    assert run(found).tolist() == [[2.0, 4.0], [1.0, 2.0]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_derivatives_as_pytorch(backend: str) -> None:
    torch = pytest.importorskip("torch")
    a, b = well_conditioned(4), RNG.normal(size=(2, 4, 3))
    x, y = asg.input("x", a.shape, "float64"), asg.input("y", b.shape, "float64")
    first = asg.grad((asg.solve(x, y) ** 2).sum(), [x, y])
    second = asg.grad(sum((each**2).sum() for each in first), [x, y])
    ours = run([*first, *second], {x: a, y: b}, backend=backend)
    p, q = (torch.tensor(each, requires_grad=True) for each in (a, b))
    one = torch.autograd.grad((torch.linalg.solve(p, q) ** 2).sum(), [p, q], create_graph=True)
    two = torch.autograd.grad(sum((each**2).sum() for each in one), [p, q])
    for found, wanted in zip(ours, [*one, *two], strict=True):
        np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-8, atol=1e-9)


def test_powers_multiply_as_seldom_as_squares_allow() -> None:
    power = asg.matrix_power(asg.input("x", (3, 3)), 10)
    cost = power.node.op.flops((power.node.inputs[0].type,), (power.type,))
    assert cost == 4 * 2 * 27  # x^2, x^4, x^8, x^2 x^8


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda x, i: asg.solve(x, x), ShapeError, "the matrices of a .* are not square"),
        (lambda x, i: asg.solve(x @ x.mT, x.mT), ShapeError, "differ in their rows"),
        (lambda x, i: asg.solve(x @ x.mT, 1.0), ShapeError, "b has 0 axes"),
        (lambda x, i: asg.solve(x[0], x), ShapeError, "a has 1 axes"),
        (lambda x, i: asg.solve(i, i), DtypeError, r"a is int32.*\n?.*a.astype\('float32'\)"),
        (lambda x, i: asg.inv(x), ShapeError, "not square"),
        (lambda x, i: asg.inv((x @ x.mT).astype("bfloat16")), DtypeError, "x is bfloat16"),
        (lambda x, i: asg.solve_triangular(x, x), ShapeError, "not square"),
        (lambda x, i: asg.matrix_power(x @ x.mT, 0.5), OperandError, "n is 0.5"),  # type: ignore[arg-type]
        (lambda x, i: asg.matrix_power(x, 2), ShapeError, "not square"),
        (lambda x, i: asg.matrix_power(i, -1), DtypeError, "x is int32"),
    ],
)
def test_errors_say_what_is_wrong(
    wrong: Callable[[Any, Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        wrong(asg.input("x", (2, 3)), asg.input("i", (2, 2), "int32"))
