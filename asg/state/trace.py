"""StateTrace: reads and writes of variables become inputs, outputs and slots of a pure graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from asg.core.convert import as_tensor
from asg.core.errors import StateError
from asg.core.graph import Graph, is_state, placeholders
from asg.core.registry import call
from asg.core.state_slot import StateSlot
from asg.core.tensor import Tensor
from asg.core.tree import flatten

if TYPE_CHECKING:
    from asg.state.variable import Variable

_active: ContextVar[StateTrace | None] = ContextVar("asg_state_trace", default=None)
_training: ContextVar[bool | None] = ContextVar("asg_training", default=None)


def active_trace() -> StateTrace | None:
    """The innermost open trace."""
    return _active.get()


def is_training() -> bool:
    """Whether layers build their training behaviour; False also where nobody has chosen."""
    return bool(_training.get())


def chosen_mode(layer: str) -> bool:
    """`is_training` for layers that behave differently: the mode must have been chosen.

    Raises:
        StateError: neither a step is being built nor `training_mode` is open; evaluation mode by
            default would switch the layer off without a word.
    """
    mode = _training.get()
    if mode is None:
        raise StateError(
            f"{layer} behaves differently in training and evaluation, and neither is chosen here: "
            "build the model inside the step (asg.train_step(model, loss=..., optimizer=...), "
            "asg.eval_step), or under `with asg.training_mode(False):` for evaluation"
        )
    return mode


@contextmanager
def training_mode(enabled: bool = True) -> Iterator[None]:
    """Build what is inside in training mode (``False``: evaluation mode)."""
    token = _training.set(enabled)
    try:
        yield
    finally:
        _training.reset(token)


class StateTrace:
    """Records what is read and written while a step is built.

    >>> import asg
    >>> count = asg.state.Variable("count", (), init=0.0, role="counter")
    >>> with asg.StateTrace() as trace:
    ...     count.write(count.read() + 1.0)
    ...     graph = trace.close({"count": count.read()})
    >>> graph.state
    (StateSlot(input=0, output=1),)
    """

    def __init__(self, training: bool = False) -> None:
        """``training`` selects the behaviour of layers built inside."""
        self._training = training
        self._current: dict[Variable, Tensor] = {}
        self._tokens: list[tuple[Token[Any], Token[bool | None]]] = []

    def __enter__(self) -> StateTrace:
        """Open the trace."""
        self._tokens.append((_active.set(self), _training.set(self._training)))
        return self

    def __exit__(self, *_: object) -> None:
        """Back to the enclosing trace."""
        active, training = self._tokens.pop()
        _active.reset(active)
        _training.reset(training)

    def read(self, variable: Variable) -> Tensor:
        """The current value."""
        return self._current.setdefault(variable, variable.leaf)

    def write(self, variable: Variable, value: Tensor) -> None:
        """The value that later reads, and the end of the step, will see."""
        self._current[variable] = value

    def keep_unless(self, condition: Tensor) -> None:
        """Every variable written so far stays as it was where the bool scalar does not hold."""
        for variable, value in self._current.items():
            if value is not variable.leaf:
                self._current[variable] = call("where", condition, value, variable.leaf)

    @property
    def touched(self) -> tuple[Variable, ...]:
        """Every variable read or written, in order."""
        return tuple(self._current)

    def close(
        self, outputs: Mapping[str, Any], name: str = "step", feeds: Iterable[Tensor] = ()
    ) -> Graph:
        """The pure graph: inputs and states in, outputs and next states out.

        Args:
            outputs: the results by name.
            name: of the graph.
            feeds: inputs it has in any case and first, in this order: whoever calls it gives them,
                also those that no result depends on.

        Raises:
            StateError: the outputs reach no placeholder or variable names collide.
        """
        results = {key: as_tensor(leaf) for key, leaf in flatten(dict(outputs)).items()}
        written = {v: value for v, value in self._current.items() if value is not v.leaf}
        found = placeholders((*results.values(), *written.values()))
        declared = [t for t in feeds if t.node.op.is_placeholder and not is_state(t)]
        given = dict.fromkeys([*declared, *(t for t in found if not is_state(t))])
        states = _states(found, written)
        slots = _slots(states, written, len(given), len(results))
        names = [*results, *(f"next:{variable.name}" for variable in written)]
        return Graph.of(
            [*given, *(variable.leaf for variable in states)],
            [*results.values(), *written.values()],
            names, slots, name,
        )  # fmt: skip


def _states(found: tuple[Tensor, ...], written: Mapping[Variable, Tensor]) -> list[Variable]:
    """Every variable the graph needs: those reached, then those only written."""
    reached: list[Any] = [t.node.op.cell for t in found if is_state(t)]  # type: ignore[attr-defined]
    for variable in reached:
        if not hasattr(variable, "leaf"):
            raise StateError(f"{variable!r} came from a parsed graph and cannot be traced")
    return list(dict.fromkeys([*reached, *written]))


def _slots(
    states: list[Variable], written: Mapping[Variable, Tensor], feeds: int, results: int
) -> list[StateSlot]:
    positions = {variable: results + i for i, variable in enumerate(written)}
    return [StateSlot(feeds + i, positions.get(v)) for i, v in enumerate(states)]
