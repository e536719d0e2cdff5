"""Modules in dicts, nested lists and private attributes are never overlooked."""

from __future__ import annotations

from typing import Any

import pytest

import asg
from asg import nn
from asg.core.errors import OperandError


class Holder(nn.Module):
    def __init__(self, held: Any, name: str = "held") -> None:
        setattr(self, name, held)


def line() -> nn.Module:
    return nn.Linear(2, 2, bias=False)


def test_a_dict_of_modules_becomes_a_module_dict() -> None:
    net: Any = Holder({"a": line(), "b": line()})
    assert list(net.parameters()) == ["held.a.weight", "held.b.weight"]
    assert list(net.held.keys()) == ["a", "b"] and "a" in net.held
    assert [name for name, _ in net.held.items()] == list(net.held)
    assert list(net.held.values())[1] is net.held["b"]


def test_nested_lists_and_dicts_of_modules_are_adopted() -> None:
    net = Holder([[line(), line()], {"x": (line(),)}])
    assert list(net.parameters()) == [
        "held.0.0.weight", "held.0.1.weight", "held.1.x.0.weight",
    ]  # fmt: skip


@pytest.mark.parametrize("held", [[line(), None], {"a": line(), "b": 1}, [[line()], [1]]])
def test_mixtures_are_refused(held: Any) -> None:
    with pytest.raises(OperandError, match="mixes modules"):
        Holder(held)


def test_variables_and_streams_in_containers_are_refused() -> None:
    for inner in (asg.parameter("w", (2,), init=0.0), asg.RandomStream()):
        with pytest.raises(OperandError, match="attributes of their own"):
            Holder({"a": inner})


def test_private_attributes_are_attributes() -> None:
    net = Holder(line(), "_inner")
    assert [v.name for v in net.parameters().values()] == ["_inner.weight"]
    assert list(net.children()) == ["_inner"]


def test_other_lists_and_dicts_stay_as_they_are() -> None:
    net: Any = Holder({"sizes": [1, 2]})
    assert type(net.held) is dict and type(Holder([]).held) is list  # type: ignore[attr-defined]
