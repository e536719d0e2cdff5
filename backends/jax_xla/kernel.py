"""The table from op class to JAX function, and the decorator that fills it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from asg.core.errors import OperandError
from asg.core.op import Op

Kernel = Callable[..., Any]
"""``function(op, *arrays)``: a JAX array, or a tuple with one for each output of the op."""

K = TypeVar("K", bound=Kernel)

KERNELS: dict[type[Op], Kernel] = {}
ORDERED: dict[type[Op], Kernel] = {}
"""Kernels for values whose axes are held in another order (see order.py).

Of windows: ``function(op, spatial, *arrays)`` with the places of the axes that windows move along.
Of convolutions: `kernels.convolution.conv_ordered`.
"""


def kernel(*op_classes: type[Op]) -> Callable[[K], K]:
    """Register the JAX function of one or more op classes.

    The function gets the op and one traced JAX array per operand and returns the output, or a
    tuple of them, with exactly the dtype and shape that ``op.infer`` gives: the walk over the
    graph checks it. It must not promote (in 64-bit graphs ``jnp.sum`` of int32 is int64 unless a
    dtype is given) and sees no symbolic size. Bodies of control-flow ops are run with
    ``walk.run_graph(body, arrays)``.

    Raises:
        OperandError: the op class has a kernel already.
    """

    def register(function: K) -> K:
        for op_class in op_classes:
            known = KERNELS.get(op_class)
            if known is not None and not _same(known, function):
                raise OperandError(f"op {op_class.name!r} has two JAX kernels")
            KERNELS[op_class] = function
        return function

    return register


def _same(one: Kernel, other: Kernel) -> bool:
    """A module that is reloaded may define its kernels again."""
    return (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__)
