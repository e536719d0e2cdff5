"""Lookahead: slow weights that follow fast ones."""

from __future__ import annotations

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.setting import first_count
from asg.optim.transform import (
    State,
    Tensors,
    Transform,
    map_values,
    require_count,
    require_range,
)


def lookahead(k: int = 5, alpha: float = 0.5) -> Transform:
    """Every k steps ``slow <- slow + alpha (p - slow)``, ``p <- slow``; last in a chain.

    Zhang et al., 2019, https://arxiv.org/abs/1907.08610. The slow weights begin as the parameters
    and are the state ``optimizer.lookahead.slow``; the optimizer's own state goes on.

    Args:
        k: steps of the optimizer before the slow weights follow.
        alpha: how far they follow, in [0, 1].

    >>> import asg
    >>> from asg import optim
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> optimizer = optim.chain(optim.sgd(0.3, momentum=0.5), optim.lookahead(k=5, alpha=0.5))
    >>> session = asg.compile(asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=optimizer)).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    require_count("k", k)
    require_range("alpha", alpha, 0.0)
    if alpha > 1.0:
        raise OperandError(f"alpha={alpha!r} is out of range; it must be at most 1")

    def init(parameters: Tensors) -> State:
        return {"count": first_count(parameters), "slow": dict(parameters)}

    def update(updates: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        count = (state["count"] + 1) % k
        is_due = call("equal", count, 0)

        def follow(slow: Tensor, p: Tensor, u: Tensor) -> Tensor:
            return call("where", is_due, slow + alpha * (p + u - slow), slow)

        slow = map_values(follow, state["slow"], parameters, updates)
        moved = map_values(
            lambda u, s, p: call("where", is_due, s - p, u), updates, slow, parameters
        )
        return moved, {"count": count, "slow": slow}

    return Transform("lookahead", init, update)
