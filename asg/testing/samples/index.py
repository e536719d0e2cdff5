"""Samples of reading and adding at places that data decide."""

from __future__ import annotations

import numpy as np

from asg.core.dim import as_dim
from asg.core.dtype import float32, int32
from asg.ops.index import OneHot, ScatterAdd, ScatterAddAlongAxis, Take, TakeAlongAxis
from asg.testing.sample import Array, Sample, register_samples

NAN = np.nan


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def _integers(*values: object, dtype: type = np.int32) -> Array:
    return np.array(values, dtype)


def _added(x: Array, indices: Array, updates: Array) -> Array:
    """Along axis 0, one update after the other."""
    total = x.copy()
    for place in np.ndindex(indices.shape):
        total[indices[place]] += updates[place]
    return total


def _added_along_last(x: Array, indices: Array, updates: Array) -> Array:
    total = x.copy()
    for place in np.ndindex(indices.shape):
        total[(*place[:-1], indices[place])] += updates[place]
    return total


register_samples(
    [
        Sample(Take(0), (_numbers(4, 3), _integers(2, 0, 2)), lambda x, i: x[i],
               (("n", 3), ("k",))),
        Sample(Take(1), (_numbers(2, 3, 2), _integers([1, -1], [0, -3])),
               lambda x, i: x[:, i], (("a", "n", "b"), ("k", 2)), label="negative indices"),
        Sample(Take(0), (_numbers(3), np.array(1)), lambda x, i: x[i].reshape(()),
               (("n",), ()), label="one element"),
        Sample(Take(0), (_numbers(3, 2), np.zeros((0, 2), np.int64)),
               lambda x, i: x[i], None, label="no index"),
        Sample(Take(1), (_numbers(0, 3), _integers(1, 2)), lambda x, i: x[:, i], None),
        Sample(Take(0), (_numbers(3), _integers(0, 3, -4)),
               lambda x, i: np.array([x[0], NAN, NAN]), None, differentiate=(),
               label="outside"),
        Sample(Take(1), (np.array([[1, 2], [3, 4]], np.int8), _integers(2, 1)),
               lambda x, i: np.array([[-128, 2], [-128, 4]], np.int8), None, label="outside"),
        Sample(Take(0), (np.array([1, 2], np.uint8), np.array([255, 1], np.uint8)),
               lambda x, i: np.array([255, 2], np.uint8), None, label="outside"),
        Sample(Take(0), (np.array([False, True]), np.array([-3, 0, -1], np.int8)),
               lambda x, i: np.array([True, False, True]), None, label="outside"),
        Sample(ScatterAdd(0), (_numbers(4, 3), _integers(2, 0, 2), _numbers(3, 3)), _added,
               (("n", 3), ("k",), ("k", 3)), label="one place twice"),
        Sample(ScatterAdd(1), (_numbers(2, 3, 2), _integers([1, -1], [1, 0]),
                               _numbers(2, 2, 2, 2)),
               lambda x, i, u: np.moveaxis(
                   _added(np.moveaxis(x, 1, 0), i, np.moveaxis(u, 0, 2)), 0, 1),
               (("a", "n", "b"), (2, "k"), ("a", 2, "k", "b"))),
        Sample(ScatterAdd(0), (_numbers(3), np.array(1), _numbers()), _added,
               (("n",), (), ())),
        Sample(ScatterAdd(0), (_numbers(3, 2), np.zeros(0, np.int32), _numbers(0, 2)), _added,
               None, label="no index"),
        Sample(ScatterAdd(0), (_numbers(3), _integers(0, 3), _numbers(2)),
               lambda x, i, u: np.full(3, NAN), None, differentiate=(), label="outside"),
        Sample(ScatterAdd(0), (_integers(1, 2), _integers(-3), _integers(5)),
               lambda x, i, u: np.full(2, -(2**31), np.int32), None, label="outside"),
        Sample(TakeAlongAxis(1), (_numbers(2, 3), _integers([2, 0], [-1, 1])),
               lambda x, i: np.take_along_axis(x, i, 1), (("a", "n"), ("a", "k"))),
        Sample(TakeAlongAxis(0), (_numbers(3, 2, 2), _integers([[0, 2], [1, 1]])),
               lambda x, i: np.take_along_axis(x, i, 0), (("n", 2, "b"), (1, 2, "b"))),
        Sample(TakeAlongAxis(0), (_numbers(3, 0), np.zeros((2, 0), np.int32)),
               lambda x, i: np.take_along_axis(x, i, 0), None),
        Sample(TakeAlongAxis(1), (_numbers(2, 2), _integers([2, 1], [0, -3])),
               lambda x, i: np.array([[NAN, x[0, 1]], [x[1, 0], NAN]]), None,
               differentiate=(), label="outside"),
        Sample(ScatterAddAlongAxis(1), (_numbers(2, 3), _integers([2, 2], [-1, 1]),
                                        _numbers(2, 2)),
               _added_along_last, (("a", "n"), ("a", "k"), ("a", "k"))),
        Sample(ScatterAddAlongAxis(0), (_numbers(3, 2), _integers([0, 2]), _numbers(1, 2)),
               lambda x, i, u: _added_along_last(x.T, i.T, u.T).T,
               (("n", "b"), (1, "b"), (1, "b"))),
        Sample(ScatterAddAlongAxis(0), (_numbers(3), _integers(0, 3), _numbers(2)),
               lambda x, i, u: np.full(3, NAN), None, differentiate=(), label="outside"),
        Sample(OneHot(3, float32), (_integers([2, 0], [1, 2]),),
               lambda i: np.eye(3, dtype=np.float32)[i], (("a", 2),)),
        Sample(OneHot(4, int32), (np.array([3, 0], np.uint8),),
               lambda i: np.eye(4, dtype=np.int32)[i], (("a",),), OneHot(as_dim("2*a"), int32)),
        Sample(OneHot(2, float32), (_integers(2, -1, 0),),
               lambda i: np.array([[0, 0], [0, 0], [1, 0]], np.float32), None, label="outside"),
        Sample(OneHot(3, float32), (np.array(1),), lambda i: np.eye(3, dtype=np.float32)[1],
               None),
    ]
)  # fmt: skip
