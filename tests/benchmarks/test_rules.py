"""The table of rules and the workloads they fire on."""

from __future__ import annotations

from collections import Counter

import asg
from benchmarks.rules import all_rules, hits, hits_of, table


def test_hits_are_those_of_the_passes_for_symbols_and_for_numbers() -> None:
    found = hits("mlp_small", scale="tiny")
    assert found["permute_of_permute"] == 1 and found["join_updates"] == 1
    x = asg.input("x", ("n",))
    with asg.configure(compile_cache="off"):
        program = asg.compile(asg.Graph(y=asg.exp(x * 1.0) / asg.sum(asg.exp(x), 0, keepdims=True)))
    assert hits_of(program, [(3,)])["softmax_written_out"] == 1


def test_the_table_has_every_rule_and_those_that_fire_first() -> None:
    counted = {"one": Counter(negate_twice=2, fuse=1), "two": Counter(negate_twice=1)}
    rows = table(["one", "two"], counted.__getitem__)
    assert rows[:3] == [
        ["rule", "one", "two"],
        ["negate_twice", "2", "1"],
        ["fuse", "1", ""],
    ]
    assert {"add_zero", "log_of_softmax", "gelu_written_out", "no_more_gradients"} <= set(
        all_rules()
    )
    assert len(rows) == len(all_rules()) + 2
