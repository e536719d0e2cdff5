"""Small tables that scikit-learn brings along."""

from __future__ import annotations

import numpy as np

from asg.core.errors import MissingLibrary
from asg.data.dataset import Dataset

CLASSIFICATION = ("iris", "wine", "breast_cancer")
TABLES = (*CLASSIFICATION, "diabetes")


def load_table(name: str) -> Dataset:
    """``x`` float32 [n, features], and ``labels`` int32 [n] or, of diabetes, ``y`` float32 [n].

    Raises:
        MissingLibrary: scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError:
        raise MissingLibrary(
            f"data set {name!r} needs scikit-learn: pip install 'asg-compiler[data]'"
        ) from None
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    target = {"labels": y.astype(np.int32)} if name in CLASSIFICATION else {"y": np.float32(y)}
    return Dataset({"x": x.astype(np.float32), **target}, name, "bundled, no download")
