"""Averages of the parameters over the steps: EMA and SWA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.setting import first_count, like, rate_dtype
from asg.optim.transform import (
    State,
    Tensors,
    Transform,
    map_values,
    require_count,
    require_range,
)


def ema(decay: float = 0.999, start: int = 0, every: int = 1) -> Transform:
    """``average <- decay * average + (1 - decay) * p`` after each update; last in a chain.

    The first average is a copy of the parameters, as in PyTorch's AveragedModel. It is the state
    ``optimizer.ema.average``: `averaged_parameters` reads it. Polyak and Juditsky, 1992,
    https://doi.org/10.1137/0330046.

    Args:
        decay: in [0, 1).
        start: updates before averaging begins; the average equals the parameters until then.
        every: average each so-manieth update only.

    >>> import asg
    >>> from asg import optim
    >>> w = asg.parameter("w", (), init=0.0)
    >>> optimizer = optim.chain(optim.sgd(1.0), optim.ema(0.75))
    >>> session = asg.compile(asg.train_step(-4.0 * w, optimizer=optimizer)).start()
    >>> for _ in range(3):
    ...     _ = session()
    >>> session.state_dict()["w"].item(), optim.averaged_parameters(session)["w"].item()
    (12.0, 6.75)
    """
    require_range("decay", decay, 0.0, 1.0)
    return _average("ema", lambda number: 1.0 - decay, start, every)


def swa(start: int = 0, every: int = 1) -> Transform:
    """The mean of the parameters after updates ``start``, ``start + every``, ...; last in a chain.

    Stochastic weight averaging: ``average <- average + (p - average) / (n + 1)`` after n of them.
    It is the state ``optimizer.swa.average``: `averaged_parameters` reads it. Izmailov et al.,
    2018, https://arxiv.org/abs/1803.05407; it wants a rate that stays high. The statistics of batch
    norms are those of the parameters, not of their mean: run some batches through a step of the
    averaged model to make them anew.

    Args:
        start: updates before averaging begins; the average equals the parameters until then.
        every: average each so-manieth update only.

    >>> import asg
    >>> from asg import optim
    >>> w = asg.parameter("w", (), init=0.0)
    >>> optimizer = optim.chain(optim.sgd(1.0), optim.swa(start=1))
    >>> session = asg.compile(asg.train_step(-4.0 * w, optimizer=optimizer)).start()
    >>> for _ in range(3):
    ...     _ = session()
    >>> session.state_dict()["w"].item(), optim.averaged_parameters(session)["w"].item()
    (12.0, 10.0)
    """
    return _average("swa", lambda number: 1.0 / (number + 1.0), start, every)


def _average(name: str, share: Callable[[Tensor], Any], start: int, every: int) -> Transform:
    """``average <- average + share(number) (p - average)`` of the number averaged so far."""
    require_count("start", start, 0)
    require_count("every", every)

    def init(parameters: Tensors) -> State:
        count = first_count(parameters)
        return {"count": count, "number": count, "average": dict(parameters)}

    def update(updates: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        count, number = state["count"], state["number"]
        is_due = count >= start
        if every > 1:
            is_due = call("logical_and", is_due, call("equal", (count - start) % every, 0))
        part = share(number.astype(rate_dtype(number)))
        is_fresh = call("equal", number, 0)

        def follow(average: Tensor, p: Tensor, u: Tensor) -> Tensor:
            closer = average + like(part, p) * (p + u - average)
            return call("where", is_fresh, p + u, call("where", is_due, closer, average))

        averages = map_values(follow, state["average"], parameters, updates)
        counted = number + call("astype", is_due, number.dtype)
        return updates, {"count": count + 1, "number": counted, "average": averages}

    return Transform(name, init, update)


class HasState(Protocol):
    """A session."""

    def state_dict(self, role: str | None = None) -> dict[str, Any]:
        """Arrays by name."""


def averaged_parameters(session: HasState) -> dict[str, np.ndarray[Any, Any]]:
    """Every parameter by name, with its average in place of its value where there is one.

    For evaluation and export: ``asg.compile(eval_graph).start(state={**statistics,
    **averaged_parameters(session)})``, with the statistics of batch norms from
    ``session.state_dict(role="statistic")``.

    Raises:
        OperandError: the optimizer keeps no average, or several of one parameter.
    """
    parameters = session.state_dict(role="parameter")
    found: dict[str, Any] = {}
    for key, array in session.state_dict(role="optimizer").items():
        _, mark, name = key.partition(".average.")
        if mark and name in parameters:
            if name in found:
                raise OperandError(f"there are several averages of {name!r}; {key!r} is one")
            found[name] = array
    if not found:
        raise OperandError(
            "the optimizer keeps no averages of parameters\n"
            "  repair: asg.optim.chain(optimizer, asg.optim.ema(0.999))"
        )
    return {**parameters, **found}
