"""A learning rate that falls when a metric stops improving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.setting import first_count, like, rate_dtype
from asg.optim.transform import (
    Evaluate,
    State,
    Tensors,
    Transform,
    map_values,
    require_choice,
    require_count,
    require_range,
)


@dataclass(frozen=True)
class _Rule:
    """The settings of a plateau, and what a reading of the metric does."""

    mode: str
    factor: float
    patience: int
    threshold: float
    threshold_mode: str
    cooldown: int
    min_scale: float
    eps: float

    def first(self, parameters: Tensors) -> State:
        """The scale 1, and nothing seen."""
        count = first_count(parameters)
        one = call("full", (), 1.0, rate_dtype(count))
        worst = float("inf") if self.mode == "min" else float("-inf")
        best = call("full", (), worst, one.dtype)
        return {"scale": one, "best": best, "bad_readings": count, "cooldown": count}

    def after(self, state: State, metric: Tensor) -> State:
        """The state after a reading."""
        is_better = self._is_better(metric, state["best"])
        rests = state["cooldown"] > 0
        bad = call("where", is_better | rests, 0, state["bad_readings"] + 1)
        is_stuck = bad > self.patience
        smaller = call("maximum", state["scale"] * self.factor, self.min_scale)
        falls = is_stuck & (state["scale"] - smaller > self.eps)
        resting = call("where", rests, state["cooldown"] - 1, state["cooldown"])
        return {
            "scale": call("where", falls, smaller, state["scale"]),
            "best": call("where", is_better, metric, state["best"]),
            "bad_readings": call("where", is_stuck, 0, bad),
            "cooldown": call("where", is_stuck, self.cooldown, resting),
        }

    def _is_better(self, metric: Tensor, best: Tensor) -> Tensor:
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "rel":
            bound = best * (1.0 + sign * self.threshold)
        else:
            bound = best + sign * self.threshold
        return metric < bound if self.mode == "min" else metric > bound


def reduce_on_plateau(
    mode: str = "min",
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_mode: str = "rel",
    cooldown: int = 0,
    min_scale: float = 0.0,
    eps: float = 1e-8,
    *,
    metric: str = "loss",
    every: int = 1,
) -> Transform:
    """Updates times a scale that falls when a metric stops improving; last in a chain.

    The rule is that of PyTorch's ReduceLROnPlateau; the scale stands for its rates over the first
    rate: ``min_scale = min_lr / lr``. It begins at 1 and is the state ``optimizer.plateau.scale``,
    which may also be set by hand: ``session.load_state_dict({...: 0.5}, strict=False)``.

    Readings of the metric are the losses of the steps, or come from outside, by `feed_metric`. They
    have their effect from the next step on.

    Args:
        mode: "min" when a small metric is good, else "max".
        factor: by which the scale falls.
        patience: readings without improvement that are borne.
        threshold: less than this is no improvement.
        threshold_mode: "rel": as part of the best reading; "abs": as it is.
        cooldown: readings after a fall that cannot count as bad.
        min_scale: below which the scale does not fall.
        eps: a fall by less is left out.
        metric: "loss": the loss of the step; "fed": what `feed_metric` is given.
        every: for "loss": a reading is the mean of this many steps.

    >>> import asg
    >>> from asg import optim
    >>> plateau = optim.reduce_on_plateau(factor=0.5, patience=1, metric="fed")
    >>> w = asg.parameter("w", (), init=1.0)
    >>> step = asg.train_step((w - 3.0) ** 2.0, optimizer=optim.chain(optim.adam(0.1), plateau))
    >>> session = asg.compile(step).start()
    >>> for validation_loss in (1.0, 0.9, 0.95, 0.95):
    ...     optim.feed_metric(session, validation_loss)
    ...     _ = session()
    ...     print(session.state_dict()["optimizer.plateau.scale"].item())
    1.0
    1.0
    1.0
    0.5
    """
    require_choice("mode", mode, ("min", "max"))
    require_range("factor", factor, 0.0, 1.0)
    require_count("patience", patience, 0)
    require_choice("threshold_mode", threshold_mode, ("rel", "abs"))
    require_range("threshold", threshold, 0.0, 1.0 if threshold_mode == "rel" else float("inf"))
    require_count("cooldown", cooldown, 0)
    require_range("min_scale", min_scale, 0.0)
    require_range("eps", eps, 0.0)
    require_choice("metric", metric, ("loss", "fed"))
    require_count("every", every)
    if every > 1 and metric == "fed":
        raise OperandError(f"every={every} is for metric='loss'; readings that are fed are whole")
    rule = _Rule(mode, factor, patience, threshold, threshold_mode, cooldown, min_scale, eps)
    return _fed(rule) if metric == "fed" else _by_loss(rule, every)


def _by_loss(rule: _Rule, every: int) -> Transform:
    def init(parameters: Tensors) -> State:
        state = rule.first(parameters)
        zero = {"sum": 0.0 * state["scale"], "count": first_count(parameters)}
        return {**state, **zero} if every > 1 else state

    def update(
        updates: Tensors, state: State, parameters: Tensors, evaluate: Evaluate
    ) -> tuple[Tensors, State]:
        loss = evaluate({})[0].astype(state["scale"].dtype)
        following = _averaged(rule, state, loss, every) if every > 1 else rule.after(state, loss)
        return _scaled(updates, state["scale"]), following

    return Transform("plateau", init, update, evaluates=True)


def _averaged(rule: _Rule, state: State, loss: Tensor, every: int) -> State:
    """A reading at each so-manieth step."""
    total, count = state["sum"] + loss, (state["count"] + 1) % every
    is_due = call("equal", count, 0)
    following = _where(is_due, rule.after(state, total / float(every)), state)
    return {**following, "sum": call("where", is_due, 0.0, total), "count": count}


def _fed(rule: _Rule) -> Transform:
    """Readings wait in the state for the next step."""

    def init(parameters: Tensors) -> State:
        state = rule.first(parameters)
        return {**state, "reading": 0.0 * state["scale"], "unread": first_count(parameters)}

    def update(updates: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        is_new = state["unread"] > 0
        following = _where(is_new, rule.after(state, state["reading"]), state)
        kept = {"reading": state["reading"], "unread": call("zeros_like", state["unread"])}
        return _scaled(updates, following["scale"]), {**following, **kept}

    return Transform("plateau", init, update)


def _where(condition: Tensor, one: State, other: State) -> State:
    return {key: call("where", condition, value, other[key]) for key, value in one.items()}


def _scaled(updates: Tensors, scale: Tensor) -> Tensors:
    return map_values(lambda u: u * like(scale, u), updates)


class HasState(Protocol):
    """A session."""

    def state_dict(self, role: str | None = None) -> dict[str, Any]:
        """Arrays by name."""

    def load_state_dict(self, arrays: dict[str, Any], strict: bool = True) -> None:
        """Replace arrays by name."""


def feed_metric(session: HasState, metric: float) -> None:
    """Give a reading to every `reduce_on_plateau` with ``metric="fed"`` of a session's optimizer.

    The next step takes it; until then another one replaces it.

    Raises:
        OperandError: there is none.
    """
    state = session.state_dict(role="optimizer")
    readings = [key for key in state if key.endswith(".plateau.reading")]
    if not readings:
        raise OperandError(
            "the optimizer takes no readings\n"
            "  repair: asg.optim.chain(optimizer, asg.optim.reduce_on_plateau(metric='fed'))"
        )
    for key in readings:
        flag = key.removesuffix("reading") + "unread"
        fed = {key: np.asarray(metric, state[key].dtype), flag: np.asarray(1, state[flag].dtype)}
        session.load_state_dict(fed, strict=False)
