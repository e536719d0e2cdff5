"""Where the values of a model's variables come from: a `Model`, a session, arrays, or the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from asg.compiler import Session
from asg.core.errors import FeedError, OperandError
from asg.nn.module import Module
from asg.train.model import Model

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]


class Weights:
    """The arrays of a model, by the names of its variables.

    Attributes:
        net: what is called, without the `Model` around it.
        backend: of the model or the session; None where the caller has to choose.
        live: whether they may change, because somebody trains them.
    """

    def __init__(self, model: Any, state: Any) -> None:
        """``state`` goes before what the model has itself.

        Raises:
            OperandError: neither a session nor a mapping.
        """
        if state is not None and not isinstance(state, Session | Mapping):
            raise OperandError(f"state={state!r} must be a session, or arrays by name")
        self._source = model if state is None else state
        self.net = model.net if isinstance(model, Model) else model
        self.live = isinstance(self._source, Session | Model)
        self.backend = _backend(model, state)

    def read(self) -> Arrays:
        """All that are known now.

        Raises:
            FeedError: arrays of names that no variable of the module has.
        """
        source = self._source
        if isinstance(source, Session):
            return source.state_dict()
        if isinstance(source, Model):
            return {**_first_values(self.net), **source.state_dict()}
        if isinstance(source, Mapping):
            return _renamed(self.net, source)
        return _first_values(self.net)


def _backend(model: Any, state: Any) -> Any:
    if isinstance(state, Session):
        return state.executable.backend
    return model.backend if isinstance(model, Model) else None


def _first_values(net: Any) -> dict[str, Array]:
    return _renamed(net, net.state_dict()) if isinstance(net, Module) else {}


def _renamed(net: Any, arrays: Arrays) -> dict[str, Array]:
    """Names of a state dict become names of variables; either may be given."""
    if not isinstance(net, Module):
        return dict(arrays)
    variables = {
        f"{path}.{name}" if path else name: variable.name
        for path, module in net.named_modules(remove_duplicate=False)
        for name, variable in module.own_variables()
    }
    known = set(variables.values())
    unknown = [name for name in arrays if name not in variables and name not in known]
    if unknown:
        raise FeedError(
            f"{', '.join(map(repr, unknown))}: no variables of {type(net).__name__}; "
            "give a session as it is, and of arrays only those of the module"
        )
    return {name if name in known else variables[name]: array for name, array in arrays.items()}
