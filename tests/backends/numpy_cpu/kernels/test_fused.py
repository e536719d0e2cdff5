"""Fused bodies block by block: any strides, any cut, in place, with reductions, without memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.kernel import KERNELS
from asg.backends.numpy_cpu.kernels import fused
from asg.backends.numpy_cpu.threads import TEAM

import asg
from asg.core.region import Body
from asg.core.tensor import Tensor
from asg.ops.fused import Fused

Array = np.ndarray[Any, Any]
CUTS = (8, 40, 96, 1 << 17)
"""Bytes: one element of float64, a few, and everything at once."""


@pytest.fixture(params=CUTS)
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(fused, "BLOCK_BYTES", request.param)
    yield request.param


def op_of(function: Callable[..., Any], *arrays: Array) -> Fused:
    inputs = [asg.input(f"x{i}", a.shape, str(a.dtype)) for i, a in enumerate(arrays)]
    made = function(*inputs)
    outputs = made if isinstance(made, tuple) else (made,)
    return Fused(Body.of(inputs, outputs, [f"y{i}" for i in range(len(outputs))]))


def run(op: Fused, inputs: list[Array], outputs: list[Array]) -> None:
    with np.errstate(all="ignore"):
        for function, args in KERNELS[Fused].bind(op, inputs, outputs, np.empty):
            function(*args)


def results(op: Fused, *arrays: Array) -> list[Array]:
    outputs = [np.full(t.shape, 99).astype(t.dtype.numpy) for t in op.body.outputs]
    run(op, list(arrays), outputs)
    return outputs


def plain(op: Fused, *arrays: Array) -> list[Array]:
    """The same by the kernels of the ops, one after the other."""
    names = [f"x{i}" for i in range(len(arrays))]
    found = asg.compile(op.body, pipeline=())(**dict(zip(names, arrays, strict=True)))
    return list(found.values())


def agree(op: Fused, *arrays: Array) -> None:
    assert KERNELS[Fused].accepts is not None
    assert BACKEND.supports(op, tuple(tensor.type for tensor in op.body.inputs))
    for got, wanted in zip(results(op, *arrays), plain(op, *arrays), strict=True):
        np.testing.assert_array_equal(got, wanted)


def numbers(*shape: int, dtype: Any = np.float64) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape)).astype(dtype)


def chain(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    bent = asg.tanh(x * 2.0 + y)
    return bent * bent, asg.where(bent > y, x, y), bent < 0.0


def test_values_are_those_of_the_ops(block: int) -> None:
    x = numbers(3, 4, 5)
    for y in (x + 1.0, numbers(5), numbers(4, 1), numbers(3, 1, 1), numbers(1, 1), np.array(0.5)):
        agree(op_of(chain, x, y), x, y)


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_operands_in_any_memory_order(order: tuple[int, ...], block: int) -> None:
    x = numbers(3, 4, 5)
    y = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
    agree(op_of(chain, x, y), x[::-1, :, ::-1], y)
    agree(op_of(chain, y, y), y, np.broadcast_to(np.array(0.25), y.shape))


def test_results_in_another_memory_order(block: int) -> None:
    """One order for operands and results is one axis, whatever it is; two orders still work."""
    x, y = numbers(4, 5, 3).transpose(2, 0, 1), numbers(3, 4, 5)
    op = op_of(lambda x, y: (asg.erf(x), x + y, asg.exp(y)), x, y)
    outputs = [np.empty((4, 5, 3)).transpose(2, 0, 1) for _ in range(2)] + [np.empty((3, 4, 5))]
    run(op, [x, y], outputs)
    for got, wanted in zip(outputs, plain(op, x, y), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_dtypes_mix(block: int) -> None:
    x, n = numbers(7, dtype=np.float32), np.arange(-3, 4, dtype=np.int16)
    mixed = op_of(
        lambda x, n: (x.astype("float64") + n.astype("float64"), n // 2, (n > 0) & (x > 0.0)), x, n
    )
    agree(mixed, x, n)
    half = x.astype(np.float16)
    agree(op_of(lambda x: asg.rsqrt(asg.exp(x)), half), half)


# -- reductions -------------------------------------------------------------------------------


AXES = [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)]


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_of_results(axes: tuple[int, ...], keepdims: bool, block: int) -> None:
    x, row = numbers(3, 4, 5), numbers(5)
    op = op_of(
        lambda x, row: (
            asg.sum(x * row, axes, keepdims=keepdims),
            x * row,
            asg.max(x * row, axes, keepdims=keepdims),
            asg.min(asg.exp(x), axes, keepdims=keepdims),
        ),
        x, row,
    )  # fmt: skip
    exact = (False, True, True, True)
    for got, wanted, equal in zip(results(op, x, row), plain(op, x, row), exact, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0 if equal else 1e-13, atol=0)


def test_reductions_alone_and_of_integers(block: int) -> None:
    n = np.arange(-10, 10, dtype=np.int8).reshape(4, 5)
    agree(op_of(lambda n: (asg.sum(n * 3, 0), asg.max(-n)), n), n)


def test_a_result_that_is_asked_for_twice_is_written_twice(block: int) -> None:
    x = numbers(3, 4, 5)

    def twice(x: Tensor) -> tuple[Tensor, ...]:
        bent = asg.tanh(x) + 1.0
        largest = asg.max(bent, (0, 1))
        return bent, bent * x, largest, bent, largest

    agree(op_of(twice, x), x)


def test_reductions_in_another_order_than_they_were_made(block: int) -> None:
    """As a pass over the body may leave them: each has axes of its own."""
    x = numbers(3, 4, 5)

    def turned(x: Tensor) -> tuple[Tensor, ...]:
        bent = asg.tanh(x)
        first, second = asg.min(bent, 0), asg.max(bent, (1, 2))
        return second, bent, first

    agree(op_of(turned, x), x)


def test_sums_over_many_blocks_lose_no_digits() -> None:
    """Each block is summed pairwise, and so are the blocks."""
    x = np.full(3_000_000, 0.1, np.float32)
    op = op_of(lambda x: asg.sum(x * 1.0), x)
    (total,) = results(op, x)
    assert abs(total / np.sum(x, dtype=np.float64) - 1.0) < 3e-7


# -- memory -----------------------------------------------------------------------------------


def test_an_output_overwrites_only_what_is_read_no_more(block: int) -> None:
    x, y = numbers(6, 5), numbers(6, 5) + 1.0
    op = op_of(lambda x, y: ((a := x * y), asg.where(a > 0.0, y, a), asg.exp(y) + x), x, y)
    row = KERNELS[Fused].of(op)
    allowed = {(o, i) for o in range(3) for i in range(2) if row.may_overwrite(o, i, 3)}
    assert allowed == {(2, 0), (2, 1)}  # both are read until then; neither is read later
    wanted = results(op, x, y)
    for position in (0, 1):
        copies = [x.copy(), y.copy()]
        outputs = [np.empty_like(x), np.empty_like(x), copies[position]]
        run(op, copies, outputs)
        for got, expected in zip(outputs, wanted, strict=True):
            np.testing.assert_array_equal(got, expected)


def test_an_update_runs_in_the_memory_of_its_variables() -> None:
    shape, optimizer = (300, 300), asg.optim.adamw(1e-2)
    w = asg.parameter("w", shape, init=0.5)
    x = asg.input("x", shape)
    loss = asg.sum(asg.square(w @ x))
    session = asg.compile(asg.train_step(loss, optimizer=optimizer)).start(seed=0)
    program: Any = session.program(shape)
    (update,) = [n for n in program.graph.nodes if n.op.name == "fused" and len(n.outputs) == 3]
    places = [program.plan.places[tensor] for tensor in update.outputs]
    assert [place.memory for place in places] == ["state"] * 3
    assert "then copy" not in program.explain()


def test_a_step_allocates_nothing() -> None:
    x, y = numbers(70_000, dtype=np.float32), numbers(70_000, dtype=np.float32)
    op = op_of(lambda x, y: (asg.sigmoid(x * y) + y, asg.sum(x * y)), x, y)
    outputs = [np.empty_like(x), np.empty((), np.float32)]
    calls = KERNELS[Fused].bind(op, [x, y], outputs, np.empty)
    tracemalloc.start()
    for function, args in calls:
        function(*args)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4096


# -- threads ----------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(3,), (64,), (7, 9), (2, 3, 11)])
def test_threads_share_the_blocks(
    threads: int, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "SHARED_BYTES", 16)
    monkeypatch.setattr(fused, "THREAD_BLOCK_BYTES", 64)
    x, row = numbers(*shape), numbers(shape[-1])
    op = op_of(lambda x, r: (asg.sum(x * r, 0), asg.exp(x * r), asg.max(asg.tanh(x))), x, row)
    with asg.config.configure(threads=threads):
        outputs = [np.full(t.shape, 9.0) for t in op.body.outputs]
        calls = KERNELS[Fused].bind(op, [x, row], outputs, np.empty)
        shared = [args[0] for function, args in calls if function == TEAM.run]
        assert [len(parts) for parts in shared] == ([threads] if threads > 1 and x.size > 3 else [])
        for _ in range(2):
            for function, args in calls:
                function(*args)
    for got, wanted in zip(outputs, plain(op, x, row), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-14)


# -- what is decomposed -----------------------------------------------------------------------


def refused(function: Callable[..., Any], *shapes: tuple[int, ...]) -> bool:
    arrays = [np.ones(shape) for shape in shapes]
    op = op_of(function, *arrays)
    types = tuple(tensor.type for tensor in op.body.inputs)
    expected = plain(op, *arrays)
    made = op.apply(*op.body.inputs)
    whole = asg.Graph({f"y{i}": tensor for i, tensor in enumerate(made)})
    found = asg.compile(whole)(*arrays)
    for got, wanted in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(got, wanted)
    return not BACKEND.supports(op, types)


def test_bodies_that_cannot_be_cut_are_decomposed() -> None:
    assert refused(lambda x: asg.exp(x).sum() + 1.0, (3, 4))  # reads its own reduction
    assert refused(lambda x: asg.exp(x).T, (3, 4))
    assert refused(lambda x: asg.exp(x) @ x, (3, 3))
    assert refused(lambda x: (asg.exp(x), x), (3,))  # hands an operand on
    assert refused(lambda x: asg.gelu(x), (3,))  # no kernel of its own
    assert refused(lambda x: asg.exp(x), (0,))
    assert refused(lambda x, y: (asg.exp(x), asg.exp(y)), (2, 3), (3,))
    assert not refused(lambda x, y: asg.exp(x) * y, (2, 3), (3,))
