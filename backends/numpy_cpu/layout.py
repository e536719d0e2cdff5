"""Layouts: which value owns the memory of each value, and at which strides it is read there.

Views are found before any memory is placed, by asking the registered view functions with
*prototypes*: arrays of the right shape and strides over one piece of memory that nobody touches
(so the system never even provides it).
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from asg.core.dtype import DType
from asg.core.errors import GraphError, UnsupportedOp
from asg.core.explain import made_by
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType

from .kernel import KERNELS, VIEWS, Array, Axes, Kernel, static_shape
from .order import (
    batch_innermost,
    has_choice,
    inputs_batch_innermost,
    matrices_read_turned,
    output_orders,
)


class Layout(NamedTuple):
    """How one value lies in memory.

    Attributes:
        owner: the value whose memory it is; a value that is no view owns itself.
        whole: the bytes are exactly those of the owner, in C order.
        offset: bytes from the start of the owner's memory to the first element.
        constant: the array itself, for constants and their views; they need no place.
        placed: the value is computed into a part of its owner's memory; see gather.py.
        parts: the values that are computed into parts of this one's memory, which then is complete.
    """

    owner: Tensor
    whole: bool
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]
    constant: Array | None = None
    placed: bool = False
    parts: tuple[Tensor, ...] = ()

    def is_written(self, tensor: Tensor) -> bool:
        """Whether the node of ``tensor``, whose layout this is, has to write it."""
        written = self.placed or (self.owner is tensor and not self.parts)
        return written and self.constant is None

    def over(self, memory: Array, start: int) -> Array:
        """The array, when the owner starts at byte ``start`` of ``memory``."""
        if self.constant is not None:
            return self.constant
        return np.ndarray(self.shape, self.dtype, memory, start + self.offset, self.strides)

    def extent(self) -> tuple[int, int]:
        """First and last byte (excluded) that is read, counted from the start of the owner."""
        if 0 in self.shape:
            return self.offset, self.offset
        steps = [(n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)]
        low = self.offset + sum(step for step in steps if step < 0)
        high = self.offset + sum(step for step in steps if step > 0)
        return low, high + self.dtype.itemsize

    def same_places(self, other: Layout) -> bool:
        """Whether every element is at the same byte of its owner as that of ``other``."""
        if (self.offset, self.shape, self.dtype) != (other.offset, other.shape, other.dtype):
            return False
        steps = zip(self.shape, self.strides, other.strides, strict=True)
        return all(ours == theirs for size, ours, theirs in steps if size > 1)


Layouts = dict[Tensor, Layout]


def resolve_layouts(graph: Graph, inputs_as_given: bool = False) -> Layouts:
    """The layout of every value; ``inputs_as_given`` are in C order, whoever reads them."""
    prototypes = prototype_memory(graph)
    start = address_of(prototypes)
    moved: set[Tensor] = set() if inputs_as_given else inputs_batch_innermost(graph)
    turned = matrices_read_turned(graph)
    layouts: Layouts = {}
    for node in graph.nodes:
        if node.op.is_placeholder:
            order = batch_innermost(node.output.ndim) if node.output in moved else None
            layouts[node.output] = _own_layout(node.output, order)
            continue
        found = resolved_view(node, layouts, prototypes, start)
        if found is not None:
            layouts[node.output] = found
            continue
        operands = _operands(node, layouts, prototypes) if has_choice(node) else ()
        usual: Sequence[Axes | None] = (None,) * len(node.outputs)
        orders = output_orders(node, operands, turned) if operands else usual
        for tensor, order in zip(node.outputs, orders, strict=True):
            layouts[tensor] = _own_layout(tensor, order)
    return layouts


def _operands(node: Node, layouts: Layouts, memory: Array) -> list[Array]:
    return [layouts[tensor].over(memory, 0) for tensor in node.inputs]


def prototype_memory(graph: Graph) -> Array:
    """Memory as large as the largest value, for arrays that are looked at but never read."""
    return reserved_memory(largest_bytes(graph) + 1)


def largest_bytes(graph: Graph) -> int:
    """Of a value; once for each type, since most values share theirs with others."""
    kinds = {id(tensor.type): tensor for node in graph.nodes for tensor in node.outputs}
    return max(map(nbytes_of, kinds.values()), default=0)


_RESERVED_FROM = 1 << 20
_NORESERVE = 0x4000  # of Linux; Python's mmap names it from 3.13 on


def reserved_memory(nbytes: int) -> Array:
    """Addresses that get memory page by page when they are touched, thus none if they never are.

    Other systems than Linux may refuse more than there is.
    """
    if nbytes < _RESERVED_FROM or sys.platform != "linux":
        return np.empty(nbytes, np.uint8)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE
    try:
        return np.frombuffer(mmap.mmap(-1, nbytes, flags=flags), np.uint8)
    except (OSError, OverflowError):
        raise MemoryError(f"there are no {nbytes} bytes of addresses") from None


def nbytes_of(tensor: Tensor) -> int:
    """Bytes of a value of static shape."""
    return _row_major(tensor.type.dtype, tensor.type.shape)[0]


def kernel_of(node: Node) -> Kernel:
    """The kernel of a node, else UnsupportedOp."""
    entry = KERNELS.get(type(node.op))
    if entry is not None and (entry.accepts is None or entry.accepts(node.op, _types(node))):
        return entry
    listed = ", ".join(map(str, _types(node)))
    raise UnsupportedOp(
        f"backend 'numpy' has no kernel for {node.op} on ({listed}), "
        f"{made_by(node.outputs[0])}; lower the graph for this backend first, or register a "
        f"kernel: @kernel({type(node.op).__name__})"
    )


def _types(node: Node) -> tuple[TensorType, ...]:
    return tuple(tensor.type for tensor in node.inputs)


def _own_layout(tensor: Tensor, order: Axes | None) -> Layout:
    of = tensor.type
    shape = static_shape(of.shape)
    _, strides = _row_major(of.dtype, shape)
    usual = Layout(tensor, True, 0, shape, strides, of.dtype.numpy)
    if order is None:
        return usual
    _, steps = _row_major(of.dtype, tuple(shape[axis] for axis in order))
    by_axis = dict(zip(order, steps, strict=True))
    moved = usual._replace(strides=tuple(by_axis[axis] for axis in range(len(shape))))
    return usual if moved.same_places(usual) else moved._replace(whole=False)


@lru_cache(4096)  # a deep network repeats a few types thousands of times
def _row_major(dtype: DType, shape: Shape) -> tuple[int, tuple[int, ...]]:
    """Bytes and strides of an array in C order."""
    strides = []
    step = dtype.itemsize
    for size in reversed(static_shape(shape)):
        strides.append(step)
        step *= max(size, 1)
    return 0 if 0 in shape else step, tuple(reversed(strides))


def resolved_view(
    node: Node, layouts: Layouts, prototypes: Array, start: int
) -> Layout | None:
    """The layout of a constant, or of a view; None for what is neither.

    Views are asked with arrays over ``prototypes``, whose address is ``start``.
    """
    viewer = VIEWS.get(type(node.op))
    if viewer is None:
        return None
    sources = [layouts[tensor] for tensor in node.inputs]
    array = viewer(node.op, *_operands(node, layouts, prototypes))
    if array is None:
        return None
    _check_view(node, array)
    if not sources or sources[0].constant is not None:
        return Layout(node.output, True, 0, array.shape, array.strides, array.dtype, array)
    owner = sources[0].owner
    offset = address_of(array) - start if array.size else 0
    if not 0 <= offset < max(nbytes_of(owner), 1):
        raise GraphError(f"the view of {node.op} is no view of its input: it made a copy")
    whole = array.flags.c_contiguous and array.nbytes == nbytes_of(owner)
    return Layout(owner, whole, offset, array.shape, array.strides, array.dtype)


def _check_view(node: Node, array: Array) -> None:
    declared = node.output.type
    if array.shape != declared.shape or array.dtype != declared.dtype.numpy:
        raise GraphError(
            f"the view of {node.op} is {array.dtype}{list(array.shape)}, but infer says {declared}"
        )


def address_of(array: Array) -> int:
    """Of the first element."""
    return int(array.__array_interface__["data"][0])
