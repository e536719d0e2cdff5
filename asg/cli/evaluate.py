"""``asg eval``: the loss and the metrics of a run, on its own backend and on another."""

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
    found, task = training.test(), training.task
    told = [f"{name} {found[name]:.4f}" for name in task.goal.metrics]
    told += [f"loss {found['loss']:.6f}", f"({len(task.test)} examples)"]
    print(f"{training.model.backend:<{width}}  test {'   '.join(told)}")
    if task.writes_sequences:
        print(f"{'':<{width}}  {_share_without_mistake(training):.1%} answered without a mistake")


def _share_without_mistake(training: Training) -> float:
    """Of the test sequences, when the network goes on with what it wrote itself."""
    from asg.train.sequences import answers

    source, _, target = training.task.test.arrays.values()
    found = answers(training.model, source, training.task.start)
    return float((found == target).all(1).mean())


def _compare(first: Training, second: Training) -> None:
    left, right = (_predictions(each) for each in (first, second))
    told = (
        f"largest difference of predictions {np.abs(left - right).max():.3g} "
        f"(largest prediction {np.abs(left).max():.3g})"
    )
    if first.task.goal.tells_apart:
        differ = left.argmax(-1) != right.argmax(-1)
        told += f"; {int(differ.sum())} of {differ.size} {first.task.goal.noun} differ"
    print(told)


def _predictions(training: Training) -> np.ndarray[Any, Any]:
    model, names = training.model, training.task.inputs
    parts = [
        model.predict(*(batch[name] for name in names)) for batch in training.task.test_loader()
    ]
    return np.concatenate(parts).astype(np.float64)
