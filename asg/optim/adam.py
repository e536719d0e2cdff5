"""Adam and AdamW."""

from __future__ import annotations

from math import log

from asg.core.dtype import DType
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.schedule import Schedule, scale_by_learning_rate
from asg.optim.sgd import add_decayed_weights
from asg.optim.transform import (
    State,
    Tensors,
    Transform,
    chain,
    map_values,
    require_range,
    zeros_of,
)


def scale_by_adam(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Transform:
    """``m_hat / (sqrt(v_hat) + epsilon)`` with bias-corrected moments.

    ``m <- beta1 m + (1 - beta1) g``, ``v <- beta2 v + (1 - beta2) g^2``,
    ``m_hat = m / (1 - beta1^t)``, ``v_hat = v / (1 - beta2^t)``; Kingma and Ba, 2015,
    https://arxiv.org/abs/1412.6980.
    """
    require_range("beta1", beta1, 0.0, 1.0)
    require_range("beta2", beta2, 0.0, 1.0)
    require_range("epsilon", epsilon, 0.0)

    def init(parameters: Tensors) -> State:
        count = call("full", (), 0, "int32")
        return {"count": count, "m": zeros_of(parameters), "v": zeros_of(parameters)}

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        count = state["count"] + 1
        first = map_values(lambda m, g: beta1 * m + (1 - beta1) * g, state["m"], gradients)
        second = map_values(lambda v, g: beta2 * v + (1 - beta2) * (g * g), state["v"], gradients)

        def direction(m: Tensor, v: Tensor) -> Tensor:
            root = call("sqrt", v / bias_correction(beta2, count, v.dtype))
            return (m / bias_correction(beta1, count, m.dtype)) / (root + epsilon)

        updates = map_values(direction, first, second)
        return updates, {"count": count, "m": first, "v": second}

    return Transform("adam", init, update)


def bias_correction(beta: float, count: Tensor, dtype: DType) -> Tensor:
    """``1 - beta^count`` as ``-expm1(count * log(beta))``, which float32 does not cancel."""
    if beta == 0.0:
        return call("full", (), 1.0, dtype)
    return -call("expm1", call("astype", count, dtype) * log(beta))


def adam(
    learning_rate: float | Schedule = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> Transform:
    """Adam with L2 decay added to the gradient, as `torch.optim.Adam`."""
    beta1, beta2 = _pair(betas)
    pieces = [add_decayed_weights(weight_decay)] if weight_decay else []
    return chain(
        *pieces, scale_by_adam(beta1, beta2, epsilon), scale_by_learning_rate(learning_rate)
    )


def adamw(
    learning_rate: float | Schedule = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    weight_decay: float = 1e-2,
) -> Transform:
    """Adam with decoupled decay, ``p <- p - lr * (direction + weight_decay * p)``.

    Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101; defaults of
    `torch.optim.AdamW`.
    """
    beta1, beta2 = _pair(betas)
    pieces = [scale_by_adam(beta1, beta2, epsilon)]
    pieces += [add_decayed_weights(weight_decay)] if weight_decay else []
    return chain(*pieces, scale_by_learning_rate(learning_rate))


def _pair(betas: tuple[float, float]) -> tuple[float, float]:
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise OperandError(f"betas={betas!r} must be a pair, such as (0.9, 0.999)")
    return betas[0], betas[1]
