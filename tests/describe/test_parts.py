"""Forward, gradient or update; twins; which parameter a node serves."""

import pytest

import asg
from asg.core.graph import Graph
from asg.describe import describe
from asg.describe.schema import NodeEntry
from tests.describe.models import MODELS, mlp_step, optimized_step, pulled_back


def nodes_of(graph: Graph) -> dict[int, NodeEntry]:
    return {node["serial"]: node for node in describe(graph)["nodes"]}


@pytest.mark.parametrize("model", MODELS)
def test_values_never_flow_back(model: str) -> None:
    """Forward uses forward only, the gradient never an update."""
    document = describe(MODELS[model]())
    part = {node["serial"]: node["part"] for node in document["nodes"]}
    order = {"forward": 0, "gradient": 1, "update": 2}
    for edge in document["edges"]:
        assert order[part[edge["source"]]] <= order[part[edge["target"]]]


def test_parts_of_a_training_step() -> None:
    nodes = nodes_of(mlp_step()).values()
    for node in nodes:
        if node["gradient_of"] is not None:
            assert node["part"] == "gradient"
        elif node["scope"] == "optimizer":
            assert node["part"] == "update"
        elif node["role"] in ("input", "parameter"):
            assert node["part"] == "forward"
    assert {node["part"] for node in nodes} == {"forward", "gradient", "update"}


def test_optimizer_states_belong_to_the_update() -> None:
    states = [n for n in nodes_of(mlp_step()).values() if n["role"] == "optimizer"]
    assert len(states) == 9
    assert {node["part"] for node in states} == {"update"}


def test_the_seed_and_fed_cotangents_belong_to_the_gradient() -> None:
    seeds = [
        node
        for node in nodes_of(mlp_step()).values()
        if node["part"] == "gradient" and node["gradient_of"] is None
    ]
    assert [(seed["role"], seed["scalar"]) for seed in seeds] == [("constant", "1.0")]
    fed = {n["name"]: n["part"] for n in nodes_of(pulled_back()).values() if n["role"] == "input"}
    assert fed == {"x": "forward", "cotangent": "gradient"}


def test_what_follows_a_gradient_is_update_without_an_optimizer_too() -> None:
    x = asg.parameter("x", (2,), 1.0)
    slope = asg.grad((x * x).sum(), x)
    graph = Graph(better=x - 0.1 * slope)
    parts = {(n["op"], n["part"]) for n in nodes_of(graph).values()}
    assert ("subtract", "update") in parts


def test_a_running_statistic_written_by_the_forward_part_stays_there() -> None:
    count = asg.Variable("norm.count", (), init=0.0, role="statistic")
    x = asg.input("x", (2,))
    with asg.StateTrace() as trace:
        with asg.scope("norm"):
            count.write(count.read() + x.sum())
        graph = trace.close({"y": x * count.read()})
    assert {node["part"] for node in nodes_of(graph).values()} == {"forward"}


def test_nodes_merged_with_a_forward_node_are_forward() -> None:
    graph = optimized_step()
    nodes = nodes_of(graph)
    loss = nodes[graph.results["loss"].node.serial]
    assert loss["part"] == "forward"
    merged = [n for n in nodes.values() if n["part"] == "forward" and n["gradient_of"] is not None]
    users = {edge["source"]: edge["target"] for edge in describe(graph)["edges"]}
    assert all(node["serial"] in users for node in merged)


# -- twins ------------------------------------------------------------------------------------


def test_twins_of_a_fresh_gradient_are_the_nodes_differentiated() -> None:
    for node in nodes_of(mlp_step()).values():
        assert node["twin"] == node["gradient_of"]


@pytest.mark.parametrize("model", MODELS)
def test_twins_are_forward_nodes_of_the_last_graph(model: str) -> None:
    document = describe(MODELS[model]())
    nodes = {node["serial"]: node for node in document["nodes"]}
    for node in nodes.values():
        if node["twin"] is not None:
            assert node["gradient_of"] is not None
            twin = nodes[node["twin"]]
            assert twin["part"] == "forward"
            assert twin["scope"] == node["scope"]


def test_twins_survive_passes() -> None:
    """Copies on other operands and decompositions still stand for the node differentiated."""
    nodes = nodes_of(optimized_step()).values()
    gradients = [n for n in nodes if n["part"] == "gradient" and n["gradient_of"] is not None]
    assert gradients
    assert all(node["twin"] is not None for node in gradients)


# -- owners -----------------------------------------------------------------------------------


def test_every_update_belongs_to_its_parameter() -> None:
    document = describe(mlp_step())
    nodes = {node["serial"]: node for node in document["nodes"]}
    for slot in document["state"]:
        assert slot["output"] is not None
        owner = nodes[slot["output"]["serial"]]["parameter"]
        expected = slot["name"].removeprefix("optimizer.adam.")
        assert owner == {"count": ""}.get(expected, expected.removeprefix("m.").removeprefix("v."))


def test_nodes_between_two_values_of_one_parameter_belong_to_it() -> None:
    nodes = nodes_of(mlp_step())
    owned: dict[str, int] = {}
    for node in nodes.values():
        if node["part"] == "update":
            owned[node["parameter"]] = owned.get(node["parameter"], 0) + 1
    assert set(owned) == {"", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}
    assert len({count for name, count in owned.items() if name}) == 1
    assert owned[""] < 20  # the counter, and the corrections of both moments


def test_a_global_norm_is_shared() -> None:
    optimizer = asg.optim.chain(asg.optim.clip_by_global_norm(1.0), asg.optim.sgd(0.1))
    nodes = nodes_of(mlp_step(optimizer)).values()
    shared = [node["op"] for node in nodes if node["part"] == "update" and not node["parameter"]]
    assert "sqrt" in shared
    assert shared.count("sum") == 4


def test_gradients_know_their_parameter() -> None:
    document = describe(mlp_step())
    nodes = {node["serial"]: node for node in document["nodes"]}
    handed = {
        nodes[edge["source"]]["parameter"]: nodes[edge["source"]]["outputs"][0]["text"]
        for edge in document["edges"]
        if nodes[edge["source"]]["part"] == "gradient" and nodes[edge["target"]]["part"] == "update"
    }
    assert handed == {
        "fc1.weight": "f32[16, 8]", "fc1.bias": "f32[16]",
        "fc2.weight": "f32[3, 16]", "fc2.bias": "f32[3]",
    }  # fmt: skip
