"""Every way to Graphviz, and what is said when there is none."""

import logging
import os
import sys
from pathlib import Path

import pytest
from asg.visualizer import engine
from asg.visualizer.engine import chosen_engine, draw
from asg.visualizer.render import program_for

import asg
from asg.core.errors import ConfigError, FileError, MissingLibrary, OperandError
from asg.core.graph import Graph
from tests.describe.models import mlp_step
from tests.visualizer.drawn import needs_dot


@pytest.fixture(autouse=True)
def no_preference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASG_GRAPHVIZ", raising=False)


def small() -> Graph:
    return Graph(y=asg.input("x", (2,)) * 2.0)


def fake_dot(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "dot.py").write_text(script)
    program = folder / "dot"  # by way of a shell: the interpreter's path may have spaces
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/dot.py" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def without_dot(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))


# -- choice -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dot", "pygraphviz", "none"])
def test_the_environment_chooses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASG_GRAPHVIZ", name)
    assert chosen_engine(None) == name
    assert chosen_engine("dot") == "dot"


def test_an_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperandError, match="engine='neato'; choose one of dot, pygraphviz, none"):
        chosen_engine("neato")
    monkeypatch.setenv("ASG_GRAPHVIZ", "dott")
    with pytest.raises(ConfigError, match="ASG_GRAPHVIZ='dott'; choose one of dot"):
        chosen_engine(None)


@pytest.mark.skipif(os.name == "nt", reason="makes a program by its first line")
def test_the_program_comes_before_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_dot(tmp_path, "", monkeypatch)
    assert chosen_engine(None) == "dot"
    (tmp_path / "dot").unlink()
    monkeypatch.setattr(engine, "find_spec", lambda name: object())
    assert chosen_engine(None) == "pygraphviz"
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    assert chosen_engine(None) == "none"


# -- drawing ----------------------------------------------------------------------------------


@needs_dot
@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_the_program_draws(kind: str) -> None:
    drawing = draw(program_for(mlp_step(), depth=1), kind, "dot")
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[kind]
    assert drawing.data.startswith(start)
    assert drawing.engine == "dot"


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_the_library_draws(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pygraphviz")
    drawing = draw(program_for(mlp_step(), depth=1), kind, "pygraphviz")
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[kind]
    assert drawing.data.startswith(start)
    assert drawing.engine == "pygraphviz"
    assert capfd.readouterr() == ("", "")


@needs_dot
def test_an_svg_tells_what_drew_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="asg.visualizer"):
        data = draw(program_for(small()), "svg", "dot").data
    assert b"<!-- drawn by asg with dot -->\n<svg" in data
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]
    assert "with dot" in caplog.text


@needs_dot
def test_arrows_between_columns_reach_their_boxes() -> None:
    """Two runs of Graphviz must agree on where things are."""
    svg = draw(program_for(mlp_step(), depth=1), "svg", "dot").data.decode()
    assert svg.count("stroke-dasharray") >= 4
    assert "Warning" not in svg


# -- failure ----------------------------------------------------------------------------------


def test_no_engine_says_how_to_get_one() -> None:
    with pytest.raises(
        MissingLibrary, match=r"install Graphviz .*pip install 'asg-compiler\[viz\]'"
    ):
        draw(program_for(small()), "svg", "none")


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_dot(tmp_path, monkeypatch)
    with pytest.raises(MissingLibrary, match="the program `dot` is not installed"):
        draw(program_for(small()), "svg", "dot")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(MissingLibrary, match=r"pygraphviz is not installed: pip install"):
        draw(program_for(small()), "svg", "pygraphviz")


@pytest.mark.skipif(os.name == "nt", reason="makes a program by its first line")
def test_a_failing_program_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_dot(tmp_path, "import sys; sys.exit('Error: bad luck')", monkeypatch)
    with pytest.raises(FileError, match="dot could not draw the graph:\n  Error: bad luck"):
        draw(program_for(small()), "svg", "dot")


@pytest.mark.skipif(os.name == "nt", reason="makes a program by its first line")
def test_a_slow_program_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_dot(tmp_path, "import time; time.sleep(30)", monkeypatch)
    monkeypatch.setattr(engine, "SECONDS", 0.2)
    with pytest.raises(FileError, match=r"did not finish in 0.2 s; fold the graph"):
        draw(program_for(small()), "svg", "dot")


def test_a_failing_library_is_quoted() -> None:
    pytest.importorskip("pygraphviz")
    with pytest.raises(FileError, match="pygraphviz could not draw the graph"):
        engine._run_library("digraph {", "dot", ("svg",))
