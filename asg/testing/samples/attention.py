"""Samples of attention: masks, windows, shared heads, dropout, rows without anything to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.dim import as_dim
from asg.ops.attention import MaskedSoftmax, ScaledDotProductAttention
from asg.testing.sample import Array, Sample, register_samples

Attention = ScaledDotProductAttention
QUERY = np.sin(np.arange(24.0) * 1.7 + 0.4).reshape(2, 3, 4)
KEY = np.cos(np.arange(40.0) * 1.3 + 0.2).reshape(2, 5, 4)
VALUE = np.sin(np.arange(20.0) * 0.9 + 1.1).reshape(2, 5, 2)
MASK = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
BIAS = np.where(MASK, np.cos(np.arange(15.0)).reshape(3, 5), -np.inf)
HEADS = np.sin(np.arange(48.0) * 1.1 + 0.3).reshape(1, 4, 3, 4)
INFINITY = np.inf
MASKED = np.array([[1.0, -np.inf], [-np.inf, -np.inf], [1e4, -1e4]])


def _row(scores: Array) -> Array:
    """Softmax of one row; zeros where everything is -inf."""
    if np.all(scores == -INFINITY):
        return np.zeros_like(scores)
    raised = np.exp(scores - scores.max())
    return np.asarray(raised / raised.sum())


def _softmax(axis: int) -> Callable[[Array], Any]:
    return lambda x: np.apply_along_axis(_row, axis, x) if x.size else x


register_samples(
    [
        Sample(MaskedSoftmax(1), (KEY[0],), _softmax(1), (("batch", "n"),)),
        Sample(MaskedSoftmax(0), (KEY[0],), _softmax(0), (("n", 4),)),
        Sample(MaskedSoftmax(1), (np.empty((0, 4)),), _softmax(1), (("n", 4),), label="no rows"),
        Sample(MaskedSoftmax(1), (MASKED,),
               _softmax(1), (("batch", 2),), kink=(np.zeros((3, 2)),), label="masked"),
    ]
)  # fmt: skip


def _sees(op: Attention, i: int, j: int) -> bool:
    assert isinstance(op.offset, int)
    ahead = j - (i + op.offset)
    if op.causal and ahead > 0:
        return False
    return op.window is None or abs(ahead) < op.window


def _attention(op: Attention) -> Callable[..., Any]:
    """One query after the other."""

    def one(query: Array, key: Array, value: Array, mask: Array) -> Any:
        result = np.empty((len(query), value.shape[-1]), query.dtype)
        for i in range(len(query)):
            scores = key @ query[i] * (len(query[i]) ** -0.5 if op.scale is None else op.scale)
            scores = scores + mask[i]
            for j in range(len(key)):
                scores[j] = scores[j] if _sees(op, i, j) else -INFINITY
            result[i] = _row(scores) @ value
        return result

    def value_of(query: Array, key: Array, value: Array, mask: Array | None = None) -> Any:
        if op.grouped:
            key, value = (np.repeat(x, query.shape[-3] // x.shape[-3], -3) for x in (key, value))
        shape = (*query.shape[:-1], key.shape[-2])
        added = np.zeros(shape, query.dtype)
        if mask is not None:
            added = added + (np.where(mask, 0.0, -INFINITY) if mask.dtype == bool else mask)
        result = np.empty((*query.shape[:-1], value.shape[-1]), query.dtype)
        for place in np.ndindex(query.shape[:-2]):
            result[place] = one(query[place], key[place], value[place], added[place])
        return result

    return value_of


def _sample(op: Attention, *operands: Array, **facts: Any) -> Sample:
    return Sample(op, operands, _attention(op), **facts)


TRIPLE = (("batch", "l", 4), ("batch", "s", 4), ("batch", "s", "v"))
KEYS = np.cos(np.arange(40.0) * 0.7).reshape(1, 2, 5, 4)

register_samples(
    [
        _sample(Attention(), QUERY, KEY, VALUE, symbolic=TRIPLE),
        _sample(Attention(scale=0.3), QUERY, KEY, VALUE,
                symbolic=(("batch", 3, "e"), (2, 5, "e"), ("batch", 5, 2)), label="spelled apart"),
        _sample(Attention(causal=True), QUERY[0], KEY[0], VALUE[0],
                symbolic=(("l", 4), ("s", 4), ("s", 2))),
        _sample(Attention(True, None, 2, 1), QUERY, KEY, VALUE, symbolic=TRIPLE),
        _sample(Attention(window=2), QUERY, KEY, VALUE, symbolic=TRIPLE),
        _sample(Attention(True, None, None, 2), QUERY, KEY, VALUE,
                symbolic=(("batch", 3, 4), ("batch", "s", 4), ("batch", "s", 2)),
                symbolic_op=Attention(True, None, None, as_dim("s") - 3), label="cache"),
        _sample(Attention(), QUERY, KEY, VALUE, MASK,
                symbolic=(*TRIPLE, ("l", "s")), label="padded"),
        _sample(Attention(causal=True), QUERY, KEY, VALUE, MASK,
                symbolic=(*TRIPLE, (3, 5)), label="padded and causal"),
        _sample(Attention(), QUERY, KEY, VALUE, BIAS, differentiate=(0, 1, 2),
                symbolic=(*TRIPLE, ("l", "s")), label="biased"),
        _sample(Attention(), QUERY, KEY, VALUE, np.cos(np.arange(10.0)).reshape(2, 1, 5),
                symbolic=(*TRIPLE, ("batch", 1, "s")), label="biased by keys"),
        _sample(Attention(causal=True, grouped=True), HEADS, KEYS, KEYS[..., :3] ** 2,
                symbolic=(("b", 4, "l", 4), ("b", 2, "s", 4), ("b", 2, "s", 3))),
        _sample(Attention(), QUERY * 1e4, KEY, VALUE, symbolic=TRIPLE, differentiate=(),
                label="extreme"),
    ]
)  # fmt: skip


def _seed() -> Array:
    return np.array([7, 11], np.uint32)


register_samples(
    [
        Sample(Attention(dropout=0.4), (QUERY, KEY, VALUE, _seed()), None, (*TRIPLE, (2,))),
        Sample(Attention(dropout=0.4), (QUERY, KEY, VALUE, MASK, _seed()), None,
               (*TRIPLE, (3, 5), (2,))),
        Sample(Attention(dropout=1.0), (QUERY, KEY, VALUE, _seed()),
               lambda q, k, v, seed: np.zeros((2, 3, 2), q.dtype), (*TRIPLE, (2,))),
    ]
)  # fmt: skip
