"""Packages whose names load when they are first used, as their stubs list them.

A program needs a few layers of the hundreds there are; loading all takes megabytes and a tenth of
a second. The stub ``__init__.pyi`` of a package is the one list of its names, for type checkers
and editors as well; each is a line ``from module import name as name``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

_LINE = re.compile(r"^from ([\w.]+) import (\w+) as (\w+)$", re.MULTILINE)


def names_on_demand(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    Args:
        package: its ``__name__``.
        file: its ``__file__``, beside which the stub lies.
    """
    stub = Path(file).with_suffix(".pyi").read_text("utf-8")
    places = {name: (module, given) for module, given, name in _LINE.findall(stub)}

    def load(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        module, given = places[name]
        if module == package:
            return import_module(f"{package}.{given}")
        found = getattr(import_module(module), given)
        vars(import_module(package))[name] = found
        return found

    return load, lambda: sorted({*vars(import_module(package)), *places}), sorted(places)
