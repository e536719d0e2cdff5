"""Read back the text that `asg.core.text` prints: a small line-by-line reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asg.core.collector import paused_collector
from asg.core.dim import as_symbol, symbol
from asg.core.errors import AsgError, TextError
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.parse_value import BODY_MARK, ValueReader, leading_string, scalar, split
from asg.core.region import Body
from asg.core.registry import op_class, public
from asg.core.state_slot import ROLES, StateSlot
from asg.core.tensor import Tensor
from asg.core.types import SizeCheck, TensorType, take_checks

_NODE = re.compile(r"%(\d+) = (\w+)\((.*)\) : (.+)\Z")
_CODE = re.compile(r'((?:"(?:[^"\\]|\\.)*"|[^"])*?)  # ')
_OPENS = re.compile(r'(%.*?[=(, ])(graph (?:[A-Za-z_][\w.:/]*|"(?:[^"\\]|\\.)*") \{)\Z')
_ATTRIBUTE = re.compile(r"[a-z_]\w*=")
_CHECK = re.compile(r"(.+?) (==|<=) (.+?) (\".*\")\Z")
# What a class or a rule raises when an attribute is of the wrong kind.
_MISFITS = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)


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
        TextError: malformed text, or ops that do not fit together; with the number of the line.

    >>> print(parse('''graph g {
    ...   input x: f32[n]
    ...   output y = x
    ... }'''))
    graph g {
      input x: f32[n]
      output y = x
    }
    """
    nested = _Nested()
    lines = text.strip().splitlines() or [""]
    number, line = 0, ""
    try:
        with paused_collector():
            for number, line in enumerate(lines, 1):  # noqa: B007 - the handler names the line
                nested.read(_without_comment(line).strip())
            return nested.finish()
    except AsgError as error:
        raise TextError(f"line {number}: {error}\n  {line.strip()}") from error.__cause__


def _without_comment(line: str) -> str:
    if "  # " not in line:
        return line
    found = _CODE.match(line)  # the mark may also stand in a string
    return found[1] if found else line


class _Nested:
    """Splits off the bodies inside op lines, at any depth, and reads them as graphs of their own.

    An op line goes on behind the ``}`` of its body, for which a mark and a number stand then.
    """

    def __init__(self) -> None:
        self.readers = [_Reader()]
        self.begun: list[str] = []

    def read(self, line: str) -> None:
        """One line of the text."""
        if BODY_MARK in line:
            raise TextError("the line contains a null character")
        if self.begun and line.startswith("}"):
            body = self.readers.pop().finish(Body)
            line = f"{self.begun.pop()}{self.readers[-1].values.hold(body)}{line[1:]}"
        opened = _OPENS.match(line) if self.readers[-1].name is not None else None
        if opened is None:
            self.readers[-1].read(line)
            return
        self.begun.append(opened[1])
        self.readers.append(_Reader())
        self.readers[-1].read(opened[2])

    def finish(self) -> Graph:
        """The graph, once every line is read."""
        if self.begun:
            raise TextError("the text ends inside the body of a loop or branch")
        return self.readers[0].finish()


class _Reader:
    def __init__(self) -> None:
        self.values = ValueReader()
        self.name: str | None = None
        self.closed = False
        self.inputs: dict[str, Tensor] = {}
        self.computed: dict[str, Tensor] = {}
        self.states: dict[str, int | None] = {}
        self.outputs: dict[str, Tensor] = {}
        self.checks: list[SizeCheck] = []

    def read(self, line: str) -> None:
        """One line of the text."""
        word, _, rest = line.partition(" ")
        if not line:
            return
        if self.closed or (self.name is None and word != "graph"):
            raise TextError("a graph starts with 'graph name {' and ends with '}'")
        if line == "}":
            self.closed = True
        elif word.startswith("%"):
            self._node(line)
        elif word in ("graph", "dim", "input", "output", "next", "check", *ROLES):
            getattr(self, f"_{'state' if word in ROLES else word}")(rest, word)
        else:
            raise TextError(f"unknown line; it starts with {word!r}")

    def finish(self, kind: type[Graph] = Graph) -> Graph:
        """The graph, once every line is read; of a body, all but the closing bracket."""
        if (kind is Graph and not self.closed) or self.name is None:
            raise TextError("the text ends before the closing '}'")
        if not self.outputs:
            raise TextError("a graph needs at least one output")
        positions = {name: i for i, name in enumerate(self.inputs)}
        return kind.of(
            list(self.inputs.values()),
            list(self.outputs.values()),
            list(self.outputs),
            [StateSlot(positions[name], output) for name, output in self.states.items()],
            self.name,
            list(self.inputs),
            self.checks,
        )

    # -- one method per kind of line ---------------------------------------------------------

    def _graph(self, rest: str, word: str) -> None:
        if self.name is not None or not rest.endswith(" {"):
            raise TextError("a graph starts with 'graph name {', once")
        self.name, _ = _named(rest, " {", "a graph starts with 'graph name {'")

    def _dim(self, rest: str, word: str) -> None:
        found = re.fullmatch(r"(\w+) minimum=(\d+) multiple_of=(\d+)", rest)
        if not found:
            raise TextError("a dim line reads 'dim n minimum=2 multiple_of=8'")
        name, minimum, multiple_of = found.groups()
        if self.inputs or self.computed or name in self.values.symbols:
            raise TextError(f"the bounds of {name!r} are declared once, before the inputs")
        declared = as_symbol(symbol(name, int(minimum), int(multiple_of)))
        assert declared is not None
        self.values.symbols[name] = declared

    def _input(self, rest: str, word: str) -> None:
        name, declared = self._declaration(rest)
        self._placeholder(name, op_class("input")(name, declared.dtype, declared.shape))

    def _state(self, rest: str, word: str) -> None:
        name, declared = self._declaration(rest)
        self._placeholder(name, op_class("state")(ParsedCell(name, declared, word)))
        self.states[name] = None

    def _placeholder(self, name: str, op: Op) -> None:
        if name in self.inputs:
            raise TextError(f"{name!r} is declared twice")
        self.inputs[name] = op()

    def _declaration(self, rest: str) -> tuple[str, TensorType]:
        name, declared = _named(rest, ": ", "a declaration reads 'name: f32[batch, 3]'")
        return name, self.values.type(declared)

    def _output(self, rest: str, word: str) -> None:
        name, value = _named(rest, " = ", "an output reads 'output name = %0'")
        self._result(name, value)

    def _next(self, rest: str, word: str) -> None:
        name, value = _named(rest, " = ", "a next value reads 'next name = %0'")
        if name not in self.states:
            raise TextError(f"{name!r} is not a variable of this graph")
        self.states[name] = len(self.outputs)
        self._result(f"next:{name}", value)

    def _result(self, name: str, value: str) -> None:
        if name in self.outputs:
            raise TextError(f"{name!r} is given twice")
        self.outputs[name] = self._operand(value)

    def _check(self, rest: str, word: str) -> None:
        found = _CHECK.match(rest)
        if not found:
            raise TextError("a check reads 'check n == m \"reason\"'")
        left, relation, right, reason = found.groups()
        sides = self.values.size(left), self.values.size(right)
        self.checks.append(SizeCheck(sides[0], relation, sides[1], leading_string(reason)[0]))

    # -- nodes -----------------------------------------------------------------------------------

    def _node(self, line: str) -> None:
        found = _NODE.match(line)
        if not found:
            raise TextError("an op line reads '%0 = op(operands, attribute=value) : type'")
        number, name, inside, declared = found.groups()
        items = split(inside)
        operands = [self._operand(item) for item in items if not _ATTRIBUTE.match(item)]
        given = self._attributes([item for item in items if _ATTRIBUTE.match(item)])
        wanted = [self.values.type(item) for item in split(declared)]
        outputs = _applied(op_class(name), given, operands, wanted)
        many = len(outputs) > 1
        for output in outputs:
            label = f"%{number}.{output.index}" if many else f"%{number}"
            if label in self.computed:
                raise TextError(f"{label} is defined twice")
            self.computed[label] = output

    def _attributes(self, items: list[str]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for item in items:
            key, _, text = item.partition("=")
            if key in given:
                raise TextError(f"attribute {key!r} is given twice")
            given[key] = self.values.value(text)
        return given

    def _operand(self, text: str) -> Tensor:
        if text.startswith("%"):
            found = self.computed.get(text)
        elif text.startswith('"'):
            found = self.inputs.get(leading_string(text)[0])
        else:
            found = self.inputs.get(text)
        if found is not None:
            return found
        data = scalar(text)
        if data is None:
            raise TextError(f"{text} is not defined above this line")
        return op_class("constant")(data)()


def _applied(
    op_type: type[Op],
    given: Mapping[str, Any],
    operands: list[Tensor],
    wanted: list[TensorType],
) -> tuple[Tensor, ...]:
    """The outputs of a node; TextError unless attributes, operands and types fit."""
    _check_attributes(op_type, given)
    try:
        op = op_type(**given)
        outputs = op.apply(*operands)
        if [output.type for output in outputs] != wanted:
            raise TextError(f"{op} has type {', '.join(str(output.type) for output in outputs)}")
    except AsgError:
        raise
    except _MISFITS as error:
        shown = ", ".join(f"{key}={value!r}" for key, value in given.items())
        raise TextError(f"{op_type.name} cannot have attributes {shown}: {error}") from error
    finally:
        take_checks()  # the text lists them itself
    return outputs


def _check_attributes(op_type: type[Op], given: Mapping[str, Any]) -> None:
    known = op_type.field_names
    listed = f"it has {', '.join(known)}" if known else "it has none"
    for key in given:
        if key not in known:
            raise TextError(f"{op_type.name} has no attribute {key!r}; {listed}")
    for key in known:
        if key not in given and not hasattr(op_type, key):  # a default is an attribute of the class
            raise TextError(f"{op_type.name} needs the attribute {key!r}; {listed}")


def _named(text: str, separator: str, form: str) -> tuple[str, str]:
    """A name, plain or quoted, and what follows the separator behind it."""
    if text.startswith('"'):
        name, rest = leading_string(text)
        if rest.startswith(separator):
            return name, rest[len(separator) :]
    else:
        name, found, rest = text.partition(separator)
        if found and name and " " not in name:
            return name, rest
    raise TextError(form)
