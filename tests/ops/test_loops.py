"""Scan against the scan of JAX, and what it refuses."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import AsgError, OperandError, ShapeError

RANDOM = np.random.default_rng(0)


def lstm(carry: Any, x: Any, weight: Any, np_like: Any, sigmoid: Any) -> Any:
    z = carry["h"] @ weight + x
    cell = sigmoid(z) * carry["c"] + np_like.tanh(z)
    hidden = np_like.tanh(cell)
    return {"h": hidden, "c": cell}, (hidden, cell * z)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("reverse", [False, True])
def test_an_lstm_and_its_derivatives_are_those_of_jax(backend: str, reverse: bool) -> None:
    jax = pytest.importorskip("jax")
    numpy = jax.numpy
    w = asg.input("w", (3, 3), asg.float64)
    xs = asg.input("xs", ("t", 3), asg.float64)
    h = asg.input("h", (3,), asg.float64)

    def ours() -> Any:
        start = {"h": h, "c": asg.zeros_like(h)}
        last, (y, z) = asg.scan(
            lambda c, x: lstm(c, x, w, asg, asg.sigmoid), start, xs, reverse=reverse
        )
        return (last["h"] * last["c"]).sum() + (y * z).sum()

    def theirs(w: Any, xs: Any, h: Any) -> Any:
        start = {"h": h, "c": numpy.zeros(3)}
        last, (y, z) = jax.lax.scan(
            lambda c, x: lstm(c, x, w, numpy, jax.nn.sigmoid), start, xs, reverse=reverse
        )
        return (last["h"] * last["c"]).sum() + (y * z).sum()

    loss = ours()
    first = asg.grad(loss, [w, xs, h])
    second = asg.grad(sum((g * g).sum() for g in first), [w, xs, h])
    arrays = [RANDOM.normal(size=shape) for shape in ((3, 3), (5, 3), (3,))]
    values = asg.run([loss, first, second], dict(zip((w, xs, h), arrays, strict=True)),
                     backend=backend)  # fmt: skip
    with jax.enable_x64(True):
        gradient = jax.grad(theirs, (0, 1, 2))
        squares = jax.grad(lambda *a: sum((g * g).sum() for g in gradient(*a)), (0, 1, 2))
        wanted = [theirs(*arrays), gradient(*arrays), squares(*arrays)]
        for got, expected in zip(jax.tree.leaves(values), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_the_gradient_of_an_initial_value_alone_sums_no_weights() -> None:
    w, h = asg.input("w", (3, 3)), asg.input("h", (3,))
    last, _ = asg.scan(lambda c, _: (asg.tanh(c @ w), None), h, length=4)
    (by_h,) = asg.grad(last.sum(), [h])
    backward: Any = by_h.node.op
    assert backward.reverse and backward.carries == 1


def test_jvp_of_a_scan() -> None:
    x = asg.input("x", (2,), asg.float64)
    y = asg.scan(lambda c, _: (asg.sin(c), None), x, length=3)[0]
    pushed = asg.jvp(y, x, asg.constant([1.0, 2.0], asg.float64))
    point, step = np.array([0.3, -0.7]), 1e-6
    shift = step * np.array([1.0, 2.0])
    above, below = (np.sin(np.sin(np.sin(v))) for v in (point + shift, point - shift))
    numeric = (above - below) / (2 * step)
    np.testing.assert_allclose(asg.run(pushed, {x: point}), numeric, rtol=1e-8)


def test_sizes_that_only_the_run_knows_are_checked() -> None:
    x, y = asg.input("x", ("n", 2)), asg.input("y", ("m", 2))
    graph = asg.Graph(z=asg.scan(lambda c, p: (c + p[0] * p[1], None), asg.zeros((2,)), (x, y))[0])
    assert [str(c.left) + c.relation + str(c.right) for c in graph.checks] == ["m==n"]
    run = asg.compile(graph)
    ones = np.ones((3, 2), np.float32)
    assert run(x=ones, y=ones)["z"].tolist() == [3.0, 3.0]
    with pytest.raises(asg.AsgError, match="m == n was assumed"):
        run(x=ones, y=ones[:2])


def test_claims_inside_a_body_are_claims_of_the_graph() -> None:
    x, v = asg.input("x", (4, "n")), asg.input("v", ("m",))
    graph = asg.Graph(y=asg.scan(lambda _, row: (None, row + v), None, x)[1])
    assert len(graph.checks) == 1
    with pytest.raises(asg.AsgError, match="broadcast"):
        asg.compile(graph)(x=np.ones((4, 3), np.float32), v=np.ones(2, np.float32))


def test_a_variable_that_the_body_reads_is_a_state_of_the_graph() -> None:
    w = asg.parameter("w", (3,), init=0.5)
    xs = asg.input("xs", (4, 3))
    loss = asg.scan(lambda c, x: (c + (w * x).sum(), None), 0.0, xs)[0]
    step = asg.train_step(loss, optimizer=asg.optim.sgd(0.1))
    session = asg.compile(step).start()
    assert session(xs=np.ones((4, 3), np.float32))["loss"].item() == 6.0
    np.testing.assert_allclose(session.state_dict()["w"], 0.1, rtol=1e-6)


def test_equal_loops_are_computed_once() -> None:
    x = asg.input("x", (5,))
    twice = [asg.scan(lambda c, e: (c * e, None), 1.0, x)[0] for _ in range(2)]
    graph = asg.Graph(y=twice[0] + twice[1]).optimize()
    assert sum(node.op.name == "scan" for node in graph.nodes) == 1


def test_passes_enter_bodies() -> None:
    x = asg.input("x", (5, 2))
    graph = asg.Graph(y=asg.scan(lambda c, e: (c * 1.0 + e * (1.0 - 1.0 + 1.0), None),
                                 asg.zeros((2,)), x)[0]).optimize()  # fmt: skip
    loop: Any = next(node.op for node in graph.nodes if node.op.name == "scan")
    assert [node.op.name for node in loop.body.nodes] == ["input", "input", "add"]


def test_checkpoint_keeps_nothing_but_carries() -> None:
    w, xs = asg.input("w", (3, 3)), asg.input("xs", (4, 3))
    kept, values = [], []
    for checkpoint in (False, True):
        step = lambda c, x: (asg.tanh(asg.exp(c @ w) * x), None)  # noqa: E731
        last, _ = asg.scan(step, asg.ones((3,)), xs, checkpoint=checkpoint)
        slope = asg.grad(last.sum(), w)
        backward: Any = slope.node.op
        kept.append(backward.stacked)
        feeds = {w: np.full((3, 3), 0.1, np.float32), xs: np.ones((4, 3), np.float32)}
        values.append(asg.run(slope, feeds))
    assert kept == [4, 2]  # x and carry; with two intermediate values
    np.testing.assert_allclose(values[0], values[1], rtol=1e-6)


def test_a_value_of_a_body_cannot_leak() -> None:
    leaked = []

    def step(carry: Any, x: Any) -> Any:
        leaked.append(x)
        return carry + x, None

    asg.scan(step, 0.0, asg.input("x", (4,)))
    with pytest.raises(asg.AsgError, match=r"loops.py:\d+\n  repair: return it from the function"):
        asg.Graph(y=leaked[0] * 2.0)


def test_a_variable_cannot_be_written_inside_a_body() -> None:
    total = asg.Variable("total", (), init=0.0, role="statistic")

    def step(carry: Any, x: Any) -> Any:
        total.write(total.read() + x)
        return carry + x, None

    with asg.StateTrace() as trace:
        last, _ = asg.scan(step, 0.0, asg.input("x", (4,)))
        with pytest.raises(asg.AsgError, match="variables cannot be written inside"):
            trace.close({"y": last})


def test_loops_over_constants_are_not_run_by_the_compiler() -> None:
    graph = asg.Graph(y=asg.scan(lambda c, _: (c + 1.0, None), 0.0, length=100_000)[0])
    assert [n.op.name for n in graph.optimize().nodes if n.inputs] == ["scan"]


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda x: asg.scan(lambda c, e: (c, None), 0.0), OperandError, "pass length="),
        (lambda x: asg.scan(lambda c, e: (e, None), 0.0, x), ShapeError,
         "carry is f32[] as it goes in and f32[3] as it comes out"),
        (lambda x: asg.scan(lambda c, e: (c + 1.5, None), 0, x), AsgError,
         "carry is i32[] as it goes in and f32[] as it comes out"),
        (lambda x: asg.scan(lambda c, e: ({"a": c["b"]}, None), {"b": 0.0}, x), OperandError,
         "returns a carry of carry.a, it gets carry.b"),
        (lambda x: asg.scan(lambda c, e: c, 0.0, x), OperandError, "not (carry, y)"),
        (lambda x: asg.scan(lambda c, e: (c, e), None, x.sum()), ShapeError, "needs an axis"),
        (lambda x: asg.scan(lambda c, e: (c, None), 0.0, x, length=5), ShapeError, "4 against 5"),
        (lambda x: asg.scan(lambda c, e: (c, None), 0.0, (x, x[:2])), ShapeError, "2 against 4"),
    ],
)  # fmt: skip
def test_wrong_scans_are_refused(build: Any, error: type[AsgError], words: str) -> None:
    x = asg.input("x", (4, 3))
    with pytest.raises(error) as caught:
        build(x)
    assert words in str(caught.value)
    assert "test_loops.py" in str(caught.value)
