"""Leaves with symbolic sizes, and what the functions that make leaves refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_arrays_from_nothing_take_the_sizes_of_the_run(backend: str) -> None:
    x = asg.input("x", ("n", 3))
    n = x.shape[0]
    outputs = {
        "zeros": asg.zeros((n, 2), "int32"),
        "ones": asg.ones((2 * n,)),
        "full": asg.full((n + 1,), -2.5, "float64"),
        "count": asg.iota((n, 2), axis=0),
        "like": asg.ones_like(x),
        "size": asg.dim_size(3 * n + 1),
        "mean": x.sum(0) / asg.dim_size(n).astype("float32"),
    }
    data = np.arange(12, dtype=np.float32).reshape(4, 3)
    found = asg.run(outputs, {x: data}, backend=backend)
    wanted = {
        "zeros": np.zeros((4, 2), np.int32),
        "ones": np.ones(8, np.float32),
        "full": np.full(5, -2.5),
        "count": np.repeat(np.arange(4, dtype=np.int32)[:, None], 2, axis=1),
        "like": np.ones((4, 3), np.float32),
        "size": np.int32(13),
        "mean": data.mean(0),
    }
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
        assert np.asarray(found[name]).dtype == value.dtype


def test_a_size_that_no_input_binds_is_refused() -> None:
    with pytest.raises(AsgError, match="n"):
        asg.run(asg.dim_size("n"), {})


def test_a_program_serves_several_sizes() -> None:
    x = asg.input("x", ("n",))
    graph = asg.Graph(count=asg.iota(x.shape), size=asg.dim_size(x.shape[0]), inputs=[x])
    program = asg.compile(graph)
    for size in (1, 5, 2):
        found = program(x=np.zeros(size, np.float32))
        assert found["count"].tolist() == list(range(size))
        assert found["size"] == size


@pytest.mark.parametrize("name", ["", "two words", "1st", "a.b", 3, None])
def test_input_names_are_identifiers(name: Any) -> None:
    with pytest.raises(OperandError, match="is not an identifier"):
        asg.input(name, (2,))


def test_a_constant_is_no_tensor() -> None:
    with pytest.raises(OperandError, match="use the tensor as it is"):
        asg.constant(asg.input("x", (2,)))


def test_a_constant_does_not_change_with_its_source() -> None:
    source = np.ones(3)
    made = asg.constant(source) * 2.0
    source[:] = 7.0
    np.testing.assert_array_equal(asg.run(made), np.full(3, 2.0))


def test_equal_numbers_are_one_op_and_keep_what_tells_them_apart() -> None:
    assert asg.constant(0.5).node.op is asg.constant(0.5).node.op
    assert asg.constant(0.5).node is not asg.constant(0.5).node
    numbers = [0.0, -0.0, 0, False, 1, True, 1.0, float("nan"), -1.5]
    for number in [*numbers, *numbers]:
        (value,) = asg.run(asg.constant(number).reshape((1,)))
        expected = np.array(number)
        assert value.dtype.kind == expected.dtype.kind
        assert np.copysign(1.0, value) == np.copysign(1.0, expected)
        np.testing.assert_array_equal(value, expected)
    with pytest.raises(DtypeError, match="does not fit"):
        asg.constant(1e300, "float32")


def test_wrong_leaves() -> None:
    with pytest.raises(DtypeError, match="bool cannot"):
        asg.iota((2,), dtype="bool")
    with pytest.raises(ShapeError, match="axis 1 does not exist"):
        asg.iota((2,), axis=1)
    with pytest.raises(OperandError, match="broadcast_to"):
        asg.full((2,), asg.input("x", ()))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="negative"):
        asg.zeros((-1,))
