"""Convolutions and window reductions over arrays with the batch innermost, kernel by kernel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import backend as _backend  # noqa: F401 - registers the kernels
from asg.backends.numpy_cpu import batch_columns, batch_convolution
from asg.backends.numpy_cpu.kernel import KERNELS
from asg.backends.numpy_cpu.kernels import window_reductions

from asg.core.op import Op
from asg.core.types import TensorType, TypeProblem
from asg.ops.convolution import Conv
from asg.ops.window_reductions import MaxPool, WindowFind, WindowPlace, WindowSelect, WindowSum

Array = np.ndarray[Any, Any]


def in_order(x: Array, axis: int) -> Array:
    """The same values with this axis innermost in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, axis, -1)), -1, axis)


def empty(shape: Sequence[int], dtype: Any, axes: Sequence[int] | None) -> Array:
    """Garbage in an order of axes."""
    axes = range(len(shape)) if axes is None else axes
    memory = np.full([shape[axis] for axis in axes], 77, dtype)
    return memory.transpose(np.argsort(axes))


def garbage(shape: Sequence[int], dtype: Any) -> Array:
    return np.full(shape, 99, dtype)


def computed(op: Op, inputs: list[Array], moved: bool) -> Array:
    """The output of the kernel of an op, after two steps."""
    types = [TensorType.of(x.dtype.name, x.shape) for x in inputs]
    inferred = op.infer(*types)
    assert isinstance(inferred, TensorType)
    entry, axes = KERNELS[type(op)], None
    if callable(entry.order):
        (axes,) = entry.order(op, inputs)
    elif moved:
        axes = (*range(1, inferred.ndim), 0)
    out = empty([int(n) for n in inferred.shape], inferred.dtype.numpy, axes)
    with np.errstate(all="ignore"):
        for _ in range(2):
            for function, args in entry.bind(op, inputs, [out], garbage):
                function(*args)
    return out


# -- convolutions -------------------------------------------------------------------------------


def convolved(op: Conv, x: Array, weight: Array) -> Array:
    """By the definition: x spread and padded, an einsum for each element of the window."""
    padded, axes = _padded(op, x), op.axes(TensorType.of("float64", weight.shape))
    sizes = zip(padded.shape[2:], axes, strict=True)
    places = [(size - int(axis.extent)) // axis.stride + 1 for size, axis in sizes]
    outs, ins = weight.shape[0] // op.groups, weight.shape[1]
    total = np.zeros((x.shape[0], weight.shape[0], *places))
    for k in np.ndindex(*weight.shape[2:]):
        along = zip(k, places, axes, strict=True)
        starts = [(i * axis.dilation, count, axis.stride) for i, count, axis in along]
        key: Any = tuple(slice(s, s + (n - 1) * step + 1, step) for s, n, step in starts)
        seen = padded[(..., *key)]
        for group in range(op.groups):
            mine = slice(group * outs, (group + 1) * outs)
            factors = weight[(mine, slice(None), *k)]
            read = seen[:, group * ins : (group + 1) * ins]
            total[:, mine] += np.einsum("nc...,oc->no...", read, factors)
    return total


def _padded(op: Conv, x: Array) -> Array:
    """x spread by the input dilation, with zeros around it or without its borders."""
    for axis, (step, widths) in enumerate(zip(op.input_dilation, op.padding, strict=True), 2):
        low, high = (int(width) for width in widths)
        moved = np.moveaxis(x, axis, 0)
        spread = np.zeros(((len(moved) - 1) * step + 1, *moved.shape[1:]))
        spread[::step] = moved
        beside = [np.zeros((max(width, 0), *moved.shape[1:])) for width in (low, high)]
        joined = np.concatenate([beside[0], spread, beside[1]])
        x = np.moveaxis(joined[max(-low, 0) : len(joined) - max(-high, 0)], 0, axis)
    return x


def random_case(random: np.random.Generator) -> tuple[Conv, Array, Array] | None:
    """An op with operands of one to three spatial axes, or None when the window does not fit."""
    count = int(random.integers(1, 4))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(int(n) for n in random.integers(low, high, count))

    groups = int(random.choice([1, 1, 2, 3]))
    stride = each(1, 4) if random.random() < 0.5 else (1,) * count
    spread = each(1, 4) if random.random() < 0.3 else (1,) * count
    padding = tuple(zip(each(-1, 3), each(-1, 3), strict=True))
    op = Conv(stride, padding, each(1, 3), spread, groups)
    batch, ins, outs = (int(n) for n in random.integers(1, 5, 3))
    x = random.normal(size=(batch, groups * ins, *each(2, 8)))
    weight = random.normal(size=(groups * outs, ins, *each(1, 4)))
    try:
        op.infer(TensorType.of("float64", x.shape), TensorType.of("float64", weight.shape))
    except TypeProblem:
        return None
    return op, x, weight


@pytest.fixture(params=["usual", "small"])
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As they are, or so small that everything comes in many pieces, shared by three threads."""
    if request.param == "small":
        monkeypatch.setattr(batch_convolution, "LEAST_SHARED", 0.0)
        monkeypatch.setattr(batch_convolution, "threads_here", lambda: 3)
        monkeypatch.setattr(batch_columns, "PIECE_BYTES", 256)
        monkeypatch.setattr(batch_columns, "MOST_BYTES", 2048)
        monkeypatch.setattr(batch_columns, "SHORTEST_RUN", 1)
        monkeypatch.setattr(batch_convolution, "MOST_PARTIAL_BYTES", 256)
    return str(request.param)


def test_random_convolutions(limits: str) -> None:
    random, tried = np.random.default_rng(5), 0
    while tried < 80:
        case = random_case(random)
        if case is None:
            continue
        op, x, weight = case
        tried += 1
        got = computed(op, [in_order(x, 0), weight], moved=True)
        assert np.allclose(got, convolved(op, x, weight)), (op, x.shape, weight.shape)


def test_random_gradients_by_weights(limits: str) -> None:
    random, tried = np.random.default_rng(6), 0
    while tried < 20:
        case = random_case(random)
        if case is None or case[0].groups > 1:
            continue
        op, x, weight = case
        got = computed(op, [in_order(x, 1), in_order(weight, 1)], moved=False)
        assert np.allclose(got, convolved(op, x, weight)), (op, x.shape, weight.shape)
        order = KERNELS[Conv].order
        assert callable(order)
        tried += order(op, [in_order(x, 1), weight]) != [None]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_other_dtypes(dtype: str) -> None:
    random = np.random.default_rng(0)
    op = Conv((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1))
    x, weight = random.normal(size=(32, 3, 6, 6)), random.normal(size=(4, 3, 3, 3))
    got = computed(op, [in_order(x.astype(dtype), 0), weight.astype(dtype)], moved=True)
    assert np.allclose(got, convolved(op, x, weight), atol=2e-2 if dtype == "float16" else 1e-5)


def test_an_output_in_c_order_is_written_as_well() -> None:
    random = np.random.default_rng(0)
    op = Conv((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1))
    x, weight = random.normal(size=(4, 3, 6, 6)), random.normal(size=(4, 3, 3, 3))
    out = np.full((4, 4, 6, 6), 77.0)
    for function, args in KERNELS[Conv].bind(op, [in_order(x, 0), weight], [out], garbage):
        function(*args)
    assert np.allclose(out, convolved(op, x, weight))


def test_few_output_channels_are_multiplied_first_and_added_up() -> None:
    op = Conv((1, 1), ((4, 4), (4, 4)), (1, 1), (1, 1))
    x, weight = np.ones((64, 16, 10, 10)), np.ones((2, 16, 5, 5))
    sliding = batch_columns.Sliding(
        x.transpose(1, 2, 3, 0)[None], op.axes(TensorType.of("float64", weight.shape)), (14, 14),
        x.dtype, garbage,
    )  # fmt: skip
    assert batch_columns.cost_of_scattering(sliding, 2) < batch_columns.cost_of_columns(sliding, 2)
    assert batch_columns.cost_of_scattering(sliding, 64) > batch_columns.cost_of_columns(
        sliding, 64
    )


def test_a_window_of_one_element_copies_nothing() -> None:
    op = Conv((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1))
    x, weight = (
        in_order(np.random.default_rng(0).normal(size=(4, 3, 5, 5)), 0),
        np.ones((2, 3, 1, 1)),
    )
    out = empty((4, 2, 5, 5), np.float64, (1, 2, 3, 0))
    (call,) = KERNELS[Conv].bind(op, [x, weight], [out], garbage)
    call[0](*call[1])
    assert np.allclose(out, convolved(op, x, weight))


# -- windows ------------------------------------------------------------------------------------

GEOMETRIES = [
    ((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    ((2, 2), (2, 2), ((1, 0), (0, 1)), (1, 1)),
    ((3, 2), (2, 1), ((1, 1), (0, 0)), (1, 2)),
    ((2, 2), (3, 3), ((0, 0), (0, 0)), (1, 1)),
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_window_reductions_give_what_they_give_in_c_order(geometry: Any, dtype: str) -> None:
    random = np.random.default_rng(1)
    x = random.integers(-2, 3, size=(5, 3, 7, 6)).astype(dtype)  # many ties
    if dtype.startswith("float"):
        x[0, 0, 0, 0], x[1, 1, 2, 2], x[2, 0, 3, 3] = np.nan, np.inf, -np.inf
    found = _all_windows(geometry, [x])
    for ours, plain in zip(_all_windows(geometry, [in_order(x, 0)]), found, strict=True):
        assert np.array_equal(ours, plain, equal_nan=dtype != "int32")


def _all_windows(geometry: tuple[Any, ...], operands: list[Array]) -> list[Array]:
    (x,) = operands
    moved = not x.flags.c_contiguous
    largest = computed(MaxPool(*geometry), [x], moved)
    chosen = computed(WindowFind(*geometry), [x, largest], moved)
    picked = computed(WindowSelect(*geometry), [x, chosen], moved)
    placed = computed(WindowPlace(*(*geometry, x.shape[2:])), [picked, chosen], moved)
    return [largest, chosen, picked, placed, computed(WindowSum(*(*geometry, (1, 1))), [x], moved)]


def test_threads_share_the_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(2).integers(-2, 3, size=(4, 5, 6, 6)).astype("float32")
    expected = _all_windows(GEOMETRIES[2], [in_order(x, 0)])
    monkeypatch.setattr(window_reductions, "FEWEST_SHARED", 1)
    monkeypatch.setattr(window_reductions, "threads_here", lambda: 3)
    for ours, alone in zip(_all_windows(GEOMETRIES[2], [in_order(x, 0)]), expected, strict=True):
        assert np.array_equal(ours, alone)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("channels_in_a_block", [1, 2, 3])
def test_blocks_change_nothing(
    threads: int, channels_in_a_block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(3).integers(-2, 3, size=(4, 7, 6, 6)).astype("float32")
    expected = _all_windows(GEOMETRIES[2], [in_order(x, 0)])
    for name in ("BLOCK_BYTES", "THREAD_BLOCK_BYTES"):
        monkeypatch.setattr(window_reductions, name, channels_in_a_block * x[:, 0].nbytes)
    monkeypatch.setattr(window_reductions, "FEWEST_SHARED", 1)
    monkeypatch.setattr(window_reductions, "threads_here", lambda: threads)
    for ours, whole in zip(_all_windows(GEOMETRIES[2], [in_order(x, 0)]), expected, strict=True):
        assert np.array_equal(ours, whole)


def test_the_first_of_equal_elements_and_the_first_nan_are_found() -> None:
    x = np.array([[[[1.0, 3.0], [3.0, np.nan]], [[2.0, 5.0], [5.0, 5.0]]]])
    geometry = GEOMETRIES[0]
    largest = computed(MaxPool(*geometry), [x], False)
    assert computed(WindowFind(*geometry), [x, largest], False).ravel().tolist() == [3, 1]
    assert computed(
        WindowFind(*geometry), [x, np.full_like(largest, 3.0)], False
    ).ravel().tolist() == [1, 255]


def test_cotangents_without_a_finite_value_stay_at_their_place() -> None:
    chosen, y = np.array([[[[2]]]], np.uint8), np.array([[[[np.inf]]]])
    placed = computed(WindowPlace(*GEOMETRIES[0], (2, 3)), [y, chosen], False)
    assert placed.tolist() == [[[[0, 0, 0], [np.inf, 0, 0]]]]
