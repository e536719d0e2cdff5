"""Choices by measurement: of several ways to compute the same, the one that is fastest here.

Kernels that know several ways ask `chosen`. Usually a model of costs answers; inside `tuning` every
way is run on made-up operands of the same shapes and strides, in turn, a few times, and the one
with the shortest time wins. The answer is kept on disk for this processor, these libraries and
this number of threads (asg/cache), so that a shape is measured once on a machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from asg.cache.facts import machine, software, sources
from asg.cache.store import read_entry, report_damage, write_entry
from asg.core.dtype import as_dtype
from asg.core.op import Op

from .blas import kernels, single_threaded
from .kernel import Array, Call, Scratch
from .threads import run_calls, threads_here

Way = Callable[[Any, Array, Array, Array, Scratch], list[Call]]
"""``(op, x, weight, out, scratch) -> calls``: as a kernel, of two operands."""

ROUNDS = 5
MOST_SECONDS = 0.3
"""After which no further round begins."""


@dataclass
class Tuning:
    """What was chosen inside a `tuning`.

    Attributes:
        seconds: of every way, by description of the case; measured now or on an earlier day.
        told: a line for each case, the fastest way first.
    """

    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)


def _told(op: Op, operands: Sequence[Array], found: Mapping[str, float], usual: str) -> str:
    ways = sorted(found.items(), key=lambda each: each[1])
    times = ", ".join(f"{name} {seconds * 1e6:,.0f} us" for name, seconds in ways)
    return f"{op.name} of {_types(operands)}: {times} (without tuning: {usual})"


_tuning: ContextVar[Tuning | None] = ContextVar("asg_tuning", default=None)
_forced: ContextVar[str | None] = ContextVar("asg_forced_way", default=None)


@contextmanager
def tuning() -> Iterator[Tuning]:
    """Programs that are bound inside use the ways that are fastest."""
    token = _tuning.set(Tuning())
    try:
        found = _tuning.get()
        assert found is not None
        yield found
    finally:
        _tuning.reset(token)


@contextmanager
def forced(way: str) -> Iterator[None]:
    """Programs that are bound inside use the way of this name wherever there is one."""
    token = _forced.set(way)
    try:
        yield
    finally:
        _forced.reset(token)


def is_tuned() -> bool:
    """Whether ways are chosen otherwise than by the model of costs."""
    return _tuning.get() is not None or _forced.get() is not None


def notes_of_tuning() -> tuple[str, ...]:
    """What was chosen in the `tuning` around, a line for each case."""
    found = _tuning.get()
    return () if found is None else tuple(found.told.values())


def chosen(
    op: Op, operands: Sequence[Array], ways: Mapping[str, Way], usual: Callable[[], str]
) -> Way:
    """One of the ways; ``operands`` are x, weight and out, which are neither read nor written."""
    name = _forced.get()
    if name is not None and name in ways:
        return ways[name]
    found = _tuning.get()
    if found is None or len(ways) < 2:
        return ways[usual()]
    case = _case(op, operands)
    if case not in found.seconds:
        found.seconds[case] = _known(op, operands, ways)
        found.told[case] = _told(op, operands, found.seconds[case], usual())
    seconds = found.seconds[case]
    return ways[min(seconds, key=seconds.__getitem__)]


def _case(op: Op, operands: Sequence[Array]) -> str:
    """Two cases with the same text take the same time."""
    strides = [x.strides for x in operands]
    return f"{op} of {_types(operands)} that lie {strides}, {threads_here()} threads"


def _types(operands: Sequence[Array]) -> str:
    return ", ".join(f"{as_dtype(x.dtype).short}{list(x.shape)}" for x in operands)


def _known(op: Op, operands: Sequence[Array], ways: Mapping[str, Way]) -> dict[str, float]:
    """Seconds of every way from the disk, else measured."""
    facts = [
        _case(op, operands), *ways, str(kernels()), machine(), software(), sources() or "",
    ]  # fmt: skip
    key = sha256("\n".join(facts).encode()).hexdigest()
    content = read_entry(key)
    if content is not None:
        try:
            found = {str(name): float(each) for name, each in json.loads(content).items()}
        except (ValueError, AttributeError, TypeError) as error:
            report_damage(key, str(error))
        else:
            if found.keys() == ways.keys():
                return found
    measured = _measured(op, operands, ways)
    write_entry(key, json.dumps(measured).encode())
    return measured


def _measured(op: Op, operands: Sequence[Array], ways: Mapping[str, Way]) -> dict[str, float]:
    """The shortest of some times of every way; all in turn, so that all meet the same neighbours.

    What has one thread is timed by what that thread works, whatever else the machine does.
    """
    x, weight, out = (_made_up(each) for each in operands)
    calls = {name: way(op, x, weight, out, np.empty) for name, way in ways.items()}
    best = dict.fromkeys(ways, float("inf"))
    alone = threads_here() == 1
    clock = thread_time if alone else perf_counter
    with single_threaded() if alone else nullcontext(), np.errstate(all="ignore"):
        for each in calls.values():
            run_calls(each)
        start = clock()
        for _ in range(ROUNDS):
            for name, each in calls.items():
                began = clock()
                run_calls(each)
                best[name] = min(best[name], clock() - began)
            if clock() - start > MOST_SECONDS:
                break
    return best


def _made_up(like: Array) -> Array:
    """Ones that lie in memory as the array does, as far as its elements lie apart."""
    return np.ones_like(like, order="K", subok=False)
