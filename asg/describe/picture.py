"""The methods of Graph and Tensor that draw: found by name, drawn by `asg.visualizer`."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asg.compiler.loader import load_visualizer
from asg.core.convert import as_tensor
from asg.core.graph import Graph
from asg.core.registry import public

if TYPE_CHECKING:
    from asg.core.tensor import Tensor


@public
def render(source: Any, path: str | PathLike[str], **options: Any) -> Path:
    """Draw a graph, the records of passes, or a document to a file.

    See `asg.visualizer.render` for the options; this is it, loaded when it is first needed.

    >>> import asg
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     render(asg.Graph(y=asg.input("x", (2,)).T), f"{folder}/tiny.dot").read_text()[:15]
    'digraph "graph"'
    """
    path = load_visualizer().render(source, path, **options)
    return Path(path)


@public
def svg(source: Any, **options: Any) -> str:
    """The picture as SVG text, for notebooks; options as of `render`."""
    return str(load_visualizer().svg(source, **options))


@public
def graph_of(tensor: Tensor) -> Graph:
    """The graph that computes a tensor.

    >>> import asg
    >>> graph_of(asg.input("x", (2,)))
    <graph 'graph': x -> value, 1 nodes>
    """
    return Graph(value=as_tensor(tensor))
