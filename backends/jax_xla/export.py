"""Programs as files: StableHLO, which JAX of another version, process or machine can run.

A file is a zip archive of two members: ``program``, the artefact of `jax.export`, and
``metadata.json``, which tells inputs and outputs by name, with types, variables and claims about
sizes. It holds no values: a step takes its variables like its feeds and returns the next ones.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from os import PathLike, fspath
from typing import Any

import jax
import numpy as np
from jax import export

from asg.analysis.constraint import bind_dims
from asg.core.dim import Symbol, free_symbols, symbol
from asg.core.errors import FeedError, FileError, OperandError
from asg.core.graph import Graph
from asg.core.parse_value import ValueReader
from asg.core.region import with_bodies
from asg.core.state_slot import StateSlot
from asg.core.text import leaf_kind
from asg.core.types import SizeCheck
from asg.io.atomic import write_bytes
from asg.ops.random import RandomBits

from .kernels.random import MOST_WORDS
from .scoped import tracing
from .sizes import jax_symbols, with_jax_sizes
from .walk import needs_64_bits, run_graph

FORMAT = "asg stablehlo"
VERSION = 1
_METADATA, _PROGRAM = "metadata.json", "program"
Array = np.ndarray[Any, Any]
Path = str | PathLike[str]


class ExportedProgram:
    """A step or inference as a file holds it; call it with arrays by name.

    Attributes:
        metadata: format and version; ``name``; ``inputs``, each with name, type and role ("input",
            or that of a variable); ``outputs`` by name; ``state``, pairs of positions in both;
            ``sizes`` with their least values and divisors; ``checks``, claims about sizes;
            ``wide``, whether there are 64-bit values; ``platforms`` it runs on; ``jax``, the
            version that wrote it.
        exported: JAX's own object, a ``jax.export.Exported``.
    """

    def __init__(self, metadata: Mapping[str, Any], exported: Any) -> None:
        """Use `export_graph` or `load_exported`."""
        self.metadata = metadata
        self.exported = exported
        reader = ValueReader()
        for name, minimum, multiple_of in metadata["sizes"]:
            reader.symbols |= free_symbols([symbol(name, minimum, multiple_of)])
        self._names: list[str] = [each["name"] for each in metadata["inputs"]]
        self._types = [reader.type(each["type"]) for each in metadata["inputs"]]
        self._checks = [
            SizeCheck(reader.size(left), relation, reader.size(right), reason)
            for left, relation, right, reason in metadata["checks"]
        ]
        self._state = [StateSlot(*slot) for slot in metadata["state"]]
        self._call = jax.jit(exported.call)

    def __call__(
        self, feeds: Mapping[str, Any], state: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Run once: the results by name, and the variables afterwards.

        Args:
            feeds: arrays by input name.
            state: arrays by the names of all variables, which stay as they are: the values of
                ``session.state_dict()``, those of the step before, or read from a file.

        Raises:
            FeedError: an array is missing, unexpected, or does not fit.
        """
        given = self._ordered(feeds, state or {})
        with jax.enable_x64(bool(self.metadata["wide"])):
            outputs = [np.asarray(each) for each in self._call(*given)]
        names = self.metadata["outputs"]
        held = {slot.input for slot in self._state}
        after = {self._names[position]: given[position] for position in held}
        written = {slot.output: slot.input for slot in self._state if slot.output is not None}
        after |= {self._names[into]: outputs[place] for place, into in written.items()}
        results = {n: outputs[i] for i, n in enumerate(names) if i not in written}
        return results, after

    def _ordered(self, feeds: Mapping[str, Any], state: Mapping[str, Any]) -> list[Array]:
        held = {self._names[slot.input] for slot in self._state}
        wanted = {"inputs": (set(self._names) - held, feeds), "variables": (held, state)}
        for kind, (names, given) in wanted.items():
            if names != given.keys():
                raise FeedError(
                    f"{self.metadata['name']!r} takes the {kind} {sorted(names)}, given "
                    f"{sorted(given)}"
                )
        together = {**feeds, **state}
        arrays = [np.array(together[name]) for name in self._names]
        for name, of, array in zip(self._names, self._types, arrays, strict=True):
            if array.dtype != of.dtype.numpy:
                raise FeedError(f"{name!r} is {of}, given {array.dtype}; convert it")
        bind_dims(self._names, self._types, [each.shape for each in arrays], self._checks)
        return arrays

    def stablehlo(self) -> str:
        """The program as text."""
        return str(self.exported.mlir_module())

    def to_bytes(self) -> bytes:
        """The content of a file."""
        content = BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_METADATA, json.dumps(self.metadata, indent=1))
            archive.writestr(_PROGRAM, bytes(self.exported.serialize()))
        return content.getvalue()

    def save(self, path: Path) -> None:
        """Write the file, wholly or not at all.

        Raises:
            FileError: the system refuses.
        """
        write_bytes(path, self.to_bytes())

    def __repr__(self) -> str:
        """``<exported 'predict': x: f32[batch, 784] -> y>``."""
        inputs = ", ".join(map("{}: {}".format, self._names, self._types))
        name, outputs = self.metadata["name"], self.metadata["outputs"]
        return f"<exported {name!r}: {inputs} -> {', '.join(outputs)}>"


def load_exported(path: Path) -> ExportedProgram:
    """The program of a file that `ExportedProgram.save` wrote.

    Raises:
        FileError: no such file, damaged, of another format, or written by a newer asg.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(archive.read(_METADATA))
            program = archive.read(_PROGRAM)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise FileError(f"{fspath(path)} is no exported program: {error}") from error
    _require_readable(path, metadata)
    try:
        return ExportedProgram(metadata, export.deserialize(bytearray(program)))
    except Exception as error:  # of any kind: the bytes may be anything
        raise FileError(f"{fspath(path)} is damaged: {error}") from error


def _require_readable(path: Path, metadata: Any) -> None:
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise FileError(f"{fspath(path)} is no exported program: its format is another one")
    if metadata.get("version") != VERSION:
        raise FileError(
            f"{fspath(path)} has version {metadata.get('version')} of the format, this asg reads "
            f"{VERSION}; export it again, or update asg"
        )


# -- writing --------------------------------------------------------------------------------------


def export_graph(graph: Graph, matmul_precision: str) -> ExportedProgram:
    """A lowered graph as StableHLO for the default device; sizes may be symbolic.

    Raises:
        OperandError: JAX cannot trace it for all numbers that its sizes may have.
    """
    wide = needs_64_bits(graph)
    with tracing(wide, matmul_precision):
        symbols = jax_symbols(_symbols(graph), graph.checks)
        traced = with_jax_sizes(graph, symbols) if symbols else graph
        exported = _exported(traced, sorted(symbols))
    return ExportedProgram(_metadata(graph, wide, exported), exported)


def _claims(graph: Graph) -> list[list[str]]:
    """Those of the graph, and that no key is asked for more words than it has."""
    claims = list(graph.checks)
    for node in (node for each in with_bodies(graph) for node in each.nodes):
        if isinstance(node.op, RandomBits) and not node.output.type.is_static:
            size = node.output.type.size
            claims.append(SizeCheck(size, "<=", MOST_WORDS, "random words of one key"))
    return [[str(c.left), c.relation, str(c.right), c.reason] for c in dict.fromkeys(claims)]


def _symbols(graph: Graph) -> dict[str, Symbol]:
    values = [output for node in graph.nodes for output in node.outputs]
    sides = [side for check in graph.checks for side in (check.left, check.right)]
    return free_symbols([*(size for value in values for size in value.shape), *sides])


def _exported(graph: Graph, symbols: list[str]) -> Any:
    def program(*arrays: Any) -> list[Any]:
        return run_graph(graph, arrays)

    program.__name__ = program.__qualname__ = graph.name
    struct: Any = jax.ShapeDtypeStruct
    given = [struct(each.type.shape, each.type.dtype.numpy) for each in graph.inputs]
    try:
        return export.export(jax.jit(program, keep_unused=True))(*given)
    except Exception as error:
        if not symbols:
            raise
        numbers = ", ".join(f"{name}=64" for name in symbols)
        raise OperandError(
            f"JAX cannot trace {graph.name!r} for every number of {', '.join(symbols)}: "
            f"{' '.join(str(error).split())[:300]}\n  repair: give numbers: export(path, {numbers})"
        ) from error


def _metadata(graph: Graph, wide: bool, exported: Any) -> dict[str, Any]:
    named = zip(graph.input_names, graph.inputs, strict=True)
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": graph.name,
        "inputs": [{"name": n, "type": str(t.type), "role": leaf_kind(t)} for n, t in named],
        "outputs": list(graph.output_names),
        "state": [list(slot) for slot in graph.state],
        "sizes": [[s.name, s.minimum, s.multiple_of] for s in _symbols(graph).values()],
        "checks": _claims(graph),
        "wide": wide,
        "platforms": list(exported.platforms),
        "jax": jax.__version__,
    }
