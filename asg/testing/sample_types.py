"""What holds of a sample before anything runs: types, sizes, cost, text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from asg.analysis.constraint import bind_dims
from asg.core.dim import Dim, evaluate, known_nonnegative
from asg.core.dtype import as_dtype
from asg.core.graph import Graph, placeholder_name
from asg.core.op import Op
from asg.core.registry import service
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.core.verify import verify
from asg.passes.specialise import substitute_op
from asg.testing.applied import Applied, Array, apply_sample, apply_symbolic, oracle_values
from asg.testing.sample import Sample

Binding = dict[str, int]


def type_problems(sample: Sample) -> list[str]:
    """Breaches of the clauses on types, each beginning with the title of the sample."""
    static = apply_sample(sample)
    clauses = [
        ("types", partial(static_types, static)),
        ("cost", partial(_cost, static)),
        ("decomposition", partial(decomposed_types, static)),
        ("gradient types", partial(gradient_types, static)),
        ("text", partial(_text, static)),
    ]
    if sample.symbolic is not None:
        symbolic = apply_symbolic(sample)
        clauses += [
            ("symbolic types", partial(symbolic_types, static, symbolic)),
            ("symbolic decomposition", partial(decomposed_types, symbolic)),
            ("symbolic gradient types", partial(gradient_types, symbolic)),
            ("symbolic text", partial(_text, symbolic)),
        ]
    return collected(sample, clauses)


def collected(
    sample: Sample, clauses: Sequence[tuple[str, Callable[[], Iterator[str]]]]
) -> list[str]:
    """What the clauses yield, with titles; an exception is a breach of its clause."""
    problems = []
    for name, clause in clauses:
        try:
            problems += [f"{sample.title}: {name}: {problem}" for problem in clause()]
        except Exception as error:
            problems.append(f"{sample.title}: {name}: {type(error).__name__}: {error}")
    return problems


def static_types(applied: Applied) -> Iterator[str]:
    """The outputs have the types that the oracle gives."""
    verify(Graph.of(_placeholders(applied), applied.outputs, _names(applied.outputs)))
    if applied.sample.oracle is None:
        if not applied.op.has_decomposition():
            yield "a primitive needs an oracle"
        return
    values = oracle_values(applied.sample, applied.arrays)
    wanted = [TensorType(as_dtype(value.dtype), value.shape) for value in values]
    given = [output.type for output in applied.outputs]
    if given != wanted:
        yield f"infer says {_listed(given)}, the oracle gives {_listed(wanted)}"


def _placeholders(applied: Applied) -> tuple[Tensor, ...]:
    return applied.outputs if applied.op.is_placeholder else applied.inputs


def _names(outputs: Sequence[Tensor]) -> list[str]:
    return [f"y{i}" for i in range(len(outputs))]


def _listed(types: Sequence[TensorType]) -> str:
    return ", ".join(map(str, types))


def _cost(applied: Applied) -> Iterator[str]:
    cost = _flops(applied)
    if not isinstance(cost, int):
        yield f"flops of literal sizes is {cost!r}, not an int"
    elif cost < 0:
        yield f"flops is negative: {cost}"


def _flops(applied: Applied) -> Dim:
    inputs = tuple(tensor.type for tensor in applied.inputs)
    return applied.op.flops(inputs, tuple(tensor.type for tensor in applied.outputs))


def decomposed_types(applied: Applied) -> Iterator[str]:
    """The decomposition has the types that `infer` says."""
    if applied.op.has_decomposition():
        given = [output.type for output in applied.decomposed]
        wanted = [output.type for output in applied.outputs]
        if given != wanted:
            yield f"gives {_listed(given)}, infer says {_listed(wanted)}"


def gradient_types(applied: Applied) -> Iterator[str]:
    """Gradients to the second order have the types of what they are by."""
    yield from _same_types("gradient", applied.gradients, applied.wrt)
    if applied.op.has_vjp() and applied.op.has_decomposition():
        found = applied.decomposed_gradients
        yield from _same_types("gradient through the decomposition", found, applied.wrt)
    if applied.sample.order == 2:
        yield from _same_types("second derivative", applied.second_by_wrt, applied.wrt)
        found = applied.second_by_cotangents
        yield from _same_types("derivative by the cotangent", found, applied.cotangents)


def _same_types(
    what: str, found: Sequence[Tensor | None], wanted: Sequence[Tensor]
) -> Iterator[str]:
    for i, (tensor, like) in enumerate(zip(found, wanted, strict=True)):
        if tensor is not None and tensor.type != like.type:
            yield f"{what} {i} has type {tensor.type}, {like.type} is needed"


def symbolic_types(static: Applied, symbolic: Applied) -> Iterator[str]:
    """With numbers for its symbols the symbolic form has the types and the cost of the literal."""
    binding = binding_of(static, symbolic)
    if substitute_op(symbolic.op, binding) != static.op:
        yield f"{symbolic.op} with {binding} is not {static.op}"
    for wanted, output in zip(static.outputs, symbolic.outputs, strict=True):
        bound = tuple(evaluate(size, binding) for size in output.shape)
        if output.type.with_shape(bound) != wanted.type:
            yield f"{output.type} with {binding} is not {wanted.type}"
    cost = _flops(symbolic)
    if evaluate(cost, binding) != _flops(static):
        yield f"flops {cost} with {binding} is not {_flops(static)}"
    if known_nonnegative(cost) is False:
        yield f"flops {cost} is negative"


def binding_of(static: Applied, symbolic: Applied) -> Binding:
    """The numbers of the symbols: those that operands and witnesses have, all checks included."""
    tensors = [*symbolic.inputs, *symbolic.witnesses]
    shapes = [array.shape for array in symbolic.arrays]
    shapes += [array.shape for array in witness_feeds(static, symbolic).values()]
    checks = [check for output in symbolic.outputs for check in output.node.checks]
    names = [placeholder_name(tensor) for tensor in tensors]
    return bind_dims(names, [tensor.type for tensor in tensors], shapes, checks)


def witness_feeds(static: Applied, symbolic: Applied) -> dict[str, Array]:
    """Zeros in the literal shapes of the outputs that witnesses stand for."""
    literal = {
        output.shape: like.shape
        for output, like in zip(symbolic.outputs, static.outputs, strict=True)
    }
    shapes: dict[str, Any] = {placeholder_name(w): literal[w.shape] for w in symbolic.witnesses}
    dtypes = [w.dtype.numpy for w in symbolic.witnesses]
    return {
        name: np.zeros(shape, dtype)
        for (name, shape), dtype in zip(shapes.items(), dtypes, strict=True)
    }


def _text(applied: Applied) -> Iterator[str]:
    """The graph printed and read back prints the same and holds the same ops."""
    graph = Graph.of(_placeholders(applied), applied.outputs, _names(applied.outputs))
    text = str(graph)
    again = service("parse")(text)
    if str(again) != text:
        yield f"printed, read and printed again, it is different:\n{text}\n--\n{again}"
    if _ops(again) != _ops(graph):
        yield f"printed and read, the ops are {_ops(again)}, they were {_ops(graph)}"


def _ops(graph: Graph) -> list[Op | str]:
    """The ops; placeholders by their label, since text holds the facts of a variable only."""
    return [
        f"{node.op.leaf_label()}: {node.output.type}" if node.op.is_placeholder else node.op
        for node in graph.nodes
    ]
