"""Wrong rewrites, planted: each changes numbers in a graph that is well formed before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import asg
from asg.compiler.driver import evaluate
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.region import Body
from asg.core.tensor import Tensor
from asg.ops.cast import Cast
from asg.ops.elementwise import Subtract
from asg.ops.loops import Scan
from asg.ops.reduce import Sum
from asg.ops.shape import PermuteDims
from asg.ops.slicing import Select
from asg.passes.fold import Fold
from asg.passes.pipeline import Pass, RulePass
from asg.rewrite.rule import Rule, node_rule


@dataclass(frozen=True)
class Planted:
    """A wrong pass, a graph it spoils, what does it, and an op of the node it replaces.

    Attributes:
        step: the pass.
        graph: whose result changes.
        guilty: name of the rule, or of the pass.
        op: name of the op whose application is replaced.
        inside: the replacement is inside the body of a loop.
    """

    step: Pass
    graph: Graph
    guilty: str
    op: str
    inside: bool = False


def passed(rule: Rule) -> RulePass:
    return RulePass("planted", (rule,))


@node_rule(Subtract)
def exchange(node: Node) -> Tensor | None:
    """x - y -> y - x, for the older x, or it would never settle"""
    x, y = node.inputs
    return y - x if x.node.serial < y.node.serial and x.type == y.type else None


@node_rule(PermuteDims)
def permute_in_wrong_order(node: Node) -> Tensor | None:
    """permute(permute(x, inner), outer) -> permute(x, outer[inner]), not inner[outer]"""
    inner, outer = node.inputs[0].node, node.op
    if not isinstance(inner.op, PermuteDims) or not isinstance(outer, PermuteDims):
        return None
    return PermuteDims(tuple(outer.axes[axis] for axis in inner.op.axes))(inner.inputs[0])


@node_rule(Sum, numerics="reassociating")
def sum_next_axis(node: Node) -> Tensor | None:
    """sum(x, 0) -> sum(x, 1), of squares"""
    (x,) = node.inputs
    return Sum((1,), False)(x) if isinstance(node.op, Sum) and node.op.axis == (0,) else None


@node_rule(Cast)
def drop_both_casts(node: Node) -> Tensor | None:
    """cast(cast(x, narrower), x.dtype) -> x"""
    inner = node.inputs[0].node
    x = inner.inputs[0] if isinstance(inner.op, Cast) else None
    return x if x is not None and x.dtype is node.output.dtype else None


@node_rule(Select)
def always_first_key(node: Node) -> Tensor | None:
    """keys[1] -> keys[0]: two random numbers become one"""
    first = Select((0,), (0,))
    is_key = node.inputs[0].node.op.name == "split_key"
    return first(node.inputs[0]) if is_key and node.op != first else None


@node_rule(Scan)
def exchange_carries(node: Node) -> tuple[Tensor, ...] | None:
    """The next values of two carries change places."""
    op = node.op
    if not isinstance(op, Scan) or op.body.name == "exchanged":
        return None
    body = op.body
    outputs = [body.outputs[1], body.outputs[0], *body.outputs[2:]]
    swapped = Body.of(body.inputs, outputs, body.output_names, (), "exchanged", body.input_names)
    return replace(op, body=swapped).apply(*node.inputs)


def wrong_constants(graph: Graph) -> Sequence[Any]:
    return [array + 1 for array in evaluate(graph)]


def exchanged() -> Graph:
    x, y = asg.input("x", ("n", 3)), asg.input("y", ("n", 3))
    return asg.Graph(z=asg.tanh(asg.exp(x) - asg.sin(y)).sum())


def permuted() -> Graph:
    x = asg.input("x", (3, 3, 3))
    once = asg.permute_dims(x, (1, 2, 0))
    return asg.Graph(y=asg.exp(asg.permute_dims(once, (0, 2, 1))))


def summed() -> Graph:
    return asg.Graph(y=asg.tanh(asg.input("x", (3, 3))).sum(0))


def rounded() -> Graph:
    x = asg.input("x", ("n",))
    return asg.Graph(y=x.astype("float16").astype("float32") * 2.0)


def folded() -> Graph:
    return asg.Graph(y=asg.input("x", ("n",)) * asg.sin(asg.constant(2.0, "float32")))


def drawn() -> Graph:
    keys = asg.split_key(asg.input("key", (2,), "uint32"), 2)
    first, second = (asg.random_bits(keys[i], (4,)) for i in range(2))
    return asg.Graph(a=first, b=second)


def looped() -> Graph:
    x = asg.input("x", ("n", 3))
    start = (asg.ones((3,)), asg.zeros((3,)))
    (a, b), ys = asg.scan(lambda c, row: ((c[1] * row, c[0] + row), c[0]), start, x)
    return asg.Graph(a=a, b=b, ys=ys)


def looped_difference() -> Graph:
    x = asg.input("x", ("n", 3))
    return asg.Graph(y=asg.scan(lambda c, row: (asg.exp(c) - asg.sin(row), None), x[0], x)[0])


PLANTED = {
    "operands exchanged": Planted(passed(exchange), exchanged(), "exchange", "subtract"),
    "permutations in the wrong order": Planted(
        passed(permute_in_wrong_order), permuted(), "permute_in_wrong_order", "permute_dims"
    ),
    "sum over the next axis": Planted(passed(sum_next_axis), summed(), "sum_next_axis", "sum"),
    "cast dropped": Planted(passed(drop_both_casts), rounded(), "drop_both_casts", "cast"),
    "wrong constant": Planted(Fold(wrong_constants), folded(), "fold", "sin"),
    "two keys become one": Planted(passed(always_first_key), drawn(), "always_first_key", "select"),
    "carries exchanged": Planted(passed(exchange_carries), looped(), "exchange_carries", "scan"),
    "operands exchanged in a loop": Planted(
        passed(exchange), looped_difference(), "exchange", "subtract", inside=True
    ),
}


def feeds_of(graph: Graph) -> dict[str, np.ndarray[Any, Any]]:
    """Numbers that the pass does not leave alone by chance; all sizes 3."""
    random = np.random.default_rng(1)
    found = {}
    for name, tensor in graph.feeds.items():
        shape = tuple(size if isinstance(size, int) else 3 for size in tensor.shape)
        drawn = random.normal(size=shape) if tensor.dtype.is_float else random.integers(
            9, size=shape
        )  # fmt: skip
        found[name] = np.asarray(drawn).astype(tensor.dtype.numpy)
    return found
