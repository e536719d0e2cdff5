"""docs/ops.md is what the registry says today."""

from pathlib import Path

from asg.testing.coverage import matrix

PAGE = Path(__file__).parents[2] / "docs" / "ops.md"


def test_the_page_of_ops_is_current() -> None:
    assert PAGE.read_text() == matrix(), (
        "docs/ops.md is stale: python -m asg.testing.coverage docs/ops.md"
    )
