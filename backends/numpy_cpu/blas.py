"""The OpenBLAS under NumPy: how many threads it uses, and which of its kernels.

OpenBLAS carries kernels for many processors and chooses by the model when it is loaded. A model
that is newer than it gets the kernels of an older one: on AMD Zen 5 those without AVX-512, which
reach half of the speed. Everything here acts on the whole process, and does nothing where NumPy
computes with another library (MKL, Accelerate) or OpenBLAS was built for a single processor.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np

from asg.core.log import debug, info

_LOGGER = "asg.backends.numpy"

AVX512 = frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl"})
"""What the kernels "SkylakeX" need."""

OLDER_KERNELS = frozenset({"haswell", "zen"})
"""What OpenBLAS falls back to on an x86 processor that it does not know."""

_AFFIXES = [(before, behind) for before in ("scipy_", "") for behind in ("64_", "")]
_CORE_TYPE = "OPENBLAS_CORETYPE"


class OpenBlas:
    """A loaded OpenBLAS, by the names that its build gave to its functions.

    Raises:
        AttributeError: the library is no OpenBLAS.
    """

    def __init__(self, path: str) -> None:
        """``path``: the file that NumPy has loaded."""
        self._library = ctypes.CDLL(path)
        self.get_threads = self._function("openblas_get_num_threads")
        self.set_threads = self._function("openblas_set_num_threads")
        self._core_name = self._function("openblas_get_corename")
        self._core_name.restype = ctypes.c_char_p

    def _function(self, name: str) -> ctypes._NamedFuncPointer:
        for before, behind in _AFFIXES:
            found = getattr(self._library, before + name + behind, None)
            if found is not None:
                return found  # type: ignore[no-any-return]
        raise AttributeError(f"{self._library._name} has no function {name}")

    def kernels(self) -> str:
        """The processor whose kernels are used, such as "SkylakeX"."""
        name: bytes = self._core_name()
        return name.decode()

    def choose_kernels(self, processor: str) -> bool:
        """Use the kernels of a processor; False where the build has those of one only.

        Nothing may be multiplied by another thread meanwhile.
        """
        leave = getattr(self._library, "gotoblas_dynamic_quit", None)
        enter = getattr(self._library, "gotoblas_dynamic_init", None)
        if leave is None or enter is None:
            return False
        os.environ[_CORE_TYPE] = processor  # read by `enter`, and not left to child processes
        try:
            leave()
            enter()
        finally:
            del os.environ[_CORE_TYPE]
        return self.kernels().lower() == processor.lower()


@cache
def openblas() -> OpenBlas | None:
    """The OpenBLAS of this process; None, with a line in the log, when there is none."""
    for path in [*_bundled(), *_loaded()]:
        try:
            return OpenBlas(path)
        except (OSError, AttributeError):
            continue
    debug(_LOGGER, "NumPy computes with no OpenBLAS that can be reached: its BLAS is left as it is")
    return None


def _bundled() -> Iterator[str]:
    """What NumPy's own wheels bring along."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        yield from map(str, sorted(folder.glob("*openblas*")))


def _loaded() -> list[str]:
    """On Linux, the files of this process that have the name of OpenBLAS."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    named = (line.split(maxsplit=5)[-1] for line in lines if "openblas" in line)
    return list(dict.fromkeys(named))


# -- threads ----------------------------------------------------------------------------------


class _Alone:
    """Counts who needs BLAS on one thread; its number of threads comes back after the last."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.users = 0
        self.before = 1


_alone = _Alone()


def set_threads(count: int) -> None:
    """How many threads BLAS uses from now on."""
    library = openblas()
    if library is not None:
        library.set_threads(count)


def single_threaded() -> AbstractContextManager[None]:
    """BLAS on the calling thread alone, in the whole process, inside the ``with`` block.

    Blocks may nest, and overlap in time between threads.
    """
    return _SingleThreaded()


class _SingleThreaded:
    """Written out, since a generator would take longer than small products."""

    __slots__ = ("_library",)

    def __enter__(self) -> None:
        self._library = library = openblas()
        if library is not None:
            with _alone.lock:
                if _alone.users == 0:
                    _alone.before = library.get_threads()
                    library.set_threads(1)
                _alone.users += 1

    def __exit__(self, *_: object) -> None:
        library = self._library
        if library is not None:
            with _alone.lock:
                _alone.users -= 1
                if _alone.users == 0:
                    library.set_threads(_alone.before)


# -- kernels ----------------------------------------------------------------------------------


def kernels() -> str | None:
    """The processor whose kernels OpenBLAS uses, or None without OpenBLAS."""
    library = openblas()
    return None if library is None else library.kernels()


@cache
def use_best_kernels() -> bool:
    """Once, where OpenBLAS has overlooked AVX-512, choose the kernels that use it; says if it did.

    The variable OPENBLAS_CORETYPE, which tells OpenBLAS what to use, prevents it.
    """
    library = openblas()
    if library is None or _CORE_TYPE in os.environ:
        return False
    before = library.kernels()
    if before.lower() not in OLDER_KERNELS or not processor_features() >= AVX512:
        debug(_LOGGER, "OpenBLAS keeps its kernels for %s", before)
        return False
    if not library.choose_kernels("SkylakeX"):
        debug(_LOGGER, "OpenBLAS cannot exchange its kernels for %s", before)
        return False
    info(
        _LOGGER,
        "OpenBLAS uses its AVX-512 kernels in this process, not those for %s: "
        "asg.config.configure(blas_kernels='library') leaves it",
        before,
    )
    return True


def processor_features() -> frozenset[str]:
    """What the processor has beyond the basics, as Linux tells; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.split()[2:])
