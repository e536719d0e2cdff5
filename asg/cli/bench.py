"""``asg bench``: how long a training step of a configuration takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from asg.cli.parser import Parser, known_backend
from asg.config import configure
from asg.core.errors import ConfigError, OperandError
from asg.core.table import aligned

if TYPE_CHECKING:
    from asg.compiler.profile import Profile
    from asg.train.trainer import Training

DONE = 0
BATCHES = 4  # that the step is fed with in turn
DESCRIPTION = """\
Time the training step of a run or of a configuration: batches of its own data, the loss waited for
at the end of each round, the median over the rounds. Backends take turns."""


def run(arguments: Sequence[str]) -> int:
    """Time as the arguments say; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood, or neither run nor configuration.
        MissingLibrary: a backend is not installed.
    """
    parser = Parser("asg bench", DESCRIPTION)
    parser.add_argument("subject", metavar="RUN|CONFIG", help="folder of a run, or a YAML file")
    parser.add_argument(
        "--backend", metavar="A,B", help="one or several (default: that of the configuration)"
    )
    parser.add_argument("--rounds", default="7", metavar="N", help="default: 7")
    parser.add_argument("--steps", default="20", metavar="N", help="of a round; default: 20")
    parser.add_argument("--without", metavar="A,B", help="passes and rules that are left out")
    parser.add_argument(
        "--profile", action="store_true", help="also the time of every op, beside its planned work"
    )
    given = parser.read(arguments)
    rounds, steps = _count("--rounds", given.rounds), _count("--steps", given.steps)
    from asg.cli.subject import config_of  # not for --help
    from asg.train.trainer import Training

    config, _ = config_of(given.subject)
    names = [known_backend(n) for n in (given.backend or config.backend).split(",")]
    if len(set(names)) < len(names):
        raise ConfigError(f"--backend: {given.backend} names a backend twice")
    with configure(without=tuple(given.without.split(",")) if given.without else ()):
        timed = [Timed(Training(config, name)) for name in names]
    for number in range(rounds):
        for each in timed[:: 1 if number % 2 == 0 else -1]:
            each.run(steps)
    _tell(timed, rounds, steps)
    if given.profile:
        for each in timed:
            print(f"\n{each.profile(steps)}")
    return DONE


def _count(option: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{option}: should be a whole number of at least 1, got {text!r}")
    return int(text)


@dataclass
class Timed:
    """A training step with batches to feed it, and what its rounds took.

    Attributes:
        training: the step is of this.
        seconds: of a step, one number per round.
    """

    training: Training
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Compile, and take a first step, which is not timed."""
        self.training.compile()
        batches = list(islice(self.training.batches, BATCHES))
        arrays = [list(batch.values()) for batch in batches]
        self.size = max(len(each[0]) for each in arrays)
        self._batches = [each for each in arrays if len(each[0]) == self.size]
        self._step(0)

    def _step(self, number: int) -> Any:
        return self.training.model.training(*self._batches[number % len(self._batches)])["loss"]

    def run(self, steps: int) -> None:
        """One round."""
        start = perf_counter()
        for number in range(steps):
            loss = self._step(number)
        float(np.asarray(loss))  # waits
        self.seconds.append((perf_counter() - start) / steps)

    def profile(self, steps: int) -> Profile:
        """Of some steps with the first batch; the state stays as it is.

        Raises:
            ConfigError: the backend cannot time ops.
        """
        try:
            return self.training.model.training.profile(steps, *self._batches[0])
        except OperandError as error:
            raise ConfigError(f"--profile: {error}") from None


def _tell(timed: Sequence[Timed], rounds: int, steps: int) -> None:
    from asg.cli.report import backend_text
    from asg.train.summary import parameter_count, step_memory

    first = timed[0]
    print(
        f"step of {parameter_count(first.training):,} parameters, batch {first.size}, "
        f"{rounds} rounds of {steps} steps"
    )
    rows = [["backend", "ms/step", "steps/s", "samples/s", "memory of a step", "without reuse"]]
    for each in timed:
        seconds = median(each.seconds)
        memory = step_memory(each.training.program)
        sizes = (memory.planned, memory.separate) if memory else (None, None)
        rows.append([
            backend_text(each.training.model.backend), f"{1e3 * seconds:.3f}",
            f"{1 / seconds:.0f}", f"{each.size / seconds:.0f}",
            *("?" if size is None else f"{size / 1000:.0f} kB" for size in sizes),
        ])  # fmt: skip
    for line in aligned(rows):
        print(line)
