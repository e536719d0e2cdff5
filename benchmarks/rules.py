"""Which rule of which pass fires on which workload: ``python -m benchmarks.rules mlp gpt``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence

import asg
from asg.compiler.driver import Executable, evaluate
from asg.compiler.loader import load_backend
from asg.passes.pipeline import default_pipeline, late_pipeline, names_in
from benchmarks.peers.asg_peer import forward_graph, step_graph
from benchmarks.report import aligned
from benchmarks.workloads import names, workload

Hits = Counter[str]


def hits(name: str, backend: str = "numpy", scale: str = "full") -> Hits:
    """How often each rule fires when a workload is compiled, its sizes made numbers included."""
    described = workload(name, scale)
    batch = described.batches()[0]
    if described.optimizer is None:
        batch = {"inputs": batch["inputs"]}
    build = forward_graph if described.optimizer is None else step_graph
    with asg.configure(compile_cache="off"):
        executable = asg.compile(build(described, batch), backend=backend)
        return hits_of(executable, [array.shape for array in batch.values()])


def hits_of(executable: Executable, shapes: Sequence[tuple[int, ...]]) -> Hits:
    """The same of any program, for feeds of these shapes."""
    found: Hits = Counter()
    for record in executable.records:
        found.update(record.rule_counts())
    executable.with_sizes(shapes, lambda record: found.update(record.rule_counts()))
    return found


def table(chosen: Sequence[str], count: Callable[[str], Hits] = hits) -> list[list[str]]:
    """A line for each rule that there is, with the number of times it fires, workload by workload.

    Rules that never fire come last.
    """
    counted = {name: count(name) for name in chosen}
    rows = [["rule", *chosen]]
    known = dict.fromkeys((*all_rules(), *(rule for each in counted.values() for rule in each)))
    for rule in sorted(known, key=lambda rule: -sum(rule in each for each in counted.values())):
        rows.append([rule, *(str(counted[name][rule] or "") for name in chosen)])
    return rows


def all_rules(backend: str = "numpy") -> list[str]:
    """The rules of all passes that run by default."""
    target = load_backend(backend)
    passes = (*default_pipeline(target, evaluate), *late_pipeline(evaluate), *target.passes)
    own = {each.name for each in passes}
    return [name for name in names_in(passes) if name not in own]


def main(arguments: Sequence[str]) -> None:
    """Print the table for the workloads named, or for all."""
    print(aligned(table(arguments or names())), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
