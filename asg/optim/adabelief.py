"""AdaBelief: Adam by the deviation of the gradient from its prediction."""

from __future__ import annotations

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.moments import Betas, corrected, first_moment, require_betas
from asg.optim.pieces import decay_pieces, leading_pieces, scale_by_learning_rate
from asg.optim.setting import Number, Setting, decayed, first_count, scheduled
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


def scale_by_belief(beta1: Setting = 0.9, beta2: Setting = 0.999, eps: float = 1e-16) -> Transform:
    """``m_hat / (sqrt(s_hat) + eps)``; see `adabelief`."""
    require_betas((beta1, beta2))
    require_range("eps", eps, 0.0)

    def init(parameters: Tensors) -> State:
        zeros = zeros_of(parameters)
        return {"count": first_count(parameters), "m": zeros, "s": dict(zeros)}

    def piece(beta1: Number, beta2: Number) -> Transform:
        def surprise(s: Tensor, g: Tensor, m: Tensor) -> Tensor:
            return decayed(s, (g - m) * (g - m), beta2) + eps

        def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
            count = state["count"] + 1
            m = first_moment(state["m"], gradients, beta1)
            s = map_values(surprise, state["s"], gradients, m)

            def direction(m: Tensor, s: Tensor) -> Tensor:
                root = call("sqrt", corrected(s, beta2, count))
                return corrected(m, beta1, count) / (root + eps)

            return map_values(direction, m, s), {"count": count, "m": m, "s": s}

        return Transform("adabelief", init, update)

    return scheduled("adabelief", {"beta1": beta1, "beta2": beta2}, piece)


def adabelief(
    lr: Setting = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-16,
    weight_decay: Setting = 0.0,
    *,
    maximize: bool = False,
) -> Chain:
    """``p <- p - lr * (m_hat / (sqrt(s_hat) + eps) + weight_decay * p)``.

    ``m <- beta1 m + (1 - beta1) g``, ``s <- beta2 s + (1 - beta2) (g - m)^2 + eps``, hats as in
    `adam`. Zhuang et al., 2020, https://arxiv.org/abs/2010.07468; defaults of its authors' code
    (and of Optax), with its decoupled decay.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=adabelief(0.3))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(80)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    beta1, beta2 = require_betas(betas)
    return chain(
        *leading_pieces(maximize),
        scale_by_belief(beta1, beta2, eps),
        *decay_pieces(weight_decay),
        scale_by_learning_rate(lr),
    )
