"""Which parameters are meant: patterns of names, modules, functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Protocol

from asg.core.errors import OperandError
from asg.core.tensor import Tensor


class HasParameters(Protocol):
    """A module, or anything else that has parameters with names."""

    def parameters(self) -> Mapping[str, Any]:
        """Variables by a name of the module's own; each knows its full name."""


Selector = str | HasParameters | Callable[[str, Tensor], bool] | tuple[Any, ...] | list[Any]
"""What selects parameters.

* a glob pattern of the full name, matched as a whole and with case: ``"*.bias"``, ``"head.*"``;
  ``*`` stands for any characters, dots included, ``?`` for one, ``[ab]`` for one of those;
* a module: its parameters;
* a function of (name, tensor) that returns a bool: ``lambda name, p: p.ndim < 2``;
* a tuple or list of these: what any of them selects.
"""


def selected(selector: Selector, parameters: Mapping[str, Tensor]) -> set[str]:
    """The names of the parameters that are meant.

    Raises:
        OperandError: something selects no parameter; it lists the parameters. Or it is no selector.

    >>> import asg
    >>> shapes = {"fc.weight": asg.zeros((2, 3)), "fc.bias": asg.zeros((2,))}
    >>> selected("*.bias", shapes), selected(lambda name, p: p.ndim == 2, shapes)
    ({'fc.bias'}, {'fc.weight'})
    """
    if isinstance(selector, tuple | list):
        return {name for each in selector for name in selected(each, parameters)}
    accepts = _test(selector)
    found = {name for name, tensor in parameters.items() if accepts(name, tensor)}
    if not found:
        raise OperandError(
            f"{label(selector)} selects no parameter; the trained ones are {', '.join(parameters)}"
        )
    return found


def label(selector: Selector) -> str:
    """A selector in error messages."""
    if isinstance(selector, str):
        return f"pattern {selector!r}"
    if isinstance(selector, tuple | list):
        return " or ".join(label(each) for each in selector)
    name = getattr(selector, "__name__", "")
    return f"function {name}" if name else f"module {type(selector).__name__}"


def require_selector(name: str, selector: object) -> None:
    """A selector, else OperandError with the name of the argument."""
    for each in selector if isinstance(selector, tuple | list) else (selector,):
        try:
            _test(each)
        except OperandError as error:
            raise OperandError(f"{name}: {error}") from None


def _test(selector: Any) -> Callable[[str, Tensor], bool]:
    if isinstance(selector, str):
        return lambda name, tensor: fnmatchcase(name, selector)
    if hasattr(selector, "parameters"):
        # asked when it is used: a module's parameters are renamed as it becomes part of another
        return lambda name, tensor: name in {v.name for v in selector.parameters().values()}
    if callable(selector) and not isinstance(selector, type):
        return lambda name, tensor: bool(selector(name, tensor))
    raise OperandError(
        f"{selector!r} selects no parameters; give a pattern of names ('*.bias'), a module, a "
        "function of (name, tensor), or a tuple of these"
    )
