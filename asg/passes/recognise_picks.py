"""Cross entropy written out: a pick of log_softmax, or its product with one-hot labels.

What the ops say of labels that are no classes stays true: picks count negative ones from the end,
and one-hot rows of such labels are zeros.
"""

from __future__ import annotations

from asg.core.dtype import int32, int64
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.activation import LogSoftmax
from asg.ops.cast import astype
from asg.ops.compare import GreaterEqual, Less, LogicalAnd
from asg.ops.elementwise import Add, Multiply, Where
from asg.ops.elementwise_unary import Negative
from asg.ops.index import OneHot, TakeAlongAxis
from asg.ops.leaf import constant, dim_size
from asg.ops.loss import CrossEntropy
from asg.ops.reduce import Sum
from asg.ops.shape import ExpandDims, Squeeze
from asg.passes.written_out import formula

NO_CLASS = -1


@formula(TakeAlongAxis, beside=(LogSoftmax,))
def pick_of_log_softmax(node: Node) -> Tensor | None:
    """take_along_axis(log_softmax(x), t) -> -cross_entropy(x, t), for one pick from each row"""
    picked, places = node.inputs
    op, axis = picked.node.op, node.op.attributes()["axis"]
    if not isinstance(op, LogSoftmax) or op.axis != axis or places.shape[axis] != 1:
        return None
    (logits,) = picked.node.inputs
    labels: Tensor = Squeeze((axis,))(places)
    loss: Tensor = CrossEntropy(axis)(logits, _counted_from_front(labels, logits, axis))
    pick: Tensor = ExpandDims((axis,))(Negative()(loss))
    return pick


def _counted_from_front(labels: Tensor, logits: Tensor, axis: int) -> Tensor:
    """Labels without those that count from the end; what is no place stays none."""
    if not labels.dtype.is_signed:
        return labels
    labels = _wide(labels)
    from_front: Tensor = Add()(labels, _classes(labels, logits, axis))
    counted: Tensor = Where()(Less()(labels, 0), from_front, labels)
    return counted


@formula(Sum, beside=(Multiply,))
def sum_of_one_hot_log_softmax(node: Node) -> Tensor | None:
    """sum(one_hot(t) * log_softmax(x), classes) -> -cross_entropy(x, t), 0 where t is no class"""
    op, product = node.op, node.inputs[0].node
    if not isinstance(op, Sum) or not isinstance(product.op, Multiply):
        return None
    for encoded, logs in (product.inputs, product.inputs[::-1]):
        labels, axis = encoded.node.inputs, logs.ndim - 1
        fits = encoded.shape == logs.shape and encoded.dtype is logs.dtype
        if not (isinstance(encoded.node.op, OneHot) and fits and op.axis[-1:] == (axis,)):
            continue
        if isinstance(logs.node.op, LogSoftmax) and logs.node.op.axis == axis:
            return _total(op, _one_hot_loss(logs.node.inputs[0], labels[0], axis))
    return None


def _one_hot_loss(logits: Tensor, labels: Tensor, axis: int) -> Tensor | None:
    """The cross entropy, 0 where labels are no classes; None for numbers that no int can hold."""
    if labels.dtype.bits == 64 and not labels.dtype.is_signed:
        return None
    labels = _wide(labels)
    below = Less()(labels, _classes(labels, logits, axis))
    known = LogicalAnd()(GreaterEqual()(labels, 0), below)
    ignored: Tensor = constant(NO_CLASS, labels.dtype)
    loss: Tensor = CrossEntropy(axis, 0.0, NO_CLASS)(logits, Where()(known, labels, ignored))
    return loss


def _total(op: Sum, loss: Tensor | None) -> Tensor | None:
    """What is left of a sum of ``-loss`` that ran over the axis of classes as well."""
    if loss is None:
        return None
    total: Tensor = Negative()(loss)
    others = op.axis[:-1]
    total = Sum(others, False)(total) if others else total
    return ExpandDims(op.axis)(total) if op.keepdims else total


def _wide(labels: Tensor) -> Tensor:
    """Labels in a signed dtype that holds them, and numbers of classes."""
    if labels.dtype.is_signed and labels.dtype.bits >= 32:
        return labels
    return astype(labels, int64 if labels.dtype.bits == 32 else int32)


def _classes(labels: Tensor, logits: Tensor, axis: int) -> Tensor:
    """Their number, in the dtype of the labels."""
    size = logits.shape[axis]
    if isinstance(size, int):
        return constant(size, labels.dtype)
    return astype(dim_size(size), labels.dtype)
