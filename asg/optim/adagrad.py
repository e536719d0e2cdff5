"""Adagrad: the gradient over the root of the sum of all squares so far."""

from __future__ import annotations

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.pieces import leading_pieces, scale_by_learning_rate
from asg.optim.setting import Setting, first_count
from asg.optim.transform import (
    Chain,
    State,
    Tensors,
    Transform,
    chain,
    map_values,
    require_range,
)


def scale_by_adagrad(
    lr_decay: float = 0.0, initial_accumulator_value: float = 0.0, eps: float = 1e-10
) -> Transform:
    """``g / (sqrt(s) + eps) / (1 + (t - 1) * lr_decay)`` with ``s <- s + g^2``; see `adagrad`."""
    require_range("lr_decay", lr_decay, 0.0)
    require_range("initial_accumulator_value", initial_accumulator_value, 0.0)
    require_range("eps", eps, 0.0)

    def init(parameters: Tensors) -> State:
        full = map_values(
            lambda p: call("full", p.shape, initial_accumulator_value, p.dtype), parameters
        )
        return {"count": first_count(parameters), "sum": full} if lr_decay else {"sum": full}

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        total = map_values(lambda s, g: s + g * g, state["sum"], gradients)
        updates = map_values(lambda g, s: g / (call("sqrt", s) + eps), gradients, total)
        if not lr_decay:
            return updates, {"sum": total}

        def slowed(u: Tensor) -> Tensor:
            done: Tensor = state["count"].astype(u.dtype)
            return u / (1.0 + done * lr_decay)

        return map_values(slowed, updates), {"count": state["count"] + 1, "sum": total}

    return Transform("adagrad", init, update)


def adagrad(
    lr: Setting = 1e-2,
    lr_decay: float = 0.0,
    weight_decay: Setting = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
    *,
    maximize: bool = False,
) -> Chain:
    """``p <- p - lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)``, as `torch.optim.Adagrad`.

    ``s <- s + g^2`` of ``g + weight_decay * p``. Duchi et al., 2011,
    https://jmlr.org/papers/v12/duchi11a.html.

    Args:
        lr, weight_decay: numbers or schedules.
        lr_decay: how fast the rate falls with the steps t = 1, 2, ...
        initial_accumulator_value: the first s.
        eps: added to the root.
        maximize: climb instead of descending.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=adagrad(0.5))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    return chain(
        *leading_pieces(maximize, weight_decay),
        scale_by_adagrad(lr_decay, initial_accumulator_value, eps),
        scale_by_learning_rate(lr),
    )
