"""The plan shown before a program runs is the plan it runs by, and costs no memory itself."""

import json
import tracemalloc
from functools import cache
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.backend import BACKEND
from asg.visualizer.group import view_of

import asg
from asg.analysis.memory import ALIGNMENT, MemoryPlan
from asg.compiler import Executable
from asg.core.dim import symbol
from asg.core.errors import DimError, OperandError
from asg.describe import describe
from asg.passes.lower import lower
from benchmarks.memory import numpy_bytes, traced, transient
from tests.backends.numpy_cpu.programs import random_program
from tests.compiler import steps
from tests.compiler.steps import KINDS, feeds_of, step_of


@cache
def compiled(name: str) -> Executable:
    return asg.compile(step_of(name))


def small() -> Executable:
    x, w = asg.input("x", ("n", 8)), asg.input("w", (8, 16))
    with asg.scope("layer"):
        y = asg.tanh(x @ w)
    return asg.compile(asg.Graph(y=y, total=asg.sum(y)))


def numbers(memory: MemoryPlan) -> tuple[Any, ...]:
    return (
        memory.arena_bytes, memory.state_bytes, memory.constant_bytes, memory.body_bytes,
        memory.lower_bound_bytes, memory.separate_bytes, memory.blocks,
    )  # fmt: skip


# -- exact ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_the_plan_is_what_the_program_allocates(name: str) -> None:
    executable, feeds = compiled(name), feeds_of(name, 5)
    plan = executable.plan(batch=5)
    assert plan.memory is not None
    session = executable.start(seed=0)
    with traced():
        before = numpy_bytes()
        program = session.program(*(feeds[each].shape for each in executable.graph.feeds))
        grown = numpy_bytes() - before
    assert numbers(plan.memory) == numbers(program.plan)  # type: ignore[attr-defined]
    memories = 2 * (1 + sum(map(len, plan.memory.inside.values())))
    planned = plan.memory.arena_bytes + plan.memory.state_bytes + plan.memory.body_bytes
    few = plan.memory.constant_bytes + 4096  # constants, and indices that kernels prepare
    assert planned + memories * 2 * ALIGNMENT <= grown + few
    assert grown <= planned + memories * (2 * ALIGNMENT + 1) + few
    assert np.isfinite(session(**feeds)["loss"])


@pytest.mark.parametrize("seed", range(25))
def test_the_plan_of_random_programs_is_exact(seed: int) -> None:
    graph = lower(random_program(seed).graph, BACKEND)
    planned, made = BACKEND.plan(graph).memory, BACKEND.compile(graph).plan
    assert planned == made
    arena = [p for p in made.places.values() if p.memory == "arena"]
    assert max((p.offset + p.nbytes for p in arena), default=0) <= made.arena_bytes


def test_bodies_of_loops_and_branches_are_counted() -> None:
    x = asg.input("x", ("n", 32))
    last, _ = asg.scan(lambda c, row: (asg.tanh(c + row), c), asg.zeros((32,)), x)
    chosen = asg.cond(asg.sum(last) > 0, lambda: last @ asg.transpose(x), lambda: asg.sum(x, 1))
    executable = asg.compile(asg.Graph(y=chosen))
    memory = executable.plan(n=7).memory
    assert memory is not None and len(memory.inside) == 2
    inner = [plan for plans in memory.inside.values() for plan in plans]
    own = sum(p.arena_bytes + p.state_bytes for p in inner)
    assert memory.body_bytes == own + memory.held_bytes > 0
    made = executable.build([(7, 32)]).plan  # type: ignore[attr-defined]
    assert numbers(memory) == numbers(made)


def test_planning_allocates_nothing() -> None:
    executable = compiled("lstm")
    executable.plan(batch=3)
    with traced():
        plan = executable.plan(batch=10**5)
        peak = tracemalloc.get_traced_memory()[1]
    assert plan.peak_bytes > 10**8 and peak < plan.peak_bytes / 20


@pytest.mark.parametrize("name", KINDS)
def test_a_step_allocates_little_beside_the_plan(name: str) -> None:
    session, feeds = compiled(name).start(seed=0), feeds_of(name, 512)
    assert transient(session, feeds) < 64_000 < session.plan(batch=512).peak_bytes


# -- numbers, by hand -----------------------------------------------------------------------------


def test_work_is_counted_per_op() -> None:
    plan = small().plan(n=4)
    product, tanh, total = plan.work
    assert (product.flops, product.read, product.written) == (2 * 4 * 8 * 16, 128 + 512, 256)
    assert (tanh.flops, tanh.read, tanh.written) == (64, 256, 256)
    assert product.intensity == 1024 / 896
    assert plan.flops == product.flops + tanh.flops + total.flops
    assert (plan.bytes_read, plan.bytes_written) == (128 + 512 + 256 + 256, 256 + 256 + 4)


def test_the_peak_is_the_sum_of_its_parts() -> None:
    plan = small().plan(n=4)
    memory = plan.memory
    assert memory is not None
    # x, w and x @ w exist at once; tanh runs in place, and the sum fits where x was.
    assert memory.arena_bytes == memory.lower_bound_bytes == 128 + 512 + 256
    assert (memory.feed_bytes, memory.result_bytes) == (128 + 512, 256 + 4)
    assert plan.peak_bytes == memory.peak_bytes + 640 + 260 == 896 + 640 + 260


def test_the_table_tells_totals_ops_and_places() -> None:
    plan = small().plan(n=4)
    lines = str(plan).splitlines()
    assert lines[0] == "plan of 'graph' on numpy, n=4"
    assert lines[1] == "memory  1.8 KiB at the peak: arena 896 B, feeds 640 B, results 260 B"
    row = next(line for line in lines if line.startswith("matmul"))
    assert row.split()[1:5] == ["1.02", "k", "88.9%", "640"] and "layer" in row
    assert f"{__file__.rpartition('/')[2]}:" in row
    assert any("f32[4, 16]" in line and "in place" in line for line in lines)
    assert len(plan.table(top=1).splitlines()) < len(lines)
    assert plan._repr_html_().startswith("<pre>plan of &#x27;graph&#x27;")


def test_json_holds_everything() -> None:
    plan = small().plan(n=4)
    data = json.loads(plan.to_json())
    assert (data["format"], data["sizes"]) == ("asg-plan", {"n": 4})
    assert sum(op["flops"] for op in data["ops"]) == data["flops"] == plan.flops
    assert data["memory"]["arena_bytes"] == 896
    values = {value["name"]: value for value in data["values"]}
    assert values["input 'x'"]["first"] == -1 and values["input 'x'"]["memory"] == "arena"
    assert all(op["line"] for op in data["ops"])


def test_a_session_tells_the_same_plan() -> None:
    session = compiled("mlp").start(seed=0)
    assert str(session.plan(batch=3)) == str(compiled("mlp").plan(batch=3))


def test_asking_for_a_plan_leaves_the_records_alone() -> None:
    executable = small()
    executable.build([(3, 8), (8, 16)])
    before = list(executable.late_records)
    executable.plan(n=9)
    assert executable.late_records == before != []


# -- the largest size that fits -------------------------------------------------------------------


def test_the_largest_batch_is_the_last_that_fits() -> None:
    executable = small()
    plan = executable.plan(n=1)
    for limit in (2000, 5000, 20_000):
        found = plan.largest("n", limit)
        peaks = [executable.plan(n=n).peak_bytes for n in range(1, found + 8)]
        assert [n for n, peak in enumerate(peaks, 1) if peak <= limit][-1] == found


def test_the_largest_size_keeps_its_promises() -> None:
    n = symbol("n", minimum=8, multiple_of=8)
    plan = asg.compile(asg.Graph(y=asg.exp(asg.input("x", (n, 16))))).plan(n=8)
    found = plan.largest("n", "10kB")
    assert found % 8 == 0 and found == 48  # three arrays of 64 n bytes: of the caller and our own


@pytest.mark.parametrize(
    ("size", "memory", "told"),
    [
        ("m", "1GB", "no size 'm'; there are: n"),
        ("n", "4 parsecs", "memory='4 parsecs' is no size"),
        ("n", 0, "memory=0 is no size"),
        ("n", "1kB", "n=1 needs"),
    ],
)
def test_what_cannot_be_answered_is_told(size: str, memory: Any, told: str) -> None:
    with pytest.raises(OperandError, match=told):
        small().plan(n=1).largest(size, memory)


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(OperandError, match="no size 'bach'; did you mean 'batch'"):
        compiled("mlp").plan(bach=3)
    with pytest.raises(OperandError, match=r"needs a number for batch: plan\(batch=64\)"):
        compiled("mlp").plan()
    with pytest.raises(DimError, match="below its minimum"):
        compiled("mlp").plan(batch=0)


# -- other backends -------------------------------------------------------------------------------


def test_on_jax_the_plan_is_what_xla_says() -> None:
    pytest.importorskip("jax")
    x, w = asg.input("x", ("n", 8)), asg.input("w", (8, 16))
    plan = asg.compile(asg.Graph(y=asg.tanh(x @ w)), "jax").plan(n=4)
    assert plan.memory is None and plan.reported["argument bytes"] == 4 * (32 + 128)
    assert plan.reported["output bytes"] == 4 * 64
    assert plan.peak_bytes >= 4 * (32 + 128 + 64)
    assert plan.flops == 2 * 4 * 8 * 16 + 64
    assert "jax itself says:" in str(plan) and json.loads(plan.to_json())["values"] == []


# -- shards ---------------------------------------------------------------------------------------


def sharded() -> tuple[Executable, dict[str, Any]]:
    """A step whose batch two threads share."""
    return asg.compile(step_of("cnn")), feeds_of("cnn", 2048)


def test_the_work_and_the_values_of_shards_are_told_one_by_one() -> None:
    with asg.configure(threads=1):
        whole = sharded()[0].plan(batch=2048)
    with asg.configure(threads=2):
        plan = sharded()[0].plan(batch=2048)
    (cut,) = (place for place, node in enumerate(plan.graph.nodes) if node.op.name == "shard_map")
    inside = [each for each in plan.work if each.within == cut]
    assert all(each.node.op.name != "shard_map" for each in plan.work)
    products = [each for each in inside if each.node.op.name == "conv"]
    assert sum(each.flops for each in products) == sum(
        each.flops for each in whole.work if each.node.op.name == "conv"
    )
    assert all(each.name.startswith(f"conv.{cut}.") for each in products)
    told = json.loads(plan.to_json())
    assert {each.name for each in inside} <= {op["name"] for op in told["ops"]}
    assert sum(op["flops"] for op in told["ops"]) == told["flops"] == plan.flops
    assert plan.memory is not None
    (shard, other) = plan.memory.nested[cut]
    assert shard is other
    of_shards = [value for value in told["values"] if value["shards"] == 2]
    assert max(v["offset"] + v["bytes"] for v in of_shards) <= shard.arena_bytes
    assert f"{products[0].name} " in str(plan) and "each of 2 shards" in str(plan)


def test_a_profile_names_the_work_of_shards_as_the_plan_does() -> None:
    with asg.configure(threads=2):
        executable, feeds = sharded()
        session = executable.start(seed=0)
        profile = session.profile(1, **feeds)
        planned = {each.name for each in session.plan(batch=2048).work}
    inside = [each for each in profile.ops if each.work.within is not None]
    assert {each.work.name for each in inside} <= planned
    places = {op.node.origin.location for op in inside}
    assert {place.file for place in places if place is not None} == {steps.__file__}
    (cut,) = (each for each in profile.ops if each.node.op.name == "shard_map")
    assert cut.work.flops == 0 < sum(each.work.flops for each in inside)
    (box,) = (
        box for box in view_of(describe(profile)).boxes.values()
        if cut.node.serial in box.serials
    )  # fmt: skip
    assert box.share == pytest.approx(
        sum(each.seconds for each in (cut, *inside)) / profile.op_seconds
    )
