"""``python -m benchmarks``: measure, print, write."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NoReturn

from benchmarks import machine, memory, report, rules, workloads
from benchmarks.compile_time import Compilation, in_own_process
from benchmarks.leave_out import Gain
from benchmarks.measure import BenchmarkError, Result, Settings, measure
from benchmarks.page import page, with_section
from benchmarks.peers import DEFAULT, PEERS

Measured = dict[str, dict[str, Result]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 2 for a wrong argument, 1 for a measurement that failed."""
    options = _parser().parse_args(arguments)
    settings = Settings(**{each.name: getattr(options, each.name) for each in fields(Settings)})
    load = _tell_load()
    try:
        measured = run(workloads.chosen(options.workloads), options.peers, settings)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    chains = run_chains(options.chains)
    gains = rules.measured(rules.SECONDS, print) if options.gains else []
    needed = memory.section(list(measured), options.scale) if options.memory else ""
    if options.json:
        plain = _plain(measured, chains, settings, gains)
        options.json.write_text(json.dumps(plain, indent=1), "utf-8")
    if options.write:
        text = page(measured, chains, settings, machine.facts(), load, gains)
        text = with_section(text, memory.TITLE, needed) if needed else text
        options.write.write_text(text, "utf-8")
    return 0


def run(names: Sequence[str], peers: Sequence[str], settings: Settings) -> Measured:
    """Results by workload and peer, printed as they come."""
    installed = _installed(peers)
    measured: Measured = {}
    for name in names:
        described = workloads.workload(name, settings.scale)
        able = [peer for peer in installed if PEERS[peer].runs(described)]
        measured[name] = measure(name, able, settings)
        _show([report.header(), *report.rows(name, measured[name])])
    if len(measured) > 1:
        _show(report.overview(measured))
    return measured


def run_chains(lengths: Sequence[int]) -> list[Compilation]:
    """How long chains take to compile, printed at the end."""
    found = [in_own_process(length) for length in lengths]
    if found:
        _show(report.compilations(found))
    return found


def _show(table: report.Table) -> None:
    print(report.aligned(table), end="\n\n", flush=True)


def _installed(peers: Sequence[str]) -> list[str]:
    for peer in peers:
        if not PEERS[peer].installed:
            print(f"{peer}: left out, {PEERS[peer].library} is not installed")
    return [peer for peer in peers if PEERS[peer].installed]


def _tell_load() -> str:
    load = machine.load()
    if load is None:
        return "unknown"
    print(f"load average {load:.2f} on {machine.cores()} cores")
    if load > 0.5 * machine.cores():
        print("warning: the machine is busy; times, and ratios with several threads, mean little")
    return f"{load:.2f}"


def _plain(
    measured: Measured, chains: Sequence[Compilation], settings: Settings, gains: Sequence[Gain]
) -> dict[str, Any]:
    results = {
        name: {peer: asdict(result) for peer, result in found.items()}
        for name, found in measured.items()
    }
    return {
        "machine": machine.facts(), "settings": asdict(settings), "results": results,
        "compilation": [asdict(each) for each in chains],
        "gains": [asdict(each) for each in gains],
    }  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """One that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _at_least(least: float, kind: type[Any]) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if not value >= least:
            raise argparse.ArgumentTypeError(f"{text} is below {least}")
        return value

    number.__name__ = kind.__name__
    return number


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("python -m benchmarks", description=__doc__)
    add = parser.add_argument
    known = [*workloads.GROUPS, *workloads.names()]
    add("--workloads", nargs="+", choices=known, default=["training"], metavar="NAME",
        help=f"of {', '.join(known)}; default: training")  # fmt: skip
    add("--peers", nargs="+", choices=PEERS, default=DEFAULT, metavar="NAME",
        help=f"of {', '.join(PEERS)}; default: {', '.join(DEFAULT)}")  # fmt: skip
    add("--rounds", type=_at_least(1, int), default=10, help="turns of every peer")
    add("--seconds", type=_at_least(0, float), default=0.3, help="of a turn")
    add("--pause", type=_at_least(0, float), default=0.1, help="seconds between turns")
    add("--scale", choices=("full", "tiny"), default="full", help="tiny: to see that all works")
    add("--clock", choices=("elapsed", "cpu"), default="elapsed",
        help="cpu: the processor's time, for a busy machine; best with --cores 1")  # fmt: skip
    add("--cores", type=_at_least(0, int), default=0, help="that a peer may use; 0: all (Linux)")
    add("--chains", nargs="*", type=_at_least(2, int), default=(), metavar="NODES",
        help="also compile chains of these lengths")  # fmt: skip
    add("--gains", action="store_true",
        help="also leave out every pass and rule in turn (benchmarks.rules)")  # fmt: skip
    add("--memory", action="store_true",
        help="also compare memory on NumPy with its plans (benchmarks.memory)")  # fmt: skip
    add("--json", type=Path, help="write everything that was measured to this file")
    add("--write", type=Path, help="write a page of Markdown to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
