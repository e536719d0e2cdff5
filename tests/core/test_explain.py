"""The parts of a message: who made an operand, and how a size came about."""

import pytest

import asg
from asg.core.errors import ShapeError
from asg.core.explain import describe_maker, made_by, size_chain
from asg.core.registry import call


def test_leaves_are_named_and_computations_described() -> None:
    x = asg.input("x", (2,))
    assert describe_maker(x.node) == "input 'x'"
    assert describe_maker((x * x).node) == "made by multiply"
    assert describe_maker(asg.constant(2.5).node) == "constant 2.5"


def test_place_and_scope_are_told() -> None:
    with asg.scope("encoder"):
        x = asg.input("x", (2,))
    assert made_by(x).startswith("input 'x' at ")
    assert "test_explain.py:" in made_by(x)
    assert made_by(x).endswith(" [encoder]")


def test_a_size_is_followed_to_its_leaf() -> None:
    x, w = asg.input("x", ("batch", 784)), asg.input("w", (784, 10))
    y = call("tanh", x @ w)
    chain = size_chain(y, y.shape[1])
    assert chain.startswith("axis 1 of tanh")
    assert "axis 1 of matmul" in chain
    assert "axis 1 of input 'w'" in chain
    assert size_chain(y, 784) == ""


def test_a_long_chain_is_cut() -> None:
    y = asg.input("x", (5,))
    for _ in range(100):
        y = call("tanh", y)
    assert size_chain(y, 5).count(" = ") < 10


def test_the_message_of_a_failed_matmul() -> None:
    with asg.scope("model"):
        images, weight = asg.input("images", ("batch", 784)), asg.input("weight", (700, 10))
        with pytest.raises(ShapeError) as caught:
            images @ weight
    message = str(caught.value)
    assert "784" in message and "700" in message
    assert "f32[batch, 784]  input 'images' at " in message
    assert "f32[700, 10]  input 'weight' at " in message
    assert "[model]" in message
    assert "repair:" in message


def test_operands_in_lists_are_numbered() -> None:
    x, y = asg.input("x", (2, 3)), asg.input("y", (4, 5))
    with pytest.raises(ShapeError) as caught:
        asg.concat([x, y], axis=0)
    assert "operand 0: f32[2, 3]  input 'x'" in str(caught.value)
    assert "operand 1: f32[4, 5]  input 'y'" in str(caught.value)
