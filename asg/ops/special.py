"""Special functions: the gamma family and the inverse and complement of the error function.

All are composites of exponentials, logarithms and polynomials, so every backend has them with the
same digits, and each has its own gradient. In float64 they are exact to about 1e-13 of the value
(near a zero of lgamma or polygamma: to about 2e-15 absolutely), in float32 to about 1e-6. Halves
are computed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.dtype import float64
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem
from asg.ops.cast import stop_gradient
from asg.ops.compare import equal, isinf
from asg.ops.elementwise import clip, where
from asg.ops.elementwise_unary import (
    OfFloat,
    abs,
    cos,
    erf,
    exp,
    log,
    log1p,
    reciprocal,
    round,
    sign,
    sin,
    sqrt,
    square,
)
from asg.ops.operand import widened

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


def horner(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """c0 + c1 x + c2 x**2 + ..., from the highest power down."""
    *lower, highest = coefficients
    total: Any = highest
    for coefficient in reversed(lower):
        total = total * x + coefficient
    return total if isinstance(total, Tensor) else x * 0.0 + total


# -- error function -------------------------------------------------------------------------------

# (1 + 2 x) exp(x**2) erfc(x) as a polynomial in u, where u = 1 - 6 / (x + 2.5) goes from -1 at
# x = 1/2 to 1 at infinity; interpolated with 50 digits at Chebyshev nodes, error 2e-16. The form is
# that of Shepherd and Laframboise, Mathematics of Computation 36 (1981), 249-253.
_ERFC = (
    1.2423492448711544, -0.12000786868938808, -0.024899113240524604, 0.05674654966868336,
    -0.03662799043760799, 0.01258744651905673, -0.0011965769232149073, -0.0008848860959473378,
    0.0002904648460476749, 6.401281045003443e-05, -4.116718852160905e-05, -7.071892042435781e-06,
    5.783337803215547e-06, 1.300352446961034e-06, -8.089513023659347e-07, -3.0037856309194624e-07,
    9.88411614734026e-08, 6.898246035465337e-08, -7.047535213532136e-09, -1.3850021811765551e-08,
    -5.269399511694885e-10, 2.1035733856415845e-09, 1.6016206432575034e-10,
    -1.758776604748611e-10,
)  # fmt: skip


class Erfc(OfFloat):
    """1 - erf(x), also where erf rounds to 1: down to the smallest number, at x = 26."""

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        far = clip(wide, 0.5, 30.0)
        scaled = horner(_ERFC, 1.0 - 6.0 / (far + 2.5)) / (1.0 + 2.0 * far)
        near = 1.0 - erf(clip(wide, -30.0, 0.5))
        return where(wide < 0.5, near, exp(-square(far)) * scaled).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * (-2 / math.sqrt(math.pi) * exp(-square(x)))]


@public
def erfc(x: Any) -> Tensor:
    """1 - erf(x), the complementary error function: exact where erf rounds to 1.

    >>> import asg
    >>> asg.run(asg.erfc([0.0, float("inf"), float("-inf")]), {}).tolist()
    [1.0, 0.0, 2.0]
    """
    return Erfc()(x)


class Erfinv(OfFloat):
    """The y with erf(y) = x: infinite at -1 and 1, NaN beyond.

    Start: Winitzki's formula (2008), exact to 2e-3; then two steps of Halley's method, each of
    which cubes the error, on erf(y) - |x| or, near 1, on (1 - |x|) - erfc(y), which does not
    cancel. The steps, not the start, are differentiated.
    """

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        size = abs(wide)
        inside = size < 1.0
        size = where(inside, size, 0.5)
        y = stop_gradient(_winitzki(size))
        for _ in range(2 if wide.dtype is float64 else 1):
            miss = where(size < 0.5, erf(y) - size, (1.0 - size) - Erfc()(y))
            step = miss * (math.sqrt(math.pi) / 2) * exp(square(y))
            y = y - step / (1.0 + y * step)
        edge = where(equal(abs(wide), 1.0), float("inf"), float("nan"))
        return (sign(wide) * where(inside, y, edge)).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (y,), (dy,) = outputs, cotangents
        return [dy * (math.sqrt(math.pi) / 2 * exp(square(y)))]


def _winitzki(x: Tensor) -> Tensor:
    """sqrt(sqrt(b**2 - l / a) - b) with l = log(1 - x**2), b = 2 / (pi a) + l / 2, a = 0.147."""
    a = 0.147
    logarithm = log1p(-square(x))
    b = 2 / (math.pi * a) + logarithm / 2
    excess = -logarithm / a
    root = sqrt(square(b) + excess)
    return sqrt(where(b > 0, excess / (root + b), root - b))  # whichever does not cancel


@public
def erfinv(x: Any) -> Tensor:
    """The number whose error function is x: infinite at -1 and 1, NaN beyond.

    >>> import asg
    >>> asg.run(asg.erfinv([0.0, 1.0, 2.0]), {}).tolist()
    [0.0, inf, nan]
    """
    return Erfinv()(x)


# -- gamma function -------------------------------------------------------------------------------


@lru_cache
def bernoulli_number(n: int) -> Fraction:
    """B_n, by the recurrence sum of binomial(n + 1, k) B_k over k <= n being 0.

    >>> bernoulli_number(2), bernoulli_number(12)
    (Fraction(1, 6), Fraction(-691, 2730))
    """
    if n == 0:
        return Fraction(1)
    terms = (math.comb(n + 1, k) * bernoulli_number(k) for k in range(n))
    return -sum(terms, Fraction(0)) / (n + 1)


@lru_cache
def zeta_minus_one(k: int) -> float:
    """The sum of n**-k over n >= 2, to the last digit: 19 terms and Euler and Maclaurin's rest.

    >>> math.isclose(zeta_minus_one(2), math.pi**2 / 6 - 1, rel_tol=3e-16)
    True
    """
    last = 20
    terms = [n**-k for n in range(2, last)]
    terms += [last ** (1 - k) / (k - 1), last**-k / 2]
    rising = float(k)
    for j in range(1, 7):
        terms.append(float(bernoulli_number(2 * j)) / math.factorial(2 * j) * rising
                     * last ** (1.0 - k - 2 * j))  # fmt: skip
        rising *= (k + 2 * j - 1) * (k + 2 * j)
    return math.fsum(terms)


_TERMS = 10  # of each asymptotic series; enough for arguments from 7.5 on


@lru_cache
def _taylor_at_two() -> tuple[float, ...]:
    """log gamma(2 + t) / t, as a series in t; up to 1/2 the rest is below rounding."""
    zetas = ((-1) ** k * zeta_minus_one(k) / k for k in range(2, 27))
    return (1.0 - 0.57721566490153286, *zetas)


@lru_cache
def _stirling() -> tuple[float, ...]:
    """B_2k / (2k (2k - 1)): Stirling's series, without the powers of x."""
    return tuple(float(bernoulli_number(2 * k) / (2 * k * (2 * k - 1)))
                 for k in range(1, _TERMS + 1))  # fmt: skip


class Lgamma(OfFloat):
    """log |gamma(x)|; infinite at 0, -1, -2, ...

    Up to 3.5 by the Taylor series at 2 and the recurrence, so that the zeros at 1 and 2 are exact;
    above by Stirling's series; below 0 by reflection, log(pi / |sin(pi x)|) - lgamma(1 - x).
    """

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        positive = where(wide < 0.0, 1.0 - wide, wide)
        value = where(positive < 3.5, _lgamma_near(positive), _lgamma_far(positive))
        sine = sin(math.pi * where(wide < 0.0, _off_integer(wide), 0.5))
        value = where(wide < 0.0, math.log(math.pi) - log(abs(sine)) - value, value)
        return where(isinf(wide), float("inf"), value).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * digamma(x)]


def _off_integer(x: Tensor) -> Tensor:
    """x minus the nearest whole number, from -1/2 to 1/2, without rounding."""
    return x - round(x)


def _lgamma_near(x: Tensor) -> Tensor:
    """log gamma for 0 <= x < 3.5, from the distance to the nearest of 0, 1, 2 and 3."""
    x = where(x < 3.5, x, 2.0)
    nearest = round(x)
    off = x - nearest
    series = off * horner(_taylor_at_two(), off)
    shift = log1p(where(nearest < 3.0, off, x - 2.0))
    moved = where(nearest < 2.0, -shift, where(nearest < 3.0, 0.0, shift))
    return series + moved - log(where(nearest < 1.0, x, 1.0))


def _lgamma_far(x: Tensor) -> Tensor:
    """log gamma for x >= 3.5 by Stirling's series, at x + 4 for small x."""
    x = where(x < 3.5, 3.5, x)
    small = x < 7.5
    product = where(small, x * (x + 1.0) * ((x + 2.0) * (x + 3.0)), 1.0)
    z = where(small, x + 4.0, x)
    main = (z - 0.5) * (log(z) - 1.0) + (0.5 * math.log(2 * math.pi) - 0.5)
    return main + horner(_stirling(), square(reciprocal(z))) / z - log(product)


@public
def lgamma(x: Any) -> Tensor:
    """log |gamma(x)|, and so log((x - 1)!) of whole numbers; infinite at 0, -1, -2, ...

    >>> import asg
    >>> asg.run(asg.lgamma([1.0, 2.0, 0.0]), {}).tolist()
    [0.0, 0.0, inf]
    """
    return Lgamma()(x)


class Polygamma(Op):
    """The derivative of order n of digamma, for n from 0 (digamma) to 30.

    Recurrence to x + N, where the asymptotic series is exact; below 0 by reflection,
    psi(x) = (-1)**n psi(1 - x) - pi times the derivative of order n of cot(pi x).
    Source: Abramowitz and Stegun, 6.4.6, 6.4.7 and 6.4.11.
    """

    n: int
    broadcasts: ClassVar[bool] = True

    HIGHEST: ClassVar[int] = 30

    def infer(self, x: TensorType) -> TensorType:
        if not 0 <= self.n <= self.HIGHEST:
            raise TypeProblem(
                f"n is {self.n}; orders from 0 to {self.HIGHEST} are implemented",
                "differentiate a polygamma of order 30 no further", OperandError,
            )  # fmt: skip
        return x.require_float("x")

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        below = wide < 0.0
        right = _polygamma_right(self.n, where(below, 1.0 - wide, wide))
        off = where(below, _off_integer(wide), 0.25)
        left = (-1) ** self.n * right - _cotangent_derivative(self.n, off)
        if self.n % 2 == 0:  # the limits from both sides of a pole are different
            left = where(equal(off, 0.0), float("nan"), left)
        return where(below, left, right).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * Polygamma(self.n + 1)(x)]


def _polygamma_right(n: int, x: Tensor) -> Tensor:
    """For x >= 0: the terms of the recurrence, then the asymptotic series."""
    steps = shift_of(n)
    terms = [_power(reciprocal(x + float(k) if k else x), n + 1) for k in range(steps)]
    z = reciprocal(x + float(steps))
    total = terms[-1]
    for term in reversed(terms[:-1]):
        total = total + term
    squared = square(z)
    if n == 0:
        series = horner([float(bernoulli_number(2 * k) / (2 * k)) for k in range(1, _TERMS + 1)],
                        squared)  # fmt: skip
        return log(x + float(steps)) - z * 0.5 - squared * series - total
    series = horner(_scaled_series(n), squared)
    tail = _power(z, n) * (1.0 / n + z * 0.5 + squared * series)
    factor = math.factorial(n) if n % 2 else -math.factorial(n)
    return float(factor) * (total + tail)


def _scaled_series(n: int) -> list[float]:
    """B_2k (2k + n - 1)! / ((2k)! n!) for k = 1, 2, ..."""
    return [
        float(bernoulli_number(2 * k) * Fraction(math.factorial(2 * k + n - 1))
              / (math.factorial(2 * k) * math.factorial(n)))
        for k in range(1, _TERMS + 1)
    ]  # fmt: skip


@lru_cache
def shift_of(n: int) -> int:
    """The least number of steps after which the first term left out is below rounding.

    >>> [shift_of(n) for n in (0, 1, 30)]
    [8, 9, 39]
    """
    k = _TERMS + 1
    above = math.factorial(2 * k + n - 1) / math.factorial(max(n - 1, 0))
    ratio = float(abs_fraction(bernoulli_number(2 * k))) * above / math.factorial(2 * k)
    return max(math.ceil(math.pow(ratio / 1e-17, 1 / (2 * k))), 1)


def abs_fraction(number: Fraction) -> Fraction:
    """|number|; the name `abs` is an op here."""
    return max(number, -number)


def _power(x: Tensor, n: int) -> Tensor:
    """x**n for n >= 1 by repeated squaring."""
    result: Tensor | None = None
    while n:
        if n & 1:
            result = x if result is None else result * x
        n >>= 1
        x = square(x) if n else x
    assert result is not None
    return result


def _cotangent_derivative(n: int, off: Tensor) -> Tensor:
    """pi times the derivative of order n of cot(pi x), by x minus a whole number.

    With c = cot(pi x) it is pi**(n + 1) Q(c), Q = c at first and -(1 + c**2) Q' of the last.
    """
    polynomial = [0.0, 1.0]
    for _ in range(n):
        slope = [-k * each for k, each in enumerate(polynomial)][1:]
        polynomial = [a + b for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    first = (n + 1) % 2  # odd and even powers alternate: only one kind is there
    angle = math.pi * off
    cotangent = cos(angle) / sin(angle)
    value: Tensor = horner(polynomial[first::2], square(cotangent)) * math.pi ** (n + 1)
    return value * cotangent if first else value


@public
def polygamma(n: int, x: Any) -> Tensor:
    """The derivative of order n of `digamma`; n = 1 is the trigamma function.

    At 0, -1, -2, ... it is infinite for odd n and (except at 0) NaN for even n.

    Args:
        n: from 0 to 30.
        x: floats.

    Raises:
        OperandError: n is no integer, or out of range.

    >>> import asg
    >>> trigamma = asg.run(asg.polygamma(1, 1.0), {})
    >>> math.isclose(trigamma, math.pi**2 / 6, rel_tol=1e-6)
    True
    """
    return Polygamma(_order(n))(x)


def _order(n: object) -> int:
    try:
        return index(n)  # type: ignore[arg-type]
    except TypeError:
        raise TypeProblem(f"n is {n!r}, an integer is needed", error=OperandError) from None


@public
def digamma(x: Any) -> Tensor:
    """The derivative of `lgamma`: polygamma of order 0; NaN at -1, -2, ..., infinite at 0.

    >>> import asg
    >>> math.isclose(asg.run(asg.digamma(1.0), {}), -0.5772157, rel_tol=1e-6)
    True
    """
    return Polygamma(0)(x)
