"""Bags of rows of a table, each reduced to one vector."""

from __future__ import annotations

from typing import Any, Protocol, Self

from asg.core.dim import Dim, known_equal
from asg.core.dtype import float32
from asg.core.errors import DtypeError, OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_flags
from asg.nn.embedding import Table, table_array
from asg.state.variable import Initialiser


class EmbeddingBag(Table):
    """The sum, mean or largest elements of each bag of rows; bags of nothing give 0.

    ``max_norm`` is that of `Embedding`.

    Attributes:
        weight: ``[num_embeddings, embedding_dim]``, normal(0, 1); the row of padding is 0.

    Raises:
        OperandError: an argument of another kind or out of range.

    >>> import asg
    >>> from asg import nn
    >>> layer = nn.EmbeddingBag.from_pretrained([[1.0, 2.0], [3.0, 4.0]], mode="sum")
    >>> with asg.StateTrace() as trace:
    ...     bags = layer(asg.constant([1, 0, 1]), asg.constant([0, 2, 3]))
    ...     graph = trace.close({"bags": bags})
    >>> asg.compile(graph).start()()["bags"].tolist()
    [[4.0, 6.0], [3.0, 4.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        dtype: Any = float32,
        init: Initialiser | None = None,
    ) -> None:
        """Arguments as `torch.nn.EmbeddingBag`.

        Args:
            num_embeddings: rows of the table.
            embedding_dim: their length.
            max_norm: rows longer than this are scaled down to it when they are looked up.
            norm_type: the p of the norm that is limited.
            scale_grad_by_freq: divide a row's gradient by how often the look-up named it; not
                with ``mode="max"``.
            mode: ``"sum"``, ``"mean"`` or ``"max"``.
            include_last_offset: the last offset only ends the last bag.
            padding_idx: a row that starts as zeros and counts in no bag; may count from the end.
            dtype: of the table.
            init: replaces the distribution of the table (not the zeros of padding).
        """
        require_flags(include_last_offset=include_last_offset)
        if mode not in ("sum", "mean", "max"):
            raise OperandError(f"mode={mode!r} must be 'sum', 'mean' or 'max'")
        if mode == "max" and scale_grad_by_freq:
            raise OperandError("scale_grad_by_freq=True does not go with mode='max'")
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            dtype, init,
        )  # fmt: skip
        self.mode, self.include_last_offset = mode, include_last_offset

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Self:
        """As `Embedding.from_pretrained`."""
        array = table_array(embeddings)
        rows, width = array.shape
        layer = cls(
            rows, width, max_norm, norm_type, scale_grad_by_freq, mode, include_last_offset,
            padding_idx, array.dtype,
        )  # fmt: skip
        return layer._start_from(array, freeze)

    def forward(
        self,
        indices: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """The vectors ``[bags, embedding_dim]``.

        Args:
            indices: integers ``[bags, size]``, or ``[n]`` with ``offsets``.
            offsets: integers ``[bags]`` in ascending order: where each bag begins. Indices before
                the first bag, and from the end of the last one on, are in none.
            per_sample_weights: factors of the rows, of the shape of ``indices``; mode "sum" only.

        Raises:
            ShapeError: not of these shapes.
            DtypeError: indices or offsets that are not integers.
            OperandError: weights in another mode.
        """
        bags = self._bags(indices, offsets)
        numbers = self.row_numbers(indices)
        rows, inside = self.rows(numbers), bags.inside
        if self.padding_idx is not None:
            counted = call("not_equal", numbers, self.padding_idx)
            inside = counted if inside is None else call("logical_and", inside, counted)
        if per_sample_weights is not None:
            self._check_weights(indices, per_sample_weights)
            rows = rows * call("expand_dims", per_sample_weights, -1)
        return self._reduced(rows, inside, bags)

    def _reduced(self, rows: Tensor, inside: Tensor | None, bags: _Bags) -> Tensor:
        if self.mode == "max":
            return _largest(rows, inside, bags)
        if inside is not None:
            rows = call("where", call("expand_dims", inside, -1), rows, 0.0)
        total = bags.total(rows)
        if self.mode == "sum":
            return total
        return total / call("maximum", _counts(rows, inside, bags), 1.0)

    def _bags(self, indices: Tensor, offsets: Tensor | None) -> _Bags:
        if indices.ndim == 2 and offsets is None:
            return _EqualBags(indices)
        if indices.ndim != 1 or offsets is None or offsets.ndim != 1:
            raise ShapeError(
                "EmbeddingBag takes indices [bags, size], or [n] with offsets [bags], given "
                f"{indices.type} and {'no offsets' if offsets is None else offsets.type}"
            )
        if not offsets.dtype.is_integer:
            raise DtypeError(f"the offsets of EmbeddingBag are integers, given {offsets.type}")
        return _BagsByOffset(indices, offsets, self.include_last_offset)

    def _check_weights(self, indices: Tensor, weights: Tensor) -> None:
        if self.mode != "sum":
            raise OperandError(f"per_sample_weights need mode='sum', this is {self.mode!r}")
        sizes = zip(weights.shape, indices.shape, strict=False)
        if weights.ndim != indices.ndim or any(_differ(*pair) for pair in sizes):
            raise ShapeError(
                f"per_sample_weights {weights.type} are not of the shape of indices {indices.type}"
            )

    def describe(self) -> str:
        text = f"{super().describe()}, mode={self.mode!r}"
        return f"{text}, include_last_offset=True" if self.include_last_offset else text


def _differ(size: Dim, other: Dim) -> bool:
    """Not equal; or one would be stretched to the other."""
    return known_equal(size, other) is False or (size == 1) != (other == 1)


class _Bags(Protocol):
    """How looked-up rows lie in bags.

    Attributes:
        inside: which of them are in a bag; None: all.
    """

    inside: Tensor | None

    def total(self, x: Tensor) -> Tensor:
        """The sums of ``x [*indices, ...]`` over each bag (of what is inside): ``[bags, ...]``."""

    def first_largest(self, rows: Tensor) -> Tensor:
        """For each bag and column the first largest element; anything for an empty bag."""


class _EqualBags:
    """Bags of equal size: ``[bags, size]``."""

    def __init__(self, indices: Tensor) -> None:
        self.inside: Tensor | None = None

    def total(self, x: Tensor) -> Tensor:
        return x.sum(1)

    def first_largest(self, rows: Tensor) -> Tensor:
        place = call("argmax", rows, 1, keepdims=True)
        return call("squeeze", call("take_along_axis", rows, place, 1), 1)


class _BagsByOffset:
    """Bags one after the other, which begin at ``offsets``."""

    def __init__(self, indices: Tensor, offsets: Tensor, last_is_end: bool) -> None:
        self.length = indices.shape[0]
        places = call("iota", (self.length,), dtype=offsets.dtype)
        self.bag = call("searchsorted", offsets, places, "right") - 1
        self.count: Dim = offsets.shape[0] - 1 if last_is_end else offsets.shape[0]
        self.offsets = offsets[: self.count]
        before_end = self.bag < call("dim_size", self.count)
        self.inside: Tensor | None = call("logical_and", self.bag >= 0, before_end)

    def total(self, x: Tensor) -> Tensor:
        bag = call("where", self.inside, self.bag, 0)
        return call("scatter_add", call("zeros", (self.count, *x.shape[1:]), x.dtype), bag, x)

    def first_largest(self, rows: Tensor) -> Tensor:
        """By two stable sorts of each column, the later one by bag."""
        falling = call("argsort", rows, 0, descending=True)
        by_bag = call("argsort", call("take", self.bag, falling), 0)
        order = call("take_along_axis", falling, by_bag, 0)
        last = call("dim_size", self.length).astype(self.offsets.dtype) - 1
        first = call("take", order, call("minimum", self.offsets, last), 0)
        return call("take_along_axis", rows, first, 0)


def _largest(rows: Tensor, inside: Tensor | None, bags: _Bags) -> Tensor:
    if inside is not None:
        rows = call("where", call("expand_dims", inside, -1), rows, float("-inf"))
    largest = bags.first_largest(rows)
    return call("where", _counts(rows, inside, bags) > 0, largest, 0.0)


def _counts(rows: Tensor, inside: Tensor | None, bags: _Bags) -> Tensor:
    """How many rows each bag holds: ``[bags, 1]``."""
    ones = call("ones", rows.shape[:-1], rows.dtype)
    return call("expand_dims", bags.total(ones if inside is None else ones * inside), -1)
