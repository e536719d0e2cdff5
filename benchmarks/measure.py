"""Let the peers of a workload take turns, each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from compileall import compile_dir
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import ceil, isclose
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any

from benchmarks.workloads import workload

ROOT = Path(__file__).parent.parent
LOSSES = 5
REFERENCES = ("torch", "jax")
KEEPING = ("asg_numpy", "asg_jax", "torch_compile")
"""Peers that leave on disk, without being asked, what makes the next build shorter."""


class BenchmarkError(Exception):
    """A measurement that would mean nothing, or a peer that fails."""


@dataclass(frozen=True)
class Settings:
    """How long to measure.

    Attributes:
        rounds: turns of every peer.
        seconds: of a turn, about.
        pause: seconds between turns, in which the threads of the peer before fall asleep.
        scale: "full" or "tiny".
        clock: "elapsed", or "cpu": the processor's time of the whole process, which other
            processes change less.
        cores: that each peer may use; 0: all.
    """

    rounds: int = 10
    seconds: float = 0.3
    pause: float = 0.1
    scale: str = "full"
    clock: str = "elapsed"
    cores: int = 0


@dataclass
class Result:
    """What was measured of one peer.

    Attributes:
        build_seconds: making the step and running it once, without imports.
        import_seconds: importing its library.
        peak_mb: the most memory of the process.
        imported_mb: the part of it that was there before anything was built.
        again_seconds: as ``build_seconds``, in a process that comes after another and finds what
            that has left on disk; None of peers that leave nothing.
        losses: the first ones.
        samples: seconds a step, for each round.
    """

    build_seconds: float
    import_seconds: float
    losses: list[float] = field(default_factory=list)
    samples: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    imported_mb: float = 0.0
    again_seconds: float | None = None

    @property
    def seconds(self) -> float:
        """The median over all rounds."""
        return median(self.samples)

    def ratio(self, other: Result) -> float:
        """How many times as long as another peer: the median of the ratios within each round."""
        pairs = zip(self.samples, other.samples, strict=True)
        return median(own / others for own, others in pairs)


class WorkerProcess:
    """The other end of `benchmarks.worker`."""

    def __init__(
        self, peer: str, name: str, settings: Settings, cache: str, kept: str = "off"
    ) -> None:
        """Start it; asg keeps what it compiles in the folder ``kept``."""
        self._peer, self._name = peer, name
        arguments = [peer, name, settings.scale, settings.clock, str(settings.cores)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=ROOT,
            env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache, "ASG_COMPILE_CACHE": kept},
        )  # fmt: skip

    def ask(self, command: str) -> Any:
        """The answer to a command.

        Raises:
            BenchmarkError: the process ended; what it said is above.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(command + "\n")
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise BenchmarkError(f"{self._peer} failed at {command!r} of {self._name}")
        return json.loads(answer)

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def measure(name: str, peers: Sequence[str], settings: Settings) -> dict[str, Result]:
    """Results by peer, all of equal work.

    Raises:
        BenchmarkError: two peers compute different losses, or one fails.
    """
    compile_sources()
    with ExitStack() as stack:
        cache = stack.enter_context(TemporaryDirectory(prefix="benchmarks-"))
        workers: dict[str, WorkerProcess] = {}
        results: dict[str, Result] = {}
        for peer in peers:
            process = WorkerProcess(peer, name, settings, f"{cache}/{peer}")
            workers[peer] = stack.enter_context(process)
            results[peer] = Result(**workers[peer].ask("build"))
            if peer in KEEPING:
                results[peer].again_seconds = _built_again(peer, name, settings, f"{cache}/kept")
            results[peer].losses = workers[peer].ask(f"losses {LOSSES}")
        check_losses(name, {peer: result.losses for peer, result in results.items()})
        _take_turns(workers, results, settings)
        for peer, worker in workers.items():
            memory = worker.ask("memory")
            results[peer].peak_mb, results[peer].imported_mb = memory.values()
        return results


def _built_again(peer: str, name: str, settings: Settings, cache: str) -> float:
    """Seconds of a build after another in the same folder."""
    seconds = 0.0
    for _ in range(2):
        with WorkerProcess(peer, name, settings, f"{cache}/{peer}", f"{cache}/{peer}") as process:
            seconds = process.ask("build")["build_seconds"]
    return seconds


def compile_sources() -> None:
    """Python's bytecode of asg, as every installed package has it.

    Where Python is told to write none, each process would compile what it loads on demand.
    """
    for folder in ("asg", "backends", "benchmarks"):
        compile_dir(ROOT / folder, quiet=2)


def check_losses(name: str, losses: Mapping[str, Sequence[float]]) -> None:
    """Equal work first: the losses of all peers agree.

    Raises:
        BenchmarkError: they do not; names both peers.
    """
    tolerance = workload(name).tolerance
    (first, reference), *others = losses.items()
    for peer, found in others:
        if not all(isclose(a, b, rel_tol=tolerance) for a, b in zip(found, reference, strict=True)):
            raise BenchmarkError(
                f"{peer} and {first} compute different losses of {name}: "
                f"{_listed(found)} against {_listed(reference)}"
            )


def _listed(losses: Sequence[float]) -> str:
    return ", ".join(f"{loss:.7g}" for loss in losses)


def _take_turns(
    workers: Mapping[str, WorkerProcess], results: Mapping[str, Result], settings: Settings
) -> None:
    """Rounds of all peers, the order reversed every other round."""
    counts: dict[str, int] = {}
    for peer, worker in workers.items():
        seconds = min(worker.ask("run 2") / 2 for _ in range(2))
        counts[peer] = ceil(settings.seconds / max(seconds, 1e-6))
    for number in range(settings.rounds):
        for peer in list(workers) if number % 2 == 0 else reversed(list(workers)):
            sleep(settings.pause)
            workers[peer].ask("run 1")
            seconds = workers[peer].ask(f"run {counts[peer]}")
            results[peer].samples.append(seconds / counts[peer])
