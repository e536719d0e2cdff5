"""The formulas of a plan tell what plans for other numbers tell, and what is then allocated."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

import asg
from asg.compiler import Executable
from asg.compiler import formulas as making
from asg.compiler.formulas import TOTALS
from asg.core.dim import symbol
from asg.core.errors import OperandError
from benchmarks import workloads
from benchmarks.peers.asg_peer import step_graph

N = symbol("n")


@pytest.fixture(autouse=True)
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    given = getattr(request, "param", 1)
    with asg.configure(threads=given):  # shards change what is allocated
        yield


def step_of(name: str, scale: str) -> Executable:
    workload = workloads.workload(name, scale)
    return asg.compile(step_graph(workload, workload.batches()[0]))


def small() -> Executable:
    x, w = asg.input("x", ("n", 8)), asg.input("w", (8, 16))
    return asg.compile(asg.Graph(y=asg.tanh(x @ w)))


@pytest.mark.parametrize(
    ("threads", "name", "scale", "start", "numbers"),
    [
        (1, "mlp", "full", 1000, (444, 555, 777, 1234, 1400)),
        (1, "mlp_small", "tiny", 40, (21, 33, 58, 77, 101)),
        (1, "lenet", "full", 200, (201, 222, 255, 313, 370)),
        (2, "lenet", "full", 128, (116, 134, 150, 162, 186)),
        (2, "gru", "full", 128, (110, 134, 158, 176, 190)),  # with a loop in each shard
        pytest.param(1, "cnn", "full", 200, (187, 193, 205, 231, 249), marks=pytest.mark.slow),
        pytest.param(2, "cnn", "full", 128, (139, 147, 166, 193, 231), marks=pytest.mark.slow),
        pytest.param(1, "lstm", "full", 32, (20, 27, 34, 41, 55), marks=pytest.mark.slow),
        pytest.param(1, "gpt", "full", 16, (9, 15, 21), marks=pytest.mark.slow),
    ],
    indirect=["threads"],
)
def test_the_arena_of_five_other_batches_is_as_predicted(
    threads: None, name: str, scale: str, start: int, numbers: tuple[int, ...]
) -> None:
    executable = step_of(name, scale)
    formulas = executable.plan(batch=start).formulas()
    for number in numbers:
        predicted, plan = formulas.at(number), executable.plan(batch=number)
        assert plan.memory is not None
        feeds = executable.graph.feeds.values()
        shapes: Any = [(number, *tensor.type.shape[1:]) for tensor in feeds]
        program: Any = executable.build(shapes)
        assert predicted["arena"] == program.plan.arena_bytes == plan.memory.arena_bytes
        assert predicted["peak"] == plan.peak_bytes
        work = (plan.flops, plan.bytes_read, plan.bytes_written)
        assert tuple(predicted[each] for each in ("flops", "read", "written")) == work


def test_memory_of_bodies_and_gaps_between_values_are_told() -> None:
    executable = step_of("gru", "tiny")
    formulas = executable.plan(batch=40).formulas()
    for number in (33, 52, 300):
        plan = executable.plan(batch=number)
        predicted, memory = formulas.at(number), plan.memory
        assert memory is not None
        assert predicted["arena"] == memory.lower_bound_bytes <= memory.arena_bytes
        assert predicted["bodies"] == memory.body_bytes > 0
        assert predicted["peak"] == plan.peak_bytes - memory.arena_bytes + predicted["arena"]
    assert set(formulas.waste) >= {formulas.low, 40, formulas.high}
    assert min(formulas.waste.values()) >= 0 < max(formulas.waste.values())
    assert "since gaps are left between values" in str(formulas)


def test_formulas_by_hand() -> None:
    formulas = small().plan(n=4).formulas()
    assert tuple(formulas.totals) == TOTALS
    # x, w, and x @ w, in whose place tanh runs; each is a whole number of cache lines.
    assert formulas.totals["arena"] == (N + 1) // 2 * 64 + 512 + 64 * N
    assert formulas.totals["feeds"] == 32 * N + 512
    assert formulas.totals["results"] == 64 * N
    assert formulas.totals["flops"] == (2 * 8 * 16 + 16) * N
    assert formulas.totals["peak"] == formulas.totals["arena"] + 32 * N + 512 + 64 * N


def test_values_that_are_no_whole_number_of_cache_lines() -> None:
    x = asg.input("x", ("n", 3))
    formulas = asg.compile(asg.Graph(y=asg.tanh(x))).plan(n=4).formulas()
    assert formulas.totals["arena"] == (12 * N + 63) // 64 * 64
    assert formulas.at(5)["arena"] == 64 and formulas.at(6)["arena"] == 128


def test_the_other_sizes_keep_their_numbers() -> None:
    n, m = symbol("n", multiple_of=4), symbol("m", minimum=2)
    executable = asg.compile(asg.Graph(y=asg.tanh(asg.input("x", (n, m)))))
    plan = executable.plan(n=16, m=4)
    by_n, by_m = plan.formulas("n"), plan.formulas("m")
    assert (by_n.sizes, by_m.sizes) == ({"m": 4}, {"n": 16})
    assert str(by_n.totals["feeds"]) == "16*n" and str(by_m.totals["feeds"]) == "64*m"
    assert by_n.step == 4 and by_m.low == 2
    with pytest.raises(OperandError, match="name one of n, m"):
        plan.formulas()
    with pytest.raises(OperandError, match="in steps of 4, not for n=18"):
        by_n.at(18)


def test_no_number_outside_the_range_is_answered() -> None:
    formulas = small().plan(n=16).formulas("n")
    assert formulas.low <= 16 <= formulas.high
    for number in (formulas.low - 1, formulas.high + 1):
        with pytest.raises(OperandError, match=f"not for n={number}: there the program is planned"):
            formulas.at(number)


def test_a_size_is_refused_that_is_not_there() -> None:
    with pytest.raises(OperandError, match="has no size 'm'"):
        small().plan(n=4).formulas("m")


def test_a_backend_that_tells_no_places_has_no_formulas() -> None:
    plan = replace(small().plan(n=4), memory=None)
    with pytest.raises(OperandError, match="'numpy' does not tell where values lie"):
        plan.formulas()


def test_formulas_as_text_and_json() -> None:
    formulas = small().plan(n=4).formulas()
    lines = str(formulas).splitlines()
    assert lines[0] == f"for n from {formulas.low} to {formulas.high}"
    assert lines[2].split(maxsplit=1) == ["arena", "64*n + 64*((n + 1)//2) + 512"]
    assert (
        lines[-1] == f"compared with the plans of {len(formulas.waste)} numbers: every byte as told"
    )
    data = json.loads(formulas.to_json())
    assert (data["format"], data["size"]) == ("asg-formulas", "n")
    assert data["totals"]["feeds"] == "32*n + 512"
    assert repr(formulas) == f"<formulas in n from {formulas.low} to {formulas.high}>"


def test_where_decisions_change_from_number_to_number_there_is_no_formula(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wirings = count()
    monkeypatch.setattr(making, "_wiring", lambda graph: ((next(wirings),),))
    with pytest.raises(OperandError, match="around n=128 programs are planned in another way"):
        small().plan(n=128).formulas()
