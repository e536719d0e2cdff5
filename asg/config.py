"""The few settings of the library, and a context manager to change them for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Literal

from asg.core.errors import ConfigError


@dataclass
class Settings:
    """Process-wide settings.

    Attributes:
        verify: when graphs are checked while compiling: after "each" pass, or at the "end".
    """

    verify: Literal["each", "end"] = "each"


settings = Settings()

_CHOICES: dict[str, tuple[Any, ...]] = {"verify": ("each", "end")}


@contextmanager
def configure(**changes: Any) -> Iterator[Settings]:
    """Change settings inside a ``with`` block.

    >>> with configure(verify="end") as current:
    ...     current.verify
    'end'
    """
    known = {field.name for field in fields(Settings)}
    for name, value in changes.items():
        if name not in known:
            raise ConfigError(f"no setting {name!r}; there are {', '.join(sorted(known))}")
        if value not in _CHOICES[name]:
            raise ConfigError(f"{name}={value!r}; choose one of {_CHOICES[name]}")
    before = {name: getattr(settings, name) for name in changes}
    try:
        for name, value in changes.items():
            setattr(settings, name, value)
        yield settings
    finally:
        for name, value in before.items():
            setattr(settings, name, value)
