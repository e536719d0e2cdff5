"""Graph: inputs, outputs and state slots over linked nodes. Frozen; passes return new graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from asg.core.convert import as_tensor
from asg.core.errors import GraphError
from asg.core.explain import made_by
from asg.core.node import Node
from asg.core.registry import service
from asg.core.state_slot import StateSlot
from asg.core.tensor import Tensor
from asg.core.tree import flatten
from asg.core.types import SizeCheck

if TYPE_CHECKING:
    from asg.core.op import Op

Rebuilder = Callable[[Node, tuple[Tensor, ...]], tuple[Tensor, ...] | None]


def reachable_nodes(outputs: Iterable[Tensor], stop_before: int = -1) -> list[Node]:
    """Every node the outputs depend on, operands first.

    Nodes with a serial below ``stop_before`` are not entered. Inputs always have smaller serials
    than their users, so sorting by serial is a topological order.
    """
    found: dict[int, Node] = {}
    waiting = list(outputs)
    while waiting:
        node = waiting.pop().node
        serial = node.serial
        if serial not in found and serial >= stop_before:
            found[serial] = node
            waiting += node.inputs
    return [found[serial] for serial in sorted(found)]


class Graph:
    """A closed program: named inputs to named outputs, with paired state.

    ``Graph(loss=loss, grads={"w": dw})`` finds its inputs itself, in the order in which they were
    made; nested outputs get dotted names (``grads.w``).

    Attributes:
        inputs: the placeholder tensors (inputs and states).
        outputs: the results, then the next values of written states.
        state: which input pairs with which output.
        checks: size equalities that the executor must verify before running.

    Raises:
        GraphError: names collide, or a reached placeholder is missing from ``inputs``.

    >>> import asg
    >>> x = asg.input("x", ("batch", 3))
    >>> asg.Graph(total=x.sum())
    <graph 'graph': x -> total, 2 nodes>
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    state: tuple[StateSlot, ...]
    name: str
    checks: tuple[SizeCheck, ...]

    def __init__(
        self,
        outputs: Mapping[str, Any] | None = None,
        /,
        *,
        inputs: Sequence[Tensor] | None = None,
        name: str = "graph",
        **named: Any,
    ) -> None:
        """See the class."""
        flat = {key: as_tensor(leaf) for key, leaf in flatten({**(outputs or {}), **named}).items()}
        if not flat:
            raise GraphError("a graph needs at least one output: asg.Graph(loss=loss)")
        found = placeholders(flat.values())
        chosen = found if inputs is None else _complete(inputs, found)
        state = [StateSlot(i, None) for i, t in enumerate(chosen) if is_state(t)]
        self._set(chosen, tuple(flat.values()), tuple(flat), tuple(state), name)

    @classmethod
    def of(
        cls,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        output_names: Sequence[str],
        state: Sequence[StateSlot] = (),
        name: str = "graph",
        input_names: Sequence[str] | None = None,
        checks: Sequence[SizeCheck] | None = None,
    ) -> Self:
        """A graph from its parts; what passes use."""
        graph = cls.__new__(cls)
        graph._set(
            tuple(inputs), tuple(outputs), tuple(output_names), tuple(state), name,
            input_names, checks,
        )  # fmt: skip
        return graph

    def _set(
        self,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        output_names: tuple[str, ...],
        state: tuple[StateSlot, ...],
        name: str,
        input_names: Sequence[str] | None = None,
        checks: Sequence[SizeCheck] | None = None,
    ) -> None:
        self.inputs, self.outputs, self.output_names = inputs, outputs, output_names
        self.state, self.name = state, name
        names = input_names or [placeholder_name(tensor) for tensor in inputs]
        self.input_names = tuple(names)
        for kind, listed in (("inputs", self.input_names), ("outputs", output_names)):
            doubled = sorted({n for n in listed if listed.count(n) > 1}) if _repeats(listed) else []
            if doubled:
                tensors = inputs if kind == "inputs" else outputs
                made = [made_by(t) for t, n in zip(tensors, listed, strict=True) if n in doubled]
                raise GraphError(
                    f"graph {name!r}: two {kind} are named {', '.join(map(repr, doubled))}; "
                    "give every input and variable its own name" + _lines(made)
                )
        if checks is None:
            checks = [check for node in self.nodes for check in node.checks]
        self.checks = tuple(dict.fromkeys(checks))

    # -- structure ------------------------------------------------------------------------

    @cached_property
    def has_bodies(self) -> bool:
        """True when there are loops, branches or other ops with graphs inside."""
        return any([bodies_of(node.op) for node in self.nodes if node.op.field_names])

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node, operands before users, in order of creation."""
        return tuple(reachable_nodes((*self.inputs, *self.outputs)))

    @cached_property
    def users(self) -> dict[Tensor, list[tuple[Node, int]]]:
        """For every tensor, the (node, operand position) pairs that use it."""
        users: dict[Tensor, list[tuple[Node, int]]] = {}
        for node in self.nodes:
            for position, tensor in enumerate(node.inputs):
                users.setdefault(tensor, []).append((node, position))
        return users

    def forget_users(self) -> None:
        """Give back the memory of `users`, which are found again when they are asked for."""
        self.__dict__.pop("users", None)

    @cached_property
    def results(self) -> dict[str, Tensor]:
        """The outputs that are not next values of states, by name."""
        stored = {slot.output for slot in self.state}
        named = zip(self.output_names, self.outputs, strict=True)
        return {name: t for i, (name, t) in enumerate(named) if i not in stored}

    @cached_property
    def feeds(self) -> dict[str, Tensor]:
        """The inputs that are not states, by name: what a caller gives."""
        held = {slot.input for slot in self.state}
        named = zip(self.input_names, self.inputs, strict=True)
        return {name: t for i, (name, t) in enumerate(named) if i not in held}

    def with_outputs(self, outputs: Sequence[Tensor]) -> Graph:
        """Same signature, outputs computed by other nodes."""
        return type(self).of(
            self.inputs, outputs, self.output_names, self.state, self.name,
            self.input_names, self.checks,
        )  # fmt: skip

    # -- text, pictures, passes: services registered by upper layers -------------------------

    def __str__(self) -> str:
        """The typed text form; `asg.parse` reads it back."""
        return str(service("graph_text")(self))

    def __repr__(self) -> str:
        """One line."""
        return (
            f"<graph {self.name!r}: {', '.join(self.input_names)} -> "
            f"{', '.join(self.output_names)}, {len(self.nodes)} nodes>"
        )

    def optimize(self, backend: str | None = None) -> Graph:
        """The graph after the default passes (for ``backend`` if given)."""
        return service("optimize")(self, backend)  # type: ignore[no-any-return]

    def diff(self, before: Graph) -> str:
        """What changed from ``before`` to this graph, as text: added and removed nodes."""
        return str(service("graph_diff")(before, self))

    def render(self, path: Any, **options: Any) -> Any:
        """Draw to ``path`` (.svg .png .pdf .dot); see `asg.visualizer.render`."""
        return service("render")(self, path, **options)

    def _repr_svg_(self) -> str:
        """The picture for notebooks."""
        return str(service("svg")(self))


def _lines(places: Sequence[str]) -> str:
    return "".join(f"\n  {place}" for place in places)


def _repeats(names: tuple[str, ...]) -> bool:
    return len(set(names)) != len(names)


def is_state(tensor: Tensor) -> bool:
    """True for the leaf of a variable."""
    return tensor.node.op.is_placeholder and hasattr(tensor.node.op, "cell")


def placeholder_name(tensor: Tensor) -> str:
    """The name of an input or variable."""
    op: Any = tensor.node.op
    return str(op.cell.name if is_state(tensor) else op.label)


def placeholders(outputs: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """The input and state leaves that the outputs reach, inputs first, in order of creation."""
    found = [n.output for n in reachable_nodes(outputs) if n.op.is_placeholder]
    for tensor in found:
        if getattr(tensor.node.op, "is_local", False):
            raise GraphError(
                f"a value that depends on {placeholder_name(tensor)!r} of the body of a loop or "
                f"branch is used outside of it{_lines([made_by(tensor)])}\n  repair: return it "
                "from the function, as carry or as y; variables cannot be written inside"
            )
    return tuple(sorted(found, key=lambda tensor: (is_state(tensor), tensor.node.serial)))


def _complete(given: Sequence[Tensor], found: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    for tensor in given:
        if not tensor.node.op.is_placeholder:
            raise GraphError(f"{tensor!r} is computed, not an input; graph inputs are placeholders")
    listed = set(given)
    missing = [t for t in found if t not in listed and not is_state(t)]
    if missing:
        raise GraphError(
            "the outputs also depend on "
            + ", ".join(f"{placeholder_name(t)!r}: {t.type}" for t in missing)
            + "; list these in inputs"
            + _lines([made_by(t) for t in missing])
        )
    return (*given, *(t for t in found if is_state(t) and t not in listed))


def bodies_of(op: Op) -> tuple[Graph, ...]:
    """The graphs among the attributes of an op, those in tuples of graphs included.

    Looked for once: ops never change, and the nodes of many graphs share one.
    """
    if not op.field_names:
        return ()
    known: tuple[Graph, ...] | None = op.__dict__.get("_bodies")
    if known is None:
        known = op.__dict__["_bodies"] = tuple(_bodies_among_fields(op))
    return known


def _bodies_among_fields(op: Op) -> list[Graph]:
    found: list[Graph] = []
    for name in op.field_names:
        value = getattr(op, name)
        if type(value) in PLAIN:
            continue
        if isinstance(value, Graph):
            found.append(value)
        elif are_graphs(value):
            found.extend(value)
    return found


PLAIN = frozenset((bool, int, float, str, type(None)))
"""Kinds of attributes that hold neither graphs nor sizes."""


def are_graphs(value: Any) -> bool:
    """True for a tuple of graphs, as branches are."""
    return type(value) is tuple and bool(value) and isinstance(value[0], Graph)


def rebuild(graph: Graph, function: Rebuilder) -> Graph:
    """Copy a graph, replacing nodes: the one copier.

    ``function(node, inputs)`` gets every node with its inputs already mapped and returns the
    replacement outputs, or None to keep the node (shared as it is when no input changed). A graph
    of which nothing was replaced comes back itself.

    Raises:
        GraphError: a replacement has another type; the message shows node and types.
    """
    mapped: dict[Tensor, Tensor] = {}  # only what is replaced
    for node in graph.nodes:
        inputs = node.inputs
        if mapped and not mapped.keys().isdisjoint(inputs):
            inputs = tuple([mapped.get(tensor, tensor) for tensor in inputs])
        outputs = function(node, inputs)
        if outputs is None:
            outputs = node.outputs if inputs is node.inputs else node.with_inputs(inputs).outputs
        if outputs is node.outputs:
            continue
        for old, new in zip(node.outputs, outputs, strict=True):
            if new is old:
                continue
            if new.type is not old.type and new.type != old.type:
                raise GraphError(
                    f"replacement of {node!r} has type {new.type}, {old.type} is needed"
                )
            mapped[old] = new
    if mapped.keys().isdisjoint((*graph.inputs, *graph.outputs)):
        return graph
    return type(graph).of(
        [mapped.get(tensor, tensor) for tensor in graph.inputs],
        [mapped.get(tensor, tensor) for tensor in graph.outputs],
        graph.output_names, graph.state, graph.name, graph.input_names, graph.checks,
    )  # fmt: skip
