"""Networks without their training: a folder with the graph of the prediction and the weights.

``graph.txt`` is the graph as text (`asg.graph_text`), ``weights.safetensors`` its parameters and
statistics, and ``inference.json`` says what they are, with a checksum of each. The folder needs
neither the optimizer nor the Python source of the network, and nothing in it can run code. The
number of examples stays symbolic, and predictions have the bits of the network that was exported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asg.compiler import Session, compile
from asg.core.dtype import as_dtype, float32
from asg.core.errors import FeedError, FileError, OperandError, TextError
from asg.core.graph import Graph
from asg.core.parse import parse
from asg.core.text import graph_text
from asg.core.tree import map_tree
from asg.core.types import TensorType
from asg.io import load_arrays, save_arrays
from asg.io.arrays import PathLike
from asg.io.atomic import make_folder, replacing_folder
from asg.io.manifest import Manifest
from asg.train.batches import arrays_of, size_of

GRAPH, WEIGHTS, FACTS = "graph.txt", "weights.safetensors", "inference.json"
MANIFEST = Manifest(
    "asg inference model", 1, FACTS, "inference model", {"results": object}, (GRAPH, WEIGHTS)
)
EVALUATION_BATCH = 1024  # no gradients to keep: few large batches are quicker than many small ones

Array = np.ndarray[Any, Any]


def write_inference(
    folder: PathLike, graph: Graph, results: Any, weights: Mapping[str, Array]
) -> None:
    """A folder for `load_for_inference`, new or in place of an older one; then durable.

    Args:
        folder: its path.
        graph: of the prediction.
        results: the nest of the names of its results.
        weights: every variable of the graph by name.

    Raises:
        FileError: the system refuses, or a folder of something else is there.
    """
    target = Path(folder)
    if target.exists() and not (target / FACTS).is_file():
        raise FileError(f"cannot write {target}: something else is there already")
    make_folder(target.parent)
    with replacing_folder(target) as temporary:
        (temporary / GRAPH).write_text(graph_text(graph, full=True) + "\n", encoding="utf-8")
        save_arrays(temporary / WEIGHTS, weights, {"format": "pt", "purpose": "inference"})
        MANIFEST.write(temporary, [GRAPH, WEIGHTS], {"results": _as_plain(results)})


def _as_plain(results: Any) -> Any:
    """The nest of names as JSON: a name, or the kind of a nest with its parts."""
    if isinstance(results, str):
        return results
    if isinstance(results, Mapping):
        return {"dict": {str(key): _as_plain(each) for key, each in results.items()}}
    if is_dataclass(results):
        return {"dict": {f.name: _as_plain(getattr(results, f.name)) for f in fields(results)}}
    kind = "tuple" if isinstance(results, tuple) else "list"
    return {kind: [_as_plain(each) for each in results]}


def _as_nest(plain: Any) -> Any:
    if isinstance(plain, str):
        return plain
    ((kind, held),) = plain.items()
    if kind == "dict":
        return {key: _as_nest(each) for key, each in held.items()}
    parts = [_as_nest(each) for each in held]
    return tuple(parts) if kind == "tuple" else parts


class InferenceModel:
    """A network that predicts, loaded by `load_for_inference`.

    Attributes:
        graph: of the prediction.
        backend: the name of what runs it.
        inputs: types of its arguments by name.
    """

    def __init__(
        self, graph: Graph, results: Any, weights: Mapping[str, Array], backend: str
    ) -> None:
        """Use `load_for_inference`."""
        self.graph, self.backend = graph, backend
        self.inputs: dict[str, TensorType] = {n: t.type for n, t in graph.feeds.items()}
        self._results = results
        self._session = compile(graph, backend).start(0, weights)
        dtypes = [as_dtype(array.dtype) for array in weights.values()]
        self._dtype = next((dtype for dtype in dtypes if dtype.is_float), float32)

    def predict(self, *arrays: Any, batch_size: int = EVALUATION_BATCH) -> Any:
        """The network's results for all examples, in its structure.

        Args:
            arrays: one per argument of the network.
            batch_size: examples at once.

        Raises:
            OperandError: no example.
            FeedError, ShapeError: arrays that do not fit.
        """
        if len(arrays) != len(self.inputs):
            raise FeedError(f"{len(arrays)} arrays given, the network takes {list(self.inputs)}")
        given = arrays_of(dict(zip(self.inputs, arrays, strict=True)), tuple(self.inputs),
                          self._dtype)  # fmt: skip
        return predicted(self._session, given, self._results, batch_size)

    def __repr__(self) -> str:
        """``<inference model on numpy: x f32[batch, 3]>``."""
        told = ", ".join(f"{name} {of}" for name, of in self.inputs.items())
        return f"<inference model on {self.backend}: {told}>"


def load_for_inference(folder: PathLike, backend: str = "numpy") -> InferenceModel:
    """The network that `Model.export_for_inference` wrote.

    Args:
        folder: where it is.
        backend: see `asg.compile`; not only the one it was trained on.

    Raises:
        FileError: it is missing, damaged, or written by a newer version of asg.
        UnknownName, MissingLibrary: there is no such backend.

    >>> import numpy as np
    >>> import asg
    >>> model = asg.Model(asg.nn.Linear(2, 1), loss="mse", inputs={"x": ("n", 2), "y": ("n", 1)})
    >>> model.export_for_inference("line")
    >>> x = np.ones((3, 2), np.float32)
    >>> bool((asg.train.load_for_inference("line").predict(x) == model.predict(x)).all())
    True
    """
    path = Path(folder)
    described = MANIFEST.read_whole(path)
    try:
        graph = parse((path / GRAPH).read_text(encoding="utf-8"))
        return InferenceModel(
            graph, _as_nest(described["results"]), load_arrays(path / WEIGHTS), backend
        )
    except (TextError, FeedError, AttributeError, ValueError) as error:
        raise FileError(f"{path} holds no network that this asg can run: {error}") from error


def predicted(session: Session, inputs: Sequence[Array], results: Any, batch_size: int) -> Any:
    """The results for all examples, some at once, in the structure of their names.

    Raises:
        OperandError: no example.
    """
    size, parts = size_of(inputs), []
    if size == 0:
        raise OperandError("there is no example to predict")
    for start in range(0, size, batch_size):
        found = session(*[array[start : start + batch_size] for array in inputs])
        parts.append({name: np.array(value) for name, value in found.items()})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return map_tree(lambda name: joined[name], results)
