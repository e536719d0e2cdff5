"""What random graphs draw without a maker of its own: any op of the registry, at its samples.

An op that has samples for its contract is drawn at one of them: its operands are inputs with the
numbers of the sample, moved a little by a value that is there already, so that the op stands in the
middle of a graph and inside its domain.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from asg.core.graph import Graph
from asg.testing.applied import apply_sample, oracle_values
from asg.testing.draw import Draw, maker
from asg.testing.recipe import Array, Code, Name
from asg.testing.sample import SAMPLES, Sample

_MOST_ELEMENTS = 60
_LARGEST = 30.0
_DEFAULT_TOLERANCE = 1e-6
# Scans, loops and branches have makers of their own; leaves are what recipes begin with.
_OTHERS = ("control", "leaf")


@maker(25)
def at_a_sample(draw: Draw) -> None:
    """An op at the operands of one of its samples; all ops are equally likely."""
    draw_op(draw, draw.random.randrange(len(_names())))


def draw_op(draw: Draw, number: int) -> list[Name]:
    """The results of the op of this number, counted round and round, at one of its samples."""
    if draw.dtype != "float64":
        return []  # samples are chosen for float64
    names = _names()
    sample = draw.random.choice(_drawable()[names[number % len(names)]])
    mover = _small_scalar(draw)
    if mover is None:
        return []
    operands = [
        _operand(draw, array, mover if position in sample.differentiated else None)
        for position, array in enumerate(sample.operands)
    ]
    bound = _bound(sample)
    results = draw.several(len(bound), "apply", _code(sample), *operands, bound=1.0)
    for result, limit in zip(results, bound, strict=True):
        draw.bounds[result.text] = limit
    return results


def _small_scalar(draw: Draw) -> Name | None:
    """A thousandth of something between -1 and 1, which depends on a value of the graph."""
    x = draw.operand(limit=2.0)
    if x is None:
        return None
    mean = draw.call("mean", x, bound=2.0) if draw.tensor(x).ndim else x
    return draw.call("multiply", draw.call("tanh", mean, bound=1.0), 0.001, bound=0.001)


def _operand(draw: Draw, array: Array, mover: Name | None) -> Name:
    """The numbers of a sample as input: moved, or out of reach of derivatives."""
    given = draw.input(array.shape, array, bound=_magnitude(array) + 0.01)
    if array.dtype.kind != "f":
        return given
    if mover is None:
        return draw.call("stop_gradient", given, bound=draw.bound(given))
    return draw.call("add", given, mover, bound=draw.bound(given))


def _code(sample: Sample) -> Code:
    """``op_class("conv")(stride=(1,), ...)``."""
    op = sample.op
    given = ", ".join(f"{name}={value!r}" for name, value in op.attributes().items())
    return Code(f"op_class({op.name!r})({given})", op.apply)


# -- which samples -----------------------------------------------------------------------------


@cache
def _drawable() -> dict[str, list[Sample]]:
    """By op, the samples that are small, tame and smooth."""
    from asg.testing import samples as samples  # registers them

    found: dict[str, list[Sample]] = {}
    for op, listed in SAMPLES.items():
        if op.category not in _OTHERS:
            chosen = [sample for sample in listed if _is_tame(sample)]
            found |= {op.name: chosen} if chosen else {}
    return found


@cache
def _names() -> list[str]:
    return sorted(_drawable())


def _is_tame(sample: Sample) -> bool:
    if sample.kink is not None or sample.order < 2 or sample.tolerance > _DEFAULT_TOLERANCE:
        return False
    if not all(map(_is_plain, sample.op.attributes().values())):
        return False
    if not all(array.dtype.name in _DTYPES for array in sample.operands):
        return False
    sizes = [array.size for array in sample.operands]
    sizes += [int(tensor.type.size) for tensor in apply_sample(sample).outputs]
    if not all(0 < size <= _MOST_ELEMENTS for size in sizes):
        return False
    arrays = (*sample.operands, *_results(sample))
    return all(np.isfinite(array).all() and _magnitude(array) <= _LARGEST for array in arrays
               if array.dtype.kind == "f")  # fmt: skip


_DTYPES = frozenset({"float64", "int32", "int64", "uint32", "bool"})


def _is_plain(attribute: Any) -> bool:
    """Whether an attribute can be written in a script: no graphs, no arrays."""
    if isinstance(attribute, tuple):
        return all(map(_is_plain, attribute))
    return not isinstance(attribute, Graph | np.ndarray) and "<" not in repr(attribute)


def _results(sample: Sample) -> list[Array]:
    if sample.oracle is None:
        return []
    return [np.asarray(value) for value in oracle_values(sample, sample.operands)]


def _magnitude(array: Array) -> float:
    return float(np.abs(array.astype(np.float64)).max(initial=0.0))


def _bound(sample: Sample) -> list[float]:
    """For each output, what its elements do not exceed; a cautious guess without an oracle."""
    results = _results(sample)
    if results:
        return [2.0 * _magnitude(each) + 1.0 for each in results]
    return [10.0 * _LARGEST] * len(apply_sample(sample).outputs)
