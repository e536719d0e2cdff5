"""Expected texts in tests/golden. ASG_UPDATE_GOLDENS=1 writes them anew; read the difference."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from tests.architecture.source_tree import ROOT

FOLDER = ROOT / "tests" / "golden"
SERIALS = frozenset(
    {"serial", "lineage", "source", "target", "input", "old", "new", "gradient_of", "twin"}
)
LISTS_OF_SERIALS = frozenset({"sources", "present", "added", "removed"})


def assert_golden(name: str, text: str) -> None:
    """``text`` is what the file says."""
    path = FOLDER / name
    if os.environ.get("ASG_UPDATE_GOLDENS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text("utf-8"), f"{name} differs; {__doc__}"


def renumbered(document: Mapping[str, Any]) -> Any:
    """The document with serials 0, 1, 2... in order of creation, and one place for all nodes."""
    found: dict[int, int] = {}
    _mapped(document, lambda serial: found.setdefault(serial, serial))
    dense = {serial: number for number, serial in enumerate(sorted(found))}
    return _mapped(document, dense.__getitem__)


def _mapped(data: Any, change: Callable[[int], int], key: str = "") -> Any:
    if key == "location":
        return data and {"file": "file.py", "line": 1, "function": data["function"]}
    if isinstance(data, dict):
        return {name: _mapped(each, change, name) for name, each in data.items()}
    if isinstance(data, list):
        inner = "serial" if key in LISTS_OF_SERIALS else key
        return [_mapped(each, change, inner) for each in data]
    return change(data) if key in SERIALS and isinstance(data, int) else data
