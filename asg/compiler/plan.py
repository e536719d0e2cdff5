"""The plan of a program before it runs: memory, where every value lies, and the work of every op.

On NumPy all of it is exact, since the backend's own planner is asked, which allocates nothing.
Other backends tell their own estimate, and the work is that of the graph they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from asg.analysis.memory import MemoryPlan, type_bytes
from asg.compiler import plan_text
from asg.compiler.backend import BackendPlan, PlanningBackend
from asg.compiler.largest import largest
from asg.core.dim import Symbol, evaluate, free_symbols
from asg.core.errors import OperandError
from asg.core.graph import Graph, bodies_of
from asg.core.node import Node
from asg.core.op import Op

if TYPE_CHECKING:
    from asg.compiler.driver import Executable
    from asg.compiler.formulas import Formulas

Shapes = tuple[tuple[int, ...], ...]


class OpWork(NamedTuple):
    """What one node does in a step.

    Attributes:
        node: of the graph that runs, or of the work that its shards do.
        position: of the node in its graph.
        flops: by the formula of its op.
        read: bytes of its operands.
        written: bytes of its results.
        within: the position of the node whose shards do it; what a plan tells is of all of them.
    """

    node: Node
    position: int
    flops: int
    read: int
    written: int
    within: int | None = None

    @property
    def name(self) -> str:
        """``matmul.44``, or ``matmul.155.12`` in the shards of node 155."""
        outer = "" if self.within is None else f"{self.within}."
        return f"{self.node.op.name}.{outer}{self.position}"

    @property
    def intensity(self) -> float:
        """FLOPs for every byte that is moved."""
        return self.flops / max(self.read + self.written, 1)


@dataclass(frozen=True, eq=False)
class Plan:
    """How an executable would run for given sizes. Print it for a table.

    Attributes:
        executable: what it is a plan of.
        sizes: the numbers of the symbolic sizes.
        graph: what runs: optimised, lowered, with numbers for sizes.
        memory: where every value lies; None where the backend does not tell.
        peak_bytes: all memory a step needs: arena, state, constants, memory of loops' bodies, and
            the caller's feeds and results.
        reported: what the backend says in its own words.
        work: of every node that computes, in order, and of what shards do instead of the node that
            they are shards of. Views move nothing, and are not listed.
        notes: which ways were chosen by measurement, where it was compiled with ``tune=True``.
    """

    executable: Executable
    sizes: Mapping[str, int]
    graph: Graph
    memory: MemoryPlan | None
    peak_bytes: int
    reported: Mapping[str, float]
    work: tuple[OpWork, ...]
    notes: tuple[str, ...] = ()

    @property
    def flops(self) -> int:
        """Of a step; a step of a `while_loop` counts once."""
        return sum(each.flops for each in self.work)

    @property
    def bytes_read(self) -> int:
        """By all nodes together, as if no cache or register kept anything."""
        return sum(each.read for each in self.work)

    @property
    def bytes_written(self) -> int:
        """By all nodes together."""
        return sum(each.written for each in self.work)

    @property
    def intensity(self) -> float:
        """FLOPs for every byte that is moved."""
        return self.flops / max(self.bytes_read + self.bytes_written, 1)

    def largest(self, size: str, memory: int | str) -> int:
        """The largest number for a symbolic size with which a step needs no more memory.

        The other sizes stay. The plan is made anew for every number tried, and nothing is
        allocated. (On backends that tell of memory only when they compile, that takes its time.)

        Args:
            size: its name, such as "batch".
            memory: bytes, or a text such as "4GB" (10^9) or "2GiB" (2^30).

        Raises:
            OperandError: there is no such size, no number fits, or every number does.

        >>> import asg
        >>> x = asg.input("x", ("n", 256))
        >>> plan = asg.compile(asg.Graph(y=asg.tanh(x))).plan(n=1)
        >>> plan.largest("n", "3 KiB"), plan.largest("n", "1 MiB")
        (1, 341)
        """
        symbol = named_size(self.executable, size)
        return largest(
            lambda number: self.executable.plan(**{**self.sizes, size: number}).peak_bytes,
            symbol, memory,
        )  # fmt: skip

    def formulas(self, size: str = "") -> Formulas:
        """Memory and work as formulas in a symbolic size, and the range for which they hold.

        They tell what plans tell, without planning. The other sizes keep their numbers.

        Args:
            size: its name; may be left out where there is only one.

        Raises:
            OperandError: there is no such size, the backend does not tell where values lie, or
                every number near that of this plan is planned in another way.

        >>> import asg
        >>> x = asg.input("x", ("n", 256))
        >>> found = asg.compile(asg.Graph(y=asg.tanh(x))).plan(n=1).formulas()
        >>> found.totals["arena"], found.at(5)["arena"]
        (Dim('1024*n'), 5120)
        """
        from asg.compiler.formulas import make_formulas  # loaded when it is used

        known = list(sizes_of(self.executable))
        if not size and len(known) != 1:
            raise OperandError(f"size: name one of {', '.join(known) or 'none'}")
        return make_formulas(self, named_size(self.executable, size or known[0]))

    def to_json(self) -> str:
        """Everything as JSON text: totals, the work of every op, and the map of the arena."""
        return plan_text.to_json(self)

    def table(self, top: int = 20) -> str:
        """The plan as text, with the ``top`` ops that work most and values that are largest."""
        return plan_text.table(self, top)

    def __str__(self) -> str:
        """The table."""
        return self.table()

    def __repr__(self) -> str:
        """``<plan of 'train_step' on numpy, batch=64: 1.2 MiB, 3.4 M FLOPs>``."""
        return f"<{plan_text.title(self)}: {plan_text.brief(self)}>"

    def _repr_html_(self) -> str:
        """The table, in a notebook."""
        return plan_text.html(self)


def make_plan(executable: Executable, sizes: Mapping[str, int]) -> Plan:
    """The plan of `Executable.plan`."""
    backend = executable.backend
    if not isinstance(backend, PlanningBackend):
        raise OperandError(f"backend {backend.name!r} tells no plan of the programs it makes")
    graph = executable.with_sizes(shapes_for(executable, sizes))
    with executable.tuning():
        told: BackendPlan = backend.plan(graph)
    return Plan(
        executable, dict(sizes), graph, told.memory, told.peak_bytes, told.reported,
        tuple(_works(graph, told.memory)), told.notes,
    )  # fmt: skip


def _works(graph: Graph, memory: MemoryPlan | None) -> Iterator[OpWork]:
    positions = positions_in(graph)
    computed = [node for node in graph.nodes if node.inputs] if memory is None else memory.computed
    for node in computed:
        shards = () if memory is None else memory.nested.get(positions[node].position, ())
        for each in shards[0].computed if shards else (node,):
            yield work_of(each, positions[each], max(len(shards), 1))


class Position(NamedTuple):
    """Of a node in its graph; in a body, ``within`` is that of the node whose body it is."""

    position: int
    within: int | None = None


def positions_in(graph: Graph) -> dict[Node, Position]:
    """Of all nodes, those of the bodies of its nodes included."""
    found = {node: Position(place) for place, node in enumerate(graph.nodes)}
    for outer, node in enumerate(graph.nodes):
        for body in bodies_of(node.op):
            found |= {inner: Position(place, outer) for place, inner in enumerate(body.nodes)}
    return found


def work_of(node: Node, place: Position, shards: int = 1) -> OpWork:
    """FLOPs and bytes of one node whose sizes are numbers, in all of some shards."""
    flops, read, written = (shards * each for each in _work(node.op, node))
    return OpWork(node, place.position, flops, read, written, place.within)


def _work(op: Op, node: Node) -> tuple[Any, Any, Any]:
    inputs = tuple(tensor.type for tensor in node.inputs)
    outputs = tuple(tensor.type for tensor in node.outputs)
    read, written = (sum(map(type_bytes, types)) for types in (inputs, outputs))
    return op.flops(inputs, outputs), read, written


# -- sizes ----------------------------------------------------------------------------------------


def sizes_of(executable: Executable) -> dict[str, Symbol]:
    """The symbolic sizes of what is fed, by name."""
    feeds = executable.graph.feeds.values()
    return free_symbols(size for tensor in feeds for size in tensor.type.shape)


def named_size(executable: Executable, name: str) -> Symbol:
    """The symbolic size of a name.

    Raises:
        OperandError: there is none; lists those there are.
    """
    known = sizes_of(executable)
    if name not in known:
        close = get_close_matches(name, known, 1)
        there = ", ".join(known) or "none"
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {there}"
        raise OperandError(f"graph {executable.graph.name!r} has no size {name!r}; {hint}")
    return known[name]


def shapes_for(executable: Executable, sizes: Mapping[str, int]) -> Shapes:
    """The shapes of the feeds when the sizes have these numbers.

    Raises:
        OperandError: a size is unknown, or has no number.
        DimError: a number is out of the size's range.
    """
    for name in sizes:
        named_size(executable, name)
    missing = [name for name in sizes_of(executable) if name not in sizes]
    if missing:
        example = ", ".join(f"{name}=64" for name in missing)
        raise OperandError(f"the plan needs a number for {', '.join(missing)}: plan({example})")
    feeds = executable.graph.feeds.values()
    return tuple(tuple(evaluate(size, sizes) for size in each.type.shape) for each in feeds)
