"""Gradient transformations: a pair of pure functions on trees of tensors, and how they chain.

The algebra is Optax's (https://optax.readthedocs.io): an optimizer turns gradients into what is
added to the parameters. Because both functions build graph, the update is part of the one step
graph: it is optimised, drawn and exported like everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor

Tensors = dict[str, Tensor]
State = dict[str, Any]
Init = Callable[[Tensors], State]
Update = Callable[[Tensors, State, Tensors], tuple[Tensors, State]]


@dataclass(frozen=True)
class Transform:
    """``init(parameters) -> state``; ``update(gradients, state, parameters) -> (updates, state)``.

    Attributes:
        name: names the state of this piece inside a chain (``optimizer.adam.m.fc1.weight``).
        init: the first state, as nested dicts of tensors.
        update: pure; called while the step is built.
    """

    name: str
    init: Init
    update: Update


def stateless(name: str, function: Callable[[Tensors, Tensors], Tensors]) -> Transform:
    """A transform without state from ``function(gradients, parameters)``."""
    return Transform(
        name,
        lambda parameters: {},
        lambda gradients, state, parameters: (function(gradients, parameters), state),
    )


def chain(*transforms: Transform) -> Transform:
    """Apply transforms one after the other, each on what the one before returned.

    >>> from asg import optim
    >>> chain(optim.clip_by_global_norm(1.0), optim.sgd(0.1)).name
    'chain'
    """
    if not transforms:
        raise OperandError("chain needs at least one transform")
    names = _distinct([transform.name for transform in transforms])
    named = dict(zip(names, transforms, strict=True))

    def init(parameters: Tensors) -> State:
        states = {name: transform.init(parameters) for name, transform in named.items()}
        return {name: state for name, state in states.items() if state}

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        following: State = {}
        for name, transform in named.items():
            gradients, new = transform.update(gradients, state.get(name, {}), parameters)
            following.update({name: new} if new else {})
        return gradients, following

    return Transform("chain", init, update)


def _distinct(names: list[str]) -> list[str]:
    """Names with a number appended from the second occurrence on."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result


def map_values(function: Callable[..., Tensor], *trees: Mapping[str, Tensor]) -> Tensors:
    """``function`` of the tensors of one name in every tree."""
    return {name: function(*(tree[name] for tree in trees)) for name in trees[0]}


def zeros_of(parameters: Tensors) -> Tensors:
    """Zeros in the types of the parameters."""
    return {name: call("zeros_like", tensor) for name, tensor in parameters.items()}


def require_range(name: str, value: float, low: float, high: float = float("inf")) -> None:
    """``low <= value < high``, else OperandError with the name of the argument."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise OperandError(f"{name}={value!r} must be a Python number, got {type(value).__name__}")
    if not low <= value < high:
        bound = f"[{low}, {high})" if high != float("inf") else f">= {low}"
        raise OperandError(f"{name}={value!r} is out of range; it must be in {bound}")
