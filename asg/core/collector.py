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


def _join_oldest() -> None:
    """All objects become old ones, or are collected where that is due."""
    global _unseen, _oldest
    if gc.get_freeze_count():
        return  # what somebody froze must not thaw
    _unseen += gc.get_count()[0]
    is_due = _unseen > max(MOST_UNSEEN, _oldest)
    if is_due:
        gc.collect()
    gc.freeze()
    if is_due:
        _unseen, _oldest = 0, gc.get_freeze_count()
    gc.unfreeze()
