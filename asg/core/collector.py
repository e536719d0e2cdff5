"""Pause Python's cycle collector while many nodes are made.

Building a graph frees nothing, yet every so many new objects the collector would walk all of them
again; at 10^5 nodes that is more than half of the time. Nor is one walk at the end worth it, since
what was built is there to stay: it joins the oldest objects unseen, which are walked seldom.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MOST_UNSEEN = 1 << 20
"""Objects that pauses may leave among the oldest, unless there were more of these, before all are
walked: graphs that nobody holds any more wait for that, about 100 MB of them."""

FROZEN_BY_PYTHON = 1000
"""Objects, at most: Python 3.12 freezes 375 when it starts, which may as well thaw. Whoever freezes
what has been imported freezes many more."""

_unseen = 0
_oldest = 0


@contextmanager
def paused_collector() -> Iterator[None]:
    """No cyclic collection inside; left as it was found afterwards."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            _join_oldest()
            gc.enable()


def _most_young() -> int:
    """How many objects are not among the oldest, at most: a walk leaves those that it begins with.

    One begins when there are more objects, or walks of younger ones, than the thresholds.
    """
    young, walks, walks_of_middle = gc.get_count()
    most, most_walks, _ = gc.get_threshold()
    return young + (most + 1) * (walks + (most_walks + 2) * walks_of_middle)


def _join_oldest() -> None:
    """All objects become old ones, or are collected where that is due."""
    global _unseen, _oldest
    if gc.get_freeze_count() > FROZEN_BY_PYTHON:
        return  # what somebody froze must not thaw
    _unseen += _most_young()
    is_due = _unseen > max(MOST_UNSEEN, _oldest)
    if is_due:
        gc.collect()
    gc.freeze()
    if is_due:
        _unseen, _oldest = 0, gc.get_freeze_count()
    gc.unfreeze()
