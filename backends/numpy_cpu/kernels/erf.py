"""The error function, which NumPy lacks: one rational approximation over the whole line.

erf(x) = x P(x²) / Q(x²) for |x| up to a limit, beyond which erf rounds to 1 or -1. All
coefficients are positive, so Horner's rule cancels nothing, and no element needs a branch.

Source: P and Q interpolate erf(√s) / √s with 100 digits, at nodes moved until the relative error
was level over 0 <= s <= 35 (for float32 15), as in Remez' algorithm. That error is 7.5e-17 (for
float32 1.5e-8). The last digits of the coefficients were then varied at random for the least error
with the rounding of float64 included, which is 1.1e-15 (for float32 4e-7). At the limit the value
is just above 1, so that all larger x give 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.ops.elementwise_unary import Erf

from ..kernel import Array, Call, Scratch, kernel, ufunc_call

BLOCK_BYTES = 1 << 17
"""Worked on at a time: the three or four arrays of a block stay in the second-level cache."""


@dataclass(frozen=True)
class Rational:
    """x P(x²) / Q(x²) for |x| <= limit, coefficients from the constant up."""

    limit: float
    numerator: tuple[float, ...]
    denominator: tuple[float, ...]


FLOAT64 = Rational(
    5.945,
    (
        1.1283791670955126, 0.21709012187900842, 0.06557082377414773, 0.006720404560665741,
        0.0008401474839764509, 5.5010806549642256e-05, 3.794027857010609e-06,
        1.6257086111051533e-07, 6.554099354408261e-09, 1.6548089265693232e-10,
        3.3441985214011587e-12, 2.3434019604607465e-14, 1.7095129667863713e-17,
    ),
    (
        1.0, 0.5257244445923316, 0.13335211108354458, 0.02164358651640359, 0.002511498103236045,
        0.0002202759964966242, 1.5028982866073025e-05, 8.066187392493473e-07,
        3.3889767727463496e-08, 1.0861706715852888e-09, 2.4874004762614072e-11,
        3.416658585496361e-13, 9.483636818935159e-16,
    ),
)  # fmt: skip

FLOAT32 = Rational(
    3.8729834,
    (1.1283791, 0.1886838, 0.05256149, 0.0037021616, 0.0002853197, 2.0886018e-06),
    (1.0, 0.5005495, 0.113433845, 0.01484149, 0.0011505566, 3.8511273e-05),
)


@kernel(Erf, inplace=True, order="elementwise")
def erf(op: Erf, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    """Clamp into the output, then block by block in place."""
    (x,), (out,) = inputs, outputs
    form = FLOAT64 if out.dtype == np.float64 else FLOAT32
    values = scratch(x.shape, np.float32) if out.dtype.itemsize == 2 else out
    number = values.dtype.type
    calls: list[Call] = [
        ufunc_call(np.maximum, x, number(-form.limit), out=values),
        ufunc_call(np.minimum, values, number(form.limit), out=values),
        (_evaluate, (_blocks(values, scratch), *_coefficients(form, number))),
        ufunc_call(np.minimum, values, number(1), out=values),
        ufunc_call(np.maximum, values, number(-1), out=values),
    ]
    return calls if values is out else [*calls, (np.copyto, (out, values, "same_kind"))]


Block = tuple[Array, Array, Array, Array]


def _blocks(values: Array, scratch: Scratch) -> list[Block]:
    """Pieces of ``values``, each with three temporaries of its length."""
    flat = values.reshape(-1)
    length = BLOCK_BYTES // flat.dtype.itemsize
    one, two, three = (scratch((min(length, flat.size),), flat.dtype) for _ in range(3))
    pieces = [flat[start : start + length] for start in range(0, flat.size, length)]
    return [(p, one[: p.size], two[: p.size], three[: p.size]) for p in pieces]


def _coefficients(form: Rational, number: Any) -> tuple[list[Any], list[Any]]:
    """Highest first, as numbers of the dtype: what Horner's rule reads."""
    return (
        [number(each) for each in reversed(form.numerator)],
        [number(each) for each in reversed(form.denominator)],
    )


def _evaluate(blocks: list[Block], numerator: list[Any], denominator: list[Any]) -> None:
    for values, square, above, below in blocks:
        np.multiply(values, values, square)
        _horner(numerator, square, above)
        _horner(denominator, square, below)
        np.divide(above, below, above)
        np.multiply(values, above, values)


def _horner(coefficients: list[Any], x: Array, out: Array) -> None:
    np.multiply(x, coefficients[0], out)
    for coefficient in coefficients[1:-1]:
        np.add(out, coefficient, out)
        np.multiply(out, x, out)
    np.add(out, coefficients[-1], out)
