"""Gradient transformations: a pair of pure functions on trees of tensors, and how they chain.

The algebra is Optax's (https://optax.readthedocs.io): an optimizer turns gradients into what is
added to the parameters. Because both functions build graph, the update is part of the one step
graph: it is optimised, drawn and exported like everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor

Tensors = dict[str, Tensor]
State = dict[str, Any]
Init = Callable[[Tensors], State]
Update = Callable[..., tuple[Tensors, State]]
Evaluate = Callable[[Tensors], tuple[Tensor, Tensors]]
"""(some parameters) -> (loss, their gradients) of this step's batch at these values of them."""


@dataclass(frozen=True)
class Transform:
    """``init(parameters) -> state``; ``update(gradients, state, parameters) -> (updates, state)``.

    Attributes:
        name: names the state of this piece inside a chain (``optimizer.adam.m.fc1.weight``).
        init: the first state, as nested dicts of tensors.
        update: pure; called while the step is built.
        evaluates: ``update`` takes a fourth argument, ``evaluate(values) -> (loss, gradients)``:
            the loss of this step's batch with these values for the parameters they are named
            after, and its gradients by them. Everything else that the loss depends on stays: the
            batch, other parameters, dropout masks. What the model writes (the running statistics
            of a batch norm) is written once, as it was at the current parameters.
        first: it makes gradients of its own in place of those it is given, so nothing may come
            before it in a chain.
    """

    name: str
    init: Init
    update: Update
    evaluates: bool = False
    first: bool = False


@dataclass(frozen=True)
class Chain(Transform):
    """Transforms applied one after the other; made by `chain`."""

    pieces: tuple[Transform, ...] = ()


def stateless(name: str, function: Callable[[Tensors, Tensors], Tensors]) -> Transform:
    """A transform without state from ``function(gradients, parameters)``."""
    return Transform(
        name,
        lambda parameters: {},
        lambda gradients, state, parameters: (function(gradients, parameters), state),
    )


def run(
    transform: Transform,
    gradients: Tensors,
    state: State,
    parameters: Tensors,
    evaluate: Evaluate | None,
) -> tuple[Tensors, State]:
    """The update of ``transform``, with ``evaluate`` if it takes it.

    Raises:
        OperandError: it takes it, and there is none.
    """
    if not transform.evaluates:
        return transform.update(gradients, state, parameters)
    if evaluate is None:
        raise OperandError(
            f"{transform.name} evaluates the loss at other parameters; update needs "
            "evaluate(values) -> (loss, gradients) as fourth argument (asg.train_step gives it)"
        )
    return transform.update(gradients, state, parameters, evaluate)


def chain(*transforms: Transform) -> Chain:
    """Apply transforms one after the other, each on what the one before returned.

    The pieces of a chain inside the chain become pieces of it, so that names of state stay short:
    ``optimizer.adam.m.weight``.

    >>> from asg import optim
    >>> both = chain(optim.clip_by_global_norm(1.0), optim.sgd(0.1, momentum=0.9))
    >>> [piece.name for piece in both.pieces]
    ['clip_by_global_norm', 'momentum', 'learning_rate']
    """
    if not transforms:
        raise OperandError("chain needs at least one transform")
    pieces = tuple(piece for transform in transforms for piece in _pieces(transform))
    _require_order(pieces)
    names = _distinct([piece.name for piece in pieces])
    named = dict(zip(names, pieces, strict=True))

    def init(parameters: Tensors) -> State:
        states = {name: transform.init(parameters) for name, transform in named.items()}
        return {name: state for name, state in states.items() if state}

    def update(
        gradients: Tensors, state: State, parameters: Tensors, evaluate: Evaluate | None = None
    ) -> tuple[Tensors, State]:
        following: State = {}
        for name, piece in named.items():
            gradients, new = run(piece, gradients, state.get(name, {}), parameters, evaluate)
            following.update({name: new} if new else {})
        return gradients, following

    evaluates = any(piece.evaluates for piece in pieces)
    return Chain("chain", init, update, evaluates, pieces[0].first, pieces)


def _require_order(pieces: tuple[Transform, ...]) -> None:
    for before, piece in pairwise(pieces):
        if piece.first:
            raise OperandError(
                f"{piece.name} computes gradients of its own, so that {before.name} before it "
                "would do nothing\n"
                f"  repair: put {before.name} into the optimizer that {piece.name} wraps, if it "
                "wraps one, or leave it out"
            )


def _pieces(transform: Transform) -> tuple[Transform, ...]:
    return transform.pieces if isinstance(transform, Chain) else (transform,)


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


def require_count(name: str, value: int, low: int = 1) -> None:
    """An int of at least ``low``, else OperandError with the name of the argument."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise OperandError(f"{name}={value!r} must be an int >= {low}")


def require_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """One of ``choices``, else OperandError with the name of the argument."""
    if value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise OperandError(f"{name}={value!r} is not one of {listed}")


def require_pair(name: str, value: object) -> tuple[Any, Any]:
    """A tuple or list of two, else OperandError with the name of the argument."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise OperandError(f"{name}={value!r} must be a pair, such as (0.9, 0.999)")
    return value[0], value[1]
