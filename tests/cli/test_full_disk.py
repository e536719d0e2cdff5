"""Commands that cannot write: one line on stderr and an exit code, no traceback, no torn file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from asg.cli.main import main
from tests.cli.command_line import environment
from tests.full_disk import REASONS, REFUSALS, full_disk
from tests.io.torch_archive import saved

TINY = ["train", "--dataset", "xor", "--dataset.count", "60", "--hidden", "4", "--epochs", "2"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(TINY) == 0
        np.save("x.npy", np.zeros((9, 2), np.float32))
        saved(folder / "w.pt", {"w": np.ones(9, np.float32)})
    yield folder


RUN = "runs/xor-0001"
WRITING = {
    "predict to .csv": ["predict", RUN, "--input", "x.npy", "--output", "p.csv"],
    "predict to .npy": ["predict", RUN, "--input", "x.npy", "--output", "p.npy"],
    "export": ["export", RUN, "--inference", "network"],
    "convert": ["convert", "w.pt", "w.safetensors"],
    "graph": ["graph", RUN, "--output", "g.dot", "--format", "dot"],
}


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("command", WRITING)
def test_one_line_and_exit_code_1(
    command: str, refusal: str, home: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(home)
    before = names(home)
    with full_disk(refusal):
        assert main(WRITING[command]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: cannot write ") and captured.err.count("\n") == 1
    assert any(reason in captured.err for reason in REASONS)
    assert "wrote" not in captured.out and names(home) == before


def test_a_run_that_cannot_begin_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with full_disk("write"):
        assert main(TINY) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: --out: cannot write ") and err.count("\n") == 1
    assert names(tmp_path) <= {"runs"}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_run_tells_all_that_it_could_not_write_in_one_line(
    refusal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Room for the configuration, and none from the first epoch on."""
    from asg.train.run_folder import RunFolder

    write_config = RunFolder.write_config
    disks = []

    def then_full(self: RunFolder, config: object) -> None:
        write_config(self, config)  # type: ignore[arg-type]
        disks.append(full_disk(refusal))
        disks[0].__enter__()

    monkeypatch.setattr(RunFolder, "write_config", then_full)
    monkeypatch.chdir(tmp_path)
    try:
        code = main(TINY)
    finally:
        disks[0].__exit__(None, None, None)
    assert code == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: cannot write ") and captured.err.count("\n") == 1
    assert all(name in captured.err for name in ("model.safetensors", "curves.svg"))
    assert "config.yaml" in captured.out.splitlines()[-1] and "again" not in captured.out
    assert not [name for name in names(tmp_path) if Path(name).name.startswith(".")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize(
    ("command", "buffered"),
    [(["--help"], True), (["train", "--help"], True), (["eval", "--help"], False)],
)
def test_output_that_goes_nowhere(command: list[str], buffered: bool, tmp_path: Path) -> None:
    variables = {} if buffered else {"PYTHONUNBUFFERED": "1"}
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(
            [sys.executable, "-m", "asg", *command], stdout=full, stderr=subprocess.PIPE,
            text=True, cwd=tmp_path, env=environment(variables), check=False, timeout=300,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: cannot write the output: No space left on device\n"
