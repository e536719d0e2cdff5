"""Scan: a loop over the first axis, with carried values; and the loops made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, known_equal
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.node import next_serial
from asg.core.op import Op
from asg.core.region import (
    body_flops,
    body_input,
    close,
    made_outside,
    require_fits,
    surface_checks,
)
from asg.core.registry import public, service
from asg.core.tensor import Tensor
from asg.core.tree import flatten, map_tree
from asg.core.types import TensorType, TypeProblem, as_shape, require_equal
from asg.ops.own_sizes import near_root
from asg.ops.segments import in_root_segments, in_segments
from asg.ops.shape import AssumeShape

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]
Named = dict[str, Tensor]


class Scan(Op):
    """``carry, y[t] = body(carry, x[t], captured)`` for t = 0 ... length - 1.

    Operands: the first values of the carries, the stacked inputs, and what the body captures.
    Outputs: the last values of the carries, then the stacked y. ``reverse`` counts t down; x and
    y keep their places. With a length of 0 the carries come out as they went in.

    The gradient is a scan as well, in the other direction; see `asg.autodiff.loops`. With
    ``checkpoint`` it computes the body again and keeps nothing of a step but its carries. XLA
    compiles ``unroll`` steps in a row as one piece of code, 0: all of them; so for the gradient.
    """

    body: Graph
    length: Dim
    carries: int
    stacked: int
    reverse: bool = False
    checkpoint: bool = False
    unroll: int = 1
    category: ClassVar[str] = "control"

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        body = self.body
        self._require_counts(len(operands))
        for position, given in enumerate(operands):
            name, wanted = body.input_names[position], body.inputs[position].type
            if self.is_stacked(position):
                given = _element(name, given)
                length = operands[position].shape[0]
                require_equal(length, self.length, f"axis 0 of {name} is not the scan's length")
            require_fits(given, wanted, name)
        for name, before, after in zip(body.input_names, body.inputs[: self.carries],
                                       body.outputs, strict=False):  # fmt: skip
            require_fits(after.type, before.type, f"{name} as it comes out of the body")
        surface_checks(body)
        kept, stacked = body.outputs[: self.carries], body.outputs[self.carries :]
        elements = (tensor.type for tensor in stacked)
        return (
            *(tensor.type for tensor in kept),
            *(each.with_shape((self.length, *each.shape)) for each in elements),
        )

    def _require_counts(self, given: int) -> None:
        if given != len(self.body.inputs):
            raise TypeProblem(
                f"the body takes {len(self.body.inputs)} values, {given} are given",
                error=OperandError,
            )
        if not isinstance(self.unroll, int) or self.unroll < 0:
            raise TypeProblem(
                f"unroll is {self.unroll!r}, a number of steps is needed",
                "give an int of 1 or more, or True for all steps",
                OperandError,
            )

    def steps_together(self) -> int:
        """How many steps run as one piece, of a scan whose length is a number."""
        assert isinstance(self.length, int)
        return max(min(self.unroll or self.length, self.length), 1)

    def is_stacked(self, position: int) -> bool:
        """True for operands of which the body sees one element at a time."""
        return self.carries <= position < self.carries + self.stacked

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        wanted = tuple(tensor.dtype.is_float for tensor in inputs)
        return self.wanted_vjp(wanted, inputs, outputs, cotangents)

    def wanted_vjp(
        self, wanted: tuple[bool, ...], inputs: Tensors, outputs: Tensors, cotangents: Tensors
    ) -> Sequence[Cotangent]:
        built: list[Cotangent] = service("scan_vjp")(self, wanted, inputs, cotangents)
        return built

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return self.length * body_flops(self.body)


@public
def scan(
    function: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: Dim | str | None = None,
    reverse: bool = False,
    checkpoint: bool | int | str = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """``carry, y = function(carry, x)`` for every x of ``xs`` along axis 0; (last carry, all y).

    The function is called once, with placeholders, to build the body. Tensors it uses from outside
    are the same at every step, and have gradients like any operand.

    Args:
        function: from a carry like ``init`` and one element of ``xs`` to the next carry and a y.
        init: the first carry: a tensor, nested dicts, lists and tuples of them, or None.
        xs: what is run over, the same kinds; every tensor has the scan's length on axis 0.
        length: the number of steps; needed when ``xs`` is None. May be symbolic.
        reverse: run from the last element to the first; y keep the places of their x.
        checkpoint: how little the gradient keeps. False: all it reads of every step. True: the
            carries of every step; it computes the rest again. An int: the carries of every so many
            steps; it computes the steps between them again, a segment at a time. "sqrt": segments
            of the square root of the length, which need the least memory. Segments make the loop a
            scan over scans.
        unroll: run this many steps as one piece of code, True for all of them; so does the
            gradient. It takes longer to compile, and on XLA more is fused. On NumPy it changes
            nothing: the kernels of many steps always run in a row.

    Returns:
        The last carry, in the structure of ``init``, and y stacked along axis 0, in the structure
        the function returned (None for None).

    Raises:
        ShapeError, DtypeError: a carry changes its type; names the carry and both types.
        OperandError: the function returns another structure, nothing gives the length, or
            ``checkpoint`` or ``unroll`` is no number of steps.

    Source: the `scan` of JAX, https://docs.jax.dev/en/latest/_autosummary/jax.lax.scan.html.

    >>> import asg
    >>> x = asg.input("x", (4,))
    >>> total, partial = asg.scan(lambda c, x: (c + x, c + x), 0.0, x)
    >>> asg.run(partial, {x: [1.0, 2.0, 3.0, 4.0]}).tolist()
    [1.0, 3.0, 6.0, 10.0]
    """
    first, given = tensors_of("carry", init), tensors_of("x", xs)
    parts = {name: _element(name, tensor.type) for name, tensor in given.items()}
    size = _length(given, length)
    floor = next_serial()
    carry = {name: body_input(name, tensor.type) for name, tensor in first.items()}
    element = {name: body_input(name, part) for name, part in parts.items()}
    returned = function(refill(init, carry), refill(xs, element))
    after, y = _pair(returned)
    results = next_values(carry, tensors_of("carry", after), "the function")
    stacked = tensors_of("y", y)
    inputs = [*carry.values(), *element.values()]
    body, captured = close(inputs, results | stacked, made_outside(floor, inputs))
    op = Scan(body, size, len(carry), len(element), bool(reverse), checkpoint is True,
              steps_unrolled(unroll))  # fmt: skip
    outputs = _outputs(op, (*first.values(), *given.values(), *captured), checkpoint)
    return (
        refill(init, dict(zip(carry, outputs, strict=False))),
        refill(y, dict(zip(stacked, outputs[len(carry) :], strict=True))),
    )


def _outputs(op: Scan, operands: Tensors, checkpoint: bool | int | str) -> Tensors:
    """What the op gives, in the way that ``checkpoint`` says."""
    if isinstance(checkpoint, bool):
        return op.apply(*operands)
    if checkpoint == "sqrt":
        if isinstance(op.length, int):
            return in_segments(op, operands, near_root(op.length))
        return in_root_segments(op, operands)
    if not isinstance(checkpoint, int) or checkpoint < 1:
        raise TypeProblem(
            f"checkpoint is {checkpoint!r}",
            'give True, "sqrt", or the number of steps of a segment, 1 or more',
            OperandError,
        )
    return in_segments(op, operands, checkpoint)


def steps_unrolled(unroll: int | bool) -> int:
    """The attribute ``unroll`` for the argument of that name: 0 for True, 1 for False."""
    return int(not unroll) if isinstance(unroll, bool) else unroll


def _pair(returned: Any) -> tuple[Any, Any]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeProblem(
            f"the function returned {type(returned).__name__}, not (carry, y)",
            "return the next carry and what is to be stacked, or None for nothing",
            OperandError,
        )
    return returned


def _element(name: str, of: TensorType) -> TensorType:
    if of.ndim == 0:
        raise TypeProblem(f"{name} is {of}; a scan needs an axis to run along",
                          "use values that all steps share in the function directly")  # fmt: skip
    return of.with_shape(of.shape[1:])


def _length(given: Named, length: Dim | str | None) -> Dim:
    if length is not None:
        (size,) = as_shape((length,))
        return size
    if not given:
        raise TypeProblem("nothing gives the number of steps", "pass length=", OperandError)
    return next(iter(given.values())).shape[0]


# -- trees of tensors ---------------------------------------------------------------------------


def tensors_of(prefix: str, tree: Any) -> Named:
    """The leaves of a tree as tensors, by names such as ``carry.h``; none for None."""
    if tree is None:
        return {}
    named = flatten(tree).items()
    return {f"{prefix}.{name}" if name else prefix: as_tensor(leaf) for name, leaf in named}


def refill(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The structure of ``tree`` with these leaves, in order."""
    values = iter(tensors.values())
    return None if tree is None else map_tree(lambda _: next(values), tree)


def next_values(
    before: Named,
    after: Named,
    who: str,
    one: str = "as it goes in",
    other: str = "as it comes out",
) -> Named:
    """``after``, checked against ``before``: same names, same types, sizes spelled alike."""
    if before.keys() != after.keys():
        raise TypeProblem(
            f"{who} returns a carry of {', '.join(after) or 'nothing'}, "
            f"it gets {', '.join(before) or 'nothing'}",
            "return the carry in the structure it comes in",
            OperandError,
        )
    return {
        name: _respelled(name, value, after[name], one, other) for name, value in before.items()
    }


def _respelled(name: str, before: Tensor, after: Tensor, one: str, other: str) -> Tensor:
    if after.type == before.type:
        return after
    if after.dtype is before.dtype and after.ndim == before.ndim:
        pairs = zip(after.shape, before.shape, strict=True)
        if all(known_equal(a, b) is not False for a, b in pairs):
            return AssumeShape(before.shape)(after)
    raise TypeProblem(
        f"{name} is {before.type} {one} and {after.type} {other}",
        "make the types equal: cast, reshape or broadcast one of them",
    )
