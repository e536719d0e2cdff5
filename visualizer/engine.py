"""Graphviz, wherever it is: the ``dot`` program first, else the library inside pygraphviz.

A picture takes two runs (see `dot.Program`): the first places the boxes and the arrows within
columns; then the arrows between columns are routed, and the second run writes the picture.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from asg.core.errors import ConfigError, FileError, MissingLibrary, OperandError

from .dot import Program
from .route import Router, places_of

VARIABLE = "ASG_GRAPHVIZ"
ENGINES = ("dot", "pygraphviz", "none")
SECONDS = 120
"""How long one run of ``dot`` may take."""
PNG_DPI = 144

HOW_TO_GET_ONE = (
    "to draw pictures install Graphviz (https://graphviz.org/download, the program `dot`), or the "
    "library: pip install 'asg-compiler[viz]'"
)

TOO_LARGE = (
    "fold the graph, for instance with depth=1, or write the text with a path that ends in .dot"
)

logger = logging.getLogger("asg.visualizer")


class Drawing(NamedTuple):
    """A finished picture and what drew it."""

    data: bytes
    engine: str


def chosen_engine(engine: str | None) -> str:
    """The engine asked for, by argument or by the environment; else the first there is.

    Raises:
        OperandError, ConfigError: no engine has that name.
    """
    if engine is not None:
        if engine not in ENGINES:
            raise OperandError(f"engine={engine!r}; choose one of {', '.join(ENGINES)}")
        return engine
    wanted = os.environ.get(VARIABLE, "")
    if wanted and wanted not in ENGINES:
        raise ConfigError(f"{VARIABLE}={wanted!r}; choose one of {', '.join(ENGINES)}")
    if wanted:
        return wanted
    if shutil.which("dot"):
        return "dot"
    return "pygraphviz" if find_spec("pygraphviz") else "none"


def draw(program: Program, kind: str, engine: str | None = None) -> Drawing:
    """The picture in the format ``kind`` (svg, png, pdf).

    Raises:
        MissingLibrary: there is no Graphviz, or not the one asked for; says how to get it.
        FileError: Graphviz failed or took too long.
    """
    name = chosen_engine(engine)
    run = {"dot": _run_program, "pygraphviz": _run_library, "none": _run_nothing}[name]
    placed, plain = (out.decode("utf-8") for out in run(program.first, "dot", ("dot", "plain")))
    (data,) = run(_second(placed, program, Router(places_of(plain)), kind), "nop2", (kind,))
    logger.debug("drew %d bytes of %s with %s", len(data), kind, name)
    if kind == "svg":
        data = data.replace(b"<svg", f"<!-- drawn by asg with {name} -->\n<svg".encode(), 1)
    return Drawing(data, name)


def _second(placed: str, program: Program, router: Router, kind: str) -> str:
    """What the first run placed, with the arrows between columns; pixels are fine ones."""
    head, brace, rest = placed.partition("{")
    body, _, _ = rest.rpartition("}")
    crossing = [line.text(pos=router.route(line.tail, line.head)) for line in program.crossing]
    resolution = f"\n  graph [dpi={PNG_DPI}];" if kind == "png" else ""
    return f"{head}{brace}{resolution}{body}{''.join(crossing)}}}\n"


def _run_nothing(text: str, layout: str, kinds: Sequence[str]) -> list[bytes]:
    raise MissingLibrary(f"no Graphviz was found; {HOW_TO_GET_ONE}")


def _run_program(text: str, layout: str, kinds: Sequence[str]) -> list[bytes]:
    """One run of the ``dot`` program that writes several formats."""
    program = shutil.which("dot")
    if program is None:
        raise MissingLibrary(f"the program `dot` is not installed; {HOW_TO_GET_ONE}")
    with tempfile.TemporaryDirectory(prefix="asg-") as folder:
        files = [Path(folder, f"out.{kind}") for kind in kinds]
        wanted = [word for kind, file in zip(kinds, files, strict=True)
                  for word in (f"-T{kind}", f"-o{file}")]  # fmt: skip
        try:
            done = subprocess.run(
                [program, f"-K{layout}", *wanted],
                input=text.encode("utf-8"), capture_output=True, check=False, timeout=SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise FileError(f"dot did not finish in {SECONDS} s; {TOO_LARGE}") from None
        if done.returncode or not all(file.is_file() for file in files):
            raise _failure("dot", done.stderr.decode("utf-8", "replace"))
        return [file.read_bytes() for file in files]


def _run_library(text: str, layout: str, kinds: Sequence[str]) -> list[bytes]:
    """Graphviz inside this process, without its remarks about fonts on stderr."""
    try:
        from pygraphviz import AGraph
    except ImportError:
        raise MissingLibrary(
            "pygraphviz is not installed: pip install 'asg-compiler[viz]'"
        ) from None
    with _captured_stderr() as remarks:
        try:
            found = [AGraph(string=text).draw(format=kind, prog=layout) for kind in kinds]
        except (ValueError, OSError) as error:
            raise _failure("pygraphviz", f"{error}\n{remarks()}") from None
    if not all(found):
        raise _failure("pygraphviz", remarks())
    return found


def _failure(engine: str, remarks: str) -> FileError:
    said = "\n".join(f"  {line}" for line in remarks.strip().splitlines()[:5])
    return FileError(f"{engine} could not draw the graph:\n{said}")


@contextlib.contextmanager
def _captured_stderr() -> Iterator[Callable[[], str]]:
    """Collects what C code writes to file descriptor 2; gives a function that reads it."""
    with tempfile.TemporaryFile() as file:

        def remarks() -> str:
            file.seek(0)
            return file.read().decode("utf-8", "replace")

        sys.stderr.flush()
        kept = os.dup(2)
        try:
            os.dup2(file.fileno(), 2)
            yield remarks
        finally:
            os.dup2(kept, 2)
            os.close(kept)
