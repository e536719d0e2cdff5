"""Trainings that are killed and resumed: run as ``python -m tests.train.killed_trainings``.

Every training is a forked child of a process that has nothing but asg loaded, so that a kill takes
milliseconds to set up. What is found is printed as one JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import asg
from asg import nn, optim
from asg.io import read_checkpoint, save_arrays
from asg.io.atomic import remove_temporary_files
from asg.io.checkpoint import CheckpointFolder
from asg.train import Callback, Fit
from asg.train.callbacks import CsvLogger, JsonlLogger, SaveCheckpoints

EVERY, KEEP = 5, 3  # steps between checkpoints, and how many stay
EXAMPLES, BATCH = 40, 10


class Ticking(Callback):
    """Tells of every step, so that a kill can come anywhere however busy the machine is."""

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks

    def on_step_end(self, fit: Fit, results: Any) -> None:
        os.write(self._ticks, b".")


class Announced(SaveCheckpoints):
    """Tells of every checkpoint that it has been written, so that one can be missed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "checkpoints", None, EVERY, keep=KEEP)
        self._told = os.open(folder / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def save(self, fit: Fit) -> None:
        super().save(fit)
        os.write(self._told, f"{fit.step}\n".encode())


def train(folder: Path, steps: int, ticks: int | None = None) -> None:
    """So many steps, from the last checkpoint if there is one."""
    net = nn.Sequential(
        fc1=nn.Linear(3, 8), norm=nn.BatchNorm1d(8), act=nn.Tanh(), drop=nn.Dropout(0.3),
        fc2=nn.Linear(8, 3),
    )  # fmt: skip
    random = np.random.default_rng(0)
    x = random.normal(size=(EXAMPLES, 3)).astype(np.float32)
    y = (x.sum(1) > 0).astype(np.int32) + (x[:, 0] > 1)
    model = asg.Model(net, "cross_entropy", optim.adam(0.02), ["accuracy"], seed=3)
    others: list[Callback] = [] if ticks is None else [Ticking(ticks)]
    others += [CsvLogger(folder / "log.csv"), JsonlLogger(folder / "log.jsonl")]
    resume = folder / "checkpoints" if CheckpointFolder(folder / "checkpoints").all() else None
    epochs = steps * BATCH // EXAMPLES
    model.fit((x, y), epochs, BATCH, validation_data=(x, y), callbacks=[Announced(folder), *others],
              resume=resume)  # fmt: skip
    remove_temporary_files(folder / "final.safetensors")  # of one that was killed while it wrote
    save_arrays(folder / "final.safetensors", model.state_dict())


def forked(work: Callable[[], None]) -> int:
    """The id of a process that does the work; it leaves with 1 when the work raises."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def finished(folder: Path, steps: int) -> float:
    """Train to the end; the seconds that took."""
    start = time.perf_counter()
    _, status = os.waitpid(forked(lambda: train(folder, steps)), 0)
    if status:
        raise SystemExit(f"the training in {folder} failed with status {status}")
    return time.perf_counter() - start


def killed(folder: Path, steps: int, before: int, seconds: float) -> bool:
    """Train, and kill -9 so long after so many steps; whether that came before the end."""
    ticks, told = os.pipe()
    child = forked(lambda: train(folder, steps, told))
    os.close(told)
    with os.fdopen(ticks, "rb") as stream:
        stream.read(before)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def steps_told(folder: Path) -> list[int]:
    """The steps of the checkpoints that were announced, as far as the line is whole."""
    lines = (folder / "told").read_text().splitlines() if (folder / "told").exists() else []
    return [int(line) for line in lines]


def checked(folder: Path) -> dict[str, Any]:
    """What a kill left: the step of the newest checkpoint, and those that are lost or torn."""
    paths = CheckpointFolder(folder / "checkpoints").all()
    steps = [read_checkpoint(path).step for path in paths]  # raises when one is torn
    told = steps_told(folder)
    lost = [step for step in told[-KEEP + 1 :] if step not in steps]  # one may be on its way out
    return {"newest": max(steps, default=0), "lost": lost}


def files_of(folder: Path) -> dict[str, bytes]:
    """What must not depend on kills: the final arrays and the logs."""
    return {name: (folder / name).read_bytes()
            for name in ("final.safetensors", "log.csv", "log.jsonl")}  # fmt: skip


def hidden(folder: Path) -> list[str]:
    """Temporary files and folders."""
    return [path.name for path in folder.rglob(".*")]


def main(parent: Path, steps: int, moments: int) -> dict[str, Any]:
    """Train without a kill, then kill at random moments of that time, and resume each."""
    whole = parent / "whole"
    whole.mkdir()
    duration = finished(whole, steps)
    random = np.random.default_rng(moments)
    report: list[dict[str, Any]] = []
    while len(report) < moments:
        folder = parent / f"killed-{len(report)}-{random.integers(1 << 32):08x}"
        folder.mkdir()
        before, seconds = int(random.integers(steps)), random.uniform(0.0, 2 * duration / steps)
        if not killed(folder, steps, before, float(seconds)):
            continue  # it had come to its end
        leftovers, found = hidden(folder), checked(folder)
        finished(folder, steps)
        differ = [name for name, held in files_of(whole).items() if files_of(folder)[name] != held]
        report.append({**found, "differ": differ, "leftovers": leftovers, "rest": hidden(folder)})
    return {"seconds": duration, "kills": report}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))))
