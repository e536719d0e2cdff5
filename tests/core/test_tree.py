"""Nested structures and their flat names."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest

from asg.core.errors import OperandError
from asg.core.tree import flatten, leaves, map_tree

Pair = namedtuple("Pair", ["left", "right"])


@dataclass(frozen=True)
class Layer:
    weight: Any
    bias: Any


TREES: list[tuple[Any, dict[str, Any]]] = [
    (1, {"": 1}),
    ({}, {}),
    ([], {}),
    ({"a": 1, "b": [2, 3]}, {"a": 1, "b.0": 2, "b.1": 3}),
    ((1, (2, [3])), {"0": 1, "1.0": 2, "1.1.0": 3}),
    ({"fc": Layer(1, {"x": 2})}, {"fc.weight": 1, "fc.bias.x": 2}),
    (Pair(1, Pair(2, 3)), {"left": 1, "right.left": 2, "right.right": 3}),
    (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    ({"text": "whole"}, {"text": "whole"}),
    ({1: {2: "x"}}, {"1.2": "x"}),
]


@pytest.mark.parametrize(("tree", "flat"), TREES, ids=lambda value: repr(value)[:40])
def test_leaves_are_named_by_their_path_in_order(tree: Any, flat: dict[str, Any]) -> None:
    assert list(flatten(tree).items()) == list(flat.items())
    assert leaves(tree) == list(flat.values())


@pytest.mark.parametrize(("tree", "flat"), TREES, ids=lambda value: repr(value)[:40])
def test_mapping_keeps_the_structure(tree: Any, flat: dict[str, Any]) -> None:
    doubled = map_tree(lambda leaf: leaf * 2, tree)
    assert flatten(doubled) == {name: leaf * 2 for name, leaf in flat.items()}
    assert type(doubled) in (type(tree), dict)
    assert map_tree(lambda leaf: leaf, tree) == tree


def test_a_prefix_stands_before_every_name() -> None:
    assert flatten([1, {"a": 2}], "model") == {"model.0": 1, "model.1.a": 2}


def test_two_leaves_of_one_name_are_refused() -> None:
    with pytest.raises(OperandError, match=r"'a\.b'"):
        flatten({"a": {"b": 1}, "a.b": 2})


def test_a_dataclass_type_is_a_leaf() -> None:
    assert leaves([Layer]) == [Layer]
