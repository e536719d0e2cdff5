"""recognise: formulas written out with elementary ops become the ops that are named for them.

So a program that came from elsewhere gets the kernels, the gradients and the stability of asg's own
ops. Numerics: reassociating; results that overflowed on the way may become finite. Constants must
be right to the last digits of their dtype. A formula whose parts have several spellings is read by
`written_out`; what is merely similar stays as it is.
"""

from __future__ import annotations

import math

from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.activation import Gelu, LogSoftmax, SiLU, Softmax, Softplus
from asg.ops.elementwise import Add, Divide, LogAddExp, Maximum, Multiply, Pow, Subtract
from asg.ops.elementwise_unary import (
    Abs,
    Erf,
    Exp,
    Log,
    Negative,
    Reciprocal,
    Rsqrt,
    Sigmoid,
    Sqrt,
    Tanh,
)
from asg.ops.norm import LayerNorm, RMSNorm, TrailingNorm
from asg.ops.reduce import Sum
from asg.ops.shape import ExpandDims, Reshape
from asg.ops.statistics import LogSumExp, Var
from asg.passes.recognise_attention import attention_written_out
from asg.passes.recognise_picks import pick_of_log_softmax, sum_of_one_hot_log_softmax
from asg.passes.stabilise import (
    log_of_sigmoid,
    log_of_softmax,
    nll_of_log_softmax,
    one_minus_sigmoid,
    take_gradients_of,
)
from asg.passes.written_out import (
    Axes,
    added_to,
    formula,
    is_about,
    is_same,
    kept,
    kept_mean,
    largest,
    log_of_sum,
    one_over,
    over_root_of,
    plus_number,
    product_of,
    root_of,
    square_of,
)
from asg.rewrite.rule import Rule, rule

_LOGARITHMS = (Log, LogSumExp, ExpandDims, Reshape)
"""What `log_of_sum` may see."""

# -- softmax and its logarithm --------------------------------------------------------------------


@formula(Divide, Multiply, beside=(Exp,))
def softmax_written_out(node: Node) -> Tensor | None:
    """exp(x) / sum(exp(x), axis) -> softmax(x, axis); also by the reciprocal of the sum"""
    powers, total = node.inputs
    if isinstance(node.op, Multiply):
        if isinstance(total.node.op, Exp):
            powers, total = total, powers
        below = one_over(total) if isinstance(powers.node.op, Exp) else None
        if below is None:
            return None
        total = below
    if not isinstance(powers.node.op, Exp):
        return None
    found = kept(total, Sum)
    if found is None or len(found[1]) != 1 or not is_same(found[0], powers):
        return None
    return Softmax(found[1][0])(powers.node.inputs[0])


@formula(Subtract, beside=_LOGARITHMS)
def log_softmax_written_out(node: Node) -> Tensor | None:
    """x - logsumexp(x, axis) -> log_softmax(x, axis); also x - log(sum(exp(x), axis))"""
    found = log_of_sum(node.inputs[1])
    if found is None or len(found[1]) != 1 or not is_same(found[0], node.inputs[0]):
        return None
    return LogSoftmax(found[1][0])(found[0])


@formula(Softmax, LogSoftmax, beside=(Subtract,))
def softmax_of_shifted(node: Node) -> Tensor | None:
    """softmax(x - max(x, axis), axis) -> softmax(x, axis); log_softmax too: both do that first"""
    shifted = node.inputs[0].node
    if not isinstance(shifted.op, Subtract) or not isinstance(node.op, Softmax | LogSoftmax):
        return None
    (x, top), axis = shifted.inputs, (node.op.axis,)
    found = largest(top)
    return node.op(x) if found is not None and found[0] is x and found[1] == axis else None


@formula(Add, beside=_LOGARITHMS)
def logsumexp_of_shifted(node: Node) -> Tensor | None:
    """logsumexp(x - max(x, axis), axis) + max(x, axis) -> logsumexp(x, axis), with axes kept"""
    for total, top in (node.inputs, node.inputs[::-1]):
        summed, found = log_of_sum(total), largest(top)
        if summed is None or found is None or summed[1] != found[1]:
            continue
        shifted = summed[0].node
        if isinstance(shifted.op, Subtract) and shifted.inputs[0] is found[0]:
            again = largest(shifted.inputs[1])
            if again is not None and again[0] is found[0] and again[1] == found[1]:
                return LogSumExp(found[1], True)(found[0])
    return None


# -- activations ----------------------------------------------------------------------------------


@formula(Divide, Reciprocal, beside=(Add,))
def sigmoid_written_out(node: Node) -> Tensor | None:
    """1 / (1 + exp(-x)) -> sigmoid(x); also exp(x) / (1 + exp(x))"""
    below = one_over(node.output)
    if below is not None:
        return _of_same_type(_under_exp_of_negative(below), node, Sigmoid())
    if not isinstance(node.op, Divide):
        return None
    raised, total = node.inputs
    other = added_to(total, 1.0)
    if not isinstance(raised.node.op, Exp) or other is None or not is_same(raised, other):
        return None
    return Sigmoid()(raised.node.inputs[0])


@formula(Add, Multiply, beside=(Add, Multiply, Divide))
def sigmoid_by_tanh(node: Node) -> Tensor | None:
    """(1 + tanh(x / 2)) / 2 -> sigmoid(x); also tanh(x / 2) / 2 + 1/2"""
    if isinstance(node.op, Add):
        found = plus_number(node.output)
        if found is None or found[1] != 0.5:
            return None
        product = product_of(found[0])
        bend = product[1][0] if product is not None and len(product[1]) == 1 else None
    else:
        product = product_of(node.output)
        single = product is not None and len(product[1]) == 1
        bend = added_to(product[1][0], 1.0) if product is not None and single else None
    if product is None or product[0] != 0.5 or bend is None or not isinstance(bend.node.op, Tanh):
        return None
    return _of_same_type(_halved(bend.node.inputs[0]), node, Sigmoid())


def _halved(tensor: Tensor) -> Tensor | None:
    """x of ``x / 2``."""
    return _scaled_by(tensor, 0.5)


def _scaled_by(tensor: Tensor, number: float) -> Tensor | None:
    """x of ``number * x``, one product or quotient."""
    for x in tensor.node.inputs if isinstance(tensor.node.op, Multiply | Divide) else ():
        product = product_of(tensor, (x,))
        if product is not None and product[1] == [x]:
            return x if is_about(product[0], number, tensor.dtype) else None
    return None


def _under_exp_of_negative(tensor: Tensor) -> Tensor | None:
    """x of ``1 + exp(-x)``."""
    raised = added_to(tensor, 1.0)
    if raised is None or not isinstance(raised.node.op, Exp):
        return None
    opposite = raised.node.inputs[0].node
    return opposite.inputs[0] if isinstance(opposite.op, Negative) else None


def _of_same_type(x: Tensor | None, node: Node, op: Sigmoid | SiLU | Gelu) -> Tensor | None:
    return op(x) if x is not None and x.type == node.output.type else None


@formula(Multiply, Divide, beside=(Sigmoid, Add))
def silu_written_out(node: Node) -> Tensor | None:
    """x * sigmoid(x) -> silu(x); also x / (1 + exp(-x))"""
    if isinstance(node.op, Divide):
        x = _under_exp_of_negative(node.inputs[1])
        return _of_same_type(x, node, SiLU()) if x is node.inputs[0] else None
    for x, gate in (node.inputs, node.inputs[::-1]):
        if isinstance(gate.node.op, Sigmoid) and gate.node.inputs[0] is x:
            return SiLU()(x)
    return None


@formula(Multiply, Divide, beside=(Multiply, Divide, Add))
def gelu_written_out(node: Node) -> Tensor | None:
    """x (1 + erf(x / sqrt(2))) / 2 -> gelu(x), and its approximation by tanh; in any order"""
    product = product_of(node.output)
    for factor in product[1] if product is not None else ():
        bend = added_to(factor, 1.0)
        if bend is None or not isinstance(bend.node.op, Erf | Tanh):
            continue
        inner = bend.node.inputs[0]
        by_erf = isinstance(bend.node.op, Erf)
        x = _scaled_by(inner, math.sqrt(0.5)) if by_erf else _under_tanh_of_gelu(inner)
        if x is None or x.type != node.output.type:
            continue
        whole = product_of(node.output, (x, factor))
        if whole is not None and whole[0] == 0.5 and set(whole[1]) == {x, factor}:
            return Gelu("none" if by_erf else "tanh")(x) if len(whole[1]) == 2 else None
    return None


def _under_tanh_of_gelu(tensor: Tensor) -> Tensor | None:
    """x of ``sqrt(2 / pi) (x + 0.044715 x^3)``, or of ``sqrt(2 / pi) x (1 + 0.044715 x^2)``."""
    product = product_of(tensor)
    if product is None or not is_about(product[0], math.sqrt(2.0 / math.pi), tensor.dtype):
        return None
    for factor in product[1]:
        cubic = _with_cube(factor)
        x = cubic if cubic is not None else _with_square(factor)
        if x is None:
            continue
        whole = product_of(tensor, (x, factor))
        wanted = {factor} if cubic is not None else {x, factor}
        if whole is not None and set(whole[1]) == wanted and len(whole[1]) == len(wanted):
            return x
    return None


def _with_cube(tensor: Tensor) -> Tensor | None:
    """x of ``x + 0.044715 x^3``."""
    for x, cube in (tensor.node.inputs, tensor.node.inputs[::-1]) if _is_sum(tensor) else ():
        product = product_of(cube, (x,))
        if product is not None and product[1] == [x] * 3:
            return x if is_about(product[0], 0.044715, tensor.dtype) else None
    return None


def _with_square(tensor: Tensor) -> Tensor | None:
    """x of ``1 + 0.044715 x^2``."""
    square = added_to(tensor, 1.0)
    product = product_of(square) if square is not None else None
    if product is None or len(product[1]) != 2 or product[1][0] is not product[1][1]:
        return None
    return product[1][0] if is_about(product[0], 0.044715, tensor.dtype) else None


def _is_sum(tensor: Tensor) -> bool:
    return isinstance(tensor.node.op, Add)


@rule("reassociating")
def softplus_by_parts(x):  # type: ignore[no-untyped-def]
    """max(x, 0) + softplus(-|x|) -> softplus(x); what is under it was log1p(exp(-|x|))"""
    return Add()(Maximum()(x, 0), Softplus()(Negative()(Abs()(x)))), lambda: Softplus()(x)


@rule("reassociating")
def softplus_by_logaddexp(x):  # type: ignore[no-untyped-def]
    """logaddexp(x, 0) -> softplus(x)"""
    return LogAddExp()(x, 0), lambda: Softplus()(x)


# -- normalisations -------------------------------------------------------------------------------


@formula(Divide, Multiply, beside=(Sqrt, Rsqrt, Reciprocal, Divide, Pow))
def norm_written_out(node: Node) -> Tensor | None:
    """(x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) -> layer_norm(x); without the mean rms_norm

    Over trailing axes, by the root or its reciprocal, with var(x) or mean(square(x - mean(x))).
    """
    for off, scale in (node.inputs, node.inputs[::-1]):
        spread = root_of(scale) if isinstance(node.op, Divide) else over_root_of(scale)
        if spread is not None and off.type == node.output.type and off.dtype.is_float:
            return _norm(off, *_without_eps(spread))
        if isinstance(node.op, Divide):
            return None
    return None


def _without_eps(spread: Tensor) -> tuple[Tensor, float]:
    found = plus_number(spread)
    return (spread, 0.0) if found is None or found[1] < 0 else found


def _norm(off: Tensor, spread: Tensor, eps: float) -> Tensor | None:
    """The norm that ``off / sqrt(spread + eps)`` is."""
    centered = _centered(off)
    variance = kept(spread, Var)
    if variance is not None:
        correction = getattr(spread.node.op, "correction", None)
        if centered is None or correction != 0 or variance != centered:
            return None
        axes = centered[1]
    else:
        mean = kept_mean(spread)
        squared = square_of(mean[0]) if mean is not None else None
        if mean is None or squared is None or not is_same(squared, off):
            return None
        axes = mean[1]
    if axes != tuple(range(off.ndim))[-len(axes) :]:
        return None
    if centered is not None and centered[1] == axes:
        return LayerNorm(axes, eps)(centered[0])
    return RMSNorm(axes, eps)(off)


def _centered(tensor: Tensor) -> tuple[Tensor, Axes] | None:
    """x and the axes of ``x - mean(x)``."""
    if not isinstance(tensor.node.op, Subtract):
        return None
    x, mean = tensor.node.inputs
    found = kept_mean(mean)
    return found if found is not None and found[0] is x else None


@formula(Multiply, beside=(LayerNorm, RMSNorm))
def norm_with_weight(node: Node) -> Tensor | None:
    """layer_norm(x) * w -> layer_norm(x, w), for w of the normalised shape; rms_norm too"""
    for normed, weight in (node.inputs, node.inputs[::-1]):
        op, inputs = normed.node.op, normed.node.inputs
        if isinstance(op, LayerNorm | RMSNorm) and len(inputs) == 1 and _fits(op, weight, normed):
            return op(*inputs, weight)
    return None


@formula(Add, beside=(LayerNorm,))
def norm_with_bias(node: Node) -> Tensor | None:
    """layer_norm(x, w) + b -> layer_norm(x, w, b), for b of the normalised shape"""
    for normed, bias in (node.inputs, node.inputs[::-1]):
        op, inputs = normed.node.op, normed.node.inputs
        if isinstance(op, LayerNorm) and len(inputs) == 2 and _fits(op, bias, normed):
            return op(*inputs, bias)
    return None


def _fits(op: TrailingNorm, parameter: Tensor, normed: Tensor) -> bool:
    wanted = normed.shape[normed.ndim - len(op.axis) :]
    return parameter.dtype is normed.dtype and parameter.shape == wanted


RECOGNISING: tuple[Rule, ...] = (
    softmax_written_out,
    log_softmax_written_out,
    softmax_of_shifted,
    logsumexp_of_shifted,
    sigmoid_written_out,
    sigmoid_by_tanh,
    silu_written_out,
    gelu_written_out,
    softplus_by_parts,
    softplus_by_logaddexp,
    norm_written_out,
    norm_with_weight,
    norm_with_bias,
    attention_written_out,
    pick_of_log_softmax,
    sum_of_one_hot_log_softmax,
)
take_gradients_of(RECOGNISING, "recognise")

OF_RECOGNISED: tuple[Rule, ...] = (
    log_of_softmax,
    log_of_sigmoid,
    one_minus_sigmoid,
    nll_of_log_softmax,
)
"""Stabilising rules for what has its name only now."""
