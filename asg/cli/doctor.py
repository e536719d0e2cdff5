"""``asg doctor``: what of asg works here, what is missing, and the line that adds it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import asg
from asg.cli.parser import Parser
from asg.config import settings

DONE = 0
DESCRIPTION = "Tell what of asg works here, what is missing, and the line that adds it."
CLEAR = "remove what compiling has left on disk, before anything else"

# For each extra: what it brings, and the distributions, each with the module it is imported as.
EXTRAS: dict[str, tuple[str, dict[str, str]]] = {
    "jax": ("the backend jax", {"jax": "jax"}),
    "viz": ("pictures without the program dot", {"pygraphviz": "pygraphviz"}),
    "data": ("bundled data, downloads, images", {"scikit-learn": "sklearn", "pooch": "pooch",
                                                 "pillow": "PIL"}),
    "onnx": ("the judge of ONNX files", {"onnx": "onnx", "onnxruntime": "onnxruntime"}),
    "plot": ("plots", {"matplotlib": "matplotlib"}),
    "tensorboard": ("logs for TensorBoard", {"tensorboardX": "tensorboardX"}),
    "hub": ("weights of the Hugging Face hub", {"huggingface_hub": "huggingface_hub"}),
    "text": ("tokenizers", {"tokenizers": "tokenizers"}),
    "torch": ("the judge of values in tests", {"torch": "torch"}),
    "viewer": ("tests of the viewer", {"playwright": "playwright"}),
}  # fmt: skip


def run(arguments: Sequence[str]) -> int:
    """Look, and tell; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood.
    """
    parser = Parser("asg doctor", DESCRIPTION)
    parser.add_argument("--clear-cache", action="store_true", help=CLEAR)
    if parser.read(arguments).clear_cache:
        print(f"removed {asg.clear_cache()} entries of the compile cache")
    for name, what in (*_basics(), *_tools(), *_extras()):
        print(f"{name:<14} {what}")
    return DONE


def _basics() -> Iterator[tuple[str, str]]:
    yield "asg", f"{asg.__version__} in {os.path.dirname(asg.__file__)}"
    yield "python", f"{platform.python_version()} ({sys.executable})"
    pools = _blas_pools() or ["no BLAS that can be asked"]
    yield "numpy", "; ".join([_version("numpy"), *pools])
    yield "jax", _jax()


def _blas_pools() -> list[str]:
    """The libraries of linear algebra that are loaded, as far as they can be asked."""
    import numpy  # noqa: F401 - only what is loaded can be asked; not for --help
    from threadpoolctl import threadpool_info

    return [
        f"{pool['internal_api']} {pool['version']} with {pool['num_threads']} threads"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]


def _jax() -> str:
    if find_spec("jax") is None:
        return f"not there; {_line('jax')}"
    from asg.compiler.loader import load_backend

    try:
        backend: Any = load_backend("jax")
        devices = backend.devices()
    except Exception as error:
        return f"{_version('jax')}, which does not start: {' '.join(str(error).split())}"
    return f"{_version('jax')}; {', '.join(devices)}"


def _tools() -> Iterator[tuple[str, str]]:
    from asg.cache.folder import cache_folder, compile_cache_folder  # not for --help

    dot = shutil.which("dot")
    yield "dot", dot or "not there; install Graphviz (https://graphviz.org/download)"
    yield "browser", _browser()
    folder = cache_folder()
    yield "cache", f"{folder} ({_writable(folder)})"
    compiled = compile_cache_folder()
    kept = "off" if compiled is None else f"{compiled} ({_writable(compiled)}; {_filled()})"
    yield "compiled", kept


def _browser() -> str:
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return "not there; pictures are written, and can be opened elsewhere"
    return str(getattr(found, "name", type(found).__name__))


def _writable(folder: os.PathLike[str]) -> str:
    """Whether files can be made there, without making any."""
    place = os.path.abspath(folder)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return "can be written" if os.access(place, os.W_OK) else "cannot be written; set ASG_CACHE"


def _filled() -> str:
    from asg.cache.store import contents

    entries, size = contents()
    limit = settings.compile_cache_bytes
    return f"{entries} entries, {size / 1e6:.1f} of {limit / 1e6:.0f} MB"


def _extras() -> Iterator[tuple[str, str]]:
    for extra, (what, modules) in EXTRAS.items():
        missing = [name for name, module in modules.items() if find_spec(module) is None]
        if missing:
            told = f"{', '.join(missing)} not there ({what}); {_line(extra)}"
        else:
            told = ", ".join(f"{name} {_version(name)}" for name in modules)
        yield f"[{extra}]", told


def _line(extra: str) -> str:
    return f"pip install 'asg-compiler[{extra}]'"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "of unknown version"
