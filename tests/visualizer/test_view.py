"""Which boxes and arrows a view has, before any layout."""

from collections import Counter
from typing import Any

import pytest
from asg.visualizer.group import view_of

import asg
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.types import TensorType
from asg.describe import describe
from asg.passes.lower import lower
from tests.describe.models import (
    MODELS,
    chain,
    mlp_loss,
    mlp_step,
    optimized_step,
    transformer_step,
)

OPTIONS: list[dict[str, Any]] = [
    {},
    {"depth": 0},
    {"depth": 1},
    {"depth": 2, "fold": True},
    {"depth": 9, "fold": False},
    {"part": "forward"},
    {"part": "gradient"},
    {"part": "gradient", "depth": 1},
]
EVERY = [(model, options) for model in MODELS for options in OPTIONS]


class NoComposites:
    """A backend that knows primitives only."""

    name = "primitive"
    passes = ()

    def supports(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        return not op.has_decomposition()


def view(graph: Graph, **options: Any) -> Any:
    return view_of(describe(graph), **options)


def titles(shown: Any, **facts: Any) -> Counter[str]:
    boxes = [b for b in shown.boxes.values() if all(getattr(b, k) == v for k, v in facts.items())]
    return Counter(box.title for box in boxes)


@pytest.mark.parametrize(("model", "options"), EVERY)
def test_arrows_join_boxes_that_are_there(model: str, options: dict[str, Any]) -> None:
    shown = view(MODELS[model](), **options)
    pairs = [(arrow.tail, arrow.head) for arrow in shown.arrows]
    assert {key for pair in pairs for key in pair} <= shown.boxes.keys()
    assert all(tail != head for tail, head in pairs)
    assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize(("model", "options"), EVERY)
def test_every_node_is_in_one_box_or_in_a_title(model: str, options: dict[str, Any]) -> None:
    document = describe(MODELS[model]())
    shown = view_of(document, **options)
    part = options.get("part", "both")
    boxed = [
        serial for box in shown.boxes.values() if box.kind != "output" for serial in box.serials
    ]
    assert len(boxed) == len(set(boxed))
    for node in document["nodes"]:
        if part in ("both", node["part"]) and not node["scalar"]:
            assert node["serial"] in boxed


@pytest.mark.parametrize(("model", "options"), EVERY)
def test_every_value_between_boxes_has_its_arrow(model: str, options: dict[str, Any]) -> None:
    document = describe(MODELS[model]())
    shown = view_of(document, **options)
    nodes = {node["serial"]: node for node in document["nodes"]}
    box_of = {s: k for k, b in shown.boxes.items() if b.kind != "output" for s in b.serials}
    pairs = {(arrow.tail, arrow.head) for arrow in shown.arrows}
    for edge in document["edges"]:
        source, target = nodes[edge["source"]], nodes[edge["target"]]
        tail, head = box_of.get(edge["source"]), box_of.get(edge["target"])
        if tail is None or head is None or tail == head or shown.boxes[head].style == "outside":
            continue
        goes_without = target["part"] == "update" and source["name"] == target["parameter"] != ""
        assert (tail, head) in pairs or (goes_without and head[0] == "group")


@pytest.mark.parametrize(("model", "options"), EVERY)
def test_rows_are_disjoint(model: str, options: dict[str, Any]) -> None:
    rows = view(MODELS[model](), **options).rows
    members = [key for row in rows for key in row]
    assert len(members) == len(set(members))
    assert all(len(row) > 1 for row in rows)


@pytest.mark.parametrize(("model", "options"), EVERY)
def test_residuals_are_exactly_the_forward_values_used_elsewhere(
    model: str, options: dict[str, Any]
) -> None:
    shown = view(MODELS[model](), **options)
    for arrow in shown.arrows:
        tail, head = shown.boxes[arrow.tail], shown.boxes[arrow.head]
        leaves = tail.part == "forward" != head.part or tail.style == "outside"
        assert (arrow.kind == "residual") == (leaves and arrow.kind != "turn")


@pytest.mark.parametrize("model", ["mlp", "transformer", "optimized"])
@pytest.mark.parametrize("options", [{"depth": 1}, {"depth": 2, "fold": True}, {"fold": True}])
def test_every_gradient_box_is_in_the_row_of_its_twin(model: str, options: dict[str, Any]) -> None:
    """With gradients folded there is one box per forward box, so all of them have a rung."""
    document = describe(MODELS[model]())
    shown = view_of(document, **options)
    nodes = {node["serial"]: node for node in document["nodes"]}
    row_of = {key: row for row in shown.rows for key in row}
    box_of = {s: k for k, b in shown.boxes.items() if b.kind != "output" for s in b.serials}
    for key, box in shown.boxes.items():
        if box.part == "gradient" and box.kind == "group":
            twins = {box_of.get(nodes[serial]["twin"]) for serial in box.serials}
            assert twins & set(row_of[key])


# -- detail -----------------------------------------------------------------------------------


def test_a_small_step_opens_its_modules_and_folds_the_update() -> None:
    shown = view(mlp_step())
    assert len(shown.boxes) <= 60
    assert titles(shown, part="forward", kind="op")["matmul"] == 2
    assert titles(shown, part="gradient", kind="op")["∇ matmul"] == 3
    assert titles(shown, part="update") == Counter(
        {"update weight": 2, "update bias": 2, "optimizer": 1}
    )


def test_a_step_of_middle_size_folds_the_gradient_of_each_op() -> None:
    shown = view(mlp_step(layers=4))
    assert len(shown.boxes) <= 61
    assert titles(shown, part="forward", kind="op")["matmul"] == 4
    assert titles(shown, part="gradient", kind="group")["∇ matmul"] == 4


def test_a_large_step_folds_to_its_scopes() -> None:
    shown = view(transformer_step(blocks=20))
    assert titles(shown, part="forward", kind="group") == Counter(
        [*(f"block{i}" for i in range(20)), "loss"]
    )


def test_depth_says_which_scopes_are_boxes() -> None:
    graph = transformer_step(blocks=1)
    assert set(titles(view(graph, depth=1), style="module", part="forward")) == {"block0", "loss"}
    assert {"attention", "ffn"} <= set(titles(view(graph, depth=2), style="module"))
    assert {"query", "key", "value", "mix", "out"} <= set(titles(view(graph, depth=3)))
    assert set(titles(view(graph, depth=0), kind="group")) == {"forward", "∇ gradient", "update"}


def test_many_ops_without_scope_are_put_together() -> None:
    shown = view(chain(4_000))
    assert len(shown.boxes) < 80
    assert set(titles(shown, part="forward", kind="group")) <= {"add …", "tanh …"}


def test_decompositions_fold_back_to_the_composite() -> None:
    x = asg.input("x", ("n", 4))
    lowered = lower(Graph(y=asg.softplus(x)), NoComposites())
    assert len(lowered.nodes) > 3
    (box,) = [b for b in view(lowered, fold=True).boxes.values() if b.kind == "group"]
    assert (box.title, box.style) == ("softplus", "activation")
    assert not titles(view(lowered, fold=False), kind="group")


def test_numbers_stand_in_the_title_of_their_user() -> None:
    x = asg.input("x", (2,))
    shown = view(Graph(y=1.0 - x * 0.5))
    assert set(titles(shown, kind="op")) == {"multiply(·, 0.5)", "subtract(1.0, ·)"}
    assert not titles(shown, style="constant")


def test_numbers_that_are_results_have_a_box() -> None:
    shown = view(Graph(half=asg.constant(0.5), y=asg.input("x", ()) * 2.0))
    assert titles(shown, style="constant") == Counter(["0.5"])
    assert titles(shown, kind="output") == Counter(["half", "y"])


def test_parameters_and_states_are_told_from_inputs() -> None:
    styles = Counter(b.style for b in view(mlp_step(), fold=False, depth=9).boxes.values())
    assert styles["input"] == 2
    assert styles["parameter"] == 4
    assert styles["optimizer"] == 9
    assert styles["next"] == 13


def test_outputs_of_the_gradient_alone_are_the_gradients() -> None:
    shown = view(mlp_step(), part="gradient", depth=1)
    assert titles(shown, kind="output") == Counter(
        ["∇ fc1.weight", "∇ fc1.bias", "∇ fc2.weight", "∇ fc2.bias"]
    )
    assert "x" in titles(shown, style="outside")


def test_forward_alone_looks_like_a_graph_without_gradient() -> None:
    alone, plain = view(mlp_step(), part="forward"), view(Graph(loss=mlp_loss()))
    assert titles(alone) == titles(plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part": "backward"}, "part='backward'; choose one of 'both', 'forward', 'gradient'"),
        ({"depth": -1}, "depth=-1: give the number"),
        ({"depth": True}, "depth=True"),
        ({"depth": "2"}, "depth='2'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OperandError, match=message):
        view(mlp_step(), **options)


def test_the_optimized_step_looks_like_the_traced_one() -> None:
    traced, optimized = view(mlp_step(), depth=1), view(optimized_step(), depth=1)
    assert titles(traced, kind="group") == titles(optimized, kind="group")
