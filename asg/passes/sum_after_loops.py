"""sum_after_loops: what a loop only adds up is added up after the loop, for all its steps at once.

The gradient of a scan carries a sum for every captured weight, ``s' = s + h[t]^T d[t]``: a product
and an addition as large as the weight at every step. Over all steps it is one product,
``s + [h[0]; h[1]; ...]^T [d[0]; d[1]; ...]``, of what the loop stacks.

Numerics: reassociating. Only graphs whose sizes are numbers are changed: the choice weighs sizes.

- A sum over axes, and a plain value, are taken out where the value is stacked already (or is an
  element of a stacked operand).
- A product of matrices is taken out where the values not stacked yet are together not larger than
  the sum: the loop then writes no more than before. A loop with ``checkpoint``, which is to keep
  little, stacks nothing new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from asg.core.dim import Dim
from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.op import Op
from asg.core.origin import derive
from asg.core.region import Body, map_bodies
from asg.core.tensor import Tensor
from asg.ops.elementwise import Add, Multiply, Subtract
from asg.ops.elementwise_unary import Negative
from asg.ops.leaf import Full
from asg.ops.linalg import Matmul
from asg.ops.loops import Scan
from asg.ops.reduce import Sum
from asg.ops.shape import BroadcastTo, ExpandDims, PermuteDims, Reshape, Squeeze
from asg.passes.lean_loops import applied_like, fresh_names, lean_loops
from asg.passes.merge_equal import merge_equal
from asg.rewrite.watch import may_replace, note_replacement

Tensors = tuple[Tensor, ...]

MOVES = (PermuteDims, Reshape, ExpandDims, Squeeze)
"""What moves the elements of a step can move those of all steps."""

LINEAR = (*MOVES, BroadcastTo, Negative)
"""What may be applied to a sum instead of its terms."""


def sum_after_loops(graph: Graph) -> Graph:
    """The graph with sums taken out of its scans; bodies are entered, and scans come out lean."""
    graph = map_bodies(graph, sum_after_loops)
    if not any(isinstance(node.op, Scan) for node in graph.nodes):
        return graph
    taken = False

    def take(node: Node, inputs: Tensors) -> Tensors | None:
        nonlocal taken
        if not isinstance(node.op, Scan) or not may_replace():
            return None
        outputs = _taken_out(node, node.op, inputs)
        if outputs is not None:
            note_replacement("sum_after_loops", node, inputs, outputs, "reassociating")
            taken = True
        return outputs

    result = rebuild(graph, take)
    return merge_equal(lean_loops(result)) if taken else graph


def _taken_out(node: Node, op: Scan, inputs: Tensors) -> Tensors | None:
    if not _is_static(op):
        return None
    loop = _Loop(op)
    sums = {i: found for i, found in _sums(op).items() if loop.takes(found)}
    if not sums:
        return None
    with derive("pass", "sum_after_loops", (node.lineage,), node.origin):
        kept = [i for i in range(len(op.body.outputs)) if i not in sums]
        outputs = dict(zip(kept, loop.without(node, inputs, sums), strict=False))
        return tuple(
            outputs[i] if i in outputs else _total(loop, inputs[i], sums[i])
            for i in range(len(op.body.outputs))
        )


def _is_static(op: Scan) -> bool:
    return isinstance(op.length, int) and all(
        isinstance(size, int) for tensor in op.body.inputs for size in tensor.shape
    )


def _total(loop: _Loop, first: Tensor, terms: Sequence[_Term]) -> Tensor:
    total = first
    for term in terms:
        value = loop.summed(term)
        if isinstance(total.node.op, Full) and total.node.op.value == 0 and term.op is Add:
            total = value
        else:
            total = term.op()(total, value)
    return total


# -- which carries only add up ----------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Term:
    """What is added to a carry, or subtracted, at every step.

    Attributes:
        op: `Add` or `Subtract`.
        linear: ops applied to the core, the first one first.
        core: a `Sum`, a `Matmul`, an outer `Multiply`, or None for a plain value.
        factors: the operands of the core, or the value.
    """

    op: type[Op]
    linear: list[Op]
    core: Op | None
    factors: tuple[Tensor, ...]


def _sums(op: Scan) -> dict[int, list[_Term]]:
    """The carries that are only added to, with what is added."""
    returned = Counter(op.body.outputs)
    sums = {}
    for i in range(op.carries):
        added = _added(op.body, returned, i)
        if added:
            sums[i] = [_term(kind, value) for kind, value in added]
    return sums


def _added(body: Graph, returned: Counter[Tensor], position: int) -> list[tuple[type[Op], Tensor]]:
    """From a carry to its next value by additions that nothing else reads; empty if it is not."""
    current, last = body.inputs[position], body.outputs[position]
    added: list[tuple[type[Op], Tensor]] = []
    while current is not last:
        users = body.users.get(current, [])
        if len(users) != 1 or returned[current]:
            return []
        (node, place), kind = users[0], type(users[0][0].op)
        if kind is not Add and not (kind is Subtract and place == 0):
            return []
        value = node.inputs[1 - place]
        if value.type != current.type or node.output.type != current.type:
            return []
        added.append((kind, value))
        current = node.output
    return added if returned[last] == 1 and last not in body.users else []


def _term(kind: type[Op], value: Tensor) -> _Term:
    linear: list[Op] = []
    while isinstance(value.node.op, LINEAR):
        linear.insert(0, value.node.op)
        (value,) = value.node.inputs
    core, factors = value.node.op, value.node.inputs
    if isinstance(core, Sum) or _is_product(core, factors):
        return _Term(kind, linear, core, factors)
    return _Term(kind, linear, None, (value,))


def _is_product(core: Op, factors: Tensors) -> bool:
    """True for products of matrices, columns times rows included."""
    if isinstance(core, Matmul):
        return all(factor.ndim == 2 for factor in factors)
    if not isinstance(core, Multiply) or any(factor.ndim != 2 for factor in factors):
        return False
    left, right = factors
    return left.shape[1] == 1 and right.shape[0] == 1


# -- the loop without them --------------------------------------------------------------------


@dataclass(eq=False)
class _Loop:
    """A scan that stacks more.

    Attributes:
        stacked: the values stacked in addition.
        whole: of a value of a step, the values of all steps, or itself before the loop is applied.
        changing: the values that are not the same at every step.
    """

    op: Scan
    stacked: list[Tensor] = field(default_factory=list)
    whole: dict[Tensor, Tensor] = field(default_factory=dict)
    changing: set[Tensor] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Find what changes from step to step, and what is stacked."""
        body, first, behind = self.op.body, self.op.carries, self.op.carries + self.op.stacked
        self.whole = {t: t for t in (*body.inputs[first:behind], *body.outputs[first:])}
        self.changing.update(body.inputs[:behind])
        for node in body.nodes:
            if not self.changing.isdisjoint(node.inputs):
                self.changing.update(node.outputs)

    def takes(self, terms: Sequence[_Term]) -> bool:
        """Decide whether a sum is to be taken out, and note what must be stacked for it."""
        bases = [_moved(factor)[0] for term in terms for factor in term.factors]
        if not all(base in self.changing for base in bases):
            return False
        known = {*self.whole, *self.stacked}
        new = [base for base in dict.fromkeys(bases) if base not in known]
        if new and not self._has_room(terms, new):
            return False
        self.stacked += new
        return True

    def _has_room(self, terms: Sequence[_Term], new: Sequence[Tensor]) -> bool:
        """True for products that are not smaller than what must be stacked for them."""
        products = [term.factors for term in terms if term.core and len(term.factors) == 2]
        if self.op.checkpoint or len(products) < len(terms):
            return False
        room = sum(left.shape[0] * right.shape[1] for left, right in products)
        return bool(sum(tensor.type.size for tensor in new) <= room)

    def without(self, node: Node, inputs: Tensors, sums: dict[int, list[_Term]]) -> Tensors:
        """Apply the scan without the sums; the outputs that stay, then what is stacked more."""
        op, body = self.op, self.op.body
        first, behind = op.carries, op.carries + op.stacked
        self.whole.update(zip(body.inputs[first:behind], inputs[first:behind], strict=True))
        values = [t for i, t in enumerate(body.outputs) if i not in sums] + self.stacked
        if not values:
            return ()
        names = [name for i, name in enumerate(body.output_names) if i not in sums]
        kept = [i for i in range(len(inputs)) if i not in sums]
        part = Body.of([body.inputs[i] for i in kept], values,
                       [*names, *fresh_names("stacked", names, len(self.stacked))], (), body.name,
                       [body.input_names[i] for i in kept])  # fmt: skip
        leaner: Scan = replace(op, body=part, carries=first - len(sums))
        outputs = applied_like(node, leaner, tuple(inputs[i] for i in kept))
        self.whole.update(zip(values[leaner.carries :], outputs[leaner.carries :], strict=True))
        return outputs

    def summed(self, term: _Term) -> Tensor:
        """The sum of a term over all steps."""
        factors = [self._all_steps(factor) for factor in term.factors]
        value = _core_of_all(term.core, factors)
        for op in term.linear:
            value = op(value)
        return value

    def _all_steps(self, value: Tensor) -> Tensor:
        """``[time, ...]``: a value of the body at every step."""
        base, moves = _moved(value)
        whole = self.whole[base]
        for move in moves:
            whole = _of_all(move, self.op.length)(whole)
        return whole


def _moved(value: Tensor) -> tuple[Tensor, list[Op]]:
    """What a value is moved from, and by which ops, the first one first."""
    moves: list[Op] = []
    while isinstance(value.node.op, MOVES):
        moves.insert(0, value.node.op)
        (value,) = value.node.inputs
    return value, moves


def _of_all(move: Op, length: Dim) -> Op:
    """The op that moves the elements of every step as ``move`` does those of one."""
    if isinstance(move, Reshape):
        return Reshape((length, *move.shape))
    assert isinstance(move, PermuteDims | ExpandDims | Squeeze)
    axes = tuple(axis + 1 for axis in move.axes)
    return PermuteDims((0, *axes)) if isinstance(move, PermuteDims) else replace(move, axes=axes)


def _core_of_all(core: Op | None, factors: Sequence[Tensor]) -> Tensor:
    """The sum over all steps of the core of a term."""
    if core is None:
        return Sum((0,))(factors[0])
    if isinstance(core, Sum):
        axes = tuple(axis + 1 for axis in core.axis)
        total = Sum((0, *axes))(factors[0])
        places = tuple(axis - 1 for axis in axes)
        return ExpandDims(places)(total) if core.keepdims and places else total
    left, right = factors
    columns = _as_rows(_permuted(left, (0, 2, 1)))
    return Matmul()(PermuteDims((1, 0))(columns), _as_rows(right))


def _as_rows(x: Tensor) -> Tensor:
    """``[time, rows, columns]`` with the rows of all steps one below the other."""
    return Reshape((x.shape[0] * x.shape[1], x.shape[2]))(x)


def _permuted(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A permutation; one that undoes the last one is none."""
    op = x.node.op
    if isinstance(op, PermuteDims) and tuple(op.axes[axis] for axis in axes) == (0, 1, 2):
        return x.node.inputs[0]
    return PermuteDims(axes)(x)
