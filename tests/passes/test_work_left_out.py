"""What passes leave undone, because nothing would follow from it."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

import asg
from asg.ops import shape, windows
from asg.passes import collect_factors, fuse, move_transposes


def _refuse(*args: Any) -> NoReturn:
    raise AssertionError(f"asked of {args}")


def test_regions_of_lengths_of_their_own_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect_factors, "_written", _refuse)
    x, y, k = asg.input("x", (8, 4)), asg.input("y", (3,)), asg.input("k", ())
    graph = asg.Graph(u=(x * 2.0) * 3.0, v=((y * 2.0) * 3.0) * k)
    found = collect_factors.collect_factors(graph)
    assert len(found.nodes) < len(graph.nodes)
    with pytest.raises(AssertionError, match="asked"):
        collect_factors.collect_factors(asg.Graph(u=(x * 2.0) * 3.0, v=(y * 2.0) * 3.0))


def test_groups_around_which_no_transpose_costs_are_not_weighed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(move_transposes, "_entry_cost", _refuse)
    x, w = asg.input("x", (8, 4)), asg.input("w", (8, 5))
    read_by_products = asg.Graph(y=asg.transpose(asg.tanh(x) * 2.0) @ w)
    assert move_transposes.move_transposes(read_by_products) is read_by_products
    with pytest.raises(AssertionError, match="asked"):
        move_transposes.move_transposes(asg.Graph(y=asg.transpose(asg.tanh(asg.transpose(x)))))


def test_messages_are_not_written_while_sizes_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape, "shape_text", _refuse)
    x = asg.input("x", ("n", 1, 6))
    assert asg.reshape(x, ("n", 2, 3)).shape[1:] == (2, 3)
    assert asg.broadcast_to(x, ("n", 4, 6)).shape[1:] == (4, 6)
    with pytest.raises(AssertionError, match="asked"):
        asg.reshape(x, ("n", 7))


def test_fusing_keeps_what_comes_before_its_groups() -> None:
    x = asg.input("x", (1 << 17,))
    before = asg.sin(asg.sum(x))
    graph = asg.Graph(a=before, b=asg.exp(asg.tanh(x)), c=asg.cos(before))
    fused = fuse.Fuse(1 << 16)(graph, [])
    assert fused.outputs[0] is before and fused.outputs[1].node.op.name == "fused"


def test_equal_windows_overlap_once() -> None:
    windows.overlap.cache_clear()
    list(windows.taps([windows.Axis(3, 1, (1, 1))] * 2, [9, 9]))
    assert windows.overlap.cache_info().misses == 3
