"""XLA programs kept on disk by JAX's own persistent cache, for our programs alone.

JAX has one such cache in a process, set by its configuration. It is ours for the length of a
compilation, and as it was before afterwards. A user who has given it a folder keeps it: our
programs go there as all others do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from pathlib import Path
from threading import RLock
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from asg.cache.folder import xla_cache_folder
from asg.cache.store import remove_oldest
from asg.config import settings
from asg.core.errors import ConfigError
from asg.core.graph import Graph

from .walk import node_label

LOG = logging.getLogger("asg.backends.jax")
SHORTEST = 0.1
"""Seconds. What XLA compiles in less is compiled again."""

_DIRECTORY = "jax_compilation_cache_dir"
_OURS: dict[str, Any] = {
    "jax_enable_compilation_cache": True,
    "jax_persistent_cache_min_compile_time_secs": SHORTEST,
    "jax_persistent_cache_min_entry_size_bytes": -1,
    "jax_raise_persistent_cache_errors": False,
}
_lock = RLock()


@contextmanager
def kept_programs() -> Iterator[None]:
    """What is compiled inside is kept, or read, if the setting ``xla_cache`` says so.

    Raises:
        ConfigError: it does, but the setting ``compile_cache`` leaves no folder for it.
    """
    if not settings.xla_cache or jax.config.values[_DIRECTORY]:
        yield
        return
    folder = xla_cache_folder()
    if folder is None:
        raise ConfigError(
            "xla_cache is on, but compile_cache is 'off', so there is no folder for it; "
            "asg.configure(compile_cache='auto')"
        )
    _announce(folder)
    with _lock, _configured(_OURS | {_DIRECTORY: str(folder)}):
        yield
    remove_oldest(folder, settings.compile_cache_bytes)


@contextmanager
def _configured(wanted: dict[str, Any]) -> Iterator[None]:
    """JAX's configuration changed; its cache begins anew before and after."""
    before = {name: jax.config.values[name] for name in wanted}
    try:
        _configure(wanted)
        yield
    finally:
        _configure(before)


def _configure(values: dict[str, Any]) -> None:
    for name, value in values.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]
    compilation_cache.reset_cache()


@cache
def _announce(folder: Path) -> None:
    """Once for each folder."""
    LOG.info("compiled XLA programs are kept in %s (setting xla_cache)", folder)


def name_of_program(graph: Graph) -> str:
    """The graph's name, under which profiles show its program, and JAX keeps it.

    Programs are kept without the names of their instructions, by which `timing` finds the node of
    each; so programs that are kept have a name for every way of naming them.
    """
    if not settings.xla_cache:
        return graph.name
    labels = [node_label(position, node) for position, node in enumerate(graph.nodes)]
    return f"{graph.name}_{blake2b(' '.join(labels).encode(), digest_size=4).hexdigest()}"
