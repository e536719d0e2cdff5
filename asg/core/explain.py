"""Turn a TypeProblem into the message a user reads: what, where, why, what to do next."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from asg.core.dim import Dim
from asg.core.errors import AsgError, DtypeError
from asg.core.origin import short_path, user_location
from asg.core.types import TypeProblem

if TYPE_CHECKING:
    from asg.core.node import Node
    from asg.core.tensor import Tensor

_CHAIN_LIMIT = 8


def explained(
    problem: TypeProblem,
    function: Callable[..., Any],
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
) -> AsgError:
    """The error for a problem met inside a public function called with these arguments."""
    names = list(inspect.signature(function).parameters)
    args = list(args)
    labels = names[: len(args)] + [f"#{i}" for i in range(len(names), len(args))]
    return explain(problem, function.__name__, [*zip(labels, args, strict=True), *kwargs.items()])


def retold(
    error: AsgError, function: Callable[..., Any], args: Iterable[Any], kwargs: Mapping[str, Any]
) -> AsgError:
    """An error that passes through a public function, as the user who called that reads it.

    One in plain words ("what; what to do") is explained. One that an inner function or op has
    explained gets the name of the function that stands on the user's line in front.
    """
    name = function.__name__
    if not error.title:
        what, _, advice = str(error).partition("; ")
        return explained(TypeProblem(what, advice, type(error)), function, args, kwargs)
    if error.title == name or error.place != user_location():
        return error
    inner = error.inner or str(error)
    return _marked(type(error)(f"{name}: {inner}"), name, error.place, inner)


def _marked(error: AsgError, title: str, place: object, inner: str = "") -> AsgError:
    error.title, error.place, error.inner = title, place, inner
    return error


def explain(problem: TypeProblem, title: str, operands: Iterable[tuple[str, Any]]) -> AsgError:
    """One message: the mistake, each operand with type and birth line, size chains, repair."""
    lines = [f"{title}: {problem.what}"]
    tensors = [(name, value) for name, value in _flat(operands) if _is_tensor(value)]
    for name, value in tensors:
        lines.append(f"  {name}: {value.type}  {made_by(value)}")
    for size in dict.fromkeys(problem.sizes):
        chain = next((c for _, value in tensors if (c := size_chain(value, size))), "")
        if chain:
            lines.append(f"  {size} is {chain}")
    location = user_location()
    if location is not None:
        lines.append(f"  at {location}")
    lines.append(f"  repair: {problem.advice or _advice(problem, title)}")
    return _marked(problem.error("\n".join(lines)), title, location)


def _advice(problem: TypeProblem, title: str) -> str:
    """What to do about a problem that does not say it itself."""
    if len(problem.sizes) > 1:
        return "make the sizes fit: reshape, slice or pad the operand that is not as meant"
    if issubclass(problem.error, DtypeError):
        return "cast the operand with astype"
    return f"see what the documentation of {title} allows"


def _flat(operands: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    for name, value in operands:
        if isinstance(value, list | tuple):
            yield from ((f"{name}[{i}]", item) for i, item in enumerate(value))
        else:
            yield name, value


def _is_tensor(value: object) -> bool:
    return hasattr(value, "node") and hasattr(value, "type")


def made_by(tensor: Tensor) -> str:
    """``made by matmul at model.py:12 in forward`` or ``input 'x' at ...``."""
    node = tensor.node
    location = node.origin.location
    where = f" at {short_path(location.file)}:{location.line}" if location else ""
    scope = f" [{node.origin.scope}]" if node.origin.scope else ""
    return f"{describe_maker(node)}{where}{scope}"


def describe_maker(node: Node) -> str:
    """``input 'x'``, ``parameter 'fc1.weight'`` or ``made by matmul``."""
    label = node.op.leaf_label()
    return label if label else f"made by {node.op.name}"


def size_chain(tensor: Tensor, size: Dim) -> str:
    """How ``size`` came into ``tensor``: ``y axis 1 = w axis 1 = ...`` back to a leaf.

    Follows, at each node, the first operand that has the same size, on the same axis counted
    from the end when possible.
    """
    if size not in tensor.type.shape:
        return ""
    parts: list[str] = []
    current: Tensor | None = tensor
    axis = _axis_of(tensor, size, None)
    while current is not None and len(parts) < _CHAIN_LIMIT:
        parts.append(f"axis {axis} of {_short_name(current)}")
        current, axis = _same_size_in_operands(current, size, axis)
    return " = ".join(parts)


def _short_name(tensor: Tensor) -> str:
    node = tensor.node
    location = node.origin.location
    where = f" ({short_path(location.file)}:{location.line})" if location else ""
    return f"{node.op.leaf_label() or node.op.name}{where}"


def _axis_of(tensor: Tensor, size: Dim, from_end: int | None) -> int:
    shape = tensor.type.shape
    if from_end is not None and from_end <= len(shape) and shape[-from_end] == size:
        return len(shape) - from_end
    return shape.index(size)


def _same_size_in_operands(tensor: Tensor, size: Dim, axis: int) -> tuple[Tensor | None, int]:
    from_end = len(tensor.type.shape) - axis
    for operand in tensor.node.inputs:
        if size in operand.type.shape:
            return operand, _axis_of(operand, size, from_end)
    return None, 0
