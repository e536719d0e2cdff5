"""A graph that is not well formed is refused, and the message points at the culprit."""

import pytest

import asg
from asg.core.errors import GraphError
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.registry import call
from asg.core.state_slot import StateSlot
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.core.verify import verify


def chain(length: int = 12) -> tuple[Tensor, Tensor]:
    x = asg.input("x", (2, 3))
    y = x
    for _ in range(length):
        y = call("tanh", y)
    return x, y


def lying(y: Tensor, described: TensorType) -> Tensor:
    """A node of the op of `y` that claims another type."""
    return Node(y.node.op, y.node.inputs, (described,)).output


def test_a_good_graph_is_returned() -> None:
    _, y = chain()
    graph = Graph(y=y)
    assert verify(graph) is graph


def test_a_wrong_stored_type_is_found_with_its_neighbourhood() -> None:
    x, y = chain(6)
    wrong = lying(y, TensorType.of("float32", (3, 2)))
    graph = Graph(z=wrong.reshape(2, 3) * x)
    with pytest.raises(GraphError) as caught:
        verify(graph, stage="simplify")
    message = str(caught.value)
    assert message.startswith("after simplify: graph 'graph', node ")
    assert "stored types f32[3, 2] but infer says f32[2, 3]" in message
    (marked,) = [line for line in message.splitlines() if line.startswith(">>")]
    assert f"%{wrong.node.serial} = tanh(%{y.node.inputs[0].node.serial})" in marked
    assert 4 < len(message.splitlines()) <= 10


def test_infer_that_refuses_now_is_told() -> None:
    x, y = chain(2)
    wrong = Node(y.node.op, (asg.input("i", (2,), "int32"),), (x.type,)).output
    with pytest.raises(GraphError, match="infer refuses: x is int32"):
        verify(Graph(y=wrong))


def test_an_operand_newer_than_its_user_is_found() -> None:
    x, y = chain(2)
    older = lying(call("tanh", x), x.type)
    newer = call("tanh", y)
    older.node.inputs = (newer,)
    with pytest.raises(GraphError, match="is newer than its user"):
        verify(Graph(y=older))


def test_placeholders_must_be_inputs_once() -> None:
    x, y = chain(1)
    with pytest.raises(GraphError, match="input 'x' is reached but not an input"):
        verify(Graph.of([], [y], ["y"]))
    with pytest.raises(GraphError, match="lists an input twice"):
        verify(Graph.of([x, x], [y], ["y"], input_names=["a", "b"]))


def test_state_slots_must_pair_equal_types() -> None:
    variable = asg.Variable("weight", (3,), 0.0)
    with asg.StateTrace():
        leaf = variable.read()
    x, y = chain(1)
    slot = StateSlot(0, 0)
    good = Graph.of([leaf], [leaf * 2.0], ["next"], [slot])
    assert verify(good) is good
    with pytest.raises(GraphError, match=r"'weight' is f32\[3\] but its next value is f32\[\]"):
        verify(Graph.of([leaf], [leaf.sum()], ["next"], [slot]))
    with pytest.raises(GraphError, match="points at"):
        verify(Graph.of([x], [y], ["y"], [slot]))


def test_a_level_adds_its_own_complaint() -> None:
    _, y = chain(2)

    def no_tanh(node: Node) -> str | None:
        return "this backend has no tanh" if node.op.name == "tanh" else None

    with pytest.raises(GraphError, match="this backend has no tanh"):
        verify(Graph(y=y), no_tanh, "lowering")


def test_a_verified_node_on_operands_of_other_types_is_looked_at_again() -> None:
    x, y = asg.input("x", (3,)), asg.input("y", (3,))
    assert asg.tanh(x).node.verified  # infer has just told its type
    node = lying(asg.tanh(x), x.type).node
    assert not node.verified
    verify(Graph(y=node.output))
    assert node.verified and node.with_inputs((y,)).verified
    wrong = node.with_inputs((asg.input("z", (4,)),))
    assert not wrong.verified
    with pytest.raises(GraphError, match=r"stored types f32\[3\] but infer says f32\[4\]"):
        verify(Graph(y=wrong.output))
