"""Samples of reductions: single and several axes, none, empty, ties, zeros, NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.ops.reduce import (
    AllTrue,
    AnyTrue,
    ArgMax,
    ArgMin,
    Max,
    Min,
    Prod,
    ProductOfOthers,
    Reduction,
    Sum,
    TieShare,
)
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples

NAN, INFINITY = np.nan, np.inf
MATRIX = np.array([[0.3, -1.7, 2.4], [-0.6, 1.1, -2.9]])
BLOCK = np.sin(np.arange(24.0) * 1.7).reshape(2, 3, 4) * 2.0
WITH_ZEROS = np.array([[0.5, 0.0, 2.0, -1.5], [0.0, 3.0, 0.0, 1.25], [1.5, -0.5, 2.0, 0.75]])
TRUTHS = np.array([[True, False, True], [True, True, True]])


def _oracle(function: Callable[..., Any], op: Reduction) -> Callable[..., Any]:
    def value(x: Array) -> Any:
        kept = {"dtype": x.dtype} if function in (np.sum, np.prod) else {}
        return function(x, axis=op.axis, keepdims=op.keepdims, **kept)

    return value


def _sample(
    function: Callable[..., Any],
    op: Reduction,
    x: Array,
    symbolic: SymbolicShape | None = None,
    **facts: Any,
) -> Sample:
    named = None if symbolic is None else (symbolic,)
    return Sample(op, (x,), _oracle(function, op), named, **facts)


def _ordinary(function: Callable[..., Any], op_class: type[Reduction]) -> list[Sample]:
    """What every reduction of numbers must do."""
    return [
        _sample(function, op_class((0,)), MATRIX, ("batch", 3)),
        _sample(function, op_class((1,), True), MATRIX, ("batch", "n")),
        _sample(function, op_class((0, 1)), MATRIX, (2, "n")),
        _sample(function, op_class((0, 2)), BLOCK, ("batch", 3, "n")),
        _sample(function, op_class((1,)), BLOCK, ("batch", "m", "n")),
        _sample(function, op_class((1, 2), True), BLOCK, ("batch", "m", "n")),
        _sample(function, op_class(()), MATRIX, ("batch", 3), label="over no axis"),
        _sample(function, op_class(()), np.array(1.5), (), label="scalar"),
        _sample(function, op_class((1,)), np.empty((0, 3)), ("batch", 3), label="no rows"),
        _sample(function, op_class((0,)), np.array([3, -1, 7], np.int32), ("n",)),
        _sample(function, op_class((1,)), np.array([[3, 200], [7, 9]], np.uint8), ("n", 2)),
        _sample(function, op_class((0,)), np.array([1.0, NAN, 2.0]), ("n",),
                differentiate=(), label="NaN"),
    ]  # fmt: skip


def _share(
    x: Array,
    *axis: int,
    smallest: bool = False,
    symbolic: SymbolicShape | None = None,
    **facts: Any,
) -> Sample:
    """Of the extremes of x itself, as its only use has it."""

    def oracle(x: Array, y: Array) -> Array:
        ties = (x == y).astype(x.dtype)
        return np.asarray(ties / np.sum(ties, axis, keepdims=True, dtype=x.dtype))

    y = (np.min if smallest else np.max)(x, axis, keepdims=True)
    named = None
    if symbolic is not None:
        named = (symbolic, tuple(1 if i in axis else size for i, size in enumerate(symbolic)))
    return Sample(TieShare(axis, smallest), (x, y), oracle, named, **facts)


def _ties(count: int) -> tuple[Array, ...]:
    return (np.array([[1 / count] * count + [0.0] * (4 - count)]),)


register_samples(
    [
        *_ordinary(np.sum, Sum),
        _sample(np.sum, Sum((0,)), np.empty((0, 2)), ("n", 2), label="sum of nothing"),
        _sample(np.sum, Sum((0,)), np.full(3, 100, np.int8), ("n",), label="wraps around"),
        _sample(np.sum, Sum((1,)), np.cos(np.arange(3000.0)).reshape(3, 1000), (3, "n")),
        _sample(np.sum, Sum((0,)), np.cos(np.arange(3000.0)).reshape(1000, 3), ("n", 3)),
        *_ordinary(np.prod, Prod),
        _sample(np.prod, Prod((0,)), np.empty((0, 2)), ("n", 2), label="product of nothing"),
        _sample(np.prod, Prod((1,)), WITH_ZEROS, ("batch", "n"), label="zeros"),
        _sample(np.prod, Prod((0, 1)), WITH_ZEROS[:, :2], ("m", "n"), label="zeros, two axes"),
        _sample(np.prod, Prod((0,), True), np.array([0.0, 0.0, 2.0]), ("n",), label="two zeros"),
        _sample(np.prod, Prod((0,)), np.array([3.0]), (1,), label="one factor"),
        *_ordinary(np.max, Max),
        _sample(np.max, Max((1,)), np.array([[2.0, 2.0, 1.0, 0.0]]), ("batch", "n"),
                kink=_ties(2), label="two equal"),
        _sample(np.max, Max((1,), True), np.array([[5.0, 5.0, 5.0, 5.0]]), ("batch", "n"),
                kink=_ties(4), label="all equal"),
        _sample(np.max, Max((0,)), np.array([-INFINITY, 1.0, INFINITY]), ("n",),
                kink=(np.array([0.0, 0.0, 1.0]),), label="infinities"),
        *_ordinary(np.min, Min),
        _sample(np.min, Min((1,)), np.array([[2.0, 2.0, 3.0, 9.0]]), ("batch", "n"),
                kink=_ties(2), label="two equal"),
        _sample(np.min, Min((0,)), np.array([-INFINITY, 1.0, INFINITY]), ("n",),
                kink=(np.array([1.0, 0.0, 0.0]),), label="infinities"),
    ]
)  # fmt: skip


def _product_of_others(axis: int) -> Callable[..., Any]:
    def value(x: Array) -> Any:
        others = [np.prod(np.delete(x, i, axis), axis, dtype=x.dtype) for i in range(x.shape[axis])]
        return np.stack(others, axis) if others else np.ones_like(x)

    return value


def _others(axis: int, x: Array, symbolic: SymbolicShape, **facts: Any) -> Sample:
    return Sample(ProductOfOthers(axis), (x,), _product_of_others(axis), (symbolic,), **facts)


register_samples(
    [
        _others(1, MATRIX, ("batch", "n")),
        _others(0, MATRIX, ("batch", 3)),
        _others(1, BLOCK, (2, "n", 4)),
        _others(1, WITH_ZEROS, ("batch", "n"), label="zeros"),
        _others(0, np.array([2.0]), ("n",), label="one factor"),
        _others(0, np.empty((0, 2)), ("n", 2), label="no factors"),
        _others(1, np.array([[2, 3, 5], [0, 7, 2]], np.int32), ("batch", "n")),
    ]
)


def _place(function: Callable[..., Any], op: ArgMax | ArgMin) -> Callable[..., Any]:
    def value(x: Array) -> Any:
        return function(x, axis=op.axis, keepdims=op.keepdims).astype(np.int32)

    return value


def _places(function: Callable[..., Any], op_class: type[ArgMax] | type[ArgMin]) -> list[Sample]:
    cases: list[tuple[int, bool, Array, SymbolicShape, str]] = [
        (0, False, MATRIX, ("batch", 3), ""),
        (1, True, MATRIX, ("batch", "n"), ""),
        (1, False, BLOCK, ("batch", "m", "n"), ""),
        (0, False, np.array([2.0, 7.0, 7.0, 2.0]), ("n",), "ties"),
        (1, False, np.array([[1.0, NAN, 3.0], [NAN, 5.0, NAN]]), ("batch", "n"), "NaN"),
        (0, False, np.array([INFINITY, -INFINITY]), ("n",), "infinities"),
        (1, False, np.empty((0, 3)), ("batch", 3), "no rows"),
        (0, False, np.array([3, -1, 7, 7], np.int32), ("n",), ""),
        (0, False, np.array([200, 3, 255], np.uint8), ("n",), ""),
        (1, False, TRUTHS, ("batch", "n"), "bool"),
    ]
    return [
        Sample(op, (x,), _place(function, op), (symbolic,), label=label)
        for axis, keepdims, x, symbolic, label in cases
        for op in [op_class(axis, keepdims)]
    ]


def _truths(function: Callable[..., Any], op_class: type[Reduction]) -> list[Sample]:
    return [
        _sample(function, op_class((0,)), TRUTHS, ("batch", 3)),
        _sample(function, op_class((1,), True), TRUTHS, ("batch", "n")),
        _sample(function, op_class((0, 1)), TRUTHS, ("batch", "n")),
        _sample(function, op_class(()), np.array(False), (), label="scalar"),
        _sample(function, op_class((0,)), np.empty((0, 2), bool), ("n", 2), label="of nothing"),
    ]


register_samples(
    [
        *_places(np.argmax, ArgMax),
        *_places(np.argmin, ArgMin),
        *_truths(np.all, AllTrue),
        *_truths(np.any, AnyTrue),
        _share(MATRIX, 0, symbolic=("batch", 3)),
        _share(MATRIX, 0, 1, smallest=True, symbolic=("batch", "n")),
        _share(BLOCK, 0, 2, symbolic=("batch", 3, "n")),
        _share(BLOCK, 1, smallest=True, symbolic=("batch", "m", "n")),
        _share(WITH_ZEROS * WITH_ZEROS, 1, smallest=True, symbolic=("n", 4), label="ties"),
        _share(np.array([[1.0, NAN], [2.0, 2.0]]), 1, symbolic=("n", 2), label="NaN"),
        _share(np.array(1.5), symbolic=(), label="scalar"),
        _share(np.empty((0, 3)), 1, symbolic=None, label="no rows"),
    ]
)
