"""Liveness against the definition, written out over hand-made graphs."""

from itertools import pairwise

import pytest

from asg.analysis.liveness import BEFORE, Lifetime, lifetimes
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.ops.elementwise import add
from asg.ops.leaf import input, zeros


def chain(length: int) -> tuple[Graph, list[Tensor]]:
    """x, add(x, x), ... each value used by the next only."""
    values = [input("x", (3,))]
    for _ in range(length):
        values.append(add(values[-1], values[-1]))
    return Graph(y=values[-1]), values


def test_values_live_from_their_node_to_their_last_reader() -> None:
    graph, values = chain(3)
    life = lifetimes(graph)
    position = {node: i for i, node in enumerate(graph.nodes)}
    for value, reader in pairwise(values[1:]):
        assert life[value] == (position[value.node], position[reader.node])


def test_inputs_exist_before_the_first_node_and_outputs_after_the_last() -> None:
    graph, values = chain(2)
    life = lifetimes(graph)
    assert life[values[0]].first == BEFORE
    assert life[values[-1]].last == len(graph.nodes)


def test_an_input_returned_as_it_is_lives_throughout() -> None:
    x = input("x", (3,))
    graph = Graph(x=x, y=add(x, x))
    assert lifetimes(graph)[x] == (BEFORE, len(graph.nodes))


def test_a_value_that_nobody_reads_lives_at_its_node_only() -> None:
    x, unused = input("x", (3,)), input("unused", (3,))
    graph = Graph({"y": x + x}, inputs=[x, unused])
    assert lifetimes(graph)[unused] == (BEFORE, BEFORE)


def test_readers_of_a_view_are_readers_of_its_owner() -> None:
    x = input("x", (3,))
    owner = add(x, x)
    seen = add(owner, owner)  # stands for a view here
    late = add(seen, x)
    graph = Graph(y=add(late, late))
    without, with_views = lifetimes(graph), lifetimes(graph, {seen: owner})
    assert without[owner].last == graph.nodes.index(seen.node)
    assert with_views[owner].last == graph.nodes.index(late.node)
    assert seen in without
    assert seen not in with_views


def test_constants_appear_at_their_node() -> None:
    x = input("x", (3,))
    constant = zeros((3,))
    graph = Graph(y=add(x, constant))
    assert lifetimes(graph)[constant].first == graph.nodes.index(constant.node)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [((0, 1), (1, 2), True), ((0, 1), (2, 3), False), ((2, 3), (0, 1), False),
     ((0, 9), (3, 4), True), ((-1, -1), (0, 0), False)],
)  # fmt: skip
def test_lifetimes_overlap_when_they_share_a_moment(
    left: tuple[int, int], right: tuple[int, int], expected: bool
) -> None:
    assert Lifetime(*left).overlaps(Lifetime(*right)) is expected
