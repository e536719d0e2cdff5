"""Backends and the visualizer by name: the only place of asg that looks outside `asg` itself."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from asg.core.errors import MissingLibrary, UnknownName

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from asg.compiler.backend import Backend

BUILT_IN = {
    "numpy": "asg.backends.numpy_cpu.backend:BACKEND",
    "jax": "asg.backends.jax_xla.backend:BACKEND",
}
ENTRY_POINT_GROUP = "asg.backends"

_loaded: dict[str, Backend] = {}
_waiting: dict[str, list[Callable[[Any], object]]] = {}


def backend_names() -> list[str]:
    """Built-in names, then those that installed packages offer as entry points."""
    offered = sorted(point.name for point in _entry_points())
    return [*BUILT_IN, *(name for name in offered if name not in BUILT_IN)]


def load_backend(name: str | Backend) -> Backend:
    """The backend called ``name``; a Backend object is returned as it is.

    Raises:
        UnknownName: no such backend; lists those there are.
        MissingLibrary: the library behind it is not installed.
    """
    if not isinstance(name, str):
        return name
    if name not in _loaded:
        _loaded[name] = _find(name)
        for action in _waiting.pop(name, []):
            action(_loaded[name])
    return _loaded[name]


def loaded_backends() -> list[Backend]:
    """Those that were asked for so far."""
    return list(_loaded.values())


def require_backend_name(name: str) -> None:
    """Refuse a name of no backend, without loading anything.

    Raises:
        UnknownName: no such backend; lists those there are.
    """
    if name not in BUILT_IN and name not in backend_names():
        raise _unknown(name)


def when_loaded(name: str, action: Callable[[Any], object]) -> None:
    """Call ``action(backend)`` now if the backend is loaded, else when it will be."""
    if name in _loaded:
        action(_loaded[name])
    else:
        _waiting.setdefault(name, []).append(action)


def _find(name: str) -> Backend:
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name].split(":")
        try:
            return cast("Backend", getattr(import_module(module), attribute))
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("asg"):
                raise
            raise MissingLibrary(
                f"backend {name!r} needs {error.name}: pip install 'asg-compiler[{name}]'"
            ) from None
    for point in _entry_points():
        if point.name == name:
            return cast("Backend", point.load())
    raise _unknown(name)


def _unknown(name: str) -> UnknownName:
    return UnknownName(f"no backend named {name!r}; there are {', '.join(backend_names())}")


def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points  # a tenth of the time of `import asg`

    return entry_points(group=ENTRY_POINT_GROUP)


def load_visualizer() -> ModuleType:
    """The drawing package; it knows only the describe-document."""
    return import_module("asg.visualizer")
