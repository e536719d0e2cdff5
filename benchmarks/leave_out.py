"""What a program gains by each pass and rule: compiled without it, and measured against the whole.

``python -m benchmarks.leave_out PROGRAM BACKEND WHAT CLOCK SECONDS`` measures in a process of its
own and prints a list of `Gain` as JSON. WHAT is "rules" (with the passes), "passes", or "threads":
the passes that need several threads, on a program of full size.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from statistics import quantiles
from typing import Any

import numpy as np

import asg
from asg.compiler.driver import Executable, default_passes
from asg.compiler.loader import load_backend
from asg.passes.pipeline import Pipeline, names_in
from asg.passes.record import PassRecord
from benchmarks.networks import Array, Elementwise
from benchmarks.peers.asg_peer import forward_graph, step_graph
from benchmarks.worker import CLOCKS, use_cores
from benchmarks.workload import Weights, Workload
from benchmarks.workloads import names as workload_names
from benchmarks.workloads import workload
from benchmarks.written import program

THREADED = ("shard",)
"""Passes that gain by several threads alone."""

NEEDED = ("lower",)
"""What a program cannot do without."""

ROUND = 0.01
FEWEST_ROUNDS = 5
"""Seconds of a turn, and turns that are measured in any case."""

Hits = Counter[str]


@dataclass(frozen=True)
class Gain:
    """What a program loses without a pass or a rule, which changes it.

    Attributes:
        program: its name.
        backend: that compiled it.
        left_out: the pass or rule.
        step: seconds of a step without it, by those with it; 1.0 where nothing was measured.
        peak: bytes that a step needs, as planned, without it by those with it.
        nodes: how many more nodes the graph has without it.
    """

    program: str
    backend: str
    left_out: str
    step: float
    peak: float
    nodes: int


@dataclass(frozen=True)
class Prepared:
    """A graph with what a step of it is fed."""

    graph: asg.Graph
    feeds: Mapping[str, Array]
    state: Weights

    def shapes(self) -> list[tuple[int, ...]]:
        """Of the feeds, in the order of the graph."""
        return [self.feeds[name].shape for name in self.graph.feeds]


def prepared(name: str, scale: str) -> Prepared:
    """A workload or a program written out, of the scale "full", "part" or "tiny".

    With "part" workloads have a quarter of their batch.
    """
    if name not in workload_names():
        found = program(name, scale == "tiny")
        return Prepared(found.graph, found.feeds, {})
    described = workload(name, "tiny" if scale == "tiny" else "full")
    described = _part_of(described) if scale == "part" else described
    batch = described.batches()[0]
    if described.optimizer is None:
        batch = {"inputs": batch["inputs"]}
        return Prepared(forward_graph(described, batch), batch, described.weights())
    return Prepared(step_graph(described, batch), batch, described.weights())


def _part_of(described: Workload) -> Workload:
    network = described.network
    if isinstance(network, Elementwise):
        return replace(described, network=replace(network, size=network.size // 4))
    return replace(described, batch=described.batch // 4)


# -- which passes and rules there are, and which do anything ---------------------------------------


def passes_of(backend: str) -> list[str]:
    """The passes that run by default, in order."""
    return list(dict.fromkeys(each.name for each in _pipeline(backend)))


def rules_of(backend: str) -> list[str]:
    """The rules of all of them, less the passes themselves."""
    passes = passes_of(backend)
    return [name for name in names_in(_pipeline(backend)) if name not in passes]


def _pipeline(backend: str) -> Pipeline:
    first, late = default_passes(load_backend(backend))
    return (*first, *late)


def hits_of(executable: Executable, shapes: Sequence[tuple[int, ...]]) -> Hits:
    """How often each pass changes a program and each rule fires, for feeds of these shapes."""
    found: Hits = Counter()

    def count(record: PassRecord) -> None:
        found.update(record.rule_counts())
        if record.name not in record.rule_counts() and record.after is not record.before:
            found[record.name] += 1

    for record in executable.records:
        count(record)
    executable.with_sizes(shapes, count)
    return found


# -- measuring ------------------------------------------------------------------------------------


class Variant:
    """A program built and compiled without something, run once."""

    def __init__(self, name: str, scale: str, backend: str, *without: str) -> None:
        """Of `prepared`; gradients do without it as well."""
        with asg.configure(without=without):
            given = prepared(name, scale)
            self.executable = asg.compile(given.graph, backend=backend)
            self._session = self.executable.start(seed=0, state=given.state)
            self._feeds, self.shapes = given.feeds, given.shapes()
            program: Any = self._session.program(*self.shapes)
            self.run()
        self.program, self.graph = program, program.graph

    def run(self) -> None:
        """A step, waited for."""
        np.asarray(next(iter(self._session(**self._feeds).values())))

    def peak_bytes(self) -> int:
        """Of a step, as planned."""
        backend: Any = self.executable.backend
        is_planner = backend.name == "numpy"
        told = backend.plan(self.graph) if is_planner else self.program.plan()
        peak: int = told.peak_bytes
        return peak


def gains(
    name: str,
    backend: str,
    chosen: Callable[[str], bool],
    clock: Callable[[], float],
    seconds: float,
    scale: str = "part",
) -> list[Gain]:
    """Of every chosen pass and rule without which the program comes out as another one."""
    whole = Variant(name, scale, backend)
    text, peak = str(whole.graph), whole.peak_bytes()
    found = []
    for each in hits_of(whole.executable, whole.shapes):
        if each in NEEDED or not chosen(each):
            continue
        less = Variant(name, scale, backend, each)
        if str(less.graph) == text:
            continue
        step = ratio(less.run, whole.run, clock, seconds)
        nodes = len(less.graph.nodes) - len(whole.graph.nodes)
        found.append(Gain(name, backend, each, step, less.peak_bytes() / peak, nodes))
    return found


def ratio(
    one: Callable[[], None],
    other: Callable[[], None],
    clock: Callable[[], float],
    seconds: float,
) -> float:
    """The time of one by that of the other: lower quartiles of turns that they take in turn."""
    if not seconds:
        return 1.0
    pair = (one, other)
    counts = [ceil(ROUND / max(_timed(run, 1, clock), 1e-6)) for run in pair]
    taken: tuple[list[float], list[float]] = ([], [])
    while len(taken[0]) < FEWEST_ROUNDS or _total(taken, counts) < seconds:
        order = (0, 1) if len(taken[0]) % 2 else (1, 0)
        for each in order:
            taken[each].append(_timed(pair[each], counts[each], clock) / counts[each])
    first, second = (quantiles(times, n=4)[0] for times in taken)
    return first / second


def _total(taken: Sequence[Sequence[float]], counts: Sequence[int]) -> float:
    return sum(sum(times) * count for times, count in zip(taken, counts, strict=True))


def _timed(run: Callable[[], None], count: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(count):
        run()
    return clock() - start


# -- processes ------------------------------------------------------------------------------------


def in_own_process(name: str, backend: str, what: str, clock: str, seconds: float) -> list[Gain]:
    """Measured by a new process, on one core if the clock is that of the processor.

    Raises:
        CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks.leave_out", name, backend, what, clock]
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} if clock == "cpu" else {}
    done = subprocess.run(
        [*command, str(seconds)], stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "ASG_COMPILE_CACHE": "off", **alone},
    )  # fmt: skip
    return [Gain(**each) for each in json.loads(done.stdout)]


def main(name: str, backend: str, what: str, clock: str, seconds: str) -> None:
    """The process."""
    if clock == "cpu" and hasattr(os, "sched_setaffinity"):
        use_cores(1)
    if what == "threads":
        found = gains(name, backend, THREADED.__contains__, CLOCKS[clock], float(seconds), "full")
    else:
        passes = set(passes_of(backend)) - set(THREADED)
        chosen = passes.__contains__ if what == "passes" else lambda each: each not in THREADED
        found = gains(name, backend, chosen, CLOCKS[clock], float(seconds))
    print(json.dumps([asdict(each) for each in found]))


if __name__ == "__main__":
    main(*sys.argv[1:])
