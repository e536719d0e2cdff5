"""Gradients of several micro-batches in one update."""

from __future__ import annotations

from typing import Any

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.optim.setting import first_count
from asg.optim.transform import (
    Chain,
    State,
    Tensors,
    Transform,
    chain,
    map_values,
    require_count,
    zeros_of,
)


def accumulate(k: int, optimizer: Transform) -> Chain:
    """Update by the mean gradient of ``k`` steps, at every k-th step; others only add it up.

    The optimizer counts only its own updates, so schedules are in units of k steps. When the
    micro-batches are of one size and the loss is a mean, this is the update of the whole batch.

    Raises:
        OperandError: the optimizer evaluates the loss at other parameters, for which it would
            have only the last of the micro-batches.

    >>> import asg
    >>> w, x = asg.parameter("w", (), init=0.0), asg.input("x", ())
    >>> step = asg.train_step(w * x, optimizer=accumulate(2, asg.optim.sgd(0.1)))
    >>> session = asg.compile(step).start()
    >>> for value in (1.0, 3.0, 5.0, 7.0):
    ...     _ = session(x=value)
    ...     print(round(session.state_dict()["w"].item(), 3))
    0.0
    -0.2
    -0.2
    -0.8
    """
    require_count("k", k)
    if optimizer.evaluates:
        raise OperandError(
            f"accumulate cannot wrap {_culprit(optimizer)}, which evaluates the loss of the whole "
            "batch at other parameters"
        )

    def init(parameters: Tensors) -> State:
        inner = optimizer.init(parameters)
        state: State = {"count": first_count(parameters), "sum": zeros_of(parameters)}
        return {**state, "inner": inner} if inner else state

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        total = map_values(lambda s, g: s + g, state["sum"], gradients)
        count = (state["count"] + 1) % k
        is_due = call("equal", count, 0)

        def act() -> Any:
            mean = map_values(lambda s: s / float(k), total)
            updates, inner = optimizer.update(mean, state.get("inner", {}), parameters)
            return updates, zeros_of(total), inner

        def wait() -> Any:
            return zeros_of(total), total, state.get("inner", {})

        result: Any = call("cond", is_due, act, wait)
        updates, left, inner = result
        following: State = {"count": count, "sum": left}
        return updates, ({**following, "inner": inner} if inner else following)

    return chain(Transform("accumulate", init, update))


def _culprit(optimizer: Transform) -> str:
    pieces = optimizer.pieces if isinstance(optimizer, Chain) else (optimizer,)
    return next(piece.name for piece in pieces if piece.evaluates)
