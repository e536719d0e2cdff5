"""Lines in Python's logs: written where they are asked for, and nothing is loaded where not."""

import logging
import subprocess
import sys

import pytest

from asg.core import log


def test_lines_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="asg.somewhere"):
        log.debug("asg.somewhere", "%s is left", "this")
        log.info("asg.somewhere", "%s is chosen", "that")
        log.warning("asg.somewhere", "%d is wrong", 3)
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("DEBUG", "this is left"), ("INFO", "that is chosen"), ("WARNING", "3 is wrong"),
    ]  # fmt: skip


def test_only_a_warning_loads_the_library() -> None:
    code = """
import sys
from asg.core import log
before = "logging" in sys.modules
log.debug("asg", "nobody reads this")
log.info("asg", "nor this")
assert ("logging" in sys.modules) == before
log.warning("asg", "but this")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "but this\n"
