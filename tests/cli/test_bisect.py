"""``asg bisect``: texts of graphs and configurations, right and spoiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import asg
from asg.cli.main import main
from asg.passes import pipeline
from asg.passes.pipeline import RulePass
from tests.compiler.planted import exchange, exchanged, feeds_of


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("graph.txt").write_text(asg.graph_text(exchanged(), full=True))
    given = feeds_of(exchanged())
    np.savez("inputs.npz", x=given["x"], y=given["y"])
    Path("config.yaml").write_text("epochs: 1\nhidden: [8]\n")


@pytest.mark.parametrize("arguments", [["graph.txt", "--inputs", "inputs.npz"], ["config.yaml"]])
def test_nothing_is_found_where_all_is_right(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bisect", *arguments]) == 0
    assert capsys.readouterr().out.startswith("nothing changes what ")


@pytest.mark.parametrize("inputs", [[], ["--inputs", "inputs.npz"]])
def test_a_wrong_rule_is_told(
    inputs: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = (exchange, *pipeline.SIMPLIFY.rules)
    monkeypatch.setattr(pipeline, "SIMPLIFY", RulePass("simplify", rules))
    assert main(["bisect", "graph.txt", *inputs]) == 1
    told = capsys.readouterr().out
    assert "pass 'simplify' changes a value: rule exchange (exact), replacement 1" in told
    assert "before: " in told and "with x: f32[n, 3]" in told


def test_mistakes_are_told_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("no_graph.txt").write_text("hello")
    np.savez("less.npz", x=np.zeros((3, 3), np.float32))
    for arguments, told in (
        (["no_graph.txt"], "no_graph.txt is no text of a graph"),
        (["config.yaml", "--inputs", "inputs.npz"], "--inputs goes with the text of a graph"),
        (["graph.txt", "--kind", "zzz"], "--kind: "),
        (["graph.txt", "--inputs", "less.npz"], "missing: ['y']"),
    ):
        assert main(["bisect", *arguments]) in (1, 2)
        assert told in capsys.readouterr().err
