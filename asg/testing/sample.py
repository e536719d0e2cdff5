"""Sample: one application of an op with an independent answer; SAMPLES holds them by op class.

The op contract (`asg.testing.op_contract`) reads nothing else: whoever adds an op adds samples,
and the op is thereby checked on every backend, symbolically, and to the second derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.core.dtype import as_dtype
from asg.core.errors import OperandError
from asg.core.op import Op

Array = np.ndarray[Any, np.dtype[Any]]
SymbolicShape = tuple[int | str, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """An op with its attributes, operands, and what is known about the result.

    Attributes:
        op: the op with its attributes.
        operands: one array per operand; floating ones in float64, which derivatives need (narrow
            ones together with ``differentiate=()``).
        oracle: the value computed from the same arrays without asg (a tuple for several outputs);
            None only for composites, whose value is that of their decomposition.
        symbolic: the shape of every operand with names for sizes, such as
            ``(("batch", 3), (3,))``; the names are bound by the operands (and, for sizes that no
            operand has, by the outputs). None when the op needs literal sizes.
        symbolic_op: the op for the symbolic form when attributes hold sizes.
        differentiate: operand positions to differentiate by; None: every floating operand.
        kink: for operands at ties and kinks, where finite differences mean nothing: the
            expected vjp of each operand, with ones for cotangents; None for operands without.
        order: how many derivatives are checked, 1 or 2.
        tolerance: relative tolerance of derivatives against finite differences. A value above
            the default also loosens the float64 comparison of values to ``1e-6 * tolerance``.
        label: says what the sample is about; part of the name of the test.

    Raises:
        OperandError: parts that do not fit each other.
    """

    op: Op
    operands: tuple[Array, ...]
    oracle: Callable[..., Any] | None
    symbolic: tuple[SymbolicShape, ...] | None
    symbolic_op: Op | None = None
    differentiate: tuple[int, ...] | None = None
    kink: Sequence[Array | None] | None = None
    order: int = 2
    tolerance: float = 1e-6
    label: str = ""

    def __post_init__(self) -> None:
        """Refuse a sample whose parts do not fit each other."""
        self._require(all(isinstance(each, np.ndarray | np.generic) for each in self.operands),
                      "operands are NumPy arrays")  # fmt: skip
        arrays = tuple(np.asarray(each) for each in self.operands)  # NumPy scalars have 0 axes
        object.__setattr__(self, "operands", arrays)
        narrow = any(_is_float(each) and each.dtype != np.float64 for each in self.operands)
        self._require(not narrow or self.differentiate == (),
                      "floating operands are float64, or differentiate=() is said")  # fmt: skip
        shapes = [each.shape for each in self.operands]
        named = self.symbolic if self.symbolic is not None else shapes
        self._require([len(s) for s in named] == [len(s) for s in shapes],
                      f"symbolic {self.symbolic} fits the operand shapes {shapes}")  # fmt: skip
        chosen = range(len(self.operands)) if self.differentiate is None else self.differentiate
        self._require(all(position < len(self.operands) for position in chosen),
                      "differentiate names operands")  # fmt: skip
        self._require(self.kink is None or len(self.kink) == len(self.operands),
                      "kink has one entry per operand")  # fmt: skip
        self._require(self.order in (1, 2), "order is 1 or 2")

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            raise OperandError(f"sample {self.title}: it must hold that {what}")

    @property
    def title(self) -> str:
        """``sum(axis=(0,), keepdims=False) of (2, 3), ties``."""
        shapes = " ".join(str(np.shape(each)) for each in self.operands)
        return f"{self.op!r} of {shapes or 'nothing'}" + (f", {self.label}" if self.label else "")

    @property
    def differentiated(self) -> tuple[int, ...]:
        """Operand positions that derivatives are taken by."""
        if not self.op.differentiable:
            return ()
        if self.differentiate is not None:
            return self.differentiate
        return tuple(i for i, each in enumerate(self.operands) if _is_float(each))


def _is_float(array: Array) -> bool:
    return as_dtype(array.dtype).is_float


SAMPLES: dict[type[Op], list[Sample]] = {}


def register_samples(samples: Iterable[Sample]) -> None:
    """Add samples to SAMPLES under the class of their op."""
    for sample in samples:
        SAMPLES.setdefault(type(sample.op), []).append(sample)
