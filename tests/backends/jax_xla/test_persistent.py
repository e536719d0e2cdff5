"""JAX's persistent cache: used for asg's programs when asked for, and for nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from asg.backends.jax_xla import persistent

import asg
from asg import optim
from asg.core.graph import Graph

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Programs that compile in no time are kept as well."""
    monkeypatch.setitem(persistent._OURS, "jax_persistent_cache_min_compile_time_secs", 0.0)
    with asg.configure(compile_cache=str(tmp_path), xla_cache=True):
        yield tmp_path / "xla"


@pytest.fixture
def hits() -> Iterator[list[str]]:
    """An entry for each program that JAX reads."""
    found: list[str] = []

    def listen(event: str, **_: object) -> None:
        if event == "/jax/compilation_cache/cache_hits":
            found.append(event)

    jax.monitoring.register_event_listener(listen)
    yield found
    jax.monitoring.unregister_event_listener(listen)


def training(scope: str = "layer") -> Graph:
    x = asg.input("x", ("batch", 3))
    with asg.scope(scope):
        y = asg.tanh(x @ asg.parameter("w", (3, 3), init=0.5))
    return asg.train_step(asg.sum(y * y), optimizer=optim.sgd(0.1, momentum=0.9))


def trained() -> dict[str, Array]:
    session = asg.compile(training(), "jax").start()
    for _ in range(3):
        session(x=np.ones((2, 3), np.float32))
    return session.state_dict()


def entries(folder: Path) -> int:
    return len(list(folder.glob("*-cache")))


def test_programs_are_read_and_train_alike(
    folder: Path, hits: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = {name: jax.config.values[name] for name in (*persistent._OURS, persistent._DIRECTORY)}
    with caplog.at_level(logging.INFO, "asg.backends.jax"):
        first = trained()
        kept = entries(folder)
        assert kept == 1 and not hits  # the step; NumPy computes its first values
        second = trained()
    assert (len(hits), entries(folder)) == (kept, kept)
    assert first.keys() == second.keys()
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    (told,) = [each.getMessage() for each in caplog.records if "kept in" in each.getMessage()]
    assert str(folder) in told
    assert before == {name: jax.config.values[name] for name in before}
    jax.jit(lambda x: x * 3.0)(1.0)  # the user's
    assert entries(folder) == kept
    assert asg.clear_cache() >= kept and entries(folder) == 0


def test_names_of_instructions_are_those_of_the_graph(hits: list[str]) -> None:
    for scope in ("one", "two"):
        program: Any = asg.compile(training(scope), "jax").start().program((2, 3))
        assert f"{scope}/tanh" in program.hlo_text()
    step_of_the_same_name: Any = asg.compile(training("two"), "jax").start().program((2, 3))
    assert hits and "two/tanh" in step_of_the_same_name.hlo_text()


def test_a_folder_of_the_users_is_left_to_them(folder: Path, tmp_path: Path) -> None:
    before = jax.config.values[persistent._DIRECTORY]
    jax.config.update(persistent._DIRECTORY, str(tmp_path / "theirs"))  # type: ignore[no-untyped-call]
    try:
        with persistent.kept_programs():
            assert jax.config.values[persistent._DIRECTORY] == str(tmp_path / "theirs")
    finally:
        jax.config.update(persistent._DIRECTORY, before)  # type: ignore[no-untyped-call]
    assert not folder.exists()


def test_it_is_off_unless_asked_for(folder: Path) -> None:
    x = asg.input("x", ())
    graph = asg.Graph(y=x * 2.0)
    with asg.configure(xla_cache=False):
        asg.compile(graph, "jax")(x=1.0)
    assert not folder.exists()
    with (
        asg.configure(compile_cache="off"),
        pytest.raises(asg.AsgError, match="xla_cache is on, but compile_cache is 'off'"),
    ):
        asg.compile(graph, "jax")(x=1.0)
