"""What is wrong with a configuration, said in one line that a user can act on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

# Plainer words than pydantic's for the mistakes that are easy to make.
_SENTENCES = {
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "finite_number": "should be a finite number",
    "string_type": "should be text",
    "string_too_short": "should not be empty",
    "tuple_type": "should be a list",
    "greater_than_equal": "should be at least {ge:g}",
    "less_than_equal": "should be at most {le}",
}


def problem_line(
    error: ValidationError, model: type[BaseModel], source: str, options: Collection[str] = ()
) -> str:
    """Every problem of a validation in one line: ``file: key: what; file: key: what``.

    Args:
        error: what pydantic found.
        model: the outermost section.
        source: the file the values are from, or "".
        options: the dotted keys whose values came from the command line, not from the file.
    """
    found = [_described(problem, model, source, options) for problem in error.errors()]
    return "; ".join(dict.fromkeys(found))


def option_name(key: str) -> str:
    """How a key is spelled on the command line.

    >>> option_name("optimizer.weight_decay")
    '--optimizer.weight-decay'
    """
    return "--" + key.replace("_", "-")


def unknown_choice(kind: str, name: str, choices: Sequence[str]) -> str:
    """``unknown backend 'nunpy', did you mean 'numpy'? There are: numpy, jax``."""
    hint = suggestion(name, choices)
    return f"unknown {kind} {name!r}{hint or '.'} There are: {', '.join(choices)}"


def suggestion(name: str, choices: Sequence[str]) -> str:
    """``, did you mean 'epochs'?``, or nothing when no choice is close.

    >>> suggestion("epoch", ["epochs", "seed"]), suggestion("rate", ["epochs", "seed"])
    (", did you mean 'epochs'?", '')
    """
    close = closest(name, choices)
    return f", did you mean {close!r}?" if close else ""


def closest(name: str, choices: Sequence[str]) -> str | None:
    """The choice that was probably meant, if there is one.

    A dotted choice is also found by its last part, since that is how people call it.

    >>> closest("epoch", ["epochs", "seed"]), closest("lr", ["epochs", "optimizer.lr"])
    ('epochs', 'optimizer.lr')
    """
    by_last = {choice.rpartition(".")[2]: choice for choice in reversed(choices)}
    close = get_close_matches(name, [*choices, *by_last], 1)
    return by_last.get(close[0], close[0]) if close else None


def keys_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    """The dotted keys of all values, those of sections included.

    >>> from asg.train.config import TrainConfig
    >>> keys_of(TrainConfig)[-3:]
    ['seed', 'backend', 'out']
    """
    return [key for key, _ in _values_below(model, prefix)]


def _values_below(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from _values_below(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _described(
    problem: Mapping[str, Any], model: type[BaseModel], source: str, options: Collection[str]
) -> str:
    path = [str(part) for part in problem["loc"]]
    key = ".".join(path)
    # A list is one option, while its problem is at one of its items.
    option = next((o for o in options if key == o or key.startswith(f"{o}.")), None)
    label = option_name(option) if option else ": ".join(filter(None, (source, key)))
    return f"{label}: {_sentence(problem, path, model)}"


def _sentence(problem: Mapping[str, Any], path: list[str], model: type[BaseModel]) -> str:
    kind, given = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        return _unknown_key(path, model)
    if kind == "value_error":  # one of our own sentences
        return str(problem["ctx"]["error"])
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        what = f"should hold the keys {', '.join(_section(path, model).model_fields)}"
    elif kind in _SENTENCES:
        what = _SENTENCES[kind].format(**problem.get("ctx", {}))
    else:
        what = problem["msg"].removeprefix("Input ")
    return f"{what}, got {'nothing' if given is None else repr(given)}"


def _unknown_key(path: list[str], model: type[BaseModel]) -> str:
    section = _section(path[:-1], model)
    hint = suggestion(path[-1], [*section.model_fields, *keys_of(section)])
    known = ", ".join(section.model_fields)
    return f"unknown key{hint}" if hint else f"unknown key; the keys are {known}"


def _section(path: Sequence[str], model: type[BaseModel]) -> type[BaseModel]:
    section: Any = model
    for part in path:
        section = section.model_fields[part].annotation
    return section  # type: ignore[no-any-return]
