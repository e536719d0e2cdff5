"""FunctionModule: a module that is one function with options, and the rules of its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, Signature, get_annotations, signature
from math import isnan
from typing import Annotated, Any, ClassVar, Literal, dataclass_transform, get_type_hints

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.nn.module import Module
from asg.state.variable import Variable


@dataclass(frozen=True)
class Rule:
    """What an option must be: a test, and the same in words."""

    words: str
    holds: Callable[[Any], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not isnan(value)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def one_of(*choices: str) -> Rule:
    """The rule of an option that is one of a few words."""
    return Rule(f"one of {', '.join(map(repr, choices))}", lambda value: value in choices)


Number = Annotated[float, Rule("a number", _is_number)]
Positive = Annotated[float, Rule("a positive number", lambda v: _is_number(v) and v > 0)]
NonNegative = Annotated[float, Rule("a number of at least 0", lambda v: _is_number(v) and v >= 0)]
Fraction = Annotated[float, Rule("in [0, 1]", lambda v: _is_number(v) and 0 <= v <= 1)]
Int = Annotated[int, Rule("an int", _is_int)]
Count = Annotated[int, Rule("a positive int", lambda v: _is_int(v) and v > 0)]
Flag = Annotated[bool, Rule("True or False", lambda v: isinstance(v, bool))]
Reduction = Annotated[Literal["none", "mean", "sum"], one_of("none", "mean", "sum")]


@dataclass_transform(eq_default=False)
class FunctionModule(Module):
    """A module that calls one function of asg with its operands and options.

    A subclass names the ``function`` and declares the options as annotated fields, in the order
    of the constructor's arguments; a `Rule` in the annotation is checked when a module is made.

    Class facts:
        function: the registered name of what `forward` calls.
        renamed: the function's keyword for an option that PyTorch calls otherwise.

    Raises:
        OperandError: an option breaks its rule; the message names the option and its value.

    >>> from asg import nn
    >>> nn.LeakyReLU(0.2)
    LeakyReLU(negative_slope=0.2)
    >>> nn.LeakyReLU(negative_slope="steep")
    Traceback (most recent call last):
    ...
    asg.core.errors.OperandError: LeakyReLU: negative_slope='steep' must be a number
    """

    function: ClassVar[str] = ""
    renamed: ClassVar[dict[str, str]] = {}
    fields: ClassVar[tuple[str, ...]] = ()
    _accepts: ClassVar[Signature] = Signature()
    _found: ClassVar[dict[str, Rule]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect the fields; the constructor's signature follows from them.

        (No dataclass: making one compiles source, and these many would slow down `import asg`.)
        """
        super().__init_subclass__(**kwargs)
        own = [name for name, a in get_annotations(cls).items() if "ClassVar" not in str(a)]
        cls.fields = (*cls.fields, *(name for name in own if name not in cls.fields))
        kind, empty = Parameter.POSITIONAL_OR_KEYWORD, Parameter.empty
        cls._accepts = Signature(
            [Parameter(name, kind, default=getattr(cls, name, empty)) for name in cls.fields]
        )
        shown = signature(cls.__dict__["__init__"]) if "__init__" in cls.__dict__ else cls._accepts
        known = [each for each in shown.parameters.values() if each.name != "self"]
        cls.__signature__ = Signature(known)  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **options: Any) -> None:
        """The options in order or by name; `help` of the class lists them."""
        try:
            bound = self._accepts.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            rule = self._rules().get(name)
            if rule is not None:
                self.require(rule.holds(value), name, value, f"must be {rule.words}")
            setattr(self, name, value)

    @classmethod
    def _rules(cls) -> dict[str, Rule]:
        """The rules of the fields, found when the first module of a class is made."""
        if "_found" not in cls.__dict__:
            hints = get_type_hints(cls, include_extras=True)
            notes = {name: getattr(hints[name], "__metadata__", ()) for name in cls.fields}
            cls._found = {
                name: note for name in notes for note in notes[name] if isinstance(note, Rule)
            }
        return cls._found

    def require(self, holds: bool, name: str, value: Any, problem: str) -> None:
        """OperandError about an option, unless ``holds``."""
        if not holds:
            raise OperandError(f"{type(self).__name__}: {name}={value!r} {problem}")

    def options(self) -> dict[str, Any]:
        """The keywords the function is called with."""
        return {self.renamed.get(name, name): getattr(self, name) for name in self.fields}

    def forward(self, *operands: Any) -> Any:
        """The function of the operands."""
        return call(self.function, *operands, **self.options())

    def describe(self) -> str:
        shown = {name: getattr(self, name) for name in self.fields}
        return ", ".join(
            f"{name}={value!r}"
            for name, value in shown.items()
            if value is not None and not isinstance(value, Variable)
        )
