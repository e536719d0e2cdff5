"""Associative scans against JAX's, against a fold, and their gradients against a plain scan's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import AsgError, OperandError, ShapeError

RANDOM = np.random.default_rng(0)


def fold(function: Any, x: Any, reverse: bool = False) -> Any:
    """The running results along axis 0, one after the other."""
    order = range(len(x))[::-1] if reverse else range(len(x))
    found: dict[int, Any] = {}
    for t, before in zip(order, [None, *order], strict=False):
        found[t] = x[t] if before is None else function(found[before], x[t])
    return np.array([found[t] for t in range(len(x))]).reshape(np.shape(x))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 8, 31, 64, 100])
def test_products_of_matrices_are_those_of_a_fold(length: int, reverse: bool) -> None:
    given = RANDOM.normal(size=(length, 2, 2))
    wanted = fold(np.matmul, given, reverse)
    x = asg.input("x", (length, 2, 2), asg.float64)
    y = asg.associative_scan(lambda a, b: a @ b, x, reverse)
    np.testing.assert_allclose(asg.run(y, {x: given}), wanted, rtol=1e-10, atol=1e-12)


def test_one_program_for_any_length_and_any_dtype() -> None:
    x = asg.input("x", (2, asg.symbol("t", minimum=0)), asg.int32)
    y = asg.associative_scan(asg.maximum, x, axis=-1)
    any_before = asg.associative_scan(lambda a, b: a | b, x > 1, axis=1, reverse=True)
    program = asg.compile(asg.Graph(y=y, any_before=any_before))
    for length in (0, 1, 6, 13):
        given = RANDOM.integers(-3, 3, (2, length)).astype(np.int32)
        results = program(x=given)
        assert results["y"].tolist() == np.maximum.accumulate(given, axis=1).tolist()
        wanted = np.logical_or.accumulate(given[:, ::-1] > 1, axis=1)[:, ::-1]
        assert results["any_before"].tolist() == wanted.tolist()


def affine(first: Any, second: Any) -> Any:
    """Maps ``x -> a x + b``, the first one applied first."""
    slopes = first["a"] * second["a"]
    return {"a": slopes, "b": second["a"] * first["b"] + second["b"]}


@pytest.mark.parametrize("reverse", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_trees_and_gradients_are_those_of_jax(reverse: bool) -> None:
    jax = pytest.importorskip("jax")
    a, b = (asg.input(name, (2, 6, 3), asg.float64) for name in "ab")
    arrays = [RANDOM.normal(size=(2, 6, 3)) for _ in "ab"]
    y = asg.associative_scan(affine, {"a": a, "b": b}, reverse, axis=1)
    loss = asg.sum(asg.sin(y["b"]) * y["a"])
    found = [y["a"], y["b"], *asg.grad(loss, [a, b])]
    feeds = {a: arrays[0], b: arrays[1]}
    values = [asg.run(found, feeds, backend=each) for each in ("numpy", "jax")]

    def theirs(a: Any, b: Any) -> Any:
        y = jax.lax.associative_scan(affine, {"a": a, "b": b}, reverse=reverse, axis=1)
        return (jax.numpy.sin(y["b"]) * y["a"]).sum(), (y["a"], y["b"])

    with jax.enable_x64(True):
        (_, ys), slopes = jax.value_and_grad(theirs, (0, 1), has_aux=True)(*arrays)
        for ours in values:
            for one, other in zip(ours, (*ys, *slopes), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("length", [7, "t", 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives_of_two_orders_are_those_of_a_plain_scan(length: Any, reverse: bool) -> None:
    """An associative function of elements, an integer beside them, and a captured matrix."""
    x, k = asg.input("x", (length, 2), asg.float64), asg.input("k", (2, 1), asg.float64)
    place = asg.iota((length,))
    factor = asg.tanh(k).reshape((2,))

    def combine(a: Any, b: Any) -> Any:
        return a[0] * factor * b[0], asg.maximum(a[1], b[1])

    def step(carry: Any, element: Any) -> Any:
        begun, before = carry
        y = asg.cond(begun, lambda: before * factor * element, lambda: element)
        return (asg.constant(True), y), y

    start = (asg.constant(False), asg.zeros((2,), asg.float64))
    folded = asg.scan(step, start, x, reverse=reverse)[1]
    y, _ = asg.associative_scan(combine, (x, place), reverse)
    given = {x: 1.0 + RANDOM.normal(size=(7 if length == "t" else length, 2)),
             k: RANDOM.normal(size=(2, 1))}  # fmt: skip
    values = []
    for each in (y, folded):
        loss = asg.sum(asg.sin(each) * asg.cos(x))
        first = asg.grad(loss, [x, k])
        second = asg.grad(sum(asg.sum(asg.square(g)) for g in first), [x, k])
        found = asg.run([each, *first, *second], given)
        values.append(np.concatenate([np.ravel(value) for value in found]))
    np.testing.assert_allclose(values[0], values[1], rtol=1e-9, atol=1e-11)


def test_the_gradient_of_a_literal_length_has_no_loop() -> None:
    for length, loops in ((64, 0), ("t", 1)):
        x = asg.input("x", (length,))
        y = asg.associative_scan(lambda a, b: a * b, x)
        graph = asg.compile(asg.Graph(g=asg.grad(asg.sum(y), x))).specialised([(64,)])
        assert sum(node.op.name == "scan" for node in graph.nodes) == loops
        assert sum(node.op.name == "multiply" for node in graph.nodes) < 60


def test_only_what_is_asked_for_is_pulled_back() -> None:
    x, k = asg.input("x", ("t", 2)), asg.input("k", (2,))
    y = asg.associative_scan(lambda a, b: a * k * b, x)
    for wrt, carries in ((x, 1), (k, 2)):
        slope = asg.grad(asg.sum(y), wrt)
        graph = asg.Graph(slope=slope).optimize()
        (loop,) = [node.op for node in graph.nodes if node.op.name == "scan"]
        assert loop.carries == carries  # type: ignore[attr-defined]


def test_it_prints_parses_and_is_drawn_as_one_node() -> None:
    x = asg.input("x", ("pairs", 2))  # the name that the op would take
    graph = asg.Graph(y=asg.associative_scan(lambda a, b: a * b, x))
    (node,) = [node for node in graph.nodes if node.op.name == "associative_scan"]
    assert node.op.attributes()["size"] == "pairs_1"
    assert str(asg.parse(str(graph))) == str(graph)
    assert str(graph.optimize()) == str(graph)
    (entry,) = [n for n in asg.describe.describe(graph)["nodes"] if n["bodies"]]
    assert entry["op"] == "associative_scan"


def refused() -> list[Any]:
    other = asg.input("z", ("n", 2))
    scan: Any = asg.associative_scan
    return [
        (lambda x: scan(lambda a, b: a + other, x), ShapeError, "pairs == n"),
        (lambda x: scan(lambda a, b: (a, b), x), OperandError, "the function returns"),
        (lambda x: scan(lambda a, b: a > b, x), ShapeError, "bool[pairs, 2]"),
        (lambda x: scan(lambda a, b: a[:, 0] * b[:, 0], x), ShapeError, "f32[pairs]"),
        (lambda x: scan(lambda a, b: a, None), OperandError, "nothing to scan"),
        (lambda x: scan(lambda a, b: a, x, axis=2), AsgError, "axis"),
        (lambda x: scan(lambda a, b: a, (x[:3], x[:4])), ShapeError, "4 against 3"),
        (lambda x: scan(lambda a, b: a, (x, x[0]), axis=-1), ShapeError, "from the front"),
    ]


@pytest.mark.parametrize(("build", "error", "words"), refused())
def test_wrong_uses_are_refused(build: Any, error: type[AsgError], words: str) -> None:
    with pytest.raises(error) as caught:
        build(asg.input("x", (5, 2)))
    assert words in str(caught.value)
    assert "test_associative_scan.py" in str(caught.value)
