"""The results as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.measure import REFERENCES, Result

Rows = Sequence[Sequence[str]]


def spelled(seconds: float) -> str:
    """Microseconds below a millisecond, milliseconds above."""
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def header() -> list[str]:
    """The columns of a table of steps."""
    ratios = [f"/ {name}" for name in REFERENCES]
    return ["workload", "peer", "step", *ratios, "build s", "peak MB", "grown MB"]


def rows(name: str, results: Mapping[str, Result]) -> list[list[str]]:
    """A row for each peer of a workload."""
    return [
        [name, peer, spelled(result.seconds), *_ratios(result, results), *_costs(result)]
        for peer, result in results.items()
    ]


def _ratios(result: Result, results: Mapping[str, Result]) -> list[str]:
    return [f"{result.ratio(results[name]):.2f}" if name in results else "-" for name in REFERENCES]


def _costs(result: Result) -> list[str]:
    grown = result.peak_mb - result.imported_mb
    return [f"{result.build_seconds:.2f}", f"{result.peak_mb:.0f}", f"{grown:.0f}"]


def aligned(table: Rows) -> str:
    """Columns under each other: the first two to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[:2] = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
