"""The parser of the small commands: mistakes are told like all others, on one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from asg.core.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """Options by their full names, with suggestions; ``--help`` prints and leaves."""

    def __init__(self, prog: str, description: str) -> None:
        """For a command such as ``asg eval``."""
        super().__init__(prog, description=description, allow_abbrev=False)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Like argparse, which however says nothing when the message cannot be written."""
        (file or sys.stderr).write(message)

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError instead of leaving."""
        raise ConfigError(f"{message}; {self.prog} --help shows the usage")

    def read(self, arguments: Sequence[str]) -> Any:
        """The values of the arguments.

        Raises:
            ConfigError: they are not understood.
        """
        unknown = [each for each in arguments if self._is_unknown(each)]
        if unknown:
            raise ConfigError(self._told(unknown[0].partition("=")[0]))
        return self.parse_args(list(arguments))

    def _is_unknown(self, argument: str) -> bool:
        return argument.startswith("--") and argument.partition("=")[0] not in self._known()

    def _known(self) -> list[str]:
        return ["--", *(name for action in self._actions for name in action.option_strings)]

    def _told(self, name: str) -> str:
        close = get_close_matches(name, [each for each in self._known() if len(each) > 2], 1)
        hint = f"Did you mean {close[0]}?" if close else f"{self.prog} --help lists the options"
        return f"unknown option {name}{'. ' if close else '; '}{hint}"


def add_backend(parser: Parser, told: str) -> None:
    """The option of the commands that run graphs."""
    parser.add_argument("--backend", metavar="NAME", help=told)


def known_backend(name: str) -> str:
    """The name of a backend that there is.

    Raises:
        ConfigError: there is none of this name.
    """
    from asg.compiler.loader import backend_names

    return known("backend", name, backend_names())


def known(option: str, name: str, choices: Sequence[str]) -> str:
    """The value of an option, which is one of these.

    Raises:
        ConfigError: it is none; lists them.
    """
    from asg.train.problem import unknown_choice  # not for --help

    if name not in choices:
        raise ConfigError(f"--{option}: {unknown_choice(option, name, choices)}")
    return name
