"""What compiling an executable leaves on disk, and finds there the next time.

Passes cost a hundred times what it takes to recognise the graph and to read what they made of it
(a transformer of 2900 nodes: 0.6 s against 0.03 s). Kept are the signature of the optimised graph,
which sessions need, and for every binding of sizes the graph that the backend compiles, and the
plan of its memory. The optimised graph itself is not: whoever looks at it, or at the records of
passes, has them run.

A key covers the graph with its constants, the passes and rules by name, the sources of asg, the
versions of Python and NumPy, the processor (constants are folded on it) and what the backend says
that its passes depend on. Not cached are small graphs, ops that are not of asg, pipelines of the
user's, debugging, and backends that say nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TypeGuard, TypeVar

from asg.cache.facts import is_in_sources, machine, software, sources
from asg.cache.folder import compile_cache_folder
from asg.cache.store import read_entry, report_damage, write_entry
from asg.compiler.backend import Backend, CacheableBackend, Executable, KeepingBackend
from asg.compiler.graph_code import Given, Untold, graph_from_json, graph_to_json
from asg.compiler.signature import Signature
from asg.core.collector import paused_collector
from asg.core.errors import AsgError
from asg.core.graph import Graph
from asg.core.state_slot import StateSlot
from asg.passes.pipeline import Pipeline, names_in
from asg.rewrite.watch import is_watched

Found = TypeVar("Found")
_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, AsgError)


class Kept:
    """The entries of one executable; make it with `kept_of`."""

    def __init__(self, given: Given, backend: CacheableBackend, made_by: Sequence[str]) -> None:
        """Nothing is read yet; ``made_by`` names the passes, and tells their sources."""
        self._given = given
        self._backend = backend
        kind = type(backend)
        name = f"{kind.__module__}.{kind.__qualname__}"
        facts = [given.digest, name, *made_by, software(), machine()]
        self._base = sha256("\n\n".join(facts).encode()).hexdigest()

    def _key(self, what: str) -> str:
        facts = f"{self._base}\n{self._backend.fingerprint()}\n{what}"
        return sha256(facts.encode()).hexdigest()

    def signature(self) -> Signature | None:
        """Of the optimised graph, if it was compiled before."""
        return _read(self._key("signature"), _signature_from_json)

    def keep_signature(self, signature: Signature) -> None:
        """For the next time."""
        write_entry(self._key("signature"), json.dumps(signature).encode())

    def program_graph(self, binding: Mapping[str, int]) -> Graph | None:
        """What the backend compiles for these sizes, if that was compiled before."""
        return _read(
            self._key(_spelled(binding)),
            lambda content: graph_from_json(content.decode(), self._given),
        )

    def compiled(self, binding: Mapping[str, int], graph: Graph) -> Executable:
        """The program of a graph for these sizes, by the plan of an earlier run if there is one."""
        backend = self._backend
        if not isinstance(backend, KeepingBackend) or (facts := backend.plan_facts()) is None:
            return backend.compile(graph)
        key = self._key(f"plan {facts} {_spelled(binding)}")
        found = _read(key, lambda content: backend.compile(graph, json.loads(content)))
        if found is not None:
            return found
        program = backend.compile(graph)
        write_entry(key, json.dumps(program.told_plan()).encode())
        return program

    def keep_program_graph(self, binding: Mapping[str, int], graph: Graph) -> None:
        """For the next time; what has no form on disk is left out."""
        try:
            with paused_collector():
                content = graph_to_json(graph, self._given)
        except Untold:
            return
        write_entry(self._key(_spelled(binding)), content.encode())


def _read(key: str, decode: Callable[[bytes], Found]) -> Found | None:
    """What an entry stands for; None when there is none, or it is damaged, which is told."""
    content = read_entry(key)
    if content is None:
        return None
    try:
        return decode(content)
    except _DAMAGED as error:
        report_damage(key, str(error))
        return None


def _signature_from_json(content: bytes) -> Signature:
    names, state = json.loads(content)
    return Signature(tuple(names), tuple(StateSlot(*slot) for slot in state))


def _spelled(binding: Mapping[str, int]) -> str:
    return f"graph for {sorted(binding.items())}"


def kept_of(graph: Graph, backend: Backend, first: Pipeline, late: Pipeline) -> Kept | None:
    """The entries of a graph; None for what is not cached."""
    if is_watched() or compile_cache_folder() is None:
        return None
    stamp = sources()
    if stamp is None or not _is_ours(backend):
        return None
    passes = [*names_in(first), "with sizes", *names_in(late)]
    try:
        with paused_collector():
            return Kept(Given(graph), backend, [*passes, stamp])
    except Untold:
        return None


def _is_ours(backend: Backend) -> TypeGuard[CacheableBackend]:
    """A backend of asg's own: the key covers its sources, and those of its passes."""
    return is_in_sources(type(backend)) and isinstance(backend, CacheableBackend)
