"""Random shapes: the broadcasting rule against NumPy's, and symbolic sizes against numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asg.core.dim import Dim, evaluate, symbol
from asg.core.types import TypeProblem, broadcast_shapes, take_checks

SIZES = st.integers(min_value=0, max_value=4)
SHAPES = st.lists(SIZES, max_size=4).map(tuple)
NAMES = ("a", "b", "c")


@st.composite
def fitting_shapes(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Shapes that broadcast: each is the tail of one shape, some sizes replaced by 1."""
    common = draw(SHAPES)
    return [
        tuple(
            1 if draw(st.booleans()) else size
            for size in common[len(common) - draw(st.integers(0, len(common))) :]
        )
        for _ in range(draw(st.integers(1, 4)))
    ]


def by_numpy(shapes: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None


def by_asg(shapes: list[Any]) -> tuple[Dim, ...] | None:
    take_checks()
    try:
        return broadcast_shapes(*shapes)
    except TypeProblem:
        return None


@given(st.lists(SHAPES, min_size=1, max_size=4))
def test_any_shapes_broadcast_as_in_numpy(shapes: list[tuple[int, ...]]) -> None:
    assert by_asg(shapes) == by_numpy(shapes)
    assert take_checks() == ()


@given(fitting_shapes())
def test_shapes_that_fit_broadcast_as_in_numpy(shapes: list[tuple[int, ...]]) -> None:
    assert by_numpy(shapes) is not None
    assert by_asg(shapes) == by_numpy(shapes)


@given(fitting_shapes(), st.randoms(use_true_random=False))
def test_the_order_of_operands_does_not_matter(shapes: list[tuple[int, ...]], random: Any) -> None:
    shuffled = list(shapes)
    random.shuffle(shuffled)
    assert by_asg(shuffled) == by_asg(shapes)


@st.composite
def symbolic_shapes(draw: st.DrawFn) -> tuple[list[tuple[Dim, ...]], dict[str, int]]:
    """Shapes over a few symbols, and a binding of these to 1 .. 3."""
    sizes: list[Dim] = [1, 2, 3, *(symbol(name) for name in NAMES), symbol("a") + 1]
    shape = st.lists(st.sampled_from(sizes), max_size=3).map(tuple)
    binding = {name: draw(st.integers(1, 3)) for name in NAMES}
    return draw(st.lists(shape, min_size=1, max_size=3)), binding


@given(symbolic_shapes())
def test_symbolic_broadcasting_is_that_of_every_binding_that_passes_its_checks(
    case: tuple[list[tuple[Dim, ...]], dict[str, int]],
) -> None:
    """A symbol is never taken for 1: what the checks admit has the size that was promised."""
    shapes, binding = case
    result = by_asg(shapes)
    checks = take_checks()
    bound = [tuple(evaluate(size, binding) for size in shape) for shape in shapes]
    if result is None:
        # Never equal to each other, whatever the binding: at most a size bound to 1 could fit.
        assert by_numpy(bound) is None or any(1 in shape for shape in bound)
        return
    if all(evaluate(check.left, binding) == evaluate(check.right, binding) for check in checks):
        assert tuple(evaluate(size, binding) for size in result) == by_numpy(bound)


@given(symbolic_shapes())
def test_without_checks_the_promise_holds_for_every_binding(
    case: tuple[list[tuple[Dim, ...]], dict[str, int]],
) -> None:
    shapes, binding = case
    result = by_asg(shapes)
    if result is None or take_checks():
        return
    bound = [tuple(evaluate(size, binding) for size in shape) for shape in shapes]
    assert tuple(evaluate(size, binding) for size in result) == by_numpy(bound)


@pytest.mark.parametrize("shapes", [[(2, 0), (0, 2)], [(3,), (2, 2)], [(0,), (3,)]])
def test_known_misfits(shapes: list[tuple[int, ...]]) -> None:
    assert by_numpy(shapes) is None
    assert by_asg(shapes) is None
