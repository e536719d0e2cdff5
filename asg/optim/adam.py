"""Adam and AdamW."""

from __future__ import annotations

from functools import cache

from asg.core.dtype import DType
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.moments import (
    Betas,
    bias_correction,
    first_moment,
    require_betas,
    second_moment,
)
from asg.optim.pieces import decay_pieces, leading_pieces, scale_by_learning_rate
from asg.optim.select import Selector
from asg.optim.setting import Number, Setting, first_count, scheduled
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


def scale_by_adam(
    beta1: Setting = 0.9, beta2: Setting = 0.999, eps: float = 1e-8, amsgrad: bool = False
) -> Transform:
    """``m_hat / (sqrt(v_hat) + eps)`` with bias-corrected moments.

    ``m <- beta1 m + (1 - beta1) g``, ``v <- beta2 v + (1 - beta2) g^2``,
    ``m_hat = m / (1 - beta1^t)``, ``v_hat = v / (1 - beta2^t)``; Kingma and Ba, 2015,
    https://arxiv.org/abs/1412.6980. AMSGrad takes the largest v so far for v; Reddi et al., 2018,
    https://arxiv.org/abs/1904.09237.
    """
    require_betas((beta1, beta2))
    require_range("eps", eps, 0.0)

    def init(parameters: Tensors) -> State:
        state = {
            "count": first_count(parameters),
            "m": zeros_of(parameters),
            "v": zeros_of(parameters),
        }
        return {**state, "largest_v": zeros_of(parameters)} if amsgrad else state

    def piece(beta1: Number, beta2: Number) -> Transform:
        def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
            count = state["count"] + 1

            @cache  # the same for all parameters of a dtype
            def corrections(dtype: DType) -> tuple[Tensor, Tensor]:
                root = call("sqrt", bias_correction(beta2, count, dtype))
                return root, root / bias_correction(beta1, count, dtype)

            def direction(m: Tensor, v: Tensor) -> Tensor:
                # Both corrections are single numbers, and are left to one pass over all elements.
                root, scale = corrections(v.dtype)
                return m / (call("sqrt", v) + eps * root) * scale

            following: State = {
                "count": count,
                "m": first_moment(state["m"], gradients, beta1),
                "v": second_moment(state["v"], gradients, beta2),
            }
            scales = following["v"]
            if amsgrad:
                scales = map_values(lambda a, b: call("maximum", a, b), state["largest_v"], scales)
                following["largest_v"] = scales
            return map_values(direction, following["m"], scales), following

        return Transform("adam", init, update)

    return scheduled("adam", {"beta1": beta1, "beta2": beta2}, piece)


def adam(
    lr: Setting = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: Setting = 0.0,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
    no_decay: Selector = (),
) -> Chain:
    """``p <- p - lr * m_hat / (sqrt(v_hat) + eps)``, as `torch.optim.Adam`.

    The moments m, v are those of ``g + weight_decay * p``: see `scale_by_adam`, its source.

    Args:
        lr, weight_decay: numbers or schedules.
        betas: decays of the two moments; numbers or schedules.
        eps: added to the root.
        amsgrad: divide by the root of the largest second moment so far.
        maximize: climb instead of descending.
        no_decay: parameters that do not decay (`asg.optim.select.Selector`).

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=adam(0.3))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(80)]
    >>> losses[-1] < 1e-3 * losses[0]
    True
    """
    beta1, beta2 = require_betas(betas)
    return chain(
        *leading_pieces(maximize, weight_decay, no_decay),
        scale_by_adam(beta1, beta2, eps, amsgrad),
        scale_by_learning_rate(lr),
    )


def adamw(
    lr: Setting = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: Setting = 1e-2,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
    no_decay: Selector = (),
) -> Chain:
    """Adam with decoupled decay, ``p <- p - lr * (direction + weight_decay * p)``.

    Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101; defaults and results of
    `torch.optim.AdamW`. Arguments as `adam`.

    >>> import asg
    >>> w, b = asg.parameter("w", (2,), init=1.0), asg.parameter("b", (), init=1.0)
    >>> loss = 0.0 * (w.read().sum() + b)
    >>> step = asg.train_step(loss, optimizer=adamw(0.1, weight_decay=0.5, no_decay="b"))
    >>> session = asg.compile(step).start()
    >>> _ = session()
    >>> session.state_dict()["w"].tolist(), session.state_dict()["b"].item()
    ([0.949999988079071, 0.949999988079071], 1.0)
    """
    beta1, beta2 = require_betas(betas)
    return chain(
        *leading_pieces(maximize),
        scale_by_adam(beta1, beta2, eps, amsgrad),
        *decay_pieces(weight_decay, no_decay),
        scale_by_learning_rate(lr),
    )
