"""The op contract for functions that are no ops: what they build is taken for a decomposition.

A public function such as `gather_nd` writes its graph out in other ops. `FunctionCall` makes an op
of one call of it, so that samples say what is known of its value and the clauses of the contract
(values on every backend, symbolic sizes, derivatives to the second order) hold it to that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from asg.core.dim import Dim
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.leaf import Input
from asg.testing.applied import Array, apply_sample, apply_symbolic
from asg.testing.backend_parity import parity_with
from asg.testing.sample import Sample, SymbolicShape
from asg.testing.sample_numbers import number_problems
from asg.testing.sample_types import (
    collected,
    decomposed_types,
    gradient_types,
    static_types,
    symbolic_types,
)


class FunctionCall(Op, abstract=True):
    """What ``function`` makes of its operands: a composite that no registry knows."""

    of: str
    function: Callable[..., Any]
    name: ClassVar[str] = "function_call"
    category: ClassVar[str] = "control"
    variadic: ClassVar[bool] = True

    def __repr__(self) -> str:
        """The name of the function: that of a lambda says nothing, and its address changes."""
        return self.of

    def infer(self, *operands: TensorType) -> TensorType | tuple[TensorType, ...]:
        inputs = [Input(f"x{i}", t.dtype, t.shape)() for i, t in enumerate(operands)]
        made = self.decompose(*inputs)
        return made.type if isinstance(made, Tensor) else tuple(each.type for each in made)

    def decompose(self, *operands: Tensor) -> Tensor | tuple[Tensor, ...]:
        made = self.function(*operands)
        return made if isinstance(made, Tensor) else tuple(made)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


def function_sample(
    of: str,
    function: Callable[..., Any],
    operands: Sequence[Array],
    oracle: Callable[..., Any],
    symbolic: Sequence[SymbolicShape] | None = None,
    **facts: Any,
) -> Sample:
    """A sample of the public function named ``of``; ``function`` calls it with its options."""
    shapes = None if symbolic is None else tuple(symbolic)
    return Sample(FunctionCall(of, function), tuple(operands), oracle, shapes, **facts)


def function_problems(samples: Sequence[Sample], backends: Sequence[str] = ("jax",)) -> list[str]:
    """Every breach of the contract by calls of functions, one line each."""
    problems: list[str] = []
    for sample in samples:
        static = apply_sample(sample)
        clauses = [
            ("types", partial(static_types, static)),
            ("decomposition", partial(decomposed_types, static)),
            ("gradient types", partial(gradient_types, static)),
        ]
        if sample.symbolic is not None:
            symbolic = apply_symbolic(sample)
            clauses += [
                ("symbolic types", partial(symbolic_types, static, symbolic)),
                ("symbolic gradient types", partial(gradient_types, symbolic)),
            ]
        problems += [*collected(sample, clauses), *number_problems(sample)]
    for backend in backends:
        problems += parity_with(backend, samples)
    return problems
