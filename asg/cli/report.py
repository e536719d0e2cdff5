"""What `asg train` shows: a few lines about the run, a line per epoch, the results.

On a terminal a bar with the remaining time stands below the lines; elsewhere there are only plain
lines, without control codes.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import asg
from asg.train.config import TrainConfig
from asg.train.epoch import Epoch, best_epoch, judging
from asg.train.networks import FLAT
from asg.train.summary import StepMemory, op_counts, parameter_count, step_memory
from asg.train.trainer import Training

Print = Callable[[str], None]
REDRAW_SECONDS = 0.1


def say(line: str) -> None:
    """One line, at once: the output may be a pipe that somebody watches."""
    print(line, flush=True)


def title_lines(config: TrainConfig, origin: str, options: Mapping[str, Any]) -> list[str]:
    """What runs, and where its settings came from: a file or "defaults", and options."""
    if options:
        listed = ", ".join(f"{key}={shown(value)}" for key, value in options.items())
        origin += f" + {counted(len(options), 'option')} ({listed})"
    return [f"asg {asg.__version__} | backend {backend_text(config.backend)} | config {origin}"]


def shown(value: Any) -> str:
    """A value of the command line."""
    return " ".join(value) if isinstance(value, tuple) else str(value)


def backend_text(name: str) -> str:
    """A backend, with the threads it has."""
    if name != "numpy":
        return name
    from threadpoolctl import threadpool_info

    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return f"numpy ({counted(max(pools), 'thread')})" if pools else name


def summary_lines(training: Training) -> list[str]:
    """The data, the model and the graph."""
    task = training.task
    train, test, shape = task.train, task.test, task.example.shape
    noun = "features" if task.layout == FLAT else task.goal.noun
    each = f"{shape[0]} {noun}" if len(shape) == 1 else " x ".join(map(str, shape))
    return [
        f"data    {train.name}: {len(train)} train / {len(test)} test, {each}, "
        f"{task.example.outputs} {task.goal.noun} ({train.source})",
        f"model   {_network(training)}, {parameter_count(training):,} parameters; "
        f"{_rule(training)}",
        _graph_line(training),
    ]


def _network(training: Training) -> str:
    """``64-32-10``, or the name of the architecture."""
    values, example = training.config.model.model_dump(), training.task.example
    if "hidden" not in values:
        return str(values["kind"])
    return "-".join(map(str, (*example.shape, *values["hidden"], example.outputs)))


def _rule(training: Training) -> str:
    rule, schedule = (
        section.model_dump() for section in (training.config.optimizer, training.config.lr_schedule)
    )
    text = f"{rule['name']}, learning rate {rule['lr']:g}"
    return text if schedule["name"] == "constant" else f"{text}, {schedule['name']}"


def _graph_line(training: Training) -> str:
    counts = op_counts(training.graph, training.model.training.executable.optimized)
    change = round(100 * (counts.optimised - counts.step) / counts.step)
    memory = step_memory(training.program)
    return (
        f"graph   forward {counts.forward} ops -> with gradient {counts.gradient} "
        f"-> with update {counts.step} -> optimised {counts.optimised} ({change:+d} %)"
        + (f"   {_memory(memory)}" if memory else "")
    )


def _memory(memory: StepMemory) -> str:
    text = f"memory of a step {memory.planned / 1000:.0f} kB"
    if memory.separate is None:
        return text
    return f"{text}, without reuse {memory.separate / 1000:.0f} kB"


def epoch_line(epoch: Epoch, epochs: int) -> str:
    """``epoch  3/30  loss 0.752  acc 0.879  test_loss 0.602  test_acc 0.892  65k samples/s``."""
    number = f"{epoch.epoch:>{len(str(epochs))}}/{epochs}"
    results = [f"{_abbreviated(name)} {value:.4f}" for name, value in epoch.train.items()]
    results += [f"test_{_abbreviated(name)} {value:.4f}" for name, value in epoch.test.items()]
    rate = f"{epoch.samples_per_second / 1000:.1f}k samples/s"
    return "  ".join([f"epoch {number}", *results, rate])


def _abbreviated(name: str) -> str:
    return "acc" if name == "accuracy" else name


def result_lines(history: list[Epoch], epochs: int, seconds: float, why: str) -> list[str]:
    """How long it took, how good it got, and why it ended early, if it did."""
    if not history:
        return [f"stopped after {seconds:.1f} s, before the end of the first epoch"]
    name = judging(history)
    best = best_epoch(history, name)
    last = len(history)
    how = "done in" if last == epochs else f"stopped after {counted(last, 'epoch')} and"
    return [
        *([f"early   {why.replace('val_loss', 'test_loss')}"] if why else []),
        f"{how} {seconds:.1f} s   test {name} {history[-1].test[name]:.4f} "
        f"(best {best.test[name]:.4f} in epoch {best.epoch})",
    ]


def files_line(folder: Path, names: list[str]) -> str:
    """``wrote   runs/digits-0001/{config.yaml, history.jsonl}``."""
    return f"wrote   {folder}{os.sep}{{{', '.join(names)}}}"


def again_line(config_file: Path) -> str:
    """The command that repeats the run."""
    return f"again   {_program()} train --config {shlex.quote(str(config_file))}"


def onward_line(folder: Path) -> str:
    """The command that goes on with a run that was interrupted."""
    return f"go on   {_program()} train --resume {shlex.quote(str(folder))}"


def _program() -> str:
    """How the user started asg: ``asg``, or ``.venv/bin/python -m asg``."""
    if os.path.basename(sys.argv[0]) != "__main__.py":
        return "asg"
    python = os.path.relpath(sys.executable)
    return f"{shlex.quote(python) if not python.startswith('..') else 'python'} -m asg"


def counted(number: int, noun: str) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


@contextmanager
def progress(epochs: int, batches: int) -> Iterator[tuple[Print, Callable[[int, int], None]]]:
    """Gives two functions: one prints a line, the other is told (epoch, batch) of each step."""
    if not (sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"):
        yield say, lambda epoch, batch: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("", total=epochs * batches, epoch=1, epochs=epochs)
        shown = monotonic()

        def advance(epoch: int, batch: int) -> None:
            nonlocal shown
            if monotonic() - shown >= REDRAW_SECONDS:  # a step may take less than telling of it
                shown = monotonic()
                bar.update(task, completed=(epoch - 1) * batches + batch, epoch=epoch)

        yield (
            lambda line: bar.console.print(line, markup=False, highlight=False, soft_wrap=True),
            advance,
        )
