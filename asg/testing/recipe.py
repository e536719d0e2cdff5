"""Recipe: a graph as a list of calls, which can be run, changed, and printed as a script.

Random graphs are drawn as recipes, so that what failed is shown as a program somebody could have
written, and the program does exactly what was tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from asg import ops as ops  # registers the functions that recipes call
from asg.core.dim import symbol
from asg.core.registry import service
from asg.core.tensor import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Name:
    """The result of an earlier step."""

    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class SizeOf:
    """A size of the result of an earlier step."""

    text: str
    axis: int

    def __repr__(self) -> str:
        return f"{self.text}.shape[{self.axis}]"


@dataclass(frozen=True)
class NewSize:
    """A symbolic size of an input."""

    text: str
    minimum: int = 1

    def __repr__(self) -> str:
        return f"asg.dim({self.text!r}, minimum={self.minimum})"


@dataclass(frozen=True)
class Code:
    """A function given as argument, with the text that defines it in a script."""

    text: str
    function: Callable[..., Any] = field(compare=False)

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Step:
    """``results = asg.function(*arguments, **options)``.

    Arguments are Python literals, `Name`, `SizeOf`, `NewSize`, `Code`, and lists, tuples and
    slices of these. The function "getitem" stands for square brackets, and "apply" for the method
    of an op, which is the first argument.
    """

    results: tuple[str, ...]
    function: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_input(self) -> bool:
        """True for ``asg.input(...)``."""
        return self.function == "input"

    def used(self) -> set[str]:
        """The earlier results this step refers to."""
        leaves = _leaves([*self.arguments, *self.options.values()])
        return {leaf.text for leaf in leaves if isinstance(leaf, Name | SizeOf)}

    def renamed(self, old: str, new: str) -> Step:
        """The step with ``new`` wherever it refers to ``old``."""

        def exchange(leaf: Any) -> Any:
            named = isinstance(leaf, Name | SizeOf) and leaf.text == old
            return replace(leaf, text=new) if named else leaf

        arguments = tuple(_mapped(exchange, each) for each in self.arguments)
        options = {key: _mapped(exchange, each) for key, each in self.options.items()}
        return replace(self, arguments=arguments, options=options)

    def run(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The results by name."""

        def resolve(leaf: Any) -> Any:
            if isinstance(leaf, Name):
                return values[leaf.text]
            if isinstance(leaf, SizeOf):
                return values[leaf.text].shape[leaf.axis]
            if isinstance(leaf, NewSize):
                return symbol(leaf.text, leaf.minimum)
            return leaf.function if isinstance(leaf, Code) else leaf

        arguments = [_mapped(resolve, each) for each in self.arguments]
        options = {key: _mapped(resolve, each) for key, each in self.options.items()}
        if self.function == "apply":
            apply, *arguments = arguments
        else:
            apply = service(self.function)
        made: Any = apply(*arguments, **options)
        outputs = (made,) if isinstance(made, Tensor) else made
        return dict(zip(self.results, outputs, strict=True))

    def __str__(self) -> str:
        """One line of Python."""
        if self.function == "getitem":
            what, key = self.arguments
            return f"{self.results[0]} = {what!r}[{_key_text(key)}]"
        if self.function == "apply":
            op, *operands = self.arguments
            comma = "," if len(self.results) == 1 else ""
            given = ", ".join(map(_text, operands))
            return f"{', '.join(self.results)}{comma} = {op!r}.apply({given})"
        inside = [_text(each) for each in self.arguments]
        inside += [f"{key}={_text(each)}" for key, each in self.options.items()]
        comma = "," if len(self.results) == 1 and self.function in ("split", "unstack") else ""
        return f"{', '.join(self.results)}{comma} = asg.{self.function}({', '.join(inside)})"


@dataclass(frozen=True)
class Recipe:
    """Steps, the names of the results that are returned, and an array for every input."""

    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    feeds: Mapping[str, Array]
    title: str = "recipe"

    def build(self) -> dict[str, Tensor]:
        """Every result by name.

        Raises:
            AsgError: a step does not fit its operands.
        """
        values: dict[str, Tensor] = {}
        for step in self.steps:
            values |= step.run(values)
        return values

    def needed(self) -> Recipe:
        """Without the steps that no output depends on."""
        wanted, kept = set(self.outputs), []
        for step in reversed(self.steps):
            if wanted.intersection(step.results):
                wanted |= step.used()
                kept.append(step)
        names = {step.results[0] for step in kept if step.is_input}
        feeds = {name: array for name, array in self.feeds.items() if name in names}
        return replace(self, steps=tuple(reversed(kept)), feeds=feeds)

    def static(self) -> Recipe:
        """With the sizes of the arrays instead of symbols; all other sizes follow."""
        steps = tuple(self._with_literal_shape(step) for step in self.steps)
        return replace(self, steps=steps)

    def _with_literal_shape(self, step: Step) -> Step:
        if not step.is_input:
            return step
        name, _, dtype = step.arguments
        return replace(step, arguments=(name, self.feeds[name].shape, dtype))

    def script(self, note: str = "") -> str:
        """A program that builds the graph, prints it, and runs it and its gradient twice."""
        quoted = [f"# {line}".rstrip() for line in (self.title, *note.splitlines())]
        feeds = [f"    {name!r}: {_array_text(array)}," for name, array in self.feeds.items()]
        inputs = ", ".join(f"{name!r}: {name}" for name in self.feeds)
        outputs = ", ".join(f"{name!r}: {name}" for name in self.outputs)
        lines = [*quoted, *_HEAD, *map(str, self.steps), "feeds = {", *feeds, "}"]
        lines += [f"inputs = {{{inputs}}}", f"outputs = {{{outputs}}}", *_TAIL]
        return "\n".join(lines) + "\n"


_HEAD = ["import numpy as np", "", "import asg", "from asg.core.registry import op_class", ""]
_TAIL = """\
floats = {name: y for name, y in outputs.items() if y.dtype.is_float}
wrt = {name: x for name, x in inputs.items() if x.dtype.is_float}
gradients = {}
if floats and wrt:
    cotangents = {name: asg.cos(y) for name, y in floats.items()}
    gradients = asg.vjp(floats, cotangents, wrt, allow_unused=True)
graph = asg.Graph(values=outputs, gradients=gradients, inputs=list(inputs.values()))
print(graph)
for backend in ("numpy", "jax"):
    print(backend, asg.compile(graph, backend)(**feeds))
""".splitlines()


def _leaves(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _leaves(value)
        elif isinstance(value, slice):
            yield from (value.start, value.stop, value.step)
        else:
            yield value


def _mapped(function: Any, value: Any) -> Any:
    """``value`` with every leaf exchanged; depth is that of one argument."""
    if isinstance(value, list):
        return [_mapped(function, each) for each in value]
    if isinstance(value, tuple):
        return tuple(_mapped(function, each) for each in value)
    if isinstance(value, slice):
        return slice(function(value.start), function(value.stop), function(value.step))
    return function(value)


def _text(value: Any) -> str:
    """Python for an argument."""
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, tuple):
        inside = ", ".join(map(_text, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, float) and not np.isfinite(value):
        return f"float('{value}')"
    return repr(value)


def _key_text(key: Any) -> str:
    """Python for what stands in square brackets."""
    parts = key if isinstance(key, tuple) else (key,)
    return ", ".join(
        _slice_text(part) if isinstance(part, slice) else _text(part) for part in parts
    )


def _slice_text(part: slice) -> str:
    start, stop = ("" if each is None else _text(each) for each in (part.start, part.stop))
    return f"{start}:{stop}" + ("" if part.step is None else f":{_text(part.step)}")


def _array_text(array: Array) -> str:
    listed = np.array2string(array, separator=", ", threshold=2**20, floatmode="unique")
    joined = " ".join(listed.split()).replace("nan", "np.nan").replace("inf", "np.inf")
    return f"np.array({joined}, {array.dtype.name!r}).reshape({array.shape})"
