"""Configuration files: YAML read without surprises, and written back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from asg.core.errors import ConfigError, FileError


def read_values(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The nested values of a YAML file; an empty file has none.

    Raises:
        FileError: the file is missing or cannot be read.
        ConfigError: not YAML, not a mapping, or a key given twice; with the line.
    """
    name = os.fspath(path)
    text = _text(name)
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: {_where(error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{name}: expected 'key: value' lines, got {values!r}")
    _refuse_repeated_keys(name, root)
    return values


def _text(name: str) -> str:
    try:
        return Path(name).read_text("utf-8")
    except FileNotFoundError:
        raise FileError(f"no file {name}") from None
    except OSError as error:
        raise FileError(f"cannot read {name}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise FileError(f"{name} is not a text file") from None


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {problem}" if mark else f"not YAML: {problem}"


def _refuse_repeated_keys(name: str, root: yaml.Node | None) -> None:
    """YAML forbids them, but the library lets the last one win in silence."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, yaml.SequenceNode):
            pending += node.value
        if not isinstance(node, yaml.MappingNode):
            continue
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise ConfigError(f"{name}: line {line}: {key.value} is given twice")
            seen.add(key.value)
            pending.append(value)


def config_text(values: Mapping[str, Any]) -> str:
    """The values as YAML, in their order; `read_values` reads them back."""
    return yaml.safe_dump(dict(values), sort_keys=False, default_flow_style=None)
