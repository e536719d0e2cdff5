"""Which part of a graph may run on one shard of a batch at a time, on its own.

Forward through the graph, every value gets a place: the axis along which it is cut when the inputs
are; "sum" when every shard has a part of a sum; or "whole" when it does not depend on the shard. A
node whose operands meet across shards (a sort along the batch) ends the part: it and all that
follows need joined values, and are left to run once, as they are. What needs the total of a sum (a
mean over the batch that is subtracted again) ends it too, unless shards may meet there; then every
shard computes from the total what is whole, as far as work on shards follows. Random bits are drawn
for the whole batch, so that no number depends on how many shards there are.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from asg.analysis.axes import Axes, axes_of, is_zero
from asg.analysis.work import work_of
from asg.core.dim import Dim
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.op import Op
from asg.core.region import bodies_of
from asg.core.tensor import Tensor
from asg.ops.cast import StopGradient
from asg.ops.elementwise import Add, Subtract
from asg.ops.elementwise_unary import Negative
from asg.ops.leaf import Full, Iota
from asg.ops.loops import Scan
from asg.ops.random import RandomBits
from asg.ops.reduce import Sum
from asg.ops.shape import BroadcastTo, ExpandDims, PermuteDims, Reshape, Squeeze
from asg.ops.shards import SUM, WHOLE, Place

Places = dict[Tensor, Place]

AFTER = "after"
"""The place of what can only be computed from joined values."""

TOTAL = "total"
"""Of an operand that is a part of a sum: the shards meet, and all of them get the whole sum."""

_OF_SUMS = (Add, Subtract, Sum)
_OF_SUMS_INSIDE = (*_OF_SUMS, ExpandDims, Negative, PermuteDims, Reshape, Squeeze, StopGradient)


@dataclass(frozen=True)
class Decision:
    """How one node runs on a shard: the places of its operands and results.

    ``body`` holds the decisions of a loop's body. An operand that is whole and has an axis here is
    to be cut.
    """

    operands: tuple[Place, ...]
    results: tuple[Place, ...]
    body: Decisions | None = None


Decisions = dict[Node, Decision]


def decide(
    graph: Graph,
    shards: int,
    cut: Mapping[Tensor, Place],
    left: Collection[Node] = (),
    meet: bool = False,
) -> tuple[Decisions, Places]:
    """The nodes that may run on a shard, in order, when values are cut along the given axes.

    Besides, the place of every value that is not whole. The nodes depend on nothing that comes
    after them, and so may be taken out of the graph together. Those in ``left`` run once, before.
    With ``meet``, shards may wait for each other to add up a sum.
    """
    walk = _Walk(shards, dict(cut), closed=False, meet=meet)
    walk.run([node for node in graph.nodes if node not in left])
    return (_wanted(walk.decisions) if meet else walk.decisions), walk.places


def _wanted(decisions: Decisions) -> Decisions:
    """Less what is the same in all shards and leads to nothing that is not: it can run once."""
    kept: Decisions = {}
    read: set[Tensor] = set()
    for node, decision in reversed(decisions.items()):
        if not is_repeated(decision) or not read.isdisjoint(node.outputs):
            kept[node] = decision
            read.update(node.inputs)
    return dict(reversed(kept.items()))


def is_repeated(decision: Decision) -> bool:
    """Whether every shard computes the same."""
    return all(place == WHOLE for place in decision.results)


def meetings(decisions: Decisions) -> int:
    """How many sums the shards add up together."""
    return len({
        tensor
        for node, decision in decisions.items()
        for tensor, place in zip(node.inputs, decision.operands, strict=True)
        if place == TOTAL
    })  # fmt: skip


def small_causes(
    graph: Graph, decisions: Decisions, places: Places, most_seconds: float
) -> set[Node]:
    """Nodes to run once, before: little work on inputs, with a sum that others wait for.

    The number of tokens that count, by which a loss is divided, is one: without it, the whole
    backward part would come after the shards. Only what takes ``most_seconds`` at most counts.
    """
    found: set[Node] = set()
    seconds: dict[Node, float] = {}
    for node in graph.nodes:
        if _is_first_after(node, places):
            for tensor in node.inputs:
                if places.get(tensor) == SUM and tensor.node not in found:
                    found |= _behind(tensor.node, decisions, most_seconds, seconds)
    return found


def _is_first_after(node: Node, places: Places) -> bool:
    return any(places.get(tensor) == AFTER for tensor in node.outputs) and not any(
        places.get(tensor) == AFTER for tensor in node.inputs
    )


_MOST_CAUSES = 64


def _behind(
    node: Node, decisions: Decisions, most_seconds: float, seconds_of: dict[Node, float]
) -> set[Node]:
    """The node and all it depends on, of ``decisions``; nothing when that is too much.

    ``seconds_of`` holds the work of nodes that have been looked at.
    """
    seen: set[Node] = set()
    stack, seconds = [node], 0.0
    while stack:
        node = stack.pop()
        if node in seen or node not in decisions:
            continue
        seen.add(node)
        if node not in seconds_of:
            seconds_of[node] = work_of([node]).seconds
        seconds += seconds_of[node]
        if seconds > most_seconds or len(seen) > _MOST_CAUSES:
            return set()
        stack.extend(tensor.node for tensor in node.inputs)
    return seen


def batch_inputs(graph: Graph) -> tuple[Tensor, ...]:
    """The inputs that seem to hold a batch: those of the most common size of a first axis.

    Variables are none.
    """
    held = {slot.input for slot in graph.state}
    given = [t for i, t in enumerate(graph.inputs) if i not in held and t.ndim]
    sizes = [t.shape[0] for t in given]
    return tuple(t for t in given if t.shape[0] == max(sizes, key=sizes.count))


def batch_draws(graph: Graph, size: Dim) -> tuple[Tensor, ...]:
    """Random bits for each of ``size`` examples."""
    drawn = (node.output for node in graph.nodes if isinstance(node.op, RandomBits))
    return tuple(tensor for tensor in drawn if tensor.ndim and tensor.shape[0] == size)


def divides(shards: int, size: Dim) -> bool:
    """True when an axis makes equal shards, none of them empty."""
    return isinstance(size, int) and size > 0 and size % shards == 0


def cut_leaf(op: Op, axis: int) -> bool:
    """True for leaves that look the same in every shard, cut along an axis."""
    return isinstance(op, Full) or (isinstance(op, Iota) and op.axis != axis)


@dataclass
class _Walk:
    """One pass over the nodes of a graph, or of a body, which is ``closed``: all or nothing.

    Attributes:
        meet: a node may ask for the total of a sum.
        repeated: whole values that only exist in the shards.
        wanted: of a body, inputs that are whole and that a node needs cut.
        unmet: of a body, that a node needs a shard of what only exists as a whole; not so any more,
            perhaps, when carries are cut.
        failed: of a body, that a node cannot run on a shard.
    """

    shards: int
    places: Places
    closed: bool
    meet: bool = False
    decisions: Decisions = field(default_factory=dict)
    repeated: set[Tensor] = field(default_factory=set)
    wanted: dict[Tensor, int] = field(default_factory=dict)
    unmet: bool = False
    failed: bool = False

    def run(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            places = [self.places.get(tensor, WHOLE) for tensor in node.inputs]
            if all(place == WHOLE for place in places) and self.repeated.isdisjoint(node.inputs):
                continue
            decision = None if AFTER in places else self._decision(node, places)
            if decision is not None:
                self._note(node, decision)
            elif self.closed:
                self.failed = True
                return
            else:
                self.places |= dict.fromkeys(node.outputs, AFTER)

    def _note(self, node: Node, decision: Decision) -> None:
        self.decisions[node] = decision
        for tensor, place in zip(node.outputs, decision.results, strict=True):
            self.places[tensor] = place
            if self.meet and place == WHOLE:
                self.repeated.add(tensor)

    def _decision(self, node: Node, places: list[Place]) -> Decision | None:
        decision = self._apart(node, places)
        if self.meet:
            decision = decision or self._together(node, places)
            return None if decision and self._cuts_repeated(node, decision) else decision
        if decision is not None and self.closed:
            self._note_cuts(node, places, decision)
        return decision

    def _apart(self, node: Node, places: list[Place]) -> Decision | None:
        """Shards do not wait for each other."""
        if all(place == WHOLE for place in places):
            return None
        if isinstance(node.op, Scan):
            return _decide_scan(node, node.op, places, self.shards)
        if SUM in places:
            return self._of_sums(node, places)
        return _decide_by_labels(node, places, self.shards)

    def _together(self, node: Node, places: list[Place]) -> Decision | None:
        """As if sums were whole; what then depends on no shard is computed in all of them."""
        whole: list[Place] = [WHOLE if place == SUM else place for place in places]
        apart = self._apart(node, whole)
        if apart is None and (bodies_of(node.op) or any(place != WHOLE for place in whole)):
            return None
        results = apart.results if apart else (WHOLE,) * len(node.outputs)
        operands = apart.operands if apart else whole
        met = tuple(
            TOTAL if given == SUM and place == WHOLE else place
            for given, place in zip(places, operands, strict=True)
        )
        return Decision(met, results, apart.body if apart else None)

    def _cuts_repeated(self, node: Node, decision: Decision) -> bool:
        """Whether shards would need pieces of what each has as a whole, other than by repeating."""
        return any(
            isinstance(place, int)
            and (tensor in self.repeated or self.places.get(tensor) == SUM)
            and not _repeats(tensor, place)
            for tensor, place in zip(node.inputs, decision.operands, strict=True)
        )

    def _of_sums(self, node: Node, places: list[Place]) -> Decision | None:
        """A linear function of parts of sums is a part of the sum of its values.

        Outside of loops only what makes the parts smaller or fewer is worth it.
        """
        linear = isinstance(node.op, _OF_SUMS_INSIDE if self.closed else _OF_SUMS)
        same = all(place == SUM for place in places)
        return Decision(tuple(places), (SUM,)) if linear and same else None

    def _note_cuts(self, node: Node, places: list[Place], decision: Decision) -> None:
        """Which whole values of the body have to be cut; outside of bodies all of them can be."""
        for tensor, place, wanted in zip(node.inputs, places, decision.operands, strict=True):
            if place != WHOLE or not isinstance(wanted, int):
                continue
            if tensor.node.op.is_placeholder:
                self.wanted[tensor] = wanted
            elif not cut_leaf(tensor.node.op, wanted) and not _repeats(tensor, wanted):
                self.unmet = True


def _repeats(tensor: Tensor, axis: int) -> bool:
    """True for what is broadcast along an axis."""
    if not isinstance(tensor.node.op, BroadcastTo):
        return False
    axes = axes_of(tensor.node)
    return axes is not None and axis not in axes.operands[0]


def _decide_by_labels(node: Node, places: list[Place], shards: int) -> Decision | None:
    axes = axes_of(node)
    if axes is None:
        return None
    label = _common_label(axes, places)
    if label is None:
        return None
    operands = tuple(_place_of(label, labels) for labels in axes.operands)
    results = tuple(_place_of(label, labels) for labels in (axes.result, *axes.others))
    if results[0] == WHOLE:
        if label not in axes.summed or not _adds_up(node.outputs[0]):
            return None
        results = (SUM,)
    pairs = [
        *zip(node.inputs, operands, strict=True),
        *zip(node.outputs, results, strict=True),
    ]
    fits = all(divides(shards, t.shape[p]) for t, p in pairs if isinstance(p, int))
    return Decision(operands, results) if fits else None


def _common_label(axes: Axes, places: list[Place]) -> Hashable | None:
    """The label of the axes along which operands are cut; None when they do not agree."""
    pairs = zip(axes.operands, places, strict=True)
    found = {labels[place] for labels, place in pairs if isinstance(place, int)}
    return found.pop() if len(found) == 1 else None


def _place_of(label: Hashable, labels: tuple[Hashable, ...]) -> Place:
    return labels.index(label) if label in labels else WHOLE


def _adds_up(tensor: Tensor) -> bool:
    """Half precision is left out: its sums are rounded once, in float32."""
    dtype = tensor.dtype
    return dtype.is_integer or (dtype.is_float and dtype.itemsize >= 4)


# -- loops --------------------------------------------------------------------------------------


def _decide_scan(node: Node, op: Scan, places: list[Place], shards: int) -> Decision | None:
    """Every step on a shard, when its whole body can; carries that begin as zeros may be sums.

    Which carries are cut is known when none of them comes out of a step otherwise than it goes in.
    """
    body, inside = op.body, [_inside(op, i, place) for i, place in enumerate(places)]
    if AFTER in inside or any(p == SUM for p in places):
        return None
    for _ in range(len(inside) + 1):
        walk = _Walk(shards, dict(zip(body.inputs, inside, strict=True)), closed=True)
        walk.run(body.nodes)
        after = [walk.places.get(tensor, WHOLE) for tensor in body.outputs]
        changed = _adapted(node, op, inside, after, walk)
        if walk.failed or changed is None:
            return None
        if changed == inside:
            if walk.unmet:
                return None
            operands = tuple(_outside(op, i, place) for i, place in enumerate(inside))
            stacked = (p + 1 if isinstance(p, int) else p for p in after[op.carries :])
            return Decision(operands, (*after[: op.carries], *stacked), walk.decisions)
        inside = changed
    return None


def _adapted(
    node: Node, op: Scan, inside: list[Place], after: list[Place], walk: _Walk
) -> list[Place] | None:
    """The places of the inputs of the body that this walk asks for; None: there are none."""
    changed = list(inside)
    for tensor, axis in walk.wanted.items():
        changed[op.body.inputs.index(tensor)] = axis
    for i, place in enumerate(after[: op.carries]):
        if place == changed[i]:
            continue
        if changed[i] != WHOLE or (place == SUM and not is_zero(node.inputs[i])):
            return None
        changed[i] = place
    return changed


def _inside(op: Scan, position: int, place: Place) -> Place:
    """The place of an operand within one step; a loop along the axis that is cut has none."""
    if isinstance(place, int) and op.is_stacked(position):
        return place - 1 if place > 0 else AFTER
    return place


def _outside(op: Scan, position: int, place: Place) -> Place:
    if isinstance(place, int):
        return place + 1 if op.is_stacked(position) else place
    return WHOLE  # a carry that begins as zeros and becomes a sum is the same in every shard
