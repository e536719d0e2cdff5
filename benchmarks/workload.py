"""A workload: a network, its batches, its optimizer; equal for every peer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.networks import Array, Batch, Network, Variable

RESIDENT = 4  # batches, which are cycled

Step = Callable[[int], float]
Weights = dict[str, Array]


@dataclass(frozen=True)
class Optimizer:
    """``sgd``, ``adam`` or ``adamw`` with PyTorch's defaults for what is not told.

    Attributes:
        name: of the rule.
        rate: the learning rate.
        momentum: of sgd.
        decay: decoupled, of adamw.
        clip: the largest norm of all gradients together; None: any.
    """

    name: str
    rate: float
    momentum: float = 0.0
    decay: float = 0.0
    clip: float | None = None


@dataclass(frozen=True)
class Workload:
    """What one step computes.

    Attributes:
        network: its variables and its formula.
        batch: examples in a batch.
        optimizer: None: the step only computes the network's outputs, in evaluation mode.
        tolerance: how far the losses of two peers may be apart, relatively.
    """

    network: Network
    batch: int
    optimizer: Optimizer | None
    tolerance: float = 1e-4

    def batches(self, seed: int = 0) -> list[Batch]:
        """The same for every peer."""
        random = np.random.default_rng(seed)
        return [self.network.batch(random, self.batch) for _ in range(RESIDENT)]

    def weights(self, seed: int = 1) -> Weights:
        """First values by name, the same for every peer."""
        random = np.random.default_rng(seed)
        return {name: _drawn(v, random) for name, v in self.network.variables().items()}


def _drawn(variable: Variable, random: np.random.Generator) -> Array:
    values = random.uniform(-1.0, 1.0, variable.shape) * variable.spread + variable.center
    return np.asarray(values, np.float32)
