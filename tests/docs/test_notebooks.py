"""The notebooks: plain files without outputs, whose code runs from top to bottom."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
# What a notebook says last about a figure, and the least that figure may be.
CLAIMS = {
    "inference.ipynb": (r"right: (\d+) of 360", 320.0),
    "train_and_inspect.ipynb": (r"has not seen: (\S+)", 0.9),
}


def cells_of(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def test_all_notebooks_are_known() -> None:
    assert [path.name for path in NOTEBOOKS] == sorted(CLAIMS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_a_plain_file_without_outputs(path: Path) -> None:
    """What nbformat 4.5 asks of the keys and ids."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in names)
    common = {"cell_type", "id", "metadata", "source"}
    for cell in notebook["cells"]:
        code = cell["cell_type"] == "code"
        assert cell.keys() == (common | {"outputs", "execution_count"} if code else common)
        assert not code or (cell["outputs"] == [] and cell["execution_count"] is None)
        assert code or cell["cell_type"] == "markdown"
        assert all(line.endswith("\n") for line in cell["source"][:-1])
    assert notebook["cells"][0]["source"][0].startswith("# ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_code_of_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    """One script of all code cells, in order."""
    code = ["".join(cell["source"]) for cell in cells_of(path) if cell["cell_type"] == "code"]
    script = tmp_path / "notebook.py"
    script.write_text("\n".join(code), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pattern, least = CLAIMS[path.name]
    (figure,) = re.findall(pattern, done.stdout)
    assert float(figure) >= least
