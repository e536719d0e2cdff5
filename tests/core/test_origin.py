"""Where nodes come from: user lines, scopes, derivations."""

import inspect
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

import asg
from asg.core.errors import AsgError
from asg.core.origin import (
    Location,
    Origin,
    Step,
    current_origin,
    current_scope,
    derive,
    fixed_origin,
    scope,
    short_path,
    user_location,
)


def line() -> int:
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


def test_a_node_knows_the_line_of_the_user() -> None:
    x, here = asg.input("x", (2,)), line()
    location = x.node.origin.location
    assert location == Location(__file__, here, "test_a_node_knows_the_line_of_the_user")


def test_what_a_dataclass_of_asg_compiles_is_no_line_of_the_user() -> None:
    @dataclass
    class OfAsg:
        __module__ = "asg.config"
        found: Any = field(default_factory=user_location)

    assert OfAsg().found.file == __file__


def test_what_runs_a_decorated_function_is_no_line_of_the_user() -> None:
    @contextmanager
    def around() -> Iterator[None]:
        yield

    found, here = around()(user_location)(), line()
    assert found is not None and (found.file, found.line) == (__file__, here)


def test_the_line_is_the_innermost_one_outside_asg() -> None:
    def layer(value: asg.Tensor) -> asg.Tensor:
        return value + 1.0

    location = layer(asg.input("x", (2,))).node.origin.location
    assert location is not None
    assert location.function == "layer"
    assert location.line == layer.__code__.co_firstlineno + 1


def test_every_node_of_one_line_shares_one_location() -> None:
    made = [asg.input("x", (2,)).node.origin.location for _ in range(2)]
    assert made[0] is made[1]


def test_locations_print_relative_to_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(os.path.dirname(__file__))
    assert str(Location(__file__, 12, "forward")) == "test_origin.py:12 in forward"
    assert str(Location(__file__, 12, "<module>")) == "test_origin.py:12"
    outside = os.path.join(os.path.dirname(os.path.dirname(__file__)), "elsewhere.py")
    assert short_path(outside) == outside


def test_user_location_is_none_only_inside_asg() -> None:
    location = user_location()
    assert location is not None and location.file == __file__


def test_scopes_nest_and_close() -> None:
    assert current_scope() == ""
    with scope("encoder"), scope("0"):
        assert current_scope() == "encoder/0"
        with scope("attention/heads"):
            assert asg.input("x", ()).node.origin.scope == "encoder/0/attention/heads"
    assert current_scope() == ""


def test_a_scope_closes_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), scope("broken"):
        raise ZeroDivisionError
    assert current_scope() == ""


@pytest.mark.parametrize("name", ["", "/", "a//b", "/a", "a/"])
def test_empty_scope_names_are_refused(name: str) -> None:
    with pytest.raises(AsgError, match="scope name"), scope(name):
        pass


def test_scopes_of_threads_are_separate() -> None:
    seen: list[str] = []
    with scope("main"):
        thread = threading.Thread(target=lambda: seen.append(current_scope()))
        thread.start()
        thread.join()
    assert seen == [""]


def test_derived_nodes_keep_place_and_scope_and_add_a_step() -> None:
    with scope("encoder"):
        x = asg.input("x", (2,))
    with scope("elsewhere"), derive("gradient", "tanh", (x.node.serial,), x.node.origin):
        made = asg.input("dx", (2,)).node.origin
    assert made.location == x.node.origin.location
    assert made.scope == "encoder"
    assert made.derived == (Step("gradient", "tanh", (x.node.serial,)),)
    assert made.gradient_of == x.node.serial
    assert x.node.origin.gradient_of is None


def test_derivations_inside_derivations_add_up() -> None:
    inner, outer = Origin(Location("a.py", 1, "f"), "inner"), Origin(Location("b.py", 2, "g"))
    with derive("gradient", "softmax", (7,), outer):
        with derive("decompose", "softmax", (7,), inner):
            made = current_origin()
        assert current_origin().derived == (Step("gradient", "softmax", (7,)),)
    assert made.location == inner.location
    assert made.scope == "inner"
    assert [step.kind for step in made.derived] == ["gradient", "decompose"]
    assert current_origin().derived == ()


def test_a_fixed_origin_holds_inside_only() -> None:
    fixed = Origin(Location("model.py", 3, "forward"), "head")
    with fixed_origin(fixed):
        assert asg.input("x", ()).node.origin is fixed
    assert asg.input("x", ()).node.origin is not fixed
