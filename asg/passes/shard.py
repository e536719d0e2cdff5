"""shard: the part of a step that treats the examples of a batch alike runs on a shard per thread.

Forward, backward and the sums of gradients become the body of one `ShardMap`; what is computed from
joined values (the optimizer) stays behind it. Where the total of a sum is needed to go on, as in a
normalisation over the batch, shards meet (`AllReduceSum`). Numerics: reassociating, since a sum
over the batch is added up shard by shard; everything else keeps its bits. The number of shards
follows from the setting ``threads`` and the size of the batch, never from how busy the machine is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from asg.analysis.sharding import (
    TOTAL,
    Decision,
    Decisions,
    batch_draws,
    batch_inputs,
    cut_leaf,
    decide,
    divides,
    is_repeated,
    meetings,
    small_causes,
)
from asg.analysis.work import Work, most_in_long_calls, work_of
from asg.config import thread_count
from asg.core.errors import GraphError
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.op import Op
from asg.core.origin import UNKNOWN, derive
from asg.core.region import Body, body_input, substitute
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, take_checks
from asg.ops.loops import Scan
from asg.ops.shape import AssumeShape, BroadcastTo, ExpandDims, PermuteDims, Reshape, Squeeze
from asg.ops.shards import WHOLE, AllReduceSum, Place, ShardMap
from asg.ops.slicing import Select, Slice, Unslice
from asg.rewrite.rule import RuleHit
from asg.rewrite.watch import may_replace, note_values

Tensors = tuple[Tensor, ...]

LEAST_SECONDS = 3e-3
"""Estimated time of the part on one core from which threads gain more than they cost.

Steps shorter than that use few rows, and halves of them are multiplied less efficiently.
"""

LEAST_SHARE = 0.5
"""How much of all work the part must hold; else threads inside of single ops gain more."""

LEAST_SECONDS_OF_CALL = 25e-6
"""Estimated time of a call of a kernel on a shard: threads that make short ones block each other.

The interpreter lock is let go inside of kernels only, and changes hands at every call.
"""

NEARLY_ALL = 0.95
"""How much of all work is left to gain too little from by meetings."""

SECONDS_OF_MEETING = 1e-4
"""What it costs to meet: the slower shard is waited for, and the threads are handed work anew."""

MOST_SECONDS_OF_CALL = 0.75e-3
"""Estimated time of a call of a kernel on the whole batch up to which shards gain from meeting.

Threads that share a longer one do so as well, and multiply whole batches more efficiently.
"""

MOST_SHARE_BEFORE = 0.01
"""Of all work, what is done once on the whole batch because all that follows depends on it."""

_VIEWS = (BroadcastTo, ExpandDims, PermuteDims, Reshape, Select, Slice, Squeeze)
"""Taken into the body: as operands they would be copied, and they cost nothing there."""


class Least(NamedTuple):
    """Seconds of work, its share of all work, seconds of a call of a kernel on a shard, and those
    that a meeting has to save."""

    seconds: float = LEAST_SECONDS
    share: float = LEAST_SHARE
    seconds_of_call: float = LEAST_SECONDS_OF_CALL
    seconds_of_meeting: float = SECONDS_OF_MEETING


WORTH_IT, ANY_WORK = Least(), Least(0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Shard:
    """The pass; it does nothing to a graph whose work on the batch is estimated not to gain.

    Attributes:
        least: what the part must hold to be worth it.
        most_share_before: of all work, what may run once so that others need not wait for it.
    """

    least: Least = WORTH_IT
    most_share_before: float = MOST_SHARE_BEFORE
    name: str = "shard"

    def __call__(self, graph: Graph, log: list[RuleHit]) -> Graph:
        """The graph with one `ShardMap`, or as it is."""
        inputs = batch_inputs(graph)
        shards = _most_shards(inputs)
        if shards < 2 or not may_replace():
            return graph
        works = [work_of([node]) for node in graph.nodes]
        everything = Work(sum(work.seconds for work in works), sum(work.calls for work in works))
        if not self._may_pay(works, everything, shards):
            return graph
        draws = batch_draws(graph, inputs[0].shape[0])
        for cut in dict.fromkeys([(*inputs, *draws), inputs]):
            decisions = self._decided(graph, shards, cut, everything)
            if self._pays(work_of(decisions), everything, shards):
                return _sharded(graph, decisions, shards)
        return graph

    def _decided(self, graph: Graph, shards: int, cut: Tensors, everything: Work) -> Decisions:
        """Shards meet only where that pays."""
        apart = self._decided_with(graph, shards, cut, everything, meet=False)
        if work_of(apart).seconds > NEARLY_ALL * everything.seconds:
            return apart
        together = self._decided_with(graph, shards, cut, everything, meet=True)
        return together if self._meeting_pays(together, apart, shards) else apart

    def _decided_with(
        self, graph: Graph, shards: int, cut: Tensors, everything: Work, meet: bool
    ) -> Decisions:
        places = dict.fromkeys(cut, 0)
        decisions, found = decide(graph, shards, places, meet=meet)
        most = self.most_share_before * everything.seconds
        left = small_causes(graph, decisions, found, most)
        return decide(graph, shards, places, left, meet)[0] if left else decisions

    def _may_pay(self, works: Sequence[Work], everything: Work, shards: int) -> bool:
        """False when no part can hold enough work in calls that take long enough."""
        long_enough = self.least.seconds_of_call * shards
        wanted = max(self.least.seconds, self.least.share * everything.seconds)
        return most_in_long_calls(works, long_enough) >= wanted

    def _pays(self, part: Work, everything: Work, shards: int) -> bool:
        wanted = (
            self.least.seconds,
            self.least.share * everything.seconds,
            self.least.seconds_of_call * part.calls * shards,
        )
        return part.calls > 0 and part.seconds >= max(wanted)

    def _meeting_pays(self, together: Decisions, apart: Decisions, shards: int) -> bool:
        cut = [node for node, decision in together.items() if not is_repeated(decision)]
        part = work_of(cut)
        gained = (part.seconds - work_of(apart).seconds) * (1.0 - 1.0 / shards)
        short = part.seconds <= MOST_SECONDS_OF_CALL * part.calls
        return short and gained > self.least.seconds_of_meeting * meetings(together)


def _most_shards(inputs: Tensors) -> int:
    """As many equal shards as there are threads for, at most."""
    if not inputs:
        return 1
    size = inputs[0].shape[0]
    return next((n for n in range(thread_count(), 1, -1) if divides(n, size)), 1)


def _sharded(graph: Graph, decisions: Decisions, shards: int) -> Graph:
    part = _Part(shards)
    for node, decision in decisions.items():
        part.add(node, decision)
    results = list(_results(graph, decisions))
    places = [decisions[tensor.node].results[tensor.index] for tensor in results]
    leaves = list(part.leaves.values())
    names = [f"y{i}" for i in range(len(results))]
    body = Body.of(leaves, [part.local[tensor] for tensor in results], names, (), "shard")
    op = ShardMap(body, shards, tuple(place for _, place in part.leaves), tuple(places))
    with derive("pass", "shard", (), UNKNOWN):
        joined = op.apply(*(tensor for tensor, _ in part.leaves))
    take_checks()
    note_values("shard", results, joined, "reassociating")
    return graph.with_outputs(substitute(graph.outputs, dict(zip(results, joined, strict=True))))


def _results(graph: Graph, decisions: Decisions) -> Iterator[Tensor]:
    """What the rest of the graph needs of the part."""
    returned = set(graph.outputs)
    for node in decisions:
        for tensor in node.outputs:
            users = graph.users.get(tensor, ())
            if tensor in returned or any(user not in decisions for user, _ in users):
                yield tensor


# -- the body -----------------------------------------------------------------------------------


class _Part:
    """Copies nodes to the size of a shard.

    Attributes:
        closed: the nodes are those of a body, where values that are whole are at hand.
        local: every copied value in the place of the one it is a shard of.
        leaves: the input of the body for each operand from outside and its place.
    """

    def __init__(self, shards: int, closed: bool = False) -> None:
        self.shards, self.closed = shards, closed
        self.local: dict[Tensor, Tensor] = {}
        self.leaves: dict[tuple[Tensor, Place], Tensor] = {}
        self._totals: dict[Tensor, Tensor] = {}
        self._views: dict[Tensor, Tensor] = {}

    def add(self, node: Node, decision: Decision) -> None:
        """Copy one node; those it depends on are there already, or are from outside."""
        pairs = zip(node.inputs, decision.operands, strict=True)
        inputs = [self.operand(tensor, place) for tensor, place in pairs]
        op = self._resized(node, decision)
        with derive("pass", "shard", (node.lineage,), node.origin):
            outputs = op.applied(tuple(inputs)).outputs
        take_checks()
        for old, new, place in zip(node.outputs, outputs, decision.results, strict=True):
            wanted = self.shard_of(old.type, place)
            if new.type != wanted:
                raise GraphError(f"a shard of {node!r} has type {new.type}, {wanted} is needed")
            self.local[old] = new

    def operand(self, tensor: Tensor, place: Place) -> Tensor:
        """What the body reads for a value: a copied one, a leaf, or an input of its own."""
        if place == TOTAL:
            return self._total(tensor)
        found = self.local.get(tensor)
        if found is not None and found.type == self.shard_of(tensor.type, place):
            return found
        if isinstance(place, int):
            return self._cut(tensor, place)
        return self._whole(tensor)

    def _total(self, tensor: Tensor) -> Tensor:
        if tensor not in self._totals:
            with derive("pass", "shard", (tensor.node.lineage,), tensor.node.origin):
                self._totals[tensor] = AllReduceSum(self.shards)(self.local[tensor])
        return self._totals[tensor]

    def _cut(self, tensor: Tensor, axis: int) -> Tensor:
        op: Any = tensor.node.op
        if cut_leaf(op, axis):
            leaf: Tensor = replace(op, shape=self._cut_shape(tensor.type, axis))()
            return leaf
        if isinstance(op, BroadcastTo) and _is_new(tensor, axis):
            (source,) = tensor.node.inputs
            known = self._totals.get(source, self.local.get(source))
            whole = self._whole(source) if known is None else known
            return BroadcastTo(self._cut_shape(tensor.type, axis))(whole)
        return self.leaf(tensor, axis)

    def _whole(self, tensor: Tensor) -> Tensor:
        """Views of values from outside are taken in."""
        if self.closed:
            return tensor
        chain: list[Node] = []
        while isinstance(tensor.node.op, _VIEWS) and tensor not in self._views:
            chain.append(tensor.node)
            tensor = tensor.node.inputs[0]
        inner = self._views[tensor] if tensor in self._views else self.leaf(tensor, WHOLE)
        for node in reversed(chain):
            inner = self._views[node.output] = node.with_inputs((inner,)).output
        return inner

    def leaf(self, tensor: Tensor, place: Place) -> Tensor:
        """The input of the body for a value from outside; constants are the body's own."""
        if not tensor.node.inputs and not tensor.node.op.is_placeholder and place == WHOLE:
            return tensor
        known = self.leaves.get((tensor, place))
        if known is None:
            label = f"x{len(self.leaves)}"
            known = body_input(label, self.shard_of(tensor.type, place))
            self.leaves[tensor, place] = known
        return known

    def shard_of(self, of: TensorType, place: Place) -> TensorType:
        """The type of one shard."""
        return of.with_shape(self._cut_shape(of, place)) if isinstance(place, int) else of

    def _cut_shape(self, of: TensorType, axis: int) -> Shape:
        size = of.shape[axis] // self.shards
        return (*of.shape[:axis], size, *of.shape[axis + 1 :])

    def _resized(self, node: Node, decision: Decision) -> Op:
        """The op with the sizes of a shard among its attributes."""
        resize = _RESIZED.get(type(node.op))
        return node.op if resize is None else resize(self, node, decision)

    # -- ops that say sizes ---------------------------------------------------------------

    def _with_shape(self, node: Node, decision: Decision) -> Op:
        return _with(node, shape=self.shard_of(node.output.type, decision.results[0]).shape)

    def _slice(self, node: Node, decision: Decision) -> Op:
        op: Any = node.op
        place = decision.operands[0]
        if not isinstance(place, int):
            return node.op
        shape = self._cut_shape(node.output.type, place)
        stop = (*op.stop[:place], shape[place], *op.stop[place + 1 :])
        return _with(node, stop=stop, **({"shape": shape} if type(op) is Unslice else {}))

    def _scan(self, node: Node, decision: Decision) -> Op:
        op: Any = node.op
        places = [p - 1 if isinstance(p, int) and op.is_stacked(i) else p
                  for i, p in enumerate(decision.operands)]  # fmt: skip
        return _with(node, body=_local_body(op.body, places, decision.body or {}, self.shards))


def _with(node: Node, **changes: Any) -> Op:
    """The op of a node with other attributes."""
    op: Any = node.op
    changed: Op = replace(op, **changes)
    return changed


def _is_new(tensor: Tensor, axis: int) -> bool:
    """True for an axis along which a value is broadcast."""
    source = tensor.node.inputs[0]
    place = axis - (tensor.ndim - source.ndim)
    return place < 0 or source.shape[place] == 1


def _local_body(body: Graph, places: Sequence[Place], decisions: Decisions, shards: int) -> Graph:
    part = _Part(shards, closed=True)
    inputs = []
    for label, tensor, place in zip(body.input_names, body.inputs, places, strict=True):
        leaf = body_input(label, part.shard_of(tensor.type, place)) if place != WHOLE else tensor
        part.local[tensor] = leaf
        inputs.append(leaf)
    for node in body.nodes:
        if node in decisions:
            part.add(node, decisions[node])
    outputs = [part.local.get(tensor, tensor) for tensor in body.outputs]
    return Body.of(inputs, outputs, body.output_names, (), body.name, body.input_names)


_RESIZED: dict[type[Op], Callable[[_Part, Node, Decision], Op]] = {
    Reshape: _Part._with_shape,
    AssumeShape: _Part._with_shape,
    BroadcastTo: _Part._with_shape,
    Slice: _Part._slice,
    Unslice: _Part._slice,
    Scan: _Part._scan,
}
