"""Metric: counters that a step updates, and the value they stand for.

A metric is three pure functions: what a batch adds (`batch`), how counters join (`merge`) and what
they mean (`value`). All uses follow from them: in a step, on one batch (`once`), and on arrays
(`update` and `compute`). Counters are float64: they count exactly to 2^53, and take weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from asg.compiler import Executable, compile
from asg.core.convert import as_tensor
from asg.core.dim import symbol
from asg.core.dtype import as_dtype, float64
from asg.core.errors import OperandError, StateError
from asg.core.graph import Graph
from asg.core.registry import snake_case
from asg.core.tensor import Tensor
from asg.ops.leaf import input as make_input
from asg.state.trace import active_trace
from asg.state.variable import Variable

Array = np.ndarray[Any, Any]
Tensors = dict[str, Tensor]
Shape = tuple[int, ...]


class Metric:
    """Base class: subclasses declare counters, and define `batch` and `value`.

    In a step (``metrics={"accuracy": metrics.Accuracy()}`` of `asg.train_step` and `asg.eval_step`)
    a call adds the batch and returns the value so far. `Session.reset` starts again. A session has
    counters of its own: training and evaluation may use one metric object.

    Without a step: `once` for the tensors of one batch, ``update(arrays)`` and ``compute()`` for
    arrays.

    Attributes:
        higher_is_better: which of two values is the better one; None where neither is.

    >>> import asg
    >>> from asg import metrics
    >>> error = metrics.MeanAbsoluteError()
    >>> error.update([1.0, 2.0], [1.0, 4.0])
    >>> error.update([5.0], [8.0])
    >>> round(error.compute(), 4)
    1.6667
    """

    higher_is_better: ClassVar[bool | None] = None

    def __init__(self, first: float = 0.0, /, **counters: Shape) -> None:
        """Declare the counters by name and shape; each begins with ``first``."""
        self._first = first
        self._shapes = counters
        self._named = False
        self.variables: dict[str, Variable] = {}
        for name, shape in counters.items():
            full = f"metrics.{snake_case(type(self).__name__)}.{name}"
            self.variables[name] = Variable(full, shape, first, float64, role="metric")
        self._held: dict[str, Any] = {}
        self._programs: dict[Any, Executable] = {}

    # -- what a metric is ------------------------------------------------------------------------

    def batch(self, *operands: Any) -> Tensors:
        """The counters of these operands alone; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define batch")

    def merge(self, old: Tensors, new: Tensors) -> Tensors:
        """The counters of both; sums, unless a subclass has it otherwise."""
        return {name: old[name] + new[name] for name in old}

    def value(self, counters: Tensors) -> Any:
        """What the counters stand for: a tensor, or a dict of tensors; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define value")

    # -- in a step -------------------------------------------------------------------------------

    def __call__(self, *operands: Any) -> Any:
        """Add a batch, in the step that is being built; returns the value so far.

        Raises:
            StateError: no step is being built.
        """
        if active_trace() is None:
            raise StateError(
                f"{type(self).__name__} counts in a step, and none is being built: give it to "
                "asg.train_step or asg.eval_step, or open asg.StateTrace(); without a step, call "
                "once(...) with tensors, or update(...) and compute() with arrays"
            )
        old = {name: variable.read() for name, variable in self.variables.items()}
        counters = self.merge(old, self.batch(*operands))
        for name, variable in self.variables.items():
            variable.write(counters[name])
        return self.value(counters)

    def take_name(self, name: str) -> None:
        """Call the counters ``metrics.name.counter``; the first name given stays."""
        if not self._named:
            self._named = True
            for counter, variable in self.variables.items():
                variable.name = f"metrics.{name}.{counter}"

    # -- without a step --------------------------------------------------------------------------

    def once(self, *operands: Any) -> Any:
        """The value for these operands alone, as graph; nothing is counted."""
        first = {
            name: as_tensor(np.full(shape, self._first)) for name, shape in self._shapes.items()
        }
        return self.value(self.merge(first, self.batch(*operands)))

    def update(self, *arrays: Any) -> None:
        """Add a batch of arrays; `compute` tells the value of all since `reset`.

        Raises:
            FeedError: sizes that do not agree; nothing is added.
        """
        given = [np.asarray(array) for array in arrays]
        key = tuple((array.dtype.name, array.ndim, array.shape[1:]) for array in given)
        if key not in self._programs:
            self._programs[key] = compile(self._update_graph(given))
        feeds = {f"operand_{i}": array for i, array in enumerate(given)}
        program = self._programs[key]
        program_feeds = {**self._counters(), **feeds}
        self._held = program(**{name: program_feeds[name] for name in program.graph.feeds})

    def compute(self) -> Any:
        """The value of all arrays since `reset`: a float, an array, or a dict of them."""
        if "value" not in self._programs:
            value = self.value(self._placeholders())
            outputs = value if isinstance(value, Mapping) else {"value": value}
            self._programs["value"] = compile(Graph(dict(outputs), name="compute"))
        program, held = self._programs["value"], self._counters()
        found = program(**{name: held[name] for name in program.graph.feeds})
        results = {name: as_result(array) for name, array in found.items()}
        return results["value"] if list(results) == ["value"] else results

    def reset(self) -> None:
        """Forget the arrays. (A session's counters: `Session.reset`.)"""
        self._held = {}

    def _counters(self) -> dict[str, Any]:
        return self._held or {
            name: np.full(shape, self._first) for name, shape in self._shapes.items()
        }

    def _placeholders(self) -> Tensors:
        return {name: make_input(name, shape, float64) for name, shape in self._shapes.items()}

    def _update_graph(self, arrays: list[Array]) -> Graph:
        counters = self.merge(self._placeholders(), self.batch(*operand_inputs(arrays)))
        return Graph(counters, name="update")

    def require(self, holds: bool, name: str, value: Any, problem: str) -> None:
        """OperandError about an option, unless ``holds``."""
        if not holds:
            raise OperandError(f"{type(self).__name__}: {name}={value!r} {problem}")


def operand_inputs(arrays: Sequence[Array]) -> list[Tensor]:
    """Inputs ``operand_0`` ... for arrays with any number of rows, the same for all."""
    rows = symbol("batch", minimum=0)
    return [
        make_input(f"operand_{i}", (rows, *a.shape[1:]) if a.ndim else (), as_dtype(a.dtype))
        for i, a in enumerate(arrays)
    ]


def as_result(array: Any) -> Any:
    """A scalar as a float, anything else as a NumPy array."""
    found = np.asarray(array)
    return found.item() if found.ndim == 0 else found
