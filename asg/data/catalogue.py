"""The data sets there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from asg.core.errors import UnknownName
from asg.data.dataset import Dataset
from asg.data.digits import load_digits

_LOADERS: dict[str, Callable[[], Dataset]] = {"digits": load_digits}


def names() -> list[str]:
    """What `load` knows.

    >>> names()
    ['digits']
    """
    return list(_LOADERS)


def load(name: str) -> Dataset:
    """The data set called ``name``.

    ========  ==========================================================================
    digits    1,797 handwritten digits of 8 x 8 pixels: ``images`` float32 [1797, 64] in
              [0, 1], ``labels`` int32; bundled with scikit-learn (extra ``data``)
    ========  ==========================================================================

    Raises:
        UnknownName: no such data set; lists those there are.
        MissingLibrary: the library that brings it is not installed.

    >>> load("digits")
    <dataset digits: 1797 x images float32[64], labels int32[]>
    """
    if name not in _LOADERS:
        close = get_close_matches(name, _LOADERS, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UnknownName(f"no data set named {name!r}.{hint} There are: {', '.join(_LOADERS)}")
    return _LOADERS[name]()
