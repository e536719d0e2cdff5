"""CIFAR-10 by a plain or a residual network: loss and accuracy of each epoch.

    python examples/cifar10.py --root ~/data --backend jax
    python examples/cifar10.py --root ~/data --net resnet --augment --epochs 30 --backend jax

The folder cifar-10-batches-bin, or the archive cifar-10-binary.tar.gz, lies in the folder of
``--root``, or is downloaded with ``--download``. An epoch takes minutes without a GPU.
"""

import argparse
import sys

import asg
from asg import data, nn, optim
from asg.train.callbacks import Progress

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the training images


def stage(before: int, after: int) -> nn.Module:
    """Half the size, more channels."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ELU(), nn.MaxPool2d(2)
    )


def dense(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(before, after), nn.BatchNorm1d(after), nn.ELU(), nn.Dropout(0.3)
    )  # fmt: skip


def plain() -> nn.Module:
    """Three convolutions and three dense layers: 1,278,218 parameters."""
    return nn.Sequential(
        stage(3, 32), stage(32, 64), stage(64, 128), nn.Flatten(),
        dense(2048, 512), dense(512, 256), nn.Linear(256, 10),
    )  # fmt: skip


def residual() -> nn.Module:
    """ResNet-18 with the first layers of small images: no stride, no pooling."""
    net = nn.models.resnet18(num_classes=10)
    net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    net.maxpool = nn.Identity()
    return net


def optimizer(net: str, steps: int) -> optim.Chain:
    """Adam; for the residual network momentum. Both rates rise, then go to 0."""
    if net == "cnn":
        return optim.adam(optim.one_cycle(3e-3, steps))
    rate = optim.warmup_cosine(0.1, max(1, steps // 10), steps)
    return optim.sgd(rate, momentum=0.9, nesterov=True, weight_decay=5e-4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", help="the folder of the files; $ASG_DATA unless given")
    parser.add_argument("--download", action="store_true", help="get the files if they are absent")
    parser.add_argument("--net", default="cnn", choices=["cnn", "resnet"])
    parser.add_argument("--augment", action="store_true", help="random crops and flips")
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    scaled, changes = [data.to_float("images")], []
    if arguments.net == "resnet":
        scaled.append(data.normalize("images", MEAN, STD))
    if arguments.augment:
        changes = [data.random_crop("images", padding=4), data.random_horizontal_flip("images")]
    try:
        raw, test = (
            data.load("cifar10", split=split, root=arguments.root, download=arguments.download)
            for split in ("train", "test")
        )
    except asg.AsgError as error:
        sys.exit(f"{error}\n  for this script: --root FOLDER, or --download")
    train = data.DataLoader(
        raw, 128, shuffle=True, seed=arguments.seed, prefetch=2,
        transform=data.compose(*scaled, *changes),
    )  # fmt: skip
    model = asg.Model(
        plain() if arguments.net == "cnn" else residual(),
        loss="cross_entropy",
        optimizer=optimizer(arguments.net, arguments.epochs * len(train)),
        metrics=["accuracy"],
        backend=arguments.backend,
        seed=arguments.seed,
    )
    print(model)
    history = model.fit(
        train, arguments.epochs, callbacks=[Progress()],
        validation_data=test.map(data.compose(*scaled)),
    )  # fmt: skip
    epoch, best = history.best("val_accuracy", larger=True)
    print(f"best accuracy on {len(test)} unseen images: {best:.4f} (epoch {epoch})")


if __name__ == "__main__":
    main()
