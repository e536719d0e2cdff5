"""The gradient of a checkpoint: the body once more, held back by barriers."""

from __future__ import annotations

from collections.abc import Sequence

from asg.autodiff.vjp import pullback
from asg.core.region import inline
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.ops.wrapped import Barrier, Checkpoint

Tensors = Sequence[Tensor]


@public
def checkpoint_vjp(
    op: Checkpoint, wanted: Sequence[bool], inputs: Tensors, cotangents: Tensors
) -> list[Tensor | None]:
    """Cotangents of the operands that are wanted, through a second computation of the body.

    The operands pass barriers that wait for the cotangents: so the second computation is neither
    merged with the first nor moved before backward reaches it.
    """
    held = [Barrier()(tensor, *cotangents) for tensor in inputs]
    outputs = inline(op.body, held)
    chosen = [i for i, output in enumerate(outputs) if output.dtype.is_float]
    asked = zip(held, wanted, strict=True)
    floats = [tensor for tensor, is_asked in asked if is_asked and tensor.dtype.is_float]
    found = pullback([outputs[i] for i in chosen], [cotangents[i] for i in chosen], floats)
    by_tensor = dict(zip(floats, found, strict=True))
    return [by_tensor.get(tensor) for tensor in held]
