"""Schedules that rise and fall."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.schedule import as_float, power_of
from asg.optim.setting import Schedule
from asg.optim.transform import require_choice, require_count, require_range

LAST = 2**31 - 1  # the largest step that a counter of 32 bits holds


def cosine_restarts(start: float, steps: int, multiply: int = 1, end: float = 0.0) -> Schedule:
    """Half a cosine from ``start`` to ``end``, again and again.

    The first takes ``steps`` steps, each following one ``multiply`` times as many; as PyTorch's
    CosineAnnealingWarmRestarts (T_0, T_mult, eta_min). Loshchilov and Hutter, 2017,
    https://arxiv.org/abs/1608.03983.

    >>> from asg import optim
    >>> optim.rates(cosine_restarts(1.0, 2, multiply=2), 7)
    [1.0, 0.5, 1.0, 0.853553, 0.5, 0.146447, 1.0]
    """
    require_range("start", start, 0.0)
    require_range("end", end, 0.0)
    require_count("steps", steps)
    require_count("multiply", multiply)

    def rate(step: Tensor) -> Tensor:
        done, length = _place(step, steps, multiply)
        wave = call("cos", as_float(done) / as_float(length) * pi)
        return end + (start - end) * 0.5 * (1.0 + wave)

    return rate


def _place(step: Tensor, steps: int, multiply: int) -> tuple[Tensor, Tensor]:
    """How far into its wave a step is, and how long that wave is; in whole numbers."""
    if multiply == 1:
        return step % steps, call("full_like", step, steps)
    begins, length = [0], steps
    while begins[-1] + length <= LAST:
        begins.append(begins[-1] + length)
        length *= multiply
    marks = call("constant", begins, step.dtype)
    now = call("expand_dims", step, -1)
    begin = call("where", marks <= now, marks, 0).max(axis=-1)
    return step - begin, begin * (multiply - 1) + steps


def one_cycle(
    max_lr: float,
    total_steps: int,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> Schedule:
    """Up to ``max_lr`` and down to almost nothing, as PyTorch's OneCycleLR; then constant.

    From ``max_lr / div_factor`` up, and down to ``max_lr / div_factor / final_div_factor``. Smith
    and Topin, 2018, https://arxiv.org/abs/1708.07120. `one_cycle_momentum` is its counterpart.

    Args:
        max_lr: the peak.
        total_steps: the length of the cycle.
        pct_start: the share of steps that rise.
        anneal_strategy: "cos" or "linear".
        div_factor, final_div_factor: see above.
        three_phase: come down to the first rate as fast as up, and use the rest for the last part.

    >>> import asg
    >>> w = asg.parameter("w", (), init=1.0)
    >>> rate, momentum = one_cycle(0.1, 50), one_cycle_momentum(50)
    >>> step = asg.train_step((w - 3.0) ** 2.0, optimizer=asg.optim.sgd(rate, momentum))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(50)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    require_range("max_lr", max_lr, 0.0)
    _require_divisor("div_factor", div_factor)
    _require_divisor("final_div_factor", final_div_factor)
    first = max_lr / div_factor
    last = first / final_div_factor
    values = [first, max_lr, first, last] if three_phase else [first, max_lr, last]
    return _phases(values, _ends(total_steps, pct_start, three_phase), anneal_strategy)


def one_cycle_momentum(
    total_steps: int,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    base_momentum: float = 0.85,
    max_momentum: float = 0.95,
    three_phase: bool = False,
) -> Schedule:
    """Momentum that falls where the rate of `one_cycle` rises, and rises where it falls.

    Arguments as `one_cycle`; from ``max_momentum`` to ``base_momentum`` and back.

    >>> from asg import optim
    >>> optim.rates(one_cycle_momentum(5, 0.6, "linear"), 5)
    [0.95, 0.9, 0.85, 0.9, 0.95]
    """
    require_range("base_momentum", base_momentum, 0.0)
    require_range("max_momentum", max_momentum, 0.0)
    values = [max_momentum, base_momentum, max_momentum]
    values += [max_momentum] if three_phase else []
    return _phases(values, _ends(total_steps, pct_start, three_phase), anneal_strategy)


def _ends(total_steps: int, pct_start: float, three_phase: bool) -> list[float]:
    """The steps, fractions included, at which the phases of one cycle end."""
    require_count("total_steps", total_steps)
    require_range("pct_start", pct_start, 0.0)
    if pct_start > (0.5 if three_phase else 1.0):
        raise OperandError(
            f"pct_start={pct_start!r} is out of range; it must be at most 1, or 0.5 in three phases"
        )
    rise = pct_start * total_steps
    ends = [rise - 1.0, 2.0 * rise - 2.0] if three_phase else [rise - 1.0]
    starts, ends = [0.0, *ends], [*ends, total_steps - 1.0]
    if any(start == end for start, end in zip(starts, ends, strict=True)):
        raise OperandError(
            f"a phase has no steps with total_steps={total_steps!r} and pct_start={pct_start!r}"
        )
    return ends


def _phases(values: Sequence[float], ends: Sequence[float], anneal_strategy: str) -> Schedule:
    """From each value to the next, by the step that the phase ends at."""
    require_choice("anneal_strategy", anneal_strategy, ("cos", "linear"))

    def between(start: float, end: float, part: Tensor) -> Tensor:
        if anneal_strategy == "linear":
            return start + (end - start) * part
        return end + (start - end) * 0.5 * (1.0 + call("cos", pi * part))

    def rate(step: Tensor) -> Tensor:
        now, starts = as_float(step), [0.0, *ends]
        *earlier, last = [
            between(values[i], values[i + 1], (now - starts[i]) / (end - starts[i]))
            for i, end in enumerate(ends)
        ]
        result = call("where", now <= ends[-1], last, values[-1])
        for end, phase in reversed([*zip(ends[:-1], earlier, strict=True)]):
            result = call("where", now <= end, phase, result)
        return result

    return rate


def cyclic(
    base_lr: float,
    max_lr: float,
    step_size_up: int = 2000,
    step_size_down: int | None = None,
    mode: str = "triangular",
    gamma: float = 1.0,
) -> Schedule:
    """Straight up and down between two rates, as PyTorch's CyclicLR.

    ``base_lr + (max_lr - base_lr) * height``, where the height goes from 0 to 1 and back. Smith,
    2017, https://arxiv.org/abs/1506.01186. For the momentum that goes the other way, swap the two:
    ``cyclic(max_momentum, base_momentum, ...)``.

    Args:
        base_lr, max_lr: the two rates.
        step_size_up: steps from the base to the peak.
        step_size_down: steps back; as many by default.
        mode: "triangular"; "triangular2": heights halve with each cycle; "exp_range": heights are
            multiplied by ``gamma^step``.
        gamma: for "exp_range".

    >>> from asg import optim
    >>> optim.rates(cyclic(1.0, 5.0, 2, 4), 8)
    [1.0, 3.0, 5.0, 4.0, 3.0, 2.0, 1.0, 3.0]
    """
    require_range("base_lr", base_lr, 0.0)
    require_range("max_lr", max_lr, 0.0)
    require_count("step_size_up", step_size_up)
    down = step_size_up if step_size_down is None else step_size_down
    require_count("step_size_down", down)
    require_choice("mode", mode, ("triangular", "triangular2", "exp_range"))
    require_range("gamma", gamma, 0.0)
    if mode == "exp_range" and gamma == 0.0:
        raise OperandError("gamma=0 is out of range; it must be above 0")
    if mode != "exp_range" and gamma != 1.0:
        raise OperandError(f"gamma={gamma!r} is for mode='exp_range', the mode is {mode!r}")
    total = step_size_up + down

    def rate(step: Tensor) -> Tensor:
        place = as_float(step % total)
        height = call("minimum", place / float(step_size_up), (total - place) / float(down))
        if mode == "triangular2":
            height = height * power_of(0.5, step // total)
        if mode == "exp_range":
            height = height * power_of(gamma, step)
        return base_lr + (max_lr - base_lr) * height

    return rate


def _require_divisor(name: str, value: float) -> None:
    require_range(name, value, 0.0)
    if value == 0.0:
        raise OperandError(f"{name}=0 is out of range; it must be above 0")
