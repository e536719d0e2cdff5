"""The optimizer that a configuration describes."""

from __future__ import annotations

from inspect import signature

from asg import optim
from asg.core.errors import ConfigError
from asg.train.choices import OPTIMIZERS
from asg.train.schedules import SCHEDULES, Span
from asg.train.sections import Choice, Section, told

OPTIMIZER = Choice(
    "optimizer",
    "name",
    {name: getattr(optim, name) for name in (*OPTIMIZERS, "muon")},
    default="adam",
    # A rate at which small networks learn quickly; all other defaults are those of asg.optim.
    defaults={name: {"lr": 3e-3} for name in ("adam", "adamw", "sgd")},
)
SCHEDULE = Choice("schedule", "name", SCHEDULES, default="constant", fixed=1)


def optimizer(
    section: Section, schedule: Section, epochs: int, updates: int, clip_norm: float,
    accumulate: int,
) -> optim.Transform:  # fmt: skip
    """The update rule with its settings.

    Args:
        section: chosen by `OPTIMIZER`.
        schedule: chosen by `SCHEDULE`.
        epochs: of the run.
        updates: of an epoch.
        clip_norm: the gradients together are made no longer than this; 0 for no bound.
        accumulate: steps whose gradients make one update.

    Raises:
        ConfigError: values that the rule or the schedule refuses; begins with the section.
    """
    span = Span(section.model_dump()["lr"], epochs, updates)
    made = told("lr_schedule", lambda: SCHEDULE.build(schedule, span))
    name = OPTIMIZER.chosen(section)
    if callable(made) and not _takes_schedules(name):
        raise ConfigError(f"lr_schedule: {name} has a constant learning rate; choose constant")
    rule: optim.Transform = told("optimizer", lambda: OPTIMIZER.build(section, lr=made))
    if clip_norm:
        rule = optim.chain(optim.clip_by_global_norm(clip_norm), rule)
    if accumulate > 1:
        rule = told("training.accumulate", lambda: optim.accumulate(accumulate, rule))
    return rule


def _takes_schedules(name: str) -> bool:
    parameters = signature(OPTIMIZER.functions[name]).parameters
    return str(parameters["lr"].annotation) == "Setting"
