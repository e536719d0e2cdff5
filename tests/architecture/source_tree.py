"""The source files of asg as modules, and the imports that each of them writes."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "asg": ROOT / "asg",
    "asg.backends": ROOT / "backends",
    "asg.visualizer": ROOT / "visualizer",
}


@dataclass(frozen=True)
class Import:
    """One imported name: `target` is the module it comes from, as exactly as the source tells."""

    target: str
    line: int
    lazy: bool  # inside a function: runs when the function does
    typing_only: bool  # under `if TYPE_CHECKING:`: never runs


@dataclass(frozen=True)
class Module:
    """One source file under the name it is imported by."""

    name: str
    path: Path

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(imports_of(self.name, self.is_package, self.path.read_text("utf-8")))

    def at(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT)}:{line}"


@cache
def modules() -> dict[str, Module]:
    """Every module of asg that exists in this checkout, by name."""
    found = (
        Module(module_name(package, path.relative_to(folder)), path)
        for package, folder in PACKAGES.items()
        for path in sorted(folder.rglob("*.py"))
    )
    return {module.name: module for module in found}


def module_name(package: str, path: Path) -> str:
    """The name of the module at `path` in `package`: ("asg", "core/node.py") -> asg.core.node."""
    parts = path.with_suffix("").parts
    return ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def imports_of(name: str, is_package: bool, source: str) -> Iterator[Import]:
    """The imports in `source`, the text of module `name`, one for every imported name."""
    pending: list[tuple[ast.AST, bool, bool]] = [(ast.parse(source), False, False)]
    while pending:
        node, lazy, typing_only = pending.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, lazy, typing_only)
        elif isinstance(node, ast.ImportFrom):
            base = absolute_base(name, is_package, node)
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", node.lineno, lazy, typing_only)
        elif isinstance(node, ast.If) and is_type_checking(node.test):
            pending += [(child, lazy, True) for child in node.body]
            pending += [(child, lazy, typing_only) for child in node.orelse]
        else:
            lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            pending += [(child, lazy, typing_only) for child in ast.iter_child_nodes(node)]


def absolute_base(name: str, is_package: bool, node: ast.ImportFrom) -> str:
    """The package that a `from ... import` names, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    kept = parts[: len(parts) - node.level + is_package]
    return ".".join([*kept, node.module] if node.module else kept)


def is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def own_module(target: str) -> str | None:
    """The module of asg that `target` names or lies in; None for another library.

    `asg.core.node.Node` lies in `asg.core.node`; a name of asg that no file defines keeps its
    longest known package, so that a missing module still counts as a use of its folder.
    """
    parts = target.split(".")
    if parts[0] != "asg":
        return None
    prefixes = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in modules()), "asg")
