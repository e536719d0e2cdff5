"""Rules about moving elements: what undoes itself, and what merges into one move."""

from __future__ import annotations

from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.join import Concat
from asg.ops.leaf import Constant, Full, full
from asg.ops.reduce import Sum
from asg.ops.shape import AssumeShape, BroadcastTo, ExpandDims, PermuteDims, Reshape, Squeeze
from asg.ops.slicing import Slice
from asg.rewrite.rule import Rule, node_rule, rule


@node_rule(Reshape, BroadcastTo, AssumeShape)
def move_to_same_shape(node: Node) -> Tensor | None:
    """reshape(x, x.shape) -> x; also broadcast_to and assume_shape."""
    (x,) = node.inputs
    return x if x.type == node.output.type else None


def _moves_equal_elements(node: Node) -> bool:
    return isinstance(node.inputs[0].node.op, Constant | Full)


@node_rule(
    Reshape, BroadcastTo, AssumeShape, ExpandDims, Squeeze, PermuteDims,
    when=_moves_equal_elements,
)  # fmt: skip
def move_equal_elements(node: Node) -> Tensor | None:
    """broadcast_to(full(value), shape) -> full(value, shape); also the other moves"""
    source = node.inputs[0].node.op
    if isinstance(source, Constant) and source.data.array.ndim == 0:
        return full(node.output.shape, source.data.array.item(), node.output.dtype)
    if isinstance(source, Full):
        return full(node.output.shape, source.value, node.output.dtype)
    return None


@rule()
def reshape_of_reshape(x, shape, inner):  # type: ignore[no-untyped-def]
    """reshape(reshape(x, inner), shape) -> reshape(x, shape)"""
    return Reshape(shape)(Reshape(inner)(x)), lambda: Reshape(shape)(x)


@rule()
def permute_of_permute(x, outer, inner):  # type: ignore[no-untyped-def]
    """permute(permute(x, inner), outer) -> permute(x, inner[outer])"""
    return (
        PermuteDims(outer)(PermuteDims(inner)(x)),
        lambda: PermuteDims(tuple(inner[axis] for axis in outer))(x),
    )


def _is_in_order(node: Node) -> bool:
    return isinstance(node.op, PermuteDims) and node.op.axes == tuple(range(len(node.op.axes)))


@node_rule(PermuteDims, when=_is_in_order)
def permute_in_order(node: Node) -> Tensor | None:
    """permute(x, (0, 1, ...)) -> x"""
    return node.inputs[0]


@rule()
def broadcast_of_broadcast(x, outer, inner):  # type: ignore[no-untyped-def]
    """broadcast_to(broadcast_to(x, inner), outer) -> broadcast_to(x, outer)"""
    return BroadcastTo(outer)(BroadcastTo(inner)(x)), lambda: BroadcastTo(outer)(x)


@rule()
def squeeze_of_expand(x, axes):  # type: ignore[no-untyped-def]
    """squeeze(expand_dims(x, axes), axes) -> x"""
    return Squeeze(axes)(ExpandDims(axes)(x)), x


@rule()
def expand_of_squeeze(x, axes):  # type: ignore[no-untyped-def]
    """expand_dims(squeeze(x, axes), axes) -> x"""
    return ExpandDims(axes)(Squeeze(axes)(x)), x


@node_rule(ExpandDims, Squeeze)
def move_no_axes(node: Node) -> Tensor | None:
    """expand_dims(x, ()) -> x; also squeeze."""
    return None if node.op.attributes()["axes"] else node.inputs[0]


@node_rule(Slice)
def slice_everything(node: Node) -> Tensor | None:
    """x[:, :] -> x"""
    (x,) = node.inputs
    given = node.op.attributes()
    whole = set(given["start"]) <= {0} and set(given["step"]) <= {1} and given["stop"] == x.shape
    return x if whole else None


@node_rule(Concat)
def concat_of_one(node: Node) -> Tensor | None:
    """concat([x]) -> x"""
    return node.inputs[0] if len(node.inputs) == 1 else None


def _sums_over_ones(node: Node) -> bool:
    shape = node.inputs[0].shape
    return isinstance(node.op, Sum) and all([shape[axis] == 1 for axis in node.op.axis])


@node_rule(Sum, when=_sums_over_ones)
def sum_over_nothing(node: Node) -> Tensor | None:
    """sum(x, axis=()) -> x"""
    return None if node.op.attributes()["axis"] else node.inputs[0]


@node_rule(Sum, numerics="reassociating", beside=(Sum,))
def sum_of_sum(node: Node) -> Tensor | None:
    """sum(sum(x, a, keepdims=false), b) -> sum(x, a and b), with new axes if b has kept its own"""
    inner = node.inputs[0].node
    if not isinstance(inner.op, Sum) or inner.op.keepdims or not isinstance(node.op, Sum):
        return None
    (x,) = inner.inputs
    kept = [axis for axis in range(x.ndim) if axis not in inner.op.axis]
    axes = tuple(sorted((*inner.op.axis, *(kept[axis] for axis in node.op.axis))))
    total: Tensor = Sum(axes, False)(x)
    return ExpandDims(node.op.axis)(total) if node.op.keepdims else total


@node_rule(Sum, when=_sums_over_ones)
def sum_over_ones(node: Node) -> Tensor | None:
    """sum(x, axes of size 1) -> squeeze(x)"""
    (x,) = node.inputs
    if not isinstance(node.op, Sum):
        return None
    return x if node.op.keepdims else Squeeze(node.op.axis)(x)


SHAPE_RULES: tuple[Rule, ...] = (
    move_to_same_shape,
    move_equal_elements,
    reshape_of_reshape,
    permute_of_permute,
    permute_in_order,
    broadcast_of_broadcast,
    squeeze_of_expand,
    expand_of_squeeze,
    move_no_axes,
    slice_everything,
    concat_of_one,
    sum_over_nothing,
    sum_over_ones,
)
REASSOCIATING_SHAPE_RULES: tuple[Rule, ...] = (sum_of_sum,)
"""Change the order of additions; off unless asked for."""
