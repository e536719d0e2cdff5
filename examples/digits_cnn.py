"""Handwritten digits by two convolutions: loss and accuracy of each epoch, and what is confused.

    python examples/digits_cnn.py --epochs 20 --backend jax

Needs the digits of scikit-learn: pip install 'asg-compiler[data]'.
"""

import argparse

import numpy as np

import asg
from asg import data, nn, optim
from asg.train.callbacks import Progress


def network() -> nn.Module:
    """[batch, 1, 8, 8] to ten logits."""
    return nn.Sequential(
        conv1=nn.Conv2d(1, 16, 3, padding=1), norm1=nn.BatchNorm2d(16), act1=nn.ReLU(),
        conv2=nn.Conv2d(16, 32, 3, padding=1), norm2=nn.BatchNorm2d(32), act2=nn.ReLU(),
        pool=nn.MaxPool2d(2), flat=nn.Flatten(), drop=nn.Dropout(0.25), out=nn.Linear(512, 10),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--epochs", type=int, default=4)
    arguments = parser.parse_args()

    digits = data.load("digits").arrays
    images = digits["images"].reshape(-1, 1, 8, 8)
    whole = data.Dataset({"images": images, "labels": digits["labels"]})
    train, test = whole.split(0.8, seed=0, stratify="labels")
    model = asg.Model(
        network(), "cross_entropy", optim.adam(2e-3), ["accuracy"], backend=arguments.backend
    )
    model.fit(train, arguments.epochs, batch_size=64, callbacks=[Progress()])

    unseen = test[:]
    answers = model.predict(unseen["images"]).argmax(axis=1)
    wrong = np.flatnonzero(answers != unseen["labels"])
    print(f"right: {len(answers) - len(wrong)} of {len(answers)} digits it has not seen")
    for index in wrong[:5]:
        print(f"  took a {unseen['labels'][index]} for a {answers[index]}")


if __name__ == "__main__":
    main()
