"""The curves of a training run: loss and accuracy over the epochs, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from asg.train.chart import charts_svg
from asg.train.trainer import Epoch


def curves_svg(history: Sequence[Epoch], title: str) -> str:
    """An SVG file with the loss and the accuracy of training and test examples.

    Args:
        history: at least one epoch.
        title: what was trained; read by screen readers and shown by browsers.
    """
    panels = {
        "loss": {"train": [e.loss for e in history], "test": [e.test_loss for e in history]},
        "accuracy": {
            "train": [e.accuracy for e in history],
            "test": [e.test_accuracy for e in history],
        },
    }
    return charts_svg(title, "epoch", panels)
