"""``asg datasets``: the data sets there are, and where their files are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asg.cli.parser import Parser
from asg.core.errors import MissingLibrary
from asg.core.table import aligned

DONE = 0
DESCRIPTION = "List the data sets: what they hold, where their files are looked for, what is there."
TASKS = ("images", "points", "regression", "sequences", "text")
# What the sets hold whose files may be absent.
HELD = {
    "mnist": "60,000 + 10,000 x images uint8[1, 28, 28], 10 classes",
    "fashion_mnist": "60,000 + 10,000 x images uint8[1, 28, 28], 10 classes",
    "kmnist": "60,000 + 10,000 x images uint8[1, 28, 28], 10 classes",
    "emnist": "112,800 + 18,800 x images uint8[1, 28, 28], 47 classes",
    "cifar10": "50,000 + 10,000 x images uint8[3, 32, 32], 10 classes",
    "cifar100": "50,000 + 10,000 x images uint8[3, 32, 32], 100 classes",
    "svhn": "73,257 + 26,032 x images uint8[3, 32, 32], 10 classes",
    "stl10": "5,000 + 8,000 x images uint8[3, 96, 96], 10 classes",
    "tinyshakespeare": "1,115,394 characters",
}


def run(arguments: Sequence[str]) -> int:
    """List them; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood.
    """
    parser = Parser("asg datasets", DESCRIPTION)
    parser.add_argument(
        "--root", metavar="FOLDER", help="where to look (default: $ASG_DATA, else the cache)"
    )
    given = parser.read(arguments)
    from asg.data import names  # not for --help

    with_files = names(files=True)
    rows = [["name", "task", "holds", "there", "files"]]
    for task in TASKS:
        for name in names(task):
            rows.append([name, task, *(_files(name, given.root) if name in with_files
                                       else _without_files(name))])  # fmt: skip
    for line in aligned(rows):
        print(line)
    return DONE


def _without_files(name: str) -> tuple[str, str, str]:
    from asg.data import load

    try:
        found = load(name)
    except MissingLibrary as error:
        return "?", "no", str(error).partition("needs ")[2]
    held = repr(found).removesuffix(">").partition(": ")[2]
    return held, "yes", found.source


def _files(name: str, root: str | None) -> tuple[str, str, str]:
    """Whether one of the folders has a file; `load` says what is missing among them."""
    from asg.data.sources import folders

    places = folders(name, root)
    there = next((place for place in places if _has_files(place, place.name == name)), None)
    return HELD.get(name, "?"), "no" if there is None else "yes", str(there or places[-1])


def _has_files(place: Path, below: bool) -> bool:
    """Whether there is a file, perhaps in a folder below: an archive may be unpacked there."""
    return any(path.is_file() for path in (place.rglob("*") if below else place.glob("*")))
