"""Muon: momentum, made orthogonal, for matrices."""

from __future__ import annotations

from math import sqrt

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.layerwise import norm
from asg.optim.moments import first_moment
from asg.optim.pieces import decay_pieces, scale_by_learning_rate
from asg.optim.select import Selector
from asg.optim.setting import Number, Setting, decayed, require_setting, scheduled
from asg.optim.transform import (
    Chain,
    State,
    Tensors,
    Transform,
    chain,
    map_values,
    require_choice,
    require_count,
    require_range,
    zeros_of,
)

Coefficients = tuple[float, float, float]
QUINTIC: Coefficients = (3.4445, -4.7750, 2.0315)
"""Of the iteration ``X <- a X + (b S + c S S) X`` with ``S = X X^T``."""


def orthogonalized(
    matrix: Tensor, steps: int = 5, coefficients: Coefficients = QUINTIC, eps: float = 1e-7
) -> Tensor:
    """About ``U V^T`` of a matrix ``U S V^T``: its singular values come near 1.

    Newton and Schulz's iteration with polynomials of degree 5, from ``X = matrix / max(norm,
    eps)``: ``X <- a X + (b S + c S S) X`` with ``S = X X^T``.

    >>> import asg
    >>> found = asg.run(orthogonalized(asg.constant([[3.0, 0.0], [0.0, 0.5]])))
    >>> bool(0.6 < found[0, 0] < 1.3), bool(0.6 < found[1, 1] < 1.3)
    (True, True)
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.mT if tall else matrix
    x = x / call("maximum", norm(x), eps)
    for _ in range(steps):
        gram = call("matmul", x, x.mT)
        x = a * x + call("matmul", b * gram + c * call("matmul", gram, gram), x)
    return x.mT if tall else x


def scale_by_muon(
    momentum: Setting = 0.95,
    nesterov: bool = True,
    ns_coefficients: Coefficients = QUINTIC,
    eps: float = 1e-7,
    ns_steps: int = 5,
    adjust_lr_fn: str | None = None,
) -> Transform:
    """The direction of `muon`, which has the formula and the arguments."""
    require_setting("momentum", momentum, 0.0, 1.0)
    require_range("eps", eps, 0.0)
    require_count("ns_steps", ns_steps)
    require_choice("adjust_lr_fn", adjust_lr_fn, (None, "original", "match_rms_adamw"))
    if not isinstance(ns_coefficients, tuple | list) or len(ns_coefficients) != 3:
        raise OperandError(f"ns_coefficients={ns_coefficients!r} must be three numbers")

    def init(parameters: Tensors) -> State:
        _require_matrices(parameters)
        return {"m": zeros_of(parameters)}

    def piece(momentum: Number) -> Transform:
        def direction(g: Tensor, m: Tensor) -> Tensor:
            ahead = decayed(g, m, 1.0 - momentum) if nesterov else m
            flat = orthogonalized(ahead, ns_steps, ns_coefficients, eps)
            return flat * _ratio(adjust_lr_fn, g)

        def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
            m = first_moment(state["m"], gradients, momentum)
            return map_values(direction, gradients, m), {"m": m}

        return Transform("muon", init, update)

    return scheduled("muon", {"momentum": momentum}, piece)


def _ratio(rule: str | None, matrix: Tensor) -> float:
    """By which the rate changes with the sizes of a matrix."""
    rows, columns = (float(size) for size in matrix.shape)
    if rule == "match_rms_adamw":
        return 0.2 * sqrt(max(rows, columns))
    return sqrt(max(1.0, rows / columns))


def _require_matrices(parameters: Tensors) -> None:
    others = [f"{name}: {p.type}" for name, p in parameters.items() if p.ndim != 2]
    if others:
        raise OperandError(
            f"muon is for matrices, and these are none: {', '.join(others)}\n"
            "  repair: asg.optim.groups({lambda name, p: p.ndim == 2: asg.optim.muon()}, "
            "default=asg.optim.adamw())"
        )


def muon(
    lr: Setting = 1e-3,
    weight_decay: Setting = 0.1,
    momentum: Setting = 0.95,
    nesterov: bool = True,
    ns_coefficients: Coefficients = QUINTIC,
    eps: float = 1e-7,
    ns_steps: int = 5,
    adjust_lr_fn: str | None = None,
    *,
    no_decay: Selector = (),
) -> Chain:
    """``p <- (1 - lr weight_decay) p - lr ratio orthogonalized(m)``, as `torch.optim.Muon`.

    ``m <- momentum m + (1 - momentum) g``; with Nesterov ``(1 - momentum) g + momentum m`` is made
    orthogonal. All parameters have to be matrices: combine it by `asg.optim.groups` with another
    optimizer for the rest. Jordan et al., 2024, https://kellerjordan.github.io/posts/muon.

    PyTorch computes the orthogonal matrix in bfloat16, this in the dtype of the parameter.

    Args:
        lr, weight_decay, momentum: numbers or schedules.
        nesterov: look ahead.
        ns_coefficients, ns_steps, eps: of `orthogonalized`.
        adjust_lr_fn: None or "original": the ratio is ``sqrt(max(1, rows / columns))``;
            "match_rms_adamw": ``0.2 sqrt(max(rows, columns))``, Liu et al., 2025,
            https://arxiv.org/abs/2502.16982.
        no_decay: parameters that do not decay (`asg.optim.select.Selector`).

    Raises:
        OperandError: a parameter is no matrix; it lists them.

    >>> import asg
    >>> w = asg.parameter("w", (2, 2), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=muon(0.2, weight_decay=0.0))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 0.1 * losses[0]
    True
    """
    return chain(
        scale_by_muon(momentum, nesterov, ns_coefficients, eps, ns_steps, adjust_lr_fn),
        *decay_pieces(weight_decay, no_decay),
        scale_by_learning_rate(lr),
    )
