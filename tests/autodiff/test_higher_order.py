"""Forward mode, second and third derivatives, against finite differences and closed forms."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import asg
from asg.autodiff.finite_difference import numeric_jacobian, numeric_jvp, numeric_vjp
from asg.core.errors import GraphError, OperandError, ShapeError, UnreachedParameter
from asg.core.graph import Graph, reachable_nodes
from asg.core.op import Op
from asg.core.registry import OPS, call
from asg.core.tensor import Tensor
from asg.core.types import TensorType

GENERATOR = np.random.default_rng(3)
X = GENERATOR.normal(size=(2, 3))
W = GENERATOR.normal(size=(3, 2))


def double(name: str, shape: Any) -> Tensor:
    return asg.input(name, shape, "float64")


def network(x: Tensor, w: Tensor) -> Tensor:
    hidden = call("tanh", x @ w)
    return (hidden * call("exp", -(hidden * hidden))).sum(0) + (x * x).mean()


def as_function(outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> Callable[..., Any]:
    """The graph as a NumPy function of its inputs."""
    named = {f"y{i}": output for i, output in enumerate(outputs)}
    program = asg.compile(Graph(named, inputs=inputs))
    return lambda *arrays: list(program(*arrays).values())


def test_vjp_and_jvp_of_a_network() -> None:
    x, w = double("x", (2, 3)), double("w", (3, 2))
    y = network(x, w)
    function = as_function([y], [x, w])
    u, tangents = GENERATOR.normal(size=2), [GENERATOR.normal(size=s.shape) for s in (X, W)]
    pulled = asg.run(asg.vjp(y, asg.constant(u), [x, w]), {x: X, w: W})
    for found, wanted in zip(pulled, numeric_vjp(function, [X, W], [u]), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10)
    pushed = asg.run(asg.jvp(y, [x, w], [asg.constant(t) for t in tangents]), {x: X, w: W})
    (wanted,) = numeric_jvp(function, [X, W], tangents)
    np.testing.assert_allclose(pushed, wanted, rtol=1e-8, atol=1e-10)


def test_jvp_and_vjp_are_transposes() -> None:
    x, w = double("x", (2, 3)), double("w", (3, 2))
    y = network(x, w)
    u, v = double("u", (2,)), double("v", (2, 3))
    left = (asg.jvp(y, x, v) * u).sum()
    right = (asg.vjp(y, u, x) * v).sum()
    feeds = {x: X, w: W, u: GENERATOR.normal(size=2), v: GENERATOR.normal(size=(2, 3))}
    found = asg.run([left, right], feeds)
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_jvp_keeps_the_structure_of_the_outputs() -> None:
    x, v = double("x", (3,)), double("v", (3,))
    pushed = asg.jvp({"square": x * x, "rest": [x.sum()]}, x, v)
    values = asg.run(pushed, {x: X[0], v: X[1]})
    np.testing.assert_allclose(values["square"], 2 * X[0] * X[1])
    np.testing.assert_allclose(values["rest"][0], X[1].sum())


def test_jvp_leaves_no_trace_of_its_inner_cotangents() -> None:
    x, v = double("x", (3,)), double("v", (3,))
    pushed = asg.jvp(call("tanh", x) * x, x, v)
    assert {n.output for n in reachable_nodes([pushed]) if n.op.is_placeholder} == {x, v}


def test_jvp_of_a_linear_function_does_not_depend_on_the_point() -> None:
    x, v = double("x", (3,)), double("v", (3,))
    pushed = asg.jvp(x * 3.0, x, v)
    np.testing.assert_allclose(asg.run(pushed, {x: X[0], v: X[1]}), 3 * X[1])


def test_jvp_refuses_tangents_of_another_type() -> None:
    x = double("x", (3,))
    with pytest.raises(ShapeError, match="tangent of type"):
        asg.jvp(x * x, x, x.sum())
    with pytest.raises(OperandError, match="2 tangents for 1"):
        asg.jvp(x * x, x, [x, x])
    with pytest.raises(UnreachedParameter, match="'spare'"):
        spare = double("spare", ())
        asg.jvp(x * x, [x, spare], [x, spare])


def test_a_gradient_rule_that_is_not_linear_is_found_by_jvp() -> None:
    before = dict(OPS)

    class BentForTest(Op):
        """x."""

        def infer(self, x: TensorType) -> TensorType:
            return x

        def vjp(self, inputs: Any, outputs: Any, cotangents: Any) -> Any:
            return [cotangents[0] * cotangents[0]]

    x, v = double("x", (3,)), double("v", (3,))
    try:
        with pytest.raises(GraphError, match="not linear in its cotangent"):
            asg.jvp(BentForTest()(x), x, v)
    finally:
        OPS.clear()
        OPS.update(before)


def test_second_derivatives_of_a_network() -> None:
    x, w = double("x", (2, 3)), double("w", (3, 2))
    loss = (network(x, w) ** 2.0).sum()
    first = asg.grad(loss, [x, w])
    function = as_function(first, [x, w])
    directions = [GENERATOR.normal(size=s.shape) for s in (X, W)]
    product = asg.vjp(first, [asg.constant(d) for d in directions], [x, w])
    found = asg.run(product, {x: X, w: W})
    for value, wanted in zip(found, numeric_vjp(function, [X, W], directions), strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-7, atol=1e-9)


def test_the_third_derivative_in_closed_form() -> None:
    x = double("x", (3,))
    value = call("exp", 2.0 * x) * x
    derivatives = []
    for _ in range(3):
        value = asg.grad(value.sum(), x)
        derivatives.append(value)
    point = X[0]
    found = asg.run(derivatives, {x: point})
    for order, each in enumerate(found, start=1):
        wanted = np.exp(2 * point) * (2**order * point + order * 2 ** (order - 1))
        np.testing.assert_allclose(each, wanted, rtol=1e-12)


def test_mixed_orders_reverse_over_forward_and_forward_over_reverse() -> None:
    x, v = double("x", (3,)), double("v", (3,))
    f = (call("sin", x) * call("exp", x)).sum()
    reverse_forward = asg.grad(asg.jvp(f, x, v), x)
    forward_reverse = asg.jvp(asg.grad(f, x), x, v)
    found = asg.run([reverse_forward, forward_reverse], {x: X[0], v: X[1]})
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    wanted = 2 * np.cos(X[0]) * np.exp(X[0]) * X[1]
    np.testing.assert_allclose(found[0], wanted, rtol=1e-12)


def test_the_derivative_of_a_gradient_by_its_cotangent_is_the_jacobian() -> None:
    x, u = double("x", (3,)), double("u", (3,))
    y = call("tanh", x) * x.sum()
    pulled = asg.vjp(y, u, x)
    ((numeric,),) = numeric_jacobian(as_function([y], [x]), [X[0]])
    columns = [asg.vjp(pulled, asg.constant(np.eye(3)[i]), u) for i in range(3)]
    found = np.stack(asg.run(columns, {x: X[0], u: X[1]}), axis=1)
    np.testing.assert_allclose(found, numeric, rtol=1e-8, atol=1e-10)


def test_second_derivative_of_something_linear_is_zero_only_on_request() -> None:
    x, w = double("x", (3,)), double("w", (3,))
    first = asg.grad((x * w).sum(), x)
    with pytest.raises(UnreachedParameter):
        asg.grad(first.sum(), x)
    zeros = asg.run(asg.grad(first.sum(), x, allow_unused=True), {x: X[0]})
    np.testing.assert_array_equal(zeros, np.zeros(3))
