"""Adadelta: steps in the unit of the parameters."""

from __future__ import annotations

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.moments import second_moment
from asg.optim.pieces import leading_pieces, scale_by_learning_rate
from asg.optim.setting import Setting
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


def scale_by_adadelta(rho: float = 0.9, eps: float = 1e-6) -> Transform:
    """``g * sqrt(u + eps) / sqrt(v + eps)``; see `adadelta`."""
    require_range("rho", rho, 0.0, 1.0)
    require_range("eps", eps, 0.0)

    def init(parameters: Tensors) -> State:
        return {"v": zeros_of(parameters), "u": zeros_of(parameters)}

    def step(g: Tensor, v: Tensor, u: Tensor) -> Tensor:
        return call("sqrt", u + eps) / call("sqrt", v + eps) * g

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        v = second_moment(state["v"], gradients, rho)
        updates = map_values(step, gradients, v, state["u"])
        return updates, {"v": v, "u": second_moment(state["u"], updates, rho)}

    return Transform("adadelta", init, update)


def adadelta(
    lr: Setting = 1.0,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: Setting = 0.0,
    *,
    maximize: bool = False,
) -> Chain:
    """``d = g sqrt(u + eps) / sqrt(v + eps)``, ``p <- p - lr d``, as `torch.optim.Adadelta`.

    ``v <- rho v + (1 - rho) g^2`` before the step, ``u <- rho u + (1 - rho) d^2`` after it, of
    ``g + weight_decay * p``. Zeiler, 2012, https://arxiv.org/abs/1212.5701.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=adadelta(30.0))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(100)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    return chain(
        *leading_pieces(maximize, weight_decay),
        scale_by_adadelta(rho, eps),
        scale_by_learning_rate(lr),
    )
