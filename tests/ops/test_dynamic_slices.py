"""Slices at computed places, tuples of indices and tables; both backends, JAX and PyTorch."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError

X = np.random.default_rng(0).normal(size=(3, 4))
STARTS = [(0, 0), (1, 2), (9, -3), (-1, 9)]


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("start", STARTS)
def test_blocks_are_read_and_replaced_as_in_jax(start: tuple[int, int], backend: str) -> None:
    row, column = min(max(start[0], 0), 1), min(max(start[1], 0), 1)
    block = np.s_[row : row + 2, column : column + 3]
    x, u = asg.input("x", ("n", "m"), "float64"), asg.input("u", (2, 3), "float64")
    s = asg.input("s", (2,), "int64")
    read, written = asg.dynamic_slice(x, s, (2, 3)), asg.dynamic_update_slice(x, u, s)
    slopes = [*asg.grad((read * read).sum(), [x]), *asg.grad((written * written).sum(), [x, u])]
    update = np.arange(6.0).reshape(2, 3)
    feeds = {x: X, u: update, s: np.array(start)}
    found = asg.run([read, written, *slopes], feeds, backend=backend)
    replaced, masked, kept = X.copy(), np.zeros_like(X), 2 * X
    replaced[block], masked[block], kept[block] = update, 2 * X[block], 0
    for actual, wanted in zip(found, [X[block], replaced, masked, kept, 2 * update], strict=True):
        np.testing.assert_allclose(actual, wanted)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_tuples_of_indices(backend: str) -> None:
    x = asg.input("x", (3, 4), "float64")
    i = asg.input("i", (4, 2), "int32")
    y = asg.gather_nd(x, i)
    rows = asg.gather_nd(x, [[[2]], [[0]]])
    slope = asg.grad(asg.gather_nd(x, [[0, 1], [0, 1]]).sum(), x)
    feeds = {x: X, i: [[0, 1], [2, -1], [0, 1], [3, 0]]}
    found = asg.run([y, rows, slope], feeds, backend=backend)
    np.testing.assert_array_equal(found[0], [X[0, 1], X[2, 3], X[0, 1], np.nan])
    np.testing.assert_array_equal(found[1], X[[2, 0]][:, None])
    twice = np.zeros_like(X)
    twice[0, 1] = 2
    np.testing.assert_array_equal(found[2], twice)


@pytest.mark.parametrize("padding", [None, 1, -3])
def test_tables_as_in_pytorch(padding: int | None) -> None:
    torch = pytest.importorskip("torch")
    indices = np.array([[0, 1, 1], [2, 0, 1]])
    table = torch.tensor(X, requires_grad=True)
    wanted = torch.nn.functional.embedding(torch.tensor(indices), table, padding)
    (slope,) = torch.autograd.grad((wanted**2).sum(), table)
    w = asg.input("w", X.shape, "float64")
    y = asg.embedding(indices, w, padding)
    found = asg.run([y, asg.grad((y * y).sum(), w)], {w: X})
    np.testing.assert_allclose(found[0], wanted.detach().numpy())
    np.testing.assert_allclose(found[1], slope.numpy())


T = asg.input("t", (3, 4))
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: asg.dynamic_slice(T, [0], [1, 1]), ShapeError, "1 starts and 2 sizes"),
    (lambda: asg.dynamic_slice(T, [0, 0], [4, 1]), ShapeError, "does not fit"),
    (lambda: asg.dynamic_slice(T, [0.0, 0], [1, 1]), DtypeError, "integers are needed"),
    (lambda: asg.dynamic_update_slice(T, asg.zeros((3, 5)), [0, 0]), ShapeError, "does not fit"),
    (lambda: asg.dynamic_update_slice(T, [[1]], [0, 0]), DtypeError, "update is int32"),
    (lambda: asg.gather_nd(T, [[0, 0, 0]]), ShapeError, "do not name places"),
    (lambda: asg.gather_nd(T, [[0, 0], [2, 4]]), ShapeError, "hold 4, which axis 1 of size 4"),
    (lambda: asg.gather_nd(T, [[0.0]]), DtypeError, "integers are needed"),
    (lambda: asg.embedding([0], T, 3), OperandError, "is no row of 3"),
    (lambda: asg.embedding([0, 3], T), ShapeError, "hold 3, which axis 0 of size 3"),
    (lambda: asg.embedding([0], T[0]), ShapeError, "weight"),
]


@pytest.mark.parametrize(("build", "error", "message"), REFUSED)
def test_wrong_arguments_are_refused(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()
