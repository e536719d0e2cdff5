"""render(graph, path): a picture in a file, or the text of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asg.core.errors import MissingLibrary, OperandError
from asg.describe import Document, as_document, describe
from asg.io.atomic import write_bytes

from .dot import Program, program_of
from .engine import draw
from .fold import Shown
from .group import view_of
from .style import theme_of

KINDS = ("svg", "png", "pdf", "dot")


def render(
    source: Any,
    path: str | os.PathLike[str],
    *,
    part: Shown = "both",
    depth: int | None = None,
    fold: bool | None = None,
    theme: str = "light",
    engine: str | None = None,
) -> Path:
    """Draw a graph to a file; the ending of its name (.svg .png .pdf .dot) says how.

    The forward part runs down on the left, the gradient up on the right, each op level with its
    gradient, the update of the parameters beyond. Dashed arrows are forward values that the
    gradient uses again. Plain numbers stand inside the box that uses them.

    Args:
        source: a graph, a list of pass records, a profile (whose boxes are tinted by their share of
            the time), or a document of `asg.describe`.
        path: the file; it is replaced at once when the picture is finished.
        part: "both", only the "forward" part, or only the "gradient".
        depth: scopes this deep are one box; None opens as many as stay readable.
        fold: one box for every decomposition and for the gradient of every op; None folds when
            there are too many boxes.
        theme: "light" or "dark".
        engine: "dot" (the program) or "pygraphviz" (the library); None takes the environment
            variable ASG_GRAPHVIZ, else the first of the two that is there.

    Returns:
        The path.

    Raises:
        OperandError: an option has no such value, or the ending is unknown.
        MissingLibrary: there is no Graphviz; the text is then written beside, ending in .dot.
        FileError: the file cannot be written, or Graphviz failed.

    >>> import asg
    >>> asg.Graph(y=asg.input("x", (2,)).T).render("tiny.dot").name
    'tiny.dot'
    """
    target = Path(path)
    kind = target.suffix.removeprefix(".").lower()
    if kind not in KINDS:
        choices = ", ".join(f".{each}" for each in KINDS)
        raise OperandError(f"{target.name!r} ends in no known format; choose one of {choices}")
    program = program_for(source, part=part, depth=depth, fold=fold, theme=theme)
    if kind == "dot":
        write_bytes(target, program.text.encode("utf-8"))
    else:
        write_bytes(target, _drawn(program, kind, engine, lambda: _write_text(program, target)))
    return target


def svg(source: Any, **options: Any) -> str:
    """The picture as the text of an SVG; options as of `render`.

    Raises:
        MissingLibrary: there is no Graphviz.
    """
    engine = options.pop("engine", None)
    return draw(program_for(source, **options), "svg", engine).data.decode("utf-8")


def program_for(
    source: Any,
    *,
    part: Shown = "both",
    depth: int | None = None,
    fold: bool | None = None,
    theme: str = "light",
) -> Program:
    """The text of the picture, for Graphviz; arguments as of `render`."""
    document: Document = as_document(source) if isinstance(source, dict) else describe(source)
    return program_of(view_of(document, part, depth, fold), theme_of(theme))


def _drawn(program: Program, kind: str, engine: str | None, save: Callable[[], Path]) -> bytes:
    try:
        return draw(program, kind, engine).data
    except MissingLibrary as error:
        raise MissingLibrary(f"{error}\n  the text of the picture is in {save()}") from None


def _write_text(program: Program, target: Path) -> Path:
    beside = target.with_suffix(".dot")
    write_bytes(beside, program.text.encode("utf-8"))
    return beside
