"""Ops and functions by name."""

from collections.abc import Iterator

import pytest

import asg
from asg.core.errors import ShapeError, UnknownName
from asg.core.registry import FUNCTIONS, OPS, call, op_class, public, service, snake_case
from asg.core.types import TypeProblem


@pytest.fixture(autouse=True)
def functions_as_before() -> Iterator[None]:
    before = dict(FUNCTIONS)
    yield
    FUNCTIONS.clear()
    FUNCTIONS.update(before)


@pytest.mark.parametrize(
    ("name", "snake"),
    [("Add", "add"), ("LogSoftmax", "log_softmax"), ("Conv2d", "conv2d"), ("ReLU", "relu"),
     ("DimSize", "dim_size"), ("Log1p", "log1p")],
)  # fmt: skip
def test_class_names_become_op_names(name: str, snake: str) -> None:
    assert snake_case(name) == snake


def test_every_op_is_registered_under_its_own_name() -> None:
    assert all(each.name == name for name, each in OPS.items())
    assert op_class("input").__name__ == "Input"


def test_an_unknown_op_gets_close_names() -> None:
    with pytest.raises(UnknownName, match=r"no op named 'inputt'.*did you mean input"):
        op_class("inputt")


def test_an_unknown_function_gets_close_names() -> None:
    with pytest.raises(UnknownName, match=r"constnat.*did you mean constant"):
        service("constnat")
    with pytest.raises(UnknownName, match=r"no function named 'zzzzzz' is registered$"):
        service("zzzzzz")


def test_a_public_function_is_called_by_name_and_keeps_its_face() -> None:
    @public
    def twice_for_test(x: asg.Tensor) -> asg.Tensor:
        """Doc."""
        return x

    x = asg.input("x", (2,))
    assert call("twice_for_test", x) is x
    assert (twice_for_test.__name__, twice_for_test.__doc__) == ("twice_for_test", "Doc.")


def test_a_type_problem_in_a_public_function_is_explained_to_the_user() -> None:
    @public
    def pick_for_test(x: asg.Tensor, axis: int) -> asg.Tensor:
        raise TypeProblem("no such axis", "choose another")

    x = asg.input("x", ("n", 2))
    with pytest.raises(ShapeError) as caught:
        pick_for_test(x, axis=5)
    message = str(caught.value)
    assert message.startswith("pick_for_test: no such axis")
    assert "x: f32[n, 2]  input 'x'" in message
    assert "test_registry.py" in message
    assert message.endswith("repair: choose another")
    assert caught.value.__cause__ is None
