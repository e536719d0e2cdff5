"""Node: one application of an op to inputs. Immutable, compared by identity."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from asg.core.origin import Origin, current_origin
from asg.core.tensor import Tensor
from asg.core.types import SizeCheck, TensorType

if TYPE_CHECKING:
    from asg.core.op import Op

_serials = count()


class Node:
    """``outputs = op(inputs)``.

    ``serial`` grows with creation: every input of a node has a smaller serial than the node
    itself, so sorting by serial is a topological order, and "made outside this region" is a
    comparison of two integers. ``checks`` are equalities of sizes left to run time. ``lineage`` is
    the serial of the node this one repeats on other operands (its own if it repeats none): a pass
    that rewires a graph keeps it, so that "the same application" is known from pass to pass.
    """

    __slots__ = (
        "checks", "inputs", "lineage", "op", "origin", "outputs", "serial", "settled", "verified",
    )  # fmt: skip

    op: Op
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    serial: int
    lineage: int
    origin: Origin
    checks: tuple[SizeCheck, ...]
    verified: bool
    settled: int

    def __init__(
        self,
        op: Op,
        inputs: tuple[Tensor, ...],
        types: tuple[TensorType, ...],
        checks: tuple[SizeCheck, ...] = (),
        origin: Origin | None = None,
        lineage: int | None = None,
    ) -> None:
        """Made by `Op.apply` and by `with_inputs`; users call ops instead."""
        self.op = op
        self.inputs = inputs
        self.serial = next(_serials)
        self.lineage = self.serial if lineage is None else lineage
        self.origin = current_origin() if origin is None else origin
        self.checks = checks
        self.verified = False  # set by `Op.applied` and verify: a node never changes
        self.settled = 0  # set by rewriting: one bit for each set of rules that left it as it is
        if len(types) == 1:
            self.outputs = (Tensor(types[0], self, 0),)
        else:
            self.outputs = tuple([Tensor(each, self, index) for index, each in enumerate(types)])

    def with_inputs(self, inputs: tuple[Tensor, ...]) -> Node:
        """The same application to inputs of the same types; `infer` need not run again.

        A verified node stays verified where the types are indeed the same.
        """
        types = tuple([output.type for output in self.outputs])
        node = Node(self.op, inputs, types, self.checks, self.origin, self.lineage)
        if self.verified:
            for new, old in zip(inputs, self.inputs, strict=True):
                if new.type is not old.type and new.type != old.type:
                    return node
            node.verified = True
        return node

    def with_op(self, op: Op, inputs: tuple[Tensor, ...]) -> Node:
        """The same application by an op with other bodies, of the same types."""
        types = tuple(output.type for output in self.outputs)
        return Node(op, inputs, types, self.checks, self.origin, self.lineage)

    @property
    def output(self) -> Tensor:
        """The only output."""
        (output,) = self.outputs
        return output

    def __repr__(self) -> str:
        """``<node 12 matmul -> f32[batch, 10]>``."""
        types = ", ".join(str(output.type) for output in self.outputs)
        return f"<node {self.serial} {self.op} -> {types}>"


def next_serial() -> int:
    """A serial number newer than every node that exists and older than every later one."""
    return next(_serials)
