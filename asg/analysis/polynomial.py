"""Polynomials through whole numbers in equal steps, as numbers and as sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import factorial, gcd

from asg.core.dim import Dim, SymbolicDim


@dataclass(frozen=True)
class Polynomial:
    """Newton's form: with ``x = (n - start) / step``, the sum of ``differences[k] * binom(x, k)``.

    Defined for the numbers n that whole steps lead to; its values are whole numbers there.
    """

    start: int
    step: int
    differences: tuple[int, ...]

    def at(self, number: int) -> int:
        """The value; ``number - start`` is a multiple of ``step``.

        >>> Polynomial(4, 2, (16, 20, 8)).at(10)
        100
        """
        x = (number - self.start) // self.step
        total, binomial = 0, 1
        for k, difference in enumerate(self.differences):
            total += difference * binomial
            binomial = binomial * (x - k) // (k + 1)
        return total

    def dim(self, size: SymbolicDim) -> Dim:
        """The value at a size; a quotient where coefficients are no whole numbers.

        >>> from asg.core.dim import symbol
        >>> n = symbol("n")
        >>> Polynomial(4, 2, (16, 20, 8)).dim(n), Polynomial(2, 2, (6, 5)).dim(n)
        (Dim('n*n'), Dim('2*n + n//2 + 1'))
        """
        degree = max(len(self.differences) - 1, 0)
        divisor = factorial(degree) * self.step**degree
        total = [0] * (degree + 1)  # coefficients of divisor * polynomial, the constant first
        falling = [1]  # of (n - start) (n - start - step) ... with k factors
        for k, difference in enumerate(self.differences):
            share = difference * (divisor // (factorial(k) * self.step**k))
            for power, coefficient in enumerate(falling):
                total[power] += share * coefficient
            falling = _times_linear(falling, self.start + k * self.step)
        common = gcd(divisor, *total)
        value: Dim = 0
        for coefficient in reversed(total):
            value = value * size + coefficient // common
        quotient: Dim = value // (divisor // common)
        return quotient


def _times_linear(coefficients: Sequence[int], root: int) -> list[int]:
    """Coefficients of the product with ``n - root``."""
    shifted, scaled = [0, *coefficients], [*(-root * c for c in coefficients), 0]
    return [a + b for a, b in zip(shifted, scaled, strict=True)]


def interpolated(numbers: Sequence[int], values: Sequence[int]) -> Polynomial | None:
    """The polynomial through the values at numbers in equal steps, if it has fewer coefficients.

    None where every value is needed to determine it, since then none is left to prove it.

    >>> interpolated([1, 2, 3, 4], [1, 4, 9, 16]), interpolated([1, 2, 3], [1, 2, 4])
    (Polynomial(start=1, step=1, differences=(1, 3, 2)), None)
    """
    differences: list[int] = []
    left = list(values)
    while any(left):
        differences.append(left[0])
        left = [b - a for a, b in pairwise(left)]
    if len(differences) >= len(values):
        return None
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    return Polynomial(numbers[0], step, tuple(differences))
