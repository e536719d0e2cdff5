"""Determinants by LAPACK."""

from __future__ import annotations

import numpy as np

from asg.ops import determinants as ops

from ..kernel import Array, Call, Scratch, kernel


@kernel(ops.SlogDet)
def slogdet(
    op: ops.SlogDet, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return [(_slogdet, (*outputs, inputs[0]))]


def _slogdet(sign: Array, logarithm: Array, x: Array) -> None:
    sign[...], logarithm[...] = np.linalg.slogdet(x)


@kernel(ops.Det)
def det(op: ops.Det, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    return [(_det, (outputs[0], inputs[0]))]


def _det(out: Array, x: Array) -> None:
    out[...] = np.linalg.det(x)
