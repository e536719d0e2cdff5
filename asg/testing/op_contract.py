"""The contract every op keeps, checked clause by clause on its samples.

An op is known to the contract by being registered; there is no list of exceptions. What an op
does not have, its class says: ``differentiable = False``, no decomposition, no floating operand.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence

from asg.core.op import Op
from asg.testing.backend_parity import parity_with
from asg.testing.sample import SAMPLES, Sample
from asg.testing.sample_numbers import number_problems
from asg.testing.sample_types import type_problems

__all__ = ["check_op", "class_problems", "contract_problems", "sample_problems"]


def check_op(
    op_class: type[Op],
    samples: Sequence[Sample] | None = None,
    backends: Sequence[str] = ("numpy", "jax"),
) -> None:
    """Raise AssertionError that lists every clause of the contract the op breaks.

    Args:
        op_class: any op, of asg or of your own.
        samples: those registered for the class unless given.
        backends: where values are compared; "numpy" is always the reference.
    """
    problems = contract_problems(op_class, samples, backends)
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise AssertionError(f"{op_class.__name__} breaks the op contract:\n{listed}")


def contract_problems(
    op_class: type[Op],
    samples: Sequence[Sample] | None = None,
    backends: Sequence[str] = ("numpy", "jax"),
) -> list[str]:
    """Every breach of the contract, one line each; see `check_op`."""
    chosen = list(SAMPLES.get(op_class, ()) if samples is None else samples)
    problems = class_problems(op_class, chosen)
    for sample in chosen:
        problems += sample_problems(sample)
    for backend in backends:
        if backend != "numpy" and chosen:
            problems += parity_with(backend, chosen)
    return list(dict.fromkeys(problems))


def sample_problems(sample: Sample) -> list[str]:
    """Breaches seen on one sample, on the NumPy backend."""
    return [*type_problems(sample), *number_problems(sample)]


def class_problems(op_class: type[Op], samples: Sequence[Sample]) -> list[str]:
    """Breaches of the class itself, and samples that are missing."""
    return [
        complaint
        for clause in (_documented, _sampled, _hashable, _elementwise_cases, _derivative_stated)
        for complaint in clause(op_class, samples)
    ]


Clause = Callable[[type[Op], Sequence[Sample]], Iterator[str]]


def _documented(op_class: type[Op], samples: Sequence[Sample]) -> Iterator[str]:
    own = op_class.__dict__.get("__doc__") or ""
    generated = f"{op_class.__name__}{inspect.signature(op_class)}".replace(" -> None", "")
    if not own.strip() or own == generated:
        yield "the class has no docstring"


def _sampled(op_class: type[Op], samples: Sequence[Sample]) -> Iterator[str]:
    if not samples:
        yield "no samples are registered (asg/testing/samples)"
    elif op_class.operands and all(sample.symbolic is None for sample in samples):
        yield "no sample names symbolic sizes (for those in attributes, give symbolic_op)"
    for sample in samples:
        if type(sample.op) is not op_class:
            yield f"sample {sample.title} is of another op"


def _hashable(op_class: type[Op], samples: Sequence[Sample]) -> Iterator[str]:
    for sample in samples:
        try:
            hash(sample.op)
        except TypeError as error:
            yield f"{sample.title}: attributes are not hashable: {error}"
            continue
        copy = type(sample.op)(**sample.op.attributes())
        if copy != sample.op or hash(copy) != hash(sample.op):
            yield f"{sample.title}: an equal op is not equal, or hashes differently"


def _elementwise_cases(op_class: type[Op], samples: Sequence[Sample]) -> Iterator[str]:
    """Elementwise ops are sampled as scalars, empty, and (with two operands) broadcast."""
    if op_class.category != "elementwise" or not samples:
        return
    shapes = [[array.shape for array in sample.operands] for sample in samples]
    if not any(all(shape == () for shape in each) for each in shapes):
        yield "no sample of scalars"
    if not any(0 in shape for each in shapes for shape in each):
        yield "no sample without elements"
    several = op_class.broadcasts and (len(op_class.operands) > 1 or op_class.variadic)
    if several and all(len(set(each)) == 1 for each in shapes):
        yield "no sample that broadcasts"


def _derivative_stated(op_class: type[Op], samples: Sequence[Sample]) -> Iterator[str]:
    if not op_class.differentiable or not op_class.operands or not samples:
        return
    if not (op_class.has_vjp() or op_class.has_decomposition()):
        yield "neither vjp nor decompose; state differentiable = False if there is no derivative"
    if not any(sample.differentiated and sample.kink is None for sample in samples):
        yield "no sample is compared with finite differences; is differentiable = False missing?"
