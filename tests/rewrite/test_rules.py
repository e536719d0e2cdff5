"""The rule notation and its driver: matching, types, provenance, logs, and defects of rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import RewriteError
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.cast import Cast
from asg.ops.elementwise import Add, Multiply, Subtract
from asg.ops.elementwise_unary import Exp, Negative, Tanh
from asg.ops.reduce import Sum
from asg.ops.shape import PermuteDims
from asg.rewrite import driver
from asg.rewrite.driver import Index, rewrite
from asg.rewrite.pattern import uniform_value
from asg.rewrite.rule import Rule, RuleHit, node_rule, rule


def apply(output: Tensor, *rules: Rule) -> tuple[Tensor, list[RuleHit]]:
    log: list[RuleHit] = []
    graph = rewrite(asg.Graph(y=output), rules, log)
    return graph.outputs[0], log


@rule()
def tanh_to_exp(x):  # type: ignore[no-untyped-def]
    return Tanh()(x), lambda: Exp()(x)


def test_a_hole_matches_any_tensor_and_the_rest_stays() -> None:
    x = asg.input("x", ("n",))
    inner = asg.exp(x)
    found, log = apply(asg.tanh(inner), tanh_to_exp)
    assert found.node.op == Exp()
    assert found.node.inputs == (inner,)
    assert [hit.rule for hit in log] == ["tanh_to_exp"]


def test_a_repeated_hole_must_be_the_same_tensor() -> None:
    @rule()
    def twice(x):  # type: ignore[no-untyped-def]
        return Add()(x, x), lambda: Multiply()(x, 2.0)

    x, y = asg.input("x", (3,)), asg.input("y", (3,))
    assert apply(x + x, twice)[1]
    assert not apply(x + y, twice)[1]
    assert not apply(asg.exp(x) + asg.exp(x), twice)[1]  # equal values, but not merged yet


def test_attribute_holes_carry_values_to_the_other_side() -> None:
    @rule()
    def permute_sum(x, axes, reduced, keepdims):  # type: ignore[no-untyped-def]
        return (
            Sum(reduced, keepdims)(PermuteDims(axes)(x)),
            lambda: Sum(tuple(sorted(axes[axis] for axis in reduced)), keepdims)(x),
        )

    x = asg.input("x", (2, 3, 4))
    found, _ = apply(asg.sum(asg.permute_dims(x, (2, 0, 1)), axis=0), permute_sum)
    assert found.node.op == Sum((2,), False)
    assert found.node.inputs == (x,)


def test_literal_attributes_must_be_equal() -> None:
    @rule()
    def only_first_axis(x):  # type: ignore[no-untyped-def]
        return Sum((0,), False)(x), lambda: x[0]

    x = asg.input("x", (3, 3))
    assert apply(asg.sum(x, axis=0), only_first_axis)[1]
    assert not apply(asg.sum(x, axis=1), only_first_axis)[1]


def test_commutative_ops_match_in_both_orders_and_others_do_not() -> None:
    @rule()
    def add_exp(x, y):  # type: ignore[no-untyped-def]
        return Add()(Exp()(x), y), lambda: Multiply()(x, y)

    @rule()
    def subtract_exp(x, y):  # type: ignore[no-untyped-def]
        return Subtract()(Exp()(x), y), lambda: Multiply()(x, y)

    x, y = asg.input("x", (3,)), asg.input("y", (3,))
    assert apply(y + asg.exp(x), add_exp)[1]
    assert not apply(y - asg.exp(x), subtract_exp)[1]


def test_a_delayed_after_may_refuse() -> None:
    @rule()
    def large_only(x, y):  # type: ignore[no-untyped-def]
        return Add()(x, y), lambda: Multiply()(x, y) if x.ndim > 1 else None

    vector, matrix = asg.input("v", (3,)), asg.input("m", (3, 3))
    assert not apply(vector + vector, large_only)[1]
    assert apply(matrix + matrix, large_only)[1]


def test_a_left_out_broadcast_is_put_back() -> None:
    @rule()
    def keep_first(x, y):  # type: ignore[no-untyped-def]
        return Add()(x, y), x

    x, y = asg.input("x", (3,)), asg.input("y", ("n", 3))
    found, _ = apply(x + y, keep_first)
    assert found.type == (x + y).type
    assert found.node.op.name == "broadcast_to"


def test_a_rule_that_changes_the_dtype_is_named() -> None:
    @rule()
    def wrong(x):  # type: ignore[no-untyped-def]
        return Exp()(x), lambda: Cast(asg.float64)(x)

    with pytest.raises(RewriteError, match=r"rule wrong .*f32\[3\]"):
        apply(asg.exp(asg.input("x", (3,))), wrong)


def test_a_rule_that_changes_the_shape_is_named() -> None:
    @node_rule(Exp)
    def wrong(node: Node) -> Tensor:
        return node.inputs[0][:2]

    with pytest.raises(RewriteError, match="rule wrong"):
        apply(asg.exp(asg.input("x", (3,))), wrong)


def test_rules_that_never_settle_are_named() -> None:
    @rule()
    def there(x):  # type: ignore[no-untyped-def]
        return Exp()(x), lambda: Tanh()(x)

    @rule()
    def back(x):  # type: ignore[no-untyped-def]
        return Tanh()(x), lambda: Exp()(x)

    with pytest.raises(RewriteError, match=r"never settle.*(there|back)"):
        apply(asg.exp(asg.input("x", (3,))), there, back)


def test_a_hole_that_the_before_part_lacks_is_an_error() -> None:
    @rule()
    def wrong(x, y):  # type: ignore[no-untyped-def]
        return Exp()(x), lambda: Add()(x, y)

    with pytest.raises(RewriteError, match="y not in the 'before' part"):
        apply(asg.exp(asg.input("x", (3,))), wrong)


def test_a_before_part_without_an_op_is_an_error() -> None:
    @rule()
    def wrong(x):  # type: ignore[no-untyped-def]
        return x, x

    with pytest.raises(RewriteError, match="applies no op"):
        apply(asg.exp(asg.input("x", (3,))), wrong)


def test_new_nodes_tell_rule_source_line_and_scope() -> None:
    with asg.scope("block"):
        old = asg.tanh(asg.input("x", (3,)))
    found, log = apply(old, tanh_to_exp)
    origin = found.node.origin
    assert origin.location == old.node.origin.location
    assert origin.scope == "block"
    assert origin.derived[-1] == ("rule", "tanh_to_exp", (old.node.serial,))
    assert log == [RuleHit("tanh_to_exp", old.node.serial, (found.node.serial,))]


def test_what_rules_left_alone_is_not_visited_again(monkeypatch: pytest.MonkeyPatch) -> None:
    x = asg.input("x", (3,))
    changed = rewrite(asg.Graph(y=asg.tanh(x) + asg.exp(x)), [tanh_to_exp], [])
    monkeypatch.setattr(driver, "rebuild", lambda *args: pytest.fail("visited again"))
    assert rewrite(changed, [tanh_to_exp], []) is changed


def test_untouched_nodes_are_shared() -> None:
    x = asg.input("x", (3,))
    kept = asg.exp(x)
    graph = asg.Graph(a=kept, b=asg.tanh(x))
    changed = rewrite(graph, [tanh_to_exp], [])
    assert changed.outputs[0] is kept
    assert rewrite(changed, [tanh_to_exp], []).outputs == changed.outputs


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (asg.constant(2.0), 2.0),
        (asg.constant([1.0, 1.0]), 1.0),
        (asg.constant([1.0, 2.0]), None),
        (asg.full((3,), 0.5), 0.5),
        (asg.input("x", ()), None),
        (asg.zeros((0,)), 0),
    ],
)
def test_uniform_value(value: Tensor, wanted: Any) -> None:
    assert uniform_value(value) == wanted


def test_rules_can_be_chained_by_results_of_rules() -> None:
    @rule()
    def exp_to_negative(x):  # type: ignore[no-untyped-def]
        return Exp()(x), lambda: Negative()(x)

    found, log = apply(asg.tanh(asg.input("x", (3,))), tanh_to_exp, exp_to_negative)
    assert found.node.op == Negative()
    assert [hit.rule for hit in log] == ["tanh_to_exp", "exp_to_negative"]


def test_rules_are_chosen_by_numbers_same_operands_and_what_stands_beside() -> None:
    @rule()
    def times_one(x):  # type: ignore[no-untyped-def]
        return Multiply()(x, 1.0), x

    @rule()
    def times_itself(x):  # type: ignore[no-untyped-def]
        return Multiply()(x, x), lambda: Exp()(x)

    @node_rule(Multiply, beside=(Tanh,))
    def times_tanh(node: Node) -> None:
        """Never"""

    index = Index((times_one, times_itself, times_tanh))

    def chosen(value: Tensor) -> list[str]:
        return [each.name for each in index.of(value.node)]

    x = asg.input("x", (2,))
    assert chosen(x * 1.0) == chosen(1.0 * x) == ["times_one"]
    assert chosen(x * np.ones(2, "f4")) == ["times_one"]  # its elements are looked at later
    assert chosen(x * 3.0) == chosen(x * asg.zeros((2,))) == []
    assert chosen(x * asg.input("y", (2,))) == []
    assert chosen(x * x) == ["times_itself"]
    assert chosen(asg.tanh(x) * 1.0) == ["times_one", "times_tanh"]
