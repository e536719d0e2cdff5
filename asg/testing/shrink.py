"""Make a failing recipe smaller, greedily, for as long as it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from asg.core.errors import AsgError
from asg.core.tensor import Tensor
from asg.testing.parity import evaluate
from asg.testing.recipe import Array, NewSize, Recipe, SizeOf, Step

Predicate = Callable[[Recipe], bool]

_MOST_ROUNDS = 200


def shrink(recipe: Recipe, fails: Predicate) -> Recipe:
    """A smaller recipe for which ``fails`` is still true.

    Five changes are tried, again and again until none of them helps: return one value only, give
    sizes as numbers, leave out an option, use an operand (or another value of its type) instead of
    a result, and turn a result into an input that is fed with its value. The last keeps the
    numbers that matter.

    Args:
        recipe: one that fails.
        fails: what must stay true. It sees only recipes that can be built, and should tell the
            same failure from others.
    """
    recipe = recipe.needed()
    for _ in range(_MOST_ROUNDS):
        smaller = next((found for found in _candidates(recipe) if _still(found, fails)), None)
        if smaller is None:
            return recipe
        recipe = smaller
    return recipe


def _still(recipe: Recipe, fails: Predicate) -> bool:
    try:
        recipe.build()
    except (AsgError, KeyError):  # what it takes away is needed elsewhere
        return False
    return fails(recipe)


def _candidates(recipe: Recipe) -> Iterator[Recipe]:
    """Every smaller recipe that is one change away, the most promising first."""
    for each in _changed(recipe):
        found = each.needed()
        if _size(found) < _size(recipe):
            yield found


def _size(recipe: Recipe) -> tuple[int, ...]:
    """Fewer computations, then fewer steps, outputs, options and symbols."""
    symbols = sum(_is_symbolic(step) for step in recipe.steps)
    computed = sum(not step.is_input for step in recipe.steps)
    options = sum(len(step.options) for step in recipe.steps)
    return computed, len(recipe.steps), len(recipe.outputs), options, symbols


def _is_symbolic(step: Step) -> bool:
    return step.is_input and any(isinstance(size, NewSize) for size in step.arguments[1])


def _changed(recipe: Recipe) -> Iterator[Recipe]:
    yield from _one_output(recipe)
    yield from _fewer_outputs(recipe)
    if any(_is_symbolic(step) for step in recipe.steps):
        yield recipe.static()
    yield from _cut(recipe)
    yield from _bypassed(recipe)
    yield from _without_an_option(recipe)


def _one_output(recipe: Recipe) -> Iterator[Recipe]:
    """Each result as the only output, early ones first: what follows them falls away."""
    for step in recipe.steps:
        if not step.is_input:
            yield from (replace(recipe, outputs=(name,)) for name in step.results)


def _fewer_outputs(recipe: Recipe) -> Iterator[Recipe]:
    for name in recipe.outputs[:-1]:
        yield replace(recipe, outputs=tuple(each for each in recipe.outputs if each != name))


def _cut(recipe: Recipe) -> Iterator[Recipe]:
    """Each result as an input, late ones first: what leads to it falls away."""
    tensors = recipe.build()
    try:
        values = evaluate(tensors, _by_label(recipe))
    except Exception:  # whatever is broken: the other changes need no values
        return
    for position in reversed(range(len(recipe.steps))):
        step = recipe.steps[position]
        if step.is_input:
            continue
        inputs = [_as_input(recipe, position, tensors[n], values[n], n) for n in step.results]
        if all(each is not None for each in inputs):
            made = tuple(each for each in inputs if each is not None)
            steps = (*recipe.steps[:position], *made, *recipe.steps[position + 1 :])
            feeds = {**recipe.feeds, **{name: values[name] for name in step.results}}
            yield replace(recipe, steps=steps, feeds=feeds)


def _by_label(recipe: Recipe) -> dict[str, Array]:
    return {name: np.asarray(array) for name, array in recipe.feeds.items()}


def _as_input(
    recipe: Recipe, position: int, tensor: Tensor, value: Array, name: str
) -> Step | None:
    """An input of the type of a result; None when a size of it is none of an earlier input."""
    known: dict[object, SizeOf | NewSize] = {}
    built: dict[str, Tensor] = {}
    for step in recipe.steps[:position]:
        if step.is_input and step.used() <= built.keys():  # some have the size of a computed value
            built |= step.run(built)
            shape = built[step.results[0]].shape
            known |= {size: SizeOf(step.results[0], axis) for axis, size in enumerate(shape)}
    sizes = [size if isinstance(size, int) else known.get(size) for size in tensor.shape]
    if None in sizes:
        return None
    return Step((name,), "input", (name, tuple(sizes), value.dtype.name))


def _bypassed(recipe: Recipe) -> Iterator[Recipe]:
    """Each result exchanged for an earlier value of its type, its operands first."""
    tensors = recipe.build()
    order = list(tensors)
    for step in reversed(recipe.steps):
        for name in step.results:
            earlier = order[: order.index(name)]
            same = [other for other in earlier if tensors[other].type == tensors[name].type]
            operands = [other for other in same if other in step.used()]
            for other in (operands or same[-2:]) if not step.is_input else same[:1]:
                yield _exchanged(recipe, name, other)


def _without_an_option(recipe: Recipe) -> Iterator[Recipe]:
    for position, step in enumerate(recipe.steps):
        for dropped in step.options:
            options = {key: value for key, value in step.options.items() if key != dropped}
            changed = replace(step, options=options)
            steps = (*recipe.steps[:position], changed, *recipe.steps[position + 1 :])
            yield replace(recipe, steps=steps)


def _exchanged(recipe: Recipe, old: str, new: str) -> Recipe:
    steps = tuple(step.renamed(old, new) for step in recipe.steps)
    outputs = tuple(dict.fromkeys(new if name == old else name for name in recipe.outputs))
    return replace(recipe, steps=steps, outputs=outputs)
