"""What the contract test cannot show of products: specs of einsum, order, copies, precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.dim import Dim, symbol
from asg.ops.contraction import parse_spec
from asg.ops.einsum_path import contraction_order

SPECS = [
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ji,jk", [(3, 2), (3, 4)]),
    ("ii->i", [(3, 3)]),
    ("ii", [(3, 3)]),
    ("iii->i", [(2, 2, 2)]),
    ("iijj->ji", [(2, 2, 3, 3)]),
    ("iij,jk->k", [(2, 2, 3), (3, 4)]),
    ("ij->ji", [(2, 3)]),
    ("ba", [(2, 3)]),
    ("ij->", [(2, 3)]),
    ("...", [(2, 3)]),
    ("...ii->...", [(2, 3, 3)]),
    ("i...->...", [(2, 3, 4)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (4, 5)]),
    ("...ij,...jk", [(2, 1, 3, 4), (5, 4, 2)]),
    ("ij...,jk...->ik...", [(2, 3, 4), (3, 5, 4)]),
    ("...,...->...", [(2, 3), (3,)]),
    ("...i,...i->...", [(2, 1, 3), (4, 3)]),
    ("i,i->", [(1,), (3,)]),
    ("i,i->i", [(3,), (1,)]),
    ("i,i->i", [(1,), (1,)]),
    ("i,j->ij", [(2,), (3,)]),
    ("ij,kl->jl", [(2, 3), (4, 5)]),
    ("abc,cd->dab", [(2, 3, 4), (4, 5)]),
    ("abcd,cdab->", [(2, 3, 4, 5), (4, 5, 2, 3)]),
    ("abij,abjk->abik", [(1, 2, 3, 4), (5, 2, 4, 3)]),
    ("bqhd,bkhd->bhqk", [(2, 3, 2, 4), (2, 5, 2, 4)]),
    ("abc,abc,abc->b", [(2, 3, 4)] * 3),
    ("ij,jk,kl,lm->mi", [(2, 3), (3, 4), (4, 2), (2, 3)]),
    (" i j , j k -> k i ", [(2, 3), (3, 4)]),
]


@pytest.mark.parametrize(("spec", "shapes"), SPECS, ids=[spec for spec, _ in SPECS])
def test_einsum_agrees_with_numpy(spec: str, shapes: list[tuple[int, ...]]) -> None:
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=shape) for shape in shapes]
    tensor = asg.einsum(spec, *arrays)
    wanted = np.einsum(spec, *arrays)
    assert tensor.shape == wanted.shape
    for backend in ("numpy", "jax"):
        np.testing.assert_allclose(asg.run(tensor, backend=backend), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("spec", "shapes"), SPECS, ids=[spec for spec, _ in SPECS])
def test_the_gradient_of_einsum_is_linear(spec: str, shapes: list[tuple[int, ...]]) -> None:
    """A sum of products is linear in every operand: <gradient, x> is the value itself."""
    generator = np.random.default_rng(1)
    arrays = [generator.normal(size=shape) for shape in shapes]
    inputs = [asg.input(f"x{i}", a.shape, "float64") for i, a in enumerate(arrays)]
    result = asg.einsum(spec, *inputs)
    weights = generator.normal(size=result.shape)
    loss = (result * weights).sum()
    feeds = dict(zip(inputs, arrays, strict=True))
    value = float((np.einsum(spec, *arrays) * weights).sum())
    for slope, array in zip(asg.grad(loss, inputs), arrays, strict=True):
        np.testing.assert_allclose((asg.run(slope, feeds) * array).sum(), value, rtol=1e-10)


def test_derivatives_of_einsum_are_einsums() -> None:
    x, y = asg.input("x", ("a", "b")), asg.input("y", ("b", "c"))
    slope = asg.grad(asg.einsum("ij,jk->ik", x, y).sum(), x)
    assert slope.node.op.name == "einsum"


def test_order_is_by_cost_and_symbols_count_as_sizes() -> None:
    n = symbol("n")
    sizes: dict[str, Dim] = {"a": n, "b": n, "c": n, "d": 1}
    assert contraction_order(["ab", "bc", "cd"], "ad", sizes) == [(1, 2), (0, 1)]
    assert contraction_order(["da", "ab", "bc"], "dc", sizes) == [(0, 1), (0, 1)]


def test_flops_of_einsum_are_those_of_its_products() -> None:
    spec = asg.einsum("ij,jk,kl->il", *(asg.zeros(s) for s in ((2, 3), (3, 4), (4, 5))))
    types = tuple(tensor.type for tensor in spec.node.inputs)
    assert spec.node.op.flops(types, (spec.type,)) == 2 * 2 * 3 * 4 + 2 * 2 * 4 * 5
    outer = asg.einsum("i,j->ij", asg.zeros((2,)), asg.zeros((3,)))
    assert outer.node.op.flops(tuple(t.type for t in outer.node.inputs), (outer.type,)) == 6


def test_every_axis_of_an_ellipsis_has_its_own_letter() -> None:
    terms, result = parse_spec("a...b,...->...", [5, 2])
    assert terms[0][1:4][-2:] == terms[1] and result == terms[0][1:4]


@pytest.mark.parametrize(
    ("function", "oracle"),
    [
        (lambda a, b: asg.tensordot(a, b, 1), lambda a, b: np.tensordot(a, b, 1)),
        (lambda a, b: asg.tensordot(a, b, 0), lambda a, b: np.tensordot(a, b, 0)),
        (lambda a, b: asg.tensordot(a, b, ((2, 0), (0, -1))),
         lambda a, b: np.tensordot(a, b, ((2, 0), (0, -1)))),
        (lambda a, b: asg.dot(a, b), np.dot),
        (lambda a, b: asg.dot(a, b[0]), lambda a, b: np.dot(a, b[0])),
        (lambda a, b: asg.dot(a[0, 0], b[:, 0, 0]), lambda a, b: np.dot(a[0, 0], b[:, 0, 0])),
        (lambda a, b: asg.dot(2.0, b), lambda a, b: 2 * b),
        (lambda a, b: asg.vdot(a, a), lambda a, b: np.vdot(a, a)),
        (lambda a, b: asg.outer(a, b), lambda a, b: np.outer(a, b)),
        (lambda a, b: asg.vecdot(a, a), lambda a, b: np.vecdot(a, a)),
        (lambda a, b: asg.vecdot(a, a[0], axis=-2), lambda a, b: (a * a[0]).sum(-2)),
        (lambda a, b: a[0] @ b[:, :, 0], lambda a, b: a[0] @ b[:, :, 0]),
        (lambda a, b: np.ones(3) @ a, lambda a, b: np.ones(3) @ a),
    ],
)  # fmt: skip
def test_products_agree_with_numpy(
    function: Callable[[Any, Any], asg.Tensor], oracle: Callable[[Any, Any], Any]
) -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 3, 4)), generator.normal(size=(4, 4, 2))
    wanted = oracle(a, b)
    result = function(asg.constant(a), asg.constant(b))
    assert result.shape == np.shape(wanted)
    np.testing.assert_allclose(asg.run(result), wanted, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_products_are_summed_in_float32(dtype: str) -> None:
    size = 4096  # one by one, float16 is stuck at 2048 and bfloat16 at 256
    row, column = asg.ones((1, size), dtype), asg.ones((size, 1), dtype)
    for backend in ("numpy", "jax"):
        assert float(asg.run(row @ column, backend=backend).item()) == size


def test_integers_multiply_exactly() -> None:
    a = np.array([[2**30, 1]], np.int32)
    b = np.array([[1], [7]], np.int32)
    for backend in ("numpy", "jax"):
        assert asg.run(asg.matmul(a, b), backend=backend).tolist() == [[2**30 + 7]]


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x,
        lambda x: asg.flip(x, 0),
        lambda x: asg.flip(x, 1),
        lambda x: x[::2, ::2],
        lambda x: x[:, 2:5],
        lambda x: asg.broadcast_to(x[:1], (6, 6)),
        lambda x: asg.broadcast_to(x[:, :1], (6, 6)),
        lambda x: x.T,
        lambda x: x[1:4].T,
        lambda x: asg.diagonal(asg.broadcast_to(x, (6, 6, 6)), 0, 0, 1),
    ],
)
def test_operands_of_any_strides(layout: Callable[[Any], Any]) -> None:
    x = asg.input("x", (6, 6), "float64")
    array = np.random.default_rng(0).normal(size=(6, 6))
    operand = layout(x)
    value = asg.run(operand, {x: array})
    for left, right in ((operand, operand.mT), (operand.mT, operand)):
        product = asg.run(left @ right, {x: array})
        wanted = value @ value.T if left is operand else value.T @ value
        np.testing.assert_allclose(product, wanted, rtol=1e-12, atol=1e-12)


def test_the_weight_gradient_of_a_batch_is_one_product() -> None:
    x, w = asg.input("x", ("batch", "time", 8)), asg.input("w", (8, 4))
    slope = asg.grad((x @ w).sum(), w)
    names = [node.op.name for node in asg.Graph.of([x, w], [slope], ["g"]).nodes]
    assert "sum" not in names[names.index("matmul") :]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: asg.matmul(x, 2.0), "x2 is a scalar"),
        (lambda x: x @ x, "the last axis of x1 and axis 0 of x2 differ: 3 against 2"),
        (lambda x: (x > 0) @ (x.T > 0), "x1 is bool"),
        (lambda x: asg.vecdot(x, x[:, :1]), "axis -1 of x1 and x2 differ: 3 against 1"),
        (lambda x: asg.einsum("ij,jk->ik", x), "names 2 operands, 1 are given"),
        (lambda x: asg.einsum("ijk", x), "3 labels in 'ijk' for 2 axes"),
        (lambda x: asg.einsum("i", x), "1 labels in 'i' for 2 axes"),
        (lambda x: asg.einsum("ij->ik", x), "'k' in the result only"),
        (lambda x: asg.einsum("ij->ii", x), "twice"),
        (lambda x: asg.einsum("i1", x), "has '1'"),
        (lambda x: asg.einsum("...->", x), "under '...' that the result lacks"),
        (lambda x: asg.einsum("ij,jk", x, x), "label 'j' has two sizes: 3 against 2"),
        (lambda x: asg.einsum("ii", x), "not square"),
        (lambda x: asg.einsum(""), "no operands"),
        (lambda x: asg.tensordot(x, x, 3), "3 axes cannot be summed"),
        (lambda x: asg.tensordot(x, x, ((0,), (0, 1))), "pair 1 axes with 2"),
    ],
)
def test_errors_say_what_is_wrong(wrong: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(asg.AsgError, match=message):
        wrong(asg.input("x", (2, 3)))
