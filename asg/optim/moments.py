"""Running moments of gradients: what Adam and its relatives share."""

from __future__ import annotations

from math import log

from asg.core.dtype import DType
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.setting import Number, Setting, decayed, like, require_setting
from asg.optim.transform import Tensors, map_values, require_pair

Betas = tuple[Setting, Setting]


def require_betas(betas: object) -> Betas:
    """Two decays in [0, 1), or schedules."""
    beta1, beta2 = require_pair("betas", betas)
    require_setting("beta1", beta1, 0.0, 1.0)
    require_setting("beta2", beta2, 0.0, 1.0)
    return beta1, beta2


def first_moment(moments: Tensors, gradients: Tensors, beta: Number) -> Tensors:
    """``m <- beta m + (1 - beta) g``."""
    return map_values(lambda m, g: decayed(m, g, beta), moments, gradients)


def second_moment(moments: Tensors, gradients: Tensors, beta: Number) -> Tensors:
    """``v <- beta v + (1 - beta) g^2``."""
    return map_values(lambda v, g: decayed(v, g * g, beta), moments, gradients)


def bias_correction(beta: Number, count: Tensor, dtype: DType) -> Tensor:
    """``1 - beta^count`` as ``-expm1(count * log(beta))``, which float32 does not cancel."""
    steps = call("astype", count, dtype)
    if isinstance(beta, Tensor):
        return -call("expm1", steps * call("log", call("astype", beta, dtype)))
    return call("full", (), 1.0, dtype) if beta == 0.0 else -call("expm1", steps * log(beta))


def corrected(moment: Tensor, beta: Number, count: Tensor) -> Tensor:
    """``moment / (1 - beta^count)``: what it would be, had the average not begun at zero."""
    return moment / bias_correction(like(beta, moment), count, moment.dtype)
