"""Numbers and sequences from the command line: train, eval, predict, graph, bench, sweep."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from asg.cli.main import main
from asg.train.config import configured
from asg.train.config_file import read_values
from tests.cli.command_line import said

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
NUMBERS, SEQUENCES = "runs/diabetes-0001", "runs/copy-0001"
COPY = ["--dataset", "copy", "--dataset.count", "400", "--dataset.length", "3",
        "--dataset.vocabulary", "4", "--model.kind", "attention_seq2seq",
        "--model.hidden-size", "24", "--optimizer.lr", "1e-2", "--batch-size", "30"]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["train", "--dataset", "diabetes", "--hidden", "8", "--epochs", "2"]) == 0
        assert main(["train", *COPY, "--epochs", "8"]) == 0
        np.savetxt("x.csv", np.full((2, 10), 0.01), delimiter=",")
        Path("s.csv").write_text("0,1,2\n3,3,0\n")
        Path("strange.csv").write_text("0,1,4\n")
    yield folder


@pytest.fixture(autouse=True)
def inside(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def test_numbers_are_evaluated_and_predicted(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = said(capsys, "eval", NUMBERS)
    assert re.fullmatch(
        r"numpy  test mae \d+\.\d{4}   r2 -?\d\.\d{4}   loss \d\.\d{6}   \(89 examples\)", line
    )
    head, *rows = said(capsys, "predict", NUMBERS, "--input", "x.csv")
    assert head == "example,number" and [row.split(",")[0] for row in rows] == ["0", "1"]
    said(capsys, "predict", NUMBERS, "--input", "x.csv", "--output", "y.npy")
    found = np.load("y.npy")
    assert found.shape == (2,) and float(rows[0].split(",")[1]) == pytest.approx(found[0], rel=1e-5)
    assert 25 < found[0] < 346


def test_sequences_are_evaluated_and_written(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = said(capsys, "eval", SEQUENCES)
    assert re.fullmatch(r"numpy  test accuracy \d\.\d{4}   loss \d\.\d{6}   \(40 examples\)", first)
    assert re.fullmatch(r"       \d+\.\d% answered without a mistake", second)
    head, *rows = said(capsys, "predict", SEQUENCES, "--input", "s.csv")
    assert head == "example,sequence"
    said(capsys, "predict", SEQUENCES, "--input", "s.csv", "--output", "s.npy")
    written = [f"{number},{' '.join(map(str, row))}" for number, row in enumerate(np.load("s.npy"))]
    assert rows == written
    assert main(["predict", SEQUENCES, "--input", "strange.csv"]) == 2
    assert "strange.csv should hold whole numbers of 0...3" in capsys.readouterr().err


def test_the_other_commands_know_them(capsys: pytest.CaptureFixture[str]) -> None:
    for run in (NUMBERS, SEQUENCES):
        assert said(capsys, "graph", run)[0].startswith("graph ")
        assert said(capsys, "bench", run, "--rounds", "1", "--steps", "1")
        exported = said(capsys, "export", run, "--inference", f"{run}-network")
        assert exported[0].startswith("wrote ")
        assert main(["generate", run, "--prompt", "x"]) == 2
        assert "no language model; use asg predict" in capsys.readouterr().err


def test_a_sweep_over_losses_is_judged_by_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--dataset", "diabetes", "--hidden", "4", "--epochs", "1"]
    said(capsys, "train", *options, "--sweep", "loss=mse,huber")
    with open("runs/sweep-0001/comparison.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["loss"] for row in rows] == ["mse", "huber"]
    assert all(float(row["test_mae"]) == float(row["best_test_mae"]) > 0 for row in rows)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configurations_that_come_along_are_whole(path: Path) -> None:
    configured(read_values(path), str(path))
