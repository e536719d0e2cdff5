"""``asg COMMAND``: finds the command, and turns errors into one line and an exit code.

Exit codes: 0 done; 1 the run failed: a loss that is no number, a disk that is full, a file of a
data set or a checkpoint that is damaged or missing; 2 the command was not understood, or cannot be
done here: a wrong option or setting, a configuration, run or input that is not there or is none, a
library that is not installed; 130 stopped by Ctrl-C. An error is one line on stderr.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

import asg
from asg.cli.errors import one_line
from asg.core.errors import AsgError, ConfigError, MissingLibrary, UnknownName
from asg.core.origin import count_as_internal

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

# A command is a module with a function run(arguments) -> exit code, imported when it is called.
COMMANDS = {
    "bench": ("asg.cli.bench", "time the training step of a configuration"),
    "bisect": ("asg.cli.bisect", "find the pass and the rewrite that change what a graph computes"),
    "convert": ("asg.cli.convert", "write the weights of a PyTorch checkpoint as safetensors"),
    "datasets": ("asg.cli.datasets", "list the data sets, and what is there of them"),
    "doctor": ("asg.cli.doctor", "tell what works here, what is missing, and how to add it"),
    "eval": ("asg.cli.evaluate", "evaluate a run, also on another backend"),
    "export": ("asg.cli.export", "write the network of a run without its training"),
    "generate": ("asg.cli.generate", "let a language model go on with a text"),
    "graph": ("asg.cli.graph", "show a graph, and what each pass did to it"),
    "plan": ("asg.cli.plan", "show memory and work of a step before it runs"),
    "predict": ("asg.cli.predict", "predict the classes of the examples in a file"),
    "train": ("asg.cli.train", "train a network and write its weights and curves"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code.

    Args:
        arguments: without the name of the program; by default those of the process.
    """
    if arguments is None:  # called by the script that an installer wrote for the command `asg`
        count_as_internal(sys._getframe(1).f_code)
    try:
        return _told(list(sys.argv[1:] if arguments is None else arguments))
    except (ConfigError, UnknownName, MissingLibrary) as error:
        return _fail(str(error), USAGE)
    except AsgError as error:
        return _fail(str(error), FAILED)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has left: asg train | head
        _drop_output()
        return FAILED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EIO):
            raise
        _drop_output()
        return _fail(f"cannot write the output: {error.strerror}", FAILED)


def _told(arguments: list[str]) -> int:
    """Do it; what is printed has arrived when this returns, or raises."""
    try:
        return _dispatch(arguments)
    finally:
        sys.stdout.flush()


def _drop_output() -> None:
    """What is still buffered must not raise at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    print(f"error: {one_line(message)}", file=sys.stderr)
    return code


def _dispatch(arguments: list[str]) -> int:
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help"):
        print(_help())
        return DONE
    if first == "--version":
        print(f"asg {asg.__version__}")
        return DONE
    if first not in COMMANDS:
        raise ConfigError(_unknown(first))
    return int(import_module(COMMANDS[first][0]).run(arguments[1:]))


def _help() -> str:
    lines = [f"  {name:<10} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join([
        "usage: asg COMMAND [OPTIONS]",
        "",
        "A static-graph compiler for tensor programs.",
        "",
        "commands:",
        *lines,
        "",
        "options:",
        "  -h, --help of asg, or of a command: asg train --help",
        "  --version  the version of asg",
    ])  # fmt: skip


def _unknown(name: str) -> str:
    kind, known = ("option", ["--help", "--version"]) if name.startswith("-") else ("command", [])
    choices = known or list(COMMANDS)
    close = get_close_matches(name, choices, 1)
    hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(choices)}"
    return f"unknown {kind} {name}. {hint}"
