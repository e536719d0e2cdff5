"""One peer on one workload in a process of its own.

``python -m benchmarks.worker PEER WORKLOAD SCALE CLOCK CORES`` reads a command a line and answers
each with a line of JSON: ``build``, ``losses COUNT``, ``run COUNT``, ``memory``. The end of its
input ends it. CLOCK is "elapsed" or "cpu", CORES how many it may use, 0 for all.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.workload import Step
from benchmarks.workloads import workload


def peak_memory() -> float:
    """The most memory this process has held at once, in MB."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


CLOCKS = {"elapsed": perf_counter, "cpu": process_time}


class Worker:
    """Holds a step and how many times it ran."""

    def __init__(self, peer: str, name: str, scale: str, clock: str = "elapsed") -> None:
        """Import the peer's library; nothing is built yet."""
        self._clock = CLOCKS[clock]
        start = perf_counter()
        self._make = PEERS[peer].load()
        self._import_seconds = perf_counter() - start
        self._imported_memory = peak_memory()
        self._workload = workload(name, scale)
        self._step: Step | None = None
        self._position = 0

    def build(self) -> dict[str, float]:
        """Make the step and run it once."""
        start = perf_counter()
        self._step = self._make(self._workload)
        self._first_loss = self._step(0)
        self._position = 1
        seconds = perf_counter() - start
        return {"build_seconds": seconds, "import_seconds": self._import_seconds}

    def losses(self, count: int) -> list[float]:
        """The losses of the first steps; to be asked before `run`."""
        assert self._step is not None and self._position == 1
        others = [self._step(position) for position in range(1, count)]
        self._position = count
        return [self._first_loss, *others]

    def run(self, count: int) -> float:
        """Seconds for so many steps."""
        step, clock = self._step, self._clock
        assert step is not None
        positions = range(self._position, self._position + count)
        start = clock()
        for position in positions:
            step(position)
        seconds = clock() - start
        self._position += count
        return seconds

    def memory(self) -> dict[str, float]:
        """MB at the peak, and right after the imports."""
        return {"peak_mb": peak_memory(), "imported_mb": self._imported_memory}


def use_cores(count: int) -> None:
    """Run on so many cores; every library then starts as many threads."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def serve(worker: Worker, lines: Any, answer: Callable[[str], None]) -> None:
    """Answer every line."""
    for line in lines:
        command, *arguments = line.split()
        answer(json.dumps(getattr(worker, command)(*map(int, arguments))))


def main() -> None:
    """The process."""
    *names, cores = sys.argv[1:]
    if int(cores):
        use_cores(int(cores))
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    serve(Worker(*names), sys.stdin, lambda text: print(text, file=answers))


if __name__ == "__main__":
    main()
