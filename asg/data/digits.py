"""Handwritten digits: 1,797 images of 8 x 8 pixels, bundled with scikit-learn.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998, https://doi.org/10.24432/C50P49 (the test part, which scikit-learn includes).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from asg.core.errors import MissingLibrary
from asg.data.dataset import Dataset

LARGEST_PIXEL = 16.0
FILE = "datasets/data/digits.csv.gz"


def load_digits() -> Dataset:
    """``images`` float32 [1797, 64] in [0, 1] and ``labels`` int32 [1797] in 0...9.

    Raises:
        MissingLibrary: scikit-learn is not installed.
    """
    table = _table()
    arrays = {
        "images": (table[:, :-1] / LARGEST_PIXEL).astype(np.float32),
        "labels": table[:, -1].astype(np.int32),
    }
    return Dataset(arrays, "digits", "bundled, no download")


def _table() -> np.ndarray[Any, Any]:
    """64 pixels and the label in every row.

    Importing scikit-learn takes longer than training on its digits, so the file is read where it
    lies; a release that keeps it elsewhere is asked the regular way.
    """
    found = find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise MissingLibrary(
            "data set 'digits' needs scikit-learn: pip install 'asg-compiler[data]'"
        )
    file = Path(found.submodule_search_locations[0], FILE)
    if file.is_file():
        return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits as load_bundled

    images, labels = load_bundled(return_X_y=True)
    return np.column_stack([images, labels])
