"""Rules that give the same mathematics in a form that neither overflows nor cancels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from asg.autodiff.vjp import STABLE_FORMS
from asg.config import settings
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.activation import LogSoftmax, Softmax, Softplus
from asg.ops.elementwise import Add, Subtract
from asg.ops.elementwise_unary import Exp, Expm1, Log, Log1p, Negative, Sigmoid
from asg.ops.index import Take, TakeAlongAxis
from asg.ops.likelihoods import NllLoss
from asg.ops.loss import CrossEntropy
from asg.ops.reduce import Sum
from asg.ops.shape import ExpandDims, PermuteDims, Reshape, Squeeze
from asg.ops.slicing import Select, Slice
from asg.ops.statistics import LogSumExp
from asg.rewrite.rule import Rule, node_rule, rule

_PICKS = (ExpandDims, PermuteDims, Reshape, Select, Slice, Squeeze, Take, TakeAlongAxis)
"""Ops that give some elements of their first operand, in places of their own."""

MOST_PICKS = 4
"""Between a softmax and its logarithm."""


@node_rule(Log, numerics="reassociating", beside=(Softmax, *_PICKS))
def log_of_softmax(node: Node) -> Tensor | None:
    """log(softmax(x)) -> log_softmax(x): finite where softmax underflows to 0

    Also where elements are picked in between: log(p[i, t]) -> log_softmax(x)[i, t].
    """
    picks: list[Node] = []
    source = node.inputs[0].node
    while isinstance(source.op, _PICKS) and len(picks) < MOST_PICKS:
        picks.append(source)
        source = source.inputs[0].node
    if not isinstance(source.op, Softmax):
        return None
    found: Tensor = LogSoftmax(source.op.axis)(source.inputs[0])
    for pick in reversed(picks):
        found = pick.op(found, *pick.inputs[1:])
    return found


@rule("reassociating")
def log_of_one_plus_exp(x):  # type: ignore[no-untyped-def]
    """log(1 + exp(x)) -> softplus(x): exp would overflow"""
    return Log()(Add()(1, Exp()(x))), lambda: Softplus()(x)


@rule("reassociating")
def log1p_of_exp(x):  # type: ignore[no-untyped-def]
    """log1p(exp(x)) -> softplus(x)"""
    return Log1p()(Exp()(x)), lambda: Softplus()(x)


@rule("reassociating")
def log_of_one_plus(x):  # type: ignore[no-untyped-def]
    """log(1 + x) -> log1p(x): exact near 0"""
    return Log()(Add()(1, x)), lambda: Log1p()(x)


@rule("reassociating")
def exp_minus_one(x):  # type: ignore[no-untyped-def]
    """exp(x) - 1 -> expm1(x): no cancellation near 0"""
    return Subtract()(Exp()(x), 1), lambda: Expm1()(x)


@rule("reassociating")
def log_of_sigmoid(x):  # type: ignore[no-untyped-def]
    """log(sigmoid(x)) -> -softplus(-x): finite where sigmoid underflows"""
    return Log()(Sigmoid()(x)), lambda: Negative()(Softplus()(Negative()(x)))


@rule("reassociating")
def one_minus_sigmoid(x):  # type: ignore[no-untyped-def]
    """1 - sigmoid(x) -> sigmoid(-x): no cancellation for large x"""
    return Subtract()(1, Sigmoid()(x)), lambda: Sigmoid()(Negative()(x))


@node_rule(Log, numerics="reassociating")
def log_of_sum_of_exp(node: Node) -> Tensor | None:
    """log(sum(exp(x), axes)) -> logsumexp(x, axes): exp would overflow"""
    total = node.inputs[0].node
    if not isinstance(total.op, Sum):
        return None
    powers = total.inputs[0].node
    if not isinstance(powers.op, Exp):
        return None
    return LogSumExp(total.op.axis, total.op.keepdims)(powers.inputs[0])


@node_rule(NllLoss, numerics="reassociating")
def nll_of_log_softmax(node: Node) -> Tensor | None:
    """nll_loss(log_softmax(x), t) -> cross_entropy(x, t), for losses without weights of classes

    Also of log(softmax(x)).
    """
    if not isinstance(node.op, NllLoss) or len(node.inputs) != 2:
        return None
    source = node.inputs[0].node
    wanted: type[LogSoftmax | Softmax] = LogSoftmax
    if isinstance(source.op, Log):
        source, wanted = source.inputs[0].node, Softmax
    if not isinstance(source.op, wanted) or source.op.axis != node.op.axis:
        return None
    loss = CrossEntropy(node.op.axis, 0.0, node.op.ignore_index)
    return loss(source.inputs[0], node.inputs[1])


STABILISING: tuple[Rule, ...] = (
    log_of_softmax,
    log_of_one_plus_exp,
    log1p_of_exp,
    log_of_one_plus,
    exp_minus_one,
    log_of_sigmoid,
    one_minus_sigmoid,
    log_of_sum_of_exp,
    nll_of_log_softmax,
)


def take_gradients_of(rules: Sequence[Rule], of: str) -> None:
    """Let the gradient of a pattern be that of its better form, whether or not a pass runs.

    Else a finite value would get a NaN slope, and value and slope would share nothing. A gradient
    that is built while the rule, or the pass it is ``of``, is to be left out goes without.
    """
    for each in rules:
        for root in each.roots:
            STABLE_FORMS.setdefault(root, []).append(_stable_form(each, of))


def _stable_form(rule: Rule, of: str) -> Callable[[Node], Tensor | None]:
    def form(node: Node) -> Tensor | None:
        if settings.without and {rule.name, of} & {*settings.without}:
            return None
        replacement = rule.replace(node) if rule.may_match(node) else None
        return replacement[0] if isinstance(replacement, tuple) else replacement

    return form


take_gradients_of(STABILISING, "stabilise")
