"""Samples of random ops. Their oracle is the cipher, written out once more in Python's integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.dtype import DType, bfloat16, float16, float32, float64, uint8, uint32, uint64
from asg.core.op import Op
from asg.ops.distributions import Bernoulli, Dropout, Normal, RandInt, Uniform
from asg.ops.random import FoldIn, RandomBits, SplitKey
from asg.testing.sample import Array, Sample, register_samples

KEY = np.array([0x13198A2E, 0x03707344], np.uint32)
ZERO = np.zeros(2, np.uint32)
MATRIX = np.array([[0.3, -1.7, 2.4, 0.9], [-0.6, 1.1, -2.9, 0.2]])


def threefry(key: Array, counter: int) -> tuple[int, int]:
    """The cipher of a 64-bit counter, from the paper's definition (Salmon et al., 2011)."""
    rotations = [13, 15, 26, 6, 17, 29, 16, 24]
    words = [int(key[0]), int(key[1])]
    words.append(0x1BD11BDA ^ words[0] ^ words[1])
    x = [(counter >> 32) + words[0], (counter & 0xFFFFFFFF) + words[1]]
    for turn in range(20):
        x[0] = (x[0] + x[1]) % 2**32
        low = x[1] % 2**32
        x[1] = ((low << rotations[turn % 8]) | (low >> (32 - rotations[turn % 8]))) % 2**32 ^ x[0]
        if turn % 4 == 3:
            step = turn // 4 + 1
            x = [x[0] + words[step % 3], x[1] + words[(step + 1) % 3] + step]
    return x[0] % 2**32, x[1] % 2**32


def _blocks(key: Array, count: int) -> list[tuple[int, int]]:
    return [threefry(key, counter) for counter in range(count)]


def keys_of(key: Array, count: int) -> Array:
    return np.array(_blocks(key, count), np.uint32).reshape(count, 2)


def bits_of(key: Array, shape: tuple[int, ...], dtype: DType = uint32) -> Array:
    blocks = _blocks(key, int(np.prod(shape)))
    if dtype is uint64:
        numbers = [high << 32 | low for high, low in blocks]
    else:
        numbers = [(high ^ low) % 2**dtype.bits for high, low in blocks]
    return np.array(numbers, dtype.numpy).reshape(shape)


def units_of(key: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    digits = {float16: 11, bfloat16: 8, float32: 24, float64: 53}[dtype]
    word = uint64 if dtype is float64 else uint32
    kept = bits_of(key, shape, word) >> np.array(word.bits - digits, word.numpy)
    return np.asarray(kept.astype(np.float64) * 2.0**-digits)


def _uniform(op: Uniform, shape: tuple[int, ...]) -> Callable[..., Any]:
    return lambda key: (units_of(key, shape, op.dtype) * (op.high - op.low) + op.low).astype(
        op.dtype.numpy
    )


def _normal(op: Normal, shape: tuple[int, ...]) -> Callable[..., Any]:
    def value(key: Array) -> Any:
        wide = float64 if op.dtype is float64 else float32
        u, v = (units_of(each, shape, wide) for each in keys_of(key, 2))
        return (np.sqrt(-2.0 * np.log1p(-u)) * np.cos(2.0 * np.pi * v)).astype(op.dtype.numpy)

    return value


def _randint(op: RandInt, shape: tuple[int, ...]) -> Callable[..., Any]:
    def value(key: Array) -> Any:
        first, second = keys_of(key, 2)
        pairs = zip(bits_of(first, shape).flat, bits_of(second, shape).flat, strict=True)
        span = op.high - op.low
        multiplier = (2**16 % span) ** 2 % 2**32 % span
        numbers = [
            ((int(a) % span * multiplier + int(b) % span) % 2**32 % span) + op.low for a, b in pairs
        ]
        return np.array(numbers, np.int32).reshape(shape)

    return value


def _sized(op: Op, oracle: Callable[..., Any], key: Array = KEY) -> Sample:
    return Sample(op, (key,), oracle, ((2,),))


def _random_bits(shape: tuple[int, ...], dtype: DType, key: Array = KEY) -> Sample:
    return _sized(RandomBits(shape, dtype), lambda k: bits_of(k, shape, dtype), key)


register_samples(
    [
        _random_bits((2, 3), uint32),
        _random_bits((), uint32, ZERO),
        _random_bits((0, 3), uint32),
        _random_bits((3, 7), uint64),
        _random_bits((20,), uint8),
        _random_bits((2500,), uint32),
        Sample(SplitKey(2), (KEY,), lambda key: keys_of(key, 2), ((2,),)),
        Sample(SplitKey(11), (ZERO,), lambda key: keys_of(key, 11), ((2,),)),
        Sample(FoldIn(), (KEY, np.array(7, np.uint32)),
               lambda key, data: np.array(threefry(key, int(data)), np.uint32), ((2,), ())),
        Sample(FoldIn(), (ZERO, np.array(2**32 - 1, np.uint32)),
               lambda key, data: np.array(threefry(key, int(data)), np.uint32), ((2,), ())),
        *(
            _sized(op, _uniform(op, (3, 5)))
            for dtype in (float16, bfloat16, float32, float64)
            for op in (Uniform((3, 5), dtype), Uniform((3, 5), dtype, -2.0, 3.0))
        ),
        _sized(Uniform(()), _uniform(Uniform(()), ())),
        _sized(Uniform((0,)), _uniform(Uniform((0,)), (0,))),
        *(
            _sized(op, _normal(op, (3, 5)))
            for dtype in (float16, bfloat16, float32, float64)
            for op in (Normal((3, 5), dtype),)
        ),
        _sized(Normal((0, 2)), _normal(Normal((0, 2)), (0, 2))),
        *(
            _sized(Bernoulli((4, 5), p), lambda key, p=p: units_of(key, (4, 5), float32) < p)
            for p in (0.0, 0.3, 1.0)
        ),
        *(
            _sized(op, _randint(op, (3, 4)))
            for low, high in ((0, 6), (-5, 2), (0, 2**31 - 1), (-(2**31), 2**31 - 1), (0, 65537))
            for op in (RandInt((3, 4), low, high),)
        ),
    ]
)  # fmt: skip


def _dropout(op: Dropout) -> Callable[..., Any]:
    def value(x: Array, key: Array) -> Any:
        kept = 1.0 - op.rate
        scaled = x / kept if kept else x
        fates = tuple(1 if i in op.shared_axes else size for i, size in enumerate(x.shape))
        # The op says 24 bits of probability, so the limit is the float32 one.
        return np.where(units_of(key, fates, float32) < np.float32(kept), scaled, 0.0)

    return value


def _dropped(rate: float, x: Array, symbolic: Any, *shared_axes: int) -> Sample:
    op = Dropout(rate, shared_axes)
    return Sample(op, (x, KEY), _dropout(op), (symbolic, (2,)))


register_samples(
    [
        _dropped(0.5, MATRIX, ("batch", 4)),
        _dropped(0.3, MATRIX, ("batch", "n")),
        _dropped(1.0, MATRIX, (2, "n")),
        _dropped(0.0, MATRIX, (2, "n")),
        _dropped(0.5, np.array(2.0), ()),
        _dropped(0.4, MATRIX, ("batch", "n"), 1),
        _dropped(0.4, MATRIX, ("batch", "n"), 0, 1),
        _dropped(0.5, np.empty((0, 3)), ("batch", 3)),
    ]
)
