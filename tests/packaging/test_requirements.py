"""The pinned requirements are those of `pyproject.toml`; after a change there, `make lock`."""

import re
import tomllib

import pytest

from tests.architecture.source_tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
NOT_IN_DEV = {"torch"}  # an oracle that takes gigabytes, for those who want it
RUN = [*PROJECT["dependencies"], *EXTRAS["data"], *EXTRAS["viz"], "setuptools"]
WANTED = {
    "run": RUN,
    "jax": [*RUN, *EXTRAS["jax"]],
    "dev": [
        *RUN,
        *(name for key, extra in EXTRAS.items() if key not in NOT_IN_DEV for name in extra),
    ],
}


def text_of(purpose: str) -> str:
    return (ROOT / "requirements" / f"{purpose}.txt").read_text("utf-8")


def pins(purpose: str) -> dict[str, str]:
    """Name and version of everything that `requirements/PURPOSE.txt` installs."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text_of(purpose), re.MULTILINE))


def normal_name(requirement: str) -> str:
    """The name in a requirement as package indexes compare it: `ml_dtypes>=1` -> ml-dtypes."""
    (name,) = re.findall(r"^[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("purpose", WANTED)
def test_every_dependency_is_pinned(purpose: str) -> None:
    wanted = {normal_name(each) for each in WANTED[purpose]} - {normal_name(PROJECT["name"])}
    assert not wanted - pins(purpose).keys(), "run `make lock`"


@pytest.mark.parametrize("purpose", ["run", "jax"])
def test_the_small_lists_agree_with_the_full_one(purpose: str) -> None:
    assert pins(purpose).items() <= pins("dev").items(), "run `make lock`"


@pytest.mark.parametrize("purpose", WANTED)
def test_every_pin_has_hashes_and_no_index_is_named(purpose: str) -> None:
    text = text_of(purpose)
    entries = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
