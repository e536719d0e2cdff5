"""Handwritten digits: 1,797 images of 8 x 8 pixels, bundled with scikit-learn.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998, https://doi.org/10.24432/C50P49 (the test part, which scikit-learn includes).
"""

from __future__ import annotations

import numpy as np

from asg.core.errors import MissingLibrary
from asg.data.dataset import Dataset

LARGEST_PIXEL = 16.0


def load_digits() -> Dataset:
    """``images`` float32 [1797, 64] in [0, 1] and ``labels`` int32 [1797] in 0...9.

    Raises:
        MissingLibrary: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits as load_bundled
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise  # scikit-learn is there, but damaged
        raise MissingLibrary(
            "data set 'digits' needs scikit-learn: pip install 'asg-compiler[data]'"
        ) from None
    images, labels = load_bundled(return_X_y=True)
    arrays = {
        "images": (images / LARGEST_PIXEL).astype(np.float32),
        "labels": labels.astype(np.int32),
    }
    return Dataset(arrays, "digits", "bundled, no download")
