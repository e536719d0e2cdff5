"""Find `asg.backends` and `asg.visualizer` when asg runs straight from a checkout.

In the repository they are top-level folders, so that nothing in `asg/` can lean on them; installed,
they are sub-packages of asg. A finder bridges the two: it answers for exactly these two names, and
only where a checkout is recognised. Extending `asg.__path__` would be shorter, but would also make
`asg.tests` and `asg.asg` importable. In an installed asg this module does nothing.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"asg.backends": ROOT / "backends", "asg.visualizer": ROOT / "visualizer"}


class CheckoutFinder:
    """A meta-path finder for the packages of asg that live beside `asg/` in a checkout."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of `name` if it is one of `FOLDERS`, else None: other finders go on looking."""
        folder = FOLDERS.get(name)
        if folder is None:
            return None
        return spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


def is_checkout() -> bool:
    """Whether this asg lies in its own repository, with both folders beside it."""
    markers = [ROOT / "pyproject.toml", *(folder / "__init__.py" for folder in FOLDERS.values())]
    return all(marker.is_file() for marker in markers)


# Last in line: an installed asg.backends, or one that an editable install maps, is found first.
if is_checkout():
    sys.meta_path.append(CheckoutFinder)
