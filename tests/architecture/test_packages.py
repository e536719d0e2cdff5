"""The hand-written list of packages agrees with the folders: what is not listed is not shipped."""

import tomllib

import pytest

from tests.architecture.source_tree import PACKAGES, ROOT, modules

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LISTED: list[str] = SETTINGS["tool"]["setuptools"]["packages"]


def on_disk() -> set[str]:
    return {module.name for module in modules().values() if module.is_package}


def test_every_package_is_listed() -> None:
    missing = sorted(on_disk() - set(LISTED))
    if missing:
        lines = "\n".join(f'    "{name}",' for name in missing)
        pytest.fail(f"add to `packages` in pyproject.toml:\n{lines}", pytrace=False)


def test_every_listed_package_exists() -> None:
    gone = sorted(set(LISTED) - on_disk())
    if gone:
        lines = "\n".join(f'    "{name}",' for name in gone)
        pytest.fail(f"remove from `packages` in pyproject.toml:\n{lines}", pytrace=False)


def test_every_package_is_listed_once() -> None:
    assert len(LISTED) == len(set(LISTED))


def test_the_list_is_in_order() -> None:
    assert sorted(LISTED) == LISTED


def test_folders_with_modules_are_packages() -> None:
    bare = [
        str(folder.relative_to(ROOT))
        for top in PACKAGES.values()
        for folder in sorted({path.parent for path in top.rglob("*.py")})
        if not (folder / "__init__.py").is_file()
    ]
    assert not bare, f"add an __init__.py to: {', '.join(bare)}"
