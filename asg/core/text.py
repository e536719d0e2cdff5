"""Print a graph as typed text, one line per op; `asg.core.parse` reads it back.

    graph loss {
      input x: f32[batch, 3]
      parameter w: f32[3]
      %0 = multiply(x, w) : f32[batch, 3]
      %1 = sum(%0, axis=(0, 1), keepdims=false) : f32[]
      output loss = %1
    }

Numbers are dense and start at 0, so equal graphs print equally whenever they were built.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.array_data import ArrayData
from asg.core.dim import Symbol, SymbolicDim, free_symbols
from asg.core.dtype import DType
from asg.core.errors import TextError
from asg.core.graph import Graph, is_state
from asg.core.node import Node
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType

NAME = re.compile(r"[A-Za-z_][\w.:/]*\Z")
SHOWN_ELEMENTS = 16
RESERVED = frozenset({"none", "true", "false", "inf", "-inf", "nan", "-nan"})
"""Symbols may have these names; as attributes they are then written in brackets."""

Namer = Callable[[Tensor], str]


@public
def graph_text(graph: Graph, full: bool = False, locations: bool = False) -> str:
    """The text of a graph.

    Args:
        graph: what to print.
        full: large constants in full (base64), as `parse` needs them; else their digest.
        locations: end each line with the user's source line and the scope, as a comment.
    """
    name_of = namer(graph)
    lines = [f"graph {quoted(graph.name)} {{"]
    lines += [f"  dim {text}" for text in bounded_dims(graph)]
    named = zip(graph.input_names, graph.inputs, strict=True)
    lines += [f"  {leaf_kind(t)} {quoted(name)}: {t.type}" for name, t in named]
    lines += [
        f"  {node_line(node, name_of, full)}" + (_comment(node) if locations else "")
        for node in graph.nodes
        if name_of(node.outputs[0]).startswith("%")
    ]
    lines += _output_lines(graph, name_of)
    lines += [
        f"  check {check.left} {check.relation} {check.right} {json.dumps(check.reason)}"
        for check in graph.checks
    ]
    return "\n".join([*lines, "}"])


def namer(graph: Graph) -> Namer:
    """How operands are written: inputs by name, scalars used once in place, others ``%n``."""
    names = {
        tensor: quoted(name) for tensor, name in zip(graph.inputs, graph.input_names, strict=True)
    }
    returned = set(graph.outputs)
    number = 0
    for node in graph.nodes:
        if node.outputs[0] in names:
            continue
        if _inline(node) and len(graph.users.get(node.output, ())) == 1 and (
            node.output not in returned
        ):  # fmt: skip
            names[node.output] = _scalar_text(node)
            continue
        for output in node.outputs:
            names[output] = f"%{number}.{output.index}" if len(node.outputs) > 1 else f"%{number}"
        number += 1
    return names.__getitem__


def serial_namer(tensor: Tensor) -> str:
    """Operands by lineage: the same application has the same name in every graph of a session."""
    label: str = tensor.node.op.leaf_label()
    if label.startswith("constant "):
        return label.removeprefix("constant ")
    if label:
        return re.sub(r"^\w+( key)? ", "", label).strip("'")
    suffix = f".{tensor.index}" if len(tensor.node.outputs) > 1 else ""
    return f"%{tensor.node.lineage}{suffix}"


def node_line(node: Node, name_of: Namer = serial_namer, full: bool = False) -> str:
    """``%12 = sum(%3, axis=(0,), keepdims=false) : f32[10]``."""
    target = name_of(node.outputs[0]).partition(".")[0]
    if not target.startswith("%"):
        target = f"%{node.lineage}"
    attributes = [f"{key}={value_text(v, full)}" for key, v in node.op.attributes().items()]
    inside = ", ".join([*map(name_of, node.inputs), *attributes])
    types = ", ".join(str(output.type) for output in node.outputs)
    return f"{target} = {node.op.name}({inside}) : {types}"


def value_text(value: Any, full: bool = False) -> str:
    """An attribute as text: numbers, strings, dtypes (``@f32``), sizes, tuples, arrays, bodies.

    Raises:
        TextError: a kind of value that has no text form.
    """
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, SymbolicDim):
        return f"({value})" if str(value) in RESERVED else str(value)
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, DType):
        return f"@{value.short}"
    if isinstance(value, TensorType):
        return f"@{value}"
    if isinstance(value, tuple):
        inside = ", ".join(value_text(item, full) for item in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, ArrayData):
        return array_text(value, full)
    if isinstance(value, Graph):
        return graph_text(value, full).replace("\n", "\n  ")
    raise TextError(f"an attribute of type {type(value).__name__} has no text form: {value!r}")


def array_text(data: ArrayData, full: bool) -> str:
    """Small arrays by value, large ones as base64 (full) or as a digest."""
    header = f"{data.dtype.short}[{', '.join(map(str, data.array.shape))}]"
    if data.array.size <= SHOWN_ELEMENTS:
        values = " ".join(_number(item) for item in data.array.ravel())
        return f"array<{header} {values}>" if values else f"array<{header}>"
    if full:
        return f"array<{header} base64 {base64.b64encode(data.array.tobytes()).decode()}>"
    return f"array<{header} digest {data.digest.hex()[:12]}>"


def _number(item: Any) -> str:
    """The shortest text that reads back as the same number of the same dtype."""
    if isinstance(item, np.bool_):
        return "true" if item else "false"
    return str(item)


def quoted(name: str) -> str:
    """A name as it is when it is plain, else as a JSON string."""
    return name if NAME.match(name) else json.dumps(name)


def leaf_kind(tensor: Tensor) -> str:
    """``input``, or the role of a variable."""
    op: Any = tensor.node.op
    return str(op.cell.role) if is_state(tensor) else "input"


def _inline(node: Node) -> bool:
    data = getattr(node.op, "data", None)
    return not node.inputs and isinstance(data, ArrayData) and data.array.ndim == 0


def _scalar_text(node: Node) -> str:
    data: ArrayData = node.op.data  # type: ignore[attr-defined]
    return f"{data.dtype.short}({_number(data.array[()])})"


def _output_lines(graph: Graph, name_of: Namer) -> list[str]:
    written = {slot.output: graph.input_names[slot.input] for slot in graph.state}
    lines = []
    for position, (name, tensor) in enumerate(zip(graph.output_names, graph.outputs, strict=True)):
        word, label = ("next", written[position]) if position in written else ("output", name)
        lines.append(f"  {word} {quoted(label)} = {name_of(tensor)}")
    return lines


def _comment(node: Node) -> str:
    location, scope = node.origin.location, node.origin.scope
    parts = [str(location)] if location else []
    parts += [f"[{scope}]"] if scope else []
    parts += [f"<- {step.kind} {step.name}" for step in node.origin.derived]
    text = " ".join(parts)
    plain = text if text.isprintable() else json.dumps(text)  # a line break would end the comment
    return f"  # {plain}" if parts else ""


def bounded_dims(graph: Graph) -> list[str]:
    """Dims whose bounds are not the default ones; the text of a size does not carry them."""
    sizes = [size for node in graph.nodes for output in node.outputs for size in output.shape]
    sizes += [side for check in graph.checks for side in (check.left, check.right)]
    symbols: dict[str, Symbol] = free_symbols(dict.fromkeys(sizes))
    return [
        f"{name} minimum={symbol.minimum} multiple_of={symbol.multiple_of}"
        for name, symbol in sorted(symbols.items())
        if (symbol.minimum, symbol.multiple_of) != (1, 1)
    ]
