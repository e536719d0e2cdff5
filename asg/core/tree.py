"""Nested dicts, lists, tuples and dataclasses of leaves <-> flat names such as ``fc1.weight``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from asg.core.errors import OperandError


def flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves by dotted name, in order.

    >>> flatten({"a": 1, "b": [2, 3]})
    {'a': 1, 'b.0': 2, 'b.1': 3}
    """
    children = _children(tree)
    if children is None:
        return {prefix: tree}
    flat: dict[str, Any] = {}
    for name, child in children:
        for key, leaf in flatten(child, f"{prefix}.{name}" if prefix else str(name)).items():
            if key in flat:
                raise OperandError(f"two leaves of the tree are called {key!r}; rename one")
            flat[key] = leaf
    return flat


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same structure with ``function`` applied to every leaf.

    >>> map_tree(lambda leaf: -leaf, {"a": 1, "b": (2, 3)})
    {'a': -1, 'b': (-2, -3)}
    """
    if isinstance(tree, Mapping):
        return {key: map_tree(function, child) for key, child in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_tree(function, child) for child in tree))
    if isinstance(tree, list | tuple):
        return type(tree)(map_tree(function, child) for child in tree)
    if is_dataclass(tree) and not isinstance(tree, type):
        changed = {f.name: map_tree(function, getattr(tree, f.name)) for f in fields(tree)}
        return replace(tree, **changed)
    return function(tree)


def leaves(tree: Any) -> list[Any]:
    """The leaves in order."""
    found: list[Any] = []
    map_tree(found.append, tree)
    return found


def _children(tree: Any) -> list[tuple[Any, Any]] | None:
    if isinstance(tree, Mapping):
        return list(tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return list(zip(tree._fields, tree, strict=True))
    if isinstance(tree, list | tuple):
        return list(enumerate(tree))
    if is_dataclass(tree) and not isinstance(tree, type):
        return [(f.name, getattr(tree, f.name)) for f in fields(tree)]
    return None
