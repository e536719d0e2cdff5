"""Bounds of symbolic sizes, sound for every binding that the symbols allow.

Two strengths: `lower_bound`/`upper_bound` look at the polynomial only; `proven_lower`/
`proven_upper` also use what relates a compound atom to its operands (`max(n, m) >= n`,
`n // 2 <= n / 2`). None always means: no bound found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from asg.core.dim_terms import (
    Atom,
    Compound,
    FloorDiv,
    Interval,
    Max,
    Min,
    Mod,
    Monomial,
    Symbol,
    Terms,
    add,
    constant_value,
    replace_atom,
    scale,
)

# Monomials of a higher degree are not expanded around their bounds (2**degree terms each).
_MAXIMUM_DEGREE = 8
# How many compound atoms a proof may take apart, one after the other and in all.
_MAXIMUM_DEPTH = 5
_MAXIMUM_STEPS = 40
# A graph asks the same questions about the same few sizes again and again.
_MAXIMUM_REMEMBERED = 4096


def lower_bound(terms: Terms) -> int | None:
    """A number that the polynomial is never below.

    Every atom is written as its own bound plus a non-negative rest. Then the constant is a bound,
    apart from the terms that stay negative. `n*m - n` is thus seen to be at least 0 for m >= 1.
    """
    shifted: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        if not _add_shifted(shifted, monomial, coefficient):
            return None
    total = shifted.pop((), 0)
    for monomial, coefficient in shifted.items():
        if coefficient < 0:
            largest = _largest_rest(monomial)
            if largest is None:
                return None
            total += coefficient * largest
    return total


def _add_shifted(shifted: dict[Monomial, int], monomial: Monomial, coefficient: int) -> bool:
    """Add `coefficient * monomial` in the shifted atoms; False if an atom has no bound at all."""
    if len(monomial) > _MAXIMUM_DEGREE:
        return False
    products: list[tuple[Monomial, int]] = [((), coefficient)]
    for atom in monomial:
        low, high = atom_bounds(atom)
        if low is not None:
            shift, sign = low, 1
        elif high is not None:
            shift, sign = high, -1
        else:
            return False
        grown = [((*kept, atom), c * sign) for kept, c in products]
        products = grown + [(kept, c * shift) for kept, c in products if shift]
    for kept, c in products:
        shifted[kept] = shifted.get(kept, 0) + c
    return True


def _largest_rest(monomial: Monomial) -> int | None:
    """The largest product of the non-negative rests, atom minus its lower bound."""
    product = 1
    for atom in monomial:
        low, high = atom_bounds(atom)
        if low is None or high is None:
            return None
        product *= high - low
    return product


def upper_bound(terms: Terms) -> int | None:
    """A number that the polynomial is never above."""
    low = lower_bound(scale(terms, -1))
    return None if low is None else -low


def atom_bounds(atom: Atom) -> Interval:
    """(least, largest) value of an atom, None where it has no bound. Computed once per atom."""
    if atom.cached_bounds is None:
        atom.cached_bounds = _compute_atom_bounds(atom)
    return atom.cached_bounds


def _compute_atom_bounds(atom: Atom) -> Interval:
    if isinstance(atom, Symbol):  # the atom is the multiple_of-th part of the symbol
        return -(-atom.minimum // atom.multiple_of), None
    assert isinstance(atom, Compound)
    intervals = [(proven_lower(terms), proven_upper(terms)) for terms in atom.operands]
    if isinstance(atom, FloorDiv):
        return _floor_bounds(*intervals)
    if isinstance(atom, Mod):
        return _modulo_bounds(*intervals)
    if isinstance(atom, Max):
        return _maximum_bounds(intervals)
    assert isinstance(atom, Min)
    low, high = _maximum_bounds([_negated(interval) for interval in intervals])
    return _negated((low, high))


def _negated(interval: Interval) -> Interval:
    low, high = interval
    return None if high is None else -high, None if low is None else -low


def _floor_bounds(numerator: Interval, divisor: Interval) -> Interval:
    divisor_low, divisor_high = divisor
    if divisor_low is None or divisor_low < 1:
        return None, None
    low, high = numerator
    far_low = 0 if divisor_high is None else None if low is None else low // divisor_high
    far_high = -1 if divisor_high is None else None if high is None else high // divisor_high
    least = None if low is None else far_low if low >= 0 else low // divisor_low
    largest = None if high is None else high // divisor_low if high >= 0 else far_high
    return least, largest


def _modulo_bounds(numerator: Interval, divisor: Interval) -> Interval:
    low, high = divisor
    if low is not None and low >= 1:
        candidates = [] if high is None else [high - 1]
        if numerator[0] is not None and numerator[0] >= 0 and numerator[1] is not None:
            candidates.append(numerator[1])
        return 0, min(candidates, default=None)
    if high is not None and high <= -1:
        return None if low is None else low + 1, 0
    return None, None


def _maximum_bounds(intervals: list[Interval]) -> Interval:
    lows = [low for low, _ in intervals if low is not None]
    highs = [high for _, high in intervals if high is not None]
    complete = len(highs) == len(intervals)
    return max(lows, default=None), max(highs) if complete else None


@lru_cache(_MAXIMUM_REMEMBERED)
def proven_lower(terms: Terms) -> int | None:
    """The best lower bound found, taking compound atoms apart one after the other."""
    number = constant_value(terms)
    return _Proof().lower(terms, _MAXIMUM_DEPTH) if number is None else number


def proven_upper(terms: Terms) -> int | None:
    """The best upper bound found."""
    low = proven_lower(scale(terms, -1))
    return None if low is None else -low


def known_nonzero(terms: Terms) -> bool:
    """Whether zero is excluded for every binding."""
    low = proven_lower(terms)
    if low is not None and low >= 1:
        return True
    high = proven_upper(terms)
    return high is not None and high <= -1


@dataclass(frozen=True, slots=True)
class _Step:
    """`terms >= (case - slack) / factor`, for every case, or for at least one of them."""

    cases: list[Terms]
    every_case: bool = True
    slack: int = 0
    factor: int = 1


class _Proof:
    """One search for a lower bound, with a limit on the steps that it takes in all."""

    def __init__(self) -> None:
        self.steps_left = _MAXIMUM_STEPS

    def lower(self, terms: Terms, depth: int) -> int | None:
        best = lower_bound(terms)
        for monomial, coefficient in terms if depth else ():
            if len(monomial) == 1 and isinstance(monomial[0], Compound) and self.steps_left > 0:
                step = _step(terms, monomial[0], coefficient)
                low = None if step is None else self.after(step, depth - 1)
                if low is not None:
                    return low if best is None else max(best, low)
        return best

    def after(self, step: _Step, depth: int) -> int | None:
        self.steps_left -= 1
        lows = [self.lower(case, depth) for case in step.cases]
        known = [low for low in lows if low is not None]
        if not known or (len(known) < len(lows) and not step.every_case):
            return None
        low = max(known) if step.every_case else min(known)
        return -((step.slack - low) // step.factor)


def _step(terms: Terms, atom: Compound, coefficient: int) -> _Step | None:
    """What replaces `atom`, which occurs as `coefficient * atom`; None if no law applies."""
    linear = not any(atom in monomial for monomial, _ in terms if len(monomial) > 1)
    if isinstance(atom, Max | Min):  # one of the cases occurs, and max is at least every one
        cases = [replace_atom(terms, atom, case) for case in atom.operands]
        return _Step(cases, every_case=linear and (coefficient > 0) == isinstance(atom, Max))
    if not linear:
        return None
    if isinstance(atom, FloorDiv):
        return _floor_step(terms, atom, coefficient)
    dividend, divisor = atom.operands
    if coefficient < 0 and _at_least(dividend, 0) and _at_least(divisor, 1):  # a % b <= a
        return _Step([replace_atom(terms, atom, dividend)])
    return None


def _floor_step(terms: Terms, atom: Compound, coefficient: int) -> _Step | None:
    """Use `(a - k + 1) / k <= a // k <= a / k`, with everything multiplied by k."""
    numerator, divisor = atom.operands
    number = constant_value(divisor)
    if number is None and coefficient < 0 and _at_least(numerator, 0):
        number = proven_lower(divisor)  # a // b <= a // least b
    if number is None or number < 1:
        return None
    rest = tuple(term for term in terms if term[0] != (atom,))
    slack = coefficient * (number - 1) if coefficient > 0 else 0
    case = add(scale(rest, number), numerator, coefficient)
    return _Step([case], slack=slack, factor=number)


def _at_least(terms: Terms, least: int) -> bool:
    low = proven_lower(terms)
    return low is not None and low >= least
