"""render and svg: files that are whole or not there, and errors that say what to do."""

import os
from pathlib import Path
from typing import Any

import pytest

import asg
from asg.core.errors import FileError, MissingLibrary, OperandError
from asg.core.graph import Graph
from asg.describe import describe, graph_of, render, svg
from tests.describe.models import mlp_step
from tests.visualizer.drawn import needs_dot

STARTS = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph"}


@needs_dot
@pytest.mark.parametrize("kind", STARTS)
def test_every_format(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"step.{kind.upper() if kind == 'png' else kind}"
    assert mlp_step().render(path, depth=1) == path
    assert path.read_bytes().startswith(STARTS[kind])
    assert os.listdir(tmp_path) == [path.name]


@needs_dot
def test_a_path_may_be_text_and_a_file_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "g.svg")
    first = render(mlp_step(), path, theme="light").read_text()
    second = render(mlp_step(), path, theme="dark").read_text()
    assert first != second
    assert "#14171c" in second


@pytest.mark.parametrize("source", ["graph", "records", "document"])
def test_graphs_passes_and_documents_are_drawn(source: str, tmp_path: Path) -> None:
    graph = mlp_step()
    records = asg.compile(graph, backend="numpy").records
    given: dict[str, Any] = {"graph": graph, "records": records, "document": describe(graph)}
    text = render(given[source], tmp_path / "g.dot").read_text("utf-8")
    assert text.startswith('digraph "train_step" {')
    assert "∇ matmul" in text


@pytest.mark.parametrize("name", ["graph.jpg", "graph", "svg"])
def test_an_unknown_ending_lists_the_choices(name: str, tmp_path: Path) -> None:
    with pytest.raises(OperandError, match=r"choose one of \.svg, \.png, \.pdf, \.dot"):
        mlp_step().render(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"cannot write .*missing.*No such file"):
        mlp_step().render(tmp_path / "missing" / "g.dot")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match=r"cannot write .*Permission denied"):
        mlp_step().render(tmp_path / "g.dot")


def test_without_an_engine_the_text_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASG_GRAPHVIZ", "none")
    with pytest.raises(MissingLibrary, match=r"the text of the picture is in .*g\.dot"):
        mlp_step().render(tmp_path / "g.svg")
    assert os.listdir(tmp_path) == ["g.dot"]
    assert (tmp_path / "g.dot").read_text("utf-8") == (
        render(mlp_step(), tmp_path / "again.dot").read_text("utf-8")
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theme": "sepia"}, "theme='sepia'"),
        ({"part": "left"}, "part='left'"),
        ({"depth": 1.5}, "depth=1.5"),
        ({"engine": "neato"}, "engine='neato'"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(OperandError, match=message):
        mlp_step().render(tmp_path / "g.svg", **options)
    assert os.listdir(tmp_path) == []


def test_a_misspelt_option_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="colour"):
        mlp_step().render(tmp_path / "g.dot", colour="red")


def test_a_foreign_dict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="expected the document of a graph"):
        render({"nodes": []}, tmp_path / "g.dot")


# -- notebooks --------------------------------------------------------------------------------


@needs_dot
def test_svg_text_and_notebook_pictures() -> None:
    x = asg.input("x", (2,))
    graph = Graph(value=x * 2.0)
    assert svg(graph) == graph._repr_svg_()
    assert graph._repr_svg_().rstrip().endswith("</svg>")
    assert "drawn by asg" in (x * 2.0)._repr_svg_()
    assert "#14171c" in svg(graph, theme="dark", engine="dot")


def test_the_graph_of_a_tensor() -> None:
    x = asg.input("x", (2,))
    graph = graph_of(x * 2.0)
    assert graph.output_names == ("value",)
    assert graph.inputs == (x,)
