"""The table of planned and measured memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.memory import HEADER, main, memory


def test_what_was_planned_is_what_is_allocated() -> None:
    found = memory("mlp_small", scale="tiny")
    assert found.bound == found.arena < found.separate
    assert 0 <= found.allocated - found.planned < 1_000
    assert 0 < found.transient < 64_000
    assert found.formulas is not None and found.formulas[0] == found.formulas[1] > 3


def test_the_page_gets_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Performance\n\n## Memory\n\nold\n\n## Last\n\nkept\n")
    main(["elemwise", "--scale", "tiny", "--write", str(page)])
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == HEADER
    assert row.startswith("elemwise ") and row.endswith(" -")  # no batch, so no formula
    text = page.read_text()
    assert "old" not in text and text.endswith("## Last\n\nkept\n")
    assert f"| {' | '.join(HEADER)} |" in text
