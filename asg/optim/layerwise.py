"""Rates by layer for large batches: LAMB and LARS."""

from __future__ import annotations

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.adam import scale_by_adam
from asg.optim.moments import Betas, require_betas
from asg.optim.pieces import decay_pieces, leading_pieces, scale_by_learning_rate
from asg.optim.select import Selector, require_selector, selected
from asg.optim.setting import Setting
from asg.optim.sgd import trace
from asg.optim.transform import Chain, Tensors, Transform, chain, require_range, stateless


def norm(tensor: Tensor) -> Tensor:
    """``sqrt(sum x^2)`` over all elements."""
    return call("sqrt", (tensor * tensor).sum())


def scale_by_trust_ratio(
    coefficient: float = 1.0, eps: float = 0.0, no_trust: Selector = ()
) -> Transform:
    """``g * coefficient * |p| / (|g| + eps)`` for each parameter; as it is where a norm is 0.

    Args:
        coefficient: scales the ratio.
        eps: added to the norm of the gradient.
        no_trust: parameters whose gradients stay as they are (`asg.optim.select.Selector`).
    """
    require_range("coefficient", coefficient, 0.0)
    require_range("eps", eps, 0.0)
    require_selector("no_trust", no_trust)

    def scaled(g: Tensor, p: Tensor) -> Tensor:
        length, size = norm(g), norm(p)
        known = call("logical_and", length > 0.0, size > 0.0)
        safe = call("where", known, length, 1.0)
        return g * call("where", known, coefficient * size / (safe + eps), 1.0)

    def scale(gradients: Tensors, parameters: Tensors) -> Tensors:
        spared = selected(no_trust, parameters)
        return {
            name: g if name in spared else scaled(g, parameters[name])
            for name, g in gradients.items()
        }

    return stateless("trust_ratio", scale)


def lamb(
    lr: Setting = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-6,
    weight_decay: Setting = 0.0,
    *,
    maximize: bool = False,
    no_decay: Selector = (),
    no_trust: Selector = (),
) -> Chain:
    """``p <- p - lr * |p| / |u| * u`` with ``u = m_hat / (sqrt(v_hat) + eps) + weight_decay * p``.

    The norms are those of each parameter; where one is 0 the ratio is 1. You et al., 2020,
    https://arxiv.org/abs/1904.00962; defaults of Optax.

    Args:
        lr, betas, eps, weight_decay, maximize, no_decay: as `asg.optim.adamw`.
        no_trust: parameters with the ratio 1, often biases and the scales of norms.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=lamb(0.1))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 0.1 * losses[0]
    True
    """
    beta1, beta2 = require_betas(betas)
    return chain(
        *leading_pieces(maximize),
        scale_by_adam(beta1, beta2, eps),
        *decay_pieces(weight_decay, no_decay),
        scale_by_trust_ratio(no_trust=no_trust),
        scale_by_learning_rate(lr),
    )


def lars(
    lr: Setting,
    momentum: Setting = 0.9,
    weight_decay: Setting = 0.0,
    trust_coefficient: float = 1e-3,
    eps: float = 0.0,
    nesterov: bool = False,
    *,
    maximize: bool = False,
    no_decay: Selector = (),
    no_trust: Selector = (),
) -> Chain:
    """``b <- momentum * b - lr * trust_coefficient * |p| / (|g| + eps) * g``, ``p <- p + b``.

    g stands for ``g + weight_decay * p``, the norms are those of each parameter, and where one is
    0 the gradient is taken as it is. You et al., 2017, https://arxiv.org/abs/1708.03888; defaults
    of Optax.

    Args:
        lr, momentum, weight_decay, nesterov, maximize, no_decay: as `asg.optim.sgd`.
        trust_coefficient: scales the ratio of the norms.
        eps: added to the norm of the gradient.
        no_trust: parameters without the ratio, often biases and the scales of norms.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=lars(20.0, momentum=0.5))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 0.1 * losses[0]
    True
    """
    return chain(
        *leading_pieces(maximize, weight_decay, no_decay),
        scale_by_trust_ratio(trust_coefficient, eps, no_trust),
        scale_by_learning_rate(lr),
        *([trace(momentum, nesterov=nesterov)] if momentum else []),
    )
