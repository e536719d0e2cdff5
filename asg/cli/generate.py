"""``asg generate``: what the language model of a run goes on with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asg.cli.errors import one_line
from asg.cli.parser import Parser, add_backend, known_backend
from asg.core.errors import AsgError, ConfigError

DONE = 0
DESCRIPTION = "Let the language model of a run go on with a text; without --temperature, greedily."
# For each option that is a number: how it is read, and the help.
NUMBERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "length": (int, "new tokens at most (default: as many as the model has learned at once)"),
    "temperature": (float, "draw tokens; below 1 likely ones more often"),
    "top_k": (int, "draw from so many of the likeliest only"),
    "top_p": (float, "draw from the likeliest that have this probability together"),
    "seed": (int, "of what is drawn (default: 0)"),
}


def run(arguments: Sequence[str]) -> int:
    """Write as the arguments say; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood, or no run of a language model.
    """
    parser = Parser("asg generate", DESCRIPTION)
    parser.add_argument("run", help="the folder of a run, such as runs/text-0001")
    parser.add_argument("--prompt", required=True, metavar="TEXT", help="what it goes on with")
    for name, (_, told) in NUMBERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="N", help=told)
    add_backend(parser, "what runs the network (default: that of the run)")
    given = parser.read(arguments)
    if not given.prompt:
        raise ConfigError("--prompt: should not be empty")
    options = {name: _number(name, getattr(given, name)) for name in NUMBERS}
    backend = known_backend(given.backend) if given.backend else ""
    chosen = {name: value for name, value in options.items() if value is not None}
    print(_text(given.run, given.prompt, backend, chosen))
    return DONE


def _number(name: str, text: str | None) -> Any:
    try:
        return None if text is None else NUMBERS[name][0](text)
    except ValueError:
        option = f"--{name.replace('_', '-')}"
        raise ConfigError(f"{option}: should be a number, got {text!r}") from None


def _text(run: str, prompt: str, backend: str, options: dict[str, Any]) -> str:
    """The prompt and what follows.

    Raises:
        ConfigError: no language model, an unknown character, or a number out of range.
    """
    from asg.cli.subject import trained  # not for --help
    from asg.generation import generate

    training = trained(run, backend)
    tokenizer = training.task.tokenizer
    if tokenizer is None:
        raise ConfigError(f"{run} is of no language model; use asg predict")
    try:
        tokens = tokenizer.encode(prompt)
        count = options.pop("length", max(1, training.task.example.shape[0] - len(tokens)))
        return str(tokenizer.decode(generate(training.model, tokens, count, **options)))
    except AsgError as error:
        raise ConfigError(one_line(error)) from None
