"""Adamax: Adam by the infinity norm."""

from __future__ import annotations

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.moments import Betas, corrected, first_moment, require_betas
from asg.optim.pieces import leading_pieces, scale_by_learning_rate
from asg.optim.setting import Number, Setting, first_count, like, scheduled
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


def scale_by_adamax(beta1: Setting = 0.9, beta2: Setting = 0.999, eps: float = 1e-8) -> Transform:
    """``m_hat / u`` with ``u <- max(beta2 * u, |g| + eps)``; see `adamax`."""
    require_betas((beta1, beta2))
    require_range("eps", eps, 0.0)

    def init(parameters: Tensors) -> State:
        zeros = zeros_of(parameters)
        return {"count": first_count(parameters), "m": zeros, "u": dict(zeros)}

    def piece(beta1: Number, beta2: Number) -> Transform:
        def largest(u: Tensor, g: Tensor) -> Tensor:
            return call("maximum", like(beta2, u) * u, call("abs", g) + eps)

        def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
            count = state["count"] + 1
            m = first_moment(state["m"], gradients, beta1)
            u = map_values(largest, state["u"], gradients)
            updates = map_values(lambda m, u: corrected(m, beta1, count) / u, m, u)
            return updates, {"count": count, "m": m, "u": u}

        return Transform("adamax", init, update)

    return scheduled("adamax", {"beta1": beta1, "beta2": beta2}, piece)


def adamax(
    lr: Setting = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: Setting = 0.0,
    *,
    maximize: bool = False,
) -> Chain:
    """``p <- p - lr * m_hat / u``, as `torch.optim.Adamax`.

    ``m <- beta1 m + (1 - beta1) g``, ``m_hat = m / (1 - beta1^t)``,
    ``u <- max(beta2 u, |g| + eps)``, of ``g + weight_decay * p``; Kingma and Ba, 2015, section 7,
    https://arxiv.org/abs/1412.6980.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=adamax(0.3))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    beta1, beta2 = require_betas(betas)
    return chain(
        *leading_pieces(maximize, weight_decay),
        scale_by_adamax(beta1, beta2, eps),
        scale_by_learning_rate(lr),
    )
