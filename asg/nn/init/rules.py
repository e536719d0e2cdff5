"""New first values for the parameters of a finished module, chosen by name or class."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

from asg.core.errors import AsgError, OperandError
from asg.core.registry import call
from asg.state.variable import Variable

if TYPE_CHECKING:
    from asg.nn.module import Module

Held = TypeVar("Held", bound="Module")


def initialize(module: Held, rules: Mapping[Any, Any]) -> Held:
    """Replace the first values of parameters, by rules in order: the last one that fits counts.

    Sessions that run keep what they have; those started later begin with the new values.

    Args:
        module: whose parameters; it is returned.
        rules: a key is a pattern of names relative to the module (``"*.weight"``, with the ``*``,
            ``?`` and ``[...]`` of file names), and its value what `Variable.set_initial` takes: an
            initialiser, a number or an array. Or a key is a class of modules, and its value such
            rules for the variables of each of them.

    Raises:
        OperandError: a rule that fits nothing, or a value that does not fit the variable; nothing
            is changed then.

    >>> from asg import nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> rules = {nn.Linear: {"weight": nn.init.normal(std=0.02), "bias": 0.0}, "2.bias": 1.0}
    >>> nn.init.initialize(net, rules).state_dict()["2.bias"].tolist()
    [1.0, 1.0]
    """
    chosen: dict[Variable, Any] = {}
    for key, value in rules.items():
        chosen |= (
            _by_class(module, key, value)
            if isinstance(key, type)
            else _by_name(module.parameters(), key, value)
        )
    names = {variable: name for name, variable in module.parameters().items()}
    for variable, value in chosen.items():
        _try(names[variable], variable, value)
    for variable, value in chosen.items():
        variable.set_initial(value)
    return module


def _by_name(parameters: Mapping[str, Variable], pattern: Any, value: Any) -> dict[Variable, Any]:
    if not isinstance(pattern, str):
        raise OperandError(f"a rule is for a pattern of names or a class of modules: {pattern!r}")
    found = [v for name, v in parameters.items() if fnmatchcase(name, pattern)]
    if not found:
        raise OperandError(f"no parameter is called {pattern!r}; there are {', '.join(parameters)}")
    return dict.fromkeys(found, value)


def _by_class(module: Module, kind: type, rules: Any) -> dict[Variable, Any]:
    if not isinstance(rules, Mapping):
        raise OperandError(f"the rule for {kind.__name__} is a dict of names and values: {rules!r}")
    chosen: dict[Variable, Any] = {}
    for pattern, value in rules.items():
        own: dict[Variable, Any] = {}
        for below in module.modules():
            if isinstance(below, kind):
                own |= {
                    variable: value
                    for name, variable in below.own_variables()
                    if variable.role == "parameter" and fnmatchcase(name, str(pattern))
                }
        if not own:
            raise OperandError(f"no {kind.__name__} of the module has a parameter {pattern!r}")
        chosen |= own
    return chosen


def _try(name: str, variable: Variable, value: Any) -> None:
    """Build the value once, so that what does not fit is told here, with the name."""
    shape, dtype = variable.type.shape, variable.type.dtype
    try:
        Variable(name, shape, value, dtype).initial(call("random_key", 0))
    except AsgError as error:
        raise OperandError(f"the first value of {name!r} cannot be made: {error}") from error
