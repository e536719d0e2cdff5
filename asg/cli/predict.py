"""``asg predict``: the classes, numbers or sequences that a network gives for a file."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asg.cli.parser import Parser, add_backend, known_backend
from asg.core.errors import ConfigError

if TYPE_CHECKING:
    from asg.train.task import Task
    from asg.train.trainer import Training

DONE = 0
DESCRIPTION = """\
Predict with the network of a run: the classes of examples, with their probabilities; numbers; or
sequences, which are written one symbol after the other."""
KINDS = (".npy", ".csv")

Array = np.ndarray[Any, Any]


def run(arguments: Sequence[str]) -> int:
    """Predict as the arguments say; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood, no run, or a file that does not fit.
        FileError: the output cannot be written.
    """
    parser = Parser("asg predict", DESCRIPTION)
    parser.add_argument("run", help="the folder of a run, such as runs/digits-0001")
    parser.add_argument(
        "--input", required=True, metavar="FILE",
        help=".npy of [examples, ...], or .csv with the numbers of one example in each line",
    )  # fmt: skip
    parser.add_argument(
        "--output", metavar="FILE",
        help=".npy gets the probabilities [examples, classes], the numbers [examples] or the "
        "sequences [examples, length], .csv a line for each example; without it, the lines are "
        "printed",
    )  # fmt: skip
    add_backend(parser, "what runs the network (default: that of the run)")
    given = parser.read(arguments)
    _require_kind("--input", given.input)
    if given.output:
        _require_kind("--output", given.output)
    backend = known_backend(given.backend) if given.backend else ""
    from asg.cli.subject import trained  # not for --help

    training = trained(given.run, backend)
    if training.task.tokenizer is not None:
        raise ConfigError(f"{given.run} is of a language model; use asg generate")
    examples = _fitting(_read(given.input), training, given.input)
    found = _predicted(training, examples)
    _write(found, _lines(found, training.task), given.output)
    return DONE


def _require_kind(option: str, path: str) -> None:
    if Path(path).suffix not in KINDS:
        raise ConfigError(f"{option}: {path} should end in {' or '.join(KINDS)}")


def _read(path: str) -> Array:
    """The numbers of a file; nothing in it is run.

    Raises:
        ConfigError: no such file, or not of numbers.
    """
    if not os.path.isfile(path):
        raise ConfigError(f"--input: no file {path}")
    try:
        if path.endswith(".npy"):
            found = np.load(path, allow_pickle=False)
        else:
            found = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--input: cannot read {path}: {' '.join(str(error).split())}") from None
    if found.dtype.kind not in "fiub":
        raise ConfigError(f"--input: {path} holds {found.dtype}, numbers are needed")
    return np.asarray(found)


def _fitting(examples: Array, training: Training, path: str) -> Array:
    """Laid out for the network, as float32.

    Raises:
        ConfigError: another number of numbers for each example, or no example.
    """
    shape = training.task.raw_shape
    found = prod(examples.shape[1:])
    if examples.ndim < 2 or found != prod(shape):
        raise ConfigError(
            f"--input: {path} is {list(examples.shape)}; the network takes [examples, "
            f"{', '.join(map(str, shape))}]"
        )
    if not len(examples):
        raise ConfigError(f"--input: {path} has no example")
    if not training.task.writes_sequences:
        return training.task.fitting(examples)
    symbols = training.task.example.outputs
    if (examples % 1 != 0).any() or examples.min() < 0 or examples.max() >= symbols:
        raise ConfigError(f"--input: {path} should hold whole numbers of 0...{symbols - 1}")
    return examples.astype(np.int32)


def _predicted(training: Training, examples: Array) -> Array:
    """Sequences [n, length], probabilities [n, classes], or numbers [n]."""
    if training.task.writes_sequences:
        from asg.train.sequences import answers

        return answers(training.model, examples, training.task.start)
    found = np.asarray(training.model.predict(examples))
    return _probabilities(found) if training.task.goal.tells_apart else found


def _probabilities(scores: Array) -> Array:
    shifted = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True), np.float32)


def _write(found: Array, lines: str, output: str | None) -> None:
    if not output:
        sys.stdout.write(lines)
        return
    from asg.io import write_bytes, write_text  # not for --help

    if output.endswith(".npy"):
        content = io.BytesIO()
        np.save(content, found, allow_pickle=False)
        write_bytes(output, content.getvalue())
    else:
        write_text(output, lines)
    print(f"wrote {output}: {len(found)} examples")


def _lines(found: Array, task: Task) -> str:
    """CSV with a head."""
    head: tuple[str, ...] = ("example", "class", "probability")
    rows: list[tuple[object, ...]]
    if task.writes_sequences:
        head, rows = ("example", "sequence"), [(" ".join(map(str, row)),) for row in found]
    elif task.goal.tells_apart:
        rows = [(chosen, f"{row[chosen]:.6f}") for row in found for chosen in [int(row.argmax())]]
    else:
        head, rows = ("example", "number"), [(f"{number:.6g}",) for number in found]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows((number, *row) for number, row in enumerate(rows))
    return text.getvalue()
