"""Learning rates over a run, with lengths counted in epochs as people plan them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asg import optim
from asg.core.errors import ConfigError
from asg.optim import Schedule


@dataclass(frozen=True)
class Span:
    """The updates a schedule is for.

    Attributes:
        lr: the learning rate it starts from, or climbs to.
        epochs: of the run.
        updates: of an epoch.
    """

    lr: float
    epochs: int
    updates: int

    @property
    def total(self) -> int:
        """Updates of the run."""
        return self.epochs * self.updates


def constant(span: Span, *, warmup_epochs: int = 0) -> Schedule | float:
    """The learning rate throughout.

    Args:
        warmup_epochs: during these the rate climbs to its full size.
    """
    return _warmed(span, warmup_epochs, optim.constant(span.lr)) if warmup_epochs else span.lr


def step(
    span: Span, *, every_epochs: int = 10, gamma: float = 0.1, warmup_epochs: int = 0
) -> Schedule:
    """Times ``gamma`` after every so many epochs.

    Args:
        every_epochs: epochs between two changes of the rate.
    """
    length = _updates(span, "every_epochs", every_epochs)
    return _warmed(span, warmup_epochs, optim.step(span.lr, length, gamma))


def multistep(
    span: Span, *, milestones: Sequence[int] = (), gamma: float = 0.1, warmup_epochs: int = 0
) -> Schedule:
    """Times ``gamma`` at each of the epochs.

    Args:
        milestones: epochs after which the rate changes.
    """
    if not milestones:
        raise ConfigError("milestones: multistep needs the epochs after which the rate changes")
    lengths = [epoch * span.updates for epoch in milestones]
    return _warmed(span, warmup_epochs, optim.multistep(span.lr, lengths, gamma))


def exponential(span: Span, *, gamma: float = 0.95, warmup_epochs: int = 0) -> Schedule:
    """Times ``gamma`` for every epoch, a little at each update."""
    if not gamma > 0:
        raise ConfigError(f"gamma: should be greater than 0, got {gamma:g}")
    return _warmed(span, warmup_epochs, optim.exponential(span.lr, gamma ** (1 / span.updates)))


def linear(span: Span, *, end: float = 0.0, warmup_epochs: int = 0) -> Schedule:
    """In a straight line to ``end`` at the end of the run.

    Args:
        end: the rate at the end of the run.
    """
    left = _left(span, warmup_epochs)
    return _warmed(span, warmup_epochs, optim.linear(span.lr, end, left))


def polynomial(
    span: Span, *, power: float = 2.0, end: float = 0.0, warmup_epochs: int = 0
) -> Schedule:
    """To ``end`` as a power of the time that is left.

    Args:
        power: exponent of the time that is left.
    """
    left = _left(span, warmup_epochs)
    return _warmed(span, warmup_epochs, optim.polynomial(span.lr, left, power, end))


def cosine(span: Span, *, end: float = 0.0, warmup_epochs: int = 0) -> Schedule:
    """Half a wave of a cosine to ``end`` at the end of the run."""
    left = _left(span, warmup_epochs)
    return _warmed(span, warmup_epochs, optim.cosine(span.lr, left, end))


def cosine_restarts(
    span: Span,
    *,
    restart_epochs: int = 10,
    multiply: int = 1,
    end: float = 0.0,
    warmup_epochs: int = 0,
) -> Schedule:
    """Half waves of a cosine, one after the other.

    Args:
        restart_epochs: length of the first wave.
        multiply: how much longer each wave is than the one before.
    """
    length = _updates(span, "restart_epochs", restart_epochs)
    return _warmed(span, warmup_epochs, optim.cosine_restarts(span.lr, length, multiply, end))


def one_cycle(
    span: Span,
    *,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> Schedule:
    """Up to the learning rate and far down again within the run (Smith and Topin, 2017).

    Args:
        pct_start: share of the run in which the rate climbs.
        anneal_strategy: cos or linear.
        div_factor: the full rate over the first one.
        final_div_factor: the first rate over the last one.
        three_phase: come down as the rate went up, then far down.
    """
    return optim.one_cycle(
        span.lr, span.total, pct_start, anneal_strategy, div_factor, final_div_factor, three_phase
    )


SCHEDULES: dict[str, Callable[..., Schedule | float]] = {
    "constant": constant,
    "step": step,
    "multistep": multistep,
    "exponential": exponential,
    "linear": linear,
    "polynomial": polynomial,
    "cosine": cosine,
    "cosine_restarts": cosine_restarts,
    "one_cycle": one_cycle,
}


def _updates(span: Span, key: str, epochs: int) -> int:
    if epochs < 1:
        raise ConfigError(f"{key}: should be at least 1, got {epochs}")
    return epochs * span.updates


def _left(span: Span, warmup_epochs: int) -> int:
    """Updates after the warmup."""
    if warmup_epochs >= span.epochs:
        raise ConfigError(
            f"warmup_epochs: {warmup_epochs} of {span.epochs} epochs leaves none for the schedule"
        )
    return span.total - warmup_epochs * span.updates


def _warmed(span: Span, warmup_epochs: int, then: Schedule) -> Schedule:
    if warmup_epochs < 0:
        raise ConfigError(f"warmup_epochs: should be at least 0, got {warmup_epochs}")
    if warmup_epochs == 0:
        return then
    return optim.warmup(span.lr, warmup_epochs * span.updates, then)
