"""All samples of an op on another backend than NumPy, in one graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from asg.compiler.backend import Backend
from asg.compiler.loader import load_backend
from asg.core.dtype import DType, float32
from asg.core.graph import Graph
from asg.core.region import with_bodies
from asg.core.tensor import Tensor
from asg.passes.lower import supported
from asg.testing.applied import Array, apply_sample
from asg.testing.comparison import difference
from asg.testing.parity import evaluate
from asg.testing.sample import Sample
from asg.testing.sample_numbers import (
    GRADIENT_TOLERANCE,
    first_order,
    value_tolerance,
)


def parity_with(
    backend: str,
    samples: Sequence[Sample],
    narrow: Sequence[DType] = (float32,),
    optimized: bool = False,
) -> list[str]:
    """Values and gradients of all samples: ``backend`` against NumPy, which runs every kernel.

    One graph for all samples, because compilation costs more than anything else; when that
    fails, each sample alone, to find the culprit.

    Args:
        backend: compared with plain NumPy; may be "numpy" itself when ``optimized``.
        samples: of one op or of many.
        narrow: dtypes in which floating operands are given, besides float64.
        optimized: run the default pipeline on ``backend``.
    """
    if not samples:
        return []
    try:
        return _compare(backend, samples, narrow, optimized)
    except Exception as error:
        if len(samples) == 1:
            return [f"{samples[0].title}: on {backend}: {type(error).__name__}: {error}"]
        alone = [line for one in samples for line in parity_with(backend, [one], narrow, optimized)]
        return alone or [f"all samples together, on {backend}: {type(error).__name__}: {error}"]


@dataclass
class _Batch:
    """Outputs of many samples under names of their own, those that the backend can compute."""

    backend: Backend
    outputs: dict[str, Tensor] = field(default_factory=dict)
    feeds: dict[str, Array] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    allowed: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, sample: Sample, prefix: str, narrow: DType | None) -> None:
        applied = apply_sample(sample, prefix, narrow)
        named = {
            name: tensor for name, tensor in first_order(applied).items()
            if not _refused(tensor, self.backend)
        }  # fmt: skip
        self.outputs |= named
        self.feeds |= applied.feeds
        for name, tensor in named.items():
            part = name.removeprefix(prefix)
            is_gradient = part.startswith("g")
            self.titles[name] = f"{sample.title}: {tensor.dtype} {part}"
            allowed = value_tolerance(sample, tensor.dtype)
            if is_gradient:
                relative = max(GRADIENT_TOLERANCE, 10.0 * allowed["relative"])
                allowed = {"relative": relative, "of_largest": relative}
            self.allowed[name] = allowed


def _refused(tensor: Tensor, backend: Backend) -> bool:
    """True when the value needs an op that backends may lack, and this one does."""
    return any(
        node.op.without_kernel and not supported(node, backend)
        for graph in with_bodies(Graph.of((), (tensor,), ("value",)))
        for node in graph.nodes
    )


def _compare(
    backend: str, samples: Sequence[Sample], narrow: Sequence[DType], optimized: bool
) -> list[str]:
    batch = _Batch(load_backend(backend))
    for number, sample in enumerate(samples):
        batch.add(sample, f"s{number}_", None)
        for dtype in narrow:
            if any(array.dtype == np.float64 for array in sample.operands):
                batch.add(sample, f"s{number}_{dtype}_", dtype)
    if not batch.outputs:
        return []
    wanted = evaluate(batch.outputs, batch.feeds)
    actual = evaluate(batch.outputs, batch.feeds, backend, optimized)
    name_of = f"optimized {backend}" if optimized else backend
    return [
        f"{batch.titles[name]}: {name_of} differs from numpy: {problem}"
        for name, value in wanted.items()
        if (problem := difference(actual[name], value, **batch.allowed[name]))
    ]
