"""The results as tables: aligned text for the terminal, Markdown for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from statistics import geometric_mean
from typing import TYPE_CHECKING

from benchmarks.compile_time import Compilation
from benchmarks.measure import REFERENCES, Result

if TYPE_CHECKING:
    from benchmarks.leave_out import Gain

Table = Sequence[Sequence[str]]
Results = Mapping[str, Result]


def spelled(seconds: float) -> str:
    """Microseconds below a millisecond, milliseconds above."""
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def header() -> list[str]:
    """The columns of a table of steps."""
    ratios = [f"/ {name}" for name in REFERENCES]
    return ["workload", "peer", "step", *ratios, "build s", "again s", "peak MB", "grown MB"]


def rows(name: str, results: Results) -> list[list[str]]:
    """A row for each peer of a workload."""
    return [
        [name, peer, spelled(result.seconds), *_ratios(result, results), *_costs(result)]
        for peer, result in results.items()
    ]


def _ratios(result: Result, results: Results) -> list[str]:
    return [f"{result.ratio(results[name]):.2f}" if name in results else "-" for name in REFERENCES]


def _costs(result: Result) -> list[str]:
    grown = result.peak_mb - result.imported_mb
    again = "-" if result.again_seconds is None else f"{result.again_seconds:.2f}"
    return [f"{result.build_seconds:.2f}", again, f"{result.peak_mb:.0f}", f"{grown:.0f}"]


def overview(measured: Mapping[str, Results]) -> list[list[str]]:
    """A row for each workload: every peer's step by that of the first reference it has."""
    peers = list(dict.fromkeys(peer for results in measured.values() for peer in results))
    table = [["workload", "of", *peers]]
    for name, results in measured.items():
        reference = next((each for each in REFERENCES if each in results), next(iter(results)))
        base = results[reference]
        ratios = [f"{results[p].ratio(base):.2f}" if p in results else "-" for p in peers]
        table.append([name, f"{reference} {spelled(base.seconds)}", *ratios])
    return table


def compilations(found: Sequence[Compilation]) -> list[list[str]]:
    """A row for each length of the chain; if compilation is linear, the last columns are even."""
    stages = ("build", "gradient", "pipeline", "program")
    table = [["chain", "nodes", *(f"{stage} s" for stage in stages), "us a node", "peak MB"]]
    for each in found:
        seconds = [f"{getattr(each, stage):.2f}" for stage in stages]
        node = f"{each.seconds / each.nodes * 1e6:.0f}"
        table.append([f"{each.chain:,}", f"{each.nodes:,}", *seconds, node, f"{each.peak_mb:.0f}"])
    return table


def worth(gains: Sequence[Gain], backend: str) -> list[list[str]]:
    """A row for each pass and rule: what programs lose without it, those that lose most first."""
    found: dict[str, list[Gain]] = {}
    for each in gains:
        if each.backend == backend:
            found.setdefault(each.left_out, []).append(each)
    table = [["without", "slowest step", "changed", "all steps", "largest peak", "nodes more"]]
    for name in sorted(found, key=lambda name: -max(each.step for each in found[name])):
        changed = found[name]
        step, peak = (max(changed, key=attrgetter(what)) for what in ("step", "peak"))
        table.append([
            name, f"{step.step:.2f} {step.program}", str(len(changed)),
            f"{geometric_mean(each.step for each in changed):.2f}",
            f"{peak.peak:.2f} {peak.program}", f"{sum(each.nodes for each in changed):,}",
        ])  # fmt: skip
    return table


def aligned(table: Table) -> str:
    """Columns under each other: the first two to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[:2] = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(table: Table) -> str:
    """The same for a page."""
    first, *others = table
    ruler = ["---"] * 2 + ["---:"] * (len(first) - 2)
    return "\n".join("| " + " | ".join(row) + " |" for row in (first, ruler, *others))
