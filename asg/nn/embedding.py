"""Tables of vectors, looked up by integers."""

from __future__ import annotations

from typing import Any, Self

from asg.core.convert import as_array
from asg.core.dtype import float32, int32
from asg.core.errors import DtypeError, OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.nn.checks import require_flags, require_number, require_positive
from asg.nn.gradients import scaled_gradient, straight_through
from asg.nn.init import normal
from asg.nn.module import Module
from asg.state.trace import is_training
from asg.state.variable import Initialiser, Variable


class Table(Module):
    """Rows that integers name: what `Embedding` and `EmbeddingBag` share.

    Attributes:
        weight: ``[num_embeddings, embedding_dim]``.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        dtype: Any,
        init: Initialiser | None,
    ) -> None:
        """Arguments as the subclasses say."""
        require_positive(num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        require_flags(scale_grad_by_freq=scale_grad_by_freq)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = _row(padding_idx, num_embeddings)
        self.max_norm = None if max_norm is None else require_number("max_norm", max_norm, 0.0)
        self.norm_type = require_number("norm_type", norm_type)
        self.scale_grad_by_freq = scale_grad_by_freq
        first = _without_row(init or normal(), self.padding_idx)
        self.weight = Variable("weight", (num_embeddings, embedding_dim), first, dtype)

    def row_numbers(self, indices: Tensor) -> Tensor:
        """The indices, from 0 up where that matters.

        Raises:
            DtypeError: they are not integers.
        """
        if not indices.dtype.is_integer:
            raise DtypeError(f"{type(self).__name__} takes integers, given {indices.type}")
        if self._is_plain:
            return indices
        wide = indices.astype(int32) if indices.dtype.itemsize < 4 else indices
        if wide.dtype.kind == "uint":
            return wide
        count = self.num_embeddings  # which no row has: what lies outside stays outside
        from_end = call("where", wide < -count, count, wide + count)
        return call("where", wide < 0, from_end, wide)

    @property
    def _is_plain(self) -> bool:
        special = self.padding_idx, self.max_norm, self.scale_grad_by_freq or None
        return special == (None, None, None)

    def rows(self, numbers: Tensor) -> Tensor:
        """``[...]`` to ``[..., embedding_dim]``: the rows, short enough, with their gradients."""
        rows = self._limited_rows(numbers)
        factor = self._gradient_factor(numbers)
        return rows if factor is None else scaled_gradient(rows, call("expand_dims", factor, -1))

    def _limited_rows(self, numbers: Tensor) -> Tensor:
        if self.max_norm is None:
            return call("take", self.weight, numbers, axis=0)
        if not isinstance(vars(self).get("weight"), Variable):
            raise OperandError("max_norm shortens rows of the table, and this one is parametrised")
        weight = self.weight.read()
        if not is_training():
            rows = call("take", weight, numbers, axis=0)
            return straight_through(self._limited(rows), rows)
        flat = call("reshape", numbers, (-1,))
        touched = call("bincount", flat, length=self.num_embeddings) > 0
        changed = call("where", call("expand_dims", touched, -1), self._limited(weight), weight)
        weight = straight_through(changed, weight)
        self.weight.write(weight)
        return call("take", weight, numbers, axis=0)

    def _limited(self, rows: Tensor) -> Tensor:
        """Rows longer than ``max_norm`` scaled down to it."""
        assert self.max_norm is not None
        rows = call("stop_gradient", rows)
        norm = call("vector_norm", rows, axis=-1, keepdims=True, ord=self.norm_type)
        return call("where", norm > self.max_norm, rows * (self.max_norm / (norm + 1e-7)), rows)

    def _gradient_factor(self, numbers: Tensor) -> Tensor | None:
        """What the gradient of each looked-up row is multiplied by; None: by one."""
        factor: Tensor | None = None
        if self.scale_grad_by_freq:
            flat = call("reshape", numbers, (-1,))
            counts = call("bincount", flat, length=self.num_embeddings)
            factor = 1.0 / call("take", counts, numbers).astype(self.weight.dtype)
        if self.padding_idx is not None:
            padding = call("equal", numbers, self.padding_idx)
            return call("where", padding, 0.0, 1.0 if factor is None else factor)
        return factor

    def _start_from(self, array: Any, freeze: bool) -> Self:
        require_flags(freeze=freeze)
        self.weight.set_initial(array)
        self.weight.trainable = not freeze
        return self

    def describe(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, usual in (
            ("padding_idx", None), ("max_norm", None), ("norm_type", 2.0),
            ("scale_grad_by_freq", False),
        ):  # fmt: skip
            value = getattr(self, name)
            text += "" if value == usual else f", {name}={value}"
        return text


class Embedding(Table):
    """The rows of a table that integers name.

    With ``max_norm`` a look-up first scales rows of a larger norm down to it, in the table itself,
    as PyTorch does: the step writes the changed table, and the gradient is that of a table that
    had these rows. In evaluation the rows looked up are the same, but the table is left alone.

    Attributes:
        weight: ``[num_embeddings, embedding_dim]``, normal(0, 1); the row of padding is 0.

    Raises:
        OperandError: an argument of another kind or out of range.

    >>> import asg
    >>> from asg import nn
    >>> layer = nn.Embedding.from_pretrained([[1.0, 2.0], [3.0, 4.0]])
    >>> with asg.StateTrace() as trace:
    ...     graph = trace.close({"rows": layer(asg.constant([1, 0, 1]))})
    >>> asg.compile(graph).start()()["rows"].tolist()
    [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        dtype: Any = float32,
        init: Initialiser | None = None,
    ) -> None:
        """Arguments as `torch.nn.Embedding`.

        Args:
            num_embeddings: rows of the table.
            embedding_dim: their length.
            padding_idx: a row that starts as zeros and has no gradient; may count from the end.
            max_norm: rows longer than this are scaled down to it when they are looked up.
            norm_type: the p of the norm that is limited.
            scale_grad_by_freq: divide a row's gradient by how often the look-up named it.
            dtype: of the table.
            init: replaces the distribution of the table (not the zeros of padding).
        """
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            dtype, init,
        )  # fmt: skip

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
    ) -> Self:
        """A table of these rows and of their dtype; not trained unless ``freeze=False``.

        The row of padding keeps its numbers. Other arguments are those of the constructor.

        Raises:
            ShapeError: not a matrix.
            DtypeError: not of floats.
        """
        array = table_array(embeddings)
        rows, width = array.shape
        layer = cls(
            rows, width, padding_idx, max_norm, norm_type, scale_grad_by_freq, array.dtype
        )  # fmt: skip
        return layer._start_from(array, freeze)

    def forward(self, indices: Tensor) -> Tensor:
        """Integers ``[...]`` to ``[..., embedding_dim]``.

        A negative index counts from the end; one that names no row gives NaN.
        """
        return self.rows(self.row_numbers(indices))


def table_array(embeddings: Any) -> Any:
    """The rows given to ``from_pretrained``."""
    array = as_array(embeddings)
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(f"embeddings are a matrix with rows, given the shape {array.shape}")
    if not TensorType.of(array.dtype, array.shape).dtype.is_float:
        raise DtypeError(f"embeddings are floats, given {array.dtype}")
    return array


def _row(padding_idx: Any, rows: int) -> int | None:
    """The row of padding, counted from the start."""
    if padding_idx is None:
        return None
    if isinstance(padding_idx, bool) or not isinstance(padding_idx, int):
        raise OperandError(f"padding_idx={padding_idx!r} must be an int or None")
    if not -rows <= padding_idx < rows:
        raise OperandError(f"padding_idx={padding_idx} is not one of {rows} rows")
    return padding_idx % rows


def _without_row(init: Initialiser, row: int | None) -> Initialiser:
    """The same first values with zeros in one row."""
    if row is None:
        return init

    def build(key: Tensor, type: TensorType) -> Tensor:
        chosen = call("equal", call("iota", (type.shape[0], 1)), row)
        return call("where", chosen, 0.0, init(key, type))

    return build
