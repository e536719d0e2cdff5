"""The table of passes, rules and programs; what is worth nothing anywhere does not stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import process_time

import numpy as np
import pytest

import asg
from benchmarks.leave_out import Gain, gains, hits_of, passes_of, ratio, rules_of
from benchmarks.page import GAINS_TITLE, gains_section, with_section
from benchmarks.report import worth
from benchmarks.rules import MEASURED, hits, main, never_fired, table
from benchmarks.written import PROGRAMS, program


def test_hits_are_those_of_the_passes_for_symbols_and_for_numbers() -> None:
    found = hits("mlp_small", scale="tiny")
    assert found["permute_of_permute"] == 1 and found["join_updates"] == 1
    assert found["simplify"] >= 1 and "merge_loops" not in found
    x = asg.input("x", ("n",))
    with asg.configure(compile_cache="off"):
        executable = asg.compile(asg.Graph(y=asg.exp(x * 1.0) / asg.sum(asg.exp(x), 0)))
    assert hits_of(executable, [(3,)])["multiply_by_one"] == 1


def test_the_table_has_every_rule_and_those_that_fire_first() -> None:
    counted = {"one": Counter(negate_twice=2, fuse=1), "two": Counter(negate_twice=1)}
    rows = table(["one", "two"], counted.__getitem__)
    assert rows[:3] == [
        ["rule", "one", "two"],
        ["negate_twice", "2", "1"],
        ["fuse", "1", ""],
    ]
    rules = rules_of("numpy")
    assert {"add_zero", "log_of_softmax", "gelu_written_out", "no_more_gradients"} <= {*rules}
    assert len(rows) == len(rules) + len(passes_of("numpy")) + 1


def test_every_pass_and_rule_does_something_to_a_program() -> None:
    """A rule that fires nowhere goes, or a program is added in which users write what it is for."""
    counted = [hits(name, scale="tiny") for name in MEASURED]
    assert never_fired(counted) == ["fuse", "schedule"]  # which are for large values
    assert hits("mlp")["fuse"] and hits("cnn")["schedule"]
    assert hits("deep100", "jax")["roll"]  # which is for many layers
    assert hits("gates", "jax")["join_products"]
    assert never_fired(counted[:1])  # those of a perceptron are few


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_give_the_same_without_passes(name: str) -> None:
    found = program(name, tiny=True)
    plain = ("simplify", "stabilise", "recognise", "fold", "merge_equal", "fuse", "join_updates")
    with asg.configure(compile_cache="off"):
        result = asg.compile(found.graph).start(seed=0)(**found.feeds)
    with asg.configure(compile_cache="off", without=plain):
        wanted = asg.compile(program(name, tiny=True).graph).start(seed=0)(**found.feeds)
    for key, value in wanted.items():
        np.testing.assert_allclose(result[key], value, rtol=2e-4, atol=1e-5, err_msg=key)
        assert np.isfinite(value).all()


def test_what_is_left_out_is_missed_and_what_does_nothing_is_not_told() -> None:
    found = gains("general", "numpy", {"simplify", "fold"}.__contains__, process_time, 0.0, "tiny")
    (one,) = found
    assert one.left_out == "simplify" and one.nodes > 10 and one.step == 1.0 and one.peak > 1.0


def test_ratios_are_of_lower_quartiles_of_turns() -> None:
    now = 0.0

    def takes(times: list[float]) -> Callable[[], None]:
        def run() -> None:
            nonlocal now
            now += times[0]
            times.append(times.pop(0))

        return run

    slow, fast = takes([0.06, 0.06, 0.9]), takes([0.03])
    assert ratio(slow, fast, lambda: now, 2.0) == pytest.approx(2.0)


FOUND = [
    Gain("mlp", "numpy", "fuse", 1.5, 1.25, 3),
    Gain("gpt", "numpy", "fuse", 0.96, 1.5, 1000),
    Gain("gpt", "numpy", "fold", 1.75, 1.0, -1),
    Gain("gpt", "jax", "simplify", 1.0, 1.0, 2),
]


def test_gains_are_a_table_and_a_section_of_the_page() -> None:
    assert worth(FOUND, "numpy")[1:] == [
        ["fold", "1.75 gpt", "1", "1.75", "1.00 gpt", "-1"],
        ["fuse", "1.50 mlp", "2", "1.20", "1.50 gpt", "1,003"],
    ]
    section = gains_section(FOUND)
    assert "On numpy:" in section and "| simplify | 1.00 gpt | 1 | 1.00 | 1.00 gpt | 2 |" in section
    page = with_section(
        "# Page\n\n## Passes and rules\n\nold\n\n## Last\n\nend\n", GAINS_TITLE, "new"
    )
    assert page == "# Page\n\n## Passes and rules\n\nnew\n\n## Last\n\nend\n"
    assert with_section("# Page\n", GAINS_TITLE, "new") == "# Page\n\n## Passes and rules\n\nnew\n"


def test_a_program_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["mpl"])
    assert "no program 'mpl'" in capsys.readouterr().err
