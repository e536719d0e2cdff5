"""Read back the text that `asg.core.text` prints. No eval: a small line-by-line reader."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from asg.core.array_data import ArrayData
from asg.core.dim import Dim, Symbol, as_symbol, parse_dim, symbol
from asg.core.dtype import DType, as_dtype
from asg.core.errors import AsgError, TextError
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.registry import op_class, public
from asg.core.state_slot import ROLES, StateSlot
from asg.core.tensor import Tensor
from asg.core.types import SizeCheck, TensorType, take_checks

_OPEN, _CLOSE = "([{<", ")]}>"
_TYPE = re.compile(r"(\w+)\[(.*)\]\Z")
_NODE = re.compile(r"%(\d+) = (\w+)\((.*)\) : (.+)\Z")
_SCALAR = re.compile(r"(bool|[a-z]+\d+)\((\S+)\)\Z")
_NUMBER = re.compile(r"-?(\d+(\.\d*)?(e[+-]?\d+)?|inf|nan)\Z")
_WORDS: dict[str, bool | None] = {"none": None, "true": True, "false": False}


@dataclass(frozen=True, eq=False)
class ParsedCell:
    """A variable known only from text: name, type and role, no initialiser."""

    name: str
    type: TensorType
    role: str


@public
def parse(text: str) -> Graph:
    """The graph that a text denotes; ``parse(graph_text(g, full=True))`` prints as ``g`` does.

    Raises:
        TextError: malformed text, with line number.
        ShapeError, DtypeError: the ops in it do not fit together.

    >>> print(parse('''graph g {
    ...   input x: f32[n]
    ...   output y = x
    ... }'''))
    graph g {
      input x: f32[n]
      output y = x
    }
    """
    reader = _Reader()
    lines = text.strip().splitlines()
    for number, line in enumerate(lines, 1):
        try:
            reader.read(line.partition("  # ")[0].strip())
        except TextError as error:
            raise TextError(f"line {number}: {error}\n  {line.strip()}") from None
    return reader.finish()


class _Reader:
    def __init__(self) -> None:
        self.name = ""
        self.closed = False
        self.symbols: dict[str, Symbol] = {}
        self.tensors: dict[str, Tensor] = {}
        self.inputs: dict[str, Tensor] = {}
        self.states: list[str] = []
        self.outputs: list[tuple[str, Tensor]] = []
        self.written: dict[str, int] = {}
        self.checks: list[SizeCheck] = []

    def read(self, line: str) -> None:
        """One line of the text."""
        word, _, rest = line.partition(" ")
        if not line:
            return
        if self.closed or (not self.name and word != "graph"):
            raise TextError("a graph starts with 'graph name {' and ends with '}'")
        if line == "}":
            self.closed = True
        elif word.startswith("%"):
            self._node(line)
        elif word in ("graph", "dim", "input", "output", "next", "check", *ROLES):
            getattr(self, f"_{'state' if word in ROLES else word}")(rest, word)
        else:
            raise TextError(f"unknown line; it starts with {word!r}")

    def finish(self) -> Graph:
        """The graph, once every line is read."""
        if not self.closed:
            raise TextError("the text ends before the closing '}'")
        positions = {name: i for i, name in enumerate(self.inputs)}
        state = [StateSlot(positions[name], self.written.get(name)) for name in self.states]
        names = [name for name, _ in self.outputs]
        return Graph.of(
            list(self.inputs.values()), [tensor for _, tensor in self.outputs], names, state,
            self.name, list(self.inputs), self.checks,
        )  # fmt: skip

    # -- one method per kind of line ---------------------------------------------------------

    def _graph(self, rest: str, word: str) -> None:
        if self.name or not rest.endswith(" {"):
            raise TextError("a graph starts with 'graph name {', once")
        self.name = _unquoted(rest[:-2])

    def _dim(self, rest: str, word: str) -> None:
        found = re.fullmatch(r"(\w+) minimum=(\d+) multiple_of=(\d+)", rest)
        if not found:
            raise TextError("a dim line reads 'dim n minimum=2 multiple_of=8'")
        name, minimum, multiple_of = found.groups()
        declared = as_symbol(symbol(name, int(minimum), int(multiple_of)))
        if declared is None:
            raise TextError(f"{rest!r} does not bound a symbol")
        self.symbols[name] = declared

    def _input(self, rest: str, word: str) -> None:
        name, declared = self._declaration(rest)
        self._placeholder(name, op_class("input")(name, declared.dtype, declared.shape))  # type: ignore[call-arg]

    def _state(self, rest: str, word: str) -> None:
        name, declared = self._declaration(rest)
        self._placeholder(name, op_class("state")(ParsedCell(name, declared, word)))  # type: ignore[call-arg]
        self.states.append(name)

    def _placeholder(self, name: str, op: Op) -> None:
        if name in self.inputs:
            raise TextError(f"{name!r} is declared twice")
        self.inputs[name] = self.tensors[name] = op()

    def _declaration(self, rest: str) -> tuple[str, TensorType]:
        name, separator, declared = rest.rpartition(": ")
        if not separator:
            raise TextError("a declaration reads 'name: f32[batch, 3]'")
        return _unquoted(name), self._type(declared)

    def _node(self, line: str) -> None:
        found = _NODE.match(line)
        if not found:
            raise TextError("an op line reads '%0 = op(operands, attribute=value) : type'")
        number, name, inside, declared = found.groups()
        items = _split(inside)
        operands = [self._operand(item) for item in items if not _is_attribute(item)]
        given = dict(item.split("=", 1) for item in items if _is_attribute(item))
        try:
            op = self._op(name, given)
        except AsgError as error:
            raise TextError(str(error)) from None
        outputs = op.apply(*operands)
        take_checks()
        wanted = tuple(self._type(item) for item in _split(declared))
        if tuple(output.type for output in outputs) != wanted:
            raise TextError(f"{op} has type {', '.join(str(o.type) for o in outputs)}")
        many = len(outputs) > 1
        self.tensors |= {f"%{number}.{o.index}" if many else f"%{number}": o for o in outputs}

    def _op(self, name: str, given: Mapping[str, str]) -> Op:
        op_type = op_class(name)
        known = [field.name for field in fields(op_type)]  # type: ignore[arg-type]
        for key in given:
            if key not in known:
                raise TextError(f"{name} has no attribute {key!r}; it has {', '.join(known)}")
        return op_type(**{key: self._value(text) for key, text in given.items()})

    def _operand(self, text: str) -> Tensor:
        if text in self.tensors:
            return self.tensors[text]
        scalar = _SCALAR.match(text)
        if scalar:
            data = _array(as_dtype(scalar[1]), (), [scalar[2]])
            return op_class("constant")(data)()  # type: ignore[call-arg]
        name = _unquoted(text)
        if name not in self.tensors:
            raise TextError(f"{text} is not defined above this line")
        return self.tensors[name]

    def _output(self, rest: str, word: str) -> None:
        name, _, value = rest.rpartition(" = ")
        self.outputs.append((_unquoted(name), self._operand(value)))

    def _next(self, rest: str, word: str) -> None:
        name, _, value = rest.rpartition(" = ")
        name = _unquoted(name)
        if name not in self.states:
            raise TextError(f"{name!r} is not a variable of this graph")
        self.written[name] = len(self.outputs)
        self.outputs.append((f"next:{name}", self._operand(value)))

    def _check(self, rest: str, word: str) -> None:
        found = re.fullmatch(r"(.+?) (==|<=) (.+?) (\".*\")", rest)
        if not found:
            raise TextError("a check reads 'check n == m \"reason\"'")
        left, relation, right, reason = found.groups()
        self.checks.append(
            SizeCheck(self._size(left), relation, self._size(right), json.loads(reason))
        )

    # -- values ---------------------------------------------------------------------------------

    def _size(self, text: str) -> Dim:
        return parse_dim(text, self.symbols)

    def _type(self, text: str) -> TensorType:
        found = _TYPE.match(text)
        if not found:
            raise TextError(f"{text!r} is not a type such as f32[batch, 3]")
        shape = tuple(self._size(item) for item in _split(found[2]))
        return TensorType(as_dtype(found[1]), shape)

    def _value(self, text: str) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if text.startswith('"'):
            return json.loads(text)
        if text.startswith("@"):
            return self._type(text[1:]) if text.endswith("]") else as_dtype(text[1:])
        if text.startswith("array<"):
            return self._array(text[6:-1])
        if text.startswith("(") and text.endswith(")") and _encloses(text):
            return tuple(self._value(item) for item in _split(text[1:-1]))
        if _NUMBER.match(text):
            return int(text) if text.lstrip("-").isdigit() else float(text)
        return self._size(text)

    def _array(self, text: str) -> ArrayData:
        header, _, rest = text.partition("]")
        declared = self._type(header + "]")
        shape = tuple(int(size) for size in declared.shape)
        words = rest.split()
        if words[:1] == ["digest"]:
            raise TextError("the array is abbreviated; print the graph with full=True")
        if words[:1] != ["base64"]:
            return _array(declared.dtype, shape, words)
        try:
            raw = base64.b64decode(words[1], validate=True)
            array = np.frombuffer(raw, declared.dtype.numpy).reshape(shape)
        except (binascii.Error, ValueError, IndexError) as error:
            raise TextError(f"damaged array: {error}") from None
        return ArrayData(array)


def _array(dtype: DType, shape: tuple[int, ...], words: list[str]) -> ArrayData:
    try:
        if dtype.is_bool:
            values = np.array([{"true": True, "false": False}[word] for word in words], bool)
        elif dtype.is_float:
            values = np.array([dtype.numpy.type(float(word)) for word in words], dtype.numpy)
        else:
            values = np.array([int(word) for word in words], dtype.numpy)
        return ArrayData(values.reshape(shape))
    except (ValueError, KeyError, OverflowError) as error:
        raise TextError(f"damaged array: {error}") from None


def _unquoted(name: str) -> str:
    if not name.startswith('"'):
        return name
    try:
        return str(json.loads(name))
    except ValueError:
        raise TextError(f"{name} is not a name") from None


def _is_attribute(item: str) -> bool:
    return re.match(r"[a-z_]\w*=", item) is not None


def _encloses(text: str) -> bool:
    """True when the first bracket is closed by the last character."""
    depth = 0
    for position, char in enumerate(text):
        depth += (char in _OPEN) - (char in _CLOSE)
        if depth == 0:
            return position == len(text) - 1
    return False


def _split(text: str) -> list[str]:
    """Items at top-level commas; strings and brackets are kept whole."""
    items: list[str] = []
    depth, start, in_string, escaped = 0, 0, False, False
    for position, char in enumerate(text):
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
            continue
        in_string = char == '"'
        depth += (char in _OPEN) - (char in _CLOSE)
        if char == "," and depth == 0:
            items.append(text[start:position].strip())
            start = position + 1
    last = text[start:].strip()
    return [*items, last] if last else items
