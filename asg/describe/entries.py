"""Facts of single nodes, edges and graphs as entries of a document."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from asg.core.dim import Dim
from asg.core.errors import AsgError
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.origin import Location, Origin, Step, short_path
from asg.core.registry import OPS
from asg.core.tensor import Tensor
from asg.core.text import value_text
from asg.core.types import TensorType
from asg.describe.schema import (
    EdgeEntry,
    LocationEntry,
    NodeEntry,
    PortEntry,
    SlotEntry,
    StepEntry,
    TypeEntry,
)
from asg.ops.leaf import Constant, DimSize, Full, Input, State


def node_entry(node: Node) -> NodeEntry:
    """What is known of the node by itself; `asg.describe.document` adds how it stands to others."""
    op = node.op
    types = tuple(tensor.type for tensor in node.inputs), tuple(t.type for t in node.outputs)
    return {
        "serial": node.serial,
        "lineage": node.lineage,
        "text_name": "",
        "op": op.name,
        "category": op.category,
        "attributes": attribute_texts(node),
        "operands": [op.operand_name(position) for position in range(len(node.inputs))],
        "outputs": [type_entry(output.type) for output in node.outputs],
        "role": role_of(node),
        "name": leaf_name(node),
        "scalar": scalar_text(node),
        "scope": scope_of(node),
        "location": location_entry(node.origin),
        "derived": [step_entry(step) for step in node.origin.derived],
        "part": "forward",
        "gradient_of": node.origin.gradient_of,
        "twin": None,
        "parameter": "",
        "flops": size_text(op.flops(*types)),
        "bytes": size_text(sum((t.size * t.dtype.itemsize for t in types[1]), start=0)),
        "bodies": {},
    }


def bodies_of(node: Node) -> dict[str, Graph]:
    """The graphs among the attributes of a node: bodies of loops and branches, by name."""
    found: dict[str, Graph] = {}
    for key, value in node.op.attributes().items():
        if isinstance(value, Graph):
            found[key] = value
        elif _holds_bodies(value):
            found |= {f"{key}.{i}": body for i, body in enumerate(value)}
    return found


def _holds_bodies(value: Any) -> bool:
    return isinstance(value, tuple) and any(isinstance(item, Graph) for item in value)


def attribute_texts(node: Node) -> dict[str, str]:
    """Attributes as the text form writes them; bodies and variables have entries of their own."""
    return {
        key: _attribute_text(value)
        for key, value in node.op.attributes().items()
        if not (isinstance(value, Graph) or _holds_bodies(value)) and not isinstance(node.op, State)
    }


def _attribute_text(value: Any) -> str:
    try:
        return value_text(value)
    except AsgError:  # an attribute of a user's own op that the text form does not know
        return repr(value)


def type_entry(type: TensorType) -> TypeEntry:
    """Dtype, sizes and short form."""
    shape = [size_text(size) for size in type.shape]
    text = f"{type.dtype.short}[{', '.join(shape)}]"
    return {"dtype": type.dtype.name, "shape": shape, "text": text}


@lru_cache(maxsize=4096)
def size_text(size: Dim) -> str:
    """A size as text; the same few sizes occur in every graph again and again."""
    return str(size)


def role_of(node: Node) -> str:
    """``input``, the role of a variable, ``constant``, or "" for a computation."""
    if isinstance(node.op, Input):
        return "input"
    if isinstance(node.op, State):
        return node.op.cell.role
    return "constant" if isinstance(node.op, Constant | Full) else ""


def leaf_name(node: Node) -> str:
    """The name of an input or variable, else ""."""
    if isinstance(node.op, Input):
        return node.op.label
    return node.op.cell.name if isinstance(node.op, State) else ""


def scalar_text(node: Node) -> str:
    """``0.9`` for a constant that holds one value everywhere, else ""."""
    op = node.op
    if isinstance(op, Full):
        return _scalar_text(np.asarray(op.value, op.dtype.numpy))
    if isinstance(op, DimSize):
        return str(op.dim)
    if isinstance(op, Constant) and op.data.array.ndim == 0:
        return _scalar_text(op.data.array)
    return ""


def _scalar_text(array: np.ndarray[Any, Any]) -> str:
    """The shortest text that reads back as the same number of its dtype."""
    return value_text(array.item()) if array.dtype == np.bool_ else str(array[()])


def scope_of(node: Node) -> str:
    """The scope; a variable made outside all scopes belongs to the module its name tells."""
    if isinstance(node.op, State) and not node.origin.scope:
        return scope_of_variable(node.op.cell.name)
    return node.origin.scope


def scope_of_variable(name: str) -> str:
    """The module path in the name of a variable.

    >>> scope_of_variable("encoder.0.weight"), scope_of_variable("weight")
    ('encoder/0', '')
    """
    return "/".join(name.split(".")[:-1])


def location_entry(origin: Origin) -> LocationEntry | None:
    """The user's line, its path relative where possible."""
    place: Location | None = origin.location
    if place is None:
        return None
    return {"file": _short(place.file), "line": place.line, "function": place.function}


@lru_cache(maxsize=1024)
def _shortened(path: str, folder: str) -> str:
    return short_path(path)


def _short(path: str) -> str:
    return _shortened(path, os.getcwd())


def step_entry(step: Step) -> StepEntry:
    """A derivation; steps of a gradient or a decomposition name the op they came from."""
    op = OPS.get(step.name) if step.kind in ("gradient", "decompose") else None
    return {
        "kind": step.kind,
        "name": step.name,
        "category": op.category if op is not None else "",
        "sources": list(step.sources),
    }


def edge_entries(nodes: Iterable[Node]) -> Iterator[EdgeEntry]:
    """One edge for every operand of every node."""
    for node in nodes:
        for position, tensor in enumerate(node.inputs):
            yield {
                "source": tensor.node.serial,
                "output": tensor.index,
                "target": node.serial,
                "operand": position,
                "name": node.op.operand_name(position),
            }


def port_entry(name: str, tensor: Tensor) -> PortEntry:
    """A named tensor."""
    return {"name": name, "serial": tensor.node.serial, "output": tensor.index}


def input_entries(graph: Graph) -> list[PortEntry]:
    """The inputs of a graph, variables included, in its order."""
    return [port_entry(*named) for named in zip(graph.input_names, graph.inputs, strict=True)]


def output_entries(graph: Graph) -> list[PortEntry]:
    """The outputs of a graph, next values of variables included, in its order."""
    return [port_entry(*named) for named in zip(graph.output_names, graph.outputs, strict=True)]


def slot_entries(graph: Graph) -> list[SlotEntry]:
    """The variables of a graph."""
    outputs = output_entries(graph)
    return [
        {
            "name": graph.input_names[slot.input],
            "role": role_of(graph.inputs[slot.input].node),
            "input": graph.inputs[slot.input].node.serial,
            "output": None if slot.output is None else outputs[slot.output],
        }
        for slot in graph.state
    ]
