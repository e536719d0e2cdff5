"""Schedules: expressions of the step counter, part of the step graph.

Each is a closed form of the counter, so that a run can be resumed, or looked at, at any step. They
are meant for learning rates, and other settings take them just as well (weight decay, momentum).
`asg.optim.schedule_cycles` has those that go up and down, `asg.optim.schedule_combine` those made
of others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi

from asg.compiler import run
from asg.core.dtype import int64
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.ops.leaf import iota
from asg.optim.setting import Schedule, rate_dtype
from asg.optim.transform import require_count, require_range


def constant(value: float, factor: float = 1.0, steps: int = 0) -> Schedule:
    """``value``; before that ``value * factor`` for ``steps`` steps, as PyTorch's ConstantLR.

    >>> rates(constant(0.5, factor=0.5, steps=2), 4)
    [0.25, 0.25, 0.5, 0.5]
    """
    require_range("value", value, 0.0)
    require_range("factor", factor, 0.0)
    require_count("steps", steps, 0)
    if (steps > 0) != (factor != 1.0):
        raise OperandError(f"factor={factor!r} and steps={steps!r} only make sense together")

    def rate(step: Tensor) -> Tensor:
        level = call("full", (), float(value), rate_dtype(step))
        return call("where", step < steps, level * factor, level) if steps else level

    return rate


def linear(start: float, end: float, steps: int) -> Schedule:
    """From ``start`` to ``end`` over ``steps`` steps, then constant; as PyTorch's LinearLR.

    ``start + (end - start) * min(step / steps, 1)``

    >>> rates(linear(1.0, 0.0, 4), 6)
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    require_range("start", start, 0.0)
    require_range("end", end, 0.0)
    require_count("steps", steps)
    return lambda step: start + (end - start) * fraction(step, steps)


def polynomial(start: float, steps: int, power: float = 1.0, end: float = 0.0) -> Schedule:
    """From ``start`` to ``end`` over ``steps`` steps; as PyTorch's PolynomialLR.

    ``end + (start - end) * (1 - min(step / steps, 1))^power``

    >>> rates(polynomial(1.0, 4, power=2.0), 6)
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """
    require_range("start", start, 0.0)
    require_range("end", end, 0.0)
    require_range("power", power, 0.0)
    require_count("steps", steps)
    return lambda step: end + (start - end) * (1.0 - fraction(step, steps)) ** power


def exponential(start: float, gamma: float) -> Schedule:
    """``start * gamma^step``, as PyTorch's ExponentialLR.

    >>> rates(exponential(1.0, 0.5), 4)
    [1.0, 0.5, 0.25, 0.125]
    """
    require_range("start", start, 0.0)
    _require_gamma(gamma)
    return lambda step: start * power_of(gamma, step)


def step(start: float, step_size: int, gamma: float = 0.1) -> Schedule:
    """``start * gamma^(step // step_size)``, as PyTorch's StepLR.

    >>> rates(step(1.0, 2, gamma=0.5), 5)
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    require_range("start", start, 0.0)
    require_count("step_size", step_size)
    _require_gamma(gamma)
    return lambda step: start * power_of(gamma, step // step_size)


def multistep(start: float, milestones: Sequence[int], gamma: float = 0.1) -> Schedule:
    """``start * gamma^(number of milestones <= step)``, as PyTorch's MultiStepLR.

    >>> rates(multistep(1.0, [2, 4], gamma=0.5), 6)
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """
    require_range("start", start, 0.0)
    _require_gamma(gamma)
    if not milestones:
        raise OperandError("multistep needs at least one milestone")
    for milestone in milestones:
        require_count("milestones", milestone, 0)

    def rate(step: Tensor) -> Tensor:
        passed = sum(call("astype", step >= milestone, step.dtype) for milestone in milestones)
        return start * power_of(gamma, passed)  # type: ignore[arg-type]

    return rate


def cosine(start: float, steps: int, end: float = 0.0) -> Schedule:
    """Half a cosine from ``start`` to ``end`` over ``steps`` steps, then constant.

    ``end + (start - end) * (1 + cos(pi * min(step / steps, 1))) / 2``; Loshchilov and Hutter,
    2017, https://arxiv.org/abs/1608.03983. PyTorch's CosineAnnealingLR is the same up to
    ``T_max = steps``; after that it rises again.

    >>> rates(cosine(1.0, 4), 6)
    [1.0, 0.853553, 0.5, 0.146447, 0.0, 0.0]
    """
    require_range("start", start, 0.0)
    require_range("end", end, 0.0)
    require_count("steps", steps)

    def rate(step: Tensor) -> Tensor:
        wave = call("cos", fraction(step, steps) * pi)
        return end + (start - end) * 0.5 * (1.0 + wave)

    return rate


def inverse_sqrt(peak: float, warmup_steps: int) -> Schedule:
    """Linear up to ``peak``, then falling with the root of the steps t = 1, 2, ...

    ``peak * min(t / warmup_steps, sqrt(warmup_steps / t))``; Vaswani et al., 2017,
    https://arxiv.org/abs/1706.03762, whose rates have ``peak = (width * warmup_steps)^-0.5``.

    >>> rates(inverse_sqrt(1.0, 2), 8)
    [0.5, 1.0, 0.816497, 0.707107, 0.632456, 0.57735, 0.534522, 0.5]
    """
    require_range("peak", peak, 0.0)
    require_count("warmup_steps", warmup_steps)

    def rate(step: Tensor) -> Tensor:
        part = (as_float(step) + 1.0) / float(warmup_steps)
        return peak * call("minimum", part, part**-0.5)

    return rate


def custom(base: float, function: Callable[[Tensor], Tensor]) -> Schedule:
    """``base * function(step)``, as PyTorch's LambdaLR; the function builds graph.

    Any function from the counter to a scalar tensor is a schedule as it is; this one hands the
    counter over as a float. PyTorch's MultiplicativeLR, a product over all steps so far of what a
    function returns, has no closed form for functions in general; `exponential`, `multistep` and
    `asg.optim.chained` are what it is used for.

    >>> rates(custom(0.5, lambda t: 1.0 / (1.0 + t)), 4)
    [0.5, 0.25, 0.166667, 0.125]
    """
    require_range("base", base, 0.0)
    if not callable(function):
        raise OperandError(f"function={function!r} must be a function of the step")
    return lambda step: base * function(as_float(step))


def rates(schedule: Schedule, steps: int) -> list[float]:
    """The values of a schedule at the first steps, to six digits: to look at it, or to plot it.

    >>> rates(lambda step: 0.1 * step.astype("float32"), 3)
    [0.0, 0.1, 0.2]
    """
    require_count("steps", steps)
    found = run(call("map", schedule, iota((steps,)).astype(int64)))
    return [round(float(rate), 6) for rate in found]


def fraction(step: Tensor, steps: int) -> Tensor:
    """``min(step / steps, 1)``."""
    return call("minimum", as_float(step) / float(steps), 1.0)


def power_of(gamma: float, exponent: Tensor) -> Tensor:
    """``gamma^exponent`` for a whole exponent."""
    return call("pow", gamma, as_float(exponent))


def as_float(step: Tensor) -> Tensor:
    """The counter in the dtype of rates."""
    return call("astype", step, rate_dtype(step))


def _require_gamma(gamma: float) -> None:
    require_range("gamma", gamma, 0.0)
    if gamma == 0.0:
        raise OperandError("gamma=0 is out of range; it must be above 0")
