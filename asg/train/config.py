"""The configuration of a training run: what there is to set, and what a value may be.

Values come from a YAML file and from options of the command line, both as text where they must;
`validated` turns them into one checked `TrainConfig` or says in one line what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, create_model

from asg.compiler.loader import backend_names
from asg.core.errors import ConfigError
from asg.train.augmentation import AugmentationConfig
from asg.train.builders import OPTIMIZER, SCHEDULE
from asg.train.datasets import DATASET
from asg.train.goal import AUTOMATIC, FOR_NUMBERS
from asg.train.networks import MODEL
from asg.train.problem import label_of, problem_line, unknown_choice
from asg.train.sections import Choice, Count, Number, Section, no_bool

LARGEST_SEED = 2**64 - 1

# Short names of values that people set often; in files and, with --, on the command line.
SHORT = {
    "dataset": "dataset.name",
    "test_fraction": "dataset.test_fraction",
    "hidden": "model.hidden",
    "epochs": "training.epochs",
    "batch_size": "training.batch_size",
    "seed": "training.seed",
    "checkpoint_every": "training.checkpoint_every",
    "early_stopping": "training.early_stopping",
    "loss": "training.loss",
}
# Sections whose keys depend on what they choose.
CHOICES: dict[str, Choice] = {
    "dataset": DATASET,
    "model": MODEL,
    "optimizer": OPTIMIZER,
    "lr_schedule": SCHEDULE,
}


def _known_backend(name: str) -> str:
    return _one_of("backend", name, backend_names())


def _known_loss(name: str) -> str:
    return _one_of("loss", name, [AUTOMATIC, *FOR_NUMBERS])


def _one_of(kind: str, name: str, choices: list[str]) -> str:
    if name not in choices:
        raise ValueError(unknown_choice(kind, name, choices))
    return name


Seed = Annotated[int, BeforeValidator(no_bool), Field(ge=0, le=LARGEST_SEED)]
CountOrNone = Annotated[int, BeforeValidator(no_bool), Field(ge=0)]


class TrainingConfig(Section):
    """How long, in which portions, and what happens beside."""

    epochs: Count = Field(default=30, description="passes over the training examples")
    batch_size: Count = Field(default=64, description="examples per step")
    seed: Seed = Field(
        default=0, description="decides the split, the first weights and the order of examples"
    )
    early_stopping: CountOrNone = Field(
        default=0, description="stop after so many epochs without a better test loss; 0 for never"
    )
    checkpoint_every: CountOrNone = Field(
        default=10, description="epochs between checkpoints; 0 for one at the end only"
    )
    clip_norm: Number = Field(
        default=0.0, ge=0, description="bound on the norm of all gradients; 0 for none"
    )
    accumulate: Count = Field(default=1, description="steps whose gradients make one update")
    drop_last: bool = Field(
        default=False, description="leave out the last examples when they fill no batch"
    )
    loss: Annotated[str, AfterValidator(_known_loss)] = Field(
        default=AUTOMATIC,
        description=f"of numbers, one of {', '.join(FOR_NUMBERS)}; auto is mse, and cross entropy "
        "for classes and tokens",
    )


class TrainConfig(Section):
    """Everything a training run depends on."""

    dataset: Section
    augmentation: AugmentationConfig = AugmentationConfig()
    model: Section
    training: TrainingConfig = TrainingConfig()
    optimizer: Section
    lr_schedule: Section
    backend: Annotated[str, AfterValidator(_known_backend)] = Field(
        default="numpy", description="what runs the graph: numpy or jax"
    )
    out: str = Field(default="runs", description="folder that gets the numbered folder of the run")


@lru_cache(maxsize=256)
def schema(**names: str) -> type[TrainConfig]:
    """The configuration with the sections of these choices; the default ones elsewhere."""
    fields: dict[str, Any] = {}
    for key, choice in CHOICES.items():
        section = choice.section(names.get(key, choice.default))
        required = any(field.is_required() for field in section.model_fields.values())
        fields[key] = (section, ...) if required else (section, section())
    return create_model("TrainConfig", __base__=TrainConfig, **fields)


def validated(
    values: Mapping[str, Any], source: str = "", labels: Mapping[str, str] | None = None
) -> TrainConfig:
    """The configuration with these values, defaults elsewhere.

    Args:
        values: nested, without short names (see `spelled_out`); numbers may be text.
        source: the name of the file, for messages.
        labels: what the user wrote for a dotted key: a short name, or an option.

    Raises:
        ConfigError: one line, with every problem, its key and a suggestion.

    >>> values, labels = spelled_out({"epochs": "3", "optimizer": {"lr": "1e-2"}})
    >>> validated(values, "config.yaml", labels).training.epochs
    3
    >>> validated({"epoch": 3}, "config.yaml")
    Traceback (most recent call last):
    asg.core.errors.ConfigError: config.yaml: epoch: unknown key, did you mean 'epochs'?
    """
    names = {}
    for key, choice in CHOICES.items():
        try:
            names[key] = choice.name_in(values.get(key))
        except ConfigError as error:
            label = label_of(f"{key}.{choice.key}", source, labels or {})
            raise ConfigError(f"{label}: {error}") from None
    model = schema(**names)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(problem_line(error, model, source, labels or {}, SHORT)) from None


def configured(values: Mapping[str, Any], source: str = "") -> TrainConfig:
    """The configuration with these values, short names among them.

    Raises:
        ConfigError: as `validated`.

    >>> configured({"hidden": [32], "seed": 1}).training.seed
    1
    """
    spelled, labels = spelled_out(values, source)
    return validated(spelled, source, labels)


def spelled_out(
    values: Mapping[str, Any], source: str = ""
) -> tuple[dict[str, Any], dict[str, str]]:
    """Nested values with each short name in its place, and what was written for the dotted keys.

    Raises:
        ConfigError: a value is given by its short name and by its own.

    >>> spelled_out({"epochs": 3, "backend": "jax"})
    ({'backend': 'jax', 'training': {'epochs': 3}}, {'training.epochs': 'epochs'})
    """
    result: dict[str, Any] = {}
    short: dict[str, Any] = {}
    for key, value in values.items():
        is_section = key in TrainConfig.model_fields and isinstance(value, Mapping)
        (short if key in SHORT and not is_section else result)[key] = value
    labels: dict[str, str] = {}
    for key, value in short.items():
        section, _, name = SHORT[key].partition(".")
        inside = result.get(section, {})
        if not isinstance(inside, Mapping):  # which is told when the section is checked
            continue
        if name in inside:
            where = f"{source}: " if source else ""
            raise ConfigError(f"{where}{key} and {SHORT[key]} are the same; give one of them")
        result[section] = {**inside, name: value}
        labels[SHORT[key]] = key
    return result, labels


def as_values(config: TrainConfig) -> dict[str, Any]:
    """The configuration as plain nested values, ready for YAML."""
    return config.model_dump(mode="json")
