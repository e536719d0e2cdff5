"""docs/performance.md, written from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from benchmarks.compile_time import Compilation
from benchmarks.measure import LOSSES, Settings
from benchmarks.report import Results, compilations, header, markdown, overview, rows, worth
from benchmarks.workload import RESIDENT
from benchmarks.workloads import GROUPS

if TYPE_CHECKING:
    from benchmarks.leave_out import Gain

TITLES = {
    "training": "Training steps",
    "held_back": "Training steps that nothing was tuned to",
    "inference": "Inference",
}

METHOD = """\
How asg compares with PyTorch, with JAX, and with careful NumPy written by hand, on one machine.
`make bench` measures and writes this page; `python -m benchmarks --help` lists the options. All
figures come from one run, whose ratios mean more than its times: quote ratios.

## Method

- A training step is forward, backward and optimizer, in float32, on {resident} resident batches in
  turn; the loss is read back at every step. Inference reads the outputs back.
- Every peer gets the same first weights and batches. Their first {losses} losses agree to 1e-4, or
  nothing is timed. (With dropout, masks differ and losses are only near each other.)
- Each peer runs in a process of its own. They take turns, {rounds} rounds of about {seconds}
  seconds a peer, in the opposite order every other round; between turns threads get {pause} seconds
  to fall asleep. Times are {clock} time on {cores} cores, medians over the rounds; ratios are
  medians of the ratios within each round.
- "build" is making the step and running it once with empty caches, without imports (Python's
  bytecode is there, as after an installation, for what is loaded on demand). "again" is the same
  in a later process, of peers that leave what they compiled on disk by default. "peak" is the
  most memory of the process, "grown" the part of it that came after the imports.
- asg's programs are what its users write: layers of `asg.nn`, `asg.optim`, `asg.train_step`, and
  the defaults of `asg.compile`. PyTorch runs eagerly with fused optimizers, images with channels
  last. JAX is one jitted function with donated state, images with channels last. `numpy` has every
  buffer made once and derivatives written out; it is the yardstick for memory.
- The workloads are defined in `benchmarks/workloads.py`, the programs are in `benchmarks/peers`.
"""

OF_PEERS = {
    "torch_compile": "- `torch_compile` compiles network and loss of the PyTorch program.\n",
    "torch_nchw": "- `torch_nchw` is PyTorch with channels first.\n",
    "pytensor": "- `pytensor`, for dense and elementwise workloads, is one function by Numba.\n",
}
"""What is told of peers that are measured on request."""


def page(
    measured: Mapping[str, Results],
    chains: Sequence[Compilation],
    settings: Settings,
    facts: Mapping[str, str],
    load: str,
    gains: Sequence[Gain] = (),
) -> str:
    """The whole page."""
    peers = {peer for results in measured.values() for peer in results}
    told = "".join(text for peer, text in OF_PEERS.items() if peer in peers)
    method = _method(settings) + told
    parts = ["# Performance", method, "## Machine", _machine(facts, load)]
    for group, title in TITLES.items():
        found = {name: measured[name] for name in GROUPS[group] if name in measured}
        if found:
            parts += [f"## {title}", *_tables(found)]
    if chains:
        parts += ["## Compilation", COMPILATION, markdown(compilations(chains))]
    if gains:
        parts += [GAINS_TITLE, gains_section(gains)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


COMPILATION = """\
A chain of `h <- tanh(h + b)` with its gradient, in seconds of the processor, one process a row. The
time for a node stays the same when compilation is linear."""


GAINS_TITLE = "## Passes and rules"
GAINS = """\
What programs lose without a pass or a rule, alone: each is left out in turn, and the step is timed
against the whole in the same process, in turns. A ratio of 1.20 says that the step takes 20 % more
time without it; differences of a few per cent are noise. "changed" counts the programs that come
out otherwise, "all steps" is the geometric mean over them, "nodes more" the sum. On NumPy with one
thread, by the processor's time (only `shard` with all threads, by elapsed time); workloads have a
quarter of their batch. The programs of `benchmarks/written.py` have their formulas written out, as
users write them. `python -m benchmarks.rules --gains` measures it."""


def gains_section(gains: Sequence[Gain]) -> str:
    """A table for each backend."""
    parts = [GAINS]
    for backend in dict.fromkeys(each.backend for each in gains):
        parts += [f"On {backend}:", markdown(worth(gains, backend))]
    return "\n\n".join(parts)


def with_section(page: str, title: str, body: str) -> str:
    """The page with another text under a title, which comes last if it is new."""
    start = page.find(f"{title}\n")
    if start < 0:
        return f"{page.rstrip()}\n\n{title}\n\n{body.strip()}\n"
    end = page.find("\n## ", start)
    rest = page[end:] if end >= 0 else ""
    return f"{page[:start]}{title}\n\n{body.strip()}\n{rest}"


def _method(settings: Settings) -> str:
    return METHOD.format(
        resident=RESIDENT, losses=LOSSES, rounds=settings.rounds, seconds=settings.seconds,
        pause=settings.pause, clock=settings.clock, cores=settings.cores or "all",
    )  # fmt: skip


def _machine(facts: Mapping[str, str], load: str) -> str:
    table = [["what", "is"], *([name, value] for name, value in facts.items())]
    table += [["load average at the start", load], ["date", date.today().isoformat()]]
    return markdown(table)


def _tables(found: Mapping[str, Results]) -> list[str]:
    details = [row for name, results in found.items() for row in rows(name, results)]
    return [
        "Steps by those of the peer in the second column:",
        markdown(overview(found)),
        "Everything:",
        markdown([header(), *details]),
    ]
