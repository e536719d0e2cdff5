"""`asg train` from the first line to the last file."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asg.cli.main import COMMANDS, main
from asg.cli.option_table import TABLE
from asg.cli.options import parse_options
from asg.cli.settings import table
from asg.io import load_arrays
from asg.train.config import configured
from asg.train.config_file import read_values
from tests.cli.command_line import environment, run

FILES = [
    "checkpoints", "config.yaml", "curves.svg", "history.jsonl", "model.safetensors", "step.svg",
]  # fmt: skip
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def test_a_run_prints_plain_lines_and_writes_its_files(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("epochs: 9\nbatch_size: 100\n")
    options = ["--config", "config.yaml", "--epochs=2", "--optimizer.lr", "1e-2", "--hidden", "32"]
    outcome = run(tmp_path, "train", *options)
    assert (outcome.code, outcome.err) == (0, "")
    assert not CONTROL.search(outcome.out)
    shapes = [
        r"asg \d+\.\d+\.\d+ \| backend numpy \(\d+ threads?\) \| config config\.yaml \+ 3 options "
        r"\(hidden=32, epochs=2, optimizer\.lr=1e-2\)",
        r"data    digits: 1437 train / 360 test, 64 features, 10 classes \(bundled, no download\)",
        r"model   64-32-10, 2,410 parameters; adam, learning rate 0\.01",
        r"graph   forward \d+ ops -> with gradient \d+ -> with update \d+ -> optimised \d+ "
        r"\([+-]\d+ %\)   memory of a step \d+ kB, without reuse \d+ kB",
        r"epoch 1/2  loss \d\.\d{4}  acc 0\.\d{4}  test_loss \d\.\d{4}  test_acc 0\.\d{4}  "
        r"\d+\.\dk samples/s",
        r"epoch 2/2  .*",
        r"done in \d+\.\d s   test accuracy 0\.\d{4} \(best 0\.\d{4} in epoch [12]\)",
        rf"wrote   runs/digits-0001/\{{{', '.join(FILES)}\}}",
        r"again   .*-m asg train --config runs/digits-0001/config\.yaml",
    ]
    lines = outcome.out.splitlines()
    assert len(lines) == len(shapes), outcome.out
    for line, shape in zip(lines, shapes, strict=True):
        assert re.fullmatch(shape, line), line
    made = tmp_path / "runs" / "digits-0001"
    assert sorted(path.name for path in made.iterdir()) == FILES
    config = configured(read_values(made / "config.yaml"))
    assert (config.training.epochs, config.training.batch_size) == (2, 100)
    assert config.optimizer.model_dump()["lr"] == 0.01
    assert load_arrays(made / "model.safetensors")["fc1.weight"].shape == (32, 64)


def test_the_written_configuration_repeats_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--epochs", "2", "--seed", "7", "--optimizer.name", "sgd"]) == 0
    assert main(["train", "--config", "runs/digits-0001/config.yaml"]) == 0
    first, second = (Path(f"runs/digits-000{number}") for number in (1, 2))
    weights, again = (load_arrays(folder / "model.safetensors") for folder in (first, second))
    assert all(weights[name].tobytes() == array.tobytes() for name, array in again.items())
    assert (first / "config.yaml").read_text() == (second / "config.yaml").read_text()


def test_the_history_agrees_with_the_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--epochs", "3", "--out", "else where"]) == 0
    shown = re.findall(r"loss (\S+)  acc (\S+)  test_loss (\S+)  test_acc (\S+)",
                       capsys.readouterr().out)  # fmt: skip
    lines = Path("else where/digits-0001/history.jsonl").read_text().splitlines()
    keys = ("loss", "accuracy", "test_loss", "test_accuracy")
    stored = [tuple(f"{json.loads(line)[key]:.4f}" for key in keys) for line in lines]
    assert stored == shown and len(stored) == 3


def test_jax_trains_from_the_command_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("jax")
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--epochs", "1", "--backend", "jax", "--hidden"]) == 0
    out = capsys.readouterr().out
    assert "backend jax" in out and "model   64-10, 650 parameters" in out


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_saves_a_checkpoint_and_the_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    options = ["--hidden", "16", "--lr-schedule.warmup-epochs", "2", "--training.clip-norm", "5"]
    process = subprocess.Popen(
        [sys.executable, "-m", "asg", "train", "--epochs", "100000", *options], cwd=tmp_path,
        env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch      3/"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(r"interrupted in epoch \d+\n", err)
    assert re.search(r"^stopped after \d+ epochs and \d+\.\d s   test accuracy", out, re.M)
    assert re.search(r"^go on   .*-m asg train --resume runs/digits-0001$", out, re.M)
    folder = tmp_path / "runs" / "digits-0001"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert set(load_arrays(folder / "model.safetensors")) >= {"fc1.weight", "fc2.bias"}
    done = len((folder / "history.jsonl").read_text().splitlines())
    goal = str(done + 2)
    resumed = run(tmp_path, "train", "--resume", "runs/digits-0001", "--epochs", goal)
    assert (resumed.code, resumed.err) == (0, "")
    assert f"epoch {done + 1}/{goal}  loss" in resumed.out
    assert f"epoch {done}/{goal}" not in resumed.out
    whole = run(tmp_path, "train", "--epochs", goal, *options)
    assert whole.code == 0
    first, second = folder, tmp_path / "runs" / "digits-0002"
    weights, again = (load_arrays(each / "model.safetensors") for each in (first, second))
    assert weights.keys() == again.keys()
    assert all(weights[name].tobytes() == array.tobytes() for name, array in again.items())
    assert timeless(first) == timeless(second) and len(timeless(first)) == done + 2
    assert (first / "config.yaml").read_text() == (second / "config.yaml").read_text()


def timeless(folder: Path) -> list[dict[str, float]]:
    """The history without what depends on the clock."""
    lines = map(json.loads, (folder / "history.jsonl").read_text().splitlines())
    clock = ("seconds", "samples_per_second")
    return [{key: line[key] for key in line if key not in clock} for line in lines]


def test_a_finished_run_goes_on_when_more_epochs_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--epochs", "2"]) == 0
    with open("runs/digits-0001/history.jsonl", "a") as file:  # of a crash after the checkpoint
        file.write('{"epoch": 3, "loss": 0.1')
    assert main(["train", "--resume", "runs/digits-0001", "--training.epochs=3"]) == 0
    assert main(["train", "--resume", "runs/digits-0001"]) == 2
    assert "runs/digits-0001 has all 3 epochs; --epochs N asks for more" in capsys.readouterr().err
    assert [line["epoch"] for line in timeless(Path("runs/digits-0001"))] == [1, 2, 3]


def test_early_stopping_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--early-stopping", "1", "--optimizer.lr", "1e-12"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^early   test_loss has not improved for 1 epochs \(best ", out, re.M)


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("no_color", [False, True])
def test_on_a_terminal_a_bar_moves_and_lines_stay(no_color: bool, tmp_path: Path) -> None:
    variables = {"TERM": "xterm-256color"} | ({"NO_COLOR": "1"} if no_color else {})
    out = on_terminal(tmp_path, ["train", "--epochs", "3"], variables)
    assert "\x1b[2K" in out and "eta" in out  # a line is redrawn
    assert len(re.findall(r"epoch [123]/3  loss", out)) == 3
    coloured = re.search(r"\x1b\[[0-9;]*3[0-9]", out) is not None
    assert coloured is not no_color


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("variables", [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_help_has_no_control_codes_where_they_are_not_wanted(
    variables: dict[str, str], tmp_path: Path
) -> None:
    assert "\x1b" not in on_terminal(tmp_path, ["train", "--help"], variables)


def on_terminal(folder: Path, arguments: list[str], variables: dict[str, str]) -> str:
    import pty

    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "asg", *arguments], cwd=folder, env=environment(variables),
        stdout=writer, stderr=writer, stdin=writer,
    )  # fmt: skip
    os.close(writer)
    parts: list[bytes] = []
    try:
        while part := os.read(reader, 4096):
            parts.append(part)
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(reader)
    assert process.wait(timeout=60) == 0
    return b"".join(parts).decode("utf-8")


def test_without_a_layout_program_the_run_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asg.core.errors import MissingLibrary
    from asg.train.run_folder import RunFolder

    def missing(*_: object) -> None:
        raise MissingLibrary("no dot found")

    monkeypatch.setattr(RunFolder, "write_step", missing)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--epochs", "1"]) == 0
    out = capsys.readouterr().out
    assert "step.svg is not drawn: no dot found" in out
    assert "{checkpoints, config.yaml, curves.svg, history.jsonl, model.safetensors}" in out


def test_the_report_of_a_reader_that_leaves_is_no_traceback(tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m asg train --epochs 3 | head -1"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=environment({}), capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert done.stdout.startswith("asg ") and done.stderr == ""


@pytest.mark.parametrize(("arguments", "seconds"), [((), 0.15), (("train",), 0.3)])
def test_help_is_quick(arguments: tuple[str, ...], seconds: float, tmp_path: Path) -> None:
    """0.3 s in all is what people get; here in time of the processor, the best of several."""
    variables = {"PYTHONPYCACHEPREFIX": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": ""}
    code = (
        "import atexit, sys, time\n"
        "atexit.register(lambda: print(time.process_time(), *sys.modules))\n"
        "from asg.cli.main import main; main()"
    )
    measured = []
    for _ in range(5):  # the first fills the cache of compiled files
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments, "--help"], env=environment(variables),
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        first, *_, last = done.stdout.splitlines()
        total, *modules = last.split()
        measured.append(float(total))
    assert first.startswith("usage: asg")
    assert not {"numpy", "jax", "sklearn", "scipy", "pydantic", "yaml"} & set(modules)
    assert min(measured) < seconds


def test_the_help_of_every_command_is_its_own_and_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from asg.cli.main import COMMANDS, main\n"
        "for name in sorted(COMMANDS, key=lambda name: name == 'train'):\n"  # which needs tyro
        "    try: code = main([name, '--help'])\n"
        "    except SystemExit as stop: code = stop.code\n"
        "    heavy = {'jax', 'sklearn', 'scipy', 'torch', 'matplotlib'} & set(sys.modules)\n"
        "    heavy |= {'asg.nn', 'asg.train', 'asg.data'} & set(sys.modules)\n"
        "    heavy |= {'pydantic', 'yaml', 'rich', 'typeguard'} & set(sys.modules)\n"
        "    if name != 'train': heavy |= {'tyro'} & set(sys.modules)\n"
        "    print('checked', name, code, heavy or None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment({}), cwd=tmp_path, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    checked = [line for line in done.stdout.splitlines() if line.startswith("checked")]
    expected = [f"checked {name} 0 None" for name in COMMANDS]
    assert sorted(checked) == sorted(expected)
    assert all(f"usage: asg {name}" in done.stdout for name in COMMANDS)


def test_the_table_of_options_is_that_of_the_configuration() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(), (
        "asg/cli/settings.json is stale: python -m asg.cli.settings asg/cli/settings.json"
    )


def test_several_values_and_options_that_are_repeated() -> None:
    words = ["--hidden", "3", "4", "--sweep", "seed=1", "--epochs=2", "--sweep", "lr=1,2"]
    given = parse_options(words, "asg train", "")
    assert given.settings == {"model.hidden": ("3", "4"), "training.epochs": "2"}
    assert given.labels == {"model.hidden": "--hidden", "training.epochs": "--epochs"}
    assert given.sweep == ("seed=1", "lr=1,2")
    assert parse_options(["--hidden"], "asg train", "").settings == {"model.hidden": ()}


def test_the_help_of_train_names_every_option_with_its_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stop:
        main(["train", "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    names = ("--config FILE", "--resume RUN", "--sweep KEY=A,B,...", "--epochs N", "--out TEXT",
             "--optimizer.name NAME", "--model.conv-filters [N ...]")  # fmt: skip
    assert all(name in out for name in names)
    assert "(default: 0.003)" in out and "not given" not in out
