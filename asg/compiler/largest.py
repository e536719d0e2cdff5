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


def largest(needed: Callable[[int], int], symbol: Symbol, memory: int | str) -> int:
    """The largest allowed number for ``symbol`` with ``needed(number) <= memory``.

    Doubles until a number does not fit, then halves the interval: about two plans per bit.

    Raises:
        OperandError: not even the least number fits, or all of them do.

    >>> largest(lambda n: 100 * n + 7, Symbol("n"), 1000)
    9
    """
    limit, unit = parse_bytes(memory), symbol.multiple_of
    known: dict[int, int] = {}

    def fits(units: int) -> bool:
        if units not in known:
            known[units] = _bytes_of(needed, units * unit)
        return known[units] <= limit

    low = max(-(-symbol.minimum // unit), 1)
    if not fits(low):
        raise OperandError(
            f"{symbol.name}={low * unit} needs {bytes_text(known[low])}, "
            f"more than {bytes_text(limit)}"
        )
    high = 2 * low
    while fits(high):
        if high * unit > _HIGHEST:
            raise OperandError(f"the memory does not grow with {symbol.name!r}: any number fits")
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return unit * max(n for n in range(low, low + LOOK_AHEAD + 1) if fits(n))


def _bytes_of(needed: Callable[[int], int], number: int) -> int:
    """What a number needs; more than any machine has where not even addresses are enough."""
    try:
        return needed(number)
    except MemoryError:
        return 1 << 62
