"""Parametrisations: a variable of a module becomes a value that is computed when it is read.

``layer.weight`` then is a tensor, computed from variables under ``layer.parametrizations.weight``;
the layer's own forward stays as it is. Names are those of `torch.nn.utils.parametrize`.
"""

from __future__ import annotations

from typing import Any, TypeVar

from asg.compiler import compile
from asg.core.errors import OperandError, ShapeError
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.nn import state_dict as stored
from asg.nn.module import Module, ModuleDict
from asg.state.trace import training_mode
from asg.state.variable import Variable

Held = TypeVar("Held", bound=Module)


class Parametrization(Module):
    """A module from the stored variables to the value that is read.

    ``forward(original)`` is all that is needed. One that stores something else than a variable of
    the value's type says so in `originals`.

    >>> import asg
    >>> from asg import nn
    >>> class Symmetric(nn.utils.Parametrization):
    ...     def forward(self, original):
    ...         upper = asg.triu(original)
    ...         return upper + asg.triu(original, 1).T
    >>> layer = nn.utils.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    >>> list(layer.parameters())
    ['bias', 'parametrizations.weight.original']
    """

    def originals(self, variable: Variable) -> tuple[Variable, ...]:
        """The variables that replace this one, in the order of the arguments of ``forward``."""
        return (variable,)


class ParametrizedValue(Module):
    """The stored variables (``original``, or ``original0`` ...) and what is computed of them.

    Attributes:
        type: of the value.
        role: that of the variable it stands for.
    """

    def __init__(self, variable: Variable, originals: tuple[Variable, ...], first: Module) -> None:
        """What ``first`` makes of ``originals``, in place of ``variable``."""
        self.type: TensorType = variable.type
        self.role = variable.role
        self._steps, self._names = ["0"], ["original"]
        if len(originals) > 1:
            self._names = [f"original{position}" for position in range(len(originals))]
        for name, original in zip(self._names, originals, strict=True):
            setattr(self, name, original)
        setattr(self, "0", first)

    def append(self, following: Module) -> None:
        """Another parametrisation, of the value so far."""
        self._steps.append(str(len(self._steps)))
        setattr(self, self._steps[-1], following)

    def forward(self) -> Tensor:
        """The value."""
        first, *rest = [getattr(self, step) for step in self._steps]
        value: Tensor = first(*(getattr(self, name).read() for name in self._names))
        for step in rest:
            value = step(value)
        return value

    def describe(self) -> str:
        return str(self.type)


def register_parametrization(module: Held, name: str, parametrization: Module) -> Held:
    """Let ``module.name`` be computed by ``parametrization`` whenever it is read.

    A second one for the same name is applied to the value of the first.

    Args:
        module: is changed, and returned.
        name: of a variable of the module itself.
        parametrization: a module from the variable to a tensor of its type, or a
            `Parametrization`.

    Raises:
        OperandError: no variable of that name, or not a module.
        ShapeError: the value has another type than the variable. Nothing is changed.
    """
    if not isinstance(parametrization, Module):
        raise OperandError(f"a parametrisation is a module, given {parametrization!r}")
    stores = isinstance(parametrization, Parametrization) and (
        type(parametrization).originals is not Parametrization.originals
    )
    if is_parametrized(module, name):
        held: Any = module.parametrizations[name]
        if stores:
            raise OperandError(
                f"{type(parametrization).__name__} stores variables of its own, so it has to be "
                f"the first parametrisation of {name!r}"
            )
        with training_mode(False):
            _require_type(name, parametrization(held()), held.type)
        held.append(parametrization)
        return module
    _replace(module, name, own_variable(module, name), parametrization)
    return module


def _replace(module: Module, name: str, variable: Variable, first: Module) -> None:
    originals = first.originals(variable) if isinstance(first, Parametrization) else (variable,)
    with training_mode(False):
        _require_type(name, first(*(original.leaf for original in originals)), variable.type)
    if variable.owner is module:
        variable.owner = None  # the module that holds it now names it anew
    value = ParametrizedValue(variable, originals, first)
    object.__delattr__(module, name)
    if is_parametrized(module):
        setattr(module.parametrizations, name, value)
    else:
        module.parametrizations = ModuleDict({name: value})


def _require_type(name: str, value: Any, wanted: TensorType) -> None:
    if not isinstance(value, Tensor) or value.type != wanted:
        found = value.type if isinstance(value, Tensor) else value
        raise ShapeError(f"the parametrisation of {name!r} makes {found} of {wanted}")


def own_variable(module: Module, name: str) -> Variable:
    """The variable that a module holds under this name.

    Raises:
        OperandError: there is none.
    """
    found = vars(module).get(name)
    if not isinstance(found, Variable):
        own = ", ".join(name for name, _ in module.own_variables()) or "none"
        raise OperandError(
            f"{type(module).__name__} has no variable {name!r} to parametrise; it has {own}"
        )
    return found


def is_parametrized(module: Module, name: str | None = None) -> bool:
    """Whether the module computes a variable (of this name)."""
    held = vars(module).get("parametrizations")
    return held is not None and (name is None or name in held)


def remove_parametrizations(
    module: Held, name: str, session: stored.HoldsState | None = None, seed: int = 0
) -> Held:
    """Make ``module.name`` a variable again, whose first value is what was computed so far.

    Args:
        module: is changed, and returned.
        name: of a parametrised variable.
        session: whose current values count; without one, first values.
        seed: of first values.

    Raises:
        OperandError: nothing is parametrised under that name.
    """
    if not is_parametrized(module, name):
        raise OperandError(f"{type(module).__name__} has no parametrisation of {name!r}")
    value: Any = module.parametrizations[name]
    array = _computed(value, session, seed)
    object.__delattr__(module.parametrizations, name)
    if not len(module.parametrizations):
        object.__delattr__(module, "parametrizations")
    setattr(module, name, Variable(name, value.type.shape, array, value.type.dtype, value.role))
    return module


def _computed(value: ParametrizedValue, session: stored.HoldsState | None, seed: int) -> Any:
    with training_mode(False):
        graph = Graph({"value": value()}, name="parametrised")
    held = stored.collect(value, session, seed)
    state = {v.name: held[name] for name, v in stored.stored_variables(value)}
    names = {graph.input_names[slot.input] for slot in graph.state}
    kept = {name: array for name, array in state.items() if name in names}
    return compile(graph).start(state=kept)()["value"]
