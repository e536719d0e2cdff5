"""Compare the gradients of a sample, and the gradients of these, with finite differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from asg.autodiff.finite_difference import Difference, directional_difference, random_directions

Array = np.ndarray[Any, np.dtype[Any]]

_ALL_ELEMENTS_UP_TO = 40
_RANDOM_DIRECTIONS = 10
_NOISE = 1e-9


@dataclass(frozen=True)
class Derivatives:
    """Numbers that belong together at one point ``x``.

    ``g = u . dy/dx`` and ``second = d<g, v>/dx``, ``pushed = d<g, v>/du = dy/dx . v``.

    Attributes:
        evaluate: from arrays ``x`` to ``[*y, *g]``.
        x, u, v: point, cotangents of ``y``, directions of ``x``.
        y, g: values at the point.
        second, pushed: None when only first derivatives are to be compared.
        tolerance: allowed relative error.
    """

    evaluate: Callable[..., list[Array]]
    x: Sequence[Array]
    u: Sequence[Array]
    v: Sequence[Array]
    y: Sequence[Array]
    g: Sequence[Array]
    second: Sequence[Array] | None
    pushed: Sequence[Array] | None
    tolerance: float


class _Direction(NamedTuple):
    name: str
    along: Sequence[Array]


def derivative_problems(numbers: Derivatives) -> list[str]:
    """What disagrees with finite differences; empty when nothing does.

    All elements of small operands are checked one by one, large ones along random directions.
    A point at which finite differences themselves are unreliable is a problem, too.
    """
    problems = []
    for direction in _directions(numbers.x):
        found = directional_difference(numbers.evaluate, numbers.x, direction.along)
        problems += _first_order(numbers, direction, found)
        if numbers.second is not None:
            problems += _second_order(numbers, direction, found)
    return (problems or _along_v(numbers))[:3]


def _directions(x: Sequence[Array]) -> Iterator[_Direction]:
    if sum(array.size for array in x) <= _ALL_ELEMENTS_UP_TO:
        for position, array in enumerate(x):
            for place in np.ndindex(array.shape):
                along = [np.zeros(each.shape) for each in x]
                along[position][place] = 1.0
                yield _Direction(f"by operand {position} at {place}", along)
        return
    drawn = random_directions(x, _RANDOM_DIRECTIONS, np.random.default_rng(0))
    for number, along in enumerate(drawn):
        yield _Direction(f"along random direction {number}", along)


def _first_order(numbers: Derivatives, direction: _Direction, found: Difference) -> list[str]:
    count = len(numbers.y)
    return _judge(
        f"gradient {direction.name}",
        _inner(numbers.g, direction.along),
        _inner(numbers.u, found.values[:count]),
        _inner([np.abs(u) for u in numbers.u], found.errors[:count]),
        numbers.tolerance * _norm(numbers.g) + _NOISE * _bound(numbers.u, numbers.y),
    )


def _second_order(numbers: Derivatives, direction: _Direction, found: Difference) -> list[str]:
    count = len(numbers.y)
    assert numbers.second is not None
    return _judge(
        f"second derivative {direction.name}",
        _inner(numbers.second, direction.along),
        _inner(numbers.v, found.values[count:]),
        _inner([np.abs(v) for v in numbers.v], found.errors[count:]),
        numbers.tolerance * _norm(numbers.second) + _NOISE * _bound(numbers.v, numbers.g),
    )


def _along_v(numbers: Derivatives) -> list[str]:
    """The derivative of ``<g, v>`` by the cotangents is the directional derivative along v."""
    length = _norm(numbers.v)
    if numbers.pushed is None or length == 0.0:
        return []
    found = directional_difference(numbers.evaluate, numbers.x, [v / length for v in numbers.v])
    problems = []
    for i, (pushed, value) in enumerate(zip(numbers.pushed, found.values, strict=False)):
        off = float(np.abs(pushed / length - value).max(initial=0.0))
        allowed = numbers.tolerance * _norm([value]) + _NOISE * (1.0 + _largest([numbers.y[i]]))
        if not off <= allowed:
            problems.append(
                f"the gradient is not linear in its cotangent, or wrong: its derivative by the "
                f"cotangent of output {i} is off by {off:.3g} (allowed {allowed:.3g})"
            )
    return problems


def _judge(what: str, exact: float, numeric: float, error: float, allowed: float) -> list[str]:
    if not abs(exact - numeric) <= allowed:
        unsure = f" (their own error is about {error:.2g})" if not error <= allowed else ""
        return [
            f"{what}: {exact:.12g}, finite differences give {numeric:.12g}{unsure}; "
            f"off by {abs(exact - numeric):.3g}, allowed {allowed:.3g}"
        ]
    if not error <= max(allowed, 1e-7):
        return [
            f"{what}: finite differences are unreliable here (error about {error:.2g}); "
            "move the operands away from kinks, or state the expected vjp as `kink`"
        ]
    return []


def _inner(left: Sequence[Array], right: Sequence[Array]) -> float:
    return sum(float(np.sum(a * b)) for a, b in zip(left, right, strict=True))


def _norm(arrays: Sequence[Array]) -> float:
    return float(np.sqrt(sum(float(np.sum(array * array)) for array in arrays)))


def _largest(arrays: Sequence[Array]) -> float:
    return max((float(np.abs(array).max(initial=0.0)) for array in arrays), default=0.0)


def _bound(weights: Sequence[Array], values: Sequence[Array]) -> float:
    """The scale of rounding errors in ``<weights, values>``."""
    return 1.0 + _norm(weights) * _largest(values)
