"""Ops from outside the package: their kernels, and packages that bring them.

An `asg.Op` subclass registers itself. With `decompose` it runs everywhere at once; a primitive, or
a composite that should be faster, gets a kernel here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.compiler.loader import when_loaded
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public

OPS_ENTRY_POINT_GROUP = "asg.ops"


@public
def register_kernel(
    op_class: type[Op], backend: str, function: Callable[..., Any] | None = None
) -> Any:
    """Give an op a kernel on a backend; usable as a decorator.

    The kernel is ``function(op, *arrays)`` and returns an array, or a tuple with one for each
    output, of exactly the types that ``op.infer`` says (checked). On "numpy" it gets NumPy arrays
    it must not write to; on "jax" traced JAX arrays. The backend is loaded only when it is used.

    Raises:
        OperandError: not an op class; or, when the backend loads, the op has a kernel there.

    >>> import asg, numpy as np
    >>> class TripleForDocs(asg.Op):
    ...     '''3 x.'''
    ...     def infer(self, x):
    ...         return x.require_float()
    ...     def vjp(self, inputs, outputs, cotangents):
    ...         return [TripleForDocs()(cotangents[0])]
    >>> @asg.register_kernel(TripleForDocs, "numpy")
    ... def triple(op, x):
    ...     return x * x.dtype.type(3)
    >>> x = asg.input("x", (2,))
    >>> asg.run(asg.grad(asg.sum(TripleForDocs()(x)), x), {x: [1.0, 2.0]}).tolist()
    [3.0, 3.0]
    >>> del asg.core.registry.OPS["triple_for_docs"]
    """
    if not (isinstance(op_class, type) and issubclass(op_class, Op)):
        raise OperandError(f"register_kernel takes an Op subclass, got {op_class!r}")
    if function is None:
        return lambda decorated: register_kernel(op_class, backend, decorated)
    chosen = function
    when_loaded(backend, lambda loaded: loaded.add_kernel(op_class, chosen))
    return function


@public
def load_plugins() -> list[str]:
    """Import every installed module that offers ops under the entry point group ``asg.ops``.

    Returns their names. Parsing a text that has such an op needs this first.
    """
    from importlib.metadata import entry_points  # slow to import, seldom needed

    points = sorted(entry_points(group=OPS_ENTRY_POINT_GROUP), key=lambda point: point.name)
    for point in points:
        point.load()
    return [point.name for point in points]
