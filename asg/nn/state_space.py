"""The selective scan: a linear recurrence whose factors depend on the input, in little memory."""

from __future__ import annotations

from functools import reduce
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import promote
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_axes, require_positive
from asg.nn.recurrences import fitted, state_like
from asg.ops.loops import scan
from asg.ops.operand import widened


def selective_scan(
    x: Any, delta: Any, a: Any, b: Any, c: Any, state: Any = None, *, chunk: int = 64
) -> tuple[Tensor, Tensor]:
    """``h[t] = exp(delta[t] a) h[t-1] + delta[t] x[t] b[t]`` and ``y[t] = sum of h[t] c[t]``.

    Each channel has ``states`` numbers, and the values of all steps together would need
    ``[time, batch, channels, states]``. Here none is kept: states are stored once in ``chunk``
    steps, and the gradient computes those between again. (Padding at the end, with delta 0,
    leaves the state alone.) Computed in float32 at least.

    Args:
        x: ``[time, batch, channels]``.
        delta: how long each step is, positive, like x.
        a: ``[channels, states]``, negative.
        b, c: ``[time, batch, states]``.
        state: the first h, ``[batch, channels, states]``; zeros when left out.
        chunk: steps between stored states; the square root of the length needs least memory.

    Returns:
        y, like x, and the last h.

    Raises:
        ShapeError: an operand that does not fit; names it.

    Source: Gu and Dao, https://arxiv.org/abs/2312.00752.

    >>> import asg
    >>> from asg import nn
    >>> ones = asg.ones((3, 1, 1))
    >>> y, h = nn.selective_scan(ones, ones, asg.zeros((1, 1)), ones, ones)
    >>> asg.run(y).ravel().tolist(), asg.run(h).item()
    ([1.0, 2.0, 3.0], 3.0)
    """
    require_positive(chunk=chunk)
    x, a = as_tensor(x), as_tensor(a)
    require_axes("selective_scan", x, ("[time, batch, channels]",))
    require_axes("the factor a of selective_scan", a, ("[channels, states]",))
    (time, batch, channels), states = x.shape, a.shape[1]
    rows = [widened(x)]
    for name, given, size in (("delta", delta, channels), ("b", b, states), ("c", c, states)):
        rows.append(widened(fitted(name, as_tensor(given), (time, batch, size))))
    decay = widened(fitted("a", a, (channels, states)))
    dtype = reduce(promote, (row.dtype for row in rows), decay.dtype)
    first = None if state is None else widened(as_tensor(state))
    first = state_like("state", first, (batch, channels, states), dtype)
    y, last = _chunked(decay, first, tuple(rows), chunk)
    return y.astype(x.dtype), last


def _chunked(
    decay: Tensor, first: Tensor, rows: tuple[Tensor, ...], chunk: int
) -> tuple[Tensor, Tensor]:
    """The scan, padded to whole chunks: a loop over what is left over would be compiled twice."""

    def advance(h: Tensor, row: Any) -> tuple[Tensor, Tensor]:
        x, delta, b, c = row
        kept = call("exp", call("expand_dims", delta, -1) * decay) * h
        h = kept + call("expand_dims", delta * x, -1) * call("expand_dims", b, 1)
        return h, (h * call("expand_dims", c, 1)).sum(-1)

    time = rows[0].shape[0]
    if isinstance(time, int) and time <= chunk:
        last, y = scan(advance, first, rows)
        return y, last
    padding = ((0, -(-time // chunk) * chunk - time), (0, 0), (0, 0))
    padded = tuple(call("pad", row, padding) for row in rows)
    last, y = scan(advance, first, padded, checkpoint=chunk)
    return y[:time], last
