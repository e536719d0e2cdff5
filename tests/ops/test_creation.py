"""Evenly spaced numbers and the unit matrix, with numbers and symbols for sizes, by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError


@pytest.mark.parametrize(
    "arguments",
    [(5,), (0,), (-3,), (2, 9), (2, 9, 3), (9, 2, -2), (9, 2, 2), (0.5,), (1, 2, 0.25),
     (2.0, -1.0, -0.75), (0, 10, 3)],
)  # fmt: skip
def test_arange(arguments: tuple[Any, ...]) -> None:
    found, wanted = asg.run(asg.arange(*arguments)), np.arange(*arguments)
    assert found.dtype == ("float32" if wanted.dtype.kind == "f" else "int32")
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (lambda n: asg.arange(n), lambda n: np.arange(n)),
        (lambda n: asg.arange(1, n), lambda n: np.arange(1, n)),
        (lambda n: asg.arange(n, 2 * n, 2), lambda n: np.arange(n, 2 * n, 2)),
        (lambda n: asg.arange(n, -3, -2), lambda n: np.arange(n, -3, -2)),
        (lambda n: asg.arange(3, n), lambda n: np.arange(3, n)),
    ],
)
def test_arange_of_symbolic_sizes(
    build: Callable[[Any], Any], wanted: Callable[[int], Any]
) -> None:
    x = asg.input("x", ("n",))
    program = asg.compile(asg.Graph(y=build(x.shape[0]), size=x.sum()))
    for n in (1, 2, 3, 6):
        np.testing.assert_array_equal(program(x=np.zeros(n, np.float32))["y"], wanted(n))


@pytest.mark.parametrize(
    ("start", "stop", "num", "endpoint"),
    list(product([0.0, -1.3], [0.7, 5], [0, 1, 2, 7], [False, True])),
)
def test_linspace(start: float, stop: float, num: int, endpoint: bool) -> None:
    wanted = np.linspace(start, stop, num, endpoint=endpoint)
    found = asg.run(asg.linspace(start, stop, num, "float64", endpoint))
    np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-15)
    if num:
        x = asg.input("x", ("n",))
        y = asg.linspace(start, stop, x.shape[0], "float64", endpoint)
        program = asg.compile(asg.Graph(y=y, size=x.sum()))
        symbolic = program(x=np.zeros(num, np.float32))["y"]
        np.testing.assert_allclose(symbolic, wanted, rtol=1e-14, atol=1e-15)
        assert not endpoint or num == 1 or symbolic[-1] == stop


def test_eye() -> None:
    for rows, cols, k in [(3, None, 0), (2, 4, 1), (4, 2, -2), (0, 3, 0), (2, 2, 5)]:
        np.testing.assert_array_equal(asg.run(asg.eye(rows, cols, k)), np.eye(rows, cols, k))
    x = asg.input("x", ("n",))
    program = asg.compile(asg.Graph(y=asg.eye(x.shape[0]) * x))
    np.testing.assert_array_equal(
        program(x=np.array([2, 3], np.float32))["y"], np.diag([2.0, 3.0])
    )


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: asg.arange(0, 5, 0), OperandError, "step is 0"),
        (lambda: asg.arange("n", 2.5, 1), OperandError, "do not mix"),
        (lambda: asg.linspace(0, 1, 5, "int32"), DtypeError, "int32"),
        (lambda: asg.eye(3, k=0.5), OperandError, "k is 0.5"),  # type: ignore[arg-type]
    ],
)
def test_wrong_uses(build: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()
