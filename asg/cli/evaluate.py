"""``asg eval``: the loss and the accuracy of a run, on its own backend and on another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asg.cli.parser import Parser, add_backend, known_backend

if TYPE_CHECKING:
    from asg.train.trainer import Training

DONE = 0
DESCRIPTION = "Evaluate the network of a run on its test examples."


def run(arguments: Sequence[str]) -> int:
    """Evaluate as the arguments say; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood, or no run in the folder.
        MissingLibrary: the backend is not installed.
    """
    parser = Parser("asg eval", DESCRIPTION)
    parser.add_argument("run", help="the folder of a run, such as runs/digits-0001")
    add_backend(parser, "evaluate there as well, and compare the predictions")
    given = parser.read(arguments)
    from asg.cli.subject import trained  # not for --help

    first = trained(given.run)
    names = [first.model.backend]
    if given.backend and known_backend(given.backend) not in names:
        names.append(given.backend)
    width = max(map(len, names))
    _tell(first, width)
    if len(names) == 2:
        second = trained(given.run, given.backend)
        _tell(second, width)
        _compare(first, second)
    return DONE


def _tell(training: Training, width: int) -> None:
    found, count = training.test(), len(training.task.test)
    print(
        f"{training.model.backend:<{width}}  test accuracy {found['accuracy']:.4f}   "
        f"loss {found['loss']:.6f}   ({count} examples)"
    )


def _compare(first: Training, second: Training) -> None:
    left, right = (_predictions(each) for each in (first, second))
    difference, differ = np.abs(left - right), left.argmax(-1) != right.argmax(-1)
    print(
        f"largest difference of predictions {difference.max():.3g} "
        f"(largest prediction {np.abs(left).max():.3g}); "
        f"{int(differ.sum())} of {differ.size} classes differ"
    )


def _predictions(training: Training) -> np.ndarray[Any, Any]:
    batches = training.task.test_loader()
    parts = [training.model.predict(batch[training.task.input]) for batch in batches]
    return np.concatenate(parts).astype(np.float64)
