"""Unrolled scans: the numbers stay, the steps run in pieces, backward too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import OperandError
from asg.ops.loops import Scan

RANDOM = np.random.default_rng(0)


def losses(length: int, reverse: bool, unroll: Any) -> tuple[list[asg.Tensor], list[Any]]:
    """A loss, its gradient and a second derivative; then the inputs."""
    xs, w, h = (
        asg.input(name, shape, asg.float64)
        for name, shape in (("xs", (length, 2)), ("w", (2, 2)), ("h", (2,)))
    )

    def step(carry: Any, x: Any) -> Any:
        after = asg.tanh(w @ carry + x)
        return after, (carry * x, after)

    last, (y, z) = asg.scan(step, h, xs, reverse=reverse, unroll=unroll)
    loss = asg.sum(last * last) + asg.sum(y * z)
    first = asg.grad(loss, [w, h])
    return [loss, *first, asg.grad(asg.sum(asg.square(first[0])), w), y], [xs, w, h]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 7, 8])
def test_no_number_changes(length: int, reverse: bool) -> None:
    arrays = [RANDOM.normal(size=shape) for shape in ((length, 2), (2, 2), (2,))]
    found = []
    for unroll in (1, 3, 8, 50, True):
        tensors, inputs = losses(length, reverse, unroll)
        values = asg.run(tensors, dict(zip(inputs, arrays, strict=True)))
        found.append(np.concatenate([np.ravel(value) for value in values]))
    for each in found[1:]:
        np.testing.assert_allclose(each, found[0], rtol=1e-12, atol=1e-14)


def test_backward_and_text_and_passes_keep_it() -> None:
    tensors, _ = losses(7, False, 3)
    graph = asg.Graph(loss=tensors[0], slope=tensors[3])
    for each in (graph, asg.parse(str(graph)), graph.optimize()):
        loops = [node.op for node in each.nodes if isinstance(node.op, Scan)]
        assert len(loops) > 2 and {op.unroll for op in loops} == {3}
    assert len([n for n in graph.optimize().nodes if n.op.name == "scan"]) < len(
        [n for n in graph.nodes if n.op.name == "scan"]
    )  # loops were merged


def test_jax_unrolls_as_well() -> None:
    jax = pytest.importorskip("jax")
    from asg.backends.jax_xla.kernels.control import scan

    for unroll, wanted in ((3, 3), (True, 5), (9, 5)):
        x = asg.input("x", (5,))
        op: Any = asg.scan(lambda c, e: (c + e, None), 0.0, x, unroll=unroll)[0].node.op
        traced = jax.make_jaxpr(lambda *a, op=op: scan(op, *a))(np.float32(0), np.ones(5, "f4"))
        (equation,) = [e for e in traced.jaxpr.eqns if e.primitive.name == "scan"]
        assert equation.params["unroll"] == wanted


def test_loops_made_of_scans_pass_it_on() -> None:
    x = asg.input("x", (6,))
    by_counter: Any = asg.fori_loop(0, 6, lambda i, c: c + i, 0, unroll=2)
    mapped: Any = asg.map(lambda e: e * 2.0, x, unroll=True)
    assert by_counter.node.op.unroll == 2 and mapped.node.op.unroll == 0
    assert asg.run(by_counter, {}).item() == 15
    assert asg.run(mapped, {x: np.arange(6, dtype="f4")}).tolist() == [0, 2, 4, 6, 8, 10]


def test_sizes_may_be_symbols() -> None:
    x = asg.input("x", ("n",))
    y = asg.scan(lambda c, e: (c * 0.5 + e,) * 2, 0.0, x, unroll=4)[1]
    program = asg.compile(asg.Graph(y=y))
    for length in (1, 4, 9):
        given = np.arange(length, dtype=np.float32)
        wanted: list[float] = []
        carry = 0.0
        for each in given:
            carry = carry * 0.5 + float(each)
            wanted.append(carry)
        np.testing.assert_allclose(program(x=given)["y"], wanted, rtol=1e-6)


@pytest.mark.parametrize("unroll", [-1, 2.5, None])
def test_wrong_numbers_of_steps_are_refused(unroll: Any) -> None:
    x, n = asg.input("x", (4,)), asg.input("n", (), asg.int32)
    with pytest.raises(OperandError, match="unroll is") as caught:
        asg.scan(lambda c, e: (c + e, None), 0.0, x, unroll=unroll)
    assert "test_unroll.py" in str(caught.value)
    with pytest.raises(OperandError, match="bounds are tensors"):
        asg.fori_loop(0, n, lambda i, c: c, x, unroll=2)
