"""The data sets there are, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

from asg.core.errors import OperandError, UnknownName
from asg.data.bundled import CLASSIFICATION, load_table
from asg.data.cifar import load_cifar
from asg.data.dataset import Dataset
from asg.data.digits import load_digits
from asg.data.idx import load_emnist, load_idx
from asg.data.photographs import load_stl10, load_svhn
from asg.data.synthetic import make_moons, make_sequences, make_spirals, make_xor
from asg.data.texts import load_shakespeare


@dataclass(frozen=True)
class _Entry:
    """How to load a set, what it is for, and whether it needs files of one's own."""

    load: Callable[..., Dataset]
    task: str
    files: bool = False


_IMAGES, _POINTS = "images", "points"
_ENTRIES: dict[str, _Entry] = {
    "digits": _Entry(load_digits, _IMAGES),
    **{name: _Entry(partial(load_table, name), _POINTS) for name in CLASSIFICATION},
    "diabetes": _Entry(partial(load_table, "diabetes"), "regression"),
    "xor": _Entry(make_xor, _POINTS),
    "spirals": _Entry(make_spirals, _POINTS),
    "moons": _Entry(make_moons, _POINTS),
    "copy": _Entry(partial(make_sequences, "copy"), "sequences"),
    "reverse": _Entry(partial(make_sequences, "reverse"), "sequences"),
    "mnist": _Entry(partial(load_idx, "mnist"), _IMAGES, True),
    "fashion_mnist": _Entry(partial(load_idx, "fashion_mnist"), _IMAGES, True),
    "kmnist": _Entry(partial(load_idx, "kmnist"), _IMAGES, True),
    "emnist": _Entry(load_emnist, _IMAGES, True),
    "cifar10": _Entry(partial(load_cifar, "cifar10"), _IMAGES, True),
    "cifar100": _Entry(partial(load_cifar, "cifar100"), _IMAGES, True),
    "svhn": _Entry(load_svhn, _IMAGES, True),
    "stl10": _Entry(load_stl10, _IMAGES, True),
    "tinyshakespeare": _Entry(load_shakespeare, "text", True),
}


def names(task: str | None = None, files: bool | None = None) -> list[str]:
    """What `load` knows.

    Args:
        task: only those of "images", "points", "regression", "sequences" or "text".
        files: only those that need files (True), or that do not (False).

    >>> names("points", files=False)
    ['iris', 'wine', 'breast_cancer', 'xor', 'spirals', 'moons']
    """
    return [
        name
        for name, entry in _ENTRIES.items()
        if task in (None, entry.task) and files in (None, entry.files)
    ]


def load(name: str, **options: Any) -> Dataset:
    """The data set called ``name``.

    =====================  ====================================================================
    digits                 1,797 handwritten digits of 8 x 8 pixels: ``images`` float32 [n, 64]
                           in [0, 1], ``labels`` int32; bundled with scikit-learn (extra ``data``)
    iris, wine,            tables bundled with scikit-learn: ``x`` float32 [n, features],
    breast_cancer          ``labels`` int32
    diabetes               the same with ``y`` float32, to predict
    xor, spirals, moons    points in the plane, computed: ``x`` float32 [n, 2], ``labels`` int32;
                           options count, noise, seed, of spirals also classes, turns
    copy, reverse          sequences, computed: ``inputs``, ``targets`` int32 [n, length];
                           options count, length, vocabulary, seed
    mnist, kmnist,         ``images`` uint8 [n, 1, 28, 28], ``labels`` int32; option split
    fashion_mnist, emnist  ("train", "test"), of emnist also part ("balanced", "letters", ...)
    cifar10, cifar100      ``images`` uint8 [n, 3, 32, 32], ``labels`` int32, of cifar100 also
                           ``coarse``; options split, form ("binary", "python")
    svhn                   ``images`` uint8 [n, 3, 32, 32], ``labels`` int32; option split
                           ("train", "test", "extra")
    stl10                  ``images`` uint8 [n, 3, 96, 96], ``labels`` int32; option split
                           ("train", "test", "unlabeled")
    tinyshakespeare        ``tokens`` int32 [n]; options split ("train", "test", "all"), tokens
                           ("characters", "bytes")
    =====================  ====================================================================

    From mnist on, the sets are files: option ``root`` says where they are, otherwise they are
    looked for in the folder of the set's name in $ASG_DATA, or without that, in the cache
    ($ASG_CACHE/data). They are downloaded only with ``download=True`` (extra ``data``).

    Raises:
        UnknownName: no such data set; lists those there are.
        OperandError: an option that the set does not have; lists those it has.
        MissingLibrary: the library that brings it is not installed.
        FileError: files are missing (says which, and where to put them) or damaged.

    >>> load("digits")
    <dataset digits: 1797 x images float32[64], labels int32[]>
    >>> load("xor", count=4)
    <dataset xor: 4 x x float32[2], labels int32[]>
    """
    if name not in _ENTRIES:
        close = get_close_matches(name, _ENTRIES, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UnknownName(f"no data set named {name!r}.{hint} There are: {', '.join(_ENTRIES)}")
    function = _ENTRIES[name].load
    known = list(inspect.signature(function).parameters)
    unknown = [option for option in options if option not in known]
    if unknown:
        raise OperandError(
            f"data set {name!r} has no option {', '.join(unknown)}; "
            f"there are: {', '.join(known) or 'none'}"
        )
    return function(**options)
