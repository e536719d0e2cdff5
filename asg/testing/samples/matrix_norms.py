"""Samples of norms."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from asg.ops.matrix_norms import MatrixNorm, VectorNorm
from asg.testing.sample import Array, Sample, register_samples
from asg.testing.samples.solvers import numbers, well_conditioned


def _vector(op: VectorNorm) -> Callable[[Array], Array]:
    """By NumPy, which takes the norm of all elements only as that of one vector."""

    def norm(x: Array) -> Array:
        rest = [axis for axis in range(x.ndim) if axis not in op.axis]
        rows = x.transpose([*rest, *op.axis]).reshape([*(x.shape[axis] for axis in rest), -1])
        found = np.asarray(np.linalg.norm(rows, op.ord, -1)) if rows.size else rows.sum(-1)
        kept = np.expand_dims(found, op.axis) if op.keepdims else found
        return np.asarray(kept, x.dtype)

    return norm


def _matrix(op: MatrixNorm) -> Callable[[Array], Array]:
    known = op.ord if op.ord in ("fro", "nuc") else float(op.ord)

    def norm(x: Array) -> Array:
        found = np.linalg.norm(x, known, (-2, -1), op.keepdims)  # type: ignore[arg-type]
        return np.asarray(found, x.dtype)

    return norm


def _sample(op: VectorNorm, x: Array, named: tuple[int | str, ...] | None) -> Sample:
    return Sample(op, (x,), _vector(op), None if named is None else (named,))


def _kink(op: VectorNorm, x: Array, slope: Array, label: str) -> Sample:
    return Sample(op, (x,), _vector(op), None, kink=(slope,), label=label)


_ZERO = np.zeros(3)
_TIES = np.array([2.0, -2.0, 1.0, 1.0, 0.0])


register_samples(
    [
        _sample(VectorNorm((1,)), numbers(2, 3), ("m", "n")),
        _sample(VectorNorm((0, 2), 2.0, True), numbers(2, 2, 2), ("a", "b", "c")),
        _sample(VectorNorm((0,), 1.0), numbers(3), ("n",)),
        _sample(VectorNorm((1,), 3.0), numbers(2, 3), ("m", "n")),
        _sample(VectorNorm((0,), 0.5), numbers(3), None),
        _sample(VectorNorm((0,), -1.0), numbers(3), None),
        _sample(VectorNorm((0,), inf), numbers(3), ("n",)),
        _sample(VectorNorm((1,), -inf, True), numbers(2, 3), ("m", "n")),
        Sample(VectorNorm((0,), 0.0), (_TIES,), _vector(VectorNorm((0,), 0.0)), (("n",),)),
        _sample(VectorNorm((0,)), np.zeros(0), ("n",)),
        _sample(VectorNorm((), 3.0), np.array(-2.0), ()),
        _kink(VectorNorm((0,)), _ZERO, _ZERO, "zero"),
        _kink(VectorNorm((0,), 1.0), _ZERO, _ZERO, "zero"),
        _kink(VectorNorm((0,), 1.5), _ZERO, _ZERO, "zero"),
        _kink(VectorNorm((0,), inf), _TIES, np.array([0.5, -0.5, 0, 0, 0]), "ties"),
        _kink(VectorNorm((0,), -inf), _TIES[:4], np.array([0, 0, 0.5, 0.5]), "ties"),
        *(
            Sample(op, (well_conditioned(3, 3)[:, :2],), _matrix(op), (("m", "n"),))
            for op in map(MatrixNorm, ("fro", "nuc", "1", "-1", "2", "-2", "inf", "-inf"))
        ),
        Sample(MatrixNorm("1", True), (numbers(2, 2, 3),), _matrix(MatrixNorm("1", True)),
               (("b", "m", "n"),)),
        Sample(MatrixNorm("nuc", True), (numbers(2, 2, 3),), _matrix(MatrixNorm("nuc", True)),
               (("b", "m", "n"),)),
        Sample(MatrixNorm("fro"), (np.zeros((0, 3)),), _matrix(MatrixNorm("fro")), None,
               label="of nothing"),
    ]
)  # fmt: skip
