"""Where to cut a data set so that its parts have given shares."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isclose

import numpy as np

from asg.core.errors import OperandError

SLACK = 1e-9  # 0.29 * 100 is 28.999999999999996, and 29 is meant


def cut(fraction: float | Sequence[float], length: int) -> list[int]:
    """Ends of all parts but the last, each rounded down.

    Raises:
        OperandError: no fractions in (0, 1), a sum of several other than 1, or an empty part.

    >>> cut(0.29, 100), cut((0.5, 0.25, 0.25), 10)
    ([29], [5, 7])
    """
    if isinstance(fraction, list | tuple | np.ndarray):
        shares = [_share(f"fraction[{i}]", each) for i, each in enumerate(fraction)]
        if len(shares) < 2 or not isclose(sum(shares), 1.0, abs_tol=SLACK):
            raise OperandError(f"fraction={fraction!r}: two or more with the sum 1 are needed")
    else:
        shares = [_share("fraction", fraction)]
        shares.append(1.0 - shares[0])
    ends = [floor(sum(shares[: i + 1]) * length + SLACK) for i in range(len(shares) - 1)]
    sizes = np.diff([0, *ends, length])
    if 0 in sizes:
        side = "one side of the split" if len(shares) == 2 else f"part {sizes.tolist().index(0)}"
        raise OperandError(f"fraction={fraction} of {length} examples leaves {side} empty")
    return ends


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
        raise OperandError(f"{name}={value!r} is not a number")
    if not 0.0 < value < 1.0:
        raise OperandError(f"{name}={value} is not between 0 and 1")
    return float(value)
