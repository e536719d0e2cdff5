"""RAdam: Adam that waits until its second moment is worth something."""

from __future__ import annotations

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.moments import (
    bias_correction,
    corrected,
    first_moment,
    second_moment,
)
from asg.optim.pieces import decay_pieces, leading_pieces, scale_by_learning_rate
from asg.optim.setting import Setting, first_count, like, rate_dtype
from asg.optim.transform import (
    Chain,
    State,
    Tensors,
    Transform,
    chain,
    map_values,
    require_pair,
    require_range,
    zeros_of,
)


def scale_by_radam(beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Transform:
    """The direction of `radam`, which has the formula."""
    require_range("beta1", beta1, 0.0, 1.0)
    require_range("beta2", beta2, 0.0, 1.0)
    require_range("eps", eps, 0.0)
    limit = 2.0 / (1.0 - beta2) - 1.0
    if limit <= 5.0:
        raise OperandError(f"beta2={beta2!r} is too small: the rectification needs more than 2/3")

    def init(parameters: Tensors) -> State:
        zeros = zeros_of(parameters)
        return {"count": first_count(parameters), "m": zeros, "v": dict(zeros)}

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        count = state["count"] + 1
        m = first_moment(state["m"], gradients, beta1)
        v = second_moment(state["v"], gradients, beta2)
        length, factor = _rectification(beta2, limit, count)

        def direction(m: Tensor, v: Tensor) -> Tensor:
            ahead = corrected(m, beta1, count)
            correction = call("sqrt", bias_correction(beta2, count, v.dtype))
            adaptive = like(factor, v) * correction / (call("sqrt", v) + eps)
            return call("where", length > 5.0, ahead * adaptive, ahead)

        return map_values(direction, m, v), {"count": count, "m": m, "v": v}

    return Transform("radam", init, update)


def _rectification(beta2: float, limit: float, count: Tensor) -> tuple[Tensor, Tensor]:
    """The length of the average at this step, and the factor r_t by it (1 up to a length of 5)."""
    dtype = rate_dtype(count)
    lost = bias_correction(beta2, count, dtype)
    length = limit - 2.0 * count.astype(dtype) * (1.0 - lost) / lost
    safe = call("maximum", length, 5.0)
    square = (safe - 4.0) * (safe - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * safe)
    return length, call("sqrt", square)


def radam(
    lr: Setting = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: Setting = 0.0,
    decoupled_weight_decay: bool = False,
    *,
    maximize: bool = False,
) -> Chain:
    """Rectified Adam, as `torch.optim.RAdam`.

    With ``L = 2 / (1 - beta2) - 1`` and ``l_t = L - 2 t beta2^t / (1 - beta2^t)``:
    ``p <- p - lr m_hat r_t sqrt(1 - beta2^t) / (sqrt(v) + eps)`` where ``l_t > 5``, else
    ``p <- p - lr m_hat``; ``r_t^2 = (l_t - 4)(l_t - 2) L / ((L - 4)(L - 2) l_t)``. Liu et al.,
    2020, https://arxiv.org/abs/1908.03265.

    Args:
        lr, eps, weight_decay, maximize: as `adam`.
        betas: two numbers, the second above 2/3.
        decoupled_weight_decay: decay as `adamw` does.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=radam(0.3))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    beta1, beta2 = require_pair("betas", betas)
    return chain(
        *leading_pieces(maximize, 0.0 if decoupled_weight_decay else weight_decay),
        scale_by_radam(beta1, beta2, eps),
        *decay_pieces(weight_decay if decoupled_weight_decay else 0.0),
        scale_by_learning_rate(lr),
    )
