"""What the contract test cannot show of shapes: functions, symbolic sizes, run-time checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.dim import evaluate

X = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)


def shape_of(tensor: asg.Tensor, **sizes: int) -> tuple[int, ...]:
    return tuple(evaluate(size, sizes) for size in tensor.shape)


@pytest.mark.parametrize(
    ("function", "oracle"),
    [
        (lambda x: asg.reshape(x, (4, -1)), lambda x: x.reshape(4, -1)),
        (lambda x: asg.reshape(x, -1), np.ravel),
        (lambda x: x.reshape(6, 4), lambda x: x.reshape(6, 4)),
        (lambda x: asg.transpose(x), np.transpose),
        (lambda x: x.transpose(1, 0, 2), lambda x: x.transpose(1, 0, 2)),
        (lambda x: asg.matrix_transpose(x), np.matrix_transpose),
        (lambda x: x.T, np.transpose),
        (lambda x: asg.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, 0, -1)),
        (lambda x: asg.moveaxis(x, (0, 2), (-1, 0)), lambda x: np.moveaxis(x, (0, 2), (-1, 0))),
        (lambda x: asg.swapaxes(x, 0, -1), lambda x: np.swapaxes(x, 0, -1)),
        (lambda x: asg.flatten(x, 1), lambda x: x.reshape(2, 12)),
        (lambda x: asg.flatten(x, 0, 1), lambda x: x.reshape(6, 4)),
        (lambda x: asg.squeeze(asg.expand_dims(x, (0, -1))), np.copy),
        (lambda x: asg.stack([x, x + 1], 2),
         lambda x: np.stack([x, x + 1], 2)),
        (lambda x: asg.concat([x, x], None), lambda x: np.concatenate([x, x], None)),
        (lambda x: asg.concatenate([x, x], -1), lambda x: np.concatenate([x, x], -1)),
        (lambda x: asg.split(x, [1, 3], -1)[1], lambda x: x[..., 1:]),
        (lambda x: asg.unstack(x, 1)[2], lambda x: x[:, 2]),
        (lambda x: asg.flip(x), np.flip),
        (lambda x: asg.flip(x, (0, -1)), lambda x: np.flip(x, (0, -1))),
        (lambda x: asg.pad(x, 2), lambda x: np.pad(x, 2)),
        (lambda x: asg.pad(x, (1, 2), 3.0), lambda x: np.pad(x, (1, 2), constant_values=3)),
        (lambda x: asg.repeat(x, 3, 1), lambda x: np.repeat(x, 3, 1)),
        (lambda x: asg.repeat(x, 2), lambda x: np.repeat(x, 2)),
        (lambda x: asg.repeat(x, 0, 0), lambda x: np.repeat(x, 0, 0)),
        (lambda x: asg.tile(x, 2), lambda x: np.tile(x, 2)),
        (lambda x: asg.tile(x, (2, 1, 3, 1)), lambda x: np.tile(x, (2, 1, 3, 1))),
        (lambda x: asg.roll(x, 3, 2), lambda x: np.roll(x, 3, 2)),
        (lambda x: asg.roll(x, -5, 1), lambda x: np.roll(x, -5, 1)),
        (lambda x: asg.roll(x, 7), lambda x: np.roll(x, 7)),
        (lambda x: asg.roll(x, (1, -1), (0, 2)), lambda x: np.roll(x, (1, -1), (0, 2))),
        (lambda x: asg.tril(x, -1), lambda x: np.tril(x, -1)),
        (lambda x: asg.triu(x, 1), lambda x: np.triu(x, 1)),
        (lambda x: asg.diagonal(x, -1, 2, 1), lambda x: np.diagonal(x, -1, 2, 1)),
        (lambda x: asg.diagonal(x, 9), lambda x: np.diagonal(x, 9)),
        (lambda x: asg.trace(x, 1, 1, 2), lambda x: np.trace(x, 1, 1, 2)),
        (lambda x: asg.broadcast_to(x, (5, 2, 3, 4)), lambda x: np.broadcast_to(x, (5, 2, 3, 4))),
        (lambda x: asg.broadcast_arrays(x, asg.zeros((1, 4)))[1], lambda x: np.zeros((2, 3, 4))),
    ],
)  # fmt: skip
def test_functions_agree_with_numpy(
    function: Callable[[Any], asg.Tensor], oracle: Callable[[Any], Any]
) -> None:
    wanted = oracle(X)
    static = function(asg.constant(X))
    assert static.shape == wanted.shape
    np.testing.assert_array_equal(asg.run(static), wanted)


@pytest.mark.parametrize("shift", [-5, -1, 0, 1, 2, 7])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_roll_of_a_symbolic_size(shift: int, size: int) -> None:
    x = asg.input("x", ("n",))
    rolled = asg.roll(x, shift, 0)
    assert rolled.shape == x.shape
    array = np.arange(size, dtype=np.float32)
    np.testing.assert_array_equal(asg.run(rolled, {x: array}), np.roll(array, shift))


def test_minus_one_is_worked_out_from_symbolic_sizes() -> None:
    x = asg.input("x", ("batch", 4, "n"))
    assert asg.reshape(x, ("batch", -1)).shape == asg.reshape(x, ("batch", "4*n")).shape
    assert str(asg.reshape(x, (-1, "n")).shape[0]) == "4*batch"
    assert str(asg.reshape(x, (8, -1)).shape[1]) == "(batch*n)//2"


def test_a_division_that_is_not_exact_is_found_when_it_runs() -> None:
    x = asg.input("x", ("n",))
    halves = asg.reshape(x, (2, -1))
    assert asg.run(halves, {x: np.zeros(6, np.float32)}).shape == (2, 3)
    with pytest.raises(asg.AsgError, match=r"numbers of elements differ.*7"):
        asg.run(halves, {x: np.zeros(7, np.float32)})


def test_an_assumed_size_is_checked_when_it_runs() -> None:
    x, y = asg.input("x", ("n",)), asg.input("y", ("m",))
    total = asg.assume_shape(x, ("m",)) + y
    three = np.ones(3, np.float32)
    assert asg.run(total, {x: three, y: three}).tolist() == [2, 2, 2]
    with pytest.raises(asg.AsgError, match="not what was assumed"):
        asg.run(total, {x: three, y: np.ones(4, np.float32)})


def test_a_symbolic_size_is_squeezed_only_by_name() -> None:
    x = asg.input("x", ("n", 1))
    assert asg.squeeze(x).shape == (x.shape[0],)
    only = asg.squeeze(x, 0)
    assert asg.run(only, {x: np.full((1, 1), 7, np.float32)}).tolist() == [7]
    with pytest.raises(asg.AsgError, match="cannot squeeze axis 0"):
        asg.run(only, {x: np.zeros((2, 1), np.float32)})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: asg.reshape(x, (5, 5)), r"f32\[2, 3, 4\] to \[5, 5\].*24 against 25"),
        (lambda x: asg.reshape(x, (5, -1)), "24 elements are not a multiple of 5"),
        (lambda x: asg.reshape(x, (-1, -1)), "-1 twice"),
        (lambda x: asg.reshape(x, (0, -1)), "-1 could be any size"),
        (lambda x: asg.reshape(x, (-2, 12)), "-2.*is negative"),
        (lambda x: asg.permute_dims(x, (0, 1)), r"\(0, 1\) do not name every axis"),
        (lambda x: asg.moveaxis(x, (0, 1), 0), "2 axes for 1 places"),
        (lambda x: asg.broadcast_to(x, (2, 3, 5)), r"axis 2 of f32\[2, 3, 4\].*4 against 5"),
        (lambda x: asg.broadcast_to(x, (4,)), "fewer axes"),
        (lambda x: asg.squeeze(x, 1), "size is not 1: 3 against 1"),
        (lambda x: asg.expand_dims(x, 5), "axis 5 does not exist"),
        (lambda x: asg.flatten(x, 2, 1), "lies behind"),
        (lambda x: asg.matrix_transpose(x[0, 0]), "needs two axes"),
        (lambda x: asg.concat([x, asg.zeros((2, 2, 4))]), "axis 1 of operand 1 differs"),
        (lambda x: asg.concat([]), "no tensors given"),
        (lambda x: asg.stack(x), "list or tuple of tensors"),
        (lambda x: asg.split(x, 2, 1), "3 cannot be cut into 2 equal pieces"),
        (lambda x: asg.split(x, [2, 2], 1), "do not fill the axis: 4 against 3"),
        (lambda x: asg.split(x, 0), "0 pieces"),
        (lambda x: asg.unstack(asg.input("s", ("n",))), "symbolic size n"),
        (lambda x: asg.pad(x, -1), "width -1 is negative"),
        (lambda x: asg.pad(x, ((1, 1),)), "a pair for each of the 3 axes"),
        (lambda x: asg.pad(asg.constant([1]), 1, 0.5), "0.5 does not fit int32"),
        (lambda x: asg.tile(x, -1), "repetitions is -1"),
        (lambda x: asg.diagonal(x, 0, 1, -2), "both 1"),
    ],
)
def test_errors_say_what_is_wrong(wrong: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(asg.AsgError, match=message):
        wrong(asg.input("x", (2, 3, 4)))


def test_the_gradient_of_pieces_is_one_concat() -> None:
    x = asg.input("x", ("n", 6))
    a, b, c = asg.split(x, 3, axis=1)
    graph = asg.Graph.of([x], [asg.grad((a * b * c).sum(), x)], ["g"])
    names = [node.op.name for node in graph.nodes]
    assert names.count("concat") == 1 and "unslice" not in names


def test_the_gradient_of_iteration_is_one_concat() -> None:
    x = asg.input("x", (5, 2))
    total = sum((row * float(i) for i, row in enumerate(x)), asg.zeros((2,)))
    slope = asg.grad(total.sum(), x)
    assert [node.op.name for node in asg.Graph.of([x], [slope], ["g"]).nodes].count("concat") == 1
    wanted = np.repeat(np.arange(5.0), 2).reshape(5, 2)
    np.testing.assert_array_equal(asg.run(slope, {x: np.zeros((5, 2), np.float32)}), wanted)


def test_numbers_in_a_stack_take_the_dtype_of_the_tensors() -> None:
    x = asg.input("x", (), dtype="float64")
    assert asg.stack([1, x, 2.5]).dtype is asg.float64


@pytest.mark.parametrize("size", [2, 3, 6])
def test_rolling_an_axis_of_derived_size_has_a_gradient(size: int) -> None:
    """Its pieces are spelled with max, min and remainders, and so are those of its gradient."""
    x = asg.input("x", (asg.dim("n", minimum=2),))
    rolled = asg.roll(x[:-1], -2)
    numbers = np.arange(1.0, size + 1)
    graph = asg.Graph(y=rolled, g=asg.grad(asg.sum(rolled * rolled), x))
    found = asg.compile(graph)(x=numbers.astype(np.float32))
    np.testing.assert_array_equal(found["y"], np.roll(numbers[:-1], -2))
    np.testing.assert_array_equal(found["g"], [*(2.0 * numbers[:-1]), 0.0])
