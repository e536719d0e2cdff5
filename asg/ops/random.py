"""Random numbers as pure functions of a key: threefry-2x32, counter-based.

A key is ``u32[2]``. Element i of what a key gives is the cipher of the counter i under that key,
so the numbers depend on nothing but key, shape and dtype: they are equal to the bit on every
backend, and equal to those of JAX (``jax_threefry_partitionable``, its default). Distributions are
in `asg.ops.distributions`.

Use a key once: either draw from it, or split it, or fold into it. Keys are ciphers of counters
too, so what is drawn from a key and the keys made of it are related, and row i of a split is the
key that folding in i gives (as in JAX).

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
https://doi.org/10.1145/2063384.2063405.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from asg.core.convert import as_tensor
from asg.core.dim import Dim
from asg.core.dtype import DType, as_dtype, uint32
from asg.core.errors import DtypeError, OperandError, ShapeError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, TypeProblem, as_shape
from asg.ops.leaf import constant

_OPERATIONS_PER_BLOCK = 73  # 20 rounds of add, rotate, xor; 13 additions of the key


class FromKey(Op, abstract=True):
    """Something computed from a key."""

    category: ClassVar[str] = "random"
    differentiable: ClassVar[bool] = False

    def infer(self, key: TensorType) -> TensorType:
        raise NotImplementedError(type(self).__name__)


class RandomBits(FromKey):
    """Uniform unsigned integers: the cipher of the place in row-major order, under the key.

    The cipher gives two words of 32 bits: uint64 joins them, narrower dtypes take the low bits of
    their exclusive or.
    """

    shape: Shape
    dtype: DType = uint32

    def infer(self, key: TensorType) -> TensorType:
        require_key(key)
        if self.dtype.kind != "uint":
            raise TypeProblem(
                f"bits of dtype {self.dtype.name}",
                "choose an unsigned dtype; uniform, normal and randint give other numbers",
                DtypeError,
            )
        return TensorType(self.dtype, self.shape)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """Every element is one cipher block."""
        return outputs[0].size * _OPERATIONS_PER_BLOCK


class SplitKey(FromKey):
    """``count`` new keys ``u32[count, 2]``: row i is the cipher of i."""

    count: int

    def infer(self, key: TensorType) -> TensorType:
        require_key(key)
        return TensorType(uint32, (self.count, 2))

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return self.count * _OPERATIONS_PER_BLOCK


class FoldIn(FromKey):
    """A new key: the cipher of ``data``, a scalar of 32 bits, under ``key``."""

    def infer(self, key: TensorType, data: TensorType) -> TensorType:  # type: ignore[override]
        require_key(key)
        if data != TensorType(uint32, ()):
            raise TypeProblem(f"data is {data}, u32[] is needed", "fold in one scalar at a time")
        return key

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return _OPERATIONS_PER_BLOCK


# -- keys ----------------------------------------------------------------------------------------


def require_key(key: TensorType) -> None:
    """A key is ``u32[2]``."""
    if key != TensorType(uint32, (2,)):
        raise TypeProblem(
            f"the key is {key}, u32[2] is needed",
            "make one with random_key(seed); one row of split_key(key, n) is a key",
            ShapeError if key.dtype is uint32 else DtypeError,
        )


def key_words(seed: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """The key of a seed as an array: its high and its low 32 bits.

    Equal to ``jax.random.key_data(jax.random.key(seed))`` with 64-bit types on (without them JAX
    forgets the high bits). Negative seeds count from 2^64.

    Raises:
        OperandError: not an integer that fits 64 bits.

    >>> key_words(2**32 + 7)
    array([1, 7], dtype=uint32)
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise OperandError(f"a seed is an integer, got {seed!r}")
    if not -(2**63) <= int(seed) < 2**64:
        raise OperandError(f"seed {seed} does not fit 64 bits")
    number = int(seed) % 2**64
    return np.array([number >> 32, number & 0xFFFFFFFF], np.uint32)


# -- functions -----------------------------------------------------------------------------------


@public
def random_key(seed: int) -> Tensor:
    """The key ``u32[2]`` of a seed, as a constant; see `key_words`.

    Raises:
        OperandError: the seed is not an integer that fits 64 bits.

    >>> import asg
    >>> asg.run(asg.random_key(42)).tolist()
    [0, 42]
    """
    return constant(key_words(seed))


@public
def split_key(key: Any, count: int = 2) -> Tensor:
    """``count`` new keys ``u32[count, 2]``, independent of each other; equal to jax.random.split.

    Raises:
        OperandError: ``count`` is not a positive integer.
        DtypeError, ShapeError: ``key`` is not u32[2].

    >>> import asg
    >>> asg.run(asg.split_key(asg.random_key(0), 2)).tolist()
    [[1797259609, 2579123966], [928981903, 3453687069]]
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise TypeProblem(f"count is {count!r}, a positive integer is needed", error=OperandError)
    return SplitKey(count)(key)


@public
def fold_in(key: Any, data: Any) -> Tensor:
    """A new key from a key and an integer; equal to jax.random.fold_in.

    Args:
        key: u32[2].
        data: an integer scalar, such as a step counter; its low 32 bits count.

    Raises:
        DtypeError, ShapeError: ``data`` is not an integer scalar, or ``key`` not u32[2].

    >>> import asg
    >>> asg.run(asg.fold_in(asg.random_key(0), 7)).tolist() != [0, 0]
    True
    """
    if isinstance(data, int) and not isinstance(data, bool):
        return FoldIn()(key, constant(data % 2**32, uint32))
    word = as_tensor(data)
    word.type.require_integer("data")
    return FoldIn()(key, word.astype(uint32))


@public
def random_bits(key: Any, shape: Any, dtype: Any = uint32) -> Tensor:
    """Uniform unsigned integers; equal to the bit to jax.random.bits.

    Raises:
        DtypeError: ``dtype`` is not unsigned.
        DtypeError, ShapeError: ``key`` is not u32[2].

    >>> import asg
    >>> asg.run(asg.random_bits(asg.random_key(0), (2,))).tolist()
    [4070199207, 4202968722]
    """
    return RandomBits(as_shape(shape), as_dtype(dtype))(key)
