"""Public functions that are no ops keep the contract too: values, sizes, derivatives, backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
import asg.testing.samples
from asg.core.registry import OPS
from asg.testing.backend_parity import parity_with
from asg.testing.function_contract import function_problems
from asg.testing.sample import SAMPLES

from . import window_cases  # noqa: F401 - adds cases
from .function_cases import CASES, WITHOUT_OPERANDS

# An op of the name is not what the function gives.
NOT_THE_OP = {name for name in asg.ops.__all__ if name in OPS and OPS[name] not in SAMPLES}
FUNCTIONS = sorted((set(asg.ops.__all__) - set(OPS)) | NOT_THE_OP)


def test_every_public_function_is_an_op_under_contract_or_has_a_case() -> None:
    """No list of exceptions: whoever adds a function that is no op adds a case."""
    assert set(CASES) | set(WITHOUT_OPERANDS) == set(FUNCTIONS)


@pytest.mark.parametrize("name", sorted(CASES))
def test_function_keeps_the_contract(name: str) -> None:
    problems = function_problems(CASES[name], backends=())
    assert not problems, "\n".join(["", *problems])


@pytest.mark.parametrize("name", sorted(WITHOUT_OPERANDS))
def test_functions_without_operands(name: str) -> None:
    build, wanted = WITHOUT_OPERANDS[name]
    found = np.asarray(asg.run(build()))
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


BUILT_AT_PLACES = ["dynamic_slice", "dynamic_update_slice", "gather_nd", "embedding"]


def test_computed_places_on_jax() -> None:
    """The ops that the others are made of are compared one by one; these put many together."""
    problems = parity_with("jax", [CASES[name][0] for name in BUILT_AT_PLACES])
    assert not problems, "\n".join(["", *problems])


X = np.random.default_rng(3).normal(size=(3, 4))
AGAINST_JAX: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "dynamic_slice": (
        lambda x, u: asg.dynamic_slice(x, [2, 1], (2, 3)) * u,
        lambda jax, x, u: jax.lax.dynamic_slice(x, (2, 1), (2, 3)) * u,
    ),
    "dynamic_update_slice": (
        lambda x, u: asg.dynamic_update_slice(x, u, [0, 3]),
        lambda jax, x, u: jax.lax.dynamic_update_slice(x, u, (0, 3)),
    ),
    "gather_nd": (
        lambda x, u: asg.gather_nd(x, [[0, 1], [2, 3], [0, 1]]) * u[0],
        lambda jax, x, u: x[np.array([0, 2, 0]), np.array([1, 3, 1])] * u[0],
    ),
}


@pytest.mark.parametrize("name", AGAINST_JAX)
def test_derivatives_to_the_second_order_as_in_jax(name: str) -> None:
    jax = pytest.importorskip("jax")
    ours, theirs = AGAINST_JAX[name]
    update = np.random.default_rng(4).normal(size=(2, 3))
    x, u = asg.input("x", X.shape, "float64"), asg.input("u", update.shape, "float64")
    first = asg.grad((ours(x, u) ** 3).sum(), [x, u])
    second = asg.grad(sum((each * each).sum() for each in first), [x, u])

    def slopes(x: Any, u: Any) -> Any:
        return jax.grad(lambda x, u: (theirs(jax, x, u) ** 3).sum(), (0, 1))(x, u)

    with jax.enable_x64(True):
        a, b = jax.numpy.asarray(X), jax.numpy.asarray(update)
        twice = jax.grad(lambda x, u: sum((g**2).sum() for g in slopes(x, u)), (0, 1))(a, b)
        wanted = [*slopes(a, b), *twice]
    found = asg.run([*first, *second], {x: X, u: update})
    for actual, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)
