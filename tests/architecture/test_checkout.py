"""In a checkout, `backends/` and `visualizer/` are parts of asg, under no other name."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from asg import _checkout
from tests.architecture.source_tree import ROOT


@pytest.mark.parametrize("name", ["backends", "visualizer"])
def test_folder_is_found_as_part_of_asg(name: str) -> None:
    module = importlib.import_module(f"asg.{name}")
    assert Path(str(module.__file__)).parent == ROOT / name


@pytest.mark.parametrize("name", ["backends", "visualizer"])
def test_folder_refuses_its_plain_name(name: str) -> None:
    with pytest.raises(ImportError, match=f"write `import asg.{name}` instead"):
        importlib.import_module(name)


def test_finder_answers_for_two_names_only() -> None:
    find = _checkout.CheckoutFinder.find_spec
    assert find("asg.backends") is not None
    assert find("asg.tests") is None
    assert find("backends") is None


def test_other_folders_of_the_checkout_are_not_part_of_asg() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("asg.tests")


def test_a_foreign_folder_of_the_same_name_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "backends").mkdir()
    (tmp_path / "backends" / "__init__.py").write_text("raise SystemExit('the wrong backends')")
    code = f"import sys; sys.path.append({str(ROOT)!r}); import asg.backends; print('right')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "right\n", done.stderr
