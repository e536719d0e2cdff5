"""Eigenvalues and singular values by LAPACK, with signs by the rule of `asg.ops.spectra`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from asg.ops import spectra as ops

from ..kernel import Array, Call, Scratch, kernel
from .solvers import each_matrix

_LEADING = 0.9


def leading_signs(vectors: Array) -> Array:
    """1 or -1 for each column: the sign of its first element above 0.9 of the largest."""
    magnitude = np.abs(vectors)
    leading = magnitude > _LEADING * magnitude.max(-2, keepdims=True)
    place = leading.argmax(-2)[..., None, :]
    negative = np.take_along_axis(vectors, place, -2) < 0.0
    return np.where(negative, -1.0, 1.0).astype(vectors.dtype)


def finite_matrices(function: Callable[..., Any], outputs: list[Array], x: Array) -> None:
    """``function(x)`` into ``outputs``; matrices with NaN or infinities give NaN.

    LAPACK must not see them: its iterations may then never end.
    """
    bad: Array = np.asarray(~np.isfinite(x).all((-2, -1)))
    if not bad.any():
        each_matrix(function, outputs, [x])
        return
    each_matrix(function, outputs, [np.where(bad[..., None, None], x.dtype.type(0), x)])
    for out in outputs:
        out[bad] = np.nan


@kernel(ops.Eigh)
def eigh(op: ops.Eigh, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    return [(_eigh, (*outputs, inputs[0]))] if outputs[0].size else []


def _eigh(values: Array, vectors: Array, x: Array) -> None:
    half = (x + np.swapaxes(x, -2, -1)) * x.dtype.type(0.5)
    finite_matrices(np.linalg.eigh, [values, vectors], half)
    vectors *= leading_signs(vectors)


@kernel(ops.Svd)
def svd(op: ops.Svd, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    return [(_svd, (*outputs, inputs[0]))] if outputs[1].size else []


def _svd(left: Array, values: Array, right: Array, x: Array) -> None:
    finite_matrices(partial(np.linalg.svd, full_matrices=False), [left, values, right], x)
    signs = leading_signs(left)
    left *= signs
    right *= np.swapaxes(signs, -2, -1)
