"""RMSprop: the gradient over a running root mean square of itself."""

from __future__ import annotations

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.moments import first_moment, second_moment
from asg.optim.pieces import leading_pieces, scale_by_learning_rate
from asg.optim.setting import Setting
from asg.optim.sgd import trace
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


def scale_by_rms(alpha: float = 0.99, eps: float = 1e-8, centered: bool = False) -> Transform:
    """``g / (sqrt(v) + eps)`` with ``v <- alpha v + (1 - alpha) g^2``.

    Centered, it is the root of the variance ``v - m^2``, ``m <- alpha m + (1 - alpha) g``.
    """
    require_range("alpha", alpha, 0.0, 1.0)
    require_range("eps", eps, 0.0)

    def init(parameters: Tensors) -> State:
        state = {"v": zeros_of(parameters)}
        return {**state, "m": zeros_of(parameters)} if centered else state

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        following: State = {"v": second_moment(state["v"], gradients, alpha)}
        scales = following["v"]
        if centered:
            following["m"] = first_moment(state["m"], gradients, alpha)
            scales = map_values(_variance, scales, following["m"])
        updates = map_values(lambda g, v: g / (call("sqrt", v) + eps), gradients, scales)
        return updates, following

    return Transform("rmsprop", init, update)


def _variance(second: Tensor, first: Tensor) -> Tensor:
    """Not below 0, where rounding would take it."""
    return call("maximum", second - first * first, 0.0)


def rmsprop(
    lr: Setting = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: Setting = 0.0,
    momentum: Setting = 0.0,
    centered: bool = False,
    *,
    maximize: bool = False,
) -> Chain:
    """``p <- p - lr * g / (sqrt(v) + eps)``, as `torch.optim.RMSprop`.

    ``v <- alpha v + (1 - alpha) g^2`` of ``g + weight_decay * p``; with momentum the step is
    ``b <- momentum * b + g / (sqrt(v) + eps)``. Tieleman and Hinton, 2012, lecture 6e of
    https://www.cs.toronto.edu/~hinton/coursera_lectures.html; centered: Graves, 2013,
    https://arxiv.org/abs/1308.0850.

    Args:
        lr, weight_decay, momentum: numbers or schedules.
        alpha: decay of v.
        eps: added to the root.
        centered: divide by the root of ``v - m^2``, an estimate of the variance.
        maximize: climb instead of descending.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=rmsprop(0.02))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(80)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    return chain(
        *leading_pieces(maximize, weight_decay),
        scale_by_rms(alpha, eps, centered),
        *([trace(momentum)] if momentum else []),
        scale_by_learning_rate(lr),
    )
