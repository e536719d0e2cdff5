"""Rules of ops with several operands build the cotangents that are asked for, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import asg
import asg.testing.samples
from asg.autodiff.vjp import pullback
from asg.core.graph import reachable_nodes
from asg.core.node import Node, next_serial
from asg.core.op import Op
from asg.core.region import bodies_of
from asg.core.registry import OPS
from asg.core.tensor import Tensor
from asg.testing.applied import Applied, apply_sample
from asg.testing.sample import SAMPLES


def applied_to_several(op_class: type[Op]) -> Iterator[Applied]:
    """Its samples with derivatives by two operands or more."""
    for sample in SAMPLES.get(op_class, ()):
        if len(sample.differentiated) > 1:
            applied = apply_sample(sample)
            if applied.wrt:
                yield applied


SEVERAL = [op for _, op in sorted(OPS.items()) if next(applied_to_several(op), None) is not None]


def test_the_ops_are_found() -> None:
    names = {op.name for op in SEVERAL}
    assert len(names) > 60
    assert names >= {"matmul", "divide", "conv", "scan", "layer_norm", "switch", "xlogy"}


def pulled(applied: Applied, wrt: Sequence[Tensor]) -> list[Tensor | None]:
    return pullback([applied.outputs[i] for i in applied.floats], applied.cotangents, wrt)


def made_since(floor: int, gradients: Sequence[Tensor | None]) -> list[Node]:
    return reachable_nodes([each for each in gradients if each is not None], floor)


def size(nodes: Sequence[Node]) -> int:
    """Nodes, those of bodies included."""
    return sum(1 + sum(size(body.nodes) for body in bodies_of(node.op)) for node in nodes)


@pytest.mark.parametrize("op_class", SEVERAL, ids=lambda each: str(each.name))
def test_one_gradient_is_no_larger_than_all(op_class: type[Op]) -> None:
    """And smaller, unless it is the other ones that fall out on the way to it."""
    applied = next(applied_to_several(op_class))
    floor = next_serial()
    together = pulled(applied, applied.wrt)
    everything = size(made_since(floor, together))
    alone = []
    for tensor, gradient in zip(applied.wrt, together, strict=True):
        floor = next_serial()
        (found,) = pulled(applied, [tensor])
        assert (found is None) == (gradient is None)
        alone.append(size(made_since(floor, [found])))
    assert max(alone) <= everything
    assert min(alone) < everything or everything == 0


OWN_RULE = [op for op in SEVERAL if op.has_vjp() and op.category != "control"]


@pytest.mark.parametrize("op_class", OWN_RULE, ids=lambda each: str(each.name))
def test_nothing_is_built_that_is_not_used(
    op_class: type[Op], monkeypatch: pytest.MonkeyPatch
) -> None:
    for applied in applied_to_several(op_class):
        outputs, cotangents = applied.outputs, all_cotangents(applied)
        for position in applied.sample.differentiated:
            wanted = tuple(i == position for i in range(len(applied.inputs)))
            with monkeypatch.context() as patch:
                made = recorded(patch)
                entry = applied.op.wanted_vjp(wanted, applied.inputs, outputs, cotangents)[position]
                result = entry() if callable(entry) else entry
            used = set() if result is None else set(reachable_nodes([result]))
            unused = [node for node in made if node not in used]
            assert not unused, f"{applied.sample.title}: by operand {position}: {unused}"


def all_cotangents(applied: Applied) -> tuple[Tensor, ...]:
    given = dict(zip(applied.floats, applied.cotangents, strict=True))
    zeros = [asg.zeros_like(output) for output in applied.outputs]
    return tuple(given.get(i, zero) for i, zero in enumerate(zeros))


def recorded(patch: pytest.MonkeyPatch) -> list[Node]:
    """Every node made from now on."""
    made: list[Node] = []
    original = Node.__init__

    def recording(self: Node, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        made.append(self)

    patch.setattr(Node, "__init__", recording)
    return made
