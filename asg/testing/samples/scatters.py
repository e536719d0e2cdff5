"""Samples of writing at places that data decide; the oracles go update by update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.ops.scatters import ScatterExtreme, ScatterMul, ScatterOthers, ScatterSet, ScatterShare
from asg.testing.sample import Array, Sample, register_samples

NAN = np.nan
TWICE = np.array([2, 0, -2, 2], np.int32)  # 2 is named three times if the size is 4


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape) + 3).normal(size=shape))


def _written(axis: int, combine: Callable[[Any, Any], Any]) -> Callable[..., Array]:
    """Update by update, in the order of the indices."""

    def value(x: Array, indices: Array, updates: Array) -> Array:
        total = np.moveaxis(x, axis, 0).copy()
        given = np.moveaxis(updates, range(axis, axis + indices.ndim), range(indices.ndim))
        for place in np.ndindex(indices.shape):
            total[indices[place]] = combine(total[indices[place]], given[place])
        return np.moveaxis(total, 0, axis)

    return value


def _others(axis: int) -> Callable[..., Array]:
    """Each update in turn is replaced by 1, and the product at its place is read."""

    def value(x: Array, indices: Array, updates: Array) -> Array:
        product = _written(axis, np.multiply)
        given = np.moveaxis(updates, range(axis, axis + indices.ndim), range(indices.ndim)).copy()
        result = np.empty_like(given)
        for place in np.ndindex(indices.shape):
            without = given.copy()
            without[place] = 1
            back = np.moveaxis(without, range(indices.ndim), range(axis, axis + indices.ndim))
            result[place] = np.moveaxis(product(x, indices, back), axis, 0)[indices[place]]
        return np.moveaxis(result, range(indices.ndim), range(axis, axis + indices.ndim))

    return value


def _share(smallest: bool) -> Callable[..., Any]:
    """Along axis 0 with a vector of indices."""

    def value(x: Array, indices: Array, updates: Array) -> tuple[Array, Array]:
        extreme = _written(0, np.minimum if smallest else np.maximum)(x, indices, updates)
        own, given = np.where(x == extreme, 1.0, 0.0), np.where(updates == extreme[indices], 1.0, 0)
        count = _written(0, np.add)(own, indices, given)
        unknown = np.isnan(extreme)
        own, given = own / np.maximum(count, 1), given / np.maximum(count[indices], 1)
        return np.where(unknown, NAN, own), np.where(unknown[indices], NAN, given)

    return value


SYMBOLIC = (("n", 3), ("k",), ("k", 3))
ROWS = (_numbers(4, 3), TWICE, _numbers(4, 3) + 0.1)
BLOCKS = (_numbers(2, 3, 2), np.array([[1, -1], [1, 0]], np.int32), _numbers(2, 2, 2, 2))
SYMBOLIC_BLOCKS = (("a", "n", "b"), (2, "k"), ("a", 2, "k", "b"))
NO_INDEX = (_numbers(3, 2), np.zeros(0, np.int32), _numbers(0, 2))
NO_PLACE = (_numbers(0, 2), np.zeros(0, np.int32), _numbers(0, 2))
SCALAR = (_numbers(3), np.array(-2), _numbers())
OUTSIDE = (_numbers(3), np.array([0, 3], np.int32), _numbers(2))
INTEGERS = (np.array([3, -2, 5], np.int32), TWICE % 3, np.array([2, 4, -3, 7], np.int32))
ZEROS = (
    np.array([2.0, 0.0, 3.0, 0.0]), np.array([0, 0, 1, 1, 2, 2, 2, 3]),
    np.array([0.0, 1.5, 2.0, -1.0, 0.0, 0.0, 2.0, 1.2]),
)  # fmt: skip
TIES = (
    np.array([2.0, 1.0, 3.0, 5.0]), np.array([0, 0, 1, 1, 2, -2]),
    np.array([2.0, 2.0, 4.0, 4.0, 1.0, 3.0]),
)  # fmt: skip
MARKED = (np.array([NAN, 1.0, 2.0]), np.array([0, 1, 1, 2]), np.array([1.0, NAN, 2.0, 5.0]))

register_samples(
    [
        sample
        for op_class, combine in ((ScatterSet, lambda old, new: new), (ScatterMul, np.multiply))
        for sample in (
            Sample(op_class(0), ROWS, _written(0, combine), SYMBOLIC, label="places named again"),
            Sample(op_class(1), BLOCKS, _written(1, combine), SYMBOLIC_BLOCKS),
            Sample(op_class(0), SCALAR, _written(0, combine), (("n",), (), ())),
            Sample(op_class(0), NO_INDEX, lambda x, i, u: x, None, label="no index"),
            Sample(op_class(0), NO_PLACE, lambda x, i, u: x, None, label="no place"),
            Sample(op_class(0), INTEGERS, _written(0, combine), (("n",), ("k",), ("k",))),
            Sample(op_class(0), OUTSIDE, lambda x, i, u: np.full(3, NAN), None, differentiate=(),
                   label="outside"),
        )
    ]
)  # fmt: skip

register_samples(
    [
        Sample(ScatterSet(0), (np.array([True, False, True]), TWICE % 3, TWICE > 0),
               _written(0, lambda old, new: new), (("n",), ("k",), ("k",))),
        Sample(ScatterMul(0), ZEROS, _written(0, np.multiply), (("n",), ("k",), ("k",)),
               label="zeros"),
        Sample(ScatterOthers(0), ROWS, _others(0), SYMBOLIC),
        Sample(ScatterOthers(1), BLOCKS, _others(1), SYMBOLIC_BLOCKS),
        Sample(ScatterOthers(0), ZEROS, _others(0), (("n",), ("k",), ("k",)), label="zeros"),
        Sample(ScatterOthers(0), NO_INDEX, lambda x, i, u: u, None, label="no index"),
        Sample(ScatterOthers(0), SCALAR, _others(0), (("n",), (), ())),
        Sample(ScatterOthers(0), (np.ones(2), np.array([0, 0, 1, 1]),
                                  np.array([np.inf, 2.0, 3.0, 5.0])),
               lambda x, i, u: np.array([2.0, np.inf, 5.0, 3.0]), None, differentiate=(),
               label="an infinity stays at its place"),
    ]
)  # fmt: skip

register_samples(
    [
        sample
        for smallest, combine in ((False, np.maximum), (True, np.minimum))
        for op, share in ((ScatterExtreme(0, smallest), ScatterShare(0, smallest)),)
        for sample in (
            Sample(op, ROWS, _written(0, combine), SYMBOLIC, label="places named again"),
            Sample(op, INTEGERS, _written(0, combine), (("n",), ("k",), ("k",))),
            Sample(op, MARKED, _written(0, combine), None, differentiate=(), label="NaN"),
            Sample(share, TIES, _share(smallest), (("n",), ("k",), ("k",)), label="ties"),
            Sample(share, MARKED, _share(smallest), None, label="NaN"),
        )
    ]
)  # fmt: skip

register_samples(
    [
        Sample(ScatterExtreme(1), BLOCKS, _written(1, np.maximum), SYMBOLIC_BLOCKS),
        Sample(ScatterExtreme(0), SCALAR, _written(0, np.maximum), (("n",), (), ())),
        Sample(ScatterExtreme(0), NO_INDEX, lambda x, i, u: x, None, label="no index"),
        Sample(ScatterExtreme(0), NO_PLACE, lambda x, i, u: x, None, label="no place"),
        Sample(ScatterExtreme(0), OUTSIDE, lambda x, i, u: np.full(3, NAN), None,
               differentiate=(), label="outside"),
        Sample(ScatterShare(0), ROWS, _share(False), SYMBOLIC),
        Sample(ScatterShare(0), NO_INDEX, _share(False), None, label="no index"),
        Sample(ScatterShare(0), (np.array([NAN, 1.0]), NO_INDEX[1], np.zeros(0)), _share(False),
               None, label="no index, NaN"),
    ]
)  # fmt: skip

register_samples(
    [
        Sample(ScatterExtreme(0), TIES, _written(0, np.maximum), (("n",), ("k",), ("k",)),
               kink=(np.array([1 / 3, 0, 0.5, 1]), None,
                     np.array([1 / 3, 1 / 3, 0.5, 0.5, 0, 0.5])), label="ties"),
        Sample(ScatterExtreme(0, True), TIES, _written(0, np.minimum), (("n",), ("k",), ("k",)),
               kink=(np.array([1 / 3, 1, 0, 1]), None,
                     np.array([1 / 3, 1 / 3, 0, 0, 1, 0])), label="ties"),
    ]
)  # fmt: skip
