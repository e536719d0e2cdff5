"""Random well-typed graphs, as recipes: same seed, same graph.

What is drawn is tame on purpose. Magnitudes are bounded by construction, logarithms and roots stay
inside their domains, and jumps (rounding, comparisons) are shifted away from round numbers, so
that values and derivatives of two executions can be compared closely.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from asg.core.errors import AsgError
from asg.core.graph import reachable_nodes
from asg.testing import random_library as random_library  # these register operations
from asg.testing import random_moves as random_moves
from asg.testing import random_ops as random_ops
from asg.testing import random_samples as random_samples
from asg.testing.draw import MAKERS, WEIGHTS, Draw, Size
from asg.testing.recipe import Name, Recipe

_MOST_OUTPUTS = 4
_ROOM_FOR_ANY_OP = 8
_MOST_STEPS = 20
"""Of one operation together with what prepares its operands."""


def random_recipe(seed: int, nodes: int | None = None) -> Recipe:
    """A random graph of about ``nodes`` nodes (5 to 60, drawn, unless given).

    A quarter of the graphs are in float32; half have symbolic sizes.

    >>> recipe = random_recipe(1, nodes=6)
    >>> recipe.script() == random_recipe(1, nodes=6).script(), len(recipe.steps) > 2
    (True, True)
    """
    random = Random(seed)
    target = random.randint(5, 60) if nodes is None else nodes
    dtype = random.choice(["float64", "float64", "float64", "float32"])
    draw = Draw(random, dtype, _input_sizes(random))
    for _ in range(random.randint(1, 3)):
        ndim = random.choice([1, 2, 2, 3, 3])
        shape = [random.choice(draw.sizes) for _ in range(ndim)]
        draw.float_input(shape)
    if random.random() < 0.5:  # the same numbers under other names, where they are equal
        draw.float_input([_namesake(size, draw.sizes) for size in shape])
    kept: list[Name] = []
    if target >= _ROOM_FOR_ANY_OP:  # consecutive seeds go through the whole registry
        kept = random_samples.draw_op(draw, seed)
    _fill(draw, target)
    outputs = _chosen_outputs(draw, {name.text for name in kept})
    recipe = Recipe(tuple(draw.steps), outputs, draw.feeds, f"random_recipe({seed}, {nodes})")
    return recipe.needed()


def _input_sizes(random: Random) -> list[Size]:
    """A few sizes, so that values often fit each other; two symbols may be equal by chance."""
    if random.random() < 0.5:
        return [Size(1), Size(2), Size(3), Size(4)]
    n = random.randint(2, 4)
    m = n if random.random() < 0.7 else random.randint(2, 4)
    return [Size(1), Size(random.randint(2, 4)), Size(n, "n"), Size(m, "m")]


def _namesake(size: Size, sizes: Sequence[Size]) -> Size:
    """Another symbol for the same number, if there is one."""
    named = (each for each in sizes if each.symbol is not None and each.symbol != size.symbol)
    same = [each for each in named if each.number == size.number]
    return same[0] if same and size.symbol is not None else size


def _fill(draw: Draw, target: int) -> None:
    for _ in range(20 * target):
        if len(reachable_nodes(draw.tensors.values())) >= target:
            return
        (maker,) = draw.random.choices(MAKERS, WEIGHTS)
        before = len(draw.steps)
        try:
            maker(draw)
        except AsgError as error:
            raise AssertionError(f"{maker.__name__} drew what does not fit: {error}") from error
        assert len(draw.steps) <= before + _MOST_STEPS, maker.__name__


def _chosen_outputs(draw: Draw, kept: set[str]) -> tuple[str, ...]:
    """Some results that nothing uses, those in ``kept`` first: so all values hang together."""
    used = {name for step in draw.steps for name in step.used()}
    ends = [name for name in draw.tensors if name not in used]
    others = [name for name in ends if not draw.tensors[name].dtype.is_float]
    floats = [name for name in ends if name not in others]
    if not floats:
        floats = [name for name in draw.tensors if draw.tensors[name].dtype.is_float][-1:]
    chosen = draw.random.sample(floats, len(floats))
    chosen.sort(key=lambda name: name not in kept)
    others.sort(key=lambda name: name not in kept)
    return (*sorted(chosen[:_MOST_OUTPUTS], key=floats.index), *others[:1])
