"""ShardMap: the same body on equal pieces of its operands, and the results joined again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from asg.core.dim import Dim
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.region import body_flops, inline, require_fits, surface_checks
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


class ShardMap(Op):
    """``body(shard of every operand)`` for each of ``shards`` equal shards, independently.

    An operand with an axis in ``operand_places`` is cut along it; the others are given to every
    shard as they are ("whole"). A result with an axis in ``result_places`` is put together along
    it; with "sum" the values of the shards are added, and with "whole" they are all equal.

    What a backend gains is independent work for several threads or devices. Operands and results of
    the body are those of one shard.
    """

    body: Graph
    shards: int
    operand_places: tuple[Place, ...]
    result_places: tuple[Place, ...]
    category: ClassVar[str] = "control"

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        body = self.body
        self._require_counts(len(operands))
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
        pieces = [inline(self.body, self._cut(operands, shard)) for shard in range(self.shards)]
        values = zip(self.result_places, zip(*pieces, strict=True), strict=True)
        return tuple(_put_together(place, parts) for place, parts in values)

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
