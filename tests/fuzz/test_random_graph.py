"""Random graphs: what must hold of every graph holds of these, and planted mistakes are found.

A failure prints the smallest program that still fails; paste it into a file to look at it.
"""

from __future__ import annotations

import runpy
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from asg.backends.jax_xla.kernel import KERNELS as JAX_KERNELS
from asg.backends.numpy_cpu import plan
from asg.backends.numpy_cpu.kernel import KERNELS as NUMPY_KERNELS

import asg
from asg.analysis.liveness import lifetimes
from asg.autodiff import vjp as vjp_driver
from asg.autodiff.sum_to import respell
from asg.compiler.loader import load_backend
from asg.core import text
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.op import Op
from asg.core.registry import OPS
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.elementwise import Subtract
from asg.ops.leaf import DimSize
from asg.ops.shape import PermuteDims, Reshape
from asg.passes import merge_equal as merge_module
from asg.passes import pipeline, specialise
from asg.passes.pipeline import RulePass
from asg.rewrite.rule import Rule, node_rule
from asg.testing.draw import Draw, Size
from asg.testing.random_graph import random_recipe
from asg.testing.recipe import Recipe
from asg.testing.shrink import shrink
from tests.fuzz.properties import (
    ALL,
    WITHOUT_JAX,
    Case,
    Property,
    derivatives_are_differences,
    jax_is_numpy,
    optimised_is_plain,
    passes_keep_graphs_well_formed,
    problems_of,
    second_derivatives_are_symmetric,
    static_is_symbolic,
    text_is_read_back,
    what_memory_holds_at_first_is_not_read,
)


def check(recipe: Recipe, properties: Sequence[Property]) -> None:
    """Fail with the smallest program for which the first broken property is broken."""
    problems = problems_of(recipe, properties)
    if not problems:
        return
    chosen = [each for each in properties if each.__name__ == next(iter(problems))]
    smallest = shrink(recipe, lambda each: bool(problems_of(each, chosen)))
    told = "\n".join(f"{name}: {line}" for name, lines in problems.items() for line in lines[:3])
    now = "\n".join(problems_of(smallest, chosen)[chosen[0].__name__][:3])
    pytest.fail(f"{told}\n\n{smallest.script(now)}", pytrace=False)


@pytest.mark.parametrize("seed", range(30))
def test_small_graphs(seed: int) -> None:
    check(random_recipe(seed), WITHOUT_JAX)


@pytest.mark.parametrize("seed", range(1000, 1012))
def test_graphs_on_both_backends(seed: int) -> None:
    check(random_recipe(seed), ALL)


@pytest.mark.parametrize("seed", range(2000, 2002))
def test_large_graphs(seed: int) -> None:
    check(random_recipe(seed, nodes=150), WITHOUT_JAX)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5000, 5300))
def test_many_graphs(seed: int) -> None:
    check(random_recipe(seed), ALL)


# -- what is drawn -----------------------------------------------------------------------------


def test_equal_seeds_give_equal_graphs() -> None:
    for seed in range(20):
        assert random_recipe(seed).script() == random_recipe(seed).script()
    assert len({random_recipe(seed).script() for seed in range(20)}) == 20


def test_graphs_are_of_many_kinds() -> None:
    """Almost every op with a value of its own, both dtypes, symbols, checks, shared values."""
    seen: Counter[str] = Counter()
    for seed in range(300):
        recipe = random_recipe(seed)
        values = recipe.build()
        graph = Graph({name: values[name] for name in recipe.outputs})
        seen.update({node.op.name for node in graph.nodes})
        seen.update({values[name].dtype.name for name in recipe.feeds})
        seen["symbolic"] += any(not x.type.is_static for x in graph.inputs)
        seen["checks"] += bool(graph.checks)
        seen["shared"] += any(len(users) > 1 for users in graph.users.values())
        seen["60 nodes"] += len(graph.nodes) > 40
    common = ("float64", "float32", "int32", "symbolic", "checks", "shared", "60 nodes")
    assert all(seen[kind] >= 3 for kind in common), seen
    assert len(seen.keys() & OPS.keys()) >= 200


def test_values_are_tame() -> None:
    for seed in range(30):
        case = Case(random_recipe(seed))
        for name, value in case.found.items():
            assert np.isfinite(value).all(), (seed, name)
            if name.startswith("y.") and value.dtype.kind == "f":
                assert np.abs(value.astype(np.float64)).max(initial=0.0) < 2000.0, (seed, name)


def test_differences_are_reliable_nearly_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with finite differences must not excuse itself by kinks."""
    from tests.fuzz import properties

    errors: list[float] = []
    rule = properties._slope_problem

    def noted(case: Case, letter: str, along: Any, value: float, error: float) -> list[str]:
        errors.append(error)
        return rule(case, letter, along, value, error)

    monkeypatch.setattr(properties, "_slope_problem", noted)
    for seed in range(25):
        derivatives_are_differences(Case(random_recipe(seed)))
    assert len(errors) > 50
    assert np.mean(np.array(errors) > 1e-6) < 0.1


def test_numbers_at_kinks_are_for_their_maker_alone() -> None:
    draw = Draw(Random(0), "float64", [Size(2)])
    draw.input((2,), np.array([0.0, 1.0]))
    assert draw.pick() is None
    away = draw.input((2,), np.array([-0.5, 1.0]))
    assert {draw.pick() for _ in range(20)} == {away}


def test_a_script_builds_the_same_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(12):
        recipe = random_recipe(seed, nodes=10)
        values = recipe.build()
        path = tmp_path / f"script{seed}.py"
        path.write_text(recipe.script("a note\nof two lines"))
        found = runpy.run_path(str(path))
        outputs = {name: values[name] for name in recipe.outputs}
        assert str(asg.Graph(found["outputs"])) == str(Graph(outputs))
        for name, array in recipe.feeds.items():
            np.testing.assert_array_equal(found["feeds"][name], array)
        assert "numpy {'values." in capsys.readouterr().out


def test_a_static_recipe_has_no_symbols() -> None:
    for seed in range(30):
        values = random_recipe(seed).static().build()
        assert all(tensor.type.is_static for tensor in values.values())


# -- planted mistakes ----------------------------------------------------------------------------


def found_and_shrunk(holds: Property, nodes: int | None = None) -> Recipe:
    """What the first of a hundred graphs that breaks a property shrinks to: at most six nodes."""

    def fails(recipe: Recipe) -> bool:
        return bool(problems_of(recipe, [holds]))

    for seed in range(100):
        recipe = random_recipe(seed, nodes)
        if fails(recipe):
            smallest = shrink(recipe, fails)
            assert fails(smallest) and len(nodes_of(smallest)) <= 6, smallest.script()
            return smallest
    raise AssertionError(f"{holds.__name__} holds of all these graphs")


def nodes_of(recipe: Recipe) -> tuple[Node, ...]:
    values = recipe.build()
    return Graph({name: values[name] for name in recipe.outputs}).nodes


def ops_of(recipe: Recipe) -> set[str]:
    return {node.op.name for node in nodes_of(recipe)}


def _wrong_tanh(self: Op, inputs: Any, outputs: Any, cotangents: Any) -> Any:
    return [cotangents[0] * (1.0 - outputs[0])]


def _softmax_without_its_sum(self: Op, inputs: Any, outputs: Any, cotangents: Any) -> Any:
    return [cotangents[0] * outputs[0]]


def _tanh_of_first_order(self: Op, inputs: Any, outputs: Any, cotangents: Any) -> Any:
    stopped = asg.stop_gradient(outputs[0])
    return [cotangents[0] * (1.0 - stopped * stopped)]


@pytest.mark.parametrize(
    ("op", "rule"),
    [
        ("tanh", _wrong_tanh),
        ("tanh", _tanh_of_first_order),
        ("softmax", _softmax_without_its_sum),
    ],
)
def test_a_wrong_gradient_rule(op: str, rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPS[op], "vjp", rule)
    recipe = found_and_shrunk(derivatives_are_differences)
    assert ops_of(recipe) & {op, "softmin"}  # which is a softmax


def test_a_wrong_gradient_rule_seen_by_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPS["tanh"], "vjp", _wrong_tanh)
    assert "tanh" in ops_of(found_and_shrunk(jax_is_numpy, nodes=12))


def test_a_gradient_rule_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(self: Op, inputs: Any, outputs: Any, cotangents: Any) -> Any:
        (x, y), (dy,) = inputs, cotangents
        return [dy * y, 2.0 * (dy * x)]

    monkeypatch.setattr(OPS["multiply"], "vjp", doubled)
    found_and_shrunk(second_derivatives_are_symmetric)


def test_a_broadcast_that_is_not_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    def first_of_each(cotangent: Tensor, wanted: TensorType) -> Tensor:
        for _ in range(cotangent.ndim - wanted.ndim):
            cotangent = cotangent[0]
        for axis, (given, size) in enumerate(zip(cotangent.shape, wanted.shape, strict=True)):
            if size == 1 and given != 1:
                cotangent = asg.take(cotangent, [0], axis=axis)
        return respell(cotangent, wanted)

    monkeypatch.setattr(vjp_driver, "sum_to", first_of_each)
    found_and_shrunk(derivatives_are_differences)


def with_rule(monkeypatch: pytest.MonkeyPatch, rule: Rule) -> None:
    rules = (rule, *pipeline.SIMPLIFY.rules)  # before the right ones
    monkeypatch.setattr(pipeline, "SIMPLIFY", RulePass("simplify", rules))


def test_a_wrong_algebra_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    @node_rule(Subtract)
    def exchange(node: Node) -> Tensor | None:
        """x - y -> y - x, for the older x, or it would never settle"""
        x, y = node.inputs
        return y - x if x.node.serial < y.node.serial and x.type == y.type else None

    with_rule(monkeypatch, exchange)
    recipe = found_and_shrunk(optimised_is_plain)
    records = Case(recipe).executable.records
    assert any("exchange" in record.rule_counts() for record in records)


@pytest.mark.slow
def test_a_rule_that_merges_in_the_wrong_order(monkeypatch: pytest.MonkeyPatch) -> None:
    @node_rule(PermuteDims)
    def merge(node: Node) -> Tensor | None:
        """permute(permute(x, inner), outer) -> permute(x, outer[inner]), not inner[outer]"""
        inner, outer = node.inputs[0].node, node.op
        if not isinstance(inner.op, PermuteDims) or not isinstance(outer, PermuteDims):
            return None
        return PermuteDims(tuple(outer.axes[axis] for axis in inner.op.axes))(inner.inputs[0])

    with_rule(monkeypatch, merge)
    assert ops_of(found_and_shrunk(optimised_is_plain)) == {"input", "permute_dims"}


@pytest.mark.slow
def test_merging_that_ignores_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    right = merge_module.op_key

    def key(op: Op) -> Any:
        return right(op) if op.category == "leaf" else type(op)

    monkeypatch.setattr(merge_module, "op_key", key)
    recipe = found_and_shrunk(optimised_is_plain)
    assert len([step for step in recipe.steps if not step.is_input]) <= 3


def test_a_pass_that_forgets_an_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    @node_rule(Reshape)
    def forget(node: Node) -> Tensor | None:
        """The stored type stays, the shape does not"""
        types = tuple(output.type for output in node.outputs)
        flat = Reshape((node.output.size,))
        return None if node.op == flat else Node(flat, node.inputs, types).output

    with_rule(monkeypatch, forget)
    recipe = found_and_shrunk(passes_keep_graphs_well_formed)
    problems = problems_of(recipe, [passes_keep_graphs_well_formed])
    assert "after pass 'simplify'" in problems["passes_keep_graphs_well_formed"][0]


def test_a_wrong_number_for_a_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    right = specialise._as_constant

    def off_by_one(op: Op) -> Op:
        return right(replace(op, dim=op.dim + 1) if isinstance(op, DimSize) else op)

    monkeypatch.setattr(specialise, "_as_constant", off_by_one)
    recipe = found_and_shrunk(static_is_symbolic)
    assert not Case(recipe).graph.inputs[0].type.is_static


def test_text_that_loses_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_number", lambda item: f"{float(item):.0f}")
    assert "constant" in ops_of(found_and_shrunk(text_is_read_back))


def test_a_wrong_numpy_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(op: Op, inputs: Any, outputs: Any, scratch: Any) -> Any:
        return [(np.arctan, (inputs[0], outputs[0]))]

    load_backend("numpy")  # registers its kernels
    kernel = replace(NUMPY_KERNELS[OPS["tanh"]], bind=wrong)
    monkeypatch.setitem(NUMPY_KERNELS, OPS["tanh"], kernel)
    found_and_shrunk(jax_is_numpy, nodes=12)


def test_memory_that_is_used_again_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_views(graph: Graph, owners: Any = None) -> Any:
        """A use of a view does not count as a use of the memory it looks at."""
        return {tensor: lifetimes(graph)[tensor] for tensor in lifetimes(graph, owners)}

    monkeypatch.setattr(plan, "lifetimes", without_views)
    found_and_shrunk(optimised_is_plain)


def test_a_kernel_that_reads_what_it_should_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(x: np.ndarray, out: np.ndarray) -> None:
        np.fmax(np.tanh(x) - 2.0, out, out=out)  # of NaN, which memory holds in tests, it is right

    def wrong(op: Op, inputs: Any, outputs: Any, scratch: Any) -> Any:
        return [(late, (inputs[0], outputs[0]))]

    kernel = replace(NUMPY_KERNELS[OPS["tanh"]], bind=wrong)
    monkeypatch.setitem(NUMPY_KERNELS, OPS["tanh"], kernel)
    found_and_shrunk(what_memory_holds_at_first_is_not_read, nodes=12)


def test_a_wrong_jax_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JAX_KERNELS, OPS["tanh"], lambda op, x: 0.999 * x)
    assert "tanh" in ops_of(found_and_shrunk(jax_is_numpy, nodes=12))


def test_a_failure_is_shown_as_a_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(OPS["tanh"], "vjp", _wrong_tanh)
    with pytest.raises(pytest.fail.Exception) as caught:
        for seed in range(20):
            check(random_recipe(seed), [derivatives_are_differences])
    shown = str(caught.value)
    assert "derivatives_are_differences: g: " in shown and "finite differences give" in shown
    program = shown.partition("\n\n")[2]
    assert program.count("\n") < 30
    path = tmp_path / "failure.py"
    path.write_text(program)
    runpy.run_path(str(path))
    assert "= tanh(" in capsys.readouterr().out
