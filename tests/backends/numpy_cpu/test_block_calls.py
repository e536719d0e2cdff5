"""Blocks after the first: calls are filled in, and only where nothing else depends on the block."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.block_calls import BlockCalls, stencils_of
from asg.backends.numpy_cpu.block_program import block_program

from asg.compiler.loader import load_backend
from asg.core.dtype import float32
from asg.core.region import Body, body_input
from asg.core.types import TensorType
from asg.ops.elementwise import maximum
from asg.ops.elementwise_unary import exp, tanh

x, y, other = np.ones((2, 3)), np.ones((2, 3)), np.full((2, 3), 2.0)


def test_operands_and_results_are_exchanged_and_the_rest_stays() -> None:
    calls: list[Any] = [
        (np.multiply, (x, other, y)),
        (partial(np.maximum, out=y), (y, 0.0)),
        (np.add.reduce, (y, (0, 1), np.dtype("f4"), False)),
    ]
    stencils = stencils_of(calls, (x, y))
    assert stencils is not None
    one, two, three = (each.filled((y, x)) for each in stencils)
    assert one[0] is np.multiply and [id(each) for each in one[1]] == [id(y), id(other), id(x)]
    assert isinstance(two[0], partial) and two[0].keywords["out"] is x
    assert two[1][0] is x and two[1][1] == 0.0
    assert three[1][0] is x and three[1][1:] == calls[2][1][1:]


def _closed() -> None:
    x.fill(0.0)


@pytest.mark.parametrize(
    "call",
    [
        (np.multiply, (x[::-1], other, y)),  # a view of what moves
        (np.add.reduce, (y, (x,))),
        (partial(np.add, x), (other, y)),
        (x.fill, (0.0,)),
        (_closed, ()),
        (lambda: x.fill(0.0), ()),
        (np.copyto, (y, [x])),
    ],
)
def test_what_may_depend_on_the_block_in_another_way_is_bound_anew(call: Any) -> None:
    assert stencils_of([(np.add, (x, x, y)), call], (x, y)) is None


def test_every_block_is_computed_from_its_own_operands() -> None:
    load_backend("numpy")  # its kernels
    kind = TensorType(float32, (64,))
    leaves = [body_input(name, kind) for name in ("a", "b")]
    value = maximum(tanh(leaves[0]) * leaves[1], exp(leaves[1])) + leaves[0]
    body = Body.of(leaves, [value], ["y"], (), "fused", None, ())
    program = block_program(body, (16,), ())
    arena = np.empty(program.plan.arena_bytes + 1, np.uint8)
    blocks = BlockCalls(program, arena)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 4, 16), np.float32)
    found = np.empty_like(a)
    calls = [call for i in range(4) for call in blocks.of([a[i], b[i]], [found[i]])]
    for function, args in calls:
        function(*args)
    wanted = np.maximum(np.tanh(a) * b, np.exp(b)) + a
    assert np.allclose(found, wanted, rtol=1e-5)
