"""The numeric oracle of derivatives: central differences in float64, extrapolated.

Nothing here knows graphs or rules: a function of arrays is evaluated at shifted points. A central
difference with step ``h`` is off by ``c2 h**2 + c4 h**4 + ...``; Richardson's extrapolation over
``h, h/2, h/4`` removes the first two terms, which leaves about 1e-11 of relative error for smooth
functions of values near one. Every answer comes with an estimate of its own error, so that a
point too close to a kink or to the edge of a domain is noticed instead of believed.

Source: C. J. F. Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", Advances in
Engineering Software 4 (1982); W. Press et al., Numerical Recipes, section 5.7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from asg.core.errors import NotDifferentiable, OperandError

Array = np.ndarray[Any, np.dtype[Any]]
ArrayFunction = Callable[..., Any]

DEFAULT_STEP = 2.0**-9
_LEVELS = 3
_RETRIES = 3
_SHRINK = 2.0**-4
_GOOD_ENOUGH = 1e-8


class Difference(NamedTuple):
    """Derivatives of every output along one direction, each with the estimate of its error."""

    values: list[Array]
    errors: list[Array]


def directional_difference(
    function: ArrayFunction,
    arrays: Sequence[Array],
    direction: Sequence[Array],
    step: float = DEFAULT_STEP,
) -> Difference:
    """``d/dt f(arrays + t * direction)`` at ``t = 0``, with error estimates.

    The step shrinks, up to three times, while the estimate is above 1e-8 of the scale of the
    values (a kink or the edge of the domain lies within reach); the best attempt is returned.

    Args:
        function: from arrays to an array or a sequence of arrays.
        arrays: float64 arrays, the point.
        direction: one array per array, of its shape.
        step: the largest shift along ``direction``.

    Raises:
        OperandError: an array is not float64, or a shape differs.
        NotDifferentiable: no step gives finite values where the function itself is finite.

    >>> found = directional_difference(np.exp, [np.array(1.0)], [np.array(1.0)])
    >>> abs(float(found.values[0]) - np.e) < 1e-10, float(found.errors[0]) < 1e-8
    (True, True)
    """
    _require_float64(arrays, direction)
    center = _evaluate(function, arrays)
    best, lowest = None, np.inf
    for _ in range(_RETRIES + 1):
        attempt = _attempt(function, arrays, direction, step)
        error = _relative_error(attempt, center)
        if error < lowest:
            best, lowest = attempt, error
        if lowest <= _GOOD_ENOUGH:
            break
        step *= _SHRINK
    if best is None:
        raise NotDifferentiable(
            "the function is not finite around this point, however small the step; "
            "choose a point inside its domain"
        )
    return best


def numeric_jvp(
    function: ArrayFunction,
    arrays: Sequence[Array],
    tangents: Sequence[Array],
    step: float = DEFAULT_STEP,
) -> list[Array]:
    """``J . tangents`` for every output of ``function``; one directional difference.

    >>> numeric_jvp(lambda x: x * x, [np.array([1.0, 3.0])], [np.array([0.0, 1.0])])[0].round(8)
    array([0., 6.])
    """
    return directional_difference(function, arrays, tangents, step).values


def numeric_jacobian(
    function: ArrayFunction, arrays: Sequence[Array], step: float = DEFAULT_STEP
) -> list[list[Array]]:
    """``jacobian[output][array]`` of shape ``output.shape + array.shape``.

    One directional difference per element of ``arrays``: for small inputs.

    >>> numeric_jacobian(lambda x: x.sum() * x, [np.array([1.0, 2.0])])[0][0].round(8)
    array([[4., 1.],
           [2., 5.]])
    """
    arrays = list(arrays)
    outputs = _evaluate(function, arrays)
    jacobian = [[np.zeros(out.shape + each.shape) for each in arrays] for out in outputs]
    for position, array in enumerate(arrays):
        for place in np.ndindex(array.shape):
            column = numeric_jvp(function, arrays, _unit(arrays, position, place), step)
            for row, values in zip(jacobian, column, strict=True):
                row[position][(..., *place)] = values
    return jacobian


def numeric_vjp(
    function: ArrayFunction,
    arrays: Sequence[Array],
    cotangents: Sequence[Array],
    step: float = DEFAULT_STEP,
) -> list[Array]:
    """``sum_i cotangents[i] . d output_i / d array`` for every array, element by element.

    Raises:
        OperandError: as many cotangents as outputs are needed, of their shapes.

    >>> numeric_vjp(np.sin, [np.array([0.0, 1.0])], [np.array([2.0, 0.0])])[0].round(8)
    array([2., 0.])
    """
    arrays = list(arrays)
    outputs = _evaluate(function, arrays)
    if [each.shape for each in outputs] != [np.shape(each) for each in cotangents]:
        raise OperandError(
            f"cotangents of shapes {[np.shape(each) for each in cotangents]} "
            f"for outputs of shapes {[each.shape for each in outputs]}"
        )
    gradients = [np.zeros(each.shape) for each in arrays]
    for position, gradient in enumerate(gradients):
        for place in np.ndindex(gradient.shape):
            column = numeric_jvp(function, arrays, _unit(arrays, position, place), step)
            gradient[place] = sum(
                float(np.sum(cotangent * values))
                for cotangent, values in zip(cotangents, column, strict=True)
            )
    return gradients


def random_directions(
    arrays: Sequence[Array], count: int, generator: np.random.Generator
) -> list[list[Array]]:
    """``count`` directions of norm one, which stand for all elements when these are many."""
    found: list[list[Array]] = []
    for _ in range(count):
        drawn = [generator.standard_normal(array.shape) for array in arrays]
        norm = np.sqrt(sum(float(np.sum(each * each)) for each in drawn)) or 1.0
        found.append([np.asarray(each / norm) for each in drawn])
    return found


def _evaluate(function: ArrayFunction, arrays: Sequence[Array]) -> list[Array]:
    """The outputs as copies: an executor may reuse its buffers at the next call."""
    result = function(*arrays)
    outputs = result if isinstance(result, list | tuple) else (result,)
    return [np.array(output, dtype=np.float64) for output in outputs]


def _attempt(
    function: ArrayFunction, arrays: Sequence[Array], direction: Sequence[Array], step: float
) -> Difference:
    table = [_central(function, arrays, direction, step / 2**level) for level in range(_LEVELS)]
    pairs = [_extrapolate(rows) for rows in zip(*table, strict=True)]
    return Difference([value for value, _ in pairs], [error for _, error in pairs])


def _central(
    function: ArrayFunction, arrays: Sequence[Array], direction: Sequence[Array], step: float
) -> list[Array]:
    """``(f(x + h d) - f(x - h d)) / 2h``; rounding in ``x + h d`` is below the error estimate."""
    pairs = list(zip(arrays, direction, strict=True))
    above = _evaluate(function, [array + step * along for array, along in pairs])
    below = _evaluate(function, [array - step * along for array, along in pairs])
    with np.errstate(invalid="ignore"):  # infinity - infinity: seen as an infinite error
        return [np.asarray((a - b) / (2.0 * step)) for a, b in zip(above, below, strict=True)]


def _extrapolate(rows: Sequence[Array]) -> tuple[Array, Array]:
    """Neville's table over halved steps: the last corner and its distance to its neighbour."""
    table = list(rows)
    with np.errstate(invalid="ignore"):
        for order in range(1, len(rows)):
            factor = 4.0**order
            last = table[-1]
            table = [(factor * fine - coarse) / (factor - 1.0) for coarse, fine in pairwise(table)]
        return np.asarray(table[-1]), np.abs(table[-1] - last)


def _relative_error(found: Difference, center: Sequence[Array]) -> float:
    """The largest error estimate relative to the scale of its output, where that is finite."""
    worst = 0.0
    for value, error, at in zip(found.values, found.errors, center, strict=True):
        finite = np.isfinite(at)
        if not finite.any():
            continue
        scale = max(1.0, float(np.abs(at[finite]).max()))
        relative = float(np.abs(error[finite]).max()) / scale
        worst = max(worst, relative if np.isfinite(value[finite]).all() else np.inf)
    return worst if np.isfinite(worst) else np.inf


def _unit(arrays: Sequence[Array], position: int, place: tuple[int, ...]) -> list[Array]:
    direction = [np.zeros(array.shape) for array in arrays]
    direction[position][place] = 1.0
    return direction


def _require_float64(arrays: Sequence[Array], direction: Sequence[Array]) -> None:
    for array, along in zip(arrays, direction, strict=True):
        if array.dtype != np.float64:
            raise OperandError(f"finite differences need float64 arrays, got {array.dtype}")
        if array.shape != np.shape(along):
            raise OperandError(f"direction of shape {np.shape(along)} for shape {array.shape}")
