"""Arrays from rules: evenly spaced numbers, and the unit matrix."""

from __future__ import annotations

from typing import Any

from asg.core.dim import Dim, SymbolicDim, dim_max
from asg.core.dtype import as_dtype, float32, int32
from asg.core.errors import OperandError
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TypeProblem, as_shape
from asg.ops.compare import equal
from asg.ops.elementwise import where
from asg.ops.leaf import dim_size, full, iota
from asg.ops.operand import require_number

Bound = int | float | SymbolicDim


@public
def arange(
    start: Bound | str, stop: Bound | str | None = None, step: int | float = 1, dtype: Any = None
) -> Tensor:
    """``start, start + step, ...`` up to but not including ``stop``; a vector.

    Args:
        start: the first number; with ``stop=None`` it is the stop, and the first number 0. May be
            a symbolic size, as may the stop; then the step is an int.
        stop: where the numbers end.
        step: between two of them, not 0.
        dtype: int32 of ints, float32 when one of the numbers is a float, unless given.

    Raises:
        OperandError: a step of 0, or a float step between symbolic sizes.

    Source: https://data-apis.org/array-api/latest/API_specification/generated/array_api.arange.html

    >>> import asg
    >>> asg.run(asg.arange(2, 8, 3)).tolist(), asg.arange("n").shape
    ([2, 5], (Dim('n'),))
    """
    first, last = (0, start) if stop is None else (start, stop)
    begin, end = _bound("start", first), _bound("stop", last)
    require_number("step", step)
    if step == 0:
        raise TypeProblem("step is 0", "give the distance of two numbers", OperandError)
    is_float = any(isinstance(each, float) for each in (begin, end, step))
    wanted = as_dtype(dtype) if dtype is not None else float32 if is_float else int32
    count = _count(begin, end, step)
    places = iota((count,), dtype=wanted)
    if step != 1:
        places = places * step
    if isinstance(begin, SymbolicDim):
        places = places + dim_size(begin).astype(wanted)
    elif begin != 0:
        places = places + begin
    return places.astype(wanted)


def _bound(name: str, value: Any) -> Bound:
    if isinstance(value, str | SymbolicDim):
        (size,) = as_shape((value,))
        return size
    require_number(name, value)
    bound: Bound = value
    return bound


def _count(begin: Any, end: Any, step: int | float) -> Dim:
    """How many numbers there are: the distance over the step, rounded up, at least 0."""
    if isinstance(begin, int | float) and isinstance(end, int | float):
        return max(0, int(-((begin - end) // step)))
    if not all(isinstance(each, int | SymbolicDim) for each in (begin, end, step)):
        raise TypeProblem("floats and symbolic sizes do not mix", "give an int step", OperandError)
    distance = end - begin if step > 0 else begin - end
    size = abs(int(step))
    return dim_max(0, (distance + (size - 1)) // size)


@public
def linspace(
    start: int | float, stop: int | float, num: Dim | str, dtype: Any = float32,
    endpoint: bool = True,
) -> Tensor:  # fmt: skip
    """``num`` numbers, evenly spaced from ``start`` to ``stop``; the last one is ``stop`` exactly.

    Args:
        start: the first number.
        stop: the last number, or with ``endpoint=False`` the one that would follow.
        num: how many; may be symbolic.
        dtype: floating.
        endpoint: whether ``stop`` is one of them.

    Raises:
        DtypeError: the dtype is not floating.

    >>> import asg
    >>> asg.run(asg.linspace(0.0, 1.0, 5)).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    (count,) = as_shape((num,))
    low, high = require_number("start", start), require_number("stop", stop)
    places = iota((count,), dtype=dtype)
    places.type.require_float("linspace")
    total: Any = float(max(count, 1)) if isinstance(count, int) else dim_size(count).astype(dtype)
    if not endpoint:
        width: Tensor | float = (high - low) / total
        return places * width + low
    if isinstance(count, int) and count < 2:
        return places * 0.0 + low
    steps = total - 1.0
    if isinstance(steps, Tensor):
        steps = where(equal(steps, 0.0), 1.0, steps)
    spaced = places * ((high - low) / steps) + low
    is_last = equal(places, total - 1.0)
    if isinstance(count, SymbolicDim):  # a single number is the start
        is_last = is_last & (places > 0.0)
    return where(is_last, high, spaced)


@public
def eye(
    n_rows: Dim | str, n_cols: Dim | str | None = None, k: int = 0, dtype: Any = float32
) -> Tensor:
    """Ones on diagonal ``k``, zeros elsewhere; sizes may be symbolic.

    >>> import asg
    >>> asg.run(asg.eye(2, 3, k=1)).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    rows, cols = as_shape((n_rows, n_rows if n_cols is None else n_cols))
    if isinstance(k, bool) or not isinstance(k, int):
        raise TypeProblem(f"k is {k!r}", "give an int: 0 for the main diagonal", OperandError)
    shape = (rows, cols)
    one, zero = full((), 1, dtype), full((), 0, dtype)
    return where(equal(iota(shape, 1), iota(shape, 0) + k), one, zero)
