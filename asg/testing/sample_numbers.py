"""What holds of a sample when it runs: values, derivatives, agreement of backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from asg.autodiff.finite_difference import Array
from asg.core.dtype import DType, as_dtype, bfloat16, float16, float32, float64
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.testing.applied import Applied, apply_sample, apply_symbolic, oracle_values
from asg.testing.comparison import difference
from asg.testing.derivatives import Derivatives, derivative_problems
from asg.testing.parity import compile_plainly, evaluate
from asg.testing.sample import Sample
from asg.testing.sample_types import collected, witness_feeds

VALUE_TOLERANCE = {float64: 1e-12, float32: 1e-5, float16: 4e-3, bfloat16: 3e-2}
GRADIENT_TOLERANCE = 1e-10
NARROW_GRADIENT = 1e-4
_DEFAULT_TOLERANCE = 1e-6

Named = dict[str, Tensor]


def number_problems(sample: Sample) -> list[str]:
    """Breaches of the clauses on numbers, on the NumPy backend."""
    run = SampleRun(sample)
    clauses: list[tuple[str, Callable[[], Iterator[str]]]] = [
        ("value", partial(_values, run)),
        ("float32", partial(_narrow, run)),
        ("decomposition", partial(_decomposition, run)),
        ("gradient", partial(_derivatives, run)),
        ("symbolic value", partial(_symbolic_values, run)),
    ]
    return collected(sample, clauses)


def value_tolerance(sample: Sample, dtype: DType) -> dict[str, float]:
    """Allowed errors of values: elementwise ops per element, others also of the largest.

    In narrow dtypes elementwise ops, too, may be off by a few units in the last place of the
    largest element: backends round intermediate results differently. In float64 they may not.
    """
    if not dtype.is_float:
        return {}
    relative = VALUE_TOLERANCE[dtype]
    if sample.tolerance > _DEFAULT_TOLERANCE:
        relative = max(relative, sample.tolerance * 1e-6)
    if sample.op.category != "elementwise":
        return {"relative": relative, "of_largest": relative}
    return {"relative": relative, "of_largest": 0.0 if dtype is float64 else relative / 10.0}


class SampleRun:
    """A sample with literal sizes, its values and derivatives computed once on NumPy."""

    def __init__(self, sample: Sample, prefix: str = "") -> None:
        """Nothing runs until a number is asked for."""
        self.sample = sample
        self.applied = apply_sample(sample, prefix)

    @cached_property
    def tensors(self) -> Named:
        """Everything that is computed, by name."""
        applied = self.applied
        found = first_order(applied)
        if applied.sample.order == 2 and applied.sample.kink is None:
            found |= _named(applied, "h", applied.second_by_wrt)
            found |= _named(applied, "k", applied.second_by_cotangents)
        if applied.op.has_decomposition():
            found |= _named(applied, "d", applied.decomposed)
            if applied.op.has_vjp():
                found |= _named(applied, "e", applied.decomposed_gradients)
        return found

    @cached_property
    def feeds(self) -> dict[str, Array]:
        """Operands and cotangents; at kinks, cotangents are ones."""
        applied = self.applied
        ones = len(applied.cotangents) if self.sample.kink is not None else 0
        names = [f"{applied.prefix}u{i}" for i in range(ones)]
        return {**applied.feeds, **{name: np.ones_like(applied.feeds[name]) for name in names}}

    @cached_property
    def numbers(self) -> dict[str, Array]:
        """The values of `tensors`."""
        return evaluate(self.tensors, self.feeds)

    def all_of(self, letter: str, like: Sequence[Tensor]) -> list[Array]:
        """``letter0``, ``letter1``, ...; zeros where the derivative is known to be zero."""
        prefix = self.applied.prefix
        return [
            self.numbers[name]
            if (name := f"{prefix}{letter}{i}") in self.numbers
            else np.zeros(_literal(tensor), tensor.dtype.numpy)
            for i, tensor in enumerate(like)
        ]

    @cached_property
    def expected(self) -> list[Array]:
        """What the oracle says, or the decomposition when there is none."""
        if self.sample.oracle is None:
            return self.all_of("d", self.applied.outputs)
        return oracle_values(self.sample, self.applied.arrays)


def first_order(applied: Applied) -> Named:
    """Outputs ``y0, y1, ...`` and gradients ``g0, g1, ...`` by name."""
    return _named(applied, "y", applied.outputs) | _named(applied, "g", applied.gradients)


def _named(applied: Applied, letter: str, tensors: Sequence[Tensor | None]) -> Named:
    pairs = enumerate(tensors)
    return {f"{applied.prefix}{letter}{i}": tensor for i, tensor in pairs if tensor is not None}


def _literal(tensor: Tensor) -> Any:
    return tensor.shape


def _values(run: SampleRun) -> Iterator[str]:
    for i, output in enumerate(run.applied.outputs):
        actual = run.numbers[f"{run.applied.prefix}y{i}"]
        allowed = value_tolerance(run.sample, output.dtype)
        found = difference(actual, run.expected[i], **allowed)
        if found:
            yield f"output {i} {found}"


def _narrow(run: SampleRun) -> Iterator[str]:
    """The float32 form: values against the oracle, gradients against float64 ones.

    Both are taken at the operands and cotangents rounded to float32.
    """
    sample = run.sample
    if not any(each.dtype == np.float64 for each in sample.operands):
        return
    applied = apply_sample(sample, narrow=float32)
    rounded = {name: array.astype(run.feeds[name].dtype) for name, array in applied.feeds.items()}
    found = evaluate(first_order(applied), applied.feeds)
    wanted = evaluate(first_order(run.applied), rounded)
    if sample.oracle is not None:
        arrays = [rounded[f"x{i}"] for i in range(len(sample.operands))]
        wanted |= {f"y{i}": value for i, value in enumerate(oracle_values(sample, arrays))}
    for name, value in found.items():
        dtype = as_dtype(value.dtype)
        with np.errstate(over="ignore"):
            expected = wanted[name].astype(value.dtype) if dtype.is_float else wanted[name]
        allowed = value_tolerance(sample, dtype)
        if name.startswith("g"):
            allowed = {"relative": NARROW_GRADIENT, "of_largest": NARROW_GRADIENT}
        problem = difference(value, expected, **allowed)
        if problem:
            yield f"{name} {problem}"


def _decomposition(run: SampleRun) -> Iterator[str]:
    """Kernel and decomposition agree, and so do the two ways to the gradient."""
    applied = run.applied
    if not applied.op.has_decomposition():
        return
    pairs = zip(run.all_of("y", applied.outputs), run.all_of("d", applied.outputs), strict=True)
    for i, (own, decomposed) in enumerate(pairs):
        allowed = value_tolerance(run.sample, as_dtype(own.dtype))
        found = difference(decomposed, own, **allowed)
        if found:
            yield f"output {i} {found} by the kernel"
    if applied.op.has_vjp() and run.sample.kink is None:
        allowed = {"relative": GRADIENT_TOLERANCE, "of_largest": GRADIENT_TOLERANCE}
        ways = zip(run.all_of("g", applied.wrt), run.all_of("e", applied.wrt), strict=True)
        for i, (own, decomposed) in enumerate(ways):
            found = difference(decomposed, own, **allowed)
            if found:
                yield f"gradient {i} {found} by the vjp"


def _derivatives(run: SampleRun) -> Iterator[str]:
    applied, sample = run.applied, run.sample
    if not applied.wrt:
        if any(gradient is not None for gradient in applied.gradients):
            yield "a gradient where none is stated"
        return
    if sample.kink is not None:
        yield from _kinks(run, sample.kink)
        return
    yield from derivative_problems(_point(run))


def _kinks(run: SampleRun, expected: Sequence[Array | None]) -> Iterator[str]:
    found = run.all_of("g", run.applied.wrt)
    for position, gradient in zip(run.sample.differentiated, found, strict=True):
        wanted = expected[position]
        problem = "" if wanted is None else difference(gradient, wanted, 1e-12)
        if problem:
            yield f"at the kink, by operand {position}: {problem}"


def _point(run: SampleRun) -> Derivatives:
    applied, feeds = run.applied, run.feeds
    names = [f"{applied.prefix}x{i}" for i in run.sample.differentiated]
    second = run.sample.order == 2
    prefix = applied.prefix
    return Derivatives(
        evaluate=_evaluator(run, names),
        x=[feeds[name] for name in names],
        u=[feeds[f"{prefix}u{i}"] for i in range(len(applied.cotangents))],
        v=[feeds[f"{prefix}v{i}"] for i in range(len(applied.directions))],
        y=[run.numbers[f"{prefix}y{i}"] for i in applied.floats],
        g=run.all_of("g", applied.wrt),
        second=run.all_of("h", applied.wrt) if second else None,
        pushed=run.all_of("k", applied.cotangents) if second else None,
        tolerance=run.sample.tolerance,
    )


def _evaluator(run: SampleRun, names: Sequence[str]) -> Callable[..., list[Array]]:
    """``[*y, *g]`` at other operands, by one compiled program."""
    applied = run.applied
    outputs = [applied.outputs[i] for i in applied.floats]
    known = [gradient for gradient in applied.gradients if gradient is not None]
    named = {f"f{i}": tensor for i, tensor in enumerate([*outputs, *known])}
    graph = Graph(named)
    shapes = [run.feeds[name].shape for name in graph.input_names]
    program = compile_plainly(graph, "numpy").build(shapes)
    zeros = {
        i: np.zeros(_literal(tensor))
        for i, tensor in enumerate(applied.wrt)
        if applied.gradients[i] is None
    }

    def evaluated(*arrays: Array) -> list[Array]:
        feeds: Mapping[str, Array] = {**run.feeds, **dict(zip(names, arrays, strict=True))}
        values = iter(program([feeds[name] for name in graph.input_names]))
        found = [next(values) for _ in outputs]
        return found + [zeros[i] if i in zeros else next(values) for i in range(len(applied.wrt))]

    return evaluated


def _symbolic_values(run: SampleRun) -> Iterator[str]:
    """The graph with named sizes, bound by the operands, gives what literal sizes give."""
    if run.sample.symbolic is None:
        return
    symbolic = apply_symbolic(run.sample, run.applied.prefix)
    feeds = {**run.feeds, **witness_feeds(run.applied, symbolic)}
    found = evaluate(first_order(symbolic), feeds, witnesses=symbolic.witnesses)
    for name, value in found.items():
        wanted = run.numbers.get(name)
        problem = "no such gradient for literal sizes"
        if wanted is not None:
            problem = difference(value, wanted, 1e-12, of_largest=1e-12)
        if problem:
            yield f"{name}: {problem}"
