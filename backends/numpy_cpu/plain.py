"""Plain functions as kernels: ``function(op, *arrays)`` returns its results, we copy them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.errors import KernelError
from asg.core.op import Op

from .kernel import Array, Call, Scratch, kernel


def register_function(op_class: type[Op], function: Callable[..., Any]) -> None:
    """Make a function that allocates its results the kernel of an op class."""

    def bind(op: Op, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
        guarded = [_read_only(array) for array in inputs]
        return [(_run, (op, function, guarded, outputs))]

    bind.__module__, bind.__qualname__ = function.__module__, function.__qualname__
    kernel(op_class)(bind)


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


def _run(
    op: Op, function: Callable[..., Any], inputs: list[Array], outputs: list[Array]
) -> None:
    results = function(op, *inputs)
    results = results if isinstance(results, tuple) else (results,)
    if len(results) != len(outputs):
        raise KernelError(f"the kernel of {op} gave {len(results)} results, not {len(outputs)}")
    for result, output in zip(results, outputs, strict=True):
        array = np.asarray(result)
        if array.shape != output.shape or array.dtype != output.dtype:
            raise KernelError(
                f"the kernel of {op} gave {array.dtype}{list(array.shape)}, but infer says "
                f"{output.dtype}{list(output.shape)}"
            )
        np.copyto(output, array)
