"""The first value that is not finite, whatever comes after it."""

from __future__ import annotations

import numpy as np

import asg
from asg.compiler.nonfinite import first_nonfinite


def test_forward_values_come_before_what_they_spoil() -> None:
    x = asg.input("x", ("n", 2))
    with asg.scope("head"):
        y = asg.sqrt(x)
    graph = asg.Graph(loss=(y * 2.0).sum())
    found = first_nonfinite(graph, {"x": np.array([[1.0, 4.0], [9.0, -1.0]], np.float32)})
    assert found is not None
    assert (found.node.op.name, found.what, found.index) == ("sqrt", "nan", (1, 1))
    assert found.operands == ("x: f32[n, 2], -1 to 9",)
    assert "[head]" in str(found) and "test_nonfinite.py" in str(found)


def test_a_gradient_that_is_not_finite_names_its_rule() -> None:
    x = asg.input("x", (2,))
    graph = asg.Graph(g=asg.grad(asg.sqrt(x).sum(), x))
    found = first_nonfinite(graph, {"x": np.array([0.0, 1.0], np.float32)})
    assert found is not None and found.what == "inf"
    assert "(gradient of sqrt)" in str(found)


def test_data_and_finite_graphs() -> None:
    x = asg.input("x", (2,))
    graph = asg.Graph(y=x * 2.0)
    found = first_nonfinite(graph, {"x": np.array([0.0, np.nan], np.float32)})
    assert found is not None and "input 'x'" in str(found) and "has nan at [1]" in str(found)
    assert first_nonfinite(graph, {"x": np.array([0.0, 1.0], np.float32)}) is None


def test_integers_and_loops_are_looked_at_from_outside() -> None:
    x = asg.input("x", (3,))
    last, _ = asg.scan(lambda c, v: (asg.log(c - v), None), asg.zeros(()), x)
    graph = asg.Graph(y=last, i=x.astype("int32"))
    found = first_nonfinite(graph, {"x": np.ones(3, np.float32)})
    assert found is not None and found.node.op.name == "scan"
