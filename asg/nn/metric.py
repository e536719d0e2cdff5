"""Metrics that are part of the step graph."""

from __future__ import annotations

from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor


def accuracy(logits: Any, target: Any) -> Tensor:
    """Fraction of rows whose largest logit is the target class, float32 scalar.

    Args:
        logits: ``[batch, classes]``.
        target: integers ``[batch]``.

    >>> import asg
    >>> from asg import nn
    >>> hits = nn.accuracy(asg.constant([[1.0, 2.0], [3.0, 0.0]]), asg.constant([1, 1]))
    >>> asg.run(hits).item()
    0.5
    """
    found = as_tensor(logits).argmax(-1)
    wanted = as_tensor(target).astype(found.dtype)
    return call("equal", found, wanted).astype(float32).mean()
