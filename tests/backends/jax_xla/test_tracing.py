"""What tracing makes of common ops: few equations, none of which is a program of its own."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from asg.backends.jax_xla.aligned import aligned, stretched
from asg.backends.jax_xla.backend import BACKEND
from asg.backends.jax_xla.plan import Plan

import asg
from asg.core.graph import Graph
from asg.passes.lower import lower


def equations(graph: Graph) -> list[str]:
    """The names of the primitives that a graph is traced to."""
    plan = Plan(lower(graph, BACKEND))
    traced = jax.make_jaxpr(plan.function())(*plan.arguments())
    return [equation.primitive.name for equation in traced.eqns]


def test_common_ops_are_primitives() -> None:
    x, b = asg.input("x", (2, 4, 3)), asg.input("b", (3,))
    y = asg.where(x > b, asg.tanh(x - b) / 2.0, asg.minimum(x * b, asg.exp(x)))
    y = y[:, ::-1, 1:] @ asg.input("w", (2, 2, 5)) + asg.zeros((2, 4, 5))
    found = equations(Graph(total=asg.sum(y, axis=0), most=asg.max(asg.reshape(y, (8, 5)))))
    assert {"tanh", "dot_general", "select_n", "reduce_sum", "reduce_max", "rev"} <= {*found}
    assert not {"jit", "pjit", "custom_jvp_call"} & {*found}


def test_columns_are_made_axis_by_axis() -> None:
    x, w = asg.input("x", (4, 1, 12, 12)), asg.input("w", (3, 1, 5, 5))
    found = equations(Graph(y=asg.conv2d(x, w, padding=2)))
    assert (found.count("slice"), found.count("concatenate")) == (5 + 5, 2)


@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (2, 1), (2, 3), (1, 1, 3), (4, 1, 1)])
def test_arrays_are_stretched_as_numpy_does(shape: tuple[int, ...]) -> None:
    array = np.arange(float(np.prod(shape)), dtype=np.float32).reshape(shape)
    found = stretched(jax.numpy.asarray(array), (4, 2, 3))
    np.testing.assert_array_equal(found, np.broadcast_to(array, (4, 2, 3)))


def test_scalars_are_left_alone() -> None:
    arrays = [jax.numpy.zeros(shape) for shape in ((), (3,), (2, 3), (4, 1, 1))]
    assert [array.shape for array in aligned(*arrays)] == [(), (1, 1, 3), (1, 2, 3), (4, 1, 1)]
    assert aligned(*arrays[:2])[1] is arrays[1]
