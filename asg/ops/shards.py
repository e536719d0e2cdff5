"""ShardMap: the same body on equal pieces of its operands, and the results joined again.

Shards are independent but for `AllReduceSum`, where they meet: each brings its part of a sum, and
all go on with the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from asg.core.dim import Dim
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.op import Op
from asg.core.region import bodies_of, body_flops, require_fits, surface_checks
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, require_equal
from asg.ops.join import Concat
from asg.ops.shape import require_canonical
from asg.ops.slicing import Slice

Tensors = tuple[Tensor, ...]
Place = int | str
"""The axis along which a value is cut; else one of the words below."""

WHOLE = "whole"
"""Of operands: every piece of work reads all of it. Of results: all pieces of work give it."""

SUM = "sum"
"""Of results: the sum of what the pieces of work give."""


class AllReduceSum(Op):
    """The sum of the values that the shards of a `ShardMap` have here; all of them get it.

    Values of any shape and numeric dtype, the same in every shard. By itself, as for a constant in
    a body, it is the sum of equal ones: ``shards * x``.
    """

    shards: int
    category: ClassVar[str] = "control"

    def infer(self, x: TensorType) -> TensorType:
        x.require_numeric("x")
        if self.shards < 1:
            raise TypeProblem(f"{self.shards} shards", "there is at least one", OperandError)
        return x

    def decompose(self, x: Tensor) -> Tensor:
        return x * self.shards

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return inputs[0].size


class ShardMap(Op):
    """``body(shard of every operand)`` for each of ``shards`` equal shards.

    An operand with an axis in ``operand_places`` is cut along it; the others are given to every
    shard as they are ("whole"). A result with an axis in ``result_places`` is put together along
    it; with "sum" the values of the shards are added, and with "whole" they are all equal.

    What a backend gains is independent work for several threads or devices. Operands and results
    of the body are those of one shard. Where the body has an `AllReduceSum`, which has to be
    outside of its loops and branches, all shards wait for each other.
    """

    body: Graph
    shards: int
    operand_places: tuple[Place, ...]
    result_places: tuple[Place, ...]
    category: ClassVar[str] = "control"

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        body = self.body
        self._require_counts(len(operands))
        self._require_meetings()
        places = zip(body.input_names, operands, self.operand_places, body.inputs, strict=True)
        for name, given, place, inner in places:
            require_fits(self._shard(name, given, place), inner.type, name)
        surface_checks(body)
        results = zip(body.output_names, body.outputs, self.result_places, strict=True)
        return tuple(self._joined(name, value.type, place) for name, value, place in results)

    def _require_counts(self, given: int) -> None:
        body = self.body
        counts = (len(body.inputs), len(self.operand_places), given)
        if len(set(counts)) > 1 or len(body.outputs) != len(self.result_places):
            raise TypeProblem(
                f"the body takes {counts[0]} values and gives {len(body.outputs)}; "
                f"{given} are given, with {counts[1]} and {len(self.result_places)} places",
                error=OperandError,
            )
        if self.shards < 1:
            raise TypeProblem(f"{self.shards} shards", "there is at least one", OperandError)

    def _require_meetings(self) -> None:
        """Every shard gets to every meeting, and knows how many others come."""
        pending = [(node, False) for node in self.body.nodes]
        while pending:
            node, nested = pending.pop()
            if isinstance(node.op, AllReduceSum) and (nested or node.op.shards != self.shards):
                where = "in a loop or a branch" if nested else f"of {node.op.shards} shards"
                raise TypeProblem(
                    f"an all_reduce_sum {where}, in the body of a map over {self.shards} shards",
                    error=OperandError,
                )
            pending += [(inner, True) for body in bodies_of(node.op) for inner in body.nodes]

    def _shard(self, name: str, given: TensorType, place: Place) -> TensorType:
        """The type of one piece of an operand."""
        if not isinstance(place, int):
            return _told(given, place, name, (WHOLE,))
        require_canonical((place,), given.ndim, name)
        size = given.shape[place] // self.shards
        reason = f"axis {place} of {name} {given} is not {self.shards} equal shards"
        require_equal(size * self.shards, given.shape[place], reason)
        return given.with_shape((*given.shape[:place], size, *given.shape[place + 1 :]))

    def _joined(self, name: str, piece: TensorType, place: Place) -> TensorType:
        """The type of a result, from that of one piece of it."""
        if not isinstance(place, int):
            if place == SUM:
                piece.require_numeric(name)
            return _told(piece, place, name, (WHOLE, SUM))
        require_canonical((place,), piece.ndim, name)
        size = piece.shape[place] * self.shards
        return piece.with_shape((*piece.shape[:place], size, *piece.shape[place + 1 :]))

    def decompose(self, *operands: Tensor) -> Tensors:
        pieces = [
            dict(zip(self.body.inputs, self._cut(operands, shard), strict=True))
            for shard in range(self.shards)
        ]
        for node in self.body.nodes:
            if isinstance(node.op, AllReduceSum):
                total = _put_together(SUM, [_in(piece, node.inputs)[0] for piece in pieces])
                _note(pieces, node, [(total,)] * self.shards)
            elif node.inputs:
                copies = [node.with_inputs(_in(piece, node.inputs)) for piece in pieces]
                _note(pieces, node, [copy.outputs for copy in copies])
        results = zip(*[_in(piece, self.body.outputs) for piece in pieces], strict=True)
        places = zip(self.result_places, results, strict=True)
        return tuple(_put_together(place, parts) for place, parts in places)

    def _cut(self, operands: Tensors, shard: int) -> Tensors:
        return tuple(
            self._piece(tensor, place, shard) if isinstance(place, int) else tensor
            for tensor, place in zip(operands, self.operand_places, strict=True)
        )

    def _piece(self, whole: Tensor, axis: int, shard: int) -> Tensor:
        size = whole.shape[axis] // self.shards
        return Slice.along(axis, shard * size, shard * size + size, whole)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return self.shards * body_flops(self.body)


def _in(piece: dict[Tensor, Tensor], tensors: Tensors) -> Tensors:
    """What stands for values of the body in one shard; constants stand for themselves."""
    return tuple([piece.get(tensor, tensor) for tensor in tensors])


def _note(pieces: Sequence[dict[Tensor, Tensor]], node: Node, outputs: Sequence[Tensors]) -> None:
    for piece, found in zip(pieces, outputs, strict=True):
        piece.update(zip(node.outputs, found, strict=True))


def _told(of: TensorType, place: Place, name: str, known: tuple[str, ...]) -> TensorType:
    if place not in known:
        advice = f"give an axis or {' or '.join(map(repr, known))}"
        raise TypeProblem(f"{name} has the place {place!r}", advice, OperandError)
    return of


def _put_together(place: Place, parts: Sequence[Tensor]) -> Tensor:
    if isinstance(place, int):
        return Concat(place)(*parts)
    total = parts[0]
    if place == SUM:
        for part in parts[1:]:
            total = total + part
    return total
