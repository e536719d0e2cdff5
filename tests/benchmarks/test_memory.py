"""The table of planned and measured memory."""

from __future__ import annotations

from benchmarks.memory import memory, table


def test_what_was_planned_is_what_is_allocated() -> None:
    found = memory("mlp_small", scale="tiny")
    assert found.bound == found.arena < found.separate
    assert 0 <= found.allocated - found.planned < 1_000
    assert 0 < found.transient < 64_000
    assert found.formulas is not None and found.formulas[0] == found.formulas[1] > 3


def test_a_workload_without_a_batch_has_no_formula() -> None:
    ((heading, row),) = table(["elemwise"], scale="tiny")
    assert len(heading) == len(row) and row[0] == "elemwise" and row[-1] == "-"
