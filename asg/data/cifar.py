"""CIFAR-10 and CIFAR-100: photographs of 32 x 32 pixels, from either form of their files.

Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009,
https://www.cs.toronto.edu/~kriz/cifar.html (which also states the checksums).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.core.errors import FileError
from asg.data.dataset import Dataset
from asg.data.labelled import labelled_images, one_of, records
from asg.data.order import Array
from asg.data.sources import Remote, read_files
from asg.data.stored_objects import read_objects

PIXELS = 3 * 32 * 32
_ADDRESS = "https://www.cs.toronto.edu/~kriz/"


@dataclass(frozen=True)
class _Form:
    """One of the two forms of files."""

    remote: Remote
    folder: str  # in the archive
    train: tuple[str, ...]
    test: tuple[str, ...]

    def files(self, split: str) -> tuple[str, ...]:
        return self.train if split == "train" else self.test


_FORMS = {
    "cifar10": {
        "binary": _Form(
            Remote(f"{_ADDRESS}cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530"),
            "cifar-10-batches-bin",
            tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
            ("test_batch.bin",),
        ),
        "python": _Form(
            Remote(f"{_ADDRESS}cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a"),
            "cifar-10-batches-py",
            tuple(f"data_batch_{i}" for i in range(1, 6)),
            ("test_batch",),
        ),
    },
    "cifar100": {
        "binary": _Form(
            Remote(f"{_ADDRESS}cifar-100-binary.tar.gz", "md5:03b5dce01913d631647c71ecec9e9cb8"),
            "cifar-100-binary",
            ("train.bin",),
            ("test.bin",),
        ),
        "python": _Form(
            Remote(f"{_ADDRESS}cifar-100-python.tar.gz", "md5:eb9058c3a382ffc7106e4002c42a8d85"),
            "cifar-100-python",
            ("train",),
            ("test",),
        ),
    },
}


def load_cifar(
    name: str,
    split: str = "train",
    form: str = "binary",
    root: Any = None,
    download: bool = False,
) -> Dataset:
    """``images`` uint8 [n, 3, 32, 32] and ``labels`` int32; of CIFAR-100 also ``coarse`` int32.

    Args:
        name: "cifar10" or "cifar100".
        split: "train" or "test".
        form: of the files, "binary" or "python"; the latter are read without running their code.
        root: the folder that holds the files, or the archive.
        download: get the archive if nothing is there.

    Raises:
        FileError: a file is missing, damaged or of another kind.
        OperandError: an unknown split or form.
    """
    chosen = _FORMS[name][one_of("form", form, _FORMS[name])]
    files = chosen.files(one_of("split", split, ("train", "test")))
    contents = read_files(name, files, (chosen.remote,), root, download, chosen.folder)
    read = _binary if form == "binary" else _python
    parts = [read(contents[file], file, name == "cifar100") for file in files]
    images, labels, coarse = (np.concatenate([part[i] for part in parts]) for i in range(3))
    data = labelled_images(
        name, files, images.reshape(-1, 3, 32, 32), labels, 100 if name == "cifar100" else 10
    )
    if name == "cifar10":
        return data
    groups = labelled_images(name, files, images.reshape(-1, 3, 32, 32), coarse, 20)
    arrays = {**data.arrays, "coarse": groups.arrays["labels"]}
    return Dataset(arrays, name, data.source)


def _binary(content: bytes, file: str, hundred: bool) -> tuple[Array, Array, Array]:
    """A record is the label (of CIFAR-100: coarse, then fine) and the pixels, red plane first."""
    first = 2 if hundred else 1
    rows = records(content, first + PIXELS, file)
    return rows[:, first:], rows[:, first - 1], rows[:, 0]


def _python(content: bytes, file: str, hundred: bool) -> tuple[Array, Array, Array]:
    found = read_objects(content, file)
    names = ("data", "fine_labels", "coarse_labels") if hundred else ("data", "labels", "labels")
    if not isinstance(found, dict) or not set(names) <= set(found):
        raise FileError(f"{file} holds no {', '.join(dict.fromkeys(names))}")
    images, labels, coarse = (np.asarray(found[name]) for name in names)
    if images.dtype != np.uint8 or images.shape[1:] != (PIXELS,):
        raise FileError(f"{file} holds {images.dtype}{list(images.shape)}, no images of 32 x 32")
    return images, labels, coarse
