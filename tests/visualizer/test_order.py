"""Heights: consistent whatever uses whatever."""

import networkx
import pytest
from asg.visualizer.order import heights_of, positions
from asg.visualizer.view import Arrow, Box, View
from hypothesis import given, settings
from hypothesis import strategies as st

PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] != p[1]))


@settings(max_examples=200, deadline=None)
@given(PAIRS)
def test_positions_respect_every_pair_of_an_acyclic_relation(pairs: list[tuple[int, int]]) -> None:
    keys = [(i,) for i in range(10)]
    place = positions(keys, [((a,), (b,)) for a, b in pairs])
    assert sorted(place.values()) == list(range(10))
    if networkx.is_directed_acyclic_graph(networkx.DiGraph(pairs)):
        assert all(place[a,] < place[b,] for a, b in pairs)


def box(key: str, part: str) -> Box:
    return Box((key,), "op", part, (), key, (), "elementwise", "", (0,))


def arrow(tail: str, head: str) -> Arrow:
    return Arrow((tail,), (head,), "flow", "", "")


def view(parts: dict[str, str], pairs: list[str], rows: list[str] | None = None) -> View:
    boxes = {(key,): box(key, part) for key, part in parts.items()}
    arrows = tuple(arrow(*pair) for pair in pairs)
    return View("v", boxes, arrows, tuple(tuple((k,) for k in row) for row in rows or []))


def test_forward_is_down_and_gradient_up() -> None:
    shown = view({"a": "forward", "b": "forward", "g": "gradient", "h": "gradient"}, ["ab", "gh"])
    assert set(heights_of(shown).values()) == {(("a",), ("b",)), (("h",), ("g",))}


def test_arrows_between_columns_and_along_rows_decide_nothing() -> None:
    shown = view({"a": "forward", "b": "forward", "g": "gradient"}, ["ab", "ag"], ["ab"])
    assert heights_of(shown) == {}


def test_a_cycle_is_broken_at_one_arrow() -> None:
    shown = view(dict.fromkeys("abc", "forward"), ["ab", "bc", "ca"])
    kept = {(arrow.tail[0], arrow.head[0]) for arrow in heights_of(shown)}
    assert kept == {("a", "b"), ("b", "c")}


def test_a_cycle_through_rows_is_broken_too() -> None:
    parts = {"a": "forward", "b": "forward", "g": "gradient", "h": "gradient"}
    shown = view(parts, ["ab", "gh"], ["ag", "bh"])  # g level with a, yet below h
    assert len(heights_of(shown)) == 1


@pytest.mark.parametrize("count", [20_000])
def test_long_chains_are_quick(count: int) -> None:
    keys = [(i,) for i in range(count)]
    place = positions(keys, [((i,), (i + 1,)) for i in range(count - 1)])
    assert [place[key] for key in keys] == list(range(count))
