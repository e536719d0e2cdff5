"""The curves of a training run: loss and accuracy over the epochs, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from asg.train.chart import HEIGHT, WIDTH, line_chart
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
    width = WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" '
        f'viewBox="0 0 {width} {HEIGHT}" role="img" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" '
        'font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for number, (name, series) in enumerate(panels.items()):
        chart = line_chart(name, "epoch", series)
        parts += [f'<g transform="translate({number * WIDTH} 0)">', chart, "</g>"]
    return "\n".join([*parts, "</svg>", ""])
