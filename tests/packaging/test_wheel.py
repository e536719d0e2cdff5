"""The built package, installed away from the checkout, is whole.

The wheel is built through the source archive, as an index would receive it, and everything runs
in a folder from which the checkout cannot be seen.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import PACKAGES, ROOT, modules

pytestmark = pytest.mark.xdist_group("wheel")  # one process builds, the same one looks

SDIST = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
SHIPPED_FILES = ("pyproject.toml", "README.md", "LICENSE")


def run(arguments: list[str], folder: Path, **environment: str) -> str:
    """Run Python on `arguments` in `folder`; what it prints. The process must succeed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_sources(target: Path) -> None:
    """Only what is to be shipped: building in the checkout could pick up leftovers there."""
    target.mkdir()
    for name in SHIPPED_FILES:
        shutil.copy(ROOT / name, target)
    for folder in PACKAGES.values():
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(folder, target / folder.name, ignore=ignore)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with asg as a user would install it."""
    work = tmp_path_factory.mktemp("wheel")
    copy_sources(work / "sources")
    archive = run(["-c", SDIST, str(work)], work / "sources").splitlines()[-1]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(work / "site")]
    run(["-m", "pip", "install", *options, str(work / archive)], work)
    return work / "site"


def in_site(site: Path, code: str) -> str:
    """Run `code` with the installed asg, outside the checkout and without it on the path."""
    return run(["-W", "error", "-c", code], site.parent, PYTHONPATH=str(site))


def test_every_source_file_is_installed(site: Path) -> None:
    installed = {
        str(path.relative_to(site)) for path in (site / "asg").rglob("*") if path.is_file()
    }
    expected = {
        str(Path(*package.split(".")) / path.relative_to(folder))
        for package, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected - installed == set()


def test_nothing_lands_outside_asg(site: Path) -> None:
    names = {path.name for path in site.iterdir()}
    assert {name for name in names if not name.startswith("asg_compiler-")} == {"asg", "bin"}


def test_modules_come_from_the_installed_folder(site: Path) -> None:
    packages = [module.name for module in modules().values() if module.is_package]
    light = [name for name in packages if not name.startswith("asg.backends.jax")]
    code = f"import importlib as i\nfor n in {light}: print(i.import_module(n).__file__)"
    files = in_site(site, code).splitlines()
    assert len(files) == len(light)
    assert all(Path(file).is_relative_to(site) for file in files)


@pytest.mark.slow  # the same sources once more, half a minute
def test_type_checkers_see_full_types(site: Path) -> None:
    # A cache of its own: the one of the checkout knows the same modules under other paths.
    options = ["--cache-dir", str(ROOT / ".mypy_cache" / "wheel")]
    options += ["--config-file", str(ROOT / "pyproject.toml"), "--strict", "-p", "asg"]
    assert run(["-m", "mypy", *options], site.parent, MYPYPATH=str(site)).startswith("Success")


def test_it_draws_and_trains(site: Path) -> None:
    code = """
import numpy as np
import asg
from asg import nn, optim

net = nn.Sequential(fc1=nn.Linear(4, 8), act=nn.ReLU(), fc2=nn.Linear(8, 3))
build = asg.train_step(net, loss=asg.cross_entropy, optimizer=optim.adam(1e-2))
step = build(images=("batch", 4), labels=(("batch",), "int32"))
session = asg.compile(step).start(seed=0)
feeds = {"images": np.eye(4, dtype="f4"), "labels": np.array([0, 1, 2, 0], "i4")}
losses = [float(session(**feeds)["loss"]) for _ in range(20)]
assert losses[-1] < losses[0], losses
step.render("step.svg")
print(open("step.svg").read().count("<svg"))
"""
    assert in_site(site, code) == "1\n"
