"""Graphs as JSON for the cache: tables of ops, types and origins, and a row of numbers a node.

The text form (asg/core/text.py) is for people, and forgets where nodes come from. Here a graph that
passes made is told *by the graph that they were given*: nodes and arrays that both share, lines of
the user's program and lineages are numbers into that graph. So nothing is stored of the user's
files, and a graph that is read shows the lines where its formulas stand now.
"""

from __future__ import annotations

import base64
from collections.abc import Hashable
from struct import pack, unpack
from typing import Any

import numpy as np

from asg.cache.facts import is_in_sources
from asg.core.array_data import ArrayData
from asg.core.collector import paused_collector
from asg.core.dim import Dim, SymbolicDim, as_symbol, free_symbols, symbol
from asg.core.dtype import DType, as_dtype
from asg.core.graph import Graph
from asg.core.node import Node, next_serial
from asg.core.op import Op
from asg.core.origin import Origin, Step
from asg.core.parse_value import ValueReader
from asg.core.region import Body, bodies_of
from asg.core.registry import OPS
from asg.core.state_slot import StateSlot
from asg.core.tensor import Tensor
from asg.core.types import SizeCheck, TensorType
from asg.passes.merge_equal import op_key

Json = Any
_LOCAL = "input of a body"
_PLAIN = (bool, int, str, type(None))


class Untold(Exception):
    """A graph holds something that has no form here; it is not cached."""


class _Tables:
    """What graphs repeat, by number; a subclass says how origins, arrays and states are told."""

    def __init__(self) -> None:
        self.ops: list[Json] = []
        self.types: list[list[str]] = []
        self.sizes: dict[str, tuple[int, int]] = {}
        self._numbers: dict[Hashable, int] = {}

    def graph(self, graph: Graph) -> Json:
        """A graph whose ops and types stand in the tables."""
        numbers: dict[Tensor, int] = {}
        rows: list[Json] = []
        for node in graph.nodes:
            for output in node.outputs:
                numbers[output] = len(numbers)
            place = self._shared(node)
            rows.append(self._row(node, numbers) if place is None else place)
        return [
            isinstance(graph, Body), graph.name,
            [numbers[tensor] for tensor in graph.inputs], graph.input_names,
            [numbers[tensor] for tensor in graph.outputs], graph.output_names,
            graph.state, [self._check(check) for check in graph.checks], rows,
        ]  # fmt: skip

    def _row(self, node: Node, numbers: dict[Tensor, int]) -> Json:
        return [
            self._op(node.op), self._types(node), self._origin(node.origin),
            self._lineage(node.lineage), *[numbers[tensor] for tensor in node.inputs],
        ]  # fmt: skip

    def _check(self, check: SizeCheck) -> Json:
        return [self.value(check.left), check.relation, self.value(check.right), check.reason]

    def _op(self, op: Op) -> int:
        key: Hashable = ("op", type(op))
        if op.field_names:
            key = ("op", id(op)) if op.is_placeholder or bodies_of(op) else op_key(op)
        number = self._numbers.get(key)
        if number is None:
            told = self._new_op(op)  # bodies put the ops that they hold into the table first
            number = self._numbers[key] = len(self.ops)
            self.ops.append(told)
        return number

    def _new_op(self, op: Op) -> Json:
        kind = type(op)
        if getattr(op, "is_local", False):
            return [_LOCAL, *map(self.value, op.attributes().values())]
        if OPS.get(op.name) is not kind or not is_in_sources(kind):
            raise Untold(f"{kind.__module__}.{kind.__qualname__} is not of asg")
        return [op.name, *map(self.value, op.attributes().values())]

    def _types(self, node: Node) -> int:
        outputs = node.outputs
        key = outputs[0].type if len(outputs) == 1 else tuple([each.type for each in outputs])
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.types)
            self.types.append([self._type(each.type) for each in outputs])
        return number

    def _type(self, each: TensorType) -> str:
        self._note_symbols(each.shape)
        return str(each)

    def _note_symbols(self, sizes: tuple[Dim, ...]) -> None:
        for name, found in free_symbols(sizes).items():
            bounds = (found.minimum, found.multiple_of)
            if self.sizes.setdefault(name, bounds) != bounds:
                raise Untold(f"size {name!r} has bounds {self.sizes[name]} and {bounds}")

    def value(self, value: Any) -> Json:
        """An attribute; what JSON does not tell apart is a list that begins with its kind."""
        if type(value) in _PLAIN:
            return value
        if type(value) is float:
            return value if value == value else ["nan", pack("<d", value).hex()]
        if type(value) is tuple:
            return ["tuple", *map(self.value, value)]
        if isinstance(value, SymbolicDim):
            self._note_symbols((value,))
            return ["size", str(value)]
        if isinstance(value, DType):
            return ["dtype", value.name]
        if isinstance(value, TensorType):
            return ["type", self._type(value)]
        if isinstance(value, ArrayData):
            return ["array", self._array(value)]
        if isinstance(value, Graph):
            return ["graph", self.graph(value)]
        raise Untold(f"an attribute is a {type(value).__name__}")

    # -- told differently of the graph that is given, and of one that was made from it ------------

    def _shared(self, node: Node) -> int | None:
        raise NotImplementedError

    def _origin(self, origin: Origin) -> int:
        raise NotImplementedError

    def _lineage(self, lineage: int) -> int:
        raise NotImplementedError

    def _array(self, data: ArrayData) -> Json:
        raise NotImplementedError


class Given(_Tables):
    """The graph that the user gave, and the numbers of its parts.

    Two graphs with equal ``digest`` compute the same in the same order, from the same constants,
    and have their nodes grouped alike by lines of the user's program, whichever lines these are.

    Raises:
        Untold: an op or attribute that is not of asg.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.nodes = graph.nodes
        self.places = {node: place for place, node in enumerate(graph.nodes)}
        self.origins: dict[Origin, int] = {}
        self.lineages: dict[int, int] = {}
        self.arrays: dict[ArrayData, int] = {}
        self.digest = self._digest(graph)

    def _digest(self, graph: Graph) -> str:
        from hashlib import sha256  # not needed by `import asg`
        from json import dumps

        told = self.graph(graph)
        text = dumps([told, self.ops, self.types, sorted(self.sizes.items())])
        return sha256(text.encode()).hexdigest()

    def _new_op(self, op: Op) -> Json:
        if not hasattr(op, "cell"):
            return super()._new_op(op)
        leaf: Any = op
        return ["state", leaf.cell.role, leaf.cell.name, self._type(leaf.cell.type)]

    def _shared(self, node: Node) -> None:
        return None

    def _origin(self, origin: Origin) -> int:
        return self.origins.setdefault(origin, len(self.origins))

    def _lineage(self, lineage: int) -> int:
        return self.lineages.setdefault(lineage, len(self.lineages))

    def _array(self, data: ArrayData) -> Json:
        self.arrays.setdefault(data, len(self.arrays))
        return data.digest.hex()


class _Made(_Tables):
    """A graph that passes made from the one that was given."""

    def __init__(self, given: Given) -> None:
        super().__init__()
        self._given = given
        self.origins: list[Json] = []
        self._fresh: dict[int, int] = {}

    def _shared(self, node: Node) -> int | None:
        return self._given.places.get(node)

    def _origin(self, origin: Origin) -> int:
        key = ("origin", origin)
        number = self._numbers.get(key)
        if number is None:
            told = self._new_origin(origin)
            number = self._numbers[key] = len(self.origins)
            self.origins.append(told)
        return number

    def _new_origin(self, origin: Origin) -> Json:
        """By the longest beginning of it that the given graph has, and the steps since then."""
        derived = origin.derived
        for kept in range(len(derived), -1, -1):
            start = Origin(origin.location, origin.scope, derived[:kept])
            known = self._given.origins.get(start)
            if known is not None:
                return [known, [self._step(step) for step in derived[kept:]]]
        return [None, [self._step(step) for step in derived]]

    def _step(self, step: Step) -> Json:
        return [step.kind, step.name, [self._lineage(source) for source in step.sources]]

    def _lineage(self, lineage: int) -> int:
        """Below zero where the given graph does not have it."""
        known = self._given.lineages.get(lineage)
        return -1 - self._fresh.setdefault(lineage, len(self._fresh)) if known is None else known

    def _array(self, data: ArrayData) -> Json:
        known = self._given.arrays.get(data)
        if known is not None:
            return known
        return [data.dtype.name, data.array.shape, base64.b64encode(data.array.tobytes()).decode()]


def graph_to_json(graph: Graph, given: Given) -> str:
    """A graph that was made from the given one.

    Raises:
        Untold: an op or attribute that is not of asg; or a shared node does not come first.
    """
    from json import dumps  # not needed by `import asg`

    shared = [node in given.places for node in graph.nodes]
    if shared != sorted(shared, reverse=True):
        raise Untold("a node that passes made is older than one that was given")
    made = _Made(given)
    told = made.graph(graph)
    return dumps([told, made.ops, made.types, made.origins, list(made.sizes.items())])


def graph_from_json(text: str, given: Given) -> Graph:
    """What `graph_to_json` wrote, over the nodes of a graph whose text is that of the given one.

    Raises:
        ValueError, LookupError, TypeError, AsgError: the text is damaged.
    """
    from json import loads  # not needed by `import asg`

    with paused_collector():
        told, *tables = loads(text)
        return _Reader(given, *tables).graph(told)


class _Reader:
    def __init__(self, given: Given, ops: Json, types: Json, origins: Json, sizes: Json) -> None:
        self._given = given
        self._values = ValueReader()
        self._values.symbols |= {name: as_symbol(symbol(name, *bounds)) for name, bounds in sizes}
        self._lineages = list(given.lineages)
        self._fresh: dict[int, int] = {}
        self._arrays = list(given.arrays)
        self._types = [tuple(map(self._values.type, each)) for each in types]
        known = list(given.origins)
        self._origins = [self._origin(known, *each) for each in origins]
        self._ops: list[Op] = []
        for each in ops:  # the ops of bodies come before those that hold them
            self._ops.append(self._op(*each))

    def graph(self, told: Json) -> Graph:
        """The graph of the tables."""
        is_body, name, inputs, input_names, outputs, output_names, state, checks, rows = told
        values: list[Tensor] = []
        nodes = self._given.nodes
        for row in rows:
            node = nodes[row] if type(row) is int else self._node(row, values)
            values.extend(node.outputs)
        return (Body if is_body else Graph).of(
            [values[number] for number in inputs],
            [values[number] for number in outputs],
            tuple(output_names), [StateSlot(*slot) for slot in state], name, input_names,
            [SizeCheck(self.value(a), b, self.value(c), d) for a, b, c, d in checks],
        )  # fmt: skip

    def _node(self, row: list[int], values: list[Tensor]) -> Node:
        op, types, origin, lineage, *operands = row
        return Node(
            self._ops[op], tuple([values[number] for number in operands]), self._types[types], (),
            self._origins[origin], self._lineage(lineage),
        )  # fmt: skip

    def _lineage(self, number: int) -> int:
        if number >= 0:
            return self._lineages[number]
        found = self._fresh.get(number)
        if found is None:
            found = self._fresh[number] = next_serial()
        return found

    def _origin(self, known: list[Origin], start: int | None, steps: Json) -> Origin:
        location, scope, derived = Origin(None) if start is None else known[start]
        more = [Step(kind, name, tuple(map(self._lineage, of))) for kind, name, of in steps]
        return Origin(location, scope, (*derived, *more))

    def _op(self, name: str, *values: Json) -> Op:
        attributes: Any = [self.value(value) for value in values]
        if name == _LOCAL:
            return OPS["input"].in_body(*attributes)  # type: ignore[attr-defined, no-any-return]
        kind: Any = OPS[name]
        return kind(**dict(zip(kind.field_names, attributes, strict=True)))  # type: ignore[no-any-return]

    def value(self, told: Json) -> Any:
        """What `_Tables.value` told."""
        if type(told) is not list:
            return told
        return getattr(self, f"_read_{told[0]}")(*told[1:])

    def _read_nan(self, digits: str) -> float:
        (number,) = unpack("<d", bytes.fromhex(digits))
        return float(number)

    def _read_tuple(self, *items: Json) -> tuple[Any, ...]:
        return tuple(map(self.value, items))

    def _read_size(self, text: str) -> Dim:
        return self._values.size(text)

    def _read_dtype(self, name: str) -> DType:
        return as_dtype(name)

    def _read_type(self, text: str) -> TensorType:
        return self._values.type(text)

    def _read_array(self, told: Json) -> ArrayData:
        if type(told) is int:
            return self._arrays[told]
        name, shape, content = told
        raw = np.frombuffer(base64.b64decode(content), as_dtype(name).numpy)
        return ArrayData(raw.reshape(shape))

    def _read_graph(self, told: Json) -> Graph:
        return self.graph(told)
