"""The numeric oracle itself, against derivatives known in closed form."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from asg.autodiff.finite_difference import (
    directional_difference,
    numeric_jacobian,
    numeric_jvp,
    numeric_vjp,
    random_directions,
)
from asg.core.errors import NotDifferentiable, OperandError

GENERATOR = np.random.default_rng(1)
X = GENERATOR.normal(size=(2, 3))
A = GENERATOR.normal(size=(3, 4))


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (np.sin, np.cos),
        (np.exp, np.exp),
        (lambda x: x**3, lambda x: 3.0 * x**2),
        (np.tanh, lambda x: 1.0 - np.tanh(x) ** 2),
        (lambda x: 1.0 / (1.0 + x * x), lambda x: -2.0 * x / (1.0 + x * x) ** 2),
        (np.abs, np.sign),
    ],
)
def test_derivatives_are_right_to_ten_digits(
    function: Callable[[Any], Any], derivative: Callable[[Any], Any]
) -> None:
    found = directional_difference(function, [X], [np.ones_like(X)])
    np.testing.assert_allclose(found.values[0], derivative(X), rtol=1e-10, atol=1e-11)
    assert np.all(np.abs(found.values[0] - derivative(X)) <= 10 * found.errors[0] + 1e-12)


def test_jvp_and_vjp_of_a_matrix_product() -> None:
    tangents = [GENERATOR.normal(size=X.shape), GENERATOR.normal(size=A.shape)]
    cotangent = GENERATOR.normal(size=(2, 4))
    (pushed,) = numeric_jvp(np.matmul, [X, A], tangents)
    np.testing.assert_allclose(pushed, tangents[0] @ A + X @ tangents[1], rtol=1e-10)
    pulled = numeric_vjp(np.matmul, [X, A], [cotangent])
    np.testing.assert_allclose(pulled[0], cotangent @ A.T, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(pulled[1], X.T @ cotangent, rtol=1e-9, atol=1e-11)


def test_jacobian_has_output_then_input_axes() -> None:
    ((jacobian, other),) = numeric_jacobian(lambda x, y: np.outer(x, y), [X[0], A[0]])
    assert jacobian.shape == (3, 4, 3)
    assert other.shape == (3, 4, 4)
    wanted = np.einsum("ik,j->ijk", np.eye(3), A[0])
    np.testing.assert_allclose(jacobian, wanted, rtol=1e-10, atol=1e-12)


def test_several_outputs() -> None:
    def both(x: Any) -> tuple[Any, Any]:
        return x.sum(), x * x

    pulled = numeric_vjp(both, [X], [np.array(2.0), np.ones_like(X)])
    np.testing.assert_allclose(pulled[0], 2.0 + 2.0 * X, rtol=1e-10)
    assert [len(row) for row in numeric_jacobian(both, [X])] == [1, 1]


def test_a_reused_output_buffer_does_no_harm() -> None:
    buffer = np.empty_like(X)

    def into_buffer(x: Any) -> Any:
        np.sin(x, out=buffer)
        return buffer

    (found,) = numeric_jvp(into_buffer, [X], [np.ones_like(X)])
    np.testing.assert_allclose(found, np.cos(X), rtol=1e-10)


def test_the_step_shrinks_near_the_edge_of_a_domain() -> None:
    near = np.array([1e-4])
    with np.errstate(invalid="ignore"):
        (found,) = numeric_jvp(np.log, [near], [np.ones(1)])
    np.testing.assert_allclose(found, 1.0 / near, rtol=1e-4)


def test_the_step_shrinks_near_a_kink() -> None:
    (found,) = numeric_jvp(np.abs, [np.array([1e-3, -1e-3])], [np.ones(2)])
    np.testing.assert_allclose(found, [1.0, -1.0], rtol=1e-9)


def test_a_jump_at_the_point_is_noticed() -> None:
    found = directional_difference(np.floor, [np.array([0.0, 0.5])], [np.ones(2)])
    assert found.errors[0][0] > 1.0
    assert found.errors[0][1] == 0.0


def test_values_that_are_infinite_at_the_point_itself_are_left_alone() -> None:
    with np.errstate(divide="ignore"):
        found = directional_difference(
            lambda x: np.array([np.log(0.0 * x[0]), x[0] ** 2]), [np.array([3.0])], [np.ones(1)]
        )
    np.testing.assert_allclose(found.values[0][1], 6.0, rtol=1e-10)


def test_a_point_on_the_edge_of_the_domain_is_refused() -> None:
    with np.errstate(invalid="ignore"), pytest.raises(NotDifferentiable, match="not finite around"):
        numeric_jvp(np.sqrt, [np.array([0.0])], [np.ones(1)])


def test_only_float64_will_do() -> None:
    with pytest.raises(OperandError, match="float32"):
        numeric_jvp(np.sin, [np.ones(2, np.float32)], [np.ones(2)])
    with pytest.raises(OperandError, match=r"direction of shape \(3,\)"):
        numeric_jvp(np.sin, [np.ones(2)], [np.ones(3)])
    with pytest.raises(OperandError, match="cotangents of shapes"):
        numeric_vjp(np.sin, [np.ones(2)], [np.ones(3)])


def test_empty_arrays_have_empty_derivatives() -> None:
    assert numeric_vjp(np.sin, [np.ones((0, 2))], [np.ones((0, 2))])[0].shape == (0, 2)
    assert numeric_jacobian(np.sin, [np.ones((0,))])[0][0].shape == (0, 0)


def test_random_directions_have_length_one_together() -> None:
    for direction in random_directions([X, A], 3, np.random.default_rng(0)):
        assert sum(float((each**2).sum()) for each in direction) == pytest.approx(1.0)
