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
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any

from asg.cli.option_table import long_names, options, section_words, short_names
from asg.core.errors import ConfigError

if "NO_COLOR" in os.environ:  # tyro itself looks at the terminal only
    os.environ.setdefault("PYTHON_TYRO_ANSI_CODES", "False")
import tyro

_NOT_GIVEN = "(not given)"  # compared by identity, so that the user may write this very text
_SECTION = "_section"
# Options that are no keys of a configuration: what stands for the value, and the help.
OTHERS = {
    "config": ("FILE", "YAML file with any of these settings; options override it"),
    "resume": ("RUN", "go on with the run in this folder, from its last checkpoint"),
    "sweep": (
        "KEY=A,B,...",
        "train once for each of the values; may be given several times for all combinations",
    ),
}


class _Texts(tuple[str, ...]):
    """The values of one option; a class, since tyro loads more to check ``tuple[str, ...]``."""


_SEVERAL = Annotated[
    _Texts,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs="*", metavar="", instance_from_str=_Texts, str_from_instance=list,
        is_instance=lambda value: isinstance(value, _Texts),
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Given:
    """What a command line says.

    Attributes:
        settings: text, or tuples of text, by dotted key.
        labels: the option that was written for a dotted key.
        config: the file, or "".
        resume: the folder of the run to go on with, or "".
        sweep: ``key=a,b`` each.
    """

    settings: dict[str, Any]
    labels: dict[str, str]
    config: str = ""
    resume: str = ""
    sweep: tuple[str, ...] = field(default=())

    @property
    def told(self) -> dict[str, Any]:
        """The settings by the names that are shown."""
        return {long_names().get(key, key): value for key, value in self.settings.items()}


def parse_options(arguments: Sequence[str], prog: str, description: str) -> Given:
    """What is given on a command line; ``--help`` prints and leaves by SystemExit(0).

    Raises:
        ConfigError: an option that there is not, or one without its value.
    """
    arguments = [_shortened(argument) for argument in arguments]
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            found, unknown = tyro.cli(
                _options_class(description), args=arguments, prog=prog, description=description,
                return_unknown_args=True, config=(tyro.conf.HelptextFromCommentsOff,),
            )  # fmt: skip
    except SystemExit as stop:
        if stop.code == 0:
            raise
        raise ConfigError(_without_value(arguments, complaint.getvalue())) from None
    if unknown:
        raise ConfigError(_unknown(unknown[0], prog))
    from asg.train.problem import option_name  # not for --help

    given = dict(_given(found, ""))
    others = {name: given.pop(name) for name in OTHERS if name in given}
    short = short_names()
    labels = {short.get(name, name): option_name(name) for name in given}
    return Given({short.get(name, name): value for name, value in given.items()}, labels, **others)


def _shortened(argument: str) -> str:
    """``--training.epochs=3`` as ``--epochs=3``: each setting has one option."""
    name, equals, value = argument.partition("=")
    short = long_names().get(name.removeprefix("--").replace("-", "_"))
    return f"--{short}{equals}{value}" if short and name.startswith("--") else argument


def _options_class(doc: str) -> type[Any]:
    """A dataclass of texts with a field for every option, sections nested."""
    sections: dict[str, list[Any]] = {"": [_other_field(name) for name in OTHERS]}
    for option in options():
        section, _, name = option.name.rpartition(".")
        shown = tyro.conf.arg(
            help=option.help, metavar=option.placeholder,
            help_behavior_hint=f"(default: {option.default})",
        )  # fmt: skip
        kind, default = (_SEVERAL, _Texts((_NOT_GIVEN,))) if option.is_list else (str, _NOT_GIVEN)
        sections.setdefault(section, []).append((name, Annotated[kind, shown], default))
    fields = sections.pop("")
    for section, inner in sections.items():
        made = dataclasses.make_dataclass(section, inner)
        made.__doc__ = section_words().get(section, section)
        # A section may be called as an option is: --dataset iris, --dataset.test-fraction 0.3.
        named = Annotated[made, tyro.conf.arg(name=section)]  # type: ignore[valid-type]
        fields.append((f"{section}{_SECTION}", named, dataclasses.field(default_factory=made)))
    result = dataclasses.make_dataclass("Options", fields)
    result.__doc__ = doc
    return result


def _other_field(name: str) -> Any:
    placeholder, told = OTHERS[name]
    shown = tyro.conf.arg(help=told, metavar=placeholder, help_behavior_hint="")
    if name != "sweep":
        return (name, Annotated[str, shown], _NOT_GIVEN)
    several = tyro.conf.UseAppendAction[tuple]  # type: ignore[type-arg]
    return (name, Annotated[several, shown], dataclasses.field(default=()))


def _given(found: Any, prefix: str) -> list[tuple[str, Any]]:
    result: list[tuple[str, Any]] = []
    for each in dataclasses.fields(found):
        value = getattr(found, each.name)
        if dataclasses.is_dataclass(value):
            result += _given(value, f"{prefix}{each.name.removesuffix(_SECTION)}.")
        elif value is not _NOT_GIVEN and not (value and value[0] is _NOT_GIVEN):
            result.append((f"{prefix}{each.name}", value))
    return result


def setting_names() -> list[str]:
    """All settings by name, dotted or short."""
    return [option.name for option in options()]


def is_list(key: str) -> bool:
    """Whether the setting of a dotted key takes several values."""
    name = long_names().get(key, key)
    return any(option.is_list for option in options() if option.name == name)


def _unknown(token: str, prog: str) -> str:
    name = token.partition("=")[0]
    if not name.startswith("-"):
        return f"unexpected argument {token!r}; options begin with --"
    from asg.train.problem import closest, option_name

    close = closest(name.lstrip("-").replace("-", "_"), [*OTHERS, *setting_names(), "help"])
    if close is None:
        return f"unknown option {name}; {prog} --help lists the options"
    return f"unknown option {name}. Did you mean {option_name(close)}?"


def _without_value(arguments: Sequence[str], complaint: str) -> str:
    """The one thing that tyro itself can object to, since every value is text."""
    from asg.train.problem import option_name

    names = {option_name(name) for name in (*OTHERS, *setting_names())}
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
