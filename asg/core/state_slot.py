"""StateSlot: which graph input holds a variable and which output holds its next value."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from asg.core.types import TensorType


@runtime_checkable
class StateCell(Protocol):
    """What a graph needs to know of a variable; `asg.state.Variable` is the usual one."""

    @property
    def name(self) -> str:
        """Full name, such as ``fc1.weight``."""

    @property
    def type(self) -> TensorType:
        """Type of the value held."""

    @property
    def role(self) -> str:
        """One of `ROLES`."""


ROLES = ("parameter", "statistic", "optimizer", "random_key", "counter", "metric", "data", "cache")
# Of each session alone, and not part of what is saved and restored with a model: counters of
# metrics, and data sets, which are never written.
OWN_ROLES = ("metric", "data")


class StateSlot(NamedTuple):
    """Positions in ``graph.inputs`` and ``graph.outputs``; ``output`` None means only read."""

    input: int
    output: int | None
