"""Lines in Python's logs, without `logging` where nobody has asked for them.

To load it takes longer than to compile a small graph. A program that wants to see more than
warnings has loaded it, since there is no other way to say so.
"""

from __future__ import annotations

import sys


def debug(logger: str, message: str, *args: object) -> None:
    """What helps to find out why something is slow, or not used."""
    if "logging" in sys.modules:
        sys.modules["logging"].getLogger(logger).debug(message, *args)


def info(logger: str, message: str, *args: object) -> None:
    """A choice that was made for the user."""
    if "logging" in sys.modules:
        sys.modules["logging"].getLogger(logger).info(message, *args)


def warning(logger: str, message: str, *args: object) -> None:
    """What the user should know; it is shown unless it is turned off."""
    import logging  # nobody has loaded it in most programs, and there is nothing to tell in most

    logging.getLogger(logger).warning(message, *args)
