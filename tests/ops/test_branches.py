"""Branches and open loops: what is computed, their gradients, and what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "jax"])


@BACKENDS
@pytest.mark.parametrize("positive", [True, False])
def test_a_gradient_flows_into_the_branch_that_was_chosen(backend: str, positive: bool) -> None:
    x, w = asg.input("x", (), asg.float64), asg.input("w", (), asg.float64)
    y = asg.cond(x > 0.0, lambda x: asg.log(x) * w, lambda x: {"y": x}["y"], x)
    first = asg.grad(y, [x, w])
    second = asg.grad(first[0], [x, w])
    point = 2.0 if positive else -2.0
    found = asg.run([y, first, second], {x: point, w: 3.0}, backend=backend)
    if positive:
        wanted = [3 * np.log(2), [1.5, np.log(2)], [-0.75, 0.5]]
    else:
        wanted = [-2.0, [1.0, 0.0], [0.0, 0.0]]  # and no NaN from log(-2)
    assert np.allclose(np.ravel(found[0]), wanted[0])
    assert np.allclose([*found[1], *found[2]], [*wanted[1], *wanted[2]])


@BACKENDS
def test_a_loop_with_a_bound_has_a_gradient(backend: str) -> None:
    x = asg.input("x", (), asg.float64)
    y = asg.while_loop(lambda c: c < 10.0, lambda c: c * c, x, max_length=6)
    value, slope = asg.run([y, asg.grad(y, x)], {x: 1.5}, backend=backend)
    assert np.isclose(value, 1.5**8) and np.isclose(slope, 8 * 1.5**7)


@BACKENDS
def test_loops_by_counter_agree_whatever_the_bounds_are(backend: str) -> None:
    x, stop = asg.input("x", ("n",)), asg.input("stop", (), asg.int32)

    def step(i: Any, c: Any) -> Any:
        return c * 0.5 + i.astype("float32")

    fixed, by_size = asg.fori_loop(1, 4, step, x), asg.fori_loop(1, x.shape[0], step, x)
    open_ended = asg.fori_loop(1, stop, step, x)
    given = np.arange(4, dtype=np.float32)
    found = asg.run([fixed, by_size, open_ended], {x: given, stop: 4}, backend=backend)
    for i in range(1, 4):
        given = given * 0.5 + i
    for each in found:
        np.testing.assert_allclose(each, given, rtol=1e-6)
    for none in (asg.fori_loop(4, 1, step, x), asg.fori_loop(7, x.shape[0], step, x)):
        assert asg.run(none, {x: given}, backend=backend).tolist() == given.tolist()


def test_map_is_differentiable() -> None:
    x = asg.input("x", (3, 2))
    y = asg.map(lambda row: {"s": (row * row).sum()}, x)["s"]
    slope = asg.run(asg.grad(y.sum(), x), {x: np.ones((3, 2), np.float32)})
    assert slope.tolist() == [[2.0, 2.0]] * 3


def test_branches_keep_through_text_and_passes() -> None:
    x, p = asg.input("x", ("n",)), asg.input("p", (), asg.bool_)
    y = asg.cond(p, lambda: asg.softmax(x * 1.0), lambda: asg.while_loop(
        lambda c: c.sum() < 3.0, lambda c: c + 1.0, x))  # fmt: skip
    graph = asg.Graph(y=y)
    text = str(graph)
    assert str(asg.parse(text)) == text
    assert "multiply" not in str(graph.optimize())
    run = asg.compile(asg.parse(text))
    assert run(x=np.zeros(2, np.float32), p=np.array(False))["y"].tolist() == [2.0, 2.0]


def test_branches_are_graphs_of_the_document() -> None:
    x, p = asg.input("x", ("n",)), asg.input("p", (), asg.bool_)
    document = asg.describe.describe(asg.Graph(y=asg.cond(p, lambda: x * 2.0, lambda: asg.exp(x))))
    (entry,) = [node for node in document["nodes"] if node["bodies"]]
    assert entry["bodies"] == {"branches.0": 0, "branches.1": 1}
    assert [body["name"] for body in document["bodies"]] == ["if_false", "if_true"]


def refused() -> list[Any]:
    def v() -> asg.Tensor:
        return asg.input("v", (3,))

    return [
        (lambda x: asg.cond(x, lambda: x, lambda: x), DtypeError, "bool is needed"),
        (lambda x: asg.cond(v() > 0.0, lambda: x, lambda: x), ShapeError, "chosen by a scalar"),
        (lambda x: asg.cond(x > 0.0, lambda: x, lambda: v()), ShapeError,
         "y is f32[3] of branch 0 and f32[] of branch 1"),
        (lambda x: asg.cond(x > 0.0, lambda: (x, x), lambda: x), OperandError, "branch 1 returns"),
        (lambda x: asg.switch(x, [lambda: x]), DtypeError, "an integer is needed"),
        (lambda x: asg.switch(0, []), OperandError, "no branches"),
        (lambda x: asg.while_loop(lambda c: c, lambda c: c, x), DtypeError, "a bool scalar"),
        (lambda x: asg.while_loop(lambda c: c > 0.0, lambda c: v(), x), ShapeError, "carry is"),
        (lambda x: asg.while_loop(lambda c: True, lambda c: c, None), OperandError, "nothing"),
        (lambda x: asg.fori_loop(0, x, lambda i, c: c, x), DtypeError, "an integer scalar"),
    ]  # fmt: skip


@pytest.mark.parametrize(("build", "error", "words"), refused())
def test_wrong_uses_are_refused(build: Any, error: type[AsgError], words: str) -> None:
    with pytest.raises(error) as caught:
        build(asg.input("x", ()))
    assert words in str(caught.value)
    assert "test_branches.py" in str(caught.value)
