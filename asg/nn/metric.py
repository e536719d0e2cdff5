"""The accuracy of one batch, as part of the step graph; `asg.metrics` has those of many."""

from __future__ import annotations

from typing import Any

from asg.core.dtype import float32
from asg.core.tensor import Tensor
from asg.ops.labels import right_labels


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
    return right_labels(logits, target).astype(float32).mean()
