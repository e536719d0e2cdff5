"""Feeds and arguments of other libraries and kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import FeedError, OperandError


class Foreign:
    """Shaped like another library's tensor: its dtype is not NumPy's."""

    dtype = "foreign.float32"
    shape = (2,)

    def __init__(self, convertible: bool = True) -> None:
        self.convertible = convertible

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        if not self.convertible:
            raise RuntimeError("it needs detach() first")
        return np.array([1.0, 2.0], np.float32)


def double() -> asg.Executable:
    return asg.compile(asg.Graph(y=asg.input("x", ("n",)) * 2.0))


def test_tensors_of_other_libraries_are_fed_through_the_array_protocols() -> None:
    assert double()(x=Foreign())["y"].tolist() == [2.0, 4.0]


def test_what_cannot_be_converted_says_why() -> None:
    with pytest.raises(FeedError, match=r"'x' cannot become a NumPy array.*detach"):
        double()(x=Foreign(convertible=False))


@pytest.mark.parametrize("thing", [asg.zeros((2,)), {"y": 1}, None])
def test_compile_asks_for_a_graph(thing: Any) -> None:
    with pytest.raises(OperandError, match=r"asg\.Graph\(y=tensor\)"):
        asg.compile(thing)


def test_run_takes_sizes_from_inputs_whose_values_are_not_needed() -> None:
    x, w = asg.input("x", ("n",)), asg.parameter("w", (2,), init=0.0)
    assert asg.run(asg.grad((x * 2.0).sum(), x), {x: [1.0, 5.0, 7.0]}).tolist() == [2.0, 2.0, 2.0]
    assert asg.run(asg.grad(w.sum(), w), {w: [3.0, 4.0]}).tolist() == [1.0, 1.0]


def test_without_the_input_the_message_tells_how_to_keep_it() -> None:
    x = asg.input("x", ("n",))
    gradient = asg.grad((x * 2.0).sum(), x)
    with pytest.raises(FeedError, match=r"inputs=\[x\]"):
        asg.compile(asg.Graph(g=gradient))()
    kept = asg.compile(asg.Graph(g=gradient, inputs=[x]))
    assert kept(x=[1.0, 2.0])["g"].tolist() == [2.0, 2.0]


def test_executables_and_sessions_show_what_they_run() -> None:
    assert repr(double()) == "<executable of 'graph' on numpy: x -> y>"
    weight = asg.parameter("w", (2,), init=0.0)
    session = asg.compile(asg.Graph(y=weight * 2.0)).start()
    assert repr(session) == "<session of 'graph' on numpy: 1 variables>"
