"""Profiles as tables, JSON, and trace events."""

from __future__ import annotations

import html as escape
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from asg.compiler.plan_text import line_text, scope_text, where_data
from asg.core.table import aligned
from asg.core.units import bytes_text, count_text

if TYPE_CHECKING:
    from asg.compiler.profile import OpTime, Profile

__all__ = ["html", "line_text", "table", "title", "to_json", "trace"]

FORMAT, VERSION = "asg-profile", 1


def title(profile: Profile) -> str:
    """``profile of 'train_step' on numpy: 20 steps of 1.23 ms``."""
    steps = len(profile.steps)
    return (
        f"profile of {profile.name!r} on {profile.backend}: {steps} step{'s' * (steps > 1)} of "
        f"{time_text(profile.step_seconds)}"
    )


def time_text(seconds: float) -> str:
    """Three digits with the unit that suits.

    >>> time_text(0.00123), time_text(4.56e-7), time_text(2.5)
    ('1.23 ms', '0.456 us', '2.5 s')
    """
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"


def table(profile: Profile, top: int) -> str:
    """Totals, nodes, scopes and lines."""
    total = profile.op_seconds
    lines = [title(profile)]
    if not profile.ops:
        return "\n".join(lines)
    rest = profile.step_seconds - total
    other = f"; feeds, results and calls the other {time_text(rest)}" if rest > 0 else ""
    lines.append(f"{len(profile.ops)} ops, timed one by one, take {time_text(total)}{other}")
    parts = (f"{part} {seconds / total:.0%}" for part, seconds in profile.by_part().items())
    lines += [", ".join(parts) if total else "", "", "longest ops"]
    longest = sorted(profile.ops, key=lambda each: -each.seconds)[:top]
    rows = [_HEAD, *(_row(each, total) for each in longest)]
    lines += aligned(rows, right=(1, 2, 3, 4, 5))
    for what, sums in (("scope", profile.by_scope()), ("line", profile.by_line())):
        if any(sums):  # a model that a command builds has no lines of the user
            lines += _sums(what, sums, total, top)
    return "\n".join(lines)


def html(profile: Profile) -> str:
    """The table for a notebook."""
    return f"<pre>{escape.escape(table(profile, 20))}</pre>"


_HEAD = ["op", "time", "share", "FLOP/s", "bytes/s", "FLOPs", "type", "scope", "line"]


def _row(each: OpTime, total: float) -> list[str]:
    seconds = max(each.seconds, 1e-12)
    work = each.work
    return [
        _name(each), time_text(each.seconds), f"{each.seconds / max(total, 1e-12):.1%}",
        count_text(work.flops / seconds), bytes_text((work.read + work.written) / seconds),
        count_text(work.flops), str(each.node.outputs[0].type), scope_text(each.node),
        line_text(each.node),
    ]  # fmt: skip


def _name(each: OpTime) -> str:
    return each.work.name


def _sums(what: str, sums: Mapping[str, float], total: float, top: int) -> Iterator[str]:
    yield ""
    rows = [
        [name or "(none)", time_text(seconds), f"{seconds / max(total, 1e-12):.1%}"]
        for name, seconds in list(sums.items())[:top]
    ]
    yield from aligned([[what, "time", "share"], *rows], right=(1, 2))


# -- for programs ---------------------------------------------------------------------------------


def to_json(profile: Profile) -> str:
    """The document of a profile."""
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "graph": profile.name,
        "backend": profile.backend,
        "steps": list(profile.steps),
        "step_seconds": profile.step_seconds,
        "op_seconds": profile.op_seconds,
        "ops": [_data(each) for each in profile.ops],
        "parts": profile.by_part(),
        "scopes": profile.by_scope(),
        "lines": profile.by_line(),
    }
    return json.dumps(data, ensure_ascii=False)


def _data(each: OpTime) -> dict[str, Any]:
    work = each.work
    return {
        "name": _name(each),
        "seconds": each.seconds,
        "flops": work.flops,
        "read": work.read,
        "written": work.written,
        **where_data(each.node),
    }


def trace(profile: Profile) -> dict[str, Any]:
    """Complete events ("X") in microseconds: of every node, and around every stretch of a scope."""
    events: list[dict[str, Any]] = []
    opened: list[tuple[str, float]] = []
    clock = 0.0
    for each in profile.ops:
        path = [name for name in each.node.origin.scope.split("/") if name]
        shared = 0
        while shared < min(len(path), len(opened)) and opened[shared][0] == path[shared]:
            shared += 1
        _close(events, opened, shared, clock)
        opened += [(name, clock) for name in path[shared:]]
        microseconds = each.seconds * 1e6
        events.append(_event(_name(each), "op", clock, microseconds, _data(each)))
        clock += microseconds
    _close(events, opened, 0, clock)
    whole = _event(profile.name, "step", 0.0, clock, {"step_seconds": profile.step_seconds})
    return {"traceEvents": [whole, *events], "displayTimeUnit": "ms"}


def _close(
    events: list[dict[str, Any]], opened: list[tuple[str, float]], keep: int, clock: float
) -> None:
    while len(opened) > keep:
        path = "/".join(name for name, _ in opened)
        name, start = opened.pop()
        events.append(_event(name, "scope", start, clock - start, {"scope": path}))


def _event(
    name: str, category: str, start: float, duration: float, details: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "name": name, "cat": category, "ph": "X", "ts": start, "dur": duration, "pid": 1, "tid": 1,
        "args": dict(details),
    }  # fmt: skip
