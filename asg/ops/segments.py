"""A scan cut into segments: what keeps little for its gradient, at the price of a second forward.

Of a segment only the carries at its start are kept; backward computes its steps again. With
segments of the square root of the length, about that many carries are kept, and as many steps are
in memory at a time (Chen et al., 2016, https://arxiv.org/abs/1604.06174).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from asg.core.dim import Dim, symbol
from asg.core.region import Body, body_input
from asg.core.tensor import Tensor
from asg.ops.join import concat
from asg.ops.operand import respelled
from asg.ops.own_sizes import RootSized, fresh_size
from asg.ops.shape import reshape
from asg.ops.slicing import Slice

if TYPE_CHECKING:
    from asg.ops.loops import Scan

Tensors = tuple[Tensor, ...]


def in_segments(op: Scan, operands: Sequence[Tensor], size: Dim) -> Tensors:
    """The outputs of the scan by a scan over segments of ``size`` steps; then the steps left over.

    With ``reverse`` those left over come first, being the last of x.
    """
    count = op.length // size
    whole = count * size
    parts = [lambda held: _segmented(op, held, operands, count, size)]
    if whole != op.length:
        parts.append(lambda held: _applied(op, held, operands, whole))
    carries, stacks = tuple(operands[: op.carries]), []
    for part in reversed(parts) if op.reverse else parts:
        outputs = part(carries)
        carries = outputs[: op.carries]
        stacks.append(outputs[op.carries :])
    if op.reverse:
        stacks.reverse()
    joined = [each[0] if len(each) == 1 else concat(each) for each in zip(*stacks, strict=True)]
    return (*carries, *(respelled(y, (op.length, *y.shape[1:])) for y in joined))


def in_root_segments(op: Scan, operands: Sequence[Tensor]) -> Tensors:
    """The outputs by segments of the square root of the length, whatever number that will be."""
    leaves = [body_input(f"x{i}", tensor.type) for i, tensor in enumerate(operands)]
    size = fresh_size("segment", operands, (op.body,))
    outputs = in_segments(op, leaves, symbol(size))
    names = [f"y{i}" for i in range(len(outputs))]
    return RootSized(Body.of(leaves, outputs, names), size, op.length).apply(*operands)


def _parts(op: Scan, operands: Sequence[Tensor]) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """The stacked operands, and what every step sees."""
    behind = op.carries + op.stacked
    return operands[op.carries : behind], operands[behind:]


def _segmented(op: Scan, carries: Tensors, operands: Sequence[Tensor], count: Dim, size: Dim
) -> Tensors:  # fmt: skip
    """The first ``count * size`` elements, in a scan over segments."""
    xs, captured = _parts(op, operands)
    whole = count * size
    parts = [respelled(Slice.along(0, 0, whole, x), (whole, *x.shape[1:])) for x in xs]
    blocks = [reshape(x, (count, size, *x.shape[1:])) for x in parts]
    types = [tensor.type for tensor in op.body.inputs]
    behind = op.carries + op.stacked
    types[op.carries : behind] = [each.with_shape((size, *each.shape))
                                  for each in types[op.carries : behind]]  # fmt: skip
    leaves = [body_input(name, each) for name, each in zip(op.body.input_names, types, strict=True)]
    inner = replace(op, length=size, checkpoint=False).apply(*leaves)
    body = Body.of(leaves, inner, op.body.output_names, (), "segment", op.body.input_names)
    outer = replace(op, body=body, length=count, checkpoint=True, unroll=1)
    outputs = outer.apply(*carries, *blocks, *captured)
    stacks = [reshape(y, (whole, *y.shape[2:])) for y in outputs[op.carries :]]
    return (*outputs[: op.carries], *stacks)


def _applied(op: Scan, carries: Tensors, operands: Sequence[Tensor], start: Dim) -> Tensors:
    """The elements from ``start`` on, fewer than a segment."""
    xs, captured = _parts(op, operands)
    rest = op.length - start
    parts = [
        respelled(Slice.along(0, start, x.shape[0], x), (rest, *x.shape[1:])) for x in xs
    ]  # fmt: skip
    return replace(op, length=rest, checkpoint=False).apply(*carries, *parts, *captured)
