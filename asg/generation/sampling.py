"""The choice of a token, as graph: functions of logits ``[rows, vocabulary]``."""

from __future__ import annotations

from asg.core.dtype import float32, int32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.generation.options import Options

NEVER = float("-inf")


def chosen(logits: Tensor, key: Tensor | None, options: Options) -> Tensor:
    """int32 ``[rows]``: the likeliest token, or with a temperature one that is drawn."""
    if not options.temperature:
        best: Tensor = call("argmax", logits, -1)
        return best.astype(int32)
    drawn: Tensor = call("categorical", key, narrowed(logits, options))
    return drawn.astype(int32)


def narrowed(logits: Tensor, options: Options) -> Tensor:
    """Logits of the distribution that is drawn from."""
    logits = logits / options.temperature
    if options.top_k is not None:
        logits = of_top_k(logits, options.top_k)
    if options.top_p is not None and options.top_p < 1.0:
        logits = of_top_p(logits, options.top_p)
    return logits


def of_top_k(logits: Tensor, k: int) -> Tensor:
    """Minus infinity where more than k - 1 tokens are likelier.

    >>> import asg
    >>> asg.run(of_top_k(asg.constant([[1.0, 3.0, 2.0]]), 2)).tolist()
    [[-inf, 3.0, 2.0]]
    """
    best, _ = call("top_k", logits, k)
    kept: Tensor = call("where", logits >= best[:, -1:], logits, NEVER)
    return kept


def of_top_p(logits: Tensor, p: float) -> Tensor:
    """Minus infinity outside of the fewest tokens whose probabilities sum up to ``p``.

    The likeliest come first, of equal ones those with the smaller number.

    >>> import asg
    >>> logits = asg.log(asg.constant([[0.2, 0.5, 0.3]]))
    >>> asg.run(asg.exp(of_top_p(logits, 0.6))).astype(float).round(2).tolist()
    [[0.0, 0.5, 0.3]]
    """
    order = call("argsort", logits, descending=True)
    sorted_shares = call("take_along_axis", call("softmax", logits), order)
    before = call("cumsum", sorted_shares, -1, exclusive=True)
    rank = call("argsort", order)
    kept: Tensor = call("take_along_axis", call("less", before, p), rank)
    result: Tensor = call("where", kept, logits, NEVER)
    return result


def penalised(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Logits of tokens that were ``seen`` (bool of the same shape) made smaller.

    >>> import asg
    >>> seen = asg.constant([[True, True, False]])
    >>> asg.run(penalised(asg.constant([[4.0, -1.0, 3.0]]), seen, 2.0)).tolist()
    [[2.0, -2.0, 3.0]]
    """
    smaller = call("where", call("greater", logits, 0.0), logits / penalty, logits * penalty)
    result: Tensor = call("where", seen, smaller, logits)
    return result


def without(logits: Tensor, tokens: tuple[int, ...], when: Tensor) -> Tensor:
    """Minus infinity at these tokens when the bool scalar holds."""
    banned = call("logical_and", one_of(call("iota", (logits.shape[-1],)), tokens), when)
    result: Tensor = call("where", banned, NEVER, logits)
    return result


def one_of(values: Tensor, tokens: tuple[int, ...]) -> Tensor:
    """bool: which integers are one of ``tokens``.

    >>> import asg
    >>> asg.run(one_of(asg.constant([1, 2, 3]), (3, 1))).tolist()
    [True, False, True]
    """
    if not tokens:
        nothing: Tensor = call("full", values.shape, False)
        return nothing
    listed = call("constant", list(tokens), values.dtype)
    found: Tensor = call("any", call("equal", call("expand_dims", values, -1), listed), -1)
    return found


def marked(seen: Tensor, tokens: Tensor, valid: Tensor) -> Tensor:
    """``seen`` (bool ``[rows, vocabulary]``) with the valid ones of tokens ``[rows, time]``."""
    counts = call("scatter_add_along_axis", seen.astype(int32), tokens, valid.astype(int32))
    result: Tensor = call("greater", counts, 0)
    return result


def wide(logits: Tensor) -> Tensor:
    """Half precision as float32: what is computed of probabilities needs it."""
    return logits.astype(float32) if logits.dtype.bits < 32 else logits
