"""Weights of a module by name, in and out: the names and layouts of PyTorch's ``state_dict``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from asg.compiler import compile
from asg.core.dtype import as_dtype
from asg.core.errors import AsgError, FeedError
from asg.core.graph import Graph
from asg.core.types import TensorType
from asg.state.variable import Variable

if TYPE_CHECKING:
    from asg.nn.module import Module

Array = np.ndarray[Any, Any]

# Keys of random streams are asg's own: files of other frameworks have none.
STORED_ROLES = ("parameter", "statistic", "counter")


class HoldsState(Protocol):
    """What has the current values of variables by name: a `Session`."""

    def state_dict(self) -> dict[str, Array]:
        """Copies of the arrays."""


class LoadedKeys(NamedTuple):
    """What a load that was not strict left out."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]


def stored_variables(module: Module) -> Iterator[tuple[str, Variable]]:
    """(name, variable) of everything a state dict holds; a shared one under each of its names."""
    for prefix, below in module.named_modules(remove_duplicate=False):
        path = f"{prefix}." if prefix else ""
        for name, variable in below.own_variables():
            if variable.role in STORED_ROLES:
                yield f"{path}{name}", variable


def collect(module: Module, session: HoldsState | None, seed: int) -> dict[str, Array]:
    """The arrays of `Module.state_dict`.

    Raises:
        FeedError: the session's graph does not use some of the variables; all are listed.
    """
    stored = dict(stored_variables(module))
    if not stored:
        return {}
    held = _first_values(stored.values(), seed) if session is None else session.state_dict()
    absent = [name for name, variable in stored.items() if variable.name not in held]
    if absent:
        raise FeedError(
            f"the session holds no value of {', '.join(absent)}: its step does not use them\n"
            "  repair: take the state dict of the modules the step uses, or use these too"
        )
    return {name: held[variable.name] for name, variable in stored.items()}


def _first_values(variables: Any, seed: int) -> dict[str, Array]:
    """What a session started with this seed begins with."""
    leaves = {f"value_{i}": variable.leaf for i, variable in enumerate(dict.fromkeys(variables))}
    return compile(Graph(leaves, name="first_values")).start(seed).state_dict()


def load(module: Module, arrays: Mapping[str, Any], strict: bool) -> LoadedKeys:
    """Make the arrays the first values of the variables; nothing changes when anything is wrong.

    Raises:
        FeedError: lists missing and unexpected names (when strict), and arrays that do not fit.
    """
    stored = dict(stored_variables(module))
    given = {name: arrays[name] for name in stored if name in arrays}
    served = {stored[name] for name in given}
    missing = tuple(name for name, variable in stored.items() if variable not in served)
    unexpected = tuple(name for name in arrays if name not in stored)
    problems = [f"{n!r} is not in the module" for n in unexpected] if strict else []
    problems += [f"{n!r}: {stored[n].type} is missing" for n in missing] if strict else []
    fitted: dict[Variable, Array] = {}
    for name, array in given.items():
        variable = stored[name]
        try:
            value = _fitted(name, array, variable.type)
            _require_same(name, value, fitted.setdefault(variable, value))
        except AsgError as error:
            problems.append(str(error))
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise FeedError(f"the state dict does not fit {type(module).__name__}:\n{listed}")
    for variable, value in fitted.items():
        variable.set_initial(value)
    return LoadedKeys(missing, unexpected)


def _fitted(name: str, array: Any, wanted: TensorType) -> Array:
    """An own copy in the variable's dtype, when shape and kind of dtype agree."""
    given = np.asarray(array)
    dtype = as_dtype(given.dtype)
    if given.shape != wanted.shape or (dtype.is_float, dtype.is_bool) != (
        wanted.dtype.is_float, wanted.dtype.is_bool,
    ):  # fmt: skip
        raise FeedError(f"{name!r} is {wanted}, given {TensorType.of(dtype, given.shape)}")
    return given.astype(wanted.dtype.numpy)


def _require_same(name: str, value: Array, other: Array) -> None:
    if value is not other and not np.array_equal(value, other, equal_nan=value.dtype.kind == "f"):
        raise FeedError(f"{name!r} is shared with another name that has a different array")
