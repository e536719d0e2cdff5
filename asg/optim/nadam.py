"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from math import log

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.moments import (
    Betas,
    corrected,
    first_moment,
    require_betas,
    second_moment,
)
from asg.optim.pieces import decay_pieces, leading_pieces, scale_by_learning_rate
from asg.optim.setting import Number, Setting, first_count, like, rate_dtype, scheduled
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


def scale_by_nadam(
    beta1: Setting = 0.9,
    beta2: Setting = 0.999,
    eps: float = 1e-8,
    momentum_decay: float = 4e-3,
) -> Transform:
    """The direction of `nadam`, which has the formula."""
    require_betas((beta1, beta2))
    require_range("eps", eps, 0.0)
    require_range("momentum_decay", momentum_decay, 0.0)

    def init(parameters: Tensors) -> State:
        count = first_count(parameters)
        product = call("full", (), 1.0, rate_dtype(count))
        zeros = zeros_of(parameters)
        return {"count": count, "product": product, "m": zeros, "v": dict(zeros)}

    def piece(beta1: Number, beta2: Number) -> Transform:
        def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
            count = state["count"] + 1
            now, later = (_momentum(beta1, count + ahead, momentum_decay) for ahead in (0, 1))
            product = state["product"] * now
            of_gradient = (1.0 - now) / (1.0 - product)
            of_moment = later / (1.0 - product * later)
            m = first_moment(state["m"], gradients, beta1)
            v = second_moment(state["v"], gradients, beta2)

            def direction(g: Tensor, m: Tensor, v: Tensor) -> Tensor:
                ahead: Tensor = like(of_gradient, g) * g + like(of_moment, m) * m
                return ahead / (call("sqrt", corrected(v, beta2, count)) + eps)

            updates = map_values(direction, gradients, m, v)
            return updates, {"count": count, "product": product, "m": m, "v": v}

        return Transform("nadam", init, update)

    return scheduled("nadam", {"beta1": beta1, "beta2": beta2}, piece)


def _momentum(beta: Number, count: Tensor, decay: float) -> Tensor:
    """``beta * (1 - 0.96^(count * decay) / 2)``."""
    return beta * (1.0 - 0.5 * call("exp", count.astype(rate_dtype(count)) * (decay * log(0.96))))


def nadam(
    lr: Setting = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: Setting = 0.0,
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
    *,
    maximize: bool = False,
) -> Chain:
    """Adam with Nesterov's momentum, as `torch.optim.NAdam`.

    ``mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)``, ``P_t = mu_1 ... mu_t``, m and v as in
    `adam`; ``p <- p - lr (mu_(t+1) m / (1 - P_(t+1)) + (1 - mu_t) g / (1 - P_t)) / (sqrt(v_hat) +
    eps)``. Dozat, 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.

    Args:
        lr, betas, eps, weight_decay, maximize: as `adam`.
        momentum_decay: how fast mu rises from beta1 / 2 to beta1.
        decoupled_weight_decay: decay as `adamw` does.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=nadam(0.3))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    beta1, beta2 = require_betas(betas)
    return chain(
        *leading_pieces(maximize, 0.0 if decoupled_weight_decay else weight_decay),
        scale_by_nadam(beta1, beta2, eps, momentum_decay),
        *decay_pieces(weight_decay if decoupled_weight_decay else 0.0),
        scale_by_learning_rate(lr),
    )
