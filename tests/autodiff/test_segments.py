"""Scans that keep the carries at the starts of segments: equal numbers, less memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import OperandError
from asg.ops.own_sizes import near_root

RANDOM = np.random.default_rng(0)


def losses(
    length: Any, checkpoint: Any, reverse: bool = False
) -> tuple[list[asg.Tensor], list[asg.Tensor]]:
    """A loss, its gradient and a second derivative, and stacked values; then the inputs."""
    xs, w, h = (
        asg.input(name, shape, asg.float64)
        for name, shape in (("xs", (length, 2)), ("w", (2, 2)), ("h", (2,)))
    )

    def step(carry: Any, x: Any) -> Any:
        state, count = carry
        after = asg.tanh(w @ state + x) + 0.1 * count.astype("float64")
        return (after, count + 1), (state * x, after)

    start = (h, asg.constant(0, "int32"))
    (last, _), (y, z) = asg.scan(step, start, xs, reverse=reverse, checkpoint=checkpoint)
    loss = asg.sum(last * last) + asg.sum(y * z)
    first = asg.grad(loss, [xs, w, h])
    return [loss, *first, asg.grad(asg.sum(asg.square(first[1])), w), y], [xs, w, h]


def values(length: Any, steps: int, **options: Any) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(steps)
    arrays = [random.normal(size=shape) for shape in ((steps, 2), (2, 2), (2,))]
    tensors, inputs = losses(length, **options)
    found = asg.run(tensors, dict(zip(inputs, arrays, strict=True)))
    return np.concatenate([np.ravel(each) for each in found])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 7, 9, 12])
def test_no_number_changes(steps: int, reverse: bool) -> None:
    plain = values(steps, steps, checkpoint=False, reverse=reverse)
    for checkpoint in (True, 1, 3, 5, 50, "sqrt"):
        found = values(steps, steps, checkpoint=checkpoint, reverse=reverse)
        np.testing.assert_allclose(found, plain, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("steps", [1, 7, 9])
def test_no_number_changes_for_symbolic_lengths(steps: int) -> None:
    plain = values(steps, steps, checkpoint=False)
    for checkpoint in (3, "sqrt"):
        found = values("n", steps, checkpoint=checkpoint)
        np.testing.assert_allclose(found, plain, rtol=1e-12, atol=1e-14)


def test_jax_agrees() -> None:
    pytest.importorskip("jax")
    given = [RANDOM.normal(size=shape) for shape in ((7, 2), (2, 2), (2,))]
    slopes = []
    for backend, length, checkpoint in (("numpy", 7, False), ("jax", "n", "sqrt")):
        tensors, inputs = losses(length, checkpoint)
        feeds = dict(zip(inputs, given, strict=True))
        slopes.append(asg.run(tensors[2], feeds, backend=backend))
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-12, atol=1e-14)


def test_one_program_for_every_length() -> None:
    x = asg.input("x", ("n",), asg.float64)
    start = asg.constant(0.3, asg.float64)
    y = asg.scan(lambda c, e: (asg.sin(c + e),) * 2, start, x, checkpoint="sqrt")[1]
    program = asg.compile(asg.Graph(slope=asg.grad(asg.sum(y), x)))
    for length in (1, 2, 10, 31):
        given = RANDOM.normal(size=length)
        states, slopes, back = [0.3], [], 0.0
        for each in given:
            states.append(float(np.sin(states[-1] + each)))
        for before, each in zip(states[-2::-1], given[::-1], strict=True):
            back = (back + 1.0) * float(np.cos(before + each))
            slopes.append(back)
        np.testing.assert_allclose(program(x=given)["slope"], slopes[::-1], rtol=1e-12)


@pytest.mark.parametrize("length", ["n", 4096])
def test_the_memory_is_that_of_the_root(length: Any) -> None:
    """A carry and intermediate values of 1000 numbers; x is small."""
    peaks = {}
    for checkpoint in (False, True, "sqrt"):
        x, h = asg.input("x", (length,), asg.float64), asg.input("h", (1000,), asg.float64)
        step = lambda c, e: (asg.sin(asg.exp(0.1 * c) * e), None)  # noqa: E731
        last = asg.scan(step, h, x, checkpoint=checkpoint)[0]
        program = asg.compile(asg.Graph(slope=asg.grad(asg.sum(last), h)))
        tracemalloc.start()
        try:
            program(x=np.full(4096, 0.9), h=np.ones(1000))
            peaks[checkpoint] = tracemalloc.get_traced_memory()[1] / 8000
        finally:
            tracemalloc.stop()
    assert peaks[False] > 2 * 4096 and 4096 < peaks[True] < 1.2 * 4096
    assert peaks["sqrt"] < 6 * 64


def test_the_forward_loop_runs_once() -> None:
    for length, checkpoint in ((12, "sqrt"), (12, 5), ("n", 5), ("n", "sqrt")):
        x = asg.input("x", (length,))
        y = asg.scan(lambda c, e: (asg.sin(c + e),) * 2, 0.3, x, checkpoint=checkpoint)[1]
        graph = asg.Graph(y=asg.sum(y), slope=asg.grad(asg.sum(y), x))
        lowered = asg.compile(graph).specialised([(12,)])
        forward = [n for n in lowered.nodes if n.op.name == "scan" and not n.op.reverse]  # type: ignore[attr-defined]
        assert len(forward) == (1 if length == 12 and checkpoint == "sqrt" else 2)


def test_it_prints_and_parses() -> None:
    for checkpoint in (5, "sqrt"):
        graph = asg.Graph(slope=losses("n", checkpoint)[0][2])
        text = str(graph)
        assert str(asg.parse(text)) == text
        assert not any("segment" in f"{check.left}{check.right}" for check in graph.checks)
        assert str(asg.parse(str(graph.optimize()))) == str(graph.optimize())


def test_segments_divide_the_length_where_they_can() -> None:
    for length in range(500):
        size = near_root(length)
        root = max(int(length**0.5), 1)
        assert root / 2 <= size <= 2 * root
        divides = any(length % each == 0 for each in range(-(-root // 2), root * 3 // 2 + 1))
        assert (length % size == 0) == divides


@pytest.mark.parametrize("checkpoint", [0, -2, 1.5, "root", None])
def test_wrong_segments_are_refused(checkpoint: Any) -> None:
    with pytest.raises(OperandError, match="checkpoint is") as caught:
        asg.scan(lambda c, e: (c + e, None), 0.0, asg.input("x", (4,)), checkpoint=checkpoint)
    assert "test_segments.py" in str(caught.value) and '"sqrt"' in str(caught.value)
