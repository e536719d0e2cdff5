"""The one walk over a graph, run while JAX traces; nothing of it is left at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from asg.core.dtype import as_dtype
from asg.core.errors import KernelError, UnsupportedOp
from asg.core.explain import made_by
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.op import Op
from asg.core.region import with_bodies
from asg.core.tensor import Tensor
from asg.core.types import TensorType

from .barrier import kept_values
from .kernel import KERNELS
from .order import Held, computed_once, logical, run_moved


def run_graph(
    graph: Graph, arrays: Sequence[Any], given: Mapping[Tensor, Any] | None = None
) -> list[Any]:
    """The outputs of ``graph`` for traced arrays in the order of ``graph.inputs``.

    Kernels of control flow call it for their bodies. ``given`` holds values that are known
    already (large constants, which are passed as arguments).

    Raises:
        UnsupportedOp: an op without kernel; the graph was not lowered for this backend.
        KernelError: a kernel returned another number of values, dtype or shape than `infer` says.
    """
    values: dict[Tensor, Held] = dict(given or {})
    values.update(zip(graph.inputs, arrays, strict=True))
    kept = kept_values(graph)
    for position, node in enumerate(graph.nodes):
        if not node.op.is_placeholder and node.outputs[0] not in values:
            operands = [values[tensor] for tensor in node.inputs]
            with jax.named_scope(node_label(position, node)):
                results = _run(node, operands)
            if node.outputs[0] in kept:
                results = tuple(map(computed_once, results))
            values.update(zip(node.outputs, results, strict=True))
    return [logical(values[tensor]) for tensor in graph.outputs]


def _run(node: Node, operands: Sequence[Held]) -> tuple[Held, ...]:
    results = run_moved(node, operands, _run_kernel)
    return run_node(node, [*map(logical, operands)]) if results is None else results


def node_label(position: int, node: Node) -> str:
    """``encoder/0/matmul.17``: the node's scope, op and position in ``graph.nodes``.

    XLA carries it as ``op_name`` of every instruction, so a profile maps back to the node. A
    position, unlike a serial number, is the same when the program is built again.
    """
    scope = node.origin.scope
    return f"{scope}/{node.op.name}.{position}" if scope else f"{node.op.name}.{position}"


def run_node(node: Node, operands: Sequence[Any]) -> tuple[Any, ...]:
    """The checked results of one kernel."""
    return _run_kernel(node, node.op, operands, [output.type for output in node.outputs])


def _run_kernel(
    node: Node, op: Op, operands: Sequence[Any], expected: Sequence[TensorType]
) -> tuple[Any, ...]:
    function = KERNELS.get(type(op))
    if function is None:
        raise UnsupportedOp(
            f"backend 'jax' has no kernel for {op} ({made_by(node.outputs[0])}); "
            "lower the graph for this backend first, as asg.compile does"
        )
    try:
        returned = function(op, *operands)
    except Exception as error:
        types = ", ".join(str(tensor.type) for tensor in node.inputs)
        error.add_note(f"in the JAX kernel of {op} for ({types}), {made_by(node.outputs[0])}")
        raise
    results = returned if isinstance(returned, tuple) else (returned,)
    if len(results) != len(node.outputs):
        raise _broken(node, f"returned {len(results)} values, {len(node.outputs)} are needed")
    pairs = zip(expected, results, strict=True)
    return tuple(_exactly(node, each, result) for each, result in pairs)


def _exactly(node: Node, expected: TensorType, result: Any) -> Any:
    """``result`` with its weak type removed; an error unless dtype and shape are as inferred."""
    if not isinstance(result, jax.Array):
        raise _broken(node, f"returned a {type(result).__name__}, {expected} is needed")
    if result.dtype != expected.dtype.numpy or result.shape != expected.shape:
        found = TensorType(as_dtype(result.dtype), tuple(result.shape))
        raise _broken(node, f"returned {found}, infer says {expected}")
    if result.aval.weak_type:
        # A weak array would adapt to its neighbours further on, and change their dtype.
        return jax.lax.convert_element_type(result, result.dtype)
    return result


def _broken(node: Node, what: str) -> KernelError:
    types = ", ".join(str(tensor.type) for tensor in node.inputs)
    return KernelError(
        f"the JAX kernel of {node.op} for ({types}) {what}; {made_by(node.outputs[0])}\n"
        "  repair: give the kernel's jnp calls an explicit dtype"
    )


def needs_64_bits(graph: Graph) -> bool:
    """True when any value of the graph, or of the bodies inside it, has a 64-bit dtype."""
    return any(
        output.type.dtype.itemsize == 8
        for each in with_bodies(graph)
        for node in each.nodes
        for output in node.outputs
    )
