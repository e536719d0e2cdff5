"""What is wrong with a configuration, said in one line that a user can act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "tuple_type": "should be a list",
    "greater_than_equal": "should be at least {ge:g}",
    "less_than_equal": "should be at most {le}",
}


def problem_line(
    error: ValidationError,
    model: type[BaseModel],
    source: str,
    labels: Mapping[str, str],
    short: Mapping[str, str],
) -> str:
    """Every problem of a validation in one line: ``file: key: what; file: key: what``.

    Args:
        error: what pydantic found.
        model: the outermost section.
        source: the file the values are from, or "".
        labels: what the user wrote for a dotted key: a short name, or an option of the command
            line when it begins with ``--``.
        short: all short names there are, with the dotted keys they stand for.
    """
    found = [_described(problem, model, source, labels, short) for problem in error.errors()]
    return "; ".join(dict.fromkeys(found))


def label_of(key: str, source: str, labels: Mapping[str, str]) -> str:
    """How a key is called in messages: ``config.yaml: optimizer.lr``, or ``--optimizer.lr``."""
    # A list is one value, while its problem is at one of its items.
    written = next((k for k in labels if key == k or key.startswith(f"{k}.")), None)
    if written is None:
        return ": ".join(filter(None, (source, key)))
    if labels[written].startswith("--"):
        return labels[written]
    return ": ".join(filter(None, (source, labels[written] + key.removeprefix(written))))


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
    if name in choices:
        return name
    by_last = {choice.rpartition(".")[2]: choice for choice in reversed(choices)}
    close = get_close_matches(name, [*choices, *by_last], 1)
    if not close:
        return None
    return close[0] if close[0] in choices else by_last[close[0]]


def keys_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    """The dotted keys of all values, those of sections included.

    >>> from asg.train.config import schema
    >>> keys_of(schema())[-3:]
    ['lr_schedule.warmup_epochs', 'backend', 'out']
    """
    return [key for key, _ in _values_below(model, prefix)]


def _values_below(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from _values_below(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _described(
    problem: Mapping[str, Any],
    model: type[BaseModel],
    source: str,
    labels: Mapping[str, str],
    short: Mapping[str, str],
) -> str:
    path = [str(part) for part in problem["loc"]]
    return f"{label_of('.'.join(path), source, labels)}: {_sentence(problem, path, model, short)}"


def _sentence(
    problem: Mapping[str, Any], path: list[str], model: type[BaseModel], short: Mapping[str, str]
) -> str:
    kind, given = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        return _unknown_key(path, model, short if len(path) == 1 else {})
    if kind == "value_error":  # one of our own sentences
        return str(problem["ctx"]["error"])
    if kind == "missing":
        return "has no default, so give a value"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        what = f"should hold the keys {', '.join(_section(path, model).model_fields)}"
    elif kind in _SENTENCES:
        what = _SENTENCES[kind].format(**problem.get("ctx", {}))
    else:
        what = problem["msg"].removeprefix("Input ")
    return f"{what}, got {'nothing' if given is None else repr(given)}"


def _unknown_key(path: list[str], model: type[BaseModel], short: Mapping[str, str]) -> str:
    section = _section(path[:-1], model)
    elsewhere: Mapping[str, str] = getattr(section, "elsewhere", {})
    if path[-1] in elsewhere:
        return elsewhere[path[-1]]
    hint = suggestion(path[-1], [*short, *section.model_fields, *keys_of(section)])
    known = ", ".join(section.model_fields)
    return f"unknown key{hint}" if hint else f"unknown key; the keys are {known}"


def _section(path: Sequence[str], model: type[BaseModel]) -> type[BaseModel]:
    section: Any = model
    for part in path:
        section = section.model_fields[part].annotation
    return section  # type: ignore[no-any-return]
