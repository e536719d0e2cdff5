"""The product of two operands with named axes, as a matrix product where axes are summed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from asg.core.dim import product
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.ops.linalg import matmul
from asg.ops.shape import ExpandDims, PermuteDims, Reshape

Named = tuple[Tensor, str]


def contracted(
    a: Tensor, a_term: str, b: Tensor, b_term: str, kept: Collection[str], wanted: str
) -> Named:
    """The product of two operands, summed over their common labels that are not ``kept``.

    Labels of one operand only must be kept. ``wanted`` is the order in which labels are best
    produced; the order that is produced comes with the result.
    """
    shared = [label for label in a_term if label in b_term]
    summed = "".join(label for label in shared if label not in kept)
    batch = _ordered([label for label in shared if label in kept], wanted)
    left = _ordered([label for label in a_term if label not in b_term], wanted)
    right = _ordered([label for label in b_term if label not in a_term], wanted)
    if not summed:
        return _multiplied(a, a_term, b, b_term, _ordered(batch + left + right, wanted))
    if batch and not left and not right:
        return _multiplied_and_summed(a, a_term, b, b_term, batch, summed)
    if left and right and _rank(right[0], wanted) < _rank(left[0], wanted):
        return _matrix_product((b, b_term), (a, a_term), batch, right, left, summed)
    return _matrix_product((a, a_term), (b, b_term), batch, left, right, summed)


def permuted(x: Tensor, term: str, wanted: str) -> Tensor:
    """x with its axes in the wanted order."""
    return x if term == wanted else PermuteDims(tuple(map(term.index, wanted)))(x)


def _ordered(labels: Iterable[str], wanted: str) -> str:
    """Labels in the order of ``wanted``; those it lacks come last, as they were."""
    return "".join(sorted(labels, key=lambda label: _rank(label, wanted)))


def _rank(label: str, wanted: str) -> int:
    return wanted.index(label) if label in wanted else len(wanted)


def _multiplied(a: Tensor, a_term: str, b: Tensor, b_term: str, term: str) -> Named:
    return call("multiply", _aligned(a, a_term, term), _aligned(b, b_term, term)), term


def _aligned(x: Tensor, term: str, wanted: str) -> Tensor:
    """x with the labels of ``wanted`` in order, those it lacks as axes of size 1."""
    x = permuted(x, term, "".join(label for label in wanted if label in term))
    missing = tuple(axis for axis, label in enumerate(wanted) if label not in term)
    leading = missing == tuple(range(len(missing)))
    return x if leading else ExpandDims(missing)(x)  # leading axes broadcast by themselves


def _multiplied_and_summed(
    a: Tensor, a_term: str, b: Tensor, b_term: str, batch: str, summed: str
) -> Named:
    """Many inner products: one pass over the elements instead of many tiny matrix products."""
    both, _ = _multiplied(a, a_term, b, b_term, batch + summed)
    axes = tuple(range(len(batch), len(batch + summed)))
    return call("sum", both, axes), batch


def _matrix_product(a: Named, b: Named, batch: str, left: str, right: str, summed: str) -> Named:
    """``a[batch, left, summed] @ b[batch, summed, right]``, each group of axes merged into one."""
    result = matmul(_grouped(a, batch, (left, summed)), _grouped(b, batch, (summed, right)))
    sizes = dict(zip(a[1] + b[1], a[0].shape + b[0].shape, strict=True))
    term = batch + left + right
    shape = tuple(sizes[label] for label in term)
    return result if result.shape == shape else Reshape(shape)(result), term


def _grouped(named: Named, batch: str, groups: tuple[str, str]) -> Tensor:
    """The axes ``batch``, then one axis for each group.

    Without ``batch`` an empty group has no axis: a vector multiplies as it is.
    """
    x = permuted(*named, batch + "".join(groups))
    shape, position = list(x.shape[: len(batch)]), len(batch)
    for group in groups:
        if group or batch:
            shape.append(product(x.shape[position : position + len(group)]))
        position += len(group)
    return x if x.shape == tuple(shape) else Reshape(tuple(shape))(x)
