"""Whether terms are zero or at least some number, for every binding, for none, or for some."""

from __future__ import annotations

from asg.core.dim_bounds import proven_lower, proven_upper
from asg.core.dim_rules import without_mod
from asg.core.dim_terms import Terms, content


def is_zero(terms: Terms) -> bool | None:
    """True if the terms are zero under every binding, False if under none, else None."""
    if not terms:
        return True
    if _excludes_zero(terms):
        return False
    expanded = without_mod(terms)
    if not expanded:
        return True
    return False if expanded != terms and _excludes_zero(expanded) else None


def _excludes_zero(terms: Terms) -> bool:
    """Whether the terms are zero under no binding: by a bound, or by a common divisor."""
    constant_part = next((c for m, c in terms if not m), 0)
    common = content(term for term in terms if term[0])
    if constant_part if not common else constant_part % common:
        return True
    low = proven_lower(terms)
    if low is not None and low > 0:
        return True
    high = proven_upper(terms)
    return high is not None and high < 0


def is_at_least(terms: Terms, least: int) -> bool | None:
    """True if the terms are at least `least` under every binding, False if under none."""
    low = proven_lower(terms)
    if low is not None and low >= least:
        return True
    high = proven_upper(terms)
    return False if high is not None and high < least else None
