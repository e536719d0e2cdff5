"""Stochastic gradient descent."""

from __future__ import annotations

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.optim.pieces import leading_pieces, scale_by_learning_rate
from asg.optim.select import Selector
from asg.optim.setting import Number, Setting, first_count, like, require_setting, scheduled
from asg.optim.transform import (
    Chain,
    State,
    Tensors,
    Transform,
    chain,
    map_values,
    require_range,
    zeros_of,
)


def trace(momentum: Setting, dampening: float = 0.0, nesterov: bool = False) -> Transform:
    """``b <- momentum * b + (1 - dampening) * g``, where the first b is the first g.

    Gives ``b``, or ``g + momentum * b`` (Nesterov).
    """
    require_setting("momentum", momentum, 0.0, 1.0)
    require_range("dampening", dampening, float("-inf"))

    def init(parameters: Tensors) -> State:
        buffers = {"buffer": zeros_of(parameters)}
        return {"count": first_count(parameters), **buffers} if dampening else buffers

    def piece(momentum: Number) -> Transform:
        def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
            following: State = {}
            share = gradients
            if dampening:
                first, following["count"] = call("equal", state["count"], 0), state["count"] + 1
                share = map_values(
                    lambda g: call("where", first, g, (1.0 - dampening) * g), gradients
                )
            buffers = map_values(lambda b, g: like(momentum, b) * b + g, state["buffer"], share)
            ahead = map_values(lambda g, b: g + like(momentum, b) * b, gradients, buffers)
            return (ahead if nesterov else buffers), {**following, "buffer": buffers}

        return Transform("momentum", init, update)

    return scheduled("momentum", {"momentum": momentum}, piece)


def sgd(
    lr: Setting = 1e-3,
    momentum: Setting = 0.0,
    dampening: float = 0.0,
    weight_decay: Setting = 0.0,
    nesterov: bool = False,
    *,
    maximize: bool = False,
    no_decay: Selector = (),
) -> Chain:
    """``p <- p - lr * (momentum trace of (g + weight_decay * p))``, as `torch.optim.SGD`.

    Args:
        lr, momentum, weight_decay: numbers or schedules.
        dampening: the gradient enters the trace times ``1 - dampening``, except for the first.
        nesterov: step along ``g + momentum * b`` instead of along the trace b.
        maximize: climb instead of descending.
        no_decay: parameters that do not decay (`asg.optim.select.Selector`).

    Source: Sutskever et al., 2013, https://proceedings.mlr.press/v28/sutskever13.html.

    Raises:
        OperandError: an argument out of range; Nesterov without momentum or with dampening.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=sgd(0.1, momentum=0.5))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(40)]
    >>> losses[-1] < 1e-6 * losses[0]
    True
    """
    if nesterov and (not momentum or dampening):
        raise OperandError("nesterov=True needs momentum > 0 and dampening=0")
    if dampening and not momentum:
        raise OperandError(f"dampening={dampening!r} does nothing without momentum")
    return chain(
        *leading_pieces(maximize, weight_decay, no_decay),
        *([trace(momentum, dampening, nesterov)] if momentum else []),
        scale_by_learning_rate(lr),
    )
