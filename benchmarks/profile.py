"""Where a step of asg on NumPy spends its time: ``python -m benchmarks.profile mlp gpt``."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks.peers.asg_peer import session_of
from benchmarks.report import aligned, spelled
from benchmarks.workloads import names, workload

LINES = 10


def profile(name: str, steps: int = 7, scale: str = "full") -> list[list[str]]:
    """The ops that take most of a workload's step; of every node the fastest of some steps."""
    session, batches = session_of(workload(name, scale), "numpy")
    session(**batches[0])  # moments are zero before the first step
    program: Any = session.program(*(array.shape for array in batches[0].values()))
    state, feeds = session.state_dict(), batches[0]
    inputs = [feeds.get(each, state.get(each)) for each in program.graph.input_names]
    times: dict[str, list[Any]] = defaultdict(list)
    taken = [program.time_nodes(inputs) for _ in range(steps)]
    for (node, _), *seconds in zip(taken[0], *[_seconds(each) for each in taken], strict=True):
        times[type(node.op).__name__].append((min(seconds), str(node.outputs[0].type)))
    return _table(times)


def _seconds(timed: Sequence[tuple[Any, float]]) -> list[float]:
    return [seconds for _, seconds in timed]


def _table(times: dict[str, list[Any]]) -> list[list[str]]:
    sums = {op: sum(seconds for seconds, _ in found) for op, found in times.items()}
    total = sum(sums.values())
    calls = sum(map(len, times.values()))
    rows = [["op", "slowest gives", "calls", "time", "share"]]
    for op in sorted(sums, key=lambda op: -sums[op])[:LINES]:
        slowest = max(times[op])[1]
        share = f"{sums[op] / total:.0%}"
        rows.append([op, slowest, str(len(times[op])), spelled(sums[op]), share])
    return [*rows, ["all", "", str(calls), spelled(total), ""]]


def main(arguments: Sequence[str]) -> None:
    """Print a table for each workload named, or for all."""
    for name in arguments or names():
        print(f"\n{name}\n{aligned(profile(name))}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
