"""Checks of constructor arguments that many layers share."""

from __future__ import annotations

from asg.core.errors import OperandError


def require_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise OperandError(f"{name}={size!r} must be a positive int")
