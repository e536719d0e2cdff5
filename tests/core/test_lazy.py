"""Packages whose names load on demand: all of them exist, and few are loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from asg import nn
from asg.core.lazy import names_on_demand
from asg.nn import models

PACKAGES = [nn, models]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_listed_name_is_there_and_every_line_of_the_stub_lists_one(
    package: ModuleType,
) -> None:
    stub = Path(str(package.__file__)).with_suffix(".pyi").read_text()
    lines = [line for line in stub.splitlines() if line and not line.startswith('"""')]
    assert len(lines) == len(package.__all__) > 20
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert {*package.__all__} <= {*dir(package)}


def test_a_name_loads_its_module_alone() -> None:
    program = (
        "import sys; from asg import nn; nn.Linear;"
        "print('asg.nn.linear' in sys.modules, 'asg.nn.mamba' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.split() == ["True", "False"], run.stderr


def test_unknown_names_are_attribute_errors(tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Linera'"):
        _ = vars(nn)["__getattr__"]("Linera")
    assert not hasattr(nn, "__wrapped__")
    (tmp_path / "__init__.pyi").write_text("from math import tau as turn\n")
    load, _, names = names_on_demand("asg.nn", str(tmp_path / "__init__.py"))
    assert names == ["turn"]
    with pytest.raises(AttributeError):
        load("tau")
