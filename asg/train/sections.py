"""Sections of a configuration, and those whose keys are the options of a function.

``optimizer: {name: sgd, momentum: 0.9}`` says which function to call and with which options, so the
keys it may have are the parameters of that function: their names, types and defaults are read off
its signature, and there is no second list of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from inspect import Parameter, getdoc, signature
from re import MULTILINE, findall
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from asg.core.errors import AsgError, ConfigError, FileError, MissingLibrary
from asg.train.problem import unknown_choice


class Section(BaseModel):
    """Settings that refuse what they do not know.

    Attributes:
        elsewhere: keys that this section lacks and others of its kind have, with their names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_min_length=1)
    elsewhere: ClassVar[Mapping[str, str]] = {}


def no_bool(value: object) -> object:
    """YAML 1.1 reads ``no`` and ``yes`` as booleans, and Python counts them as 0 and 1."""
    if isinstance(value, bool):
        raise ValueError(f"should be a number, got {str(value).lower()}")
    return value


Whole = Annotated[int, BeforeValidator(no_bool)]
Count = Annotated[int, BeforeValidator(no_bool), Field(ge=1)]
Number = Annotated[float, BeforeValidator(no_bool), Field(allow_inf_nan=False)]

# What the annotations of configured functions mean here; schedules are a section of their own.
TYPES: dict[str, Any] = {
    "float": Number,
    "Setting": Number,
    "int": Whole,
    "bool": bool,
    "str": str,
    "str | None": Annotated[str, Field(min_length=1)] | None,
    "Betas": tuple[Number, Number],
    "Coefficients": tuple[Number, Number, Number],
    "Selector": tuple[str, ...],
    "Sequence[int]": tuple[Count, ...],
    "tuple[float, float]": tuple[Number, Number],
    "tuple[float | None, float]": tuple[Number | None, Number],
}
# Bounds that hold for every function with a parameter of this name.
BOUNDS: dict[str, dict[str, float]] = {
    "lr": {"gt": 0},
    "weight_decay": {"ge": 0},
    "momentum": {"ge": 0, "lt": 1},
    "dropout": {"ge": 0, "lt": 1},
    "test_fraction": {"gt": 0, "lt": 1},
    "count": {"ge": 2},
    "classes": {"ge": 2},
    "vocabulary": {"ge": 2},
    "length": {"ge": 1},
    "noise": {"ge": 0},
}


# What such a parameter is, where the function's own docstring speaks of more than numbers.
WORDS = {
    "lr": "learning rate",
    "weight_decay": "how strongly parameters are drawn to zero",
    "momentum": "share of the last step that the next repeats",
    "no_decay": "patterns of names of parameters that do not decay, as *.bias",
    "no_trust": "patterns of names of parameters whose ratio is 1, as *.bias",
    "betas": "decays of the moments",
    "gamma": "factor of a change of the rate",
    "test_fraction": "share of the examples kept for testing",
    "dropout": "share of the values that a training step leaves out",
}
OMITTED = frozenset({"maximize"})  # a loss is made smaller


@dataclass(frozen=True)
class Choice:
    """Functions by name, one of which a section chooses and gives its options.

    Attributes:
        what: what is chosen, in messages: "optimizer".
        key: the key of the name: "name" or "kind".
        functions: by name.
        default: the name when none is given.
        fixed: leading parameters that are no options: they come from elsewhere.
        defaults: default values of options that are not those of the function.
    """

    what: str
    key: str
    functions: Mapping[str, Callable[..., Any]]
    default: str
    fixed: int = 0
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def name_in(self, values: Any) -> str:
        """Which one a section chooses.

        Raises:
            ConfigError: there is none of that name.
        """
        name = values.get(self.key, self.default) if isinstance(values, Mapping) else self.default
        if not isinstance(name, str) or name not in self.functions:
            raise ConfigError(unknown_choice(self.what, str(name), list(self.functions)))
        return name

    def section(self, name: str) -> type[Section]:
        """The section of one of them."""
        return self._sections[name]

    @cached_property
    def _sections(self) -> dict[str, type[Section]]:
        made = {name: self._made(name) for name in self.functions}
        for name, section in made.items():
            section.elsewhere = {
                key: f"no option of {name}, but of {', '.join(_owners(made, key))}"
                for key in _keys(made)
                if key not in section.model_fields
            }
        return made

    def options(self) -> list[str]:
        """All options that any of them has, the name first."""
        return _keys(self._sections)

    def owners(self, key: str) -> list[str]:
        """The names of those that have an option."""
        return _owners(self._sections, key)

    def _made(self, name: str) -> type[Section]:
        function = self.functions[name]
        words, changed = described(function) | WORDS, self.defaults.get(name, {})
        fields: dict[str, Any] = {
            self.key: (Literal[name], Field(default=name, description=f"kind of {self.what}"))
        }
        for parameter in list(signature(function).parameters.values())[self.fixed :]:
            if parameter.name in OMITTED:
                continue
            default = changed.get(parameter.name, parameter.default)
            facts: Any = {"description": words.get(parameter.name, "")}
            facts |= BOUNDS.get(parameter.name, {})
            default = ... if default is Parameter.empty else default
            fields[parameter.name] = (TYPES[str(parameter.annotation)], Field(default, **facts))
        title = f"{name.title().replace('_', '')}{self.what.title().replace(' ', '')}"
        return create_model(title, __base__=Section, **fields)

    def chosen(self, section: Section) -> str:
        """The name that a section of this choice has."""
        return str(getattr(section, self.key))

    def build(self, section: Section, *fixed: Any, **changed: Any) -> Any:
        """Call the function that the section chooses with its options.

        Args:
            section: made by this choice.
            fixed: the leading arguments.
            changed: options that replace those of the section.
        """
        options = {key: getattr(section, key) for key in type(section).model_fields}
        del options[self.key]
        return self.functions[self.chosen(section)](*fixed, **{**options, **changed})


def _keys(sections: Mapping[str, type[Section]]) -> list[str]:
    return list(dict.fromkeys(key for each in sections.values() for key in each.model_fields))


def _owners(sections: Mapping[str, type[Section]], key: str) -> list[str]:
    return [name for name, each in sections.items() if key in each.model_fields]


def told(where: str, build: Callable[[], Any]) -> Any:
    """What ``build`` returns; its errors begin with the section they are about.

    Raises:
        ConfigError: ``build`` raised an error of asg.
        FileError, MissingLibrary: as ``build`` raised them.
    """
    try:
        return build()
    except ConfigError as error:
        raise ConfigError(f"{where}.{error}") from None
    except (FileError, MissingLibrary):
        raise
    except AsgError as error:
        raise ConfigError(f"{where}: {' '.join(str(error).split())}") from None


def described(function: Callable[..., Any]) -> dict[str, str]:
    """What the docstring of a function says about each parameter, its first line.

    >>> described(described)
    {'function': 'with "Args:" in its docstring'}

    Args:
        function: with "Args:" in its docstring.
    """
    function = getattr(function, "func", function)  # of a partial
    arguments = (getdoc(function) or "").partition("Args:\n")[2].partition("\n\n")[0]
    found = findall(r"^    (\w[\w, ]*): (.+)$", arguments + "\n", flags=MULTILINE)
    return {name: text.rstrip('.;') for names, text in found for name in names.split(", ")}
