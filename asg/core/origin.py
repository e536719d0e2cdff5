"""Where a node comes from: the user's line, the scope path, and the steps that derived it.

Drivers (gradient, decomposition, rewriting) open :func:`derive` once; every node made inside
carries the step. No author of a rule ever copies provenance by hand.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import NamedTuple

from asg.core.errors import OperandError

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_INTERNAL = (
    *(
        os.path.join(root, folder) + os.sep
        for root, folder in (
            (os.path.dirname(_PACKAGE), os.path.basename(_PACKAGE)),
            (os.path.dirname(_PACKAGE), "backends"),
            (os.path.dirname(_PACKAGE), "visualizer"),
        )
    ),
    contextlib.__file__,  # runs between a decorated function and its caller
)


class Location(NamedTuple):
    """A line of the user's program."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        """``model.py:12 in forward``, the path relative to the current folder when inside it."""
        place = f"{short_path(self.file)}:{self.line}"
        return place if self.function == "<module>" else f"{place} in {self.function}"


class Step(NamedTuple):
    """One derivation: ``kind`` is "gradient", "decompose", "rule" or "pass".

    ``sources`` are the lineages of the nodes derived from, which passes keep.
    """

    kind: str
    name: str
    sources: tuple[int, ...]


class Origin(NamedTuple):
    """Everything known about the birth of a node."""

    location: Location | None
    scope: str = ""
    derived: tuple[Step, ...] = ()

    def with_step(self, step: Step) -> Origin:
        """The same place, derived one step further."""
        return Origin(self.location, self.scope, (*self.derived, step))

    @property
    def gradient_of(self) -> int | None:
        """Lineage of the forward node whose gradient this node belongs to, or None."""
        for step in self.derived:
            if step.kind == "gradient" and step.sources:
                return step.sources[0]
        return None


UNKNOWN = Origin(None)

_fixed: ContextVar[Origin | None] = ContextVar("asg_fixed_origin", default=None)
_scope: ContextVar[str] = ContextVar("asg_scope", default="")
_locations: dict[tuple[str, int, str], Location] = {}
_internal_files: set[str] = set()
_internal_code: set[CodeType] = set()


def short_path(path: str) -> str:
    """``path`` relative to the current folder when it lies inside it."""
    try:
        relative = os.path.relpath(path)
    except (ValueError, OSError):
        return path
    return path if relative.startswith("..") else relative


def _is_internal(frame: FrameType) -> bool:
    code = frame.f_code
    file = code.co_filename
    if file == "<string>":  # of ``python -c``, or what a dataclass compiles
        return str(frame.f_globals.get("__name__")).startswith("asg.")
    if file.startswith(_INTERNAL) or file.startswith("<frozen"):
        _internal_files.add(file)
        return True
    return code in _internal_code


def count_as_internal(code: CodeType) -> None:
    """No line of ``code`` is one of the user: it is, say, the script that starts a command."""
    _internal_code.add(code)


def user_location() -> Location | None:
    """The innermost line outside asg that is being executed, interned."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (
        frame.f_code.co_filename in _internal_files or _is_internal(frame)
    ):
        frame = frame.f_back
    if frame is None:
        return None
    code = frame.f_code
    key = (code.co_filename, frame.f_lineno, code.co_name)
    found = _locations.get(key)
    if found is None:
        found = _locations[key] = Location(*key)
    return found


def current_origin() -> Origin:
    """The origin that a node made now receives."""
    fixed = _fixed.get()
    return fixed if fixed is not None else Origin(user_location(), _scope.get())


def current_scope() -> str:
    """The open scope path, such as ``"encoder/0/attention"``."""
    return _scope.get()


@contextlib.contextmanager
def scope(name: str) -> Iterator[None]:
    """Name the part of a model that is being built; scopes nest into a path.

    >>> import asg
    >>> with asg.scope("encoder"):
    ...     x = asg.input("x", (2,))
    >>> x.node.origin.scope
    'encoder'
    """
    if not name or not all(name.split("/")):
        raise OperandError(f"scope name {name!r} is empty or has an empty part; give it a name")
    outer = _scope.get()
    token = _scope.set(f"{outer}/{name}" if outer else name)
    try:
        yield
    finally:
        _scope.reset(token)


class FixedOrigin:
    """What `fixed_origin` gives; a class, since it is entered for every rule that is tried."""

    __slots__ = ("_origin", "_token")

    def __init__(self, origin: Origin) -> None:
        """Nothing happens before ``with``."""
        self._origin = origin

    def __enter__(self) -> None:
        self._token = _fixed.set(self._origin)

    def __exit__(self, *raised: object) -> None:
        _fixed.reset(self._token)


def fixed_origin(origin: Origin) -> FixedOrigin:
    """Give every node made inside exactly ``origin``."""
    return FixedOrigin(origin)


def derive(kind: str, name: str, sources: tuple[int, ...], like: Origin) -> FixedOrigin:
    """Mark every node made inside as derived from ``like`` by one more step.

    When a derivation is already open (a decomposition inside a gradient), the steps add up.
    """
    outer = _fixed.get()
    base = like if outer is None else Origin(like.location, like.scope, outer.derived)
    return FixedOrigin(base.with_step(Step(kind, name, sources)))
