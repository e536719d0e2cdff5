"""The configuration of a training run: what there is to set, and what a value may be.

Values come from a YAML file and from options of the command line, both as text where they must;
`validated` turns them into one checked `TrainConfig` or says in one line what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from asg.compiler.loader import backend_names
from asg.core.errors import ConfigError
from asg.data import names as dataset_names
from asg.train.problem import problem_line, unknown_choice

LARGEST_SEED = 2**64 - 1


def _no_bool(value: object) -> object:
    """YAML 1.1 reads ``no`` and ``yes`` as booleans, and Python counts them as 0 and 1."""
    if isinstance(value, bool):
        raise ValueError(f"should be a number, got {str(value).lower()}")
    return value


def _known_dataset(name: str) -> str:
    return _one_of("data set", name, dataset_names("images", files=False))


def _known_backend(name: str) -> str:
    return _one_of("backend", name, backend_names())


def _one_of(kind: str, name: str, choices: list[str]) -> str:
    if name not in choices:
        raise ValueError(unknown_choice(kind, name, choices))
    return name


Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=1)]
Seed = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, le=LARGEST_SEED)]
Rate = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]


class Section(BaseModel):
    """Settings that refuse what they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_min_length=1)


class OptimizerConfig(Section):
    """How gradients change the parameters."""

    name: Literal["adam", "adamw", "sgd"] = Field(default="adam", description="rule of the update")
    lr: Rate = Field(default=3e-3, gt=0, description="learning rate")
    weight_decay: Rate = Field(
        default=0.0, ge=0, description="added to the gradient; with adamw, to the step itself"
    )
    momentum: Rate = Field(
        default=0.0, ge=0, lt=1, description="share of the last step that the next repeats; for sgd"
    )

    @model_validator(mode="after")
    def _momentum_belongs_to_sgd(self) -> Self:
        if self.momentum and self.name != "sgd":
            raise ValueError(
                f"momentum is a setting of sgd, the optimizer is {self.name}; "
                "leave it out or choose name: sgd"
            )
        return self


class TrainConfig(Section):
    """Everything a training run depends on."""

    dataset: Annotated[str, AfterValidator(_known_dataset)] = Field(
        default="digits", description="data set: digits"
    )
    test_fraction: Rate = Field(
        default=0.2, gt=0, lt=1, description="share of the examples kept for testing"
    )
    hidden: tuple[Count, ...] = Field(default=(64,), description="widths of the hidden layers")
    epochs: Count = Field(default=30, description="passes over the training examples")
    batch_size: Count = Field(default=64, description="examples per step")
    optimizer: OptimizerConfig = OptimizerConfig()
    seed: Seed = Field(
        default=0, description="decides the split, the first weights and the order of examples"
    )
    backend: Annotated[str, AfterValidator(_known_backend)] = Field(
        default="numpy", description="what runs the graph: numpy or jax"
    )
    out: str = Field(default="runs", description="folder that gets the numbered folder of the run")


def validated(
    values: Mapping[str, Any], source: str = "", options: Collection[str] = ()
) -> TrainConfig:
    """The configuration with these values, defaults elsewhere.

    Args:
        values: nested as the YAML file is; numbers may be text.
        source: the name of the file, for messages.
        options: the dotted keys whose values came from the command line.

    Raises:
        ConfigError: one line, with every problem, its key and a suggestion.

    >>> validated({"epochs": "3", "optimizer": {"lr": "1e-2"}}, "config.yaml").optimizer.lr
    0.01
    >>> validated({"epoch": 3}, "config.yaml")
    Traceback (most recent call last):
    asg.core.errors.ConfigError: config.yaml: epoch: unknown key, did you mean 'epochs'?
    """
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(problem_line(error, TrainConfig, source, options)) from None


def as_values(config: TrainConfig) -> dict[str, Any]:
    """The configuration as plain nested values, ready for YAML."""
    return config.model_dump(mode="json")
