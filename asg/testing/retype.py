"""Ops in another floating dtype: what they say of float64 in attributes and bodies is replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from asg.core.array_data import ArrayData
from asg.core.dtype import DType, float64
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.region import bodies_of
from asg.core.tensor import Tensor
from asg.core.types import take_checks


def with_narrow_bodies(op: Op, dtype: DType | None) -> Op:
    """An op with bodies as it is on operands in ``dtype`` instead of float64; others as they are.

    >>> from asg.core.dtype import float32
    >>> from asg.ops.elementwise import Add
    >>> with_narrow_bodies(Add(), float32)
    add
    """
    return op if dtype is None or not bodies_of(op) else _narrowed(op, dtype)


def _narrowed(op: Op, dtype: DType) -> Op:
    changes = {name: _narrow_value(value, dtype) for name, value in op.attributes().items()}
    return replace(op, **changes) if changes else op  # type: ignore[type-var]


def _narrow_value(value: Any, dtype: DType) -> Any:
    if value is float64:
        return dtype
    if isinstance(value, tuple):
        return tuple(_narrow_value(item, dtype) for item in value)
    if isinstance(value, ArrayData) and value.dtype is float64:
        return ArrayData(value.array.astype(dtype.numpy))
    return _narrow_graph(value, dtype) if isinstance(value, Graph) else value


def _narrow_graph(graph: Graph, dtype: DType) -> Graph:
    mapped: dict[Tensor, Tensor] = {}
    for node in graph.nodes:
        outputs = _narrowed(node.op, dtype).apply(*(mapped[tensor] for tensor in node.inputs))
        take_checks()
        mapped.update(zip(node.outputs, outputs, strict=True))
    return type(graph).of(
        [mapped[tensor] for tensor in graph.inputs],
        [mapped[tensor] for tensor in graph.outputs],
        graph.output_names, graph.state, graph.name, graph.input_names, graph.checks,
    )  # fmt: skip
