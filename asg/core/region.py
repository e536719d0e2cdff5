"""Regions: graphs as attributes of ops, for loops and branches.

A body is a closed graph. What its author used from outside becomes an extra operand of the op and
an extra input of the body (`close`), so passes and backends treat a body like any other graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asg.core.dim import Dim, free_symbols
from asg.core.graph import Graph, are_graphs, rebuild
from asg.core.graph import bodies_of as bodies_of
from asg.core.node import Node
from asg.core.registry import op_class
from asg.core.tensor import Tensor
from asg.core.text import bounded_dims, node_line
from asg.core.types import TensorType, require_equal, require_less_equal

if TYPE_CHECKING:
    from asg.core.op import Op

Outside = Callable[[Tensor], bool]


class Body(Graph):
    """A graph inside an op; equal to every body that computes the same in the same way.

    Neither the names of inputs nor the order in which nodes were made count.
    """

    _digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """16 bytes that identify what is computed."""
        if self._digest is None:
            from hashlib import blake2b  # not needed by `import asg`

            text = "\n".join([*bounded_dims(self), *_canonical_lines(self)])
            self._digest = blake2b(text.encode(), digest_size=16).digest()
        return self._digest

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Body) and self.digest == other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)


def _canonical_lines(body: Graph) -> Iterator[str]:
    """A line per input, node and output, numbered in the order in which outputs need them."""
    names: dict[Tensor, str] = {}
    for tensor in body.inputs:
        names[tensor] = f"%{len(names)}"
        yield str(tensor.type)
    for node in needed_order(body):
        if node.outputs[0] not in names:
            names |= {tensor: f"%{len(names)}.{tensor.index}" for tensor in node.outputs}
            yield node_line(node, names.__getitem__, full=True)
    for name, tensor in zip(body.output_names, body.outputs, strict=True):
        yield f"{name} = {names[tensor]}"


def needed_order(body: Graph) -> list[Node]:
    """Operands before users, following the operands of the outputs from left to right."""
    done: dict[Node, None] = {}
    stack = [tensor.node for tensor in reversed(body.outputs)]
    while stack:
        node = stack[-1]
        waiting = [tensor.node for tensor in reversed(node.inputs) if tensor.node not in done]
        if waiting and node not in done:
            stack.extend(waiting)
        else:
            done[stack.pop()] = None
    return list(done)


# -- looking inside ---------------------------------------------------------------------------


def with_bodies(graph: Graph) -> Iterator[Graph]:
    """The graph and, without recursion, every graph inside its ops."""
    pending = [graph]
    while pending:
        current = pending.pop()
        yield current
        for node in current.nodes:
            if node.op.field_names:
                pending.extend(bodies_of(node.op))


def map_bodies(
    graph: Graph,
    function: Callable[[Graph], Graph],
    enters: Callable[[Op], bool] = lambda op: True,
) -> Graph:
    """The graph with ``function`` applied to every body: how passes enter loops and branches.

    Bodies of ops that ``enters`` denies stay as they are.

    ``function`` keeps the inputs and the types of the outputs. A pass gives itself; its depth is
    then that of the nesting of bodies.
    """
    if not graph.has_bodies:
        return graph

    def enter(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not bodies_of(node.op) or not enters(node.op):
            return None
        op = with_mapped_bodies(node.op, function)
        return None if op is node.op else node.with_op(op, inputs).outputs

    return rebuild(graph, enter)


def with_mapped_bodies(op: Op, function: Callable[[Graph], Graph]) -> Op:
    """The op with other bodies; the same object when ``function`` changes none."""
    changes: dict[str, Any] = {}
    for name, value in op.attributes().items():
        if isinstance(value, Graph):
            changed: Any = function(value)
        elif are_graphs(value):
            changed = tuple(function(item) for item in value)
        else:
            continue
        if not _same(changed, value):
            changes[name] = changed
    return replace(op, **changes) if changes else op  # type: ignore[type-var]


def _same(changed: Any, value: Any) -> bool:
    pairs = zip(changed, value, strict=True) if isinstance(value, tuple) else [(changed, value)]
    return all(new is old or new.outputs == old.outputs for new, old in pairs)


# -- making bodies ----------------------------------------------------------------------------


def body_input(label: str, of: TensorType) -> Tensor:
    """A fresh input of a body."""
    leaf: Any = op_class("input")
    return leaf.in_body(label, of.dtype, of.shape)()  # type: ignore[no-any-return]


def close(
    inputs: Sequence[Tensor],
    outputs: Mapping[str, Tensor],
    outside: Outside,
    name: str = "body",
) -> tuple[Body, tuple[Tensor, ...]]:
    """The closed body that computes ``outputs``, and the tensors from outside that it uses.

    These become further inputs, in order of creation.
    """
    captured = free_tensors(outputs.values(), set(inputs), outside)
    return body_of([*inputs], outputs, captured, name), captured


def body_of(
    inputs: Sequence[Tensor],
    outputs: Mapping[str, Tensor],
    captured: Sequence[Tensor],
    name: str = "body",
) -> Body:
    """A body with one more input for each captured tensor."""
    leaves = [body_input(f"captured_{i}", tensor.type) for i, tensor in enumerate(captured)]
    results = substitute(outputs.values(), dict(zip(captured, leaves, strict=True)))
    return Body.of([*inputs, *leaves], results, list(outputs), (), name)


def made_outside(floor: int, inputs: Iterable[Tensor]) -> Outside:
    """Says of a tensor whether it was made before ``floor``, or is an input that is not ours.

    Constants belong to whoever uses them.
    """
    own = set(inputs)

    def outside(tensor: Tensor) -> bool:
        op = tensor.node.op
        if op.is_placeholder:
            return tensor not in own
        return tensor.node.serial < floor and bool(tensor.node.inputs)

    return outside


def free_tensors(
    outputs: Iterable[Tensor], bound: set[Tensor], outside: Outside
) -> tuple[Tensor, ...]:
    """The tensors from outside that the outputs depend on, in order of creation."""
    found: set[Tensor] = set()
    seen: set[Tensor] = set()
    stack = list(outputs)
    while stack:
        tensor = stack.pop()
        if tensor in seen or tensor in bound:
            continue
        seen.add(tensor)
        if outside(tensor):
            found.add(tensor)
        else:
            stack.extend(tensor.node.inputs)
    return tuple(sorted(found, key=lambda tensor: (tensor.node.serial, tensor.index)))


def substitute(outputs: Iterable[Tensor], mapping: Mapping[Tensor, Tensor]) -> list[Tensor]:
    """The outputs computed from other tensors of the same types; untouched nodes are shared."""
    outputs = list(outputs)
    mapped = dict(mapping)
    for node in _between(outputs, mapping):
        inputs = tuple(mapped.get(tensor, tensor) for tensor in node.inputs)
        if inputs != node.inputs:
            for old, new in zip(node.outputs, node.with_inputs(inputs).outputs, strict=True):
                mapped.setdefault(old, new)
    return [mapped.get(tensor, tensor) for tensor in outputs]


def inline(body: Graph, operands: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The outputs of a body computed from these operands, by new nodes throughout."""
    mapped: dict[Tensor, Tensor] = dict(zip(body.inputs, operands, strict=True))
    for node in body.nodes:
        if node.inputs:
            copied = node.with_inputs(tuple(mapped.get(tensor, tensor) for tensor in node.inputs))
            mapped |= dict(zip(node.outputs, copied.outputs, strict=True))
    return tuple(mapped.get(tensor, tensor) for tensor in body.outputs)


def _between(outputs: Iterable[Tensor], stops: Mapping[Tensor, Tensor]) -> list[Node]:
    seen: set[Node] = set()
    stack = [tensor for tensor in outputs if tensor not in stops]
    while stack:
        node = stack.pop().node
        if node not in seen:
            seen.add(node)
            stack.extend(tensor for tensor in node.inputs if tensor not in stops)
    return sorted(seen, key=lambda node: node.serial)


# -- what `infer` of an op with bodies asks ---------------------------------------------------


def require_fits(given: TensorType, wanted: TensorType, what: str) -> None:
    """TypeProblem unless the types agree; undecided sizes are recorded as claims."""
    from asg.core.errors import DtypeError
    from asg.core.types import TypeProblem

    if given == wanted:
        return
    if given.dtype is not wanted.dtype:
        raise TypeProblem(f"{what} is {given}, {wanted} is needed", "cast it", DtypeError)
    if given.ndim != wanted.ndim:
        raise TypeProblem(f"{what} is {given}, {wanted} is needed", "reshape or broadcast it")
    for axis, (size, other) in enumerate(zip(given.shape, wanted.shape, strict=True)):
        require_equal(size, other, f"{what} is {given}, {wanted} is needed: axis {axis}")


def require_operands(body: Graph, operands: Sequence[TensorType]) -> None:
    """TypeProblem unless there is an operand for every input of the body, and it fits."""
    from asg.core.errors import OperandError
    from asg.core.types import TypeProblem

    if len(operands) != len(body.inputs):
        raise TypeProblem(
            f"the body takes {len(body.inputs)} values, {len(operands)} are given",
            error=OperandError,
        )
    for name, given, inner in zip(body.input_names, operands, body.inputs, strict=True):
        require_fits(given, inner.type, name)


def surface_checks(body: Graph, own_sizes: Sequence[str] = ()) -> None:
    """Record the claims of a body about its sizes as claims of the op that is being inferred.

    Those about the op's own sizes are its own business: `infer` says them again for the numbers.
    """
    for check in body.checks:
        if not free_symbols((check.left, check.right)).keys().isdisjoint(own_sizes):
            continue
        if check.relation == "==":
            require_equal(check.left, check.right, check.reason)
        else:
            require_less_equal(check.left, check.right, check.reason)


def body_flops(body: Graph) -> Dim:
    """Floating-point operations of one evaluation of a body."""
    total: Dim = 0
    for node in body.nodes:
        types = tuple(tensor.type for tensor in node.inputs)
        total = total + node.op.flops(types, tuple(output.type for output in node.outputs))
    return total
