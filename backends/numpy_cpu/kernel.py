"""What a NumPy kernel is, and the two tables that hold them.

A *kernel* is called once, when a program is bound: it receives the arrays its op will read and
write in every step and answers with the calls that compute one from the other. A *view* is
called once as well and answers with an array over the memory of its input; it costs nothing per
step. Kernels of one family of ops live in ``kernels/<family>.py``, named like the family in
`asg.ops`.

>>> def double(op, inputs, outputs, scratch):
...     return [(np.multiply, (inputs[0], 2, outputs[0]))]
>>> entry = Kernel(double, inplace=True)
>>> x = np.arange(3.0)
>>> [(function, args)] = entry.bind(None, [x], [x], np.empty)
>>> function(*args).tolist()
[0.0, 2.0, 4.0]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, cast

import numpy as np

from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.types import Shape, TensorType

Array: TypeAlias = np.ndarray[Any, Any]
Call: TypeAlias = tuple[Callable[..., object], tuple[Any, ...]]
"""Executed in each step as ``function(*args)``; nothing else happens per step."""


class Scratch(Protocol):
    """Gives a kernel C-contiguous memory that is its own while its calls run, and no longer."""

    def __call__(self, shape: Sequence[int], dtype: Any, /) -> Array:
        """An uninitialised array; every step finds in it what others have left there."""


Binder: TypeAlias = Callable[[Any, list[Array], list[Array], Scratch], list[Call]]
Viewer: TypeAlias = Callable[..., Array | None]
Accepts: TypeAlias = Callable[[Any, tuple[TensorType, ...]], bool]
Pairs: TypeAlias = tuple[tuple[int, int], ...]
InPlace: TypeAlias = bool | Pairs | Callable[[Any], Pairs]
Axes: TypeAlias = tuple[int, ...]
Orders: TypeAlias = Callable[[Any, list[Array]], Sequence[Axes | None]]
Order: TypeAlias = Literal["elementwise", "follows", "turned"] | Orders | None
B = TypeVar("B", bound=Binder)
V = TypeVar("V", bound=Viewer)


@dataclass(frozen=True, slots=True)
class Kernel:
    """One row of `KERNELS`; `kernel` describes the fields."""

    bind: Binder
    inplace: InPlace = False
    accepts: Accepts | None = None
    wants_scratch: bool = True  # False is a promise; it saves binding twice
    order: Order = None
    prefers_batch_innermost: bool = False

    def may_overwrite(self, output: int, operand: int, outputs: int) -> bool:
        """Whether output number ``output`` of ``outputs`` may share the memory of an operand."""
        if isinstance(self.inplace, bool):
            return self.inplace and outputs == 1
        return not callable(self.inplace) and (output, operand) in self.inplace

    def of(self, op: Op) -> Kernel:
        """The row for one op: pairs that its attributes decide are worked out."""
        return replace(self, inplace=self.inplace(op)) if callable(self.inplace) else self


KERNELS: dict[type[Op], Kernel] = {}
VIEWS: dict[type[Op], Viewer] = {}


def kernel(
    op_class: type[Op],
    *,
    inplace: InPlace = False,
    accepts: Accepts | None = None,
    wants_scratch: bool = True,
    order: Order = None,
    prefers_batch_innermost: bool = False,
) -> Callable[[B], B]:
    """Register ``function(op, inputs, outputs, scratch) -> list[Call]`` for an op.

    ``inputs`` may be views of any strides, and read-only; ``outputs`` hold garbage, and are
    C-contiguous unless ``order`` says something else. Nothing in the calls may allocate: write
    into ``outputs``, ask ``scratch`` for temporaries. The function itself is called more than once
    per compilation and must neither read nor write the arrays it gets, except to read those of
    constants.

    Args:
        op_class: the op; a class has one kernel.
        inplace: True promises, of a kernel with one output, that it is right even when the output
            is the same array as one or more inputs of its type: no input element is read after
            the output element at the same place was written. A tuple of (output, operand)
            positions promises it of these pairs only, all at once, the operands being distinct; a
            function of the op gives them where they depend on its attributes.
        accepts: ``(op, operand types) -> bool`` when the kernel serves only some cases; the others
            are decomposed. The types may still be symbolic.
        wants_scratch: False promises that the function asks for no scratch memory: it is then
            called once, which matters to kernels that compile a body.
        order: how outputs lie in memory (order.py). None: in C order. "elementwise": as an operand
            does, of an op that computes each element from those at the same place; the function
            gets all arrays transposed alike, so that outputs are C-contiguous. "follows": as an
            operand does, and the function is right for outputs of any strides. "turned": a matrix
            may lie with its axes exchanged, where everybody reads it like that. Else a function
            ``(op, inputs) -> axes, from the outermost inwards, of each output``, or None for C
            order; it sees the strides of the inputs, not their elements.
        prefers_batch_innermost: whether the first operand is read faster in that order.
    """

    def register(function: B) -> B:
        _refuse_second(op_class, KERNELS)
        KERNELS[op_class] = Kernel(
            function, inplace, accepts, wants_scratch, order, prefers_batch_innermost
        )
        return function

    return register


def view(op_class: type[Op]) -> Callable[[V], V]:
    """Register ``function(op, *inputs) -> array | None``: a view of the only input, or of none.

    None says that no view exists for these strides; then the kernel of the op, which it must
    have as well, makes a copy. A leaf (an op without inputs) answers with its constant value.
    """

    def register(function: V) -> V:
        _refuse_second(op_class, VIEWS)
        VIEWS[op_class] = function
        return function

    return register


def register_ufunc(
    op_class: type[Op], function: Callable[..., object], inplace: bool = True
) -> None:
    """Register the kernel of an elementwise op that is one call ``function(*inputs, output)``."""

    def bind(op: Op, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
        return [ufunc_call(function, *map(without_repeats, inputs), out=outputs[0])]

    _refuse_second(op_class, KERNELS)
    KERNELS[op_class] = Kernel(bind, inplace, wants_scratch=False, order="elementwise")


# NumPy reads a third positional argument of these two as a mistake, and warns.
_OUT_BY_NAME = (np.maximum, np.minimum)


def ufunc_call(function: Callable[..., object], *inputs: Any, out: Array) -> Call:
    """The call that writes ``function(*inputs)`` into ``out``."""
    if function in _OUT_BY_NAME:
        return partial(function, out=out), inputs
    return function, (*inputs, out)


def without_repeats(x: Array) -> Array:
    """One element where ``x`` repeats one by strides of zero: a scalar operand is read faster.

    >>> without_repeats(np.broadcast_to(np.array(2.0), (3, 4))).shape
    ()
    """
    if x.size and x.ndim and not any(x.strides):
        scalar: Array = x[(0,) * x.ndim + (...,)]
        return scalar
    return x


# NumPy 2.0 can only be asked afterwards whether it made a copy.
_WITHOUT_COPY: dict[str, Any] = {} if np.__version__.startswith("2.0.") else {"copy": False}


def reshaped_view(x: Array, shape: tuple[int, ...]) -> Array | None:
    """``x`` in another shape over the same memory, or None where its strides do not allow that."""
    try:
        reshaped: Array = np.reshape(x, shape, **_WITHOUT_COPY)
    except ValueError:
        return None
    return reshaped if np.may_share_memory(reshaped, x) else None


def constant_number(x: Array) -> Any | None:
    """The number that a constant operand has everywhere, else None.

    Constants, and they alone, come to kernels as read-only arrays.
    """
    if x.flags.writeable or not x.size or any(np.array(x.strides) * (np.array(x.shape) > 1)):
        return None
    return x[(0,) * x.ndim]


def static_shape(shape: Shape) -> tuple[int, ...]:
    """``shape`` with its type narrowed: kernels never see a symbolic size."""
    for size in shape:
        assert isinstance(size, int), f"symbolic size in {shape}"
    return cast("tuple[int, ...]", shape)


def _refuse_second(op_class: type[Op], table: dict[type[Op], Any]) -> None:
    if op_class in table:
        raise OperandError(f"op {op_class.name!r} has a NumPy kernel of this kind already")
