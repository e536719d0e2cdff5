"""From scores to labels, and whether they are right: what metrics of classification share."""

from __future__ import annotations

from typing import Any

from asg.core.convert import as_tensor
from asg.core.tensor import Tensor
from asg.ops.compare import equal
from asg.ops.reduce import argmax


def right_labels(scores: Any, target: Any, axis: int = -1) -> Tensor:
    """Whether the first of the largest scores along ``axis`` is the target's, bool."""
    found = argmax(as_tensor(scores), axis)
    return equal(found, as_tensor(target).astype(found.dtype))
