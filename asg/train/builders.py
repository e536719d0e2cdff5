"""The classifier and the optimizer that a configuration describes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from asg import nn, optim
from asg.train.config import OptimizerConfig


def classifier(features: int, hidden: Sequence[int], classes: int) -> nn.Sequential:
    """Dense layers with ReLU between them: ``fc1, act1, fc2, ...``.

    >>> list(classifier(64, [32], 10).parameters())
    ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']
    """
    widths = [features, *hidden, classes]
    layers: dict[str, nn.Module] = {}
    for number, (width, following) in enumerate(pairwise(widths), start=1):
        layers[f"fc{number}"] = nn.Linear(width, following)
        if number <= len(hidden):
            layers[f"act{number}"] = nn.ReLU()
    return nn.Sequential(**layers)


def optimizer(config: OptimizerConfig) -> optim.Transform:
    """The update rule with its settings."""
    if config.name == "sgd":
        return optim.sgd(config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
    rule = optim.adamw if config.name == "adamw" else optim.adam
    return rule(config.lr, weight_decay=config.weight_decay)
