"""The samples hold the kinds of operands that break kernels; forms that can be made are made."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
import asg.testing.samples
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.registry import FUNCTIONS, OPS
from asg.testing.backend_parity import parity_with
from asg.testing.sample import SAMPLES, Sample
from asg.testing.variants import emptied, empty_problems, strided_problems

SAMPLED = [op for _, op in sorted(OPS.items()) if any(s.operands for s in SAMPLES.get(op, ()))]
# Their operands are keys of two words or scalars: nothing that could be left out.
KEYED = {op for op in SAMPLED if op.category == "random"}


def shapes(op_class: type[Op]) -> list[tuple[int, ...]]:
    return [array.shape for sample in SAMPLES[op_class] for array in sample.operands]


@pytest.mark.parametrize("op_class", SAMPLED, ids=lambda each: str(each.name))
def test_operands_may_lie_in_memory_in_any_order(op_class: type[Op]) -> None:
    samples = [] if op_class.is_placeholder else SAMPLES[op_class]
    problems = [problem for sample in samples for problem in strided_problems(sample)]
    assert not problems, "\n".join(["", *problems])


def without_elements(op_class: type[Op]) -> list[Sample]:
    return [empty for sample in SAMPLES[op_class] for empty in emptied(sample)]


@pytest.mark.parametrize("op_class", SAMPLED, ids=lambda each: str(each.name))
def test_any_symbolic_size_may_be_0(op_class: type[Op]) -> None:
    problems = [
        problem for empty in without_elements(op_class) for problem in empty_problems(empty)
    ]
    assert not problems, "\n".join(["", *problems])


def test_nearly_every_op_is_seen_without_elements() -> None:
    """The others have bodies of literal sizes, or take no operand of more than literal size."""
    unseen = {
        op.name
        for op in SAMPLED
        if op not in KEYED and not without_elements(op) and not any(0 in s for s in shapes(op))
    }
    assert unseen <= {
        "assume_shape", "broadcast_to", "custom_vjp", "fold", "median", "root_sized",
        "run_time_length", "shard_map", "switch", "while_loop",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("category", sorted({op.category for op in SAMPLED}))
def test_backends_agree_without_elements(category: str) -> None:
    chosen = [op for op in SAMPLED if op.category == category]
    samples = [empty for op in chosen for empty in without_elements(op)[:2]]
    problems = parity_with("jax", samples, narrow=())
    assert not problems, "\n".join(["", *problems])


@pytest.mark.parametrize("op_class", SAMPLED, ids=lambda each: str(each.name))
def test_scalars_ties_and_kinks_are_among_the_samples(op_class: type[Op]) -> None:
    """Scalars where one fits, and equal elements or the point of the kink where it has one."""
    samples = SAMPLES[op_class]
    if op_class.category == "elementwise":
        assert any(all(a.ndim == 0 for a in s.operands) for s in samples), "no scalars"
    if op_class.name in TIED:
        assert any(_has_ties(sample) for sample in samples), "no ties"
    if op_class.name in KINKED:
        assert any(sample.kink is not None for sample in samples), "no kink"


def _has_ties(sample: Sample) -> bool:
    numbers = [array[array == array] for array in sample.operands]  # without NaN
    return any(np.unique(each).size < each.size for each in numbers)


TIED = {
    "max", "min", "argmax", "argmin", "sort", "argsort", "top_k", "median", "cummax", "cummin",
    "max_pool", "adaptive_max_pool", "scatter_extreme", "scatter_share", "tie_share", "unique",
    "searchsorted", "quantile",
}  # fmt: skip
KINKED = {
    "abs", "maximum", "minimum", "clip", "max", "min", "relu", "leaky_relu", "elu", "relu6",
    "hardtanh", "hardshrink", "softshrink", "threshold", "prelu",
    "absolute_error", "cummax", "cummin", "max_pool", "scatter_extreme",
}  # fmt: skip


X = asg.input("x", (2, 4, 6))
Y = asg.input("y", (2, 4, 6))
SIGNS = asg.input("signs", (2, 4, 6), "bool")
PLACES = asg.input("places", (2, 4, 6), "int32")
OPTIONS: dict[str, tuple[Any, ...]] = {
    "take": ([0, 1],), "scatter_add": ([0, 1, 1], 1.0), "scatter": ([0, 1, 1], 1.0),
    "take_along_axis": (PLACES,), "scatter_add_along_axis": (PLACES, 1.0),
    "put_along_axis": (PLACES, 1.0), "split": (1,), "repeat": (2,), "roll": (1,), "top_k": (2,),
    "one_hot": (5,), "quantile": (0.3,), "linear_recurrence": (Y,), "cosine_similarity": (Y,),
    "masked_softmax": (SIGNS,),
}  # fmt: skip
# Whose axis is not simply one of the first operand; their own tests name it both ways.
ELSEWHERE = {
    "associative_scan", "batch_norm", "batch_norm_training", "categorical", "concat", "concatenate",
    "cross", "cross_entropy", "expand_dims", "iota", "nll_loss", "permutation", "squeeze", "stack",
    "unflatten", "vecdot",
}  # fmt: skip


def with_axis() -> set[str]:
    signatures = {name: inspect.signature(FUNCTIONS[name]) for name in asg.ops.__all__}
    return {name for name, signature in signatures.items() if "axis" in signature.parameters}


def test_the_table_of_exceptions_is_current() -> None:
    assert with_axis() >= ELSEWHERE
    assert with_axis() >= set(OPTIONS)


@pytest.mark.parametrize("name", sorted(with_axis() - ELSEWHERE))
def test_negative_axes_count_from_the_end(name: str) -> None:
    """The very same graph, whichever way an axis is named."""
    function: Callable[..., Any] = FUNCTIONS[name]
    first = SIGNS if name in ("all", "any") else PLACES if name == "one_hot" else X
    options = OPTIONS.get(name, ())
    ndim = first.ndim + (name == "one_hot")
    for axis in (2, 1):
        texts = []
        for number in (axis, axis - ndim):
            made = function(first, *options, axis=number)
            outputs = made if isinstance(made, tuple) else (made,)
            texts.append(str(Graph({f"y{i}": each for i, each in enumerate(outputs)})))
        assert texts[0] == texts[1]
