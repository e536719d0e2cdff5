"""Schedules made of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import mul

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.schedule import as_float, constant, cosine
from asg.optim.setting import Schedule
from asg.optim.transform import require_count, require_range


def warmup(peak: float, steps: int, then: Schedule | None = None) -> Schedule:
    """Linear from ``peak / steps`` up to ``peak``, then ``then`` counted from the end of warmup.

    >>> from asg import optim
    >>> optim.rates(warmup(1.0, 4), 6)
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    require_range("peak", peak, 0.0)
    require_count("steps", steps)
    following = constant(peak) if then is None else then

    def rising(step: Tensor) -> Tensor:
        return peak * ((as_float(step) + 1.0) / float(steps))

    return sequential([rising, following], [steps])


def warmup_cosine(peak: float, warmup_steps: int, steps: int, end: float = 0.0) -> Schedule:
    """`warmup` to ``peak`` within ``warmup_steps``, then `cosine` to ``end`` at step ``steps``.

    >>> from asg import optim
    >>> optim.rates(warmup_cosine(1.0, 2, 6), 8)
    [0.5, 1.0, 1.0, 0.853553, 0.5, 0.146447, 0.0, 0.0]
    """
    require_count("warmup_steps", warmup_steps)
    require_count("steps", steps)
    if steps <= warmup_steps:
        raise OperandError(f"steps={steps} is the end of the run; it must be above warmup_steps")
    return warmup(peak, warmup_steps, cosine(peak, steps - warmup_steps, end))


def sequential(schedules: Sequence[Schedule], milestones: Sequence[int]) -> Schedule:
    """One schedule after the other, as PyTorch's SequentialLR.

    Args:
        schedules: each counts from the step at which it begins.
        milestones: the steps at which the second, third, ... begins.

    >>> from asg import optim
    >>> optim.rates(sequential([constant(0.5), cosine(1.0, 2)], [2]), 5)
    [0.5, 0.5, 1.0, 0.5, 0.0]
    """
    if len(milestones) != len(schedules) - 1:
        raise OperandError(
            f"{len(schedules)} schedules need {len(schedules) - 1} milestones, "
            f"{len(milestones)} are given"
        )
    for milestone in milestones:
        require_count("milestones", milestone)
    if any(later <= earlier for earlier, later in pairwise(milestones)):
        raise OperandError(f"milestones={list(milestones)} must rise")

    def rate(step: Tensor) -> Tensor:
        result = schedules[0](step)
        for begin, schedule in zip(milestones, schedules[1:], strict=True):
            later = schedule(call("maximum", step - begin, 0))
            result = call("where", step < begin, result, later)
        return result

    return rate


def chained(*schedules: Schedule) -> Schedule:
    """The product of schedules: a rate times factors; as PyTorch's ChainedScheduler.

    >>> from asg import optim
    >>> optim.rates(chained(optim.linear(0.0, 1.0, 2), optim.step(0.8, 2, gamma=0.5)), 5)
    [0.0, 0.4, 0.4, 0.4, 0.2]
    """
    if not schedules:
        raise OperandError("chained needs at least one schedule")
    return lambda step: reduce(mul, [schedule(step) for schedule in schedules])
