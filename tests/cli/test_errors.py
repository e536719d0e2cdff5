"""Mistakes on the command line: one line on stderr, exit code 2, no traceback."""

import re
import sys
from pathlib import Path

import pytest

from asg.cli.main import main
from tests.cli.command_line import run

MISTAKES = [
    (["trian"], "unknown command trian. Did you mean train?"),
    (["zzz"], "unknown command zzz. There are: bench, bisect, convert, datasets, doctor, eval"),
    (["--verson"], "unknown option --verson. Did you mean --version?"),
    (["--epochs", "3"], "unknown option --epochs. There are: --help, --version"),
    (["train", "--epoch", "3"], "unknown option --epoch. Did you mean --epochs?"),
    (["train", "--epoch=3"], "unknown option --epoch. Did you mean --epochs?"),
    (["train", "--lr", "1"], "unknown option --lr. Did you mean --optimizer.lr?"),
    (["train", "--batchsize", "1"], "unknown option --batchsize. Did you mean --batch-size?"),
    (["train", "--cofnig", "x"], "unknown option --cofnig. Did you mean --config?"),
    (["train", "--zzz"], "unknown option --zzz; asg train --help lists the options"),
    (["train", "-e", "3"], "unknown option -e; asg train --help lists the options"),
    (["train", "5"], "unexpected argument '5'; options begin with --"),
    (["train", "--epochs"], "--epochs needs a value"),
    (["train", "--epochs", "--seed", "1"], "--epochs needs a value"),
    (["train", "--seed", "1", "--batch_size"], "--batch_size needs a value"),
    (["train", "--epochs", "many"], "--epochs: should be a whole number, got 'many'"),
    (["train", "--epochs", "0"], "--epochs: should be at least 1, got '0'"),
    (["train", "--epochs", "-3"], "--epochs: should be at least 1, got '-3'"),
    (["train", "--epochs="], "--epochs: should be a whole number, got ''"),
    (["train", "--hidden", "64", "x"], "--hidden: should be a whole number, got 'x'"),
    (["train", "--optimizer.lr", "nan"], "--optimizer.lr: should be "),
    (["train", "--optimizer.name", "adm"], "--optimizer.name: unknown optimizer 'adm', did you me"),
    (["train", "--optimizer.momentum", "0.9"], "--optimizer.momentum: no option of adam, but of "),
    (["train", "--backend", "nunpy"], "--backend: unknown backend 'nunpy', did you mean 'numpy'?"),
    (["train", "--dataset", "mnits"], "--dataset: unknown data set 'mnits', did you mean 'mnist'?"),
    (["train", "--dataset", "zzz"], "--dataset: unknown data set 'zzz'. There are: digits, "),
    (["train", "--loss", "hubr"], "--loss: unknown loss 'hubr', did you mean 'huber'?"),
    (["train", "--loss", "mae"], "training.loss: mae is for numbers, and this data set has clas"),
    (["train", "--training.drop-last", "maybe"], "--training.drop-last: should be true or false"),
    (["train", "--dataset", "copy"], "model.kind: mlp takes features, and copy has sequences; ch"),
    (["train", "--dataset", "copy", "--dataset.length", "0"], "--dataset.length: should be at le"),
    (["train", "--dataset", "copy", "--dataset.noise", "1"], "--dataset.noise: no option of copy"),
    (["train", "--config", "binary.yaml"], "--config: binary.yaml is not a text file"),
    (["train", "--config", "list.yaml"], "list.yaml: expected 'key: value' lines, got [1, 2]"),
    (["train", "--config", "twice.yaml"], "twice.yaml: line 2: epochs is given twice"),
    (["train", "--config", "both.yaml"], "both.yaml: epochs and training.epochs are the same"),
    (["train", "--config", "secret.yaml"], "--config: cannot read secret.yaml: "),
    (["train", "--resume", "nowhere"], "nowhere is no folder of a run: it has no config.yaml"),
    (["train", "--resume", "torn"], "torn has no checkpoint to go on from"),
    (["train", "--resume", "torn", "--config", "x"], "--config: a resumed run has its own config"),
    (["train", "--resume", "torn", "--seed", "1"], "--seed: a resumed run may change --epochs, "),
    (["train", "--resume", "torn", "--sweep", "seed=1,2"], "--"),
    (["train", "--sweep", "seed"], "--sweep: 'seed' has no values; write seed=A,B"),
    (["train", "--sweep", "seed=1,,2"], "--sweep: 'seed=1,,2' has an empty value"),
    (["train", "--sweep", "sed=1,2"], "--sweep: unknown key 'sed', did you mean 'seed'?"),
    (["train", "--sweep", "seed=x,y"], "--sweep seed: should be a whole number, got 'x'"),
    (["train", "--sweep", "seed=1,2", "--seed", "3"], "--sweep: seed is given twice"),
    (["train", "--sweep", "seed=1,2", "--sweep", "seed=3"], "--sweep: seed is given twice"),
    (["eval", "nowhere"], "no folder nowhere"),
    (["eval", "torn"], "torn has no model.safetensors: the run ended before there was one"),
    (["predict", "torn", "--input", "x.txt"], "--input: x.txt should end in .npy or .csv"),
    (["export", "torn"], "--inference FOLDER or --stablehlo FILE says where to write the network"),
    (["graph", "torn", "--pass", "zzz"], "--pass: unknown pass 'zzz'"),
    (["bench", "torn", "--rounds", "0"], "--rounds: should be a whole number of at least 1"),
    (["generate", "torn", "--prompt", ""], "--prompt: should not be empty"),
    (["train", "--test-fraction", "0.99999"], "dataset.test_fraction: 0.99999 of 1797 examples"),
    (["train", "--config", "none.yaml"], "--config: no file none.yaml"),
    (["train", "--config", "."], "--config: cannot read .: "),
    (["train", "--config", "bad.yaml"], "bad.yaml: epoch: unknown key, did you mean 'epochs'?"),
    (["train", "--config", "broken.yaml"], "broken.yaml: line 2: "),
    (["train", "--config", "flat.yaml", "--optimizer.lr", "1"], "flat.yaml: optimizer: should hol"),
    (["train", "--epochs", "1", "--out", "bad.yaml/x"], "--out: cannot make a folder in bad.yaml"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bad.yaml").write_text("epoch: 3\n")
    (tmp_path / "broken.yaml").write_text("epochs: [1\n")
    (tmp_path / "flat.yaml").write_text("optimizer: adam\n")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "list.yaml").write_text("[1, 2]\n")
    (tmp_path / "twice.yaml").write_text("epochs: 1\nepochs: 2\n")
    (tmp_path / "both.yaml").write_text("epochs: 1\ntraining: {epochs: 2}\n")
    (tmp_path / "secret.yaml").symlink_to("secret.yaml")  # a name that leads to itself
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "config.yaml").write_text("hidden: [4]\ndataset: xor\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1 and err.endswith("\n")
    assert not (folder / "runs").exists()


def test_the_process_exits_with_that_code_and_prints_nothing_else(tmp_path: Path) -> None:
    outcome = run(tmp_path, "train", "--epoch", "3")
    assert outcome.code == 2 and outcome.out == ""
    assert outcome.err == "error: unknown option --epoch. Did you mean --epochs?\n"


def test_a_backend_that_is_not_installed_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asg.compiler import loader

    for name in [name for name in sys.modules if re.match(r"jax\b|asg\.backends\.jax_xla", name)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.setattr(loader, "_loaded", {})
    assert main(["train", "--backend", "jax"]) == 2
    err = capsys.readouterr().err
    assert err == "error: backend 'jax' needs jax: pip install 'asg-compiler[jax]'\n"


def test_a_data_set_whose_library_is_missing_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asg.data import digits

    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    assert main(["train"]) == 2
    assert "pip install 'asg-compiler[data]'" in capsys.readouterr().err


def test_a_data_set_whose_files_are_missing_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--dataset", "mnist", "--dataset.root", "nowhere"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: data set 'mnist' needs train-images-idx3-ubyte, ")
    assert "into nowhere, or say where they are" in err and err.count("\n") == 1
    assert not (folder / "runs").exists()


def test_a_run_that_diverges_exits_1_and_keeps_its_history(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--optimizer.name", "sgd", "--optimizer.lr", "1e30", "--epochs", "3"]
    assert main(["train", *options]) == 1
    captured = capsys.readouterr()
    assert re.fullmatch(r"error: the mean loss of epoch 1 is nan; train with an optim.*\n",
                        captured.err)  # fmt: skip
    files = {path.name for path in (folder / "runs" / "digits-0001").iterdir()}
    assert "config.yaml" in files and "model.safetensors" not in files
    assert "stopped after" in captured.out and "config.yaml" in captured.out


def test_a_disk_that_fills_up_exits_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asg.core.errors import FileError
    from asg.train.run_folder import RunFolder

    def full(*_: object) -> None:
        raise FileError("cannot write history.jsonl: No space left on device")

    monkeypatch.setattr(RunFolder, "append_epoch", full)
    assert main(["train", "--epochs", "2"]) == 1
    assert capsys.readouterr().err == (
        "error: cannot write history.jsonl: No space left on device\n"
    )
