"""Operators and methods of tensors build the ops of the same names."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import NotRunYet, ShapeError

X = asg.input("x", (2, 3))
Y = asg.input("y", (2, 3))
I = asg.input("i", (2, 3), "int32")  # noqa: E741 - short on purpose
S = asg.input("s", ("n", 3))

BINARY: list[tuple[Callable[[Any, Any], Any], str]] = [
    (operator.add, "add"),
    (operator.sub, "subtract"),
    (operator.mul, "multiply"),
    (operator.truediv, "divide"),
    (operator.floordiv, "floor_divide"),
    (operator.mod, "remainder"),
    (operator.pow, "pow"),
]
BITWISE: list[tuple[Callable[[Any, Any], Any], str]] = [
    (operator.and_, "bitwise_and"),
    (operator.or_, "bitwise_or"),
    (operator.xor, "bitwise_xor"),
    (operator.lshift, "bitwise_left_shift"),
    (operator.rshift, "bitwise_right_shift"),
]
COMPARISONS: list[tuple[Callable[[Any, Any], Any], str]] = [
    (operator.lt, "less"),
    (operator.le, "less_equal"),
    (operator.gt, "greater"),
    (operator.ge, "greater_equal"),
]


def operand_values(tensor: asg.Tensor) -> list[Any]:
    """Operands as tensors, constants as numbers."""
    found = []
    for operand in tensor.node.inputs:
        data = getattr(operand.node.op, "data", None)
        found.append(operand if data is None else data.array.item())
    return found


@pytest.mark.parametrize(("operation", "name"), [*BINARY, *COMPARISONS])
def test_operators_of_two_tensors(operation: Callable[[Any, Any], Any], name: str) -> None:
    made = operation(X, Y)
    assert made.node.op.name == name
    assert made.node.inputs == (X, Y)
    assert made.shape == (2, 3)


@pytest.mark.parametrize(("operation", "name"), BITWISE)
def test_bitwise_operators(operation: Callable[[Any, Any], Any], name: str) -> None:
    assert operation(I, I).node.op.name == name
    assert operand_values(operation(I, 1)) == [I, 1]
    assert operand_values(operation(1, I)) == [1, I]


@pytest.mark.parametrize(("operation", "name"), BINARY)
def test_a_number_may_stand_on_either_side(operation: Callable[[Any, Any], Any], name: str) -> None:
    assert operand_values(operation(I, 3)) == [I, 3] or name == "divide"
    assert operand_values(operation(3, X)) == [3.0, X]
    assert operation(3, X).node.op.name == name


@pytest.mark.parametrize(("operation", "name"), COMPARISONS)
def test_a_number_on_the_left_of_a_comparison(
    operation: Callable[[Any, Any], Any], name: str
) -> None:
    mirrored = {"less": "greater", "greater": "less"}
    word = name.removesuffix("_equal")
    made = operation(3.0, X)
    assert made.node.op.name == name.replace(word, mirrored[word])
    assert operand_values(made) == [X, 3.0]


def test_an_array_on_the_left_leaves_the_work_to_the_tensor() -> None:
    array = np.ones((2, 3), np.float32)
    for operation, name in BINARY:
        made = operation(array, X)
        assert isinstance(made, asg.Tensor)
        assert made.node.op.name == name
        assert made.node.inputs[1] is X


@pytest.mark.parametrize(
    ("operation", "name"),
    [(operator.neg, "negative"), (operator.pos, "positive"), (operator.abs, "abs")],
)
def test_unary_operators(operation: Callable[[Any], Any], name: str) -> None:
    made = operation(X)
    assert name == "positive" or made.node.op.name == name
    assert made.type == X.type


def test_invert_is_bitwise() -> None:
    assert (~I).node.op.name == "bitwise_invert"


def test_matrix_products() -> None:
    assert (X @ Y.T).shape == (2, 2)
    assert (np.ones((4, 2), np.float32) @ X).shape == (4, 3)
    assert (S @ X.T).type == asg.input("z", ("n", 2)).type


def test_equality_is_identity_so_that_tensors_are_keys() -> None:
    assert X == X
    assert X != Y
    assert {X: 1, Y: 2}[X] == 1


@pytest.mark.parametrize(
    ("use", "advice"),
    [
        (lambda x: bool(x), "asg.where"),
        (lambda x: x and 1, "asg.where"),
        (lambda x: float(x), "asg.run"),
        (lambda x: int(x), "asg.run"),
        (lambda x: [1, 2][x], "asg.take"),
        (lambda x: np.asarray(x), "NumPy array"),
        (lambda x: len(asg.input("s", ("n",))), "tensor.shape"),
        (lambda x: list(asg.input("s", ("n",))), "first size is unknown"),
        (lambda x: len(asg.input("s", ())), r"f32\[\]"),
        (lambda x: list(asg.input("s", ())), "iterate"),
    ],
)
def test_a_tensor_is_no_number_yet(use: Callable[[asg.Tensor], Any], advice: str) -> None:
    with pytest.raises(NotRunYet, match=advice):
        use(asg.input("x", ()))


def test_length_and_iteration_follow_the_first_axis() -> None:
    assert len(X) == 2
    rows = list(X)
    assert [row.shape for row in rows] == [(3,), (3,)]
    first, second = X
    assert first.type == second.type


def test_facts() -> None:
    assert (S.ndim, S.shape[1], S.size, S.dtype) == (2, 3, 3 * S.shape[0], asg.float32)
    assert "x" in repr(X) and "f32[2, 3]" in repr(X)
    total = X.sum()
    assert repr(total) == f"<tensor {total.node.op.name}#{total.node.serial}: f32[]>"


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (lambda x: x.T, (4, 3, 2)),
        (lambda x: x.mT, (2, 4, 3)),
        (lambda x: x.reshape(6, 4), (6, 4)),
        (lambda x: x.reshape((6, -1)), (6, 4)),
        (lambda x: x.transpose(), (4, 3, 2)),
        (lambda x: x.transpose(1, 0, 2), (3, 2, 4)),
        (lambda x: x.transpose((1, 0, 2)), (3, 2, 4)),
        (lambda x: x.permute_dims(2, 0, 1), (4, 2, 3)),
        (lambda x: x.broadcast_to(5, 2, 3, 4), (5, 2, 3, 4)),
        (lambda x: x.expand_dims(0), (1, 2, 3, 4)),
        (lambda x: x.expand_dims(0).squeeze(), (2, 3, 4)),
        (lambda x: x.flatten(), (24,)),
        (lambda x: x.flatten(1), (2, 12)),
        (lambda x: x.sum(), ()),
        (lambda x: x.sum(1), (2, 4)),
        (lambda x: x.mean((0, -1), keepdims=True), (1, 3, 1)),
        (lambda x: x.prod(axis=0), (3, 4)),
        (lambda x: x.max(-1), (2, 3)),
        (lambda x: x.min([0, 1]), (4,)),
        (lambda x: x.var(0, correction=1), (3, 4)),
        (lambda x: x.std(0), (3, 4)),
        (lambda x: x.argmax(1), (2, 4)),
        (lambda x: x.argmin(keepdims=True), (1, 1, 1)),
        (lambda x: (x > 0).all(0), (3, 4)),
        (lambda x: (x > 0).any(0), (3, 4)),
        (lambda x: x.astype("float64"), (2, 3, 4)),
        (lambda x: x[0], (3, 4)),
        (lambda x: x[:, 1:, None], (2, 2, 1, 4)),
    ],
)
def test_methods_give_the_shapes_their_names_promise(
    made: Callable[[asg.Tensor], asg.Tensor], shape: tuple[int, ...]
) -> None:
    assert made(asg.input("x", (2, 3, 4))).shape == shape


def test_a_method_that_fails_tells_the_user_where() -> None:
    with pytest.raises(ShapeError, match=r"axis 5 does not exist") as caught:
        X.sum(axis=5)
    assert "test_tensor.py" in str(caught.value)
