"""The executable: fixed arrays, a flat list of bound calls, and the loop that runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from functools import partial
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np

from asg.analysis.memory import MemoryPlan
from asg.compiler.backend import ordered_slots
from asg.core.errors import FeedError
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.tensor import Tensor

from .bind import Program, bind
from .blas import single_threaded
from .explain import explain_program
from .kernel import Array, Call
from .plan_code import plan_to_json
from .products import keeps_blas_alone
from .share import in_turn
from .threads import be_quiet_and_lean


class NumpyExecutable:
    """One specialised graph, bound to memory of its own.

    A step copies the inputs to their places, makes the calls, and copies the results out, so that
    results are the caller's to keep. Variables live in this object: their arrays are updated in
    place and returned themselves. Handing the returned array back in the next step costs nothing,
    any other array is adopted by copying it.

    One step runs at a time: a second thread waits. A step that is interrupted (Ctrl-C) may leave
    variables half updated.
    """

    def __init__(self, graph: Graph, told: Any = None) -> None:
        """Plan, allocate, bind; a plan that an earlier run has ``told`` is not made again.

        Raises:
            UnsupportedOp: a node has neither kernel nor view.
            ValueError, LookupError, TypeError: the plan was told of another graph.
        """
        self.graph = graph
        self._program = program = bind(graph, told=told)
        self._lock = Lock()
        self._quiet = _quiet_context()
        self._feeds = [(i, a, a.shape, a.dtype) for i, a in program.feeds()]
        held = dict(program.states)
        self._slots = ordered_slots(graph.state)
        self._state = tuple(held[slot.input] for slot in self._slots)
        self._schedule = program.schedule()
        self._blas_alone = keeps_blas_alone(graph)
        self._finish = program.finish
        stored = {slot.output for slot in self._slots}
        outputs = enumerate(graph.outputs)
        self._results = [_copier(program, t) for i, t in outputs if i not in stored]
        self._everything: Program | None = None
        self._plan: MemoryPlan | None = None

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Arrays in the order of ``graph.inputs`` to those of ``graph.outputs``.

        Raises:
            FeedError: an array has not the shape and dtype of its input; nothing was changed.
        """
        feeds = [inputs[position] for position, *_ in self._feeds]
        results, state = self.step(feeds, [inputs[slot.input] for slot in self._slots])
        if not state:
            return results
        stored = {slot.output: array for slot, array in zip(self._slots, state, strict=True)}
        others = iter(results)
        return [
            stored[position] if position in stored else next(others)
            for position in range(len(self.graph.outputs))
        ]

    def step(
        self, feeds: Sequence[Array], state: Sequence[Array]
    ) -> tuple[list[Array], Sequence[Array]]:
        """`asg.compiler.backend.SteppingProgram.step`.

        Raises:
            FeedError: an array has not the shape and dtype of its input; nothing was changed.
        """
        with self._lock:
            if not self._blas_alone:
                return self._quiet.run(self._step, feeds, state), self._state
            with single_threaded():
                return self._quiet.run(self._step, feeds, state), self._state

    def take(self, number: int, array: Array) -> Array:
        """`asg.compiler.backend.TakingProgram.take`.

        Raises:
            FeedError: the array has not the shape and dtype of the variable; nothing was changed.
        """
        with self._lock:
            own = self._state[number]
            if array is not own:
                _require_fit(self.graph, self._slots[number].input, own, array)
                np.copyto(own, array)
            return own

    def _step(self, feeds: Sequence[Array], state: Sequence[Array]) -> list[Array]:
        if state is not self._state:
            self._adopt(feeds, state)
        for given, (position, array, shape, dtype) in zip(feeds, self._feeds, strict=True):
            if given.shape != shape or given.dtype != dtype:
                _require_fit(self.graph, position, array, given)
            array[...] = given
        try:
            for function, args in self._schedule:
                function(*args)
        except Exception as error:
            self._program.tell_where(error, function, args)
            raise
        results = [copy() for copy in self._results]
        for function, args in self._finish:
            function(*args)
        return results

    def _adopt(self, feeds: Sequence[Array], state: Sequence[Array]) -> None:
        """Copy the state arrays that are not our own; all are checked before any is changed."""
        for (position, array, *_), given in zip(self._feeds, feeds, strict=True):
            _require_fit(self.graph, position, array, given)
        ours = self._program.state_memory
        copies = []
        for slot, array, given in zip(self._slots, self._state, state, strict=True):
            if given is not array:
                _require_fit(self.graph, slot.input, array, given)
                given = np.asarray(given)
                # Our own memory, given for another variable, may be overwritten before its turn.
                copies.append((array, given.copy() if np.may_share_memory(given, ours) else given))
        for array, given in copies:
            np.copyto(array, given)

    # -- looking inside -----------------------------------------------------------------------

    @property
    def plan(self) -> MemoryPlan:
        """Where every value lives, and how much memory that takes."""
        if self._plan is None:
            self._plan = self._program.plan.summary()
        return self._plan

    def told_plan(self) -> Any:
        """The plan as JSON, for another run."""
        return plan_to_json(self._program.plan)

    def explain(self) -> str:
        """The plan and the schedule as text, a line per value."""
        return explain_program(self._program)

    def run_all(self, inputs: Sequence[Array]) -> dict[Tensor, Array]:
        """Every value of the graph for these inputs, by tensor.

        Runs the same kernels without any reuse of memory; the variables stay as they are.
        """
        with self._lock:
            if self._everything is None:
                self._everything = bind(self.graph, reuse=False)
            return self._quiet.run(_all_values, self._everything, inputs)

    def time_nodes(self, inputs: Sequence[Array], steps: int = 1) -> list[tuple[Node, float]]:
        """Seconds per node, the median over some steps; the variables stay as they are.

        Views and constants take no time and are not listed. Shards run one after the other here;
        the time of a node in them is that in one of them.
        """
        with self._lock:
            return self._quiet.run(_timed, self._program, inputs, steps)


def evaluate(graph: Graph, inputs: Sequence[Array] = ()) -> list[Array]:
    """The outputs of a lowered graph without symbolic sizes, once: compile and call."""
    return NumpyExecutable(graph)(inputs)


def _copier(program: Program, tensor: Tensor) -> Callable[[], Array]:
    """What copies a result. Constants that are zeros everywhere are asked of the system, which
    gives no memory for them before they are written: a first state is zeros for the larger part.
    """
    array = program.arrays[tensor]
    uniform = array.size > 1 and not any(array.strides)
    known = program.plan.layouts[tensor].constant is not None  # computed ones are repeated as well
    if known and uniform and not any(array.flat[:1].tobytes()):  # -0.0 is no zero here
        return partial(np.zeros, array.shape, array.dtype)
    return array.copy


def _copy_in(program: Program, inputs: Sequence[Array]) -> None:
    places = [*program.states, *program.feeds()]
    for position, array in places:
        _require_fit(program.graph, position, array, inputs[position])
    for position, array in places:
        np.copyto(array, inputs[position])


def _require_fit(graph: Graph, position: int, array: Array, given: Array) -> None:
    if given.shape != array.shape or given.dtype != array.dtype:
        name, wanted = graph.input_names[position], graph.inputs[position].type
        raise FeedError(f"{name!r} is {wanted}, given {given.dtype}{list(given.shape)}")


def _quiet_context() -> Context:
    """A context that is entered cheaply."""
    context = copy_context()
    context.run(be_quiet_and_lean)
    return context


def _all_values(program: Program, inputs: Sequence[Array]) -> dict[Tensor, Array]:
    _copy_in(program, inputs)
    for function, args in program.schedule():
        function(*args)
    return {tensor: array.copy() for tensor, array in program.arrays.items()}


def _timed(program: Program, inputs: Sequence[Array], steps: int) -> list[tuple[Node, float]]:
    from statistics import median  # of profiles alone

    taken: dict[Node, list[float]] = {}
    given, before = [np.array(each) for each in inputs], program.state_memory.copy()
    pieces = list(in_turn(program))
    try:
        for step in range(steps):
            _copy_in(program, given)
            for node, calls, weight in pieces:
                of_steps = taken.setdefault(node, [0.0] * steps)
                of_steps[step] += weight * _seconds(calls)
    finally:
        np.copyto(program.state_memory, before)
    return [(node, median(of_steps)) for node, of_steps in taken.items()]


def _seconds(calls: Sequence[Call]) -> float:
    start = perf_counter()
    for function, args in calls:
        function(*args)
    return perf_counter() - start
