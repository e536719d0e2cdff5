"""One value three ways: uneven batches of arrays, one batch as graph, and a step on a backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import asg
from asg import metrics

Array = np.ndarray[Any, Any]
CUTS = (0, 1, 1, 4, 11)  # where batches begin; one of them is empty


def assert_value(
    metric: metrics.Metric, arrays: Sequence[Array], wanted: Any, tolerance: float = 1e-12
) -> None:
    """Streamed arrays and the stateless form both give what the oracle says."""
    metric.reset()
    for start, stop in zip(CUTS, (*CUTS[1:], len(arrays[0])), strict=True):
        metric.update(*(array[start:stop] for array in arrays))
    np.testing.assert_allclose(metric.compute(), wanted, rtol=tolerance, atol=tolerance)
    inputs = [asg.input(f"x{i}", a.shape, a.dtype.name) for i, a in enumerate(arrays)]
    once = asg.run(metric.once(*inputs), dict(zip(inputs, arrays, strict=True)))
    np.testing.assert_allclose(once, wanted, rtol=tolerance, atol=tolerance)


def in_step(metric: Any, arrays: Sequence[Array], backend: str = "numpy") -> dict[int, Any]:
    """The results of a step after so many rows, at each of the uneven batches.

    (XLA compiles a program for each size, so it gets two batches.)
    """
    cuts = CUTS if backend == "numpy" else (0, 11)
    with asg.StateTrace() as trace:
        rows = asg.symbol("batch", minimum=0)
        inputs = [
            asg.input(f"x{i}", (rows, *a.shape[1:]), a.dtype.name) for i, a in enumerate(arrays)
        ]
        graph = trace.close({"value": metric(*inputs)})
    session = asg.compile(graph, backend=backend).start()
    return {
        stop: session(**{f"x{i}": array[start:stop] for i, array in enumerate(arrays)})
        for start, stop in zip(cuts, (*cuts[1:], len(arrays[0])), strict=True)
    }
