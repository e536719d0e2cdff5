"""Rules that make one move of two: slices of slices, pads of pads, joins of joins."""

from __future__ import annotations

from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.join import Concat, Pad
from asg.ops.slicing import Slice
from asg.rewrite.rule import Rule, node_rule


@node_rule(Slice, beside=(Slice,))
def slice_of_slice(node: Node) -> Tensor | None:
    """x[a:b:c][d:e:f] -> x[a + c d : ... : c f], for forward slices inside known sizes"""
    inner, outer = node.inputs[0].node, node.op
    if not isinstance(inner.op, Slice) or not isinstance(outer, Slice):
        return None
    if not (_is_inside(inner) and _is_inside(node)):
        return None
    axes = zip(inner.op.start, inner.op.step, outer.start, outer.step, node.output.shape,
               strict=True)  # fmt: skip
    merged = []
    for start, step, then, by, size in axes:
        first, stride = start + then * step, step * by
        merged.append((first, first + (size - 1) * stride + 1 if size != 0 else first, stride))
    starts, stops, steps = zip(*merged, strict=True)
    return Slice(starts, stops, steps)(inner.inputs[0])


def _is_inside(node: Node) -> bool:
    """Whether a slice goes forward, between places that are numbers and that there are."""
    given = node.op.attributes()
    places = zip(given["start"], given["stop"], given["step"], node.inputs[0].shape, strict=True)
    return all(
        isinstance(start, int)
        and isinstance(stop, int)
        and isinstance(size, int)
        and 0 <= start <= stop <= size
        and step > 0
        for start, stop, step, size in places
    )


@node_rule(Pad, beside=(Pad,))
def pad_of_pad(node: Node) -> Tensor | None:
    """pad(pad(x, a, v), b, v) -> pad(x, a + b, v)"""
    inner, outer = node.inputs[0].node.op, node.op
    if not isinstance(inner, Pad) or not isinstance(outer, Pad) or inner.value != outer.value:
        return None
    before = tuple(a + b for a, b in zip(inner.before, outer.before, strict=True))
    after = tuple(a + b for a, b in zip(inner.after, outer.after, strict=True))
    return Pad(before, after, outer.value)(node.inputs[0].node.inputs[0])


@node_rule(Pad)
def pad_nothing(node: Node) -> Tensor | None:
    """pad(x, 0, 0) -> x"""
    given = node.op.attributes()
    return node.inputs[0] if set(given["before"]) | set(given["after"]) <= {0} else None


@node_rule(Concat, beside=(Concat,))
def concat_of_concats(node: Node) -> Tensor | None:
    """concat([a, concat([b, c])]) -> concat([a, b, c]), along one axis"""
    parts = [_parts(tensor, node.op) for tensor in node.inputs]
    flat = [part for each in parts for part in each]
    return Concat(node.op.attributes()["axis"])(*flat) if len(flat) > len(parts) else None


def _parts(tensor: Tensor, op: object) -> tuple[Tensor, ...]:
    return tensor.node.inputs if tensor.node.op == op else (tensor,)


MOVE_RULES: tuple[Rule, ...] = (slice_of_slice, pad_of_pad, pad_nothing, concat_of_concats)
