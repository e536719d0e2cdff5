"""Tables and the page, from results that were not measured."""

from __future__ import annotations

from benchmarks import report
from benchmarks.compile_time import Compilation, compilation
from benchmarks.measure import Result, Settings
from benchmarks.page import page
from benchmarks.workloads import HELD_BACK, chosen

FAST = Result(0.5, 0.1, [1.0], [1e-4, 2e-4, 3e-4], 60.0, 40.0, 0.25)
SLOW = Result(2.0, 0.7, [1.0], [4e-4, 4e-4, 9e-4], 300.0, 200.0)
RESULTS = {"asg_numpy": FAST, "torch": SLOW}


def test_ratios_are_medians_of_the_ratios_within_each_round() -> None:
    assert FAST.seconds == 2e-4 and SLOW.seconds == 4e-4
    assert round(FAST.ratio(SLOW), 6) == 0.333333  # of 1/4, 1/2, 1/3
    first, second = report.rows("mlp", RESULTS)
    assert first == ["mlp", "asg_numpy", "200.0 us", "0.33", "-", "0.50", "0.25", "60", "20"]
    assert second == ["mlp", "torch", "400.0 us", "1.00", "-", "2.00", "-", "300", "100"]


def test_the_overview_has_a_column_for_each_peer() -> None:
    measured = {"mlp": RESULTS, "lstm": {"asg_numpy": FAST}}
    text = report.aligned(report.overview(measured))
    assert text.splitlines() == [
        "workload  of                  asg_numpy  torch",
        "mlp       torch 400.0 us           0.33   1.00",
        "lstm      asg_numpy 200.0 us       1.00      -",
    ]


def test_the_page_tells_method_machine_tables_and_compilation() -> None:
    chain = Compilation(1000, 4000, 0.1, 0.1, 0.1, 0.1, 0.0, 50.0)
    facts = {"processor": "a fast one"}
    text = page({"mlp": RESULTS, "gru": RESULTS}, [chain], Settings(), facts, "0.10")
    titles = [line for line in text.splitlines() if line.startswith("#")]
    assert titles == [
        "# Performance", "## Method", "## Machine", "## Training steps",
        "## Training steps that nothing was tuned to", "## Compilation",
    ]  # fmt: skip
    assert "| processor | a fast one |" in text and "10 rounds of about 0.3\n" in text
    assert "| gru | torch 400.0 us | 0.33 | 1.00 |" in text
    assert "| 1,000 | 4,000 | 0.10 | 0.10 | 0.10 | 0.10 | 100 | 50 |" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "pytensor" not in text
    more = page({"mlp": {**RESULTS, "pytensor": FAST}}, [], Settings(), facts, "0.10")
    assert "\n- `pytensor`, for dense" in more and max(map(len, more.splitlines())) <= 100


def test_groups_stand_for_their_workloads() -> None:
    assert chosen(["mlp", "held_back", "gru", "mlp"]) == ["mlp", *HELD_BACK]


def test_a_compiled_chain_has_nodes_of_both_directions() -> None:
    small, large = compilation(20), compilation(40)
    assert large.nodes - small.nodes >= 2 * 20
    assert 0 < small.build < small.seconds and small.program > 0
