"""A line search for the strong Wolfe conditions, as one loop with one evaluation in its body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.core.dtype import bool_
from asg.core.registry import call
from asg.core.tensor import Tensor

Point = dict[str, Tensor]
"""A place on the line: t, the loss f, its gradient g, and the slope ``g . d``."""
Search = dict[str, Any]
Objective = Callable[[Tensor], tuple[Tensor, Tensor]]
"""t -> (loss, gradient) at ``x + t d``."""
SUFFICIENT, CURVATURE = 1e-4, 0.9
"""The constants c1 and c2 of the conditions, as PyTorch has them."""


def strong_wolfe(
    objective: Objective,
    first: Tensor,
    direction: Tensor,
    here: Point,
    tolerance: float,
    limit: Tensor,
) -> tuple[Point, Tensor]:
    """A point with ``f <= f0 + c1 t s0`` and ``|s| <= c2 |s0|`` for slopes s, or the best found.

    The step grows until it is beyond such a point, which is then bracketed, and the bracket
    shrinks; both go to the minimum of the cubic through the two ends. Nocedal and Wright,
    "Numerical optimization", 2006, algorithms 3.5 and 3.6, with the safeguards of
    `torch.optim.LBFGS`.

    Args:
        objective: builds the loss and the gradient at a step.
        first: the first step to try.
        direction: d, along which ``here`` descends.
        here: the point t = 0.
        tolerance: a bracket that moves no coordinate by more ends the search.
        limit: of the steps tried after the first, an int32 scalar.

    Returns:
        The point, and how many were evaluated.
    """
    reach = call("abs", direction).max()
    zero = call("full", (), 0, limit.dtype)
    start: Search = {
        "t": first, "trials": zero, "evaluations": zero, "a": here, "b": here,
        "a_is_low": _bool(True), "grows": _bool(True), "goes_on": _bool(True),
        "stalled": _bool(False),
    }  # fmt: skip

    def trial(search: Search) -> Search:
        f, g = objective(search["t"])
        new = {"t": search["t"], "f": f, "g": g, "slope": call("matmul", g, direction)}
        search = {**search, "evaluations": search["evaluations"] + 1}
        search = _cond(
            search["grows"],
            lambda: _grow(search, new, here, limit),
            lambda: _shrink(search, new, here, limit),
        )
        shrinks = search["goes_on"] & ~search["grows"]
        return _cond(shrinks, lambda: _propose(search, reach, tolerance), lambda: search)

    end: Search = call("while_loop", lambda search: search["goes_on"], trial, start)  # type: ignore[assignment]
    return _choose(end["a_is_low"], end["a"], end["b"]), end["evaluations"]


def _grow(search: Search, new: Point, here: Point, limit: Tensor) -> Search:
    """While no minimum is bracketed: b is the point tried before, and a not used."""
    before, trials = search["b"], search["trials"]
    is_last = trials >= limit
    is_beyond = _is_too_high(new, here) | ((trials > 1) & (new["f"] >= before["f"]))
    is_good = ~is_last & ~is_beyond & _is_flat(new, here)
    encloses = ~is_last & ~is_good & (is_beyond | (new["slope"] >= 0.0))
    goes_farther = ~is_last & ~is_good & ~encloses
    t = new["t"]
    farther = _cubic_minimum(before, new, t + 0.01 * (t - before["t"]), 10.0 * t)
    a = _choose(is_last, here, _choose(is_good, new, before))
    return {
        **search,
        "t": call("where", goes_farther, farther, t),
        "trials": trials + call("astype", goes_farther, trials.dtype),
        "a": a,
        "b": new,
        "a_is_low": a["f"] <= new["f"],
        "grows": goes_farther,
        "goes_on": goes_farther | encloses,
    }


def _shrink(search: Search, new: Point, here: Point, limit: Tensor) -> Search:
    """The new point replaces an end of the bracket: the higher one, or the low one it is below."""
    a_is_low, trials = search["a_is_low"], search["trials"] + 1
    low = _choose(a_is_low, search["a"], search["b"])
    high = _choose(a_is_low, search["b"], search["a"])
    is_worse = _is_too_high(new, here) | (new["f"] >= low["f"])
    is_good = ~is_worse & _is_flat(new, here)
    turns = ~is_good & (new["slope"] * (high["t"] - low["t"]) >= 0.0)
    high = _choose(is_worse, new, _choose(turns, low, high))
    low = _choose(is_worse, low, new)
    a, b = _choose(a_is_low, low, high), _choose(a_is_low, high, low)
    return {
        **search,
        "trials": trials,
        "a": a,
        "b": b,
        "a_is_low": call("where", is_worse, a["f"] <= b["f"], a_is_low),
        "goes_on": ~is_good & (trials < limit),
    }


def _propose(search: Search, reach: Tensor, tolerance: float) -> Search:
    """The next step inside the bracket, away from its ends; the end where it is too small."""
    a, b = search["a"], search["b"]
    low, high = call("minimum", a["t"], b["t"]), call("maximum", a["t"], b["t"])
    t = _cubic_minimum(a, b, low, high)
    margin = 0.1 * (high - low)
    is_near = call("minimum", high - t, t - low) < margin
    moves = is_near & (search["stalled"] | (t >= high) | (t <= low))
    is_right = call("abs", t - high) < call("abs", t - low)
    inside = call("where", is_right, high - margin, low + margin)
    return {
        **search,
        "t": call("where", moves, inside, t),
        "stalled": is_near & ~moves,
        "goes_on": ~((high - low) * reach < tolerance),
    }


def _is_too_high(new: Point, here: Point) -> Tensor:
    """Whether the loss fell too little (the condition of Armijo does not hold)."""
    return new["f"] > here["f"] + SUFFICIENT * new["t"] * here["slope"]


def _is_flat(new: Point, here: Point) -> Tensor:
    """Whether the slope fell enough (the condition of curvature)."""
    return call("abs", new["slope"]) <= -CURVATURE * here["slope"]


def _cubic_minimum(a: Point, b: Point, low: Tensor, high: Tensor) -> Tensor:
    """Of the cubic with these values and slopes, kept in [low, high]; its middle if there is none.

    Nocedal and Wright, 2006, equation 3.59.
    """
    a, b = (_choose(a["t"] <= b["t"], *pair) for pair in ((a, b), (b, a)))
    width = b["t"] - a["t"]
    mean = a["slope"] + b["slope"] - 3.0 * (b["f"] - a["f"]) / width
    square = mean * mean - a["slope"] * b["slope"]
    root = call("sqrt", call("maximum", square, 0.0))
    share = (b["slope"] + root - mean) / (b["slope"] - a["slope"] + 2.0 * root)
    inside = call("minimum", call("maximum", b["t"] - width * share, low), high)
    return call("where", square >= 0.0, inside, (low + high) / 2.0)


def _choose(condition: Tensor, one: Point, other: Point) -> Point:
    """One of two points."""
    return {name: call("where", condition, one[name], other[name]) for name in one}


def _cond(condition: Tensor, one: Callable[[], Search], other: Callable[[], Search]) -> Search:
    result: Any = call("cond", condition, one, other)
    return dict(result)


def _bool(value: bool) -> Tensor:
    return call("full", (), value, bool_)
