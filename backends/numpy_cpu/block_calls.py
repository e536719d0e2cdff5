"""The calls of one block after the other: bound for the first, filled in for those like it.

Blocks of one shape have the same strides, so the calls of a second one differ from those of the
first in the arrays alone. Where these are the operands and results themselves, or memory that all
blocks use again, they are exchanged; a node that looks at parts of an operand is bound anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from types import BuiltinFunctionType
from typing import Any, NamedTuple

import numpy as np

from asg.core.node import Node

from .bind import bound_node, bound_steps
from .block_program import BlockProgram
from .kernel import Array, Call


class Stencil(NamedTuple):
    """A call whose arguments are taken from a list: what changes from block to block comes first.

    Attributes:
        places: of the arguments in that list.
        out: the place of what is given by name, if there is something.
        fixed: the rest of the list.
    """

    function: Callable[..., object]
    places: tuple[int, ...]
    out: int | None
    fixed: tuple[Any, ...]

    def filled(self, moving: tuple[Array, ...]) -> Call:
        """The call for another block."""
        values = moving + self.fixed
        args = tuple([values[place] for place in self.places])
        if self.out is None:
            return self.function, args
        return partial(self.function, out=values[self.out]), args


class BlockCalls:
    """Binds the blocks of one program over one piece of memory for what is in between."""

    def __init__(self, program: BlockProgram, arena: Array) -> None:
        """Nothing is bound yet."""
        self._program, self._arena = program, arena
        self._between = program.between(arena)
        self._first: tuple[list[tuple[Node, list[Call]]], tuple[Array, ...]] | None = None

    @cached_property
    def _stencils(self) -> list[tuple[Node, list[Stencil] | None]]:
        """Of the first block; there may be no second one that asks for them."""
        assert self._first is not None
        steps, moving = self._first
        return [(node, stencils_of(calls, moving)) for node, calls in steps]

    def of(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> list[Call]:
        """The calls for one block."""
        program, moving = self._program, (*inputs, *outputs)
        arrays = dict(self._between)
        arrays.update(zip((*program.inputs, *program.outputs), moving, strict=True))
        if self._first is None:
            steps = bound_steps(program.plan, arrays, self._arena)
            self._first = steps, moving
            return [call for _, calls in steps for call in calls]
        found: list[Call] = []
        for node, stencils in self._stencils:
            if stencils is None:
                found += bound_node(program.plan, node, arrays, self._arena)
            else:
                found += [each.filled(moving) for each in stencils]
        return found


def stencils_of(calls: Sequence[Call], moving: tuple[Array, ...]) -> list[Stencil] | None:
    """Calls with places for the arrays that move; None where other things may depend on these.

    >>> x, y, half = np.ones(3), np.ones(3), np.array(0.5)
    >>> (stencil,) = stencils_of([(np.multiply, (x, half, y))], (x, y))
    >>> stencil.filled((y, x))[1] == (y, half, x)
    True
    >>> stencils_of([(np.multiply, (x[::-1], half, y))], (x, y)) is None
    True
    """
    found = [_stencil(function, args, moving) for function, args in calls]
    whole = [each for each in found if each is not None]
    return whole if len(whole) == len(found) else None


def _stencil(
    function: Callable[..., object], args: tuple[Any, ...], moving: tuple[Array, ...]
) -> Stencil | None:
    named: tuple[Any, ...] = ()
    if isinstance(function, partial) and function.keywords.keys() == {"out"} and not function.args:
        named, function = (function.keywords["out"],), function.func
    if not _holds_no_array(function):
        return None
    places = {id(array): place for place, array in enumerate(moving)}
    fixed: list[Any] = []
    found = []
    for each in (*args, *named):
        if id(each) not in places:
            if not _stays(each, moving):
                return None
            places[id(each)] = len(moving) + len(fixed)
            fixed.append(each)
        found.append(places[id(each)])
    out = found.pop() if named else None
    return Stencil(function, tuple(found), out, tuple(fixed))


def _holds_no_array(function: Callable[..., object]) -> bool:
    """Whether all that a function of NumPy works on is given to it."""
    if isinstance(function, BuiltinFunctionType):
        return isinstance(function.__self__, np.ufunc)  # such as np.add.reduce
    return isinstance(function, np.ufunc | type(np.copyto))


def _stays(value: Any, moving: tuple[Array, ...]) -> bool:
    """Whether an argument is the same for every block."""
    if isinstance(value, np.ndarray):
        return not any(np.may_share_memory(value, array) for array in moving)
    if isinstance(value, tuple):
        return all(_stays(each, moving) for each in value)
    return value is None or isinstance(value, int | float | str | np.generic | np.dtype)
