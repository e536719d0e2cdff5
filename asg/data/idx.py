"""MNIST and its relatives: images of 28 x 28 pixels in the IDX format."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from asg.core.errors import FileError
from asg.data.dataset import Dataset
from asg.data.labelled import labelled_images, one_of
from asg.data.order import Array
from asg.data.sources import Remote, read_files

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_FILES = {"train": "train", "test": "t10k"}

# Checksums: of MNIST computed from the published files, else as torchvision states them.
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_KMNIST = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"
_EMNIST = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
REMOTES: dict[str, tuple[Remote, ...]] = {
    "mnist": (
        Remote(
            f"{_MNIST}train-images-idx3-ubyte.gz",
            "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        ),
        Remote(
            f"{_MNIST}train-labels-idx1-ubyte.gz",
            "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        Remote(
            f"{_MNIST}t10k-images-idx3-ubyte.gz",
            "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        Remote(
            f"{_MNIST}t10k-labels-idx1-ubyte.gz",
            "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion_mnist": (
        Remote(f"{_FASHION}train-images-idx3-ubyte.gz", "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        Remote(f"{_FASHION}train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe"),
        Remote(f"{_FASHION}t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79"),
        Remote(f"{_FASHION}t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    "kmnist": (
        Remote(f"{_KMNIST}train-images-idx3-ubyte.gz", "md5:bdb82020997e1d708af4cf47b453dcf7"),
        Remote(f"{_KMNIST}train-labels-idx1-ubyte.gz", "md5:e144d726b3acfaa3e44228e80efcd344"),
        Remote(f"{_KMNIST}t10k-images-idx3-ubyte.gz", "md5:5c965bf0a639b31b8f53240b1b52f4d7"),
        Remote(f"{_KMNIST}t10k-labels-idx1-ubyte.gz", "md5:7320c461ea6c1c855c0b718fb2a4b134"),
    ),
    "emnist": (Remote(_EMNIST, "md5:58c8d27c78d21e728a6bc7b3cc06412e"),),
}
EMNIST_CLASSES = {
    "byclass": 62, "bymerge": 47, "balanced": 47, "letters": 26, "digits": 10, "mnist": 10,
}  # fmt: skip


def read_idx(content: bytes, file: str) -> Array:
    """The array of an IDX file.

    Format: two zero bytes, a byte for the dtype, one for the number of axes, the sizes as
    big-endian uint32, and the numbers, big-endian.

    Raises:
        FileError: another format, or another length than the header says.

    >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 7]), "two").tolist()
    [5, 7]
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES:
        raise FileError(
            f"{file} is no IDX file: it begins with {content[:4].hex(' ') or 'nothing'}"
        )
    dtype, start = np.dtype(_TYPES[content[2]]), 4 + 4 * content[3]
    if len(content) < start:
        raise FileError(f"{file} is cut off in its header")
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">u4"))
    expected = start + prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise FileError(f"{file} has {len(content)} bytes, its header says {expected}")
    return np.frombuffer(content[start:], dtype).reshape(shape).astype(dtype.newbyteorder("="))


def load_idx(name: str, split: str = "train", root: Any = None, download: bool = False) -> Dataset:
    """MNIST, Fashion-MNIST or KMNIST: ``images`` uint8 [n, 1, 28, 28], ``labels`` int32 in 0...9.

    Raises:
        FileError: a file is missing, damaged or of another kind.
        OperandError: another split than "train" and "test".
    """
    part = _FILES[one_of("split", split, _FILES)]
    files = [f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"]
    contents = read_files(name, files, REMOTES[name], root, download)
    images, labels = (read_idx(contents[file], file) for file in files)
    return labelled_images(name, files, images, labels, 10)


def load_emnist(
    part: str = "balanced", split: str = "train", root: Any = None, download: bool = False
) -> Dataset:
    """EMNIST, letters and digits: ``images`` uint8 [n, 1, 28, 28], ``labels`` int32.

    Its files hold the images transposed; here they stand upright. The labels of the part
    "letters", 1...26 in the files, are 0...25 here.

    Source: Cohen et al., https://arxiv.org/abs/1702.05373.

    Raises:
        FileError: a file is missing, damaged or of another kind.
        OperandError: an unknown part or split.
    """
    classes = EMNIST_CLASSES[one_of("part", part, EMNIST_CLASSES)]
    one_of("split", split, _FILES)
    files = [f"emnist-{part}-{split}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")]
    contents = read_files("emnist", files, REMOTES["emnist"], root, download, "gzip")
    images, labels = (read_idx(contents[file], file) for file in files)
    if images.ndim != 3:
        raise FileError(f"{files[0]} holds an array {list(images.shape)}, no images")
    first = 1 if part == "letters" else 0
    upright = images.transpose(0, 2, 1)
    return labelled_images("emnist", files, upright, labels, classes, first)
