"""The few settings of the library, and a context manager to change them for a while."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal

from asg.core.errors import ConfigError


@dataclass
class Settings:
    """Process-wide settings.

    Attributes:
        verify: when graphs are checked while compiling: after "each" pass, or at the "end".
        debug: whether `asg.compile` has every pass checked by value, on real inputs at every call.
        without: names of passes and rules that `asg.compile` leaves out of the default ones: to
            see what each is good for, or to go on without one that is wrong.
        threads: how many threads a step of the NumPy backend may use, see `thread_count`. Programs
            are made for the number at the time; results depend on it in their last digits, and on
            nothing else. How many threads BLAS uses outside of such shared work is the business
            of its own variables, such as OPENBLAS_NUM_THREADS.
        blas_kernels: "auto" lets the NumPy backend switch the OpenBLAS of this process, once, to
            its AVX-512 kernels where it has overlooked that the processor has the instructions;
            "library" leaves the choice to OpenBLAS.
        compile_cache: the folder in which compiled graphs are kept from run to run; "off" keeps
            none, and "auto" leaves it to the environment variable ASG_COMPILE_CACHE ("off", or a
            folder), without which it is asg's folder among the caches of the user.
        compile_cache_bytes: how large the entries there may become together; those that were not
            used for longest are removed.
        xla_cache: whether the backend jax keeps its compiled programs as well, in the folder "xla"
            of that one, by JAX's own persistent cache, for whose size the same limit holds. Only
            what asg compiles goes there; where JAX has such a folder already, it goes to that.
            Whoever may write to the folder can have this process run any code.
    """

    verify: Literal["each", "end"] = "each"
    debug: bool = False
    without: tuple[str, ...] = ()
    threads: int | Literal["auto"] = "auto"
    blas_kernels: Literal["auto", "library"] = "auto"
    compile_cache: str = "auto"
    compile_cache_bytes: int = 1 << 29
    xla_cache: bool = False


settings = Settings()

_CHOICES: dict[str, tuple[Any, ...]] = {
    "verify": ("each", "end"),
    "debug": (False, True),
    "blas_kernels": ("auto", "library"),
    "xla_cache": (False, True),
}
MOST_THREADS = 1024


def thread_count() -> int:
    """How many threads a step of the NumPy backend may use.

    That is the setting ``threads`` when it is a number, else the environment variable ASG_THREADS,
    else OMP_NUM_THREADS, else the number of cores that this process may use.

    Raises:
        ConfigError: the variable ASG_THREADS is no number of threads.

    >>> with configure(threads=3):
    ...     thread_count()
    3
    """
    if settings.threads != "auto":
        return settings.threads
    return _threads_of_environment(os.environ.get("ASG_THREADS"), os.environ.get("OMP_NUM_THREADS"))


@cache
def _threads_of_environment(wanted: str | None, common: str | None) -> int:
    if wanted is not None and wanted != "auto":
        if not wanted.isdecimal() or not 1 <= int(wanted) <= MOST_THREADS:
            raise ConfigError(
                f"ASG_THREADS={wanted!r}; give a number from 1 to {MOST_THREADS}, or 'auto'"
            )
        return int(wanted)
    if common is not None and common.isdecimal() and int(common) > 0:
        return min(int(common), MOST_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def configure(**changes: Any) -> Iterator[Settings]:
    """Change settings inside a ``with`` block.

    >>> with configure(verify="end") as current:
    ...     current.verify
    'end'
    """
    known = {field.name for field in fields(Settings)}
    for name, value in changes.items():
        if name not in known:
            raise ConfigError(f"no setting {name!r}; there are {', '.join(sorted(known))}")
        _check(name, value)
    before = {name: getattr(settings, name) for name in changes}
    try:
        for name, value in changes.items():
            setattr(settings, name, value)
        yield settings
    finally:
        for name, value in before.items():
            setattr(settings, name, value)


def _check(name: str, value: Any) -> None:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise ConfigError(f"{name}={value!r}; choose one of {_CHOICES[name]}")
        return
    right, advice = _WANTED[name]
    if not right(value):
        raise ConfigError(f"{name}={value!r}; give {advice}")


def _is_thread_count(value: Any) -> bool:
    return value == "auto" or (type(value) is int and 1 <= value <= MOST_THREADS)


def _are_names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, str) for each in value)


_WANTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "threads": (_is_thread_count, f"a number from 1 to {MOST_THREADS}, or 'auto'"),
    "without": (_are_names, "a tuple of names of passes and rules"),
    "compile_cache": (
        lambda value: isinstance(value, str) and bool(value),
        "the path of a folder as a string, 'auto' or 'off'",
    ),
    "compile_cache_bytes": (
        lambda value: type(value) is int and value >= 0, "a number of bytes, 0 or more",
    ),
}  # fmt: skip
