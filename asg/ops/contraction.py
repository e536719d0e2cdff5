"""Sums of products over named axes, taken apart into matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_operands, as_tensor, common_dtype
from asg.core.dim import Dim, product
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, require_equal
from asg.ops.diagonals import Diagonal, matrices
from asg.ops.einsum_pair import contracted, permuted
from asg.ops.einsum_path import contraction_order, product_term
from asg.ops.linalg import matmul
from asg.ops.shape import AssumeShape, Tensors, ordered_axes, squeeze

if TYPE_CHECKING:
    from asg.core.op import Cotangent


class Einsum(Op):
    """The sum of the product of all operands over every label that the result lacks.

    ``spec`` names the axes: "bqd,bkd->bqk" is ``y[b,q,k] = sum over d of x1[b,q,d] * x2[b,k,d]``.
    In this op no operand has a label twice, and every label stands in at least two of the
    operands and the result, so that each derivative is again such a sum. The function `einsum`
    brings every other spec to this form.
    """

    spec: str
    category: ClassVar[str] = "linalg"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, *operands: TensorType) -> TensorType:
        operands[0].require_numeric("operand 0")
        terms, result = self.labels(len(operands))
        sizes = label_sizes(terms, operands)
        return operands[0].with_shape(sizes[label] for label in result)

    def decompose(self, *operands: Tensor) -> Tensor:
        terms, result = self.labels(len(operands))
        sizes = label_sizes(terms, [operand.type for operand in operands])
        tensors = [_respelled(x, term, sizes) for x, term in zip(operands, terms, strict=True)]
        for i, j in contraction_order(terms, result, sizes):
            kept = frozenset(result).union(*(t for k, t in enumerate(terms) if k not in (i, j)))
            joined, term = contracted(tensors[i], terms[i], tensors[j], terms[j], kept, result)
            del tensors[j], tensors[i], terms[j], terms[i]  # i < j
            tensors.append(joined)
            terms.append(term)
        return permuted(tensors[0], terms[0], result)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        terms, result = self.labels(len(inputs))

        def rule(position: int) -> Cotangent:
            others = [k for k in range(len(inputs)) if k != position]
            spec = ",".join([result, *(terms[k] for k in others)]) + f"->{terms[position]}"
            return lambda: Einsum(spec)(cotangents[0], *(inputs[k] for k in others))

        return [rule(position) for position in range(len(inputs))]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """A multiplication, and where labels are summed an addition, for every combination.

        For the order in which `decompose` multiplies; it may differ between symbolic and literal
        sizes.
        """
        terms, result = self.labels(len(inputs))
        sizes = label_sizes(terms, inputs)
        total: Dim = 0
        for pair in contraction_order(terms, result, sizes):
            joined = product_term(terms, pair, result)
            both = set(terms[pair[0]] + terms[pair[1]])
            work = product(sizes[label] for label in sorted(both))
            total = total + (work if len(joined) == len(both) else 2 * work)
            terms = [term for k, term in enumerate(terms) if k not in pair] + [joined]
        return total

    def labels(self, count: int) -> tuple[list[str], str]:
        """The labels of every operand and of the result; checks what the class promises."""
        left, arrow, result = self.spec.partition("->")
        terms = left.split(",")
        if not arrow or len(terms) != count or count < 2:
            raise TypeProblem(f"spec {self.spec!r} for {count} operands", error=OperandError)
        for term in (*terms, result):
            if len(set(term)) != len(term):
                raise TypeProblem(f"{term!r} names an axis twice", error=OperandError)
        for label in set("".join(terms) + result):
            if sum(label in term for term in (*terms, result)) < 2:
                raise TypeProblem(f"label {label!r} stands in one place only", error=OperandError)
        return terms, result


def label_sizes(terms: Sequence[str], operands: Sequence[TensorType]) -> dict[str, Dim]:
    """One size for every label; TypeProblem where operands disagree."""
    sizes: dict[str, Dim] = {}
    for position, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        operand.require_ndim(len(term), f"operand {position} ({term!r})")
        for label, size in zip(term, operand.shape, strict=True):
            known = sizes.setdefault(label, size)
            sizes[label] = require_equal(known, size, f"label {label!r} has two sizes")
    return sizes


def _respelled(x: Tensor, term: str, sizes: dict[str, Dim]) -> Tensor:
    """x with its sizes spelled as those of its labels, checked when that cannot be decided."""
    shape = tuple(sizes[label] for label in term)
    return x if x.shape == shape else AssumeShape(shape)(x)


# -- functions ------------------------------------------------------------------------------


@public
def einsum(spec: str, *operands: Any) -> Tensor:
    """The sum of the product of all operands over every label that the result lacks.

    Args:
        spec: a label (letter) for every axis of every operand, separated by commas, then "->" and
            the labels of the result: "bqd,bkd->bqk". A label twice in one operand takes the
            diagonal; "..." stands for axes that broadcast; without "->" the result has the axes of
            "..." and then, in alphabetical order, the labels that stand once.
        operands: numeric tensors, as many as the spec names.

    An axis of literal size 1 stretches to the size that its label has elsewhere. Operands are
    multiplied pair by pair, the cheapest pair first, as matrix products.

    Raises:
        OperandError: the spec is not well formed, or is for another number of operands.
        ShapeError: a label has two sizes.

    >>> import asg
    >>> q, k = asg.input("q", ("batch", 5, 8)), asg.input("k", ("batch", 7, 8))
    >>> asg.einsum("bqd,bkd->bqk", q, k).shape
    (Dim('batch'), 5, 7)
    """
    tensors = _promoted(operands)
    terms, result = parse_spec(spec, [tensor.ndim for tensor in tensors])
    pairs = [_without_repeats(x, term) for x, term in zip(tensors, terms, strict=True)]
    pairs = _without_stretched(pairs)
    pairs = [_without_lonely(i, pairs, result) for i in range(len(pairs))]
    if len(pairs) == 1:
        return permuted(*pairs[0], result)
    return Einsum(f"{','.join(term for _, term in pairs)}->{result}")(*(x for x, _ in pairs))


Pairs = list[tuple[Tensor, str]]


def _promoted(operands: tuple[Any, ...]) -> Tensors:
    if not operands:
        raise TypeProblem("no operands given", "give one for every term of the spec", OperandError)
    tensors = as_operands(Einsum(""), operands)
    dtype = common_dtype(tensors)
    for tensor in tensors:
        tensor.type.require_numeric("an operand")
    return tuple(
        tensor if tensor.dtype is dtype else call("astype", tensor, dtype) for tensor in tensors
    )


def _without_repeats(x: Tensor, term: str) -> tuple[Tensor, str]:
    """x with the diagonal taken of every label that stands twice."""
    for label in dict.fromkeys(term):
        while term.count(label) > 1:
            first, last = term.index(label), term.rindex(label)
            x = Diagonal()(matrices(x, first, last))  # its axis comes last
            term = term[:first] + term[first + 1 : last] + term[last + 1 :] + label
    return x, term


def _without_stretched(pairs: Pairs) -> Pairs:
    """Axes of size 1 dropped where another operand has the size of their label."""
    larger = {
        label for x, term in pairs for label, size in zip(term, x.shape, strict=True) if size != 1
    }
    result: Pairs = []
    for x, term in pairs:
        axes = [i for i, (label, size) in enumerate(zip(term, x.shape, strict=True))
                if size == 1 and label in larger]  # fmt: skip
        kept = "".join(label for i, label in enumerate(term) if i not in axes)
        result.append((squeeze(x, tuple(axes)) if axes else x, kept))
    return result


def _without_lonely(position: int, pairs: Pairs, result: str) -> tuple[Tensor, str]:
    """The operand summed over the labels that neither another one nor the result has."""
    x, term = pairs[position]
    others = result + "".join(other for i, (_, other) in enumerate(pairs) if i != position)
    axes = tuple(axis for axis, label in enumerate(term) if label not in others)
    if not axes:
        return x, term
    return call("sum", x, axes), "".join(label for label in term if label in others)


def parse_spec(spec: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """The labels of every operand and of the result, one letter for each axis.

    >>> parse_spec("...ij, ...jk", [3, 2])
    (['Zij', 'jk'], 'Zik')
    """
    left, arrow, right = spec.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise _malformed(spec, f"names {len(terms)} operands, {len(ndims)} are given")
    spare = [letter for letter in reversed(ascii_letters) if letter not in spec]
    hidden = [_hidden_axes(spec, term, ndim) for term, ndim in zip(terms, ndims, strict=True)]
    if max(hidden) > len(spare):
        raise _malformed(spec, f"needs more than {len(ascii_letters)} labels")
    spelled = [
        term.replace("...", "".join(spare[:count][::-1]))
        for term, count in zip(terms, hidden, strict=True)
    ]
    stretched = "".join(spare[: max(hidden)][::-1])
    if not arrow:
        return spelled, _implied_result(spelled, stretched)
    return spelled, _stated_result(spec, spelled, right, stretched)


def _hidden_axes(spec: str, term: str, ndim: int) -> int:
    """How many axes "..." stands for in a term."""
    labels = _labels_of(spec, term)
    count = ndim - len(labels)
    if count < 0 or (count and "..." not in term):
        raise _malformed(spec, f"has {len(labels)} labels in {term!r} for {ndim} axes")
    return count


def _labels_of(spec: str, term: str) -> str:
    labels = term.replace("...", "", 1)
    wrong = next((label for label in labels if label not in ascii_letters), None)
    if wrong is not None:
        raise _malformed(spec, f"has {wrong!r} in {term!r}")
    return labels


def _implied_result(terms: list[str], stretched: str) -> str:
    labels = "".join(terms)
    once = sorted(label for label in set(labels) if labels.count(label) == 1)
    return stretched + "".join(label for label in once if label not in stretched)


def _stated_result(spec: str, terms: list[str], result: str, stretched: str) -> str:
    labels = _labels_of(spec, result)
    if stretched and "..." not in result:
        raise _malformed(spec, "has axes under '...' that the result lacks")
    for label in labels:
        if not any(label in term for term in terms):
            raise _malformed(spec, f"has the label {label!r} in the result only")
    if len(set(labels)) != len(labels):
        raise _malformed(spec, "names an axis of the result twice")
    return result.replace("...", stretched)


def _malformed(spec: str, problem: str) -> TypeProblem:
    return TypeProblem(
        f"spec {spec!r} {problem}",
        "write one letter for each axis, as in 'bij,bjk->bik'; '...' stands for any others",
        OperandError,
    )


@public
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Tensor:
    """The sum of products over several axes at once; the kept axes of x1 come first.

    Args:
        x1: a numeric tensor.
        x2: a numeric tensor.
        axes: how many last axes of x1 and first axes of x2 are summed, or two sequences that
            pair axes of x1 with axes of x2.

    >>> import asg
    >>> asg.tensordot(asg.input("x", (2, 3, 5)), asg.input("y", (5, 3, 7)), ((1, 2), (1, 0))).shape
    (2, 7)
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    left, right = _paired_axes(x1, x2, axes)
    labels = iter(ascii_letters)
    term1 = "".join(next(labels) for _ in range(x1.ndim))
    paired = dict(zip(right, (term1[axis] for axis in left), strict=True))
    term2 = "".join(paired[axis] if axis in paired else next(labels) for axis in range(x2.ndim))
    kept = [label for label in term1 + term2 if (label in term1) != (label in term2)]
    return Einsum(f"{term1},{term2}->{''.join(kept)}")(x1, x2)


def _paired_axes(x1: Tensor, x2: Tensor, axes: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if isinstance(axes, int):
        if not 0 <= axes <= min(x1.ndim, x2.ndim):
            raise TypeProblem(f"{axes} axes cannot be summed: x1 has {x1.ndim}, x2 has {x2.ndim}")
        return tuple(range(x1.ndim - axes, x1.ndim)), tuple(range(axes))
    if not isinstance(axes, tuple | list) or len(axes) != 2:
        raise TypeProblem(
            f"axes {axes!r} do not pair axes", "give a number, or (axes of x1, axes of x2)",
            OperandError,
        )  # fmt: skip
    left, right = ordered_axes(axes[0], x1.ndim), ordered_axes(axes[1], x2.ndim)
    if len(left) != len(right):
        raise TypeProblem(f"axes {axes} pair {len(left)} axes with {len(right)}")
    return left, right


@public
def dot(x1: Any, x2: Any) -> Tensor:
    """NumPy's dot: sums over the last axis of x1 and the last but one of x2.

    Of a vector x2 the only axis is meant; a scalar multiplies; all other axes are kept, those of
    x1 first (`matmul` broadcasts them instead).

    >>> import asg
    >>> asg.dot(asg.input("x", (2, 3, 5)), asg.input("y", (4, 5, 6))).shape
    (2, 3, 4, 6)
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    if x1.ndim == 0 or x2.ndim == 0:
        return call("multiply", x1, x2)
    if x2.ndim <= 2:
        return matmul(x1, x2)
    return tensordot(x1, x2, ((-1,), (-2,)))
