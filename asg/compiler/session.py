"""Session: holds the state arrays of a compiled step between calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asg.compiler.backend import Executable as BackendExecutable
from asg.compiler.backend import TakingProgram, ordered_slots
from asg.compiler.driver import Executable, Key
from asg.compiler.feed import checked_feed
from asg.compiler.first_values import FirstValues, first_values, held
from asg.compiler.step import Step, inputs_of, step_of
from asg.core.errors import FeedError, OperandError
from asg.core.registry import public
from asg.core.state_slot import OWN_ROLES, ROLES
from asg.core.types import TensorType

if TYPE_CHECKING:
    from asg.compiler.plan import Plan
    from asg.compiler.profile import Profile

Array = Any


class Store(dict[str, Array]):
    """Arrays of variables by name.

    Attributes:
        user: the mark of the session that changed one last; its own list of them is up to date.
    """

    user: object = None


class Session:
    """Call it with a batch: runs one step, keeps the new state, returns the results by name.

    State arrays are donated to every call: the backend may overwrite them, so they are only
    handed out as copies.
    """

    def __init__(self, executable: Executable, store: Store, own: Store) -> None:
        """Use `Executable.start` or `Session.attach`; ``own`` (metrics, data) is of this alone."""
        signature = executable.signature  # what the programs take
        self.executable = executable
        self._store, self._own = store, own
        self._mark = object()  # not the session: a store that held it would keep both alive
        names = [signature.input_names[slot.input] for slot in ordered_slots(signature.state)]
        self._places = [(own if name in own else store, name) for name in names]
        written = sum(slot.output is not None for slot in signature.state)
        self._kept = [self._part(store, range(written)), self._part(own, range(len(names)))]
        self._state: Sequence[Array] = ()
        self._results = tuple(executable.graph.results)
        self._programs: dict[Key, BackendExecutable] = {}
        self._steps: dict[Key, Step] = {}
        self._first: dict[str, FirstValues] = {}

    def __call__(self, *args: Any, **feeds: Any) -> dict[str, Array]:
        """Run one step.

        Raises:
            FeedError: an array is missing, unexpected, or does not fit; the state is unchanged.
        """
        arrays = self.executable.ordered_feeds(args, feeds)
        key = tuple([array.shape for array in arrays])
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = self._new_step(key)
        if self._store.user is not self._mark:
            self._state = [store[name] for store, name in self._places]
            self._store.user = self._mark
        results, state = step(arrays, self._state)
        if state is not self._state:
            self._keep(state)
        return dict(zip(self._results, results, strict=True))

    def _new_step(self, key: Key) -> Step:
        """Of a new program, which takes over what a step keeps, array by array."""
        program = self.program(*key)
        if isinstance(program, TakingProgram):
            self._store.user = None  # its list of arrays would keep them all alive
            self._state = ()
            for store, names, numbers in self._kept:
                for name, number in zip(names, numbers, strict=True):
                    store[name] = program.take(number, store[name])
        return step_of(program, self.executable.signature)

    def _part(
        self, of: Store, numbers: Iterable[int]
    ) -> tuple[Store, tuple[str, ...], tuple[int, ...]]:
        """The variables of a store among some, by name and number."""
        own = tuple(number for number in numbers if self._places[number][0] is of)
        return of, tuple(self._places[number][1] for number in own), own

    def _keep(self, state: Sequence[Array]) -> None:
        """Store what a step has left, for other sessions and for those who ask."""
        for store, names, numbers in self._kept:
            store.update(zip(names, map(state.__getitem__, numbers), strict=True))
        self._state, self._store.user = state, self._mark

    def __repr__(self) -> str:
        """``<session of 'train_step' on numpy: 4 variables>``."""
        executable = self.executable
        name, backend = executable.graph.name, executable.backend.name
        return f"<session of {name!r} on {backend}: {len(self._places)} variables>"

    def program(self, *shapes: tuple[int, ...]) -> BackendExecutable:
        """The backend's program for feeds of these shapes, in order; built when first asked for.

        Asking ahead of the first call keeps compilation out of timed loops, and the program may
        tell more about itself (its memory plan, its code).
        """
        if shapes not in self._programs:
            self._programs[shapes] = self.executable.build(shapes)
        return self._programs[shapes]

    def plan(self, **sizes: int) -> Plan:
        """How a step would run with these numbers for its sizes; see `Executable.plan`."""
        return self.executable.plan(**sizes)

    def profile(self, steps: int = 20, /, *args: Any, **feeds: Any) -> Profile:
        """Time a step node by node, and as a whole; the state stays as it is.

        Args:
            steps: how many are timed.
            args: arrays by position, as of a call.
            feeds: arrays by name.

        Raises:
            FeedError: an array is missing, unexpected, or does not fit.
            OperandError: ``steps`` is no positive number, or the backend cannot time nodes.
        """
        from asg.compiler.profile import measure  # not needed by `import asg`

        arrays = self.executable.ordered_feeds(args, feeds)
        program = self.program(*(tuple(array.shape) for array in arrays))
        kept = [np.array(store[name]) for store, name in self._places]
        signature = self.executable.signature
        inputs = inputs_of(signature, arrays, [array.copy() for array in kept])
        try:
            return measure(program, inputs, steps, signature, self.executable.backend.name)
        finally:
            # The program may have used up the arrays it was given before.
            for (store, name), array in zip(self._places, kept, strict=True):
                store |= held(self.executable.backend, {name: array})
            self._store.user = None

    def attach(self, executable: Executable) -> Session:
        """A session of another graph (evaluation, say) over the same state.

        Metrics are not shared: those of the new session start at their first values. Data are
        shared if both graphs use the same variable of role "data", else loaded.

        Raises:
            FeedError: the graph holds variables this session does not have.
        """
        if not isinstance(executable, Executable):
            raise OperandError("attach takes an executable: session.attach(asg.compile(graph))")
        graph = executable.graph
        for slot in graph.state:
            name, wanted = graph.input_names[slot.input], graph.inputs[slot.input].type
            if _role(graph.inputs[slot.input]) in OWN_ROLES:
                continue
            if name not in self._store:
                raise FeedError(f"this session holds no variable {name!r}: {wanted}")
            _check_state_array(name, self._store[name], wanted)
        if executable.backend is not self.executable.backend:
            raise OperandError(
                f"the session runs on {self.executable.backend.name!r}, the other graph on "
                f"{executable.backend.name!r}; compile both for one backend"
            )
        metrics = first_values(executable, _cells(executable, "metric"), 0)
        own = metrics | self._data_of(executable)
        return Session(executable, self._store, Store(own))

    def _data_of(self, executable: Executable) -> dict[str, Array]:
        """The data another graph reads: this session's arrays, where it has the same variables."""
        data = {cell: self._own[name] for name, cell in _cells(self.executable, "data").items()}
        wanted = _cells(executable, "data")
        missing = [name for name, cell in wanted.items() if cell not in data]
        first = first_values(executable, missing, 0)
        return {name: first[name] if name in first else data[wanted[name]] for name in wanted}

    def reset(self, role: str = "metric", seed: int = 0) -> None:
        """Back to the first values of all variables of a role: of metrics, before each epoch.

        Args:
            role: ``"metric"``, ``"optimizer"``, ...
            seed: of the initialisers, as in `Executable.start`. (Metrics need none.)

        Raises:
            OperandError: there is no such role.
        """
        if role not in ROLES:
            raise OperandError(f"role {role!r} is not one of {', '.join(ROLES)}")
        names = _cells(self.executable, role)
        if not names:
            return
        if role not in self._first:
            self._first[role] = FirstValues(self.executable, names)
        store = self._own if role in OWN_ROLES else self._store
        store.update(self._first[role](seed))
        self._store.user = None

    def state_dict(self, role: str | None = None) -> dict[str, np.ndarray[Any, Any]]:
        """Copies of the state as NumPy arrays by name, all or of one role ("parameter").

        Variables of role "data" are no state to be saved: they are copied only when asked for.
        """
        graph = self.executable.graph
        roles = {graph.input_names[s.input]: _role(graph.inputs[s.input]) for s in graph.state}
        return {
            name: np.array(store[name])
            for store, name in self._places
            if roles[name] == role or (role is None and roles[name] != "data")
        }

    def load_state_dict(self, arrays: Mapping[str, Any], strict: bool = True) -> None:
        """Replace state by name; nothing is replaced when anything is wrong.

        Args:
            arrays: by variable name.
            strict: every variable must be given (except data, which may be); False allows some to
                keep their value.

        Raises:
            FeedError: lists missing, unexpected and mis-shaped names together.
        """
        checked = checked_state(self.executable, arrays, strict)
        for name, array in held(self.executable.backend, checked).items():
            (self._own if name in self._own else self._store)[name] = array
        self._store.user = None


def _role(leaf: Any) -> str:
    return str(leaf.node.op.cell.role)


def _check_state_array(name: str, array: Array, wanted: TensorType) -> None:
    if tuple(array.shape) != wanted.shape or array.dtype != wanted.dtype.numpy:
        raise FeedError(f"variable {name!r} is {wanted}, given {array.dtype}{list(array.shape)}")


def checked_state(
    executable: Executable, arrays: Mapping[str, Any], strict: bool
) -> dict[str, Array]:
    """Copies of the given arrays, checked against the graph's variables; all problems at once."""
    graph = executable.graph
    wanted = {graph.input_names[s.input]: graph.inputs[s.input].type for s in graph.state}
    needed = wanted.keys() - _cells(executable, "data").keys() - arrays.keys() if strict else ()
    problems = [f"{name!r} is not a variable of the graph" for name in arrays if name not in wanted]
    problems += [f"{n!r}: {t} is missing" for n, t in wanted.items() if n in needed]
    checked: dict[str, Array] = {}
    for name in arrays.keys() & wanted.keys():
        try:
            checked[name] = np.array(checked_feed(name, arrays[name], wanted[name]))
            _check_state_array(name, checked[name], wanted[name])
        except FeedError as error:
            problems.append(str(error))
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise FeedError(f"the state does not fit graph {graph.name!r}:\n{listed}")
    return checked


@public
def start_session(executable: Executable, seed: int, state: Mapping[str, Array]) -> Session:
    """Hold the given arrays, and the first values of all other variables."""
    given = checked_state(executable, state, strict=False)
    graph = executable.graph
    names = [graph.input_names[slot.input] for slot in graph.state]
    missing = [name for name in names if name not in given]
    store = Store(held(executable.backend, given) | first_values(executable, missing, seed))
    own = {name: store.pop(name) for role in OWN_ROLES for name in _cells(executable, role)}
    return Session(executable, store, Store(own))


def _cells(executable: Executable, role: str) -> dict[str, Any]:
    """The variables of a role by name."""
    graph = executable.graph
    leaves = [(graph.input_names[slot.input], graph.inputs[slot.input]) for slot in graph.state]
    return {name: leaf.node.op.cell for name, leaf in leaves if _role(leaf) == role}  # type: ignore[attr-defined]
