"""Who may import whom, checked on every import that the sources write."""

import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture.layers import ALLOWED, ALWAYS_LAZY, FACES, OWNERS, folder_of, may_import
from tests.architecture.source_tree import ROOT, Import, Module, imports_of, modules, own_module

LONGEST_FILE = 500


def every_import() -> Iterator[tuple[Module, Import]]:
    for module in modules().values():
        for imported in module.imports:
            yield module, imported


def root_of(imported: Import) -> str:
    return imported.target.split(".")[0]


def is_face(module: Module, imported: Import) -> bool:
    return folder_of(module.name) == FACES.get(root_of(imported))


def report(lines: list[str]) -> str:
    return "\n".join(["", *lines])


def test_folders_import_only_what_the_table_allows() -> None:
    wrong = [
        f"{module.at(imported.line)}: {folder_of(module.name)} may not import {imported.target}"
        for module, imported in every_import()
        if (target := own_module(imported.target)) and not may_import(module.name, target)
    ]
    assert not wrong, report(wrong)


def test_every_folder_stands_in_the_table() -> None:
    folders = {".".join(name.split(".")[:2]) for name, each in modules().items() if each.is_package}
    assert folders <= ALLOWED.keys(), "add the folder to ROWS in tests/architecture/layers.py"


def test_imports_form_no_cycle() -> None:
    graph = {
        module.name: {
            target
            for imported in module.imports
            if not imported.typing_only
            and (target := own_module(imported.target))
            and target != module.name
        }
        for module in modules().values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("imports form a cycle: " + " <- ".join(error.args[1]), pytrace=False)


def test_only_its_owner_imports_a_library() -> None:
    wrong = [
        f"{module.at(imported.line)}: only {owner} imports {root_of(imported)}"
        for module, imported in every_import()
        if (owner := OWNERS.get(root_of(imported)))
        and not f"{module.name}.".startswith(f"{owner}.")
        and not is_face(module, imported)
    ]
    assert not wrong, report(wrong)


def test_slow_libraries_are_imported_inside_functions() -> None:
    wrong = [
        f"{module.at(imported.line)}: import {root_of(imported)} inside the function that needs it"
        for module, imported in every_import()
        if root_of(imported) in ALWAYS_LAZY
        and not (imported.lazy or imported.typing_only or is_face(module, imported))
    ]
    assert not wrong, report(wrong)


def importers_at_start() -> dict[str, str]:
    """Every module loaded with the names of `asg`, with the module that first imports it."""
    importer = {"asg": "import asg", "asg.api": "asg", "asg.seldom": "asg"}
    pending = list(importer)
    while pending:
        name = pending.pop()
        for imported in modules()[name].imports if name in modules() else ():
            if imported.lazy or imported.typing_only:
                continue
            for target in loaded_with(imported):
                if target not in importer:
                    importer[target] = name
                    pending.append(target)
    return importer


def loaded_with(imported: Import) -> list[str]:
    """What an import loads: the module and the packages around it, or the foreign library."""
    target = own_module(imported.target)
    if target is None:
        return [root_of(imported)]
    parts = target.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def test_import_asg_needs_numpy_alone() -> None:
    light = sys.stdlib_module_names | {"asg", "numpy", "__future__"}
    heavy = [
        f"`import asg` loads {name}, imported by {importer}: import it inside a function"
        for name, importer in importers_at_start().items()
        if name.split(".")[0] not in light
    ]
    assert not heavy, report(heavy)


def test_no_file_is_longer_than_a_reader_can_take_in() -> None:
    folders = ("asg", "backends", "visualizer", "tests", "examples", "benchmarks")
    files = [
        path
        for folder in folders
        for ending in ("py", "js", "css")
        for path in (ROOT / folder).rglob(f"*.{ending}")
    ]
    long = [
        f"{path.relative_to(ROOT)}: {count} lines, at most {LONGEST_FILE}"
        for path in files
        if (count := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE
    ]
    assert not long, report(long)


SAMPLE = """
import json
from typing import TYPE_CHECKING
from . import sibling
from ..ops.leaf import Input
if TYPE_CHECKING:
    from asg.nn import Linear
else:
    import numpy as np
def late():
    import jax.numpy
"""


def test_the_reader_finds_every_form_of_import() -> None:
    found = {
        (imported.target, imported.lazy, imported.typing_only)
        for imported in imports_of("asg.core.node", False, SAMPLE)
    }
    assert found == {
        ("json", False, False),
        ("typing.TYPE_CHECKING", False, False),
        ("asg.core.sibling", False, False),
        ("asg.ops.leaf.Input", False, False),
        ("asg.nn.Linear", False, True),
        ("numpy", False, False),
        ("jax.numpy", True, False),
    }


def test_dots_in_a_package_file_start_at_the_package() -> None:
    (imported,) = imports_of("asg.core", True, "from .node import Node")
    assert imported.target == "asg.core.node.Node"


@pytest.mark.parametrize(
    ("importer", "target", "allowed"),
    [
        ("asg.ops.leaf", "asg.core.op", True),
        ("asg.core.op", "asg.ops.leaf", False),
        ("asg.core.op", "asg.core.node", True),
        ("asg.core.op", "asg", False),
        ("asg.nn.linear", "asg.optim.sgd", False),
        ("asg.train.trainer", "asg.data.loader", True),
        ("asg.data.loader", "asg.core.types", False),
        ("asg.passes.fold", "asg.config", True),
        ("asg.cli.main", "asg", True),
        ("asg.cli.main", "asg.backends.numpy_cpu", False),
        ("asg.backends.numpy_cpu.plan", "asg.compiler.backend", True),
        ("asg.backends.numpy_cpu.plan", "asg.compiler.driver", False),
        ("asg.backends.numpy_cpu.plan", "asg.backends.numpy_cpu.kernels", True),
        ("asg.backends.numpy_cpu.plan", "asg.backends.jax_xla", False),
        ("asg.visualizer.dot", "asg.describe.document", True),
        ("asg.visualizer.dot", "asg.ops.leaf", False),
    ],
)
def test_the_table_says_who_knows_whom(importer: str, target: str, allowed: bool) -> None:
    assert may_import(importer, target) is allowed
