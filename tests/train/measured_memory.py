"""How much memory a long training holds: ``python -m tests.train.measured_memory BACKEND EPOCHS``.

Prints resident kB after some of its epochs as one JSON object.
"""

from __future__ import annotations

import gc
import json
import sys
from tempfile import TemporaryDirectory

import asg
from asg import data, nn
from asg.train import Callback, Fit
from asg.train.callbacks import EarlyStopping, JsonlLogger, SaveCheckpoints


def resident() -> int:
    """VmRSS of this process in kB."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Watching(Callback):
    """Notes the resident memory after epoch 10, and ten times more until the end."""

    def __init__(self, epochs: int) -> None:
        self.at = {10, *range(epochs // 10, epochs + 1, epochs // 10)}
        self.found: dict[int, int] = {}

    def on_epoch_recorded(self, fit: Fit) -> None:
        if fit.epoch in self.at:
            gc.collect()
            self.found[fit.epoch] = resident()


def main(backend: str, epochs: int) -> dict[int, int]:
    """Train on the digits, with validation, a log, checkpoints and early stopping."""
    train, test = data.load("digits").split(0.8, seed=0)
    net = nn.Sequential(
        fc1=nn.Linear(64, 32), norm=nn.BatchNorm1d(32), act=nn.ReLU(), drop=nn.Dropout(0.2),
        fc2=nn.Linear(32, 10),
    )  # fmt: skip
    model = asg.Model(net, "cross_entropy", "adam", ["accuracy"], backend=backend)
    watching = Watching(epochs)
    with TemporaryDirectory() as folder:
        model.fit(
            train, epochs, 64, validation_data=test,
            callbacks=[JsonlLogger(f"{folder}/log.jsonl"), EarlyStopping(patience=epochs),
                       SaveCheckpoints(f"{folder}/checkpoints", 5), watching],
        )  # fmt: skip
    return watching.found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
