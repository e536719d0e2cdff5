"""Graph: signature, order, users, rebuilding."""

from typing import Any

import pytest

import asg
from asg.core.errors import GraphError
from asg.core.graph import Graph, is_state, placeholder_name, reachable_nodes, rebuild
from asg.core.node import Node
from asg.core.registry import call
from asg.core.tensor import Tensor


def two_layers() -> tuple[Tensor, Tensor, Tensor]:
    x, w = asg.input("x", ("batch", 3)), asg.input("w", (3, 2))
    return x, w, call("tanh", x @ w)


def test_inputs_are_found_in_order_of_creation() -> None:
    x, w, y = two_layers()
    graph = Graph(y=y, total=y.sum())
    assert graph.inputs == (x, w)
    assert graph.input_names == ("x", "w")
    assert graph.output_names == ("y", "total")
    assert list(graph.feeds) == ["x", "w"]
    assert graph.results["y"] is y
    assert repr(graph).startswith("<graph 'graph': x, w -> y, total,")


def test_nested_outputs_get_dotted_names() -> None:
    x, w, y = two_layers()
    graph = Graph(loss=y.sum(), grads={"w": w * 2.0, "rest": [x, y]})
    assert graph.output_names == ("loss", "grads.w", "grads.rest.0", "grads.rest.1")
    assert Graph({"a": x}, b=y).output_names == ("a", "b")


def test_inputs_may_be_given_in_another_order_and_unused() -> None:
    x, w, y = two_layers()
    spare = asg.input("spare", ())
    graph = Graph(y=y, inputs=[w, spare, x])
    assert graph.inputs == (w, spare, x)
    assert spare.node in graph.nodes


def test_a_forgotten_input_is_named_with_its_type() -> None:
    x, _, y = two_layers()
    with pytest.raises(GraphError, match=r"also depend on 'w': f32\[3, 2\].*\n.*test_graph.py:\d"):
        Graph(y=y, inputs=[x])


def test_a_computed_tensor_is_no_input() -> None:
    x, _, y = two_layers()
    with pytest.raises(GraphError, match="is computed, not an input"):
        Graph(y=y, inputs=[x, y])


def test_a_graph_without_outputs_is_refused() -> None:
    with pytest.raises(GraphError, match="at least one output"):
        Graph()


def test_two_inputs_of_one_name_are_refused() -> None:
    total = asg.input("x", ()) + asg.input("x", ())
    with pytest.raises(GraphError, match=r"two inputs are named 'x'(.|\n)*test_graph.py:\d+"):
        Graph(total=total)


def test_numbers_may_be_outputs() -> None:
    graph = Graph(one=1.0)
    assert graph.inputs == ()
    assert str(graph.outputs[0].type) == "f32[]"


def test_nodes_come_operands_first_and_once() -> None:
    x, _w, y = two_layers()
    graph = Graph(y=y + y, x=x)
    names = [node.op.name for node in graph.nodes]
    assert names == ["input", "input", "matmul", "tanh", "add"]
    position = {node: i for i, node in enumerate(graph.nodes)}
    assert all(
        position[operand.node] < position[node] for node in graph.nodes for operand in node.inputs
    )
    assert graph.nodes is graph.nodes


def test_reaching_stops_before_a_serial() -> None:
    _x, _, y = two_layers()
    assert [node.op.name for node in reachable_nodes([y], stop_before=y.node.serial)] == ["tanh"]
    assert reachable_nodes([y], stop_before=y.node.serial + 1) == []


def test_users_know_node_and_operand_position() -> None:
    _x, w, y = two_layers()
    square = y * y
    graph = Graph(square=square)
    assert graph.users[y] == [(square.node, 0), (square.node, 1)]
    assert graph.users[w] == [(y.node.inputs[0].node, 1)]
    assert square not in graph.users


def test_checks_of_all_nodes_are_collected_once() -> None:
    a, b = asg.input("a", ("n",)), asg.input("b", ("m",))
    graph = Graph(total=a + b, other=a * b)
    assert [(str(c.left), c.relation, str(c.right)) for c in graph.checks] == [("n", "==", "m")]


def test_with_outputs_keeps_the_signature() -> None:
    _x, _w, y = two_layers()
    graph = Graph(y=y, name="model")
    other = graph.with_outputs([call("negative", y)])
    assert (other.inputs, other.input_names, other.output_names, other.name) == (
        graph.inputs, ("x", "w"), ("y",), "model"
    )  # fmt: skip


def test_placeholder_names() -> None:
    x, _, _ = two_layers()
    assert placeholder_name(x) == "x"
    assert not is_state(x)


def test_rebuild_shares_what_did_not_change() -> None:
    _, _, y = two_layers()
    graph = Graph(y=y)
    assert rebuild(graph, lambda node, inputs: None).nodes == graph.nodes


def test_rebuild_replaces_and_reconnects() -> None:
    x, w, y = two_layers()
    graph = Graph(total=y.sum(), name="model")

    def sine_for_tanh(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        return (call("sin", *inputs),) if node.op.name == "tanh" else None

    changed = rebuild(graph, sine_for_tanh)
    assert [node.op.name for node in changed.nodes] == ["input", "input", "matmul", "sin", "sum"]
    assert changed.inputs == (x, w)
    assert changed.nodes[2] is graph.nodes[2]
    assert changed.nodes[-1].origin == graph.nodes[-1].origin
    assert [node.op.name for node in graph.nodes] == ["input", "input", "matmul", "tanh", "sum"]


def test_rebuild_refuses_a_replacement_of_another_type() -> None:
    _, _, y = two_layers()

    def wrong(node: Node, inputs: tuple[Tensor, ...]) -> Any:
        return (inputs[0].sum(),) if node.op.name == "tanh" else None

    with pytest.raises(GraphError, match=r"tanh.*has type f32\[\], f32\[batch, 2\] is needed"):
        rebuild(Graph(y=y), wrong)


def test_state_slots_follow_variables() -> None:
    variable = asg.Variable("weight", (3,), 0.0)
    x = asg.input("x", (3,))
    graph = Graph(y=x * variable)
    assert graph.input_names == ("x", "weight")
    assert [(slot.input, slot.output) for slot in graph.state] == [(1, None)]
    assert list(graph.feeds) == ["x"]
    assert list(graph.results) == ["y"]
    assert is_state(graph.inputs[1])
