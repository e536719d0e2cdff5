"""What was compiled before is read back: bit for bit the same, and only if nothing has changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from asg.backends.numpy_cpu.kernel import Kernel

import asg
from asg import nn, optim
from asg.compiler import driver, kept
from asg.compiler.driver import FROM_CACHE, Executable
from asg.compiler.loader import load_backend
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.registry import OPS
from asg.core.types import TensorType
from asg.rewrite.watch import watched
from asg.testing.random_graph import random_recipe
from tests.fuzz.properties import Case

Array = np.ndarray[Any, Any]
RANDOM_GRAPHS = 6


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own for every test, for graphs of any size."""
    monkeypatch.setattr(driver, "FEWEST_CACHED", 0)
    with asg.configure(compile_cache=str(tmp_path)):
        yield tmp_path


def same_bits(one: dict[str, Array], other: dict[str, Array]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes()
        for name in one
    )


def told(graph: Graph) -> str:
    """With the lines of the user's program and all derivations."""
    return asg.graph_text(graph, full=True, locations=True)


def was_read(executable: Executable) -> bool:
    return [record.name for record in executable.late_records] == [FROM_CACHE]


def both(build: Callable[[], Graph], feeds: dict[str, Array]) -> tuple[Executable, Executable]:
    """Compiled, called and compared: the first by passes, the second from the cache."""
    first, second = asg.compile(build()), asg.compile(build())
    results = first(**feeds)
    assert (first.from_cache, was_read(first)) == (False, False)
    assert same_bits(second(**feeds), results)
    assert (second.from_cache, was_read(second)) == (True, True)
    (made,), (read,) = (executable._programs.values() for executable in (first, second))
    assert json.dumps(read.told_plan()) == json.dumps(made.told_plan())  # type: ignore[attr-defined]
    return first, second


# -- the same ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(RANDOM_GRAPHS))
def test_random_graphs_with_their_derivatives(seed: int) -> None:
    case = Case(random_recipe(seed))
    first, second = both(lambda: Case(random_recipe(seed)).graph, case.feeds)
    (made,), (read,) = ([e.late_records[-1].after] for e in (first, second))
    assert told(read) == told(made)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3),
    )  # fmt: skip


def training() -> Graph:
    rule = optim.chain(optim.clip_by_global_norm(1.0), optim.adamw(1e-2))
    step = asg.train_step(network(), loss=asg.cross_entropy, optimizer=rule)
    return step(x=(("batch", 1, 8, 8), "float32"), y=(("batch",), "int32"))


def batch(count: int) -> dict[str, Array]:
    random = np.random.default_rng(count)
    images = random.standard_normal((count, 1, 8, 8), np.float32)
    return {"x": images, "y": random.integers(0, 3, count).astype(np.int32)}


@pytest.mark.parametrize("threads", [1, 2])
def test_training_goes_on_alike(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from asg.backends.numpy_cpu.backend import NumpyBackend

    from asg.passes.shard import ANY_WORK, Shard

    passes = [Shard(ANY_WORK) if each.name == "shard" else each for each in NumpyBackend.passes]
    monkeypatch.setattr(NumpyBackend, "passes", tuple(passes))
    losses, states = [], []
    with asg.configure(threads=threads):
        for read in (False, True):
            session = asg.compile(training()).start(seed=3)
            losses.append([session(**batch(count))["loss"].item() for count in (8, 8, 5)])
            states.append(session.state_dict())
            assert was_read(session.executable) is read
            program: Any = session.program(*(array.shape for array in batch(8).values()))
            ops = {node.op.name for node in program.graph.nodes}
            assert ("shard_map" in ops) == (threads == 2)
    assert losses[0] == losses[1]
    assert same_bits(*states)


def test_variables_that_passes_drop_are_dropped() -> None:
    def build() -> Graph:
        unused = asg.parameter("unused", (3,), init=1.0)
        used = asg.parameter("used", (3,), init=2.0)
        x = asg.input("x", (3,))
        return asg.Graph(y=x * used + asg.stop_gradient(unused) * 0)

    results = []
    for read in (False, True):
        session = asg.compile(build()).start()
        results.append(session(x=np.ones(3, np.float32)))
        assert session.executable.from_cache is read
        assert session.executable.signature.input_names == session.executable.optimized.input_names
    assert same_bits(*results)


def test_loops_with_sizes_of_their_own() -> None:
    def build() -> Graph:
        x = asg.input("x", ("n",))
        end = asg.while_loop(lambda h: asg.sum(h) < 40.0, lambda h: h * x, x)
        return asg.Graph(end=end, slope=asg.grad(asg.sum(end), x))

    both(build, {"x": np.array([1.5, 1.25], np.float32)})


def test_numbers_keep_their_bits() -> None:
    odd = np.array([0x7FC00001, 0xFFC00000, 0x80000000, 0x00000001], np.uint32).view(np.float32)
    large = np.arange(100, dtype=np.float32)

    def build() -> Graph:
        x = asg.input("x", (4,))
        parts = [asg.constant(odd), asg.constant(large) * 2.0, asg.full((2,), -0.0)]
        return asg.Graph(y=asg.concat([x * 3.0, *parts]))

    both(build, {"x": np.ones(4, np.float32)})


def _refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("a plan was made although one is kept")


def test_plans_are_kept_with_their_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    from asg.backends.numpy_cpu import bind

    with asg.configure(threads=1):
        asg.compile(training()).start()(**batch(4))
        with monkeypatch.context() as patch:
            patch.setattr(bind, "complete_plan", _refuse)
            asg.compile(training()).start()(**batch(4))
            with pytest.raises(AssertionError, match="a plan was made"):
                asg.compile(training()).start()(**batch(5))


def test_the_compiled_graph_of_jax_is_kept_too() -> None:
    pytest.importorskip("jax")
    x = asg.input("x", ("n", 3))
    graph = asg.Graph(y=asg.softmax(x * 1.0 + 0.0))
    feed = np.ones((2, 3), np.float32)
    results = [asg.compile(graph, "jax")(x=feed)["y"] for _ in range(2)]
    assert np.array_equal(*results)
    assert asg.compile(graph, "jax").from_cache


# -- not the same ----------------------------------------------------------------------------------


def formula(number: float = 2.0, name: str = "x", size: Any = "n", dtype: str = "float32") -> Graph:
    x = asg.input(name, (size, 3), dtype)
    return asg.Graph(y=asg.softmax(x * number, axis=-1))


def test_any_difference_of_the_graph_is_seen(folder: Path) -> None:
    asg.compile(formula())
    others: list[Graph] = [
        formula(2.5), formula(name="z"), formula(size="m"), formula(size=4), formula(size="2*n"),
        formula(size=asg.dim("n", minimum=2)), formula(dtype="float64"),
        asg.Graph(z=formula().outputs[0]), asg.Graph(y=formula().outputs[0], name="other"),
    ]  # fmt: skip
    for other in others:
        assert not asg.compile(other).from_cache
    assert asg.compile(formula()).from_cache


def test_zeros_of_both_signs_and_ones_of_all_kinds_differ() -> None:
    x = asg.input("x", (3,))
    graphs = [asg.Graph(y=asg.concat([x, asg.full((2,), v)])) for v in (0.0, -0.0, 1.0)]
    graphs += [asg.Graph(y=asg.full((2,), v)) for v in (1, True, 1.0)]
    assert [asg.compile(graph).from_cache for graph in graphs] == [False] * 6


def test_constants_count_by_their_elements() -> None:
    x = asg.input("x", (100,))
    array = np.arange(100, dtype=np.float32)
    assert not asg.compile(asg.Graph(y=x + asg.constant(array))).from_cache
    array[50] += 1
    assert not asg.compile(asg.Graph(y=x + asg.constant(array))).from_cache


def test_roles_and_order_of_variables_count() -> None:
    def build(names: str, role: str = "parameter") -> Graph:
        cells = {name: asg.Variable(name, (), init=0.0, role=role) for name in sorted(names)}
        x = asg.input("x", ())
        for name in names:
            x = asg.sin(x) * cells[name]
        return asg.Graph(y=x)

    for names, role in (("ab", "parameter"), ("ba", "parameter"), ("ab", "statistic")):
        assert not asg.compile(build(names, role)).from_cache


def test_settings_and_sources_count(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = formula()
    asg.compile(graph)
    with asg.configure(threads=7):
        assert not asg.compile(graph).from_cache
    with asg.configure(without=("fold",)):
        assert not asg.compile(graph).from_cache
    with asg.configure(without=("multiply_by_one",)):  # a rule
        assert not asg.compile(graph).from_cache
    for fact in ("sources", "software", "machine"):
        with monkeypatch.context() as patch:
            patch.setattr(kept, fact, lambda: "another")
            assert not asg.compile(graph).from_cache
    assert asg.compile(graph).from_cache


def test_the_stamp_of_sources_changes_with_a_file(tmp_path: Path) -> None:
    from asg.cache.facts import _files

    source = tmp_path / "inner" / "rule.py"
    source.parent.mkdir()
    source.write_text("one")
    before = list(_files(str(tmp_path)))
    source.write_text("other")
    assert list(_files(str(tmp_path))) != before


class Foreign(Op):
    category: ClassVar[str] = "elementwise"

    def infer(self, x: TensorType) -> TensorType:
        return x

    def decompose(self, x: asg.Tensor) -> asg.Tensor:
        return x + 1.0


def test_what_asg_does_not_know_is_not_cached(folder: Path) -> None:
    x = asg.input("x", (3,))
    asg.compile(asg.Graph(y=Foreign()(x)))
    asg.compile(asg.Graph(y=asg.cond(x[0] > 0, lambda: Foreign()(x), lambda: x)))
    asg.compile(formula(), pipeline=driver.default_passes(load_backend("numpy"))[0])
    asg.compile(formula(), debug=True)
    with watched():
        asg.compile(formula())
    with asg.configure(compile_cache="off"):
        asg.compile(formula())
    assert not list(folder.iterdir())


def kept_files(folder: Path, **options: Any) -> int:
    """How many there are after a convolution was compiled and called."""
    x, w = asg.input("x", (1, 2, 6, 6)), asg.input("w", (3, 2, 3, 3))
    feeds = {"x": np.ones((1, 2, 6, 6), np.float32), "w": np.ones((3, 2, 3, 3), np.float32)}
    asg.compile(asg.Graph(y=asg.conv2d(x, w)), **options)(**feeds)
    return len([path for path in folder.iterdir() if path.suffix == ".entry"])


def test_plans_count_by_the_kernels_of_blas(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from asg.backends.numpy_cpu import backend

    assert [kept_files(folder) for _ in range(2)] == [3, 3]  # signature, graph, plan
    monkeypatch.setattr(backend, "blas_kernels", lambda: "others")
    assert kept_files(folder) == 4


def test_plans_by_measured_ways_or_foreign_kernels_are_not_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asg.backends.numpy_cpu import tuning
    from asg.backends.numpy_cpu.kernel import KERNELS

    monkeypatch.setattr(tuning, "write_entry", lambda key, content: None)
    assert kept_files(folder, tune=True) == 2

    def bind(op: Any, inputs: Any, outputs: Any, scratch: Any) -> Any:
        return KERNELS[OPS["conv"]].bind(op, inputs, outputs, scratch)

    monkeypatch.setitem(KERNELS, OPS["sin"], Kernel(bind))
    assert kept_files(folder) == 2


def test_small_graphs_leave_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "FEWEST_CACHED", 200)
    asg.compile(formula())(x=np.ones((2, 3), np.float32))
    assert not list(folder.iterdir())


# -- damage ----------------------------------------------------------------------------------------


def test_damaged_entries_are_made_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    feeds = {"x": np.ones((2, 3), np.float32)}
    results = asg.compile(formula())(**feeds)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    damaged = asg.compile(formula())
    assert same_bits(damaged(**feeds), results)
    assert not damaged.from_cache and not was_read(damaged)
    assert len(caplog.records) == 3  # a line each
    both_read = asg.compile(formula())
    assert same_bits(both_read(**feeds), results)
    assert both_read.from_cache and was_read(both_read)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2]", b"[[], [], [], [], []]", b"\xff"])
def test_entries_of_another_kind_are_made_again(
    content: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    feeds = {"x": np.ones((2, 3), np.float32)}
    results = asg.compile(formula())(**feeds)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(kept, "read_entry", lambda key: content)
        assert same_bits(asg.compile(formula())(**feeds), results)
    assert "is damaged" in caplog.text


# -- what is seen of it ----------------------------------------------------------------------------

PROGRAM = "import asg\nx = asg.input('x', ('n', 3))\n{gap}graph = asg.Graph(y=asg.softmax(x * 2.0))"


def test_lines_are_those_of_the_program_as_it_stands_now() -> None:
    def build(gap: str) -> Graph:
        names: dict[str, Any] = {}
        exec(compile(PROGRAM.format(gap=gap), "program.py", "exec"), names)  # noqa: S102
        graph: Graph = names["graph"]
        return graph

    texts = []
    for gap in ("", "\n" * 40):
        executable = asg.compile(build(gap))
        executable(x=np.ones((2, 3), np.float32))
        texts.append(told(executable.late_records[-1].after))
    assert was_read(executable)
    assert "program.py:3" in texts[0] and "program.py:43" in texts[1]
    assert texts[1].replace("program.py:43", "program.py:3") == texts[0]


def test_gradients_still_point_at_what_they_are_of() -> None:
    def build() -> Graph:
        x = asg.input("x", ("n", 3))
        loss = asg.sum(asg.tanh(x) * asg.exp(x))
        return asg.Graph(loss=loss, slope=asg.grad(loss, x))

    graph = build()
    feed = np.ones((2, 3), np.float32)
    asg.compile(build())(x=feed)
    executable = asg.compile(graph)
    executable(x=feed)
    assert was_read(executable)
    forward = {node.lineage for node in graph.nodes}
    sources = {node.origin.gradient_of for node in executable.late_records[0].after.nodes} - {None}
    assert sources and sources <= forward


def test_records_tell_the_passes_all_the_same() -> None:
    first, second = asg.compile(formula()), asg.compile(formula())
    assert second.from_cache
    names = [[record.name for record in each.records] for each in (first, second)]
    assert names[0] == names[1] and "merge_equal" in names[0]
    assert told(first.optimized).splitlines() == told(second.optimized).splitlines()
    assert second.plan(n=2).flops == first.plan(n=2).flops


def test_claims_about_sizes_are_checked_before_anything_is_read() -> None:
    def build() -> Graph:
        x, y = asg.input("x", ("n",)), asg.input("y", ("m",))
        return asg.Graph(y=asg.sin(x) + asg.cos(y))

    asg.compile(build())(np.ones(2, np.float32), np.ones(2, np.float32))
    again = asg.compile(build())
    with pytest.raises(asg.AsgError, match="they are 2 and 3"):
        again(np.ones(2, np.float32), np.ones(3, np.float32))
    assert again(np.ones(2, np.float32), np.ones(2, np.float32))["y"].shape == (2,)
    assert was_read(again)
