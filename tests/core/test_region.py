"""Bodies: equality, closing over what is outside, text, verification, sizes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import GraphError, TextError
from asg.core.region import Body, bodies_of, close, made_outside, map_bodies, with_bodies


def loop(scale: Any = 2.0, size: Any = "n") -> asg.Graph:
    x, w = asg.input("x", (4, size)), asg.input("w", (size,))
    last, y = asg.scan(lambda c, e: (c * scale + e * w, c.sum()), asg.zeros_like(w), x)
    return asg.Graph(last=last, y=y)


def body_in(graph: asg.Graph) -> Any:
    (body,) = [body for node in graph.nodes for body in bodies_of(node.op)]
    return body


def test_bodies_are_equal_when_they_compute_the_same() -> None:
    one, other = body_in(loop()), body_in(loop())
    assert one is not other and one == other and hash(one) == hash(other)
    assert one != body_in(loop(3.0)) and one != body_in(loop(-2.0)) and one != body_in(loop(size=5))
    assert isinstance(one, Body) and one != asg.Graph(y=asg.input("x", ()))


def test_zeros_of_either_sign_make_different_bodies() -> None:
    assert body_in(loop(0.0)) != body_in(loop(-0.0))


def test_the_order_in_which_nodes_were_made_does_not_count() -> None:
    x = asg.input("x", ())

    def closed(first_left: bool) -> Body:
        pair = [asg.exp, asg.sin] if first_left else [asg.sin, asg.exp]
        made = {function.__name__: function(x) for function in pair}
        return close([x], {"y": made["exp"] + made["sin"]}, lambda _: False)[0]

    assert closed(True) == closed(False)


def test_a_body_takes_what_it_uses_from_outside() -> None:
    before = asg.exp(asg.input("a", (2,)))
    floor = asg.zeros(()).node.serial
    x = asg.input("x", (2,))
    other = asg.input("b", (2,))
    y = x * before + other + 1.0
    body, captured = close([x], {"y": y}, made_outside(floor, [x]))
    assert captured == (before, other)
    assert body.input_names == ("x", "captured_0", "captured_1")
    assert asg.verify(body) is body


@pytest.mark.parametrize("graph", [loop(), loop(size=3)], ids=["symbolic", "static"])
def test_text_with_bodies_is_read_back(graph: asg.Graph) -> None:
    text = str(graph)
    again = asg.parse(text)
    assert str(again) == text
    assert body_in(again) == body_in(graph)
    assert asg.graph_text(graph, locations=True) != text
    assert str(asg.parse(asg.graph_text(graph, locations=True))) == text


def test_text_of_bodies_within_bodies_is_read_back() -> None:
    x = asg.input("x", (2, 3, "n"))

    def inner(c: Any, row: Any) -> Any:
        return asg.scan(lambda d, e: (asg.tanh(d) + e, None), c, row)

    graph = asg.Graph(y=asg.scan(inner, asg.zeros(("n",)), x)[0])
    assert str(asg.parse(str(graph))) == str(graph)
    assert len(list(with_bodies(graph))) == 3


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("output carry = %3", "output carry = %7", "line 13: %7 is not defined"),
        ("    output y = %1\n", "", "line 14: scan"),
        ("  }, length=4", "", "line 15: unknown line"),
        ("length=4", "length=5", "4 against 5"),
        ("captured_0: f32[n]", "captured_0: f32[3]", "line 11: multiply has type f32[3]"),
        ("body=graph body {", "body=\0000, x=graph body {", "null character"),
    ],
)
def test_damaged_bodies_are_refused(old: str, new: str, words: str) -> None:
    text = str(loop())
    assert old in text
    with pytest.raises(TextError) as caught:
        asg.parse(text.replace(old, new))
    assert words in str(caught.value)


def test_a_text_that_ends_inside_a_body_is_refused() -> None:
    text = str(loop())
    with pytest.raises(TextError, match="ends inside the body"):
        asg.parse(text[: text.index("  }, length")])


def test_verify_looks_into_bodies() -> None:
    stranger = asg.exp(asg.input("stranger", (3,)))

    def broken(body: asg.Graph) -> asg.Graph:
        return body.with_outputs([stranger, *body.outputs[1:]])

    with pytest.raises(GraphError, match="'stranger' is reached but not an input"):
        asg.verify(map_bodies(loop(size=3), broken))


def test_sizes_are_bound_inside_bodies() -> None:
    run = asg.compile(loop())
    for size in (2, 5):
        ones = np.ones((4, size), np.float32)
        found = run(x=ones, w=ones[0])
        assert found["last"].tolist() == [15.0] * size
        assert found["y"].tolist() == [0.0, 1.0 * size, 3.0 * size, 7.0 * size]


def test_bodies_of_an_op_are_looked_for_once() -> None:
    (op,) = [node.op for node in loop().nodes if bodies_of(node.op)]
    assert bodies_of(op) is bodies_of(op)
    assert bodies_of(replace(op, length=7)) == bodies_of(op)  # type: ignore[type-var]
    assert bodies_of(asg.exp(1.0).node.op) == ()
