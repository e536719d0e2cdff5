"""Bytes and counts for people: written with a unit, and read back."""

from __future__ import annotations

import re

from asg.core.errors import OperandError

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL = ("", "k", "M", "G", "T", "P", "E")
_FACTORS = {"": 1, "b": 1} | {
    f"{letter}{middle}b": (1024 if middle else 1000) ** power
    for power, letter in enumerate("kmgtp", start=1)
    for middle in ("", "i")
}


def bytes_text(nbytes: float) -> str:
    """A size in memory, in powers of 1024.

    >>> bytes_text(640), bytes_text(65536), bytes_text(3 * 2**20)
    ('640 B', '64.0 KiB', '3.0 MiB')
    """
    size, unit = float(nbytes), 0
    while abs(size) >= 1024 and unit < len(_BINARY) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_BINARY[unit]}" if unit else f"{nbytes:g} B"


def count_text(number: float) -> str:
    """A count in powers of 1000, to three digits.

    >>> count_text(7), count_text(1234), count_text(2.5e9)
    ('7', '1.23 k', '2.5 G')
    """
    size, unit = float(number), 0
    while abs(size) >= 999.5 and unit < len(_DECIMAL) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {_DECIMAL[unit]}".rstrip()


def parse_bytes(value: int | str) -> int:
    """Bytes from a number or a text with a unit: GB is 10^9, GiB is 2^30.

    Raises:
        OperandError: it is no positive size.

    >>> parse_bytes("4GB"), parse_bytes("1.5 KiB"), parse_bytes(64)
    (4000000000, 1536, 64)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(value))
    factor = _FACTORS.get(found[2].lower()) if found else None
    nbytes = int(float(found[1]) * factor) if found and factor else 0
    if isinstance(value, bool) or nbytes < 1:
        raise OperandError(f"memory={value!r} is no size; write bytes, or 4GB, 512MB, 1.5GiB")
    return nbytes
