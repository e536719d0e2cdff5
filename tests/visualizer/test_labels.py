"""The words in boxes."""

from typing import Any

import pytest
from asg.visualizer.group import view_of
from asg.visualizer.labels import group_tooltip, shortened, type_text

import asg
from asg.core.graph import Graph
from asg.describe import describe
from tests.describe.models import mlp_step


def entry(dtype: str, shape: list[str], short: str) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "text": f"{short}[{', '.join(shape)}]"}


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (entry("float32", ["batch", "784"], "f32"), "batch×784"),
        (entry("float32", [], "f32"), "scalar"),
        (entry("int32", [], "i32"), "i32 scalar"),
        (entry("bool", ["n"], "bool"), "bool n"),
        (entry("float32", ["2*n + 1", "3"], "f32"), "(2*n + 1)×3"),
        (entry("bfloat16", ["0"], "bf16"), "bf16 0"),
    ],
)
def test_types(type: dict[str, Any], text: str) -> None:
    assert type_text(type) == text


@pytest.mark.parametrize("longest", [5, 8, 20, 21, 22, 100])
def test_long_texts_keep_both_ends(longest: int) -> None:
    text = "abcdefghijklmnopqrstu"
    short = shortened(text, longest)
    assert len(short) == min(len(text), longest)
    assert short[0] == "a"
    assert short[-1] == "u"
    assert (short == text) == (len(text) <= longest)


def test_long_names_do_not_widen_the_picture() -> None:
    x = asg.input("a_very_long_name_" * 5, tuple(f"also_a_long_size_{i}" for i in range(9)))
    for box in view_of(describe(Graph({"result_" * 20: asg.tanh(x)}))).boxes.values():
        assert len(box.title) <= 30
        assert all(len(line) <= 34 for line in box.details)


def test_attributes_are_told_where_they_matter() -> None:
    x = asg.input("x", ("n", 3))
    graph = Graph(a=x.sum(1), b=asg.broadcast_to(x, (2, "n", 3)), c=x.sum(0, keepdims=True))
    details = {box.key[1]: box.details for box in view_of(describe(graph)).boxes.values()}
    told = {line for lines in details.values() for line in lines}
    assert {"axis=(1,)", "axis=(0,), keepdims=true"} <= told
    assert not any("shape" in line for line in told)


def test_a_tooltip_has_all_that_is_known() -> None:
    x = asg.input("x", ("n", 3))
    with asg.scope("layer"):
        y = asg.sum(x, axis=1)
    (box,) = [b for b in view_of(describe(Graph(y=y))).boxes.values() if b.kind == "op"]
    head, *facts = box.tooltip.splitlines()
    assert head == "%0 = sum(x=x) : f32[n]"
    assert facts[0] == "axis=(1,), keepdims=false"
    assert "scope layer" in facts
    assert any("test_labels.py:" in fact for fact in facts)
    assert facts[-1] == "3*n flops, 4*n bytes"


def test_a_folded_box_tells_what_is_inside() -> None:
    boxes = view_of(describe(mlp_step()), depth=1).boxes
    box = boxes["group", "forward", "fc1"]
    assert box.title == "fc1"
    assert box.details == ("3 ops", "weight 16×8", "bias 16")
    assert box.tooltip.splitlines()[0] == "5 nodes: state x2, permute_dims, matmul, add"
    assert boxes["group", "gradient", "fc1"].title == "∇ fc1"
    assert boxes["group", "update", "fc1"].title == "update fc1"
    assert boxes["group", "forward", "act"].details == ("tanh",)


def test_many_parameters_are_counted() -> None:
    with asg.scope("big"):
        total = sum((asg.parameter(f"big.p{i}", (2,), 0.0).leaf for i in range(6)), asg.zeros((2,)))
    boxes = view_of(describe(Graph(total=total)), depth=1).boxes
    assert boxes["group", "forward", "big"].details == ("6 ops", "6 parameters")


def test_many_kinds_of_ops_are_counted() -> None:
    nodes = [{"op": f"op{i}", "location": None} for i in range(20)]
    assert group_tooltip(nodes).endswith("op11 and 8 more kinds")
