"""Programs over stacks (`lift.py`) as their callers know them: variables one by one.

Between steps the variables of many layers are the rows of one array. Whoever asks for a variable
is given a view of its row; arrays that are given instead, at first or after loading a checkpoint,
are stacked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from asg.compiler.backend import BackendPlan, ordered_slots
from asg.core.graph import Graph
from asg.core.node import Node

from .executor import JaxExecutable
from .feed import Gate
from .lift import Lifted, Place


class StackedState(Sequence[Any]):
    """The variables of a program, in the order of slots: every one a `VariableView`.

    Attributes:
        arrays: of the program's own variables. Every step exchanges them.
        places: of the variables of the graph in them.
    """

    def __init__(self, places: tuple[Place, ...], shapes: Sequence[tuple[int, ...]]) -> None:
        """Without arrays as yet."""
        self.arrays: Sequence[Any] = ()
        self.places = places
        pairs = zip(places, shapes, strict=True)
        self._variables = [VariableView(self, place, shape) for place, shape in pairs]

    def __len__(self) -> int:
        return len(self._variables)

    def __getitem__(self, number: Any) -> Any:
        return self._variables[number]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._variables)


class VariableView:
    """One variable of a `StackedState`, with the value that the last step gave it."""

    __slots__ = ("_shape", "_state", "place")

    def __init__(self, state: StackedState, place: Place, shape: tuple[int, ...]) -> None:
        """The ``place`` is where ``state`` has it."""
        self._state, self.place, self._shape = state, place, shape

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the value."""
        found: np.dtype[Any] = self._state.arrays[self.place[0]].dtype
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """A copy of the value."""
        number, row = self.place
        whole = np.asarray(self._state.arrays[number])
        return np.array(whole if row is None else whole[row], dtype)

    def block_until_ready(self) -> None:
        """Wait for the step that computes the value."""
        self._state.arrays[self.place[0]].block_until_ready()

    def array(self) -> Any:
        """The value as JAX holds it; None for a row of a stack."""
        number, row = self.place
        return self._state.arrays[number] if row is None else None

    @staticmethod
    def stack_of(rows: Sequence[Any]) -> Any:
        """The stack of which these are all rows, in order; None if there is none."""
        first = rows[0]
        if not isinstance(first, VariableView) or first.place[1] is None:
            return None
        state, number = first._state, first.place[0]
        for place, row in enumerate(rows):
            if not isinstance(row, VariableView) or row._state is not state:
                return None
            if row.place != (number, place):
                return None
        stack = state.arrays[number]
        return stack if stack.shape[0] == len(rows) else None


# -- the program ----------------------------------------------------------------------------------


class StackedExecutable:
    """A compiled graph some of whose variables are held as rows of stacks.

    It is called like a `JaxExecutable`, and tells the same of itself, all of ``inner``.
    """

    def __init__(self, plan: Lifted, inner: JaxExecutable) -> None:
        """``inner`` is the program of ``plan.inner``."""
        graph = plan.graph
        self.inner = inner
        self._plan = plan
        self._slots = ordered_slots(graph.state)
        held = {slot.input for slot in self._slots}
        self._fed = [position for position in range(len(graph.inputs)) if position not in held]
        places = plan.places()
        shapes: list[Any] = [graph.inputs[slot.input].shape for slot in self._slots]
        self._state = StackedState(places, shapes)
        self._sources: list[list[int]] = [[] for _ in plan.inner.state]
        self._rows: list[int | None] = [None] * len(plan.inner.state)
        for number, (of, row) in sorted(enumerate(places), key=lambda item: item[1][1] or 0):
            self._sources[of].append(number)
            self._rows[of] = row
        self._gate = Gate(graph, [slot.input for slot in graph.state if slot.output is not None])

    @property
    def graph(self) -> Graph:
        """What the program computes: of stacks."""
        return self.inner.graph

    @property
    def compiled(self) -> Any:
        """JAX's own object, a ``jax.stages.Compiled``."""
        return self.inner.compiled

    def step(self, feeds: Sequence[Any], state: Sequence[Any]) -> tuple[list[Any], Sequence[Any]]:
        """`asg.compiler.backend.SteppingProgram.step`; errors as of `JaxExecutable.__call__`."""
        own = self._state
        arrays = own.arrays if state is own else self._own(feeds, state)
        results, own.arrays = self.inner.step(feeds, arrays)
        return results, own

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Run one step: arrays of the given graph's inputs to those of its outputs.

        Raises:
            FeedError: an array does not fit; names the input.
            StateError: an array was consumed by an earlier step.
        """
        feeds, state = self._apart(inputs)
        results, after = self.inner.step(feeds, self._own(feeds, state))
        stored = {slot.output: number for number, slot in enumerate(self._slots)}
        whole = [np.asarray(array) for array in after]
        given = iter(results)
        outputs = []
        for position in range(len(self._plan.graph.outputs)):
            if position in stored:
                number, row = self._state.places[stored[position]]
                outputs.append(after[number] if row is None else _on_device(whole[number][row]))
            else:
                outputs.append(next(given))
        return outputs

    def _apart(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        return [inputs[i] for i in self._fed], [inputs[slot.input] for slot in self._slots]

    def _own(self, feeds: Sequence[Any], state: Sequence[Any]) -> list[Any]:
        """The program's own variables, from those of the graph."""
        rows = [[state[number] for number in numbers] for numbers in self._sources]
        found = [
            _alone_array(each[0]) if place is None else VariableView.stack_of(each)
            for each, place in zip(rows, self._rows, strict=True)
        ]
        if any(array is None for array in found):
            self._require_fitting(feeds, state)
        return [
            _on_device(np.stack([np.asarray(row) for row in each])) if array is None else array
            for each, array in zip(rows, found, strict=True)
        ]

    def _require_fitting(self, feeds: Sequence[Any], state: Sequence[Any]) -> None:
        """FeedError or StateError for an array that cannot be a row of a stack."""
        inputs: list[Any] = [None] * len(self._plan.graph.inputs)
        for position, array in zip(self._fed, feeds, strict=True):
            inputs[position] = array
        for slot, array in zip(self._slots, state, strict=True):
            inputs[slot.input] = array
        problem = self._gate.problem(self._gate.admitted(inputs))
        if problem is not None:
            raise problem

    # -- what it tells of itself ----------------------------------------------------------------

    def plan(self) -> BackendPlan:
        """`JaxExecutable.plan`."""
        return self.inner.plan()

    def cost_analysis(self) -> dict[str, float]:
        """`JaxExecutable.cost_analysis`."""
        return self.inner.cost_analysis()

    def memory_analysis(self) -> Any:
        """`JaxExecutable.memory_analysis`."""
        return self.inner.memory_analysis()

    def hlo_text(self) -> str:
        """`JaxExecutable.hlo_text`."""
        return self.inner.hlo_text()

    def time_nodes(self, inputs: Sequence[Any], steps: int = 1) -> list[tuple[Node, float]]:
        """`JaxExecutable.time_nodes`, for arrays of the given graph's inputs."""
        feeds, state = self._apart(inputs)
        inputs = self.inner.in_order(feeds, self._own(feeds, state))
        return self.inner.time_nodes(inputs, steps)


def _alone_array(held: Any) -> Any:
    """What the program is given for a variable that is in no stack."""
    if not isinstance(held, VariableView):
        return held
    array = held.array()
    return np.asarray(held) if array is None else array


def _on_device(array: np.ndarray[Any, Any]) -> Any:
    with jax.enable_x64(True):  # elsewhere JAX would narrow 64-bit arrays
        return jax.device_put(array)
