"""Every example in every docstring runs and prints what it says, under the module's real name."""

import doctest
import importlib
from pathlib import Path

import pytest

from tests.architecture.source_tree import modules

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# `__main__` starts the command line when it is imported.
NAMES = sorted(name for name in modules() if not name.endswith("__main__"))


@pytest.mark.parametrize("name", NAMES)
def test_examples_print_what_they_say(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # examples may write files
    result = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples; see the output"
