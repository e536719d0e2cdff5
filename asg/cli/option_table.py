"""The options of `asg train`, from the table that `settings` makes of the configuration."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).with_name("settings.json")


class Option(NamedTuple):
    """One setting as an option.

    Attributes:
        name: dotted, or short where there is a short name.
        is_list: whether it takes several values.
        placeholder: what stands for the value in the help.
        help: one sentence.
        default: in words.
    """

    name: str
    is_list: bool
    placeholder: str
    help: str
    default: str


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


@cache
def options() -> tuple[Option, ...]:
    """All settings, in the order of the configuration."""
    return tuple(Option(*each) for each in _table()["options"])


def short_names() -> dict[str, str]:
    """The dotted key of every setting that has a short name, by that name."""
    found: dict[str, str] = _table()["short"]
    return found


@cache
def long_names() -> dict[str, str]:
    """The short name of dotted keys that have one."""
    return {dotted: short for short, dotted in short_names().items()}


def section_words() -> dict[str, str]:
    """What sections choose whose keys depend on it: "data set" for "dataset"."""
    found: dict[str, str] = _table()["sections"]
    return found
