"""MNIST, or a set of its form, by dense layers or convolutions: loss and accuracy of each epoch.

    python examples/mnist.py --root ~/data/mnist --net cnn --backend jax
    python examples/mnist.py --download --data fashion_mnist --epochs 10

The four files (train-images-idx3-ubyte and so on, as they are or with .gz) lie in the folder of
``--root``, or are downloaded with ``--download``.
"""

import argparse
import math
import sys

import asg
from asg import data, nn, optim
from asg.train.callbacks import Progress

BATCH = 128


def dense() -> nn.Module:
    """784-128-64-10 with GELU: 109,386 parameters."""
    return nn.Sequential(nn.Flatten(), nn.models.MLP(784, (128, 64, 10), activation_layer=nn.GELU))


def convolutions() -> nn.Module:
    """Two stages of convolution, then dense: 421,642 parameters."""
    return nn.Sequential(
        conv1=nn.Conv2d(1, 32, 3, padding=1), act1=nn.ReLU(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(32, 64, 3, padding=1), act2=nn.ReLU(), pool2=nn.MaxPool2d(2),
        flat=nn.Flatten(), fc1=nn.Linear(3136, 128), act3=nn.ReLU(), drop=nn.Dropout(0.3),
        fc2=nn.Linear(128, 10),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", help="the folder of the files; $ASG_DATA unless given")
    parser.add_argument("--download", action="store_true", help="get the files if they are absent")
    parser.add_argument("--data", default="mnist", choices=["mnist", "fashion_mnist", "kmnist"])
    parser.add_argument("--net", default="mlp", choices=["mlp", "cnn"])
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    try:
        train, test = (
            data.load(arguments.data, split=split, root=arguments.root, download=arguments.download)
            .map(data.to_float("images"))
            for split in ("train", "test")
        )  # fmt: skip
    except asg.AsgError as error:
        sys.exit(f"{error}\n  for this script: --root FOLDER, or --download")
    steps = arguments.epochs * math.ceil(len(train) / BATCH)
    rate = optim.one_cycle(3e-3, steps)
    model = asg.Model(
        dense() if arguments.net == "mlp" else convolutions(),
        loss="cross_entropy",
        optimizer=optim.adamw(rate, weight_decay=0.01),
        metrics=["accuracy"],
        backend=arguments.backend,
        seed=arguments.seed,
    )
    print(model)
    history = model.fit(
        train, arguments.epochs, batch_size=BATCH, validation_data=test, callbacks=[Progress()]
    )
    epoch, best = history.best("val_accuracy", larger=True)
    print(f"best accuracy on {len(test)} unseen images: {best:.4f} (epoch {epoch})")


if __name__ == "__main__":
    main()
