"""What NumPy steps were planned to need, and what they do: ``python -m benchmarks.memory mlp gpt``.

``planned`` is what `Session.plan` tells before there is a program; ``allocated`` what making the
program adds to NumPy's memory. ``transient`` is what a step allocates beside it, most at once, as
tracemalloc sees it. ``formulas`` is for how many of five other batches, drawn from the range of
`Plan.formulas`, the formula of the arena tells what is planned to the byte.
"""

from __future__ import annotations

import argparse
import gc
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import asg
from asg.analysis.memory import MemoryPlan
from asg.core.errors import OperandError
from asg.core.units import bytes_text
from benchmarks.page import with_section
from benchmarks.peers.asg_peer import session_of
from benchmarks.report import aligned, markdown
from benchmarks.workloads import names, workload

DRAWN = 5
WARM = 3  # steps before one is watched


@dataclass(frozen=True)
class Memory:
    """Bytes of one workload's step.

    Attributes:
        arena: planned, for values that share memory.
        bound: the most that lives at once; no arena is smaller.
        separate: what an arena without sharing would be.
        planned: arena, state, and memory of loops.
        allocated: by making the program.
        transient: by a step, at most at once, beside all that.
        formulas: of how many batches the formula told the arena exactly, and of how many it was
            asked, 0 where there is none; None where no size is symbolic.
    """

    arena: int
    bound: int
    separate: int
    planned: int
    allocated: int
    transient: int
    formulas: tuple[int, int] | None


def memory(name: str, scale: str = "full") -> Memory:
    """Measured in this process."""
    described = workload(name, scale)
    with asg.configure(compile_cache="off"):
        session, batches = session_of(described, "numpy")
        batch = batches[0]
        shapes = [array.shape for array in batch.values()]
        sizes = {"batch": described.batch} if batch else {}
        told = session.plan(**sizes).memory
        assert told is not None
        allocated = _allocated(session, shapes)
        allocated_by_a_step = transient(session, batch)
        formulas = _formulas(session, described.batch) if batch else None
    planned = told.arena_bytes + told.state_bytes + told.body_bytes
    return Memory(
        told.arena_bytes, told.lower_bound_bytes, told.separate_bytes, planned, allocated,
        allocated_by_a_step, formulas,
    )  # fmt: skip


@contextmanager
def traced() -> Iterator[None]:
    """Inside, tracemalloc looks at what is allocated."""
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def numpy_bytes() -> int:
    """Of all arrays that were made inside `traced` and are still there."""
    gc.collect()
    only = [tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)]
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(only).traces)


def _allocated(session: asg.Session, shapes: Sequence[tuple[int, ...]]) -> int:
    with traced():
        before = numpy_bytes()
        session.program(*shapes)
        return numpy_bytes() - before


def transient(session: asg.Session, batch: Mapping[str, Any]) -> int:
    """Bytes that a step allocates, at most at once, beside what its program holds."""
    for _ in range(WARM):
        session(**batch)
    with traced():
        session(**batch)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        session(**batch)
        return tracemalloc.get_traced_memory()[1] - before


def _formulas(session: asg.Session, batch: int) -> tuple[int, int]:
    """Exact ones, and all."""
    try:
        found = session.plan(batch=batch).formulas("batch")
    except OperandError:  # around this batch, every number is planned in another way
        return 0, 0
    others = [n for n in range(found.low, found.high + 1, found.step) if n != batch]
    drawn = Random(0).sample(others, min(DRAWN, len(others)))
    exact = [found.at(n)["arena"] == _arena(session.plan(batch=n).memory) for n in drawn]
    return sum(exact), len(exact)


def _arena(planned: MemoryPlan | None) -> int:
    assert planned is not None
    return planned.arena_bytes


def row(name: str, found: Memory) -> list[str]:
    """Of the table."""
    numbers = (found.arena, found.bound, found.separate, found.planned, found.allocated)
    told = "-" if found.formulas is None else "{} of {}".format(*found.formulas)
    return [name, *(f"{each:,}" for each in numbers), bytes_text(found.transient), told]


HEADER = ["workload", "arena", "bound", "unshared", "planned", "allocated", "transient", "formulas"]

TITLE = "## Memory"
EXPLAINED = """\
What steps on NumPy were planned to need, in bytes, and what they do. "arena" is planned for values
that share memory, "bound" the most that lives at once, "unshared" what the arena would be without
sharing. "planned" is arena, state and memory of loops; "allocated" what making the program adds to
NumPy's memory (64 bytes more for each array, to lie on a cache line). "transient" is what a step
allocates beside that, its results among it, at most at once. "formulas" is for how many of five
other batches the formula of `Plan.formulas` tells the arena to the byte.
`python -m benchmarks.memory` measures it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what the workloads named need, or all, as it is found."""
    parser = _parser()
    options = parser.parse_args(arguments)
    unknown = [name for name in options.workloads if name not in names()]
    if unknown:
        parser.error(f"no workload {unknown[0]!r}; there are {', '.join(names())}")
    body = section(options.workloads or names(), options.scale)
    if options.write:
        text = options.write.read_text("utf-8")
        options.write.write_text(with_section(text, TITLE, body), "utf-8")


def section(chosen: Sequence[str], scale: str = "full") -> str:
    """The table of workloads as a page has it; its rows are printed as they are found."""
    rows: list[list[str]] = []
    for name in chosen:
        rows.append(row(name, memory(name, scale)))
        print(aligned([HEADER, rows[-1]]), flush=True)
    return f"{EXPLAINED}\n\n{markdown([HEADER, *rows])}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description="Memory as planned, and as measured."
    )
    add = parser.add_argument
    add("workloads", nargs="*", metavar="WORKLOAD", help="default: all")
    add("--scale", choices=("full", "tiny"), default="full", help="tiny: to see that all works")
    add("--write", type=Path, help="put the table into this page of Markdown")
    return parser


if __name__ == "__main__":
    main()
