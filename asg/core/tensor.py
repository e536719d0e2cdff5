"""Tensor: one output of a node, and the handle users write programs with.

Operators and methods are one line each: they look the op up by name (core/registry.py). The
methods live in :class:`TensorMethods` so that a Variable offers the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from asg.core.dim import Dim
from asg.core.dtype import DType
from asg.core.errors import NotRunYet
from asg.core.registry import call, service
from asg.core.types import TensorType

if TYPE_CHECKING:
    from asg.core.node import Node

Axis = int | tuple[int, ...] | list[int] | None


class TensorMethods:
    """Operators and methods shared by tensors and variables; names follow the Array API."""

    __slots__ = ()
    __array_priority__ = 1000
    __array_ufunc__ = None  # so that `array * tensor` asks the tensor
    type: TensorType

    # -- facts -----------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[Dim, ...]:
        """Sizes, each an int or a symbolic Dim."""
        return self.type.shape

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.type.shape)

    @property
    def size(self) -> Dim:
        """Number of elements."""
        return self.type.size

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        """The module whose functions work on tensors (Array API)."""
        return service("array_namespace")(api_version)

    # -- arithmetic ------------------------------------------------------------------------

    def __add__(self, other: Any) -> Tensor:
        return call("add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return call("add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return call("subtract", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return call("subtract", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return call("multiply", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return call("multiply", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return call("divide", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return call("divide", other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return call("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return call("floor_divide", other, self)

    def __mod__(self, other: Any) -> Tensor:
        return call("remainder", self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return call("remainder", other, self)

    def __pow__(self, other: Any) -> Tensor:
        return call("pow", self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return call("pow", other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return call("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return call("matmul", other, self)

    def __neg__(self) -> Tensor:
        return call("negative", self)

    def __pos__(self) -> Tensor:
        return call("positive", self)

    def __abs__(self) -> Tensor:
        return call("abs", self)

    # -- comparison and logic (== stays identity: tensors are dictionary keys) -----------------

    def __eq__(self, other: object) -> bool:
        """Identity. Against numbers and arrays, where that is never meant, an error."""
        if self is other:
            return True
        number = isinstance(other, bool | int | float) or hasattr(other, "__array__")
        if number and not isinstance(other, TensorMethods):
            _not_run_yet("compare a tensor with numbers by == or !=", "use asg.equal")
        return False

    __hash__ = object.__hash__

    def __lt__(self, other: Any) -> Tensor:
        return call("less", self, other)

    def __le__(self, other: Any) -> Tensor:
        return call("less_equal", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return call("greater", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return call("greater_equal", self, other)

    def __and__(self, other: Any) -> Tensor:
        return call("bitwise_and", self, other)

    def __rand__(self, other: Any) -> Tensor:
        return call("bitwise_and", other, self)

    def __or__(self, other: Any) -> Tensor:
        return call("bitwise_or", self, other)

    def __ror__(self, other: Any) -> Tensor:
        return call("bitwise_or", other, self)

    def __xor__(self, other: Any) -> Tensor:
        return call("bitwise_xor", self, other)

    def __rxor__(self, other: Any) -> Tensor:
        return call("bitwise_xor", other, self)

    def __invert__(self) -> Tensor:
        return call("bitwise_invert", self)

    def __lshift__(self, other: Any) -> Tensor:
        return call("bitwise_left_shift", self, other)

    def __rlshift__(self, other: Any) -> Tensor:
        return call("bitwise_left_shift", other, self)

    def __rshift__(self, other: Any) -> Tensor:
        return call("bitwise_right_shift", self, other)

    def __rrshift__(self, other: Any) -> Tensor:
        return call("bitwise_right_shift", other, self)

    # -- indexing and shape ------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Tensor:
        return call("getitem", self, key)

    @property
    def at(self) -> Any:
        """``x.at[key].set(values)``, also add, multiply, min, max: a copy of x, changed there."""
        return service("at")(self)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.type.shape or not isinstance(self.type.shape[0], int):
            _not_run_yet(f"iterate over a tensor of type {self.type}", "its first size is unknown")
        return iter(call("unstack", self))

    @property
    def T(self) -> Tensor:  # noqa: N802 - the Array API's name
        """All axes reversed (Array API: of a matrix)."""
        return call("permute_dims", self, tuple(reversed(range(self.ndim))))

    @property
    def mT(self) -> Tensor:  # noqa: N802 - the Array API's name
        """The last two axes exchanged."""
        return call("matrix_transpose", self)

    def reshape(self, *shape: Any) -> Tensor:
        """Same elements in another shape; one size may be -1."""
        return call("reshape", self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        """Axes in another order, reversed when none are given."""
        return call("transpose", self, axes[0] if len(axes) == 1 else (axes or None))

    def permute_dims(self, *axes: Any) -> Tensor:
        """Axes in another order."""
        return call("permute_dims", self, axes[0] if len(axes) == 1 else axes)

    def broadcast_to(self, *shape: Any) -> Tensor:
        """Stretched to a larger shape."""
        return call("broadcast_to", self, shape[0] if len(shape) == 1 else shape)

    def expand_dims(self, axis: Axis) -> Tensor:
        """New axes of size 1."""
        return call("expand_dims", self, axis)

    def squeeze(self, axis: Axis = None) -> Tensor:
        """Axes of size 1 removed."""
        return call("squeeze", self, axis)

    def flatten(self, start_axis: int = 0, end_axis: int = -1) -> Tensor:
        """Several axes merged into one."""
        return call("flatten", self, start_axis, end_axis)

    def astype(self, dtype: Any) -> Tensor:
        """Converted to another dtype."""
        return call("astype", self, dtype)

    # -- reductions ----------------------------------------------------------------------------

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Sum over axes."""
        return call("sum", self, axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Arithmetic mean over axes."""
        return call("mean", self, axis, keepdims=keepdims)

    def prod(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Product over axes."""
        return call("prod", self, axis, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Largest element over axes."""
        return call("max", self, axis, keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Smallest element over axes."""
        return call("min", self, axis, keepdims=keepdims)

    def var(self, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Tensor:
        """Variance over axes."""
        return call("var", self, axis, correction=correction, keepdims=keepdims)

    def std(self, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Tensor:
        """Standard deviation over axes."""
        return call("std", self, axis, correction=correction, keepdims=keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Index of the first largest element."""
        return call("argmax", self, axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Index of the first smallest element."""
        return call("argmin", self, axis, keepdims=keepdims)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """True where every element is true."""
        return call("all", self, axis, keepdims=keepdims)

    def any(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """True where some element is true."""
        return call("any", self, axis, keepdims=keepdims)

    # -- values ----------------------------------------------------------------------------------

    def eval(self, feeds: Mapping[Any, Any] | None = None, backend: str = "numpy") -> Any:
        """The value as an array, for a quick look; feeds map inputs (or names) to arrays."""
        return service("run")(self, feeds or {}, backend=backend)

    def __bool__(self) -> bool:
        _not_run_yet("take the truth of a tensor", "use asg.where or asg.cond inside the graph")

    def __float__(self) -> float:
        _not_run_yet("convert a tensor to float")

    def __int__(self) -> int:
        _not_run_yet("convert a tensor to int")

    def __index__(self) -> int:
        _not_run_yet("use a tensor as a Python index", "use asg.take to gather inside the graph")

    def __len__(self) -> int:
        if self.type.shape and isinstance(self.type.shape[0], int):
            return self.type.shape[0]
        _not_run_yet(f"take len() of a tensor of type {self.type}", "use tensor.shape[0]")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        _not_run_yet("convert a tensor to a NumPy array")


def _not_run_yet(what: str, instead: str = "") -> NoReturn:
    advice = f"; {instead}" if instead else ""
    raise NotRunYet(
        f"cannot {what}: the graph is not run yet{advice}; "
        "asg.run(tensor, {input: array}) computes values"
    )


class Tensor(TensorMethods):
    """One output of a node; compared and hashed by identity.

    Attributes:
        type: dtype and shape.
        node: the application that produces it.
        index: which output of the node it is.
    """

    __slots__ = ("__weakref__", "index", "node", "type")

    def __init__(self, type: TensorType, node: Node, index: int) -> None:
        """Made by Node only."""
        self.type = type
        self.node = node
        self.index = index

    def __repr__(self) -> str:
        """``<tensor matmul#12: f32[batch, 10]>``."""
        label = self.node.op.leaf_label() or f"{self.node.op.name}#{self.node.serial}"
        return f"<tensor {label}: {self.type}>"

    def _repr_svg_(self) -> str:
        """The graph that computes this tensor, drawn (notebooks)."""
        return str(service("graph_of")(self)._repr_svg_())
