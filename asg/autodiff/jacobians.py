"""Whole Jacobians and Hessians: one vjp per element of the output, as a scan."""

from __future__ import annotations

from typing import Any

from asg.autodiff.api import grad, vjp
from asg.core.convert import as_tensor
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.tree import map_tree
from asg.ops.compare import equal
from asg.ops.leaf import iota
from asg.ops.loops import scan
from asg.ops.shape import reshape


@public
def jacobian(output: Any, wrt: Any, *, allow_unused: bool = False) -> Any:
    """``d output / d wrt``, of shape ``output.shape + wrt.shape``, in the structure of ``wrt``.

    The vjp is written once, as the body of a scan over the elements of the output; so the graph
    is small, sizes may be symbolic, and the cost is one vjp per element. For a product with a
    vector use `vjp` or `jvp`, which cost one.

    Args:
        output: a floating tensor.
        wrt: a tensor or variable, or nested dicts, lists and tuples of them.
        allow_unused: zeros instead of an error for what the output does not depend on.

    Raises:
        UnreachedParameter, NotDifferentiable, DtypeError: as `grad`.

    >>> import asg
    >>> x = asg.input("x", (2,))
    >>> asg.run(asg.jacobian(x * x, x), {x: [3.0, 4.0]}).tolist()
    [[6.0, 0.0], [0.0, 8.0]]
    """
    target = as_tensor(output)
    size = target.type.size

    def row(_: None, place: Tensor) -> tuple[None, Any]:
        unit = equal(iota((size,)), place).astype(target.dtype)
        return None, vjp(target, reshape(unit, target.shape), wrt, allow_unused=allow_unused)

    _, rows = scan(row, None, iota((size,)))
    return map_tree(lambda leaf: reshape(leaf, (*target.shape, *leaf.shape[1:])), rows)


@public
def hessian(loss: Any, wrt: Any, *, allow_unused: bool = False) -> Any:
    """Second derivatives of a scalar loss: for every leaf a of ``wrt`` the Jacobian of d loss/d a.

    For a tensor of shape S the Hessian has shape S + S; for a tree it is a tree of trees. Where the
    gradient does not depend on a value the block is zero. For a product with a vector use `hvp`.

    Args:
        loss: a floating scalar.
        wrt: a tensor or variable, or nested dicts, lists and tuples of them.
        allow_unused: zeros instead of an error for what the loss does not depend on.

    >>> import asg
    >>> x = asg.input("x", (2,))
    >>> asg.run(asg.hessian(x[0] * x[0] * x[1], x), {x: [3.0, 4.0]}).tolist()
    [[8.0, 6.0], [6.0, 0.0]]
    """
    gradient = grad(loss, wrt, allow_unused=allow_unused)
    return map_tree(lambda each: jacobian(each, wrt, allow_unused=True), gradient)
