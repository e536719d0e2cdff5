"""`asg train --sweep`: all combinations, a table, and failures that stop nothing."""

import csv
from pathlib import Path

import pytest

from asg.cli.main import main
from asg.train.config import TrainConfig
from asg.train.run_folder import RunFolder
from asg.train.trainer import Training


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(path: str = "runs/sweep-0001/comparison.csv") -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_combination_has_its_folder_and_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    axes = ["--sweep", "optimizer.lr=1e-2,1e-3", "--sweep", "model.hidden=8,16 8"]
    assert main(["train", "--epochs", "1", *axes]) == 0
    captured = capsys.readouterr()
    lines, shown = table(), captured.out.splitlines()
    chosen = [(line["optimizer.lr"], line["model.hidden"]) for line in lines]
    assert chosen == [("1e-2", "8"), ("1e-2", "16 8"), ("1e-3", "8"), ("1e-3", "16 8")]
    for line, (rate, widths) in zip(lines, chosen, strict=True):
        run = RunFolder(Path("runs/sweep-0001") / line["run"])
        config: TrainConfig = run.read_config()
        assert config.optimizer.model_dump()["lr"] == float(rate)
        assert config.model.model_dump()["hidden"] == tuple(map(int, widths.split()))
        (epoch,) = run.read_history()
        assert line["test_accuracy"] == f"{epoch.test['accuracy']:.4f}"
        assert (line["epochs"], line["error"]) == ("1", "")
    head = next(n for n, text in enumerate(shown) if text.startswith("number  optimizer.lr"))
    assert len(shown[head + 1 :]) == 5 and shown[-1] == "wrote   runs/sweep-0001/comparison.csv"
    assert captured.err == ""


def test_a_combination_that_fails_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    axes = ["--sweep", "optimizer.name=adam,sgd", "--sweep", "optimizer.momentum=0.5"]
    axes += ["--sweep", "optimizer.lr=1e30,0.1,x"]
    assert main(["train", "--epochs", "1", "--hidden", "4", *axes]) == 1
    lines, err = table(), capsys.readouterr().err.splitlines()
    errors = [line["error"] for line in lines]
    assert errors[:2] == ["--sweep optimizer.momentum: no option of adam, but of sgd, rmsprop, "
                          "lars, muon"] * 2  # fmt: skip
    assert "--sweep optimizer.lr: should be a number, got 'x'" in errors[2]
    assert errors[3].startswith("the mean loss of epoch 1 is nan")
    assert errors[4] == "" and lines[4]["test_accuracy"]
    assert err == [f"error: {error}" for error in errors if error]


def test_ctrl_c_ends_the_sweep_and_the_rest_is_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "run", stop)
    assert main(["train", "--sweep", "seed=1,2"]) == 130
    assert [line["error"] for line in table()] == ["interrupted", "not run"]


MISTAKES = [
    (["--sweep"], "--sweep needs a value"),
    (["--sweep", "epochs"], "--sweep: 'epochs' has no values; write epochs=A,B"),
    (["--sweep", "epochs="], "--sweep: 'epochs=' has an empty value"),
    (["--sweep", "epochs=1,,2"], "--sweep: 'epochs=1,,2' has an empty value"),
    (["--sweep", "lr=1,2"], "--sweep: unknown key 'lr', did you mean 'optimizer.lr'?"),
    (["--sweep", "zzz=1"], "--sweep: unknown key 'zzz'; see asg train --help"),
    (["--sweep", "config=1"], "--sweep: unknown key 'config'"),
    (["--sweep", "epochs=1", "--sweep", "training.epochs=2"], "--sweep: training.epochs is given"),
    (["--sweep", "epochs=1", "--epochs", "2"], "--sweep: epochs is given twice"),
    (["--sweep", "epochs=x,y"], "--sweep epochs: should be a whole number, got 'x'"),
    (["--sweep", "epochs=1", "--resume", "runs"], "--resume: a sweep begins anew; resume one of"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_sweep_that_is_not_understood_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert main(["train", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {message}") and err.count("\n") == 1
    assert list(folder.iterdir()) == []
