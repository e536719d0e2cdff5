"""Seconds per node of a compiled program, from the events that XLA records while it runs.

XLA runs instructions, most of them fusions of several nodes. An instruction carries the name of
the node it ends in (`walk.node_label`), and its time is counted there: nodes that were fused into
others take none of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import jax

from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.node import Node

_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.\-]+) = .*? ([\w\-]+)\(", re.MULTILINE)
_OP_NAME = re.compile(r'op_name="([^"]*)"')
_CALLED = re.compile(r"calls=%?([\w.\-]+)")
_COMPUTATION = re.compile(r"^%?([\w.\-]+) \(.*\{$", re.MULTILINE)
_AROUND_OTHERS = frozenset({"while", "conditional", "call", "async-start", "async-done"})
"""Their events last as long as those of the instructions inside, which are counted."""


def node_seconds(
    graph: Graph, hlo: str, run: Callable[[], object], steps: int
) -> list[tuple[Node, float]]:
    """Seconds of every node that an instruction is named after, the median over steps, in order.

    Args:
        graph: what the program computes.
        hlo: the text of the program.
        run: runs a step and waits for it.
        steps: how many are recorded.

    Raises:
        OperandError: this JAX records nothing that can be read, or no instruction of the program.
    """
    nodes = _nodes_of(graph, hlo)
    totals: dict[Node, dict[int, float]] = {}
    for name, number, seconds in _recorded(run, steps):
        node = nodes.get(name)
        if node is not None:
            of_step = totals.setdefault(node, {})
            of_step[number] = of_step.get(number, 0.0) + seconds
    if not totals:
        raise OperandError(
            "XLA recorded no instruction of this program on this device; time whole steps instead"
        )
    return [(node, median(totals[node].values())) for node in graph.nodes if node in totals]


def _recorded(run: Callable[[], object], steps: int) -> Iterator[tuple[str, int, float]]:
    """Name, number of the run, and seconds of every instruction that ran."""
    data = getattr(jax.profiler, "ProfileData", None)
    if data is None:
        raise OperandError(f"JAX {jax.__version__} cannot read its own profiles; take a newer one")
    run()
    with TemporaryDirectory() as folder:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0
        with jax.profiler.trace(folder, profiler_options=options):
            for _ in range(steps):
                run()
        files = [str(path) for path in Path(folder).rglob("*.xplane.pb")]
        for plane in (plane for file in files for plane in data.from_file(file).planes):
            for event in (event for line in plane.lines for event in line.events):
                told = dict(event.stats)
                if "hlo_op" in told:
                    seconds = float(event.duration_ns) * 1e-9
                    yield str(told["hlo_op"]), int(told.get("run_id", 0)), seconds


# -- instructions and nodes -----------------------------------------------------------------------


def _nodes_of(graph: Graph, hlo: str) -> dict[str, Node]:
    """The node that every instruction belongs to; instructions around others have none."""
    roots = _roots(hlo)
    found: dict[str, Node] = {}
    for line in hlo.splitlines():
        instruction = _INSTRUCTION.match(line)
        if instruction is None or instruction[2] in _AROUND_OTHERS:
            continue
        node = _node_named(graph, line)
        called = _CALLED.search(line)
        if node is None and called is not None:
            node = _node_named(graph, roots.get(called[1], ""))
        if node is not None:
            found[instruction[1]] = node
    return found


def _roots(hlo: str) -> dict[str, str]:
    """The last line of every computation, by its name."""
    roots: dict[str, str] = {}
    name = ""
    for line in hlo.splitlines():
        opened = _COMPUTATION.match(line)
        if opened is not None:
            name = opened[1]
        elif line.lstrip().startswith("ROOT "):
            roots[name] = line
    return roots


def _node_named(graph: Graph, line: str) -> Node | None:
    """The outermost node in ``op_name="jit(step)/encoder/0/matmul.17/dot_general"``."""
    label = _OP_NAME.search(line)
    for part in label[1].split("/") if label else ():
        name, _, position = part.rpartition(".")
        if position.isdecimal() and int(position) < len(graph.nodes):
            node: Any = graph.nodes[int(position)]
            if node.op.name == name:
                return node  # type: ignore[no-any-return]
    return None
