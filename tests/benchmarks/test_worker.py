"""The process that runs one peer, and the command that starts them."""

from __future__ import annotations

import json
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.measure import (
    ROOT,
    BenchmarkError,
    Settings,
    check_losses,
    compile_sources,
    measure,
)
from benchmarks.worker import Worker, serve


def test_a_worker_answers_every_command_with_a_line_of_json() -> None:
    answers: list[str] = []
    lines = ["build\n", "losses 5\n", "run 3\n", "memory\n"]
    serve(Worker("asg_numpy", "mlp_small", "tiny"), lines, answers.append)
    build, losses, seconds, memory = map(json.loads, answers)
    assert build["build_seconds"] > 0 and build["import_seconds"] > 0
    assert len(losses) == 5 and losses[4] < losses[0]  # the first batch again
    assert 0 < seconds < 10
    assert 0 < memory["imported_mb"] <= memory["peak_mb"]


def test_peers_take_turns_in_processes_of_their_own() -> None:
    settings = Settings(rounds=2, seconds=0.01, pause=0.0, scale="tiny", clock="cpu")
    result = measure("mlp", ["asg_numpy"], settings)["asg_numpy"]
    assert len(result.samples) == 2 and result.ratio(result) == 1.0
    assert result.again_seconds is not None and 0 < result.again_seconds < 60


def test_peers_that_compute_something_else_are_named() -> None:
    check_losses("mlp", {"torch": [2.0, 1.0], "jax": [2.0001, 1.0]})
    with pytest.raises(BenchmarkError, match="jax and torch compute different losses of mlp: 2,"):
        check_losses("mlp", {"torch": [2.0, 1.0], "jax": [2.0, 1.1]})


@pytest.mark.parametrize("option", ["--workloads", "--peers"])
def test_a_wrong_name_is_one_line_and_exit_code_2(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([option, "nothing"])
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "'nothing'" in said.err and said.out == ""


def test_bytecode_is_there_before_anything_is_timed() -> None:
    """As of every package that was installed: sources are not compiled in what is told as build."""
    compile_sources()
    source = ROOT / "asg" / "nn" / "linear.py"
    assert Path(cache_from_source(str(source))).stat().st_mtime >= source.stat().st_mtime
