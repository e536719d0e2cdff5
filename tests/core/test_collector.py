"""What becomes of objects that are made while the collector is paused."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from asg.core import collector
from asg.core.collector import paused_collector


class Ring:
    """Refers to itself, as a node does through its outputs."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def _enabled() -> Iterator[None]:
    gc.collect()
    yield
    gc.unfreeze()
    gc.enable()


def test_what_is_made_is_old_at_once_and_is_not_walked() -> None:
    walks: list[str] = []
    gc.callbacks.append(lambda phase, info: walks.append(phase))
    try:
        with paused_collector():
            made = [Ring() for _ in range(5000)]
            assert not gc.isenabled()
    finally:
        gc.callbacks.pop()
    assert gc.isenabled() and not walks
    old = set(map(id, gc.get_objects(generation=2)))
    assert all(id(each) in old for each in made)


def test_what_nobody_holds_is_collected_after_so_many_objects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector, "MOST_UNSEEN", 40_000)
    monkeypatch.setattr(collector, "_unseen", 0)
    monkeypatch.setattr(collector, "_oldest", 0)
    with paused_collector():
        lost = weakref.ref(Ring())
        few = [Ring() for _ in range(1000)]
    assert lost() is not None
    with paused_collector():
        many = [Ring() for _ in range(50_000)]
    assert lost() is None and len(few) + len(many) == 51_000


def test_what_survives_young_walks_counts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "_unseen", 0)
    kept = [Ring() for _ in range(20 * gc.get_threshold()[0])]  # walked, and no longer youngest
    with paused_collector():
        pass
    assert collector._unseen >= len(kept)


def test_what_was_frozen_stays_frozen() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    with paused_collector():
        Ring()
    assert gc.get_freeze_count() >= frozen - 10 > 0


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with paused_collector(), paused_collector():
        pass
    assert not gc.isenabled()
