"""The text for Graphviz: to the letter for a stored document, and safe for odd names."""

import json
import os
import re
import subprocess
from typing import Any

import pytest
from asg.visualizer.dot import Markup, attributes, program_of, quoted
from asg.visualizer.group import view_of
from asg.visualizer.style import theme_of

import asg
from asg.core.graph import Graph
from asg.describe import as_document, describe, to_json
from tests.describe.golden import FOLDER, assert_golden, renumbered
from tests.describe.models import MODELS, mlp_step
from tests.visualizer.drawn import needs_dot

STORED = FOLDER / "training_step.json"


@pytest.fixture(scope="module")
def stored() -> Any:
    """A training step as it once was described, so that pictures of it never change by an op."""
    if os.environ.get("ASG_UPDATE_GOLDENS"):
        text = to_json(renumbered(describe(mlp_step(asg.optim.sgd(0.1)))))
        STORED.write_text(text + "\n", encoding="utf-8")
    return as_document(json.loads(STORED.read_text("utf-8")))


def text_of(document: Any, theme: str = "light", **options: Any) -> str:
    return str(program_of(view_of(document, **options), theme_of(theme)).text)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("training_step.dot", {}),
        ("training_step_depth_1.dot", {"depth": 1}),
        ("training_step_gradient.dot", {"part": "gradient", "depth": 1}),
        ("training_step_dark.dot", {"depth": 0, "theme": "dark"}),
    ],
)
def test_the_text_to_the_letter(stored: Any, name: str, options: dict[str, Any]) -> None:
    assert_golden(name, text_of(stored, **options))


@pytest.mark.parametrize("model", MODELS)
def test_a_graph_built_again_gives_the_same_text(model: str) -> None:
    assert text_of(describe(MODELS[model]())) == text_of(describe(MODELS[model]()))


@pytest.mark.parametrize("model", MODELS)
def test_names_are_dense_and_known(model: str) -> None:
    text = text_of(describe(MODELS[model]()))
    names = re.findall(r"^ +(n\d+) \[label", text, re.MULTILINE)
    assert sorted(names, key=lambda name: int(name[1:])) == [f"n{i}" for i in range(len(names))]
    ends = re.findall(r"^  (n\d+) -> (n\d+)", text, re.MULTILINE)
    assert {name for pair in ends for name in pair} <= set(names)


@pytest.mark.parametrize("model", MODELS)
def test_clusters_are_closed_and_named_once(model: str) -> None:
    text = re.sub(r'"(\\.|[^"\\])*"', '""', text_of(describe(MODELS[model]())))
    assert text.count("{") == text.count("}")
    names = re.findall(r"subgraph (cluster_\d+)", text)
    assert len(names) == len(set(names))


def test_strings_are_escaped() -> None:
    assert quoted('a "b" \\ c\nd') == '"a \\"b\\" \\\\ c\\nd"'
    bold = attributes(label=Markup("<b>x</b>"), style="", color="red")
    assert bold == ' [label=<<b>x</b>>, color="red"]'
    assert attributes() == ""


@needs_dot
def test_odd_names_are_drawn_as_they_are() -> None:
    name = 'a<b> & "c" \\ {d} \N{GREEK SMALL LETTER ALPHA}'
    with asg.scope('odd "scope" <&>'):
        y = asg.parameter("w.1", (2,), 1.0) * 2.0
    graph = Graph({name: y}, name='graph "quoted"')
    done = subprocess.run(
        ["dot", "-Tsvg"], input=text_of(describe(graph)).encode(), capture_output=True, check=True
    )
    assert done.stderr == b""
    svg = done.stdout.decode("utf-8")
    assert "a&lt;b&gt; &amp; &quot;c&quot; \\ {d} \N{GREEK SMALL LETTER ALPHA}" in svg
    assert "odd &quot;scope&quot; &lt;&amp;&gt;" in svg


def test_html_brackets_in_a_plain_string_are_no_markup() -> None:
    assert attributes(tooltip="<x>") == ' [tooltip="<x>"]'
