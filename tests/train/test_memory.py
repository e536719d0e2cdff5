"""A long training holds no more memory at its end than near its beginning."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command_line import ROOT, environment

STATUS = Path("/proc/self/status")
BOUND = 5 * 1024  # kB


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_thousand_epochs_on_the_digits(backend: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.measured_memory", backend, "1000"],
        cwd=ROOT, env=environment({}), capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {int(epoch): size for epoch, size in json.loads(done.stdout).items()}
    assert max(found.values()) - found[10] < BOUND, found
