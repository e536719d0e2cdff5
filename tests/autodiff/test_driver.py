"""The reverse driver: what it builds, what it refuses, and how it says so."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import (
    DtypeError,
    GraphError,
    NotDifferentiable,
    OperandError,
    ShapeError,
    UnreachedParameter,
)
from asg.core.graph import reachable_nodes
from asg.core.op import Op
from asg.core.registry import OPS, call
from asg.core.tensor import Tensor
from asg.core.types import TensorType

GENERATOR = np.random.default_rng(7)
A = GENERATOR.normal(size=(2, 3))
B = GENERATOR.normal(size=(3,))


@pytest.fixture(autouse=True)
def ops_as_before() -> Iterator[None]:
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def double(name: str, shape: Any) -> Tensor:
    return asg.input(name, shape, "float64")


def added_ops(outputs: Sequence[Tensor], since: Tensor) -> list[str]:
    """Names of the ops behind the outputs that were made after ``since``."""
    return [n.op.name for n in reachable_nodes(outputs) if n.serial > since.node.serial]


def numbers(outputs: Any, feeds: dict[Any, Any]) -> Any:
    return asg.run(outputs, feeds)


# -- values ------------------------------------------------------------------------------------


def test_gradient_of_a_chain() -> None:
    x = double("x", (2, 3))
    gradient = numbers(asg.grad(call("tanh", x * x).sum(), x), {x: A})
    np.testing.assert_allclose(gradient, 2 * A * (1 - np.tanh(A * A) ** 2), rtol=1e-13)


def test_contributions_of_several_uses_are_added() -> None:
    x = double("x", (2, 3))
    y = x * x + x * 3.0 - x
    np.testing.assert_allclose(numbers(asg.grad(y.sum(), x), {x: A}), 2 * A + 2.0, rtol=1e-14)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 1), (1, 1), (), (2, 3)])
def test_broadcasting_is_undone(shape: tuple[int, ...]) -> None:
    x, y = double("x", (2, 3)), double("y", shape)
    dx, dy = asg.grad((x * y).sum(), [x, y])
    assert (dx.type, dy.type) == (x.type, y.type)
    value = GENERATOR.normal(size=shape)
    found = numbers([dx, dy], {x: A, y: value})
    np.testing.assert_allclose(found[0], np.broadcast_to(value, (2, 3)), rtol=1e-14)
    used = np.broadcast_to(np.arange(value.size).reshape(shape), (2, 3))
    wanted = np.bincount(used.ravel(), weights=A.ravel()).reshape(shape)
    np.testing.assert_allclose(found[1], wanted, rtol=1e-13)


def test_broadcasting_over_symbolic_sizes_is_undone() -> None:
    x, bias = double("x", ("batch", 3)), double("bias", (3,))
    gradient = asg.grad((x * bias).sum(), bias)
    assert gradient.type == bias.type
    np.testing.assert_allclose(numbers(gradient, {x: A, bias: B}), A.sum(0), rtol=1e-14)


def test_sizes_taken_as_equal_are_spelled_as_the_operand_spells_them() -> None:
    x, y = double("x", ("n",)), double("y", ("m",))
    dx, dy = asg.grad((x * y).sum(), [x, y])
    assert (dx.type, dy.type) == (x.type, y.type)
    found = numbers([dx, dy], {x: B, y: 2 * B})
    np.testing.assert_allclose(found[0], 2 * B)
    np.testing.assert_allclose(found[1], B)


def test_the_seed_may_depend_on_what_is_differentiated_by() -> None:
    x = double("x", (3,))
    y = call("tanh", x)
    pulled = numbers(asg.vjp(y, x * y, x), {x: B})
    np.testing.assert_allclose(pulled, B * np.tanh(B) * (1 - np.tanh(B) ** 2), rtol=1e-13)


def test_a_derivative_by_an_intermediate_value() -> None:
    x = double("x", (3,))
    y = call("exp", x)
    found = numbers(asg.grad((y * y).sum(), y), {x: B})
    np.testing.assert_allclose(found, 2 * np.exp(B), rtol=1e-14)


def test_the_derivative_is_total_when_one_wrt_depends_on_another() -> None:
    x = double("x", (3,))
    y = x * x
    dx, dy = asg.grad((y * x).sum(), [x, y])
    found = numbers([dx, dy], {x: B})
    np.testing.assert_allclose(found[0], 3 * B * B, rtol=1e-14)
    np.testing.assert_allclose(found[1], B, rtol=1e-14)
    alone = numbers(asg.grad((y * x).sum(), x), {x: B})
    np.testing.assert_allclose(found[0], alone, rtol=1e-14)


def test_the_loss_itself_has_gradient_one() -> None:
    x = double("x", ())
    np.testing.assert_array_equal(numbers(asg.grad(x, x), {x: 3.0}), 1.0)
    loss = x * x
    assert numbers(asg.grad(loss, [loss, x]), {x: 3.0}) == [1.0, 6.0]


def test_the_structure_of_wrt_is_kept() -> None:
    x, y = double("x", ()), double("y", ())
    found = asg.grad(x * y, {"x": x, "rest": (y, [x])})
    assert set(found) == {"x", "rest"}
    assert isinstance(found["rest"], tuple) and isinstance(found["rest"][1], list)
    values = numbers(found, {x: 2.0, y: 5.0})
    assert (values["x"], values["rest"][0], values["rest"][1][0]) == (5.0, 2.0, 5.0)


def test_value_and_grad_returns_the_very_loss() -> None:
    x = double("x", (3,))
    loss = (x * x).sum()
    assert asg.value_and_grad(loss, x)[0] is loss


def test_variables_are_differentiated_by_their_current_value() -> None:
    weight = asg.Variable("weight", (3,), 0.0)
    x = asg.input("x", (3,))
    gradient = asg.grad((x * weight).sum(), {"w": weight})["w"]
    assert str(gradient.type) == "f32[3]"


def test_integer_operands_take_no_part() -> None:
    x, i = double("x", (3,)), asg.input("i", (3,), "int32")
    found = numbers(asg.grad((x * i).sum(), x), {x: B, i: np.array([1, 2, 3], np.int32)})
    np.testing.assert_allclose(found, [1.0, 2.0, 3.0])


def test_mixed_precision_gradients_have_the_dtype_of_their_operand() -> None:
    x, y = double("x", (3,)), asg.input("y", (3,), "float32")
    dx, dy = asg.grad((x * y).sum(), [x, y])
    assert (dx.dtype.name, dy.dtype.name) == ("float64", "float32")


# -- what is built -----------------------------------------------------------------------------


def test_only_nodes_between_wrt_and_loss_are_walked() -> None:
    x, y = double("x", (3,)), double("y", (3,))
    heavy = y
    for _ in range(50):
        heavy = call("exp", heavy)
    loss = (x * heavy).sum()
    assert len(added_ops([asg.grad(loss, x)], loss)) <= 4
    assert "exp" not in added_ops([asg.grad(loss, x)], loss)


def test_only_cotangents_that_are_asked_for_are_built() -> None:
    x, w = double("x", (4, 3)), double("w", (3, 2))
    product = x @ w
    loss = product.sum()
    assert added_ops([asg.grad(loss, w)], loss).count("matmul") == 1
    assert added_ops(asg.grad(loss, [x, w]), loss).count("matmul") == 2


def test_forward_values_are_shared_not_computed_again() -> None:
    x = double("x", (3,))
    y = call("tanh", x)
    loss = y.sum()
    gradient = asg.grad(loss, x)
    assert y.node in reachable_nodes([gradient])
    assert "tanh" not in added_ops([gradient], loss)


def test_the_size_of_the_gradient_grows_linearly() -> None:
    sizes = []
    for length in (20, 40, 80):
        x = double("x", ())
        y = x
        for _ in range(length):
            y = call("sin", y * x)
        sizes.append(len(reachable_nodes([asg.grad(y, x)])))
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])


def test_gradient_nodes_say_what_they_come_from() -> None:
    with asg.scope("layer"):
        x = double("x", (3,))
        y = call("tanh", x)
    loss = y.sum()
    gradient = asg.grad(loss, x)
    origins = {n.origin.gradient_of for n in reachable_nodes([gradient])}
    assert {y.node.serial, loss.node.serial} <= origins
    assert gradient.node.origin.scope == "layer"
    assert gradient.node.origin.location == y.node.origin.location


# -- what is refused ---------------------------------------------------------------------------


def test_every_unreached_parameter_is_listed() -> None:
    x, y, z = double("used", (3,)), double("first_spare", (2,)), double("second_spare", ())
    with pytest.raises(UnreachedParameter) as caught:
        asg.grad((x * x).sum(), [x, y, z])
    message = str(caught.value)
    assert "'first_spare'" in message and "'second_spare'" in message
    assert "'used'" not in message
    assert "allow_unused=True" in message
    assert "not part of the loss at all" in message


def test_unused_parameters_get_zeros_when_allowed() -> None:
    x, y = double("x", (3,)), double("y", ("n", 2))
    dx, dy = asg.grad((x * x).sum() + 0.0 * double("z", ()), [x, y], allow_unused=True)
    assert dy.type == y.type
    assert dx.type == x.type


def test_a_blocked_path_names_the_blocking_operations() -> None:
    x = double("x", (3,))
    blocked = call("floor", x * 2.0).sum() + asg.stop_gradient(x).sum()
    with pytest.raises(UnreachedParameter) as caught:
        asg.grad(blocked, x)
    message = str(caught.value)
    assert "every path is blocked" in message
    assert "floor (" in message
    assert "stop_gradient (" in message


def _rule_less(name: str) -> type[Op]:
    def infer(self: Any, x: TensorType) -> TensorType:
        return x

    return type(name, (Op,), {"infer": infer, "__doc__": "x."})


def test_every_op_without_a_rule_is_listed_with_its_path() -> None:
    first, second = _rule_less("FirstForTest"), _rule_less("SecondForTest")
    x, y = double("x", (3,)), double("y", (3,))
    loss = (call("exp", first()(x)) * second()(y)).sum()
    with pytest.raises(NotDifferentiable) as caught:
        asg.grad(loss, [x, y])
    message = str(caught.value)
    assert "sum (made by sum at" in message
    assert "<- exp (made by exp at" in message
    assert "<- first_for_test (" in message
    assert "<- second_for_test (" in message
    assert "test_driver.py" in message
    asg.grad((second()(y) * x).sum(), x)  # off the path, nothing is asked of it


@pytest.mark.parametrize("dtype", ["int32", "bool", "uint8"])
def test_integers_have_no_derivative(dtype: str) -> None:
    x, i = double("x", (3,)), asg.input("i", (3,), dtype)
    with pytest.raises(DtypeError, match="wrt must be floating") as caught:
        asg.grad((x * i).sum(), [x, i])
    assert "input 'i'" in str(caught.value)
    with pytest.raises(DtypeError, match="an output must be floating"):
        asg.grad(i.sum() if dtype != "bool" else i.any(), i)


def test_the_loss_must_be_a_scalar() -> None:
    x = double("x", (3,))
    with pytest.raises(ShapeError, match=r"f64\[3\].*needs a scalar"):
        asg.grad(x * x, x)


def test_cotangents_must_fit_the_outputs() -> None:
    x = double("x", (3,))
    with pytest.raises(OperandError, match="2 cotangents for 1 tensors"):
        asg.vjp(x * x, [x, x], x)
    with pytest.raises(ShapeError, match=r"cotangent of type f64\[\]"):
        asg.vjp(x * x, x.sum(), x)
    with pytest.raises(ShapeError, match=r"cotangent of type f32\[3\]"):
        asg.vjp(x * x, asg.ones((3,)), x)
    with pytest.raises(OperandError, match="nothing given"):
        asg.grad(x.sum(), [])


def test_a_rule_that_gives_a_wrong_shape_is_named() -> None:
    class WrongShapeForTest(Op):
        """x."""

        def infer(self, x: TensorType) -> TensorType:
            return x

        def vjp(self, inputs: Any, outputs: Any, cotangents: Any) -> Any:
            return [call("reshape", cotangents[0], (3, 2))]

    x = double("x", (2, 3))
    with pytest.raises(GraphError, match="gradient rule of wrong_shape_for_test"):
        asg.grad(WrongShapeForTest()(x).sum(), x)


def test_a_rule_must_have_one_entry_per_operand() -> None:
    class ShortForTest(Op):
        """x + y."""

        def infer(self, x: TensorType, y: TensorType) -> TensorType:
            return x

        def vjp(self, inputs: Any, outputs: Any, cotangents: Any) -> Any:
            return [cotangents[0]]

    x, y = double("x", (2,)), double("y", (2,))
    with pytest.raises((GraphError, ValueError)):
        asg.grad(ShortForTest()(x, y).sum(), [x, y])


# -- several outputs and composites ------------------------------------------------------------


class _Pair:
    """Makes an op with two float outputs and an integer one; counts how often its rule runs."""

    def __init__(self) -> None:
        self.seen: list[tuple[Tensor, ...]] = []
        outer = self

        class PairForTest(Op):
            """(sin x, x * x, rounded)."""

            def infer(self, x: TensorType) -> tuple[TensorType, ...]:
                return x, x, x.with_dtype(asg.int32)

            def decompose(self, x: Tensor) -> tuple[Tensor, ...]:
                return call("sin", x), x * x, x.astype("int32")

            def vjp(self, inputs: Any, outputs: Any, cotangents: Any) -> Any:
                outer.seen.append(cotangents)
                return [cotangents[0] * call("cos", inputs[0]) + cotangents[1] * 2.0 * inputs[0]]

        self.op = PairForTest()


def test_cotangents_of_several_outputs_come_together_and_unused_ones_are_zero() -> None:
    pair = _Pair()
    x = double("x", (3,))
    sine, square, _ = pair.op.apply(x)
    both = numbers(asg.grad((sine * square).sum(), x), {x: B})
    np.testing.assert_allclose(both, np.cos(B) * B**2 + 2 * B * np.sin(B), rtol=1e-13)
    assert len(pair.seen) == 1
    one = numbers(asg.grad(square.sum(), x), {x: B})
    np.testing.assert_allclose(one, 2 * B, rtol=1e-13)
    assert [each.dtype.name for each in pair.seen[-1]] == ["float64", "float64", "int32"]


def test_an_integer_output_passes_no_gradient() -> None:
    x = double("x", (3,))
    *_, rounded = _Pair().op.apply(x)
    with pytest.raises(UnreachedParameter):
        asg.grad(rounded.astype("float64").sum(), x)


def _composite(own_rule: bool) -> Op:
    def infer(self: Any, x: TensorType, y: TensorType) -> TensorType:
        return x

    def decompose(self: Any, x: Tensor, y: Tensor) -> Tensor:
        return call("tanh", x * y) + x

    def vjp(self: Any, inputs: Any, outputs: Any, cotangents: Any) -> Any:
        (x, y), (u,) = inputs, cotangents
        slope = 1.0 - call("tanh", x * y) * call("tanh", x * y)
        return [lambda: u * (slope * y + 1.0), lambda: u * slope * x]

    body: dict[str, Any] = {"infer": infer, "decompose": decompose, "__doc__": "tanh(x y) + x."}
    if own_rule:
        body["vjp"] = vjp
    made = type("OwnForTest" if own_rule else "ThroughForTest", (Op,), body)
    op: Op = made()
    return op


def test_the_way_through_the_decomposition_agrees_with_an_own_rule() -> None:
    x, y = double("x", (3,)), double("y", (3,))
    feeds = {x: B, y: B[::-1].copy()}
    results = []
    for own_rule in (True, False):
        loss = (_composite(own_rule)(x, y) * x).sum()
        first = asg.grad(loss, [x, y])
        second = asg.grad((first[0] * first[1]).sum(), [x, y])
        results.append(numbers([*first, *second], feeds))
    for own, through in zip(*results, strict=True):
        np.testing.assert_allclose(own, through, rtol=1e-12)


def test_a_composite_used_twice_with_one_operand_twice() -> None:
    x = double("x", (3,))
    value = _composite(own_rule=False)(x, x)
    found = numbers(asg.grad(value.sum(), x), {x: B})
    np.testing.assert_allclose(found, (1 - np.tanh(B * B) ** 2) * 2 * B + 1, rtol=1e-13)


def test_nodes_of_a_decomposed_gradient_name_the_composite() -> None:
    x, y = double("x", (3,)), double("y", (3,))
    value = _composite(own_rule=False)(x, y)
    gradient = asg.grad(value.sum(), y)
    steps = [step for n in reachable_nodes([gradient]) for step in n.origin.derived]
    assert ("gradient", "through_for_test", (value.node.serial,)) in [tuple(s) for s in steps]
