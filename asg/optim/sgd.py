"""Stochastic gradient descent."""

from __future__ import annotations

from asg.core.errors import OperandError
from asg.optim.schedule import Schedule, scale_by_learning_rate
from asg.optim.transform import (
    State,
    Tensors,
    Transform,
    chain,
    map_values,
    require_range,
    stateless,
    zeros_of,
)


def add_decayed_weights(rate: float) -> Transform:
    """``g + rate * p``: L2 decay before a rule, decoupled decay after it."""
    require_range("weight_decay", rate, 0.0)
    return stateless(
        "weight_decay",
        lambda gradients, parameters: map_values(lambda g, p: g + rate * p, gradients, parameters),
    )


def trace(momentum: float, nesterov: bool = False) -> Transform:
    """``b <- momentum * b + g``; gives ``b``, or ``g + momentum * b`` (Nesterov)."""
    require_range("momentum", momentum, 0.0, 1.0)

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        buffers = map_values(lambda b, g: momentum * b + g, state["buffer"], gradients)
        if not nesterov:
            return buffers, {"buffer": buffers}
        ahead = map_values(lambda g, b: g + momentum * b, gradients, buffers)
        return ahead, {"buffer": buffers}

    return Transform("momentum", lambda parameters: {"buffer": zeros_of(parameters)}, update)


def sgd(
    learning_rate: float | Schedule,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> Transform:
    """``p <- p - lr * (momentum trace of (g + weight_decay * p))``, as `torch.optim.SGD`.

    Raises:
        OperandError: an argument out of range; Nesterov without momentum.
    """
    require_range("momentum", momentum, 0.0, 1.0)
    if nesterov and not momentum:
        raise OperandError("nesterov=True needs momentum > 0")
    pieces = [add_decayed_weights(weight_decay)] if weight_decay else []
    pieces += [trace(momentum, nesterov)] if momentum else []
    return chain(*pieces, scale_by_learning_rate(learning_rate))
