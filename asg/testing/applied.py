"""A sample as graph: its op applied to inputs, the gradients, and the gradients of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np

from asg.autodiff.vjp import pullback
from asg.core.dim import Dim, free_symbols, parse_dim, symbol, symbols_of
from asg.core.dtype import DType, as_dtype
from asg.core.graph import placeholder_name
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.leaf import Input
from asg.testing.retype import with_narrow_bodies
from asg.testing.sample import Sample

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Applied:
    """``op(*inputs)`` with everything that derives from it, each part built when first asked.

    With ``y = op(x)``, cotangents ``u`` and directions ``v``:
    ``gradients`` are ``g(x, u) = vjp(x, u)`` and ``second`` the derivatives of ``<g, v>`` by
    ``x`` and by ``u`` (the latter being the jvp along ``v``).
    """

    sample: Sample
    op: Op
    inputs: tuple[Tensor, ...]
    arrays: tuple[Array, ...]
    prefix: str

    @cached_property
    def outputs(self) -> tuple[Tensor, ...]:
        """What the op gives."""
        return self.op.apply(*self.inputs)

    @cached_property
    def decomposed(self) -> tuple[Tensor, ...]:
        """The same values by the decomposition."""
        result = self.op.decompose(*self.inputs)
        return result if isinstance(result, tuple) else (result,)

    @cached_property
    def floats(self) -> tuple[int, ...]:
        """Positions of the outputs that carry a derivative."""
        return tuple(i for i, output in enumerate(self.outputs) if output.dtype.is_float)

    @cached_property
    def wrt(self) -> tuple[Tensor, ...]:
        """The inputs that derivatives are taken by; none when no output is floating."""
        return tuple(self.inputs[i] for i in self.sample.differentiated if self.floats)

    @cached_property
    def cotangents(self) -> tuple[Tensor, ...]:
        """One input per floating output."""
        chosen = [self.outputs[i] for i in self.floats] if self.wrt else []
        return self._inputs_like("u", chosen)

    @cached_property
    def gradients(self) -> tuple[Tensor | None, ...]:
        """One per tensor of ``wrt``; None when the derivative is known to be zero."""
        return tuple(self._pullback(self.outputs))

    @cached_property
    def decomposed_gradients(self) -> tuple[Tensor | None, ...]:
        """The same through the decomposition."""
        return tuple(self._pullback(self.decomposed))

    def _pullback(self, outputs: Sequence[Tensor]) -> list[Tensor | None]:
        if not self.wrt:
            return []
        return pullback([outputs[i] for i in self.floats], self.cotangents, self.wrt)

    @cached_property
    def directions(self) -> tuple[Tensor, ...]:
        """``v``: one input per tensor of ``wrt``."""
        return self._inputs_like("v", self.wrt)

    @cached_property
    def second(self) -> tuple[Tensor | None, ...]:
        """Derivatives of ``<gradients, directions>`` by ``wrt``, then by ``cotangents``."""
        pairs = zip(self.gradients, self.directions, strict=True)
        known = [(gradient, v) for gradient, v in pairs if gradient is not None]
        by = (*self.wrt, *self.cotangents)
        if not known:
            return (None,) * len(by)
        return tuple(pullback([g for g, _ in known], [v for _, v in known], by))

    @property
    def second_by_wrt(self) -> tuple[Tensor | None, ...]:
        """The part of ``second`` by ``wrt``."""
        return self.second[: len(self.wrt)]

    @property
    def second_by_cotangents(self) -> tuple[Tensor | None, ...]:
        """The part of ``second`` by the cotangents."""
        return self.second[len(self.wrt) :]

    @cached_property
    def witnesses(self) -> tuple[Tensor, ...]:
        """Inputs that bind the sizes which outputs have and no operand has (random bits, say)."""
        bound = free_symbols(size for tensor in self.inputs for size in tensor.shape)
        chosen = [out for out in self.outputs if free_symbols(out.shape).keys() - bound.keys()]
        return self._inputs_like("w", chosen)

    def _inputs_like(self, letter: str, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(
            Input(f"{self.prefix}{letter}{i}", tensor.dtype, tensor.shape)()
            for i, tensor in enumerate(tensors)
        )

    @cached_property
    def feeds(self) -> dict[str, Array]:
        """Arrays by input name: the operands, and cotangents drawn alike at every run."""
        generator = np.random.default_rng(crc32(self.sample.title.encode()))
        drawn = (*self.cotangents, *self.directions)
        found = {placeholder_name(t): a for t, a in zip(self.inputs, self.arrays, strict=True)}
        found |= {placeholder_name(tensor): _drawn(generator, tensor.type) for tensor in drawn}
        if self.op.is_placeholder:
            found[placeholder_name(self.outputs[0])] = oracle_values(self.sample, ())[0]
        return found


def apply_sample(sample: Sample, prefix: str = "", narrow: DType | None = None) -> Applied:
    """The sample with literal sizes; floating operands in ``narrow`` if given."""
    arrays = tuple(_narrowed(array, narrow) for array in sample.operands)
    inputs = [
        Input(f"{prefix}x{i}", as_dtype(array.dtype), array.shape)()
        for i, array in enumerate(arrays)
    ]
    op = with_narrow_bodies(sample.op, narrow)
    return Applied(sample, op, tuple(inputs), arrays, prefix)


def apply_symbolic(sample: Sample, prefix: str = "") -> Applied:
    """The sample with the sizes it names; its ``symbolic`` must not be None."""
    assert sample.symbolic is not None
    inputs = [
        Input(f"{prefix}x{i}", as_dtype(array.dtype), shape)()
        for i, (array, shape) in enumerate(
            zip(sample.operands, symbolic_shapes(sample), strict=True)
        )
    ]
    op = sample.symbolic_op or sample.op
    return Applied(sample, op, tuple(inputs), sample.operands, prefix)


def symbolic_shapes(sample: Sample) -> list[tuple[Dim, ...]]:
    """The shapes with symbols; a symbol that the operands bind to 0 allows 0."""
    empty = {
        name
        for named, array in zip(sample.symbolic or (), sample.operands, strict=True)
        for name, size in zip(named, array.shape, strict=True)
        if size == 0 and isinstance(name, str)
    }
    symbols = {each.name: each for text in empty for each in symbols_of(symbol(text, minimum=0))}
    return [
        tuple(parse_dim(size, symbols) if isinstance(size, str) else size for size in named)
        for named in sample.symbolic or ()
    ]


def oracle_values(sample: Sample, operands: Sequence[Array]) -> list[Array]:
    """What the oracle says of these operands, one array per output."""
    assert sample.oracle is not None
    with np.errstate(all="ignore"):
        result = sample.oracle(*operands)
    return [np.asarray(each) for each in (result if isinstance(result, tuple) else (result,))]


def _narrowed(array: Array, narrow: DType | None) -> Array:
    if narrow is None or array.dtype != np.float64:
        return array
    with np.errstate(over="ignore"):
        return array.astype(narrow.numpy)


def _drawn(generator: np.random.Generator, described: TensorType) -> Array:
    shape: Any = described.shape  # literal sizes: only samples with these are fed
    return np.asarray(generator.standard_normal(shape)).astype(described.dtype.numpy)
