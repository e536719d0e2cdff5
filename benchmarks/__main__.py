"""``python -m benchmarks``: measure, print, write."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NoReturn

from benchmarks import machine, report, workloads
from benchmarks.measure import BenchmarkError, Result, Settings, measure
from benchmarks.peers import DEFAULT, PEERS

Measured = dict[str, dict[str, Result]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 2 for a wrong argument, 1 for a measurement that failed."""
    options = _parser().parse_args(arguments)
    settings = Settings(**{each.name: getattr(options, each.name) for each in fields(Settings)})
    _tell_load()
    try:
        measured = run(options.workloads, options.peers, settings)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(_plain(measured, settings), indent=1), "utf-8")
    return 0


def run(names: Sequence[str], peers: Sequence[str], settings: Settings) -> Measured:
    """Results by workload and peer, printed as they come."""
    installed = _installed(peers)
    measured: Measured = {}
    for name in names:
        described = workloads.workload(name, settings.scale)
        able = [peer for peer in installed if PEERS[peer].runs(described)]
        measured[name] = measure(name, able, settings)
        print(report.aligned([report.header(), *report.rows(name, measured[name])]), flush=True)
    return measured


def _installed(peers: Sequence[str]) -> list[str]:
    for peer in peers:
        if not PEERS[peer].installed:
            print(f"{peer}: left out, {PEERS[peer].library} is not installed")
    return [peer for peer in peers if PEERS[peer].installed]


def _tell_load() -> None:
    load = machine.load()
    if load is None:
        return
    print(f"load average {load:.2f} on {machine.cores()} cores")
    if load > 0.5 * machine.cores():
        print("warning: the machine is busy; times, and ratios with several threads, mean little")


def _plain(measured: Measured, settings: Settings) -> dict[str, Any]:
    results = {
        name: {peer: asdict(result) for peer, result in found.items()}
        for name, found in measured.items()
    }
    return {"machine": machine.facts(), "settings": asdict(settings), "results": results}


class _Parser(argparse.ArgumentParser):
    """One that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("python -m benchmarks", description=__doc__)
    add = parser.add_argument
    known, training = workloads.names(), list(workloads.TRAINING)
    add("--workloads", nargs="+", choices=known, default=training, metavar="NAME",
        help=f"of {', '.join(known)}; default: the first {len(training)}")  # fmt: skip
    add("--peers", nargs="+", choices=PEERS, default=DEFAULT, metavar="NAME",
        help=f"of {', '.join(PEERS)}; default: {', '.join(DEFAULT)}")  # fmt: skip
    add("--rounds", type=int, default=10, help="turns of every peer")
    add("--seconds", type=float, default=0.3, help="of a turn")
    add("--pause", type=float, default=0.1, help="seconds between turns")
    add("--scale", choices=("full", "tiny"), default="full", help="tiny: to see that all works")
    add("--clock", choices=("elapsed", "cpu"), default="elapsed",
        help="cpu: the processor's time, for a busy machine; best with --cores 1")  # fmt: skip
    add("--cores", type=int, default=0, help="that each peer may use; 0: all (Linux)")
    add("--json", type=Path, help="write everything that was measured to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
