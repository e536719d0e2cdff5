"""Samples of matrix products and sums of products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asg.ops.contraction import Einsum
from asg.ops.linalg import Matmul
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def _product(*shapes: tuple[int, ...], symbolic: tuple[SymbolicShape, ...] | None) -> Sample:
    return Sample(Matmul(), tuple(_numbers(*shape) for shape in shapes), _matmul, symbolic)


def _matmul(a: Array, b: Array) -> Array:
    return np.asarray(np.matmul(a, b))


def _sum_of(spec: str) -> Callable[..., Array]:
    return lambda *arrays: np.asarray(np.einsum(spec, *arrays))


def _einsum(
    spec: str, *shapes: tuple[int, ...], symbolic: tuple[SymbolicShape, ...] | None
) -> Sample:
    arrays = tuple(np.asarray(_numbers(*shape) + 0.1 * i) for i, shape in enumerate(shapes))
    return Sample(Einsum(spec), arrays, _sum_of(spec), symbolic)


register_samples(
    [
        _product((2, 3), (3, 4), symbolic=(("m", "k"), ("k", "n"))),
        _product((2, 3), (3, 4), symbolic=(("m", "k"), ("l", "n"))),
        _product((3,), (3,), symbolic=(("k",), ("k",))),
        _product((3,), (3, 4), symbolic=(("k",), ("k", "n"))),
        _product((2, 3), (3,), symbolic=(("m", "k"), ("k",))),
        _product((2, 2, 3), (3,), symbolic=(("b", "m", "k"), ("k",))),
        _product((3,), (2, 3, 4), symbolic=(("k",), ("b", "k", "n"))),
        _product((2, 4, 3), (3, 2), symbolic=(("b", "m", "k"), ("k", "n"))),
        _product((2, 3), (4, 3, 2), symbolic=(("m", "k"), ("b", "k", "n"))),
        _product((2, 1, 2, 3), (4, 3, 2), symbolic=(("a", 1, "m", "k"), ("b", "k", "n"))),
        _product((2, 0), (0, 3), symbolic=None),
        _product((0, 2), (2, 3), symbolic=None),
        _product((2, 0, 2), (2, 3), symbolic=None),
        Sample(Matmul(), (np.arange(6).reshape(2, 3), np.arange(3)), _matmul, None),
        Sample(Matmul(), (_numbers(2, 3), np.arange(3)), _matmul, None, label="two dtypes"),
        _einsum("ij,jk->ik", (2, 3), (3, 4), symbolic=(("a", "b"), ("b", "c"))),
        _einsum("ij,jk->ki", (2, 3), (3, 4), symbolic=(("a", "b"), ("c", "d"))),
        _einsum("bqhd,bkhd->bhqk", (2, 3, 2, 2), (2, 4, 2, 2),
                symbolic=(("b", "q", 2, 2), ("b", "k", 2, 2))),
        _einsum("bi,bi->b", (2, 3), (2, 3), symbolic=(("b", "n"), ("b", "n"))),
        _einsum("i,i->", (3,), (3,), symbolic=(("n",), ("n",))),
        _einsum("i,j->ji", (2,), (3,), symbolic=(("n",), ("m",))),
        _einsum(",->", (), (), symbolic=((), ())),
        _einsum("ijk,kj->i", (2, 3, 4), (4, 3), symbolic=(("a", "b", "c"), ("c", "b"))),
        _einsum("bij,bj->bi", (2, 3, 4), (2, 4), symbolic=(("b", "n", "m"), ("b", "m"))),
        _einsum("ij,jk,kl->il", (2, 3), (3, 2), (2, 4),
                symbolic=(("a", "b"), ("b", "c"), ("c", "d"))),
        _einsum("a,b,abc->c", (2,), (3,), (2, 3, 4), symbolic=(("a",), ("b",), ("a", "b", "c"))),
        _einsum("ij,jk->ik", (2, 0), (0, 4), symbolic=None),
    ]
)  # fmt: skip
