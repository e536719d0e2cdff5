"""The curves of a training run: loss and metrics over the epochs, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from asg.train.chart import charts_svg
from asg.train.epoch import Epoch


def curves_svg(history: Sequence[Epoch], title: str) -> str:
    """An SVG file with the loss and the metrics of training and test examples.

    Args:
        history: at least one epoch.
        title: what was trained; read by screen readers and shown by browsers.
    """
    panels = {
        name: {
            "train": [epoch.train[name] for epoch in history],
            "test": [epoch.test[name] for epoch in history],
        }
        for name in history[0].train
    }
    return charts_svg(title, "epoch", panels)
