"""Options made from the keys of a configuration, and what the user gave of them.

tyro reads the command line and writes the help, but every value stays text: pydantic checks it
together with the values of the file, so that a mistake is told in the same words for both.
"""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from itertools import pairwise
from typing import Annotated, Any, get_origin

from pydantic import BaseModel

from asg.core.errors import ConfigError
from asg.train.problem import closest, keys_of, option_name

if "NO_COLOR" in os.environ:  # tyro itself looks at the terminal only
    os.environ.setdefault("PYTHON_TYRO_ANSI_CODES", "False")
import tyro

CONFIG_HELP = "YAML file with any of these settings; options override it"
_NOT_GIVEN = "(not given)"  # compared by identity, so that the user may write this very text


def parse_options(
    arguments: Sequence[str], model: type[BaseModel], prog: str, description: str
) -> tuple[str | None, dict[str, Any]]:
    """The ``--config`` file, and the given options by dotted key, as text or tuples of text.

    ``--help`` prints and leaves by SystemExit(0).

    Raises:
        ConfigError: an option that there is not, or one without its value.
    """
    options = _options_class(model, with_config=True)
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            found, unknown = tyro.cli(
                options, args=list(arguments), prog=prog, description=description,
                return_unknown_args=True,
            )  # fmt: skip
    except SystemExit as stop:
        if stop.code == 0:
            raise
        raise ConfigError(_without_value(arguments, model, complaint.getvalue())) from None
    if unknown:
        raise ConfigError(_unknown(unknown[0], model, prog))
    given = dict(_given(found, ""))
    return given.pop("config", None), given


def _options_class(model: type[BaseModel], with_config: bool = False) -> type[Any]:
    """A dataclass of texts with the fields of the model, sections nested."""
    config = ("config", Annotated[str, _shown(CONFIG_HELP, "FILE", "")], _NOT_GIVEN)
    fields: list[Any] = [config] if with_config else []
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        if _is_section(annotation):
            section = _options_class(annotation)
            fields.append((name, section, dataclasses.field(default_factory=section)))
            continue
        is_list = get_origin(annotation) is tuple
        default = " ".join(map(str, field.default)) if is_list else field.default
        shown = _shown(str(field.description), _placeholder(annotation), f"(default: {default})")
        if is_list:
            fields.append((name, Annotated[tuple[str, ...], shown], (_NOT_GIVEN,)))
        else:
            fields.append((name, Annotated[str, shown], _NOT_GIVEN))
    made = dataclasses.make_dataclass(model.__name__, fields)
    made.__doc__ = model.__doc__
    return made


def _shown(what: str, placeholder: str, hint: str) -> Any:
    return tyro.conf.arg(help=what, metavar=placeholder, help_behavior_hint=hint)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _placeholder(annotation: Any) -> str:
    if get_origin(annotation) is tuple:
        return "[N ...]"
    if annotation in (int, float):
        return "N" if annotation is int else "X"
    choices: tuple[Any, ...] = getattr(annotation, "__args__", ())
    return "|".join(map(str, choices)) or "TEXT"


def _given(options: Any, prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            found += _given(value, f"{prefix}{field.name}.")
        elif value is not _NOT_GIVEN and not (value and value[0] is _NOT_GIVEN):
            found.append((f"{prefix}{field.name}", value))
    return found


def _unknown(token: str, model: type[BaseModel], prog: str) -> str:
    name = token.partition("=")[0]
    if not name.startswith("-"):
        return f"unexpected argument {token!r}; options begin with --"
    close = closest(name.lstrip("-").replace("-", "_"), [*_every_key(model), "help"])
    if close is None:
        return f"unknown option {name}; {prog} --help lists the options"
    return f"unknown option {name}. Did you mean {option_name(close)}?"


def _every_key(model: type[BaseModel]) -> list[str]:
    return ["config", *keys_of(model)]


def _without_value(arguments: Sequence[str], model: type[BaseModel], complaint: str) -> str:
    """The one thing that tyro itself can object to, since every value is text."""
    names = {option_name(key) for key in _every_key(model)}
    for argument, following in pairwise([*arguments, "--"]):
        if argument.replace("_", "-") in names and following.startswith("-"):
            return f"{argument} needs a value"
    return f"the options cannot be read: {' '.join(complaint.split())}"


def merged(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The nested values of a file with the given options in their places.

    >>> merged({"optimizer": {"lr": 1, "name": "sgd"}}, {"optimizer.lr": "2", "seed": "3"})
    {'optimizer': {'lr': '2', 'name': 'sgd'}, 'seed': '3'}
    """
    result = dict(values)
    for key, value in given.items():
        first, _, rest = key.partition(".")
        if not rest:
            result[first] = value
            continue
        section = result.get(first, {})
        if isinstance(section, Mapping):  # else the file is wrong there, which is told later
            result[first] = merged(section, {rest: value})
    return result
