"""AssociativeScan: all running results of an associative function, in logarithmic depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, free_symbols, substitute, symbol
from asg.core.dtype import bool_
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.node import next_serial
from asg.core.op import Op
from asg.core.region import (
    body_flops,
    body_input,
    close,
    inline,
    made_outside,
    require_fits,
    surface_checks,
)
from asg.core.registry import public, service
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axis, require_equal
from asg.ops.branches import cond
from asg.ops.join import concat, flip, stack
from asg.ops.leaf import constant, zeros
from asg.ops.loops import next_values, refill, scan, tensors_of
from asg.ops.operand import respelled
from asg.ops.own_sizes import fresh_size
from asg.ops.shape import expand_dims, moveaxis, reshape, squeeze
from asg.ops.slicing import Slice

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]
Combine = Callable[[Tensors, Tensors], Tensors]


class AssociativeScan(Op):
    """``y[0] = x[0]``, ``y[t] = body(y[t - 1], x[t], captured)`` along ``axis``; body associative.

    Operands: the ``elements`` tensors of x, then what the body captures. The body takes slices of y
    and slices of x, whose size along the axis is ``size``, a size of the op's own: it treats that
    many pairs at a time. With ``reverse`` the scan begins at the end.

    As soon as the length is a number, the op is replaced by a tree of about two applications of the
    body per doubling of the length, in which everything along the axis is done at once (Blelloch,
    1990, "Prefix sums and their applications"). The gradient by a literal length is that of the
    tree, by a symbolic one a scan against the direction; see `asg.autodiff.associative_scans`. The
    cost in flops is that of one step after the other.
    """

    body: Graph
    size: str
    elements: int
    axis: int
    reverse: bool = False
    category: ClassVar[str] = "control"

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        count, body = self.elements, self.body
        if len(operands) + count != len(body.inputs) or not count:
            raise TypeProblem(
                f"the body takes {len(body.inputs)} values, x and two times {count} of them among "
                f"these; {len(operands)} are given",
                error=OperandError,
            )
        length = operands[0].shape[self.axis]
        pairs = [*(_sliced(each, self.axis, self.size) for each in operands[:count])]
        for i, given in enumerate(operands[:count]):
            require_equal(given.shape[self.axis], length, f"x{i} and x0 differ on the axis")
            require_fits(body.outputs[i].type, pairs[i], "what the function returns")
        given_all = [*pairs, *pairs, *operands[count:]]
        for name, given, wanted in zip(body.input_names, given_all, body.inputs, strict=True):
            require_fits(given, wanted.type, name)
        _require_free(body, self.size)
        surface_checks(body)
        return operands[:count]

    def own_sizes(self) -> tuple[str, ...]:
        return (self.size,)

    def decompose(self, *operands: Tensor) -> Tensors:
        length = operands[0].shape[self.axis]
        return self._tree(operands) if isinstance(length, int) else self._one_by_one(operands)

    def settle(self, *operands: Tensor) -> Tensors | None:
        return self._tree(operands) if isinstance(operands[0].shape[self.axis], int) else None

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        wanted = tuple(tensor.dtype.is_float for tensor in inputs)
        return self.wanted_vjp(wanted, inputs, outputs, cotangents)

    def wanted_vjp(
        self, wanted: tuple[bool, ...], inputs: Tensors, outputs: Tensors, cotangents: Tensors
    ) -> Sequence[Cotangent]:
        rule = service("associative_scan_vjp")
        built: list[Cotangent] = rule(self, wanted, inputs, outputs, cotangents)
        return built

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        length = inputs[0].shape[self.axis]
        return length * substitute(body_flops(self.body), {self.size: 1})

    def _combine(self, captured: Tensors) -> Combine:
        """The body for slices of literal sizes."""

        def combine(a: Tensors, b: Tensors) -> Tensors:
            number = a[0].shape[self.axis]
            return inline(service("specialise")(self.body, {self.size: number}),
                          (*a, *b, *captured))  # fmt: skip

        return combine

    def _tree(self, operands: Tensors) -> Tensors:
        xs, captured = operands[: self.elements], operands[self.elements :]
        turned = tuple(flip(x, self.axis) for x in xs) if self.reverse else xs
        found = _prefixes(turned, self.axis, self._combine(captured))
        return tuple(flip(y, self.axis) for y in found) if self.reverse else found

    def _one_by_one(self, operands: Tensors) -> Tensors:
        xs, captured = operands[: self.elements], operands[self.elements :]
        combine = self._combine(captured)
        rows = tuple(moveaxis(x, self.axis, 0) for x in xs)
        shapes = [row.shape[1:] for row in rows]

        def joined(before: Tensors, row: Tensors) -> Tensors:
            thick = [tuple(expand_dims(x, self.axis) for x in each) for each in (before, row)]
            return tuple(squeeze(y, self.axis) for y in combine(*thick))

        def step(carry: Any, row: Tensors) -> Any:
            begun, before = carry
            y = cond(begun, lambda: joined(before, row), lambda: row)
            return (constant(True, bool_), y), y

        nothing = tuple(zeros(s, x.dtype) for s, x in zip(shapes, xs, strict=True))
        start = (constant(False, bool_), nothing)
        found: Tensors = scan(step, start, rows, reverse=self.reverse)[1]
        moved = [moveaxis(y, 0, self.axis) for y in found]
        return tuple(respelled(y, x.shape) for y, x in zip(moved, xs, strict=True))


def _sliced(of: TensorType, axis: int, size: str) -> TensorType:
    """The type of a slice of any size along the axis."""
    if size in free_symbols(of.shape):
        raise TypeProblem(f"the size {size!r} is the op's own; x may not have it")
    return of.with_shape((*of.shape[:axis], symbol(size), *of.shape[axis + 1 :]))


def _require_free(body: Graph, size: str) -> None:
    """TypeProblem when the body takes its own size for another one: it must work for any."""
    for check in body.checks:
        if size in free_symbols((check.left, check.right)):
            raise TypeProblem(
                f"the function works only if {check.left} {check.relation} {check.right}, where "
                f"{size} is the size of the slices it gets ({check.reason})",
                "treat every place along the axis alike: slices of any size must do",
            )


def _prefixes(xs: Tensors, axis: int, combine: Combine) -> Tensors:
    """Running results: those at odd places are the running results of neighbours combined."""
    length = xs[0].shape[axis]
    assert isinstance(length, int)
    if length < 2:
        return xs
    first, second = _every_other(xs, axis, 0, length - 1), _every_other(xs, axis, 1, length)
    odd = _prefixes(combine(first, second), axis, combine)
    even = tuple(Slice.along(axis, 0, 1, x) for x in xs)
    if length > 2:
        before = tuple(Slice.along(axis, 0, (length - 1) // 2, y) for y in odd)
        later = combine(before, _every_other(xs, axis, 2, length))
        even = tuple(concat(pair, axis) for pair in zip(even, later, strict=True))
    return tuple(_interleaved(a, b, axis) for a, b in zip(even, odd, strict=True))


def _every_other(xs: Tensors, axis: int, start: int, stop: int) -> Tensors:
    return tuple(_stepped(x, axis, start, stop) for x in xs)


def _stepped(x: Tensor, axis: int, start: int, stop: int) -> Tensor:
    starts: list[Dim] = [0] * x.ndim
    stops, steps = list(x.shape), [1] * x.ndim
    starts[axis], stops[axis], steps[axis] = start, stop, 2
    return Slice(tuple(starts), tuple(stops), tuple(steps))(x)


def _interleaved(even: Tensor, odd: Tensor, axis: int) -> Tensor:
    """``even[0], odd[0], even[1], ...``; there may be one more of the even ones."""
    count = odd.shape[axis]
    pairs = stack([Slice.along(axis, 0, count, even), odd], axis + 1)
    merged = reshape(pairs, (*odd.shape[:axis], 2 * count, *odd.shape[axis + 1 :]))
    if even.shape[axis] == count:
        return merged
    return concat([merged, Slice.along(axis, count, even.shape[axis], even)], axis)


@public
def associative_scan(
    function: Callable[[Any, Any], Any], xs: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """All running results: ``y[0] = x[0]``, ``y[1] = f(x[0], x[1])``, ``y[2] = f(y[1], x[2])``...

    The function must be associative, f(a, f(b, c)) = f(f(a, b), c): the results are then computed
    in logarithmic depth, along the whole axis at once.

    Args:
        function: of two values in the structure of ``xs``, returning a third. It is called once. It
            does not get single elements but slices of ``xs`` (and of running results) that keep the
            axis, of a symbolic size m: of a matrix product of ``xs`` f32[t, 2, 2], both are
            f32[m, 2, 2]. It must treat every place along the axis alike, for any m. Tensors it uses
            from outside are the same everywhere, and have gradients.
        xs: a tensor, or nested dicts, lists and tuples of them, of equal size on the axis.
        reverse: run from the last element to the first; the last y is the last x, and f gets the
            result so far, of what comes behind, as its first value.
        axis: along which axis of every tensor; negative ones count from the end.

    Returns:
        The running results, in the structure and of the types of ``xs``.

    Raises:
        ShapeError, DtypeError: the function changes a type, needs slices of one size, or ``xs``
            differ on the axis.
        OperandError: ``xs`` is empty, or the function returns another structure.

    Source: the `associative_scan` of JAX,
    https://docs.jax.dev/en/latest/_autosummary/jax.lax.associative_scan.html.

    >>> import asg
    >>> x = asg.input("x", (4,))
    >>> y = asg.associative_scan(lambda a, b: a * b, x)
    >>> asg.run(y, {x: [1.0, 2.0, 3.0, 4.0]}).tolist()
    [1.0, 2.0, 6.0, 24.0]
    """
    given = tensors_of("x", xs)
    if not given:
        raise TypeProblem("there is nothing to scan", "pass a tensor", OperandError)
    places = {name: normalize_axis(axis, x.ndim, "axis") for name, x in given.items()}
    (place, *others) = dict.fromkeys(places.values())
    if others:
        raise TypeProblem(
            f"axis {axis} is axis {place} of one tensor and {others[0]} of another",
            "count the axis from the front",
        )
    floor = next_serial()
    size = fresh_size("pairs", given.values(), ())
    types = {name: _sliced(tensor.type, place, size) for name, tensor in given.items()}
    first = {name: body_input(f"a{name[1:]}", each) for name, each in types.items()}
    second = {name: body_input(f"b{name[1:]}", each) for name, each in types.items()}
    returned = tensors_of("x", function(refill(xs, first), refill(xs, second)))
    results = next_values(first, returned, "the function")
    leaves = [*first.values(), *second.values()]
    body, captured = close(leaves, results, made_outside(floor, leaves))
    op = AssociativeScan(body, size, len(given), place, bool(reverse))
    outputs = op.apply(*(as_tensor(x) for x in given.values()), *captured)
    return refill(xs, dict(zip(given, outputs, strict=True)))
