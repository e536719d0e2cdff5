"""Train once, use anywhere: a network exported as a folder, loaded without its code.

    python examples/inference.py
    python examples/inference.py --folder digits_network --backend jax

The folder has the graph as text, the weights as safetensors, and nothing of the training: whoever
loads it needs neither the module nor the loss. Prints the files, that the answers are the same,
and how many images are answered per second. Needs the digits: pip install 'asg-compiler[data]'.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import asg
from asg import data, nn, optim


def export(folder: Path) -> np.ndarray:
    """Train a network, write it, and give its results for the digits of the test."""
    train, test = data.load("digits").split(0.8, seed=0)
    net = nn.Sequential(
        fc1=nn.Linear(64, 64), norm=nn.BatchNorm1d(64), act=nn.ReLU(), drop=nn.Dropout(0.2),
        fc2=nn.Linear(64, 10),
    )  # fmt: skip
    model = asg.Model(net, "cross_entropy", optim.adam(3e-3), metrics=["accuracy"])
    model.fit(train, epochs=8, batch_size=64)
    model.export_for_inference(folder)
    results: np.ndarray = model.predict(test[:]["images"])
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"], help="of the use")
    parser.add_argument("--folder", help="where the network goes; a temporary one unless given")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.folder or Path(temporary, "network"))
        expected = export(folder)
        for path in sorted(folder.iterdir()):
            print(f"{path.name}: {path.stat().st_size:,} bytes")

        network = asg.train.load_for_inference(folder, arguments.backend)
        print(network)
        unseen = data.load("digits").split(0.8, seed=0)[1][:]
        results = network.predict(unseen["images"])
        print(f"largest difference from the model: {np.abs(results - expected).max():.1e}")
        right = (results.argmax(axis=1) == unseen["labels"]).sum()
        print(f"right: {right} of {len(results)} digits it has not seen")

        began, rounds = time.perf_counter(), 50
        for _ in range(rounds):
            network.predict(unseen["images"])
        rate = rounds * len(results) / (time.perf_counter() - began)
        print(f"{rate:,.0f} images per second")


if __name__ == "__main__":
    main()
