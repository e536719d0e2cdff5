"""The largest number for a size that keeps a program within some memory."""

from __future__ import annotations

from collections.abc import Callable

from asg.core.dim import Symbol
from asg.core.errors import OperandError
from asg.core.units import bytes_text, parse_bytes

LOOK_AHEAD = 4
"""Numbers beyond the first that does not fit that are tried as well: placing values is a heuristic,
so that a larger program may need a few bytes less than a smaller one."""

_HIGHEST = 1 << 40
_LEAP = 64  # how many times the last number the next one may be


def largest(needed: Callable[[int], int], symbol: Symbol, memory: int | str) -> int:
    """The largest allowed number for ``symbol`` with ``needed(number) <= memory``.

    Memory is almost a line in most sizes, so the next number to try is where the line through two
    others meets the limit: mostly some ten plans in all.

    Raises:
        OperandError: not even the least number fits, or all of them do.

    >>> largest(lambda n: 100 * n + 7, Symbol("n"), 1000)
    9
    """
    limit, unit = parse_bytes(memory), symbol.multiple_of
    search = _Search(lambda units: _bytes_of(needed, units * unit), limit)
    low = max(-(-symbol.minimum // unit), 1)
    if not search.fits(low):
        raise OperandError(
            f"{symbol.name}={low * unit} needs {bytes_text(search.bytes_of(low))}, "
            f"more than {bytes_text(limit)}"
        )
    before, high = low, 2 * low
    while search.fits(high):
        if high * unit > _HIGHEST:
            raise OperandError(f"the memory does not grow with {symbol.name!r}: any number fits")
        before, high = high, search.beyond(before, high)
    low = search.last_that_fits(before, high)
    return unit * max(n for n in range(low, low + LOOK_AHEAD + 1) if search.fits(n))


class _Search:
    """Numbers that were tried, and the next one to try."""

    def __init__(self, needed: Callable[[int], int], limit: int) -> None:
        self._needed, self._limit = needed, limit
        self._known: dict[int, int] = {}

    def bytes_of(self, number: int) -> int:
        """What a number needs."""
        if number not in self._known:
            self._known[number] = self._needed(number)
        return self._known[number]

    def fits(self, number: int) -> bool:
        """Whether that is within the limit."""
        return self.bytes_of(number) <= self._limit

    def beyond(self, low: int, high: int) -> int:
        """A number above two that fit: where their line meets the limit, in bounds."""
        return max(2 * high, min(self._meeting(low, high), _LEAP * high))

    def last_that_fits(self, low: int, high: int) -> int:
        """Of numbers from ``low``, which fits, up to ``high``, which does not."""
        halve = False
        while high - low > 1:
            middle = (low + high) // 2 if halve else self._meeting(low, high)
            middle = min(max(middle, low + 1), high - 1)
            width = high - low
            low, high = (middle, high) if self.fits(middle) else (low, middle)
            halve = not halve and 2 * (high - low) > width  # the line led nowhere
        return low

    def _meeting(self, low: int, high: int) -> int:
        """Where the line through two numbers meets the limit."""
        rise = max(self.bytes_of(high) - self.bytes_of(low), 1)
        return low + (self._limit - self.bytes_of(low)) * (high - low) // rise


def _bytes_of(needed: Callable[[int], int], number: int) -> int:
    """What a number needs; more than any machine has where not even addresses are enough."""
    try:
        return needed(number)
    except MemoryError:
        return 1 << 62
