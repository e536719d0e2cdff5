"""Scans on NumPy: steps copy nothing, and windows of any length give the same numbers."""

from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import loop
from asg.backends.numpy_cpu.bind import bind

import asg
from asg.core.graph import Graph
from asg.testing.parity import evaluate

RANDOM = np.random.default_rng(3)


def everything(xs: Any, k: Any, reverse: bool) -> dict[str, Any]:
    """Carries that change places, come back, are elements, views, constants, results of loops."""

    def step(carry: Any, x: Any) -> Any:
        a, b, c, d, e, f, g = carry
        inner, partial = asg.scan(lambda s, y: (s * 0.5 + y, s), a.sum(), x)
        new = asg.sin(a @ k + x)
        grown = asg.cond(inner > 0.0, lambda: new + 1.0, lambda: new * 2.0)
        after = (new, a, b, x, new, grown, d[::-1])
        return after, (a, new, grown, x, c, partial, g, new.reshape(3, 1), k[0], e * f)

    zeros = asg.constant(np.zeros(3))
    first = (zeros + 1.0, zeros, xs[0], xs[1], zeros - 1.0, zeros, zeros)
    last, stacked = asg.scan(step, first, xs, reverse=reverse)
    return {f"y{i}": each for i, each in enumerate([*last, *stacked])}


def plain(xs: Any, k: Any, reverse: bool) -> list[Any]:
    zeros = np.zeros(3)
    a, b, c, d, e, f, g = zeros + 1.0, zeros, xs[0], xs[1], zeros - 1.0, zeros, zeros
    rows: list[Any] = [None] * len(xs)
    for t in range(len(xs))[:: -1 if reverse else 1]:
        x, inner, partial = xs[t], a.sum(), []
        for y in x:
            partial.append(inner)
            inner = inner * 0.5 + y
        new = np.sin(a @ k + x)
        grown = new + 1.0 if inner > 0.0 else new * 2.0
        rows[t] = (a, new, grown, x, c, partial, g, new.reshape(3, 1), k[0], e * f)
        a, b, c, d, e, f, g = new, a, b, x, new, grown, d[::-1]
    return [a, b, c, d, e, f, g, *(np.array(row) for row in zip(*rows, strict=True))]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kernels", [1, 45, 10_000])
def test_windows_keep_all_values(
    monkeypatch: pytest.MonkeyPatch, kernels: int, reverse: bool
) -> None:
    monkeypatch.setattr(loop, "LIMIT", kernels)
    xs, k = asg.input("xs", (7, 3), asg.float64), asg.input("k", (3, 3), asg.float64)
    feeds = {"xs": RANDOM.normal(size=(7, 3)), "k": RANDOM.normal(size=(3, 3))}
    wanted = plain(feeds["xs"], feeds["k"], reverse)
    found = evaluate(everything(xs, k, reverse), feeds)
    for value, other in zip(found.values(), wanted, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-13)


@pytest.mark.parametrize("reverse", [False, True])
def test_products_that_are_written_turned_are_outputs_of_every_step(reverse: bool) -> None:
    """Whoever reads the product reads it transposed, so that it lies in memory like that."""
    xs, h = asg.input("xs", (4, 2, 3), asg.float64), asg.input("h", (2, 2), asg.float64)

    def step(carry: Any, x: Any) -> Any:
        turned = asg.transpose(carry @ x)
        return asg.transpose(asg.tanh(x) @ turned), turned

    last, turned = asg.scan(step, h, xs, reverse=reverse)
    feeds = {"xs": RANDOM.normal(size=(4, 2, 3)), "h": RANDOM.normal(size=(2, 2))}
    found = evaluate({"last": last, "turned": turned}, feeds)
    carry = feeds["h"]
    for place in range(4)[:: -1 if reverse else 1]:
        x = feeds["xs"][place]
        np.testing.assert_allclose(found["turned"][place], (carry @ x).T, rtol=1e-13)
        carry = (np.tanh(x) @ (carry @ x).T).T
    np.testing.assert_allclose(found["last"], carry, rtol=1e-13)


def scan_calls_of(graph: Graph) -> list[Any]:
    """The calls that run the only scan of a lowered graph."""
    return [call for node, calls in bind(graph).steps if node.op.name == "scan" for call in calls]


def test_a_step_copies_nothing() -> None:
    xs, h = asg.input("xs", (5, 3)), asg.input("h", (3,))
    last, (y, z) = asg.scan(lambda c, x: (asg.tanh(c + x), (asg.exp(c), c * x)), h, xs)
    (run,) = scan_calls_of(Graph({"last": last, "y": y, "z": z}))
    functions = sorted(function.__name__ for function, _ in run[1][0])
    assert functions == sorted(["add", "tanh", "exp", "multiply"] * 5)


def test_captured_values_are_copied_once_if_at_all() -> None:
    w, h = asg.input("w", (3, 3)), asg.input("h", (3,))
    for matrix, copied in ((w, 0), (w.T, 1)):

        def step(carry: Any, _: None, by: Any = matrix) -> Any:
            return asg.tanh(carry @ by), None

        last, _ = asg.scan(step, h, length=4)
        calls = scan_calls_of(Graph({"last": last}))
        assert [function for function, _ in calls] == [np.copyto] * copied + [loop.run_calls]


def test_no_steps() -> None:
    xs, h = asg.input("xs", (0, 3)), asg.input("h", (3,))
    last, y = asg.scan(lambda c, x: (c + x, c), h, xs)
    found = asg.run([last, y], {h: [1.0, 2.0, 3.0], xs: np.zeros((0, 3), np.float32)})
    assert found[0].tolist() == [1.0, 2.0, 3.0] and found[1].shape == (0, 3)
