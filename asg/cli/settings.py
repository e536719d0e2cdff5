"""The settings of `asg train` as options, read off the configuration, and the table of them.

The table is a file beside this one, so that ``asg train --help`` and a mistyped option need neither
the configuration nor what it configures; a test compares it with `options`. To write it again:
``python -m asg.cli.settings asg/cli/settings.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_origin

from asg.cli.option_table import Option
from asg.train.config import CHOICES, SHORT, TrainConfig
from asg.train.sections import Choice

_NAMES = {dotted: short for short, dotted in SHORT.items()}


def table() -> str:
    """What `option_table` reads: short names, what sections are of, and all options."""
    data = {
        "short": SHORT,
        "sections": {name: choice.what for name, choice in CHOICES.items()},
        "options": list(options()),
    }
    return json.dumps(data, indent=1) + "\n"


def options() -> Iterator[Option]:
    """All settings, in the order of the configuration."""
    for name, field_ in TrainConfig.model_fields.items():
        if name in CHOICES:
            yield from _options_of_choice(name, CHOICES[name])
            continue
        section: Any = field_.annotation
        inner = getattr(section, "model_fields", None)
        for key, each in (inner or {name: field_}).items():
            dotted = f"{name}.{key}" if inner else name
            yield _option(dotted, each, str(each.description), each.default)


def _options_of_choice(name: str, choice: Choice) -> Iterator[Option]:
    for key in choice.options():
        if key == choice.key:
            told = f"kind of {choice.what}: {', '.join(choice.functions)}"
            dotted = f"{name}.{key}"
            yield Option(_NAMES.get(dotted, dotted), False, "NAME", told, choice.default)
            continue
        owners = choice.owners(key)
        fields = [choice.section(owner).model_fields[key] for owner in owners]
        helps = [each.description for each in fields if each.description]
        defaults = {_shown_default(each.default) for each in fields if not each.is_required()}
        usual = choice.section(choice.default).model_fields.get(key)
        first = fields[0] if usual is None else usual
        told = f"{helps[0] if helps else 'see asg'} ({_listed(owners, choice)})"
        default = _shown_default(first.default) if len(defaults) == 1 or usual else "depends"
        yield _option(f"{name}.{key}", first, told, default)


def _listed(owners: Sequence[str], choice: Choice) -> str:
    missing = [name for name in choice.functions if name not in owners]
    if not missing:
        return f"every {choice.what}"
    return ", ".join(owners) if len(missing) >= len(owners) else f"not {', '.join(missing)}"


def _option(dotted: str, field_: Any, told: str, default: Any) -> Option:
    is_list = get_origin(field_.annotation) is tuple
    return Option(
        _NAMES.get(dotted, dotted), is_list, _placeholder(field_.annotation), told,
        _shown_default(default),
    )  # fmt: skip


def _shown_default(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or "none"
    return "none" if default is None else str(default)


def _placeholder(annotation: Any) -> str:
    if get_origin(annotation) is tuple:
        return "[N ...]"
    return {int: "N", float: "X", bool: "true|false"}.get(annotation, "TEXT")


def main(path: str) -> None:
    """Write the table to ``path``."""
    Path(path).write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
