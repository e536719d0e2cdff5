"""Writing at places: against NumPy's assignments, JAX's ``x.at[]`` and PyTorch's scatters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError

from .pytorch import assert_as_pytorch
from .test_getitem import X, keys

MODES = ["set", "add", "mul", "min", "max"]
WRITE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "set": lambda total, key, values: total.__setitem__(key, values),
    "add": np.add.at,
    "mul": np.multiply.at,
    "min": np.minimum.at,
    "max": np.maximum.at,
}
METHODS = {"mul": "multiply"}


def updated(x: Any, key: Any, values: Any, mode: str, **options: bool) -> Any:
    """``x.at[key].mode(values)`` of asg and of JAX."""
    return getattr(x.at[key], METHODS.get(mode, mode))(values, **options)


def written(x: Any, key: Any, values: Any, mode: str) -> Any:
    total = x.copy()
    WRITE[mode](total, key, values)
    return total


def drawn(*shape: int) -> Any:
    return np.random.default_rng(shape[0]).normal(size=shape)


@given(keys())
@settings(max_examples=60)
def test_any_key_writes_where_numpy_writes(key: tuple[Any, ...]) -> None:
    try:
        part = X[key]
    except IndexError:  # entries behind `...` are drawn for the axes before it
        return
    values = np.asarray(5.0 + 2.0 * np.cos(np.arange(part.size))).astype(np.float32)
    values = values.reshape(part.shape)
    x = asg.constant(X)
    found = asg.run([updated(x, key, values, mode) for mode in MODES])
    for mode, result in zip(MODES, found, strict=True):
        np.testing.assert_allclose(result, written(X, key, values, mode), rtol=1e-6)


KEYS: list[Any] = [
    (slice(None), 1),
    (slice(None, None, -2), None, ..., 0),
    (np.array([2, -3]),),
    (slice(1, None), ..., np.array([[3, 0], [1, -2]])),
    (np.array([0, 2]), slice(None), np.array([1, 3])),
    (1, slice(None), np.array([0, 2, 3])),
]


CHOSEN = [(number, "set") for number in range(len(KEYS))] + [(4, mode) for mode in MODES[1:]]


@pytest.mark.parametrize(("number", "mode"), CHOSEN)
def test_values_and_derivatives_as_in_jax(number: int, mode: str) -> None:
    jax, key = pytest.importorskip("jax"), KEYS[number]
    array = drawn(3, 2, 4)
    values = drawn(*array[key].shape)[..., :1]  # broadcast along the last axis
    x, v = asg.input("x", array.shape, "float64"), asg.input("v", values.shape, "float64")
    y = updated(x, key, v, mode)
    first = asg.grad((y * y * y).sum(), [x, v])
    second = asg.grad(sum((each * each).sum() for each in first), [x, v], allow_unused=True)

    def written(x: Any, v: Any) -> Any:
        return updated(x, key, v, mode, unique_indices=True)

    def slopes(x: Any, v: Any) -> Any:
        return jax.grad(lambda x, v: (written(x, v) ** 3).sum(), (0, 1))(x, v)

    def squares(x: Any, v: Any) -> Any:
        return sum((each**2).sum() for each in slopes(x, v))

    with jax.enable_x64(True):
        a, b = jax.numpy.asarray(array), jax.numpy.asarray(values)
        wanted = [written(a, b), *slopes(a, b), *jax.grad(squares, (0, 1))(a, b)]
    found = asg.run([y, *first, *second], {x: array, v: values})
    for actual, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


REPEATED = np.array([[2, 0, 2, 1], [0, 0, 1, 0], [3, 0, 3, 3]])


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize(
    ("mode", "theirs", "order"),
    [("add", "sum", 2), ("mul", "prod", 1), ("min", "amin", 1), ("max", "amax", 1)],
)
def test_places_named_several_times_as_in_pytorch(
    mode: str, theirs: str, order: int, backend: str
) -> None:
    torch = pytest.importorskip("torch")
    x, updates = np.round(drawn(4, 4), 1), np.round(drawn(3, 4), 1)
    x[0, 0], updates[0, 0], updates[1, 1], updates[1, 0] = 0, 0.3, 0, 0.3  # zeros and ties
    assert_as_pytorch(
        lambda x, u: asg.put_along_axis(x, REPEATED, u, 0, mode),
        lambda x, u: x.scatter_reduce(0, torch.tensor(REPEATED), u, theirs),
        [x, updates], order, backend,
    )  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_along_an_axis_in_order(axis: int, mode: str) -> None:
    x, updates = drawn(4, 3, 2), drawn(4, 3, 2)
    indices = np.random.default_rng(axis + 1).integers(-2, 2, (4, 3, 2))
    places: list[Any] = list(np.indices(indices.shape))
    places[axis] = indices
    wanted = written(x, tuple(places), updates, mode)
    for backend in ("numpy", "jax"):
        found = asg.run(asg.put_along_axis(x, indices, updates, axis, mode), backend=backend)
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_the_last_update_stays_and_alone_has_a_gradient(backend: str) -> None:
    x, u = asg.input("x", ("n", 2), "float64"), asg.input("u", ("k", 2), "float64")
    i = asg.input("i", ("k",), "int32")
    y = asg.scatter(x, i, u)
    indices = np.random.default_rng(0).integers(-50, 50, 400).astype(np.int32)
    rows, updates = drawn(50, 2), drawn(400, 2)
    last = {int(place) % 50: number for number, place in enumerate(indices)}
    kept = np.ones((50, 1))
    kept[list(last)] = 0
    alone = np.zeros((400, 1))
    alone[list(last.values())] = 1
    wanted = rows.copy()
    wanted[list(last)] = updates[list(last.values())]
    feeds = {x: rows, u: updates, i: indices}
    found = asg.run([y, *asg.grad((y * y).sum(), [x, u])], feeds, backend=backend)
    for actual, expected in zip(found, [wanted, 2 * kept * rows, 2 * alone * updates], strict=True):
        np.testing.assert_allclose(actual, expected)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_extremes_of_computed_values_have_a_gradient_on_xla(mode: str) -> None:
    """The product is used twice: XLA rounds it apart where it fuses it with the sum."""
    x, i = asg.input("x", (40, 3)), asg.input("i", (40,), "int32")
    u = asg.tanh(x) * asg.tanh(x) + 0.5
    far = float("inf") if mode == "min" else -float("inf")
    y = asg.scatter(asg.full((9, 3), far), i, u, mode=mode)
    graph = asg.Graph(g=asg.vjp(y, asg.ones_like(y), x))
    indices = np.arange(40, dtype=np.int32) % 9
    expected, found = (asg.compile(graph, backend) for backend in ("numpy", "jax"))
    for seed in range(20):
        array = np.random.default_rng(seed).normal(size=(40, 3)).astype(np.float32)
        wanted = expected(x=array, i=indices)["g"]
        np.testing.assert_allclose(found(x=array, i=indices)["g"], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("mode", MODES)
def test_an_outside_index_from_data_marks_everything(mode: str, backend: str) -> None:
    x, i = asg.input("x", (3, 2)), asg.input("i", (2,), "int32")
    y = [asg.scatter(x, i, 1.0, mode=mode), updated(x, (i, 0), 1.0, mode)[:, 0]]
    run = asg.compile(asg.Graph({f"y{n}": each for n, each in enumerate(y)}), backend)
    for indices in ([0, 2], [3, 0], [1, -3], [0, -4]):
        found = run(x=np.ones((3, 2), np.float32), i=np.array(indices, np.int32))
        outside = not all(-3 <= each < 3 for each in indices)
        for value in found.values():
            assert np.isnan(np.asarray(value)).all() == outside
            assert np.isnan(np.asarray(value)).any() == outside


def test_symbolic_sizes_and_variables() -> None:
    x = asg.input("x", ("n", 3))
    y = x.at[1:, [0, 2]].set(asg.iota((2,), dtype="float32"))
    assert y.type == x.type
    array = np.ones((4, 3), np.float32)
    wanted = array.copy()
    wanted[1:, [0, 2]] = [0, 1]
    np.testing.assert_array_equal(asg.run(y, {x: array}), wanted)
    with pytest.raises(asg.AsgError, match="does not fit into the slice"):
        asg.run(x.at[3].set(0.0), {x: array[:3]})
    assert asg.parameter("w", (3,), init=0.0).at[0].add(1).shape == (3,)


T = asg.input("t", (2, 3))
N = asg.input("n", (4,), "int32")
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: asg.scatter(T, [0], 1.0, mode="sum"), OperandError, "mode is 'sum'.*set, add, mul"),
    (lambda: asg.put_along_axis(T, [[0]], 1.0, mode="x"), OperandError, "mode is 'x'"),
    (lambda: asg.scatter(T, [0, 2], 1.0), ShapeError, "hold 2, which axis 0 of size 2"),
    (lambda: asg.scatter(T, [0.5], 1.0), DtypeError, "integers are needed"),
    (lambda: asg.scatter(T, [0, 1], asg.zeros((3, 3))), ShapeError, "broadcast"),
    (lambda: asg.scatter(T > 0, [0], True, mode="mul"), DtypeError, "bool"),
    (lambda: asg.put_along_axis(T, [[3], [0]], 1.0), ShapeError, "hold 3, which axis 1"),
    (lambda: asg.put_along_axis(T, [[0.0], [0.0]], 1.0), DtypeError, "integers are needed"),
    (lambda: T.at[2].set(1.0), ShapeError, "axis 0 of size 2 has no index 2"),
    (lambda: T.at[0, [1, 3]].set(1.0), ShapeError, "hold 3, which axis 1 of size 3"),
    (lambda: T.at[T > 0].set(1.0), DtypeError, "where"),
    (lambda: T.at[:, 1].add(asg.zeros((3,))), ShapeError, "broadcast"),
    (lambda: N.at[0].set(0.5), DtypeError, "0.5 does not fit int32"),
]


@pytest.mark.parametrize(("build", "error", "message"), REFUSED)
def test_wrong_arguments_are_refused(
    build: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        build()
