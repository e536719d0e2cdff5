"""The code in the documents runs, block after block, as a reader would type it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ["README.md", "docs/architecture.md"]


def run_in(folder: Path, script: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def code_of(document: str) -> str:
    """The Python blocks, joined, every line where it stands in the document."""
    lines, inside = [], False
    for line in (ROOT / document).read_text().splitlines():
        fence = line.startswith("```")
        lines.append(line if inside and not fence else "")
        inside = line == "```python" if fence else inside
    return "\n".join(lines)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_code_of_a_document_runs(document: str, tmp_path: Path) -> None:
    script = tmp_path / "blocks.py"
    script.write_text(code_of(document))
    run_in(tmp_path, script)


def test_quickstart_learns_and_draws(tmp_path: Path) -> None:
    script = tmp_path / "blocks.py"
    script.write_text(code_of("README.md"))
    last = run_in(tmp_path, script).splitlines()[-1]
    accuracy = float(last.split()[-1])
    assert accuracy > 0.9
    assert "<svg" in (tmp_path / "step.svg").read_text()


def test_first_graph_is_short_and_draws(tmp_path: Path) -> None:
    path = ROOT / "examples" / "first_graph.py"
    code = [
        line
        for line in path.read_text().splitlines()
        if line.strip() and not line.lstrip().startswith(("#", '"""'))
    ]
    assert len(code) <= 25
    output = run_in(tmp_path, path)
    for wanted in ("graph two_layers {", "graph its_gradient {", "simplify: ", "graph train_step"):
        assert wanted in output
    assert "<svg" in (tmp_path / "first_graph.svg").read_text()


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*DOCUMENTS, "CONTRIBUTING.md", "ROADMAP.md", "CHANGELOG.md"]:
        text = (ROOT / document).read_text()
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", text):
            assert ((ROOT / document).parent / target).exists(), f"{document} links to {target}"
