"""Gradients of loops whose number of steps only the run knows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.kernels.control import _Programs, program_length

import asg
from asg.core.errors import UnsupportedOp

BOUND = 12


def spiral(carry: Any, w: Any, tanh: Any) -> Any:
    """Two floating carries that mix, and a counter that both read."""
    a, b, n = carry
    turned = tanh(w @ a + b * n.astype("float64") * 0.1)
    return turned, 0.6 * b + 0.2 * a * turned, n + 1


def ours(a: Any, b: Any, w: Any, limit: Any, bound: int | None = None) -> Any:
    last = asg.while_loop(
        lambda c: asg.sum(c[1] * c[1]) > limit,
        lambda c: spiral(c, w, asg.tanh),
        (a, b, asg.constant(1, "int32")),
        bound,
    )
    return asg.sum(last[0] * last[1]) + asg.sum(asg.square(last[1]))


def theirs(jax: Any, a: Any, b: Any, w: Any, limit: Any) -> Any:
    def step(carry: Any, _: None) -> Any:
        goes_on = (carry[1] * carry[1]).sum() > limit
        after = spiral(carry, w, jax.numpy.tanh)
        return jax.tree.map(lambda x, y: jax.numpy.where(goes_on, x, y), after, carry), None

    last = jax.lax.scan(step, (a, b, jax.numpy.int32(1)), None, BOUND)[0]
    return (last[0] * last[1]).sum() + (last[1] ** 2).sum()


def derivatives(loss: Any, wrt: Any) -> list[Any]:
    first = asg.grad(loss, wrt)
    return [loss, first, asg.grad(sum(asg.sum(asg.square(each)) for each in first), wrt)]


def inputs(**shapes: Any) -> list[asg.Tensor]:
    return [asg.input(name, shape, asg.float64) for name, shape in shapes.items()]


def assert_all_close(found: Any, wanted: Any, tolerance: float = 1e-10) -> None:
    flat = [np.concatenate([np.ravel(leaf) for leaf in leaves(each)]) for each in (found, wanted)]
    np.testing.assert_allclose(flat[0], flat[1], rtol=tolerance, atol=tolerance)


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, list | tuple):
        return [leaf for each in tree for leaf in leaves(each)]
    return [tree]


def test_two_derivatives_are_those_of_jax_for_any_number_of_steps() -> None:
    jax = pytest.importorskip("jax")
    a, b, w, limit = inputs(a=("n",), b=("n",), w=("n", "n"), limit=())
    program = asg.compile(asg.Graph(dict(zip("lgh", derivatives(ours(a, b, w, limit), [a, b, w]),
                                             strict=True))))  # fmt: skip
    random = np.random.default_rng(0)
    given = [random.normal(size=3), 2.0 + random.normal(size=3), random.normal(size=(3, 3)) / 2]
    with jax.enable_x64(True):
        loss = partial(theirs, jax)
        slope = jax.grad(loss, (0, 1, 2))
        bend = jax.grad(lambda *x: sum((g**2).sum() for g in slope(*x)), (0, 1, 2))
        wanted = jax.jit(lambda *x: (loss(*x), slope(*x), bend(*x)))
        for stop in (1e9, 8.0, 2.0, 0.4):
            expected = jax.tree.leaves(wanted(*given, stop))
            results = program(a=given[0], b=given[1], w=given[2], limit=np.float64(stop))
            assert_all_close(list(results.values()), expected)


def test_the_bounded_loop_agrees_in_float32() -> None:
    x, w = asg.input("x", (3,)), asg.input("w", (3,))
    found = [
        asg.grad(asg.sum(asg.while_loop(
            lambda c: asg.sum(c) < 20.0, lambda c: c * w + asg.sin(c), x, bound)), [x, w])
        for bound in (None, 40)
    ]  # fmt: skip
    feeds = {x: np.full(3, 0.5, np.float32), w: np.array([1.1, 0.9, 1.3], np.float32)}
    open_ended, bounded = asg.run(found, feeds)
    assert open_ended[0].dtype == np.float32
    for one, other in zip(open_ended, bounded, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_every_number_of_steps_and_few_programs() -> None:
    x, w, n = *inputs(x=(), w=()), asg.input("n", (), asg.int32)
    y = asg.fori_loop(0, n, lambda i, c: c * w, x)
    first = asg.grad(y, w)
    program = asg.compile(asg.Graph(first=first, second=asg.grad(first, w)))
    for steps in (*range(12), 17, 40, 41, 300):
        results = program(w=1.01, x=2.0, n=np.int32(steps))
        power = 2.0 * 1.01 ** (steps - 2.0)
        assert results["first"] == pytest.approx(steps * power * 1.01, rel=1e-12)
        assert results["second"] == pytest.approx(steps * (steps - 1) * power, rel=1e-12)


@pytest.mark.parametrize("steps", [*range(40), 127, 1000, 12345, 10**6])
def test_a_program_is_long_enough_and_wastes_a_ninth_at_most(steps: int) -> None:
    length = program_length(steps)
    assert max(steps, 1) <= length <= max(steps * 9 / 8, 1)
    assert len({program_length(each) for each in range(1024, 2048)}) == 9


def test_programs_are_kept_and_their_number_is_bounded() -> None:
    x = asg.input("x", ())
    op: Any = asg.grad(asg.while_loop(lambda c: c < 9.0, lambda c: c * 2.0, x), x).node.op
    programs = _Programs(op)
    arrays = [np.zeros((), t.dtype.numpy) for t in op.body.inputs], [np.zeros((), np.float32)]
    made = [programs.calls(length, *arrays) for length in range(1, 9)]
    assert programs.calls(1, *arrays) is made[0]
    programs.calls(9, *arrays)
    assert list(programs.known) == [3, 4, 5, 6, 7, 8, 1, 9]


def test_loops_inside_scans_branches_and_loops() -> None:
    x, w, rows = inputs(x=(), w=(), rows=("t",))

    def newton(target: Any, start: Any, bound: int | None) -> Any:
        """The root of ``y * y * w = target``, to a precision that takes 4 to 7 steps."""
        step = lambda y: y - (y * y * w - target) / (2.0 * y * w)  # noqa: E731
        return asg.while_loop(lambda y: asg.abs(y * y * w - target) > 1e-13, step, start, bound)

    def whole(bound: int | None) -> Any:
        def row(carry: Any, target: Any) -> Any:
            root = asg.cond(target > 1.0, lambda: newton(target, carry, bound), lambda: carry * w)
            return carry + 0.1 * root, root

        last, roots = asg.scan(row, x, rows)
        outer = asg.while_loop(
            lambda c: c > 1.0, lambda c: newton(c, c, bound) * 0.9, last, bound
        )
        return outer * asg.sum(roots)

    feeds = {x: 1.5, w: 1.25, rows: np.array([2.0, 0.5, 9.0])}
    open_ended, bounded = asg.run([derivatives(whole(b), [x, w, rows]) for b in (None, 12)], feeds)
    assert_all_close(open_ended, bounded, 1e-9)


def test_finite_differences_to_second_order() -> None:
    a, b, w, limit = inputs(a=(2,), b=(2,), w=(2, 2), limit=())
    loss = ours(a, b, w, limit)
    feeds = {a: np.array([0.3, -0.2]), b: np.array([2.0, 1.0]), limit: np.array(0.5),
             w: np.array([[0.5, 0.2], [-0.3, 0.4]])}  # fmt: skip
    first = asg.grad(loss, [a, b, w])
    v = asg.ones((2, 2), asg.float64)
    (bend,) = asg.run([asg.vjp(first[2], v, w)], feeds)
    program = asg.compile(asg.Graph(loss=loss, slope=first[2]))

    def at(shift: float) -> Any:
        named = {"a": feeds[a], "b": feeds[b], "limit": feeds[limit], "w": feeds[w] + shift}
        return program(**named)

    step = 1e-5
    above, below, here = at(step), at(-step), at(0.0)
    slope = (above["loss"] - below["loss"]) / (2 * step)
    assert here["slope"].sum() == pytest.approx(slope, rel=1e-8)
    np.testing.assert_allclose(bend, (above["slope"] - below["slope"]) / (2 * step), rtol=1e-8)


def test_bounds_that_are_tensors_give_what_ints_give() -> None:
    x, stop = asg.input("x", ("n",), asg.float64), asg.input("stop", (), asg.int32)
    step = lambda i, c: asg.sin(c) * 1.5 + i.astype("float64")  # noqa: E731
    losses = [asg.sum(asg.fori_loop(2, end, step, x) ** 2.0) for end in (6, stop)]
    given = np.array([0.1, 0.7, -1.0])
    fixed, open_ended = asg.run([derivatives(each, [x]) for each in losses], {x: given, stop: 6})
    assert_all_close(open_ended, fixed)


def test_the_size_inside_is_nobody_elses() -> None:
    x = asg.input("x", ("steps", 2), asg.float64)
    loss = asg.sum(asg.while_loop(lambda c: asg.sum(c) < 9.0, lambda c: c * c + 0.5, x))
    slope = asg.grad(loss, x)
    op: Any = slope.node.op
    assert op.size == "steps_1"
    bounded = asg.sum(asg.while_loop(lambda c: asg.sum(c) < 9.0, lambda c: c * c + 0.5, x, 9))
    given = np.array([[0.1, 0.2], [0.3, 0.9], [0.5, 0.7]])
    found, wanted = asg.run([slope, asg.grad(bounded, x)], {x: given})
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    graph = asg.Graph(slope=slope)
    assert str(asg.parse(str(graph))) == str(graph)
    (entry,) = [n for n in asg.describe.describe(graph)["nodes"] if n["op"] == "run_time_length"]
    assert entry["bodies"].keys() == {"body"}


def test_only_what_is_asked_for_is_pulled_back() -> None:
    x, w = asg.input("x", (3,)), asg.input("w", (3, 3))
    last = asg.while_loop(lambda c: asg.sum(c) < 9.0, lambda c: asg.tanh(w @ c) + c, x)
    sizes = []
    for wrt in ([x], [x, w]):
        ops = [each.node.op for each in asg.grad(asg.sum(last), wrt)]
        body: Any = ops[0]
        sizes.append((len(body.body.outputs), len(body.body.nodes)))
    assert sizes[0][0] == 1 and sizes[1][0] == 2
    assert sizes[0][1] < sizes[1][1]


def test_jax_says_which_loop_and_what_to_do() -> None:
    pytest.importorskip("jax")
    x, n = asg.input("x", ()), asg.input("n", (), asg.int32)
    values = [
        asg.while_loop(lambda c: c < 10.0, lambda c: c * 2.0, x),
        asg.fori_loop(0, n, lambda i, c: c * 2.0, x),
        asg.scan(lambda c, _: (asg.while_loop(lambda d: d < 9.0, lambda d: d * c, c), None), x,
                 length=3)[0],
    ]  # fmt: skip
    for value in values:
        graph = asg.Graph(slope=asg.grad(value, x))
        with pytest.raises(UnsupportedOp) as caught:
            asg.compile(graph, backend="jax")
        for words in ("while_loop", "test_run_time_length.py:", "max_length="):
            assert words in str(caught.value)


def test_the_audit_names_the_loop() -> None:
    x = asg.input("x", ())

    def nested(bound: int | None) -> Any:
        def inner(c: Any) -> Any:
            return asg.while_loop(lambda d: d < 9.0, lambda d: d * 2.0 + c, c, bound)

        return asg.scan(lambda c, _: (inner(c), None), x, length=2)[0]

    assert asg.audit(nested(5), x).ok
    (finding,) = asg.audit(nested(None), x).findings
    assert finding.kind == "open loop"
    assert "test_run_time_length.py" in str(finding) and "max_length=" in str(finding)
