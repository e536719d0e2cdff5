"""Kill -9 at random moments: nothing is lost or torn, and the resumed run ends with equal bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command_line import ROOT, environment

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def report(folder: Path, *arguments: int) -> dict[str, Any]:
    """What `tests.train.killed_trainings` found, on one thread."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.killed_trainings", str(folder), *map(str, arguments)],
        cwd=ROOT, env=environment({"OPENBLAS_NUM_THREADS": "1"}),
        capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("steps", "moments"), [(20, 3), pytest.param(200, 30, marks=pytest.mark.slow)]
)
def test_a_killed_training_is_resumed_to_the_bit(
    steps: int, moments: int, tmp_path: Path
) -> None:
    kills = report(tmp_path, steps, moments)["kills"]
    assert len(kills) == moments
    for kill in kills:
        assert (kill["lost"], kill["differ"], kill["rest"]) == ([], [], []), kill
    if moments > 3:  # the moments are spread over the run, the writing of files among them
        assert len({kill["newest"] for kill in kills}) > moments // 3
        assert any(kill["leftovers"] for kill in kills)
