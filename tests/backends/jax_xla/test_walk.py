"""The walk over a graph: kernels are held to what `infer` says, and are named in profiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from asg.backends.jax_xla.backend import BACKEND
from asg.backends.jax_xla.walk import needs_64_bits, run_graph, with_bodies

from asg.core.errors import KernelError, UnsupportedOp
from asg.core.origin import scope
from tests.backends.jax_xla.programs import (
    Body,
    Plus,
    Split,
    Whatever,
    full,
    graph,
    kernels,
    run,
    tensor,
)


def compile_with(kernel: Callable[..., Any], dtype: str = "float32") -> Any:
    x = tensor("x", dtype=dtype)
    with kernels({Whatever: kernel}):
        return BACKEND.compile(graph([x], [Whatever()(x)]))


def test_outputs_of_a_node_with_several_outputs_keep_their_places() -> None:
    x = tensor("x")
    total, doubled = Split().apply(x)
    values = run(graph([x], [doubled, x, total]), np.array([1, 2, 4], np.float32))
    assert [value.tolist() for value in values] == [[2, 4, 8], [1, 2, 4], 7]


def test_a_kernel_with_another_dtype_is_refused_with_op_types_and_place() -> None:
    with pytest.raises(KernelError) as caught:
        compile_with(lambda op, x: x.astype(jnp.bfloat16))
    message = str(caught.value)
    assert "test_whatever for (f32[3]) returned bf16[3], infer says f32[3]" in message
    assert "test_walk.py" in message


def test_a_kernel_that_promotes_in_a_wide_graph_is_refused() -> None:
    with pytest.raises(KernelError, match=r"returned i64\[3\], infer says i32\[3\]"):
        x, wide = tensor("x", dtype="int32"), tensor("wide", dtype="int64")
        with kernels({Whatever: lambda op, x: x + jnp.arange(3)}):
            BACKEND.compile(graph([x, wide], [Whatever()(x), wide]))


@pytest.mark.parametrize(
    ("kernel", "complaint"),
    [
        (lambda op, x: x[None], r"returned f32\[1, 3\], infer says f32\[3\]"),
        (lambda op, x: (x, x), "returned 2 values, 1 are needed"),
        (lambda op, x: (), "returned 0 values, 1 are needed"),
        (lambda op, x: np.zeros(3, np.float32), r"returned a ndarray, f32\[3\] is needed"),
        (lambda op, x: 1.0, "returned a float"),
        (lambda op, x: [x], "returned a list"),
    ],
)
def test_a_kernel_that_breaks_its_contract_is_refused(
    kernel: Callable[..., Any], complaint: str
) -> None:
    with pytest.raises(KernelError, match=complaint):
        compile_with(kernel)


def test_a_weak_result_does_not_change_the_dtype_of_its_users() -> None:
    seen = []

    def weak(op: Whatever, x: jax.Array) -> jax.Array:
        seen.append(x.aval.weak_type)
        return jnp.broadcast_to(jnp.asarray(2.0), (3,))

    x = tensor("x")
    with kernels({Whatever: weak}):
        (value,) = run(graph([x], [Whatever()(Whatever()(x))]), full(1))
    assert seen == [False, False]
    assert value.dtype == np.float32


def test_an_error_inside_a_kernel_says_which_kernel() -> None:
    with pytest.raises(TypeError) as caught:
        compile_with(lambda op, x: jnp.reshape(x, (7,)))
    (note,) = [n for n in caught.value.__notes__ if "JAX kernel" in n]
    assert "test_whatever for (f32[3])" in note
    assert "test_walk.py" in note


def test_an_op_without_kernel_is_named() -> None:
    x = tensor("x")
    with pytest.raises(UnsupportedOp, match="no kernel for test_whatever"):
        BACKEND.compile(graph([x], [Whatever()(x)]))


def test_instructions_carry_scope_op_and_position() -> None:
    x, y = tensor("x"), tensor("y")
    with scope("encoder"), scope("0"):
        z = Plus()(x, y)
    assert "encoder/0/test_plus.2" in BACKEND.compile(graph([x, y], [z])).hlo_text()


def test_a_value_made_elsewhere_of_an_unused_input_is_not_needed() -> None:
    x, unused = tensor("x"), tensor("unused", (5,))
    (value,) = run(graph([x, unused], [Plus()(x, x)]), full(1), full(0, (5,)))
    assert value.tolist() == [2, 2, 2]


def test_kernels_run_bodies_with_the_same_walk() -> None:
    inner = tensor("inner")
    program = graph([x := tensor("x")], [Body(graph([inner], [Plus()(inner, inner)]))(x)])
    with kernels({Body: lambda op, x: run_graph(op.body, [x])[0]}):
        (value,) = run(program, full(4))
    assert value.tolist() == [8, 8, 8]


def test_64_bits_are_found_inside_bodies() -> None:
    inner = tensor("inner")
    narrow = graph([inner], [inner])
    wide = graph([inner, tensor("w", (), "uint64")], [inner])
    for body, expected in ((narrow, False), (wide, True)):
        nested = graph([x := tensor("x")], [Body(body)(x)])
        outer = graph([x := tensor("x")], [Body(nested)(x)])
        assert len(list(with_bodies(outer))) == 3
        assert needs_64_bits(outer) is expected


def test_a_chain_of_thousands_of_nodes_compiles() -> None:
    x = y = tensor("x", (2,))
    for _ in range(2000):
        y = Plus()(y, x)
    (value,) = run(graph([x], [y]), full(1, (2,)))
    assert value.tolist() == [2001, 2001]
