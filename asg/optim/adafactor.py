"""Adafactor: second moments of matrices by rows and columns."""

from __future__ import annotations

import math

from asg.core.dtype import DType, finfo
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.layerwise import norm
from asg.optim.pieces import leading_pieces
from asg.optim.setting import (
    Number,
    Setting,
    decayed,
    first_count,
    like,
    rate_dtype,
    require_setting,
    scheduled,
)
from asg.optim.transform import (
    Chain,
    State,
    Tensors,
    Transform,
    chain,
    require_pair,
    require_range,
)


def adafactor(
    lr: Setting = 1e-2,
    beta2_decay: float = -0.8,
    eps: tuple[float | None, float] = (None, 1e-3),
    d: float = 1.0,
    weight_decay: Setting = 0.0,
    *,
    maximize: bool = False,
) -> Chain:
    """Steps relative to the size of a parameter, as `torch.optim.Adafactor`.

    With ``share = t^beta2_decay`` and averages ``a <- (1 - share) a + share x``: r of the mean of
    ``g^2`` along the last axis, c of that along the one before, ``V = r c / mean(r)`` (for
    vectors: V of ``g^2`` itself); ``u = g / max(sqrt(V), eps1)``;
    ``p <- (1 - lr weight_decay) p - rho max(eps2, rms(p)) u / max(1, rms(u) / d)`` with
    ``rho = min(lr, 1 / sqrt(t))``. Shazeer and Stern, 2018, https://arxiv.org/abs/1804.04235.

    Args:
        lr, weight_decay: numbers or schedules.
        beta2_decay: power of the step, at most 0.
        eps: the least root of V (None: the spacing of floats at 1), and the least rms of p.
        d: bound on the rms of an update.
        maximize: climb instead of descending.

    >>> import asg
    >>> w = asg.parameter("w", (2, 2), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=adafactor(0.3))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 0.1 * losses[0]
    True
    >>> sorted(session.state_dict(role="optimizer"))
    ['optimizer.adafactor.column.w', 'optimizer.adafactor.count', 'optimizer.adafactor.row.w']
    """
    require_setting("lr", lr, 0.0)
    require_setting("weight_decay", weight_decay, 0.0)
    require_range("d", d, 1.0)
    least, scale = require_pair("eps", eps)
    require_range("eps[0]", 0.0 if least is None else least, 0.0)
    require_range("eps[1]", scale, 0.0)
    if not beta2_decay <= 0.0:
        raise OperandError(f"beta2_decay={beta2_decay!r} is out of range; it must be <= 0")

    def piece(lr: Number, weight_decay: Number) -> Transform:
        def step(g: Tensor, p: Tensor, variance: Tensor, rate: Tensor) -> Tensor:
            root = call("maximum", call("sqrt", variance), _least(least, g.dtype))
            size = like(rate, p) * call("maximum", _rms(p), scale)
            bound = call("maximum", _rms(g / root) / d, 1.0)
            moved: Tensor = -(size / bound) * (g / root) - like(lr, p) * like(weight_decay, p) * p
            return moved

        def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
            count = state["count"] + 1
            done = count.astype(rate_dtype(count))
            decay, rate = 1.0 - done**beta2_decay, call("minimum", lr, done**-0.5)
            following: State = {"count": count}
            updates = {}
            for name, g in gradients.items():
                for kind, square in _squares(g).items():
                    moment = decayed(state[kind][name], square, decay)
                    following.setdefault(kind, {})[name] = moment
                variance = _variance(name, following, _least(least, g.dtype))
                updates[name] = step(g, parameters[name], variance, rate)
            return updates, following

        return Transform("adafactor", _init, update)

    settings = {"lr": lr, "weight_decay": weight_decay}
    return chain(*leading_pieces(maximize), scheduled("adafactor", settings, piece))


def _init(parameters: Tensors) -> State:
    state: State = {"count": first_count(parameters)}
    for name, p in parameters.items():
        for kind, square in _squares(p).items():
            state.setdefault(kind, {})[name] = call("zeros_like", square)
    return state


def _squares(g: Tensor) -> Tensors:
    """What is averaged: mean squares of rows and columns, of vectors every square."""
    if g.ndim < 2:
        return {"full": g * g}
    return {kind: (g * g).mean(axis=axis, keepdims=True) for kind, axis in _MEANS.items()}


_MEANS = {"row": -1, "column": -2}


def _variance(name: str, moments: State, least: float) -> Tensor:
    """The square of every element, as far as the averages tell."""
    if name in moments.get("full", {}):
        full: Tensor = moments["full"][name]
        return full
    row: Tensor = moments["row"][name]
    column: Tensor = moments["column"][name]
    return row * column / call("maximum", row.mean(axis=-2, keepdims=True), least)


def _rms(x: Tensor) -> Tensor:
    return norm(x) / math.sqrt(math.prod(x.shape))


def _least(eps: float | None, dtype: DType) -> float:
    return finfo(dtype).eps if eps is None else eps
