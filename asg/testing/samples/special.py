"""Samples of special functions, against SciPy: both sides of changes of formula, poles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.special import Erfc, Erfinv, Lgamma, Polygamma
from asg.testing.sample import Array, Sample, register_samples

INFINITY, NAN = np.inf, np.nan
SIDES = np.array([[0.3, 1.2, 2.9, 3.4], [5.3, 9.1, -0.7, -3.6]])
INSIDE = np.array([[0.3, -0.7, 0.95], [-0.15, 0.501, 0.05]])


def _scipy(name: str, *first: int) -> Callable[[Array], Any]:
    def oracle(x: Array) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*first, x)

    return oracle


def _cases(op: Op, oracle: Callable[[Array], Any], matrix: Array = SIDES) -> list[Sample]:
    """A matrix, a scalar, nothing."""
    return [
        Sample(op, (matrix,), oracle, (("batch", "n"),)),
        Sample(op, (np.array(matrix[0, 0]),), oracle, ((),)),
        Sample(op, (matrix[:0, :3],), oracle, (("batch", 3),), label="no elements"),
    ]


def _values(op: Op, x: list[float], y: list[float], label: str) -> Sample:
    wanted = np.array(y)
    return Sample(op, (np.array(x),), lambda x: wanted, (("n",),), differentiate=(), label=label)


register_samples([
    *_cases(Lgamma(), _scipy("gammaln")),
    Sample(Lgamma(), (np.array([1e-30, 0.499, 60.0, -0.2, -20.3, 1e6, 1e20]),), _scipy("gammaln"),
           (("n",),), differentiate=(), label="far"),
    _values(Lgamma(), [1, 2, 0, -0.0, -3, INFINITY, -INFINITY, NAN],
            [0, 0, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, NAN], "zeros and poles"),
    *_cases(Polygamma(0), _scipy("psi")),
    *_cases(Polygamma(1), _scipy("polygamma", 1))[:1],
    Sample(Polygamma(2), (SIDES[1, :3],), _scipy("polygamma", 2), (("n",),), order=1),
    Sample(Polygamma(7), (np.array([0.2, 30.0]),), _scipy("polygamma", 7), (("n",),),
           differentiate=()),
    _values(Polygamma(0), [0, -0.0, -1, INFINITY, -INFINITY, NAN],
            [-INFINITY, INFINITY, NAN, INFINITY, NAN, NAN], "poles"),
    _values(Polygamma(1), [0, -0.0, -2, INFINITY, -INFINITY, NAN],
            [INFINITY, INFINITY, INFINITY, 0, NAN, NAN], "poles"),
    _values(Polygamma(2), [0, -0.0, -2, INFINITY, NAN],
            [-INFINITY, INFINITY, NAN, -0.0, NAN], "poles"),
    *_cases(Erfc(), _scipy("erfc"), np.array([[0.3, -0.6, 0.49], [-2.2, 0.51, 1.9]])),
    Sample(Erfc(), (np.array([5.0, 8.5, -7.0, INFINITY, -INFINITY, NAN]),), _scipy("erfc"),
           (("n",),), differentiate=(), label="far"),
    *_cases(Erfinv(), _scipy("erfinv"), INSIDE),
    _values(Erfinv(), [0, 1, -1, 1.5, -INFINITY, NAN], [0, INFINITY, -INFINITY, NAN, NAN, NAN],
            "edges"),
    Sample(Erfinv(), (np.array([1e-30, -1e-9, 0.999969482421875]),), _scipy("erfinv"), (("n",),),
           differentiate=(), label="small and near one"),
])  # fmt: skip
