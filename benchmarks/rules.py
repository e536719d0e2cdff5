"""Which pass and rule does anything, and what each is worth.

``python -m benchmarks.rules [PROGRAM ...]`` counts where they fire. With ``--gains`` every program
is also compiled without each of them in turn, and its steps are timed against the whole; that
takes about three minutes. ``--write docs/performance.md`` renews the section on that page.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import asg
from benchmarks.leave_out import (
    THREADED,
    Gain,
    Hits,
    hits_of,
    in_own_process,
    passes_of,
    prepared,
    rules_of,
)
from benchmarks.page import GAINS_TITLE, gains_section, with_section
from benchmarks.report import aligned, worth
from benchmarks.workloads import names as workload_names
from benchmarks.written import PROGRAMS

NAMES = (*workload_names(), *PROGRAMS)

MEASURED = ("mlp", "lenet", "cnn", "gpt_unclipped", "lstm", "elemwise", "deep100", *PROGRAMS)
"""Whose steps are timed on NumPy."""

ON_JAX = ("transformer", "densities", "chain", "channels", "recurrent", "gates",
          "general", "deep100")  # fmt: skip
"""Those that are compiled by XLA once for every pass; it has rules of its own."""

SECONDS = 0.12
"""Of each comparison, about."""

WITH_THREADS = ("lenet", "cnn", "gpt", "elemwise")
"""Whose steps are shared among threads; measured by elapsed time, at full size."""


def hits(name: str, backend: str = "numpy", scale: str = "full") -> Hits:
    """How often each pass and rule does anything when a program is compiled for its sizes."""
    given = prepared(name, scale)
    with asg.configure(compile_cache="off"):
        return hits_of(asg.compile(given.graph, backend=backend), given.shapes())


def table(chosen: Sequence[str], count: Callable[[str], Hits] = hits) -> list[list[str]]:
    """A line for each pass and rule with the number of times it fires, program by program.

    Those that never fire come last.
    """
    counted = {name: count(name) for name in chosen}
    rows = [["rule", *chosen]]
    known = dict.fromkeys((*passes_of("numpy"), *rules_of("numpy")))
    known |= dict.fromkeys(rule for each in counted.values() for rule in each)
    for rule in sorted(known, key=lambda rule: -sum(rule in each for each in counted.values())):
        rows.append([rule, *(str(counted[name][rule] or "") for name in chosen)])
    return rows


def measured(
    seconds: float, tell: Callable[[str], None], programs: Sequence[str] | None = None
) -> list[Gain]:
    """What every pass and rule is worth, of the programs that are measured or of some."""
    runs = [(name, "numpy", "rules", "cpu") for name in MEASURED]
    runs += [(name, "numpy", "threads", "elapsed") for name in WITH_THREADS]
    runs += [(name, "jax", "passes", "cpu") for name in ON_JAX]
    found: list[Gain] = []
    for name, backend, what, clock in runs:
        if programs and name not in programs:
            continue
        tell(f"{name} on {backend}: {what}")
        found += in_own_process(name, backend, what, clock, seconds)
    return found


def never_fired(counted: Sequence[Hits]) -> list[str]:
    """The passes and rules that none of these programs needs."""
    total = sum(counted, Counter[str]())
    known = (*passes_of("numpy"), *rules_of("numpy"))
    return [name for name in known if not total[name] and name not in THREADED]


def _program(name: str) -> str:
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"no program {name!r}; there are {', '.join(NAMES)}")
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.rules", description=__doc__)
    add = parser.add_argument
    add("programs", nargs="*", type=_program, metavar="PROGRAM",
        help=f"of {', '.join(NAMES)}; default: all")  # fmt: skip
    add("--gains", action="store_true", help="leave each out in turn, and measure")
    add("--seconds", type=float, default=SECONDS, help="of a comparison")
    add("--json", type=Path, help="write the gains to this file")
    add("--write", type=Path, help="renew the section of the gains on this page of Markdown")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of hits, or that of gains."""
    options = _parser().parse_args(arguments)
    if not options.gains:
        print(aligned(table(options.programs or NAMES)), flush=True)
        return
    found = measured(options.seconds, lambda text: print(text, flush=True), options.programs)
    for backend in dict.fromkeys(each.backend for each in found):
        print(f"\n{backend}\n{aligned(worth(found, backend))}", flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=1), "utf-8")
    if options.write:
        text = options.write.read_text("utf-8")
        options.write.write_text(with_section(text, GAINS_TITLE, gains_section(found)), "utf-8")


if __name__ == "__main__":
    main()
