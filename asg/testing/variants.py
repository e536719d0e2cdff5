"""Samples in other forms, made and not written: without elements, and read from other memory.

Whoever adds a sample with symbolic sizes has thereby said that these may be 0, and any sample says
that its operands may lie in memory in any order. Both are checked without being asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from asg.analysis.constraint import bind_dims
from asg.core.dim import Dim, free_symbols, parse_dim, symbol, symbols_of
from asg.core.dim import evaluate as number_of
from asg.core.dtype import as_dtype
from asg.core.errors import AsgError, DimError
from asg.core.graph import placeholder_name
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.core.types import TensorType, take_checks
from asg.ops.leaf import Input
from asg.ops.shape import PermuteDims
from asg.ops.slicing import Slice
from asg.passes.specialise import substitute_op
from asg.testing.applied import Array, apply_sample, apply_symbolic, oracle_values
from asg.testing.comparison import difference
from asg.testing.parity import evaluate
from asg.testing.sample import Sample
from asg.testing.sample_numbers import first_order, value_tolerance

PLAIN = "without elements"


def emptied(sample: Sample) -> Iterator[Sample]:
    """The sample with each of its symbolic sizes 0 in turn, where the op takes that.

    The oracle is the same; see `empty_problems` for when it is asked.
    """
    if sample.symbolic is None or not sample.operands:
        return
    binding = _binding(sample)
    shapes = _shapes_of_any_size(sample)
    for name in sorted(free_symbols(size for shape in shapes for size in shape)):
        sizes = {**binding, name: 0}
        wanted = [tuple(number_of(size, sizes) for size in shape) for shape in shapes]
        op = _op_for(sample, sizes)
        given = zip(wanted, sample.operands, strict=True)
        if op is None or not all(_fits(shape, array.shape) for shape, array in given):
            continue
        operands = tuple(
            np.ascontiguousarray(array[tuple(map(slice, shape))]).reshape(shape)
            for shape, array in zip(wanted, sample.operands, strict=True)
        )
        if _taken(op, operands):
            yield replace(
                sample, op=op, operands=operands, symbolic=None, symbolic_op=None, kink=None,
                label=f"{sample.label or PLAIN}, {name} = 0",
            )  # fmt: skip


def _shapes_of_any_size(sample: Sample) -> list[tuple[Dim, ...]]:
    """The shapes with symbols, all of which may be 0."""
    texts = [size for named in sample.symbolic or () for size in named if isinstance(size, str)]
    names = free_symbols(parse_dim(text) for text in texts)
    symbols = {name: each for name in names for each in symbols_of(symbol(name, minimum=0))}
    return [
        tuple(parse_dim(size, symbols) if isinstance(size, str) else size for size in named)
        for named in sample.symbolic or ()
    ]


def _op_for(sample: Sample, sizes: Mapping[str, int]) -> Op | None:
    """The op with numbers for symbols; None if its own attributes do not allow them."""
    try:
        return substitute_op(sample.symbolic_op or sample.op, sizes)
    except DimError:
        return None


def _binding(sample: Sample) -> dict[str, int]:
    inputs = apply_symbolic(sample).inputs
    names = [placeholder_name(tensor) for tensor in inputs]
    types = [tensor.type for tensor in inputs]
    return bind_dims(names, types, [array.shape for array in sample.operands], ())


def _fits(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    return all(0 <= size <= most for size, most in zip(shape, whole, strict=True))


def _taken(op: Op, operands: Sequence[Array]) -> bool:
    """Whether the op accepts the operands, and has no size left that none of them names."""
    try:
        made = op.infer(*[TensorType(as_dtype(array.dtype), array.shape) for array in operands])
    except AsgError:
        return False
    finally:
        take_checks()
    return all(each.is_static for each in (made if isinstance(made, tuple) else (made,)))


def empty_problems(sample: Sample) -> list[str]:
    """What goes wrong where a sample has no elements: shapes, values, gradients.

    The oracle is asked of plain samples only: those with a label may have a fixed answer, and what
    indices into nothing give is not NumPy's to say.
    """
    applied = apply_sample(sample)
    try:
        found = evaluate(first_order(applied), applied.feeds)
    except Exception as error:
        return [f"{sample.title}: {type(error).__name__}: {error}"]
    problems = []
    for number, output in enumerate(applied.outputs):
        value = found[f"y{number}"]
        if value.shape != output.shape:
            problems.append(f"output {number} has shape {value.shape}, {output.shape} was said")
    for number, expected in enumerate(_oracle(sample)):
        value = found[f"y{number}"]
        allowed = value_tolerance(sample, applied.outputs[number].dtype)
        what = difference(value, expected, **allowed) if expected.shape == value.shape else ""
        problems += [f"output {number} {what}"] if what else []
    return [f"{sample.title}: {problem}" for problem in problems]


def _oracle(sample: Sample) -> list[Array]:
    plain = sample.label.startswith(PLAIN)
    if not plain or sample.oracle is None or any(a.dtype.kind in "iu" for a in sample.operands):
        return []
    try:
        with catch_warnings():
            simplefilter("ignore")  # of means of nothing
            return oracle_values(sample, sample.operands)
    except (ValueError, IndexError, ZeroDivisionError, np.linalg.LinAlgError):
        return []  # NumPy has no answer, which is no fault of the op


def strided_problems(sample: Sample) -> list[str]:
    """What changes when operands are views: transposed, or every second element."""
    applied = apply_sample(sample)
    if not any(array.ndim and array.size > 1 for array in sample.operands):
        return []
    feeds: dict[str, Array] = {}
    views = [_view(f"s{i}", array, feeds) for i, array in enumerate(sample.operands)]
    outputs = applied.op.apply(*views)
    named = {f"y{i}": tensor for i, tensor in enumerate(applied.outputs)}
    wanted = evaluate(named, applied.feeds)
    found = evaluate({f"y{i}": tensor for i, tensor in enumerate(outputs)}, feeds)
    return [f"{sample.title}: {line}" for line in _changed(sample, found, wanted)]


def _view(name: str, array: Array, feeds: dict[str, Array]) -> Tensor:
    """The array as a view of an input that lies otherwise in memory."""
    dtype = as_dtype(array.dtype)
    if array.ndim > 1:
        order = tuple(reversed(range(array.ndim)))
        feeds[name] = np.ascontiguousarray(array.transpose())
        return PermuteDims(order)(Input(name, dtype, feeds[name].shape)())
    if array.ndim == 0:
        feeds[name] = array
        return Input(name, dtype, ())()
    feeds[name] = np.repeat(array, 2)
    return Slice((0,), (2 * array.size,), (2,))(Input(name, dtype, feeds[name].shape)())


def _changed(
    sample: Sample, found: Mapping[str, Array], wanted: Mapping[str, Array]
) -> Iterator[str]:
    for name, value in found.items():
        allowed: dict[str, Any] = value_tolerance(sample, as_dtype(value.dtype))
        problem = difference(value, wanted[name], **allowed)
        if problem:
            yield f"of views, {name} {problem}"
