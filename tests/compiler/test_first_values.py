"""First values of variables: by NumPy on every backend, and held as the backend wants them."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import numpy as np
import pytest
from asg.backends.jax_xla import backend as jax_backend
from asg.backends.jax_xla import feed

import asg
from asg import optim
from asg.core.errors import StateError
from asg.core.graph import Graph
from asg.core.registry import OPS
from asg.state.initial import init_step

NAMES = ("drawn", "wide", "copy")


def variables() -> Graph:
    """A normal one, one of 64 bits and a copy of the first, none of which is written."""
    drawn = asg.Variable("drawn", (40, 30), init=lambda key, t: asg.normal(key, t.shape))
    wide = asg.Variable("wide", (), init=2.0**-40, dtype="float64")
    copy = asg.Variable("copy", (40, 30), init=lambda key, t: drawn.leaf * 1.0)
    return Graph(total=asg.sum(drawn * copy), wide=wide + 1.0)


def test_they_are_equal_to_the_bit_and_nothing_is_compiled(monkeypatch: Any) -> None:
    monkeypatch.setattr(jax_backend, "compile_graph", lambda *_: pytest.fail("compiled"))
    numpy, jaxs = (asg.compile(variables(), each).start(seed=3) for each in ("numpy", "jax"))
    first, second = numpy.state_dict(), jaxs.state_dict()
    assert {name: array.dtype.name for name, array in second.items()} == {
        "drawn": "float32", "wide": "float64", "copy": "float32",
    }  # fmt: skip
    assert all(first[name].tobytes() == second[name].tobytes() for name in NAMES)
    assert second["wide"] == 2.0**-40 and second["drawn"].std() > 0.9


@pytest.mark.parametrize("given", [False, True])
def test_variables_that_are_only_read_go_to_the_device_once(monkeypatch: Any, given: bool) -> None:
    monkeypatch.setattr(feed, "private_copy", lambda _: pytest.fail("copied"))
    state = asg.compile(variables()).start().state_dict() if given else {}
    session = asg.compile(variables(), "jax").start(state=state)
    session.load_state_dict(session.state_dict())
    assert all(isinstance(array, jax.Array) for array in session._store.values())
    assert float(session()["total"]) == float(session()["total"]) > 1000.0


def test_only_wanted_values_are_in_the_graph_and_references_are_followed() -> None:
    graph = variables()
    assert init_step(graph, ["copy"]).output_names == ("copy",)
    every, one = (asg.compile(init_step(graph, names)) for names in (None, ["copy"]))
    key = np.array([0, 3], np.uint32)
    assert every(key=key)["copy"].tobytes() == one(key=key)["copy"].tobytes()
    ops = {node.op.name for node in init_step(graph, ["wide"]).nodes}
    assert ops == {"input", "constant"} or ops == {"input", "full"}


def test_what_is_given_needs_no_initialiser() -> None:
    w = asg.parameter("w", (2,), init=0.5)
    step = asg.train_step(asg.sum(w * w), optimizer=optim.sgd(1.0, momentum=0.5))
    parsed = asg.compile(asg.parse(str(step)))
    arrays = asg.compile(step).start().state_dict()
    with pytest.raises(StateError, match="has no initialiser"):
        parsed.start(state={"w": arrays["w"]})
    session = parsed.start(state=arrays)
    assert float(session()["loss"]) == 0.5


class HalfOfUser(asg.Op):
    """A primitive of a plug-in that runs on jax alone."""

    category: ClassVar[str] = "elementwise"

    def infer(self, x: asg.TensorType) -> asg.TensorType:
        return x


del OPS[HalfOfUser.name]  # other tests go through all ops
asg.register_kernel(HalfOfUser, "jax", lambda op, x: x / 2)


def test_initialisers_that_numpy_cannot_run() -> None:
    w = asg.parameter("w", (9,), init=lambda key, t: HalfOfUser()(asg.uniform(key, t.shape)))
    values = asg.compile(Graph(y=w * 2.0), "jax").start().state_dict()["w"]
    assert 0.1 < values.max() < 0.5
