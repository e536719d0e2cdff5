"""What tells attention where a token stands: sines, a learned table, rotations, linear biases."""

from __future__ import annotations

from typing import Any

from asg.core.dim import Dim, as_dim
from asg.core.dtype import float32
from asg.core.errors import DtypeError, OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_flags, require_number, require_positive
from asg.nn.init import normal
from asg.nn.module import Module
from asg.ops.operand import respelled
from asg.state.variable import Initialiser, Variable


class SinusoidalPositions(Module):
    """``x + p``: ``p[t, 2 i] = sin(t / base^(2 i / D))``, and ``p[t, 2 i + 1]`` the cosine.

    Source: Vaswani et al., https://arxiv.org/abs/1706.03762, section 3.5.

    Raises:
        OperandError: an odd number of features, a base that is not positive.

    >>> import asg
    >>> from asg import nn
    >>> y = nn.SinusoidalPositions(2)(asg.zeros((2, 2)))
    >>> asg.run(y).astype(float).round(3).tolist()
    [[0.0, 1.0], [0.841, 0.54]]
    """

    def __init__(self, features: int, base: float = 10000.0) -> None:
        """``features`` is the D of the tokens."""
        self.features, self.base = _require_pairs(features), _require_base(base)

    def forward(self, x: Tensor, offset: Dim | str = 0) -> Tensor:
        """``[..., time, features]``; same shape. The first token stands at ``offset``.

        Raises:
            ShapeError: another number of features.
        """
        _require_tokens("SinusoidalPositions", x, self.features)
        length = x.shape[-2]
        return x + call(
            "sinusoidal_positions", length, self.features, base=self.base, offset=offset,
            dtype=x.dtype,
        )  # fmt: skip

    def at(self, x: Tensor, positions: Tensor, most: Dim) -> Tensor:
        """Tokens ``[..., time, features]`` at these places, integers ``[..., time]`` below most."""
        table = call("sinusoidal_positions", most, self.features, base=self.base, dtype=x.dtype)
        return x + call("take", table, positions, 0)

    def describe(self) -> str:
        return f"{self.features}, base={self.base}"


class LearnedPositions(Module):
    """``x + weight[:time]``: a learned vector for each position.

    Attributes:
        weight: ``[max_length, features]``, normal(0, 0.02).

    Raises:
        OperandError: a size that is not a positive int.

    >>> import asg
    >>> from asg import nn
    >>> positions = nn.LearnedPositions(16, 4)
    >>> str(positions(asg.input("x", ("batch", "time", 4))).type)
    'f32[batch, time, 4]'
    >>> positions(asg.zeros((17, 4)))
    Traceback (most recent call last):
    ...
    asg.core.errors.ShapeError: LearnedPositions has 16 positions, 17 are needed
    """

    def __init__(
        self,
        max_length: int,
        features: int,
        dtype: Any = float32,
        init: Initialiser | None = None,
    ) -> None:
        """``init`` replaces the distribution of the table."""
        require_positive(max_length=max_length, features=features)
        self.max_length, self.features = max_length, features
        self.weight = Variable("weight", (max_length, features), init or normal(0.0, 0.02), dtype)

    def forward(self, x: Tensor, offset: Dim | str = 0) -> Tensor:
        """``[..., time, features]``; same shape. The first token stands at ``offset``.

        Raises:
            ShapeError: another number of features, or more positions than the table has. With
                symbolic lengths the latter is found when the arrays come.
        """
        _require_tokens("LearnedPositions", x, self.features)
        return x + first_rows(self.weight, x.shape[-2], as_dim(offset), "LearnedPositions")

    def at(self, x: Tensor, positions: Tensor, most: Dim) -> Tensor:
        """Tokens ``[..., time, features]`` at these places, integers ``[..., time]`` below most."""
        return x + call("take", self.weight, positions, 0)

    def describe(self) -> str:
        return f"{self.max_length}, {self.features}"


def first_rows(table: Variable, length: Dim, offset: Dim, layer: str) -> Tensor:
    """``table[offset : offset + length]``, all of which must be there.

    Raises:
        ShapeError: the table has fewer rows.
    """
    rows, features = table.type.shape
    end = offset + length
    if isinstance(end, int) and isinstance(rows, int) and end > rows:
        raise ShapeError(f"{layer} has {rows} positions, {end} are needed")
    return respelled(table[offset:end], (length, features))


class RotaryPositions(Module):
    """Pairs of features of queries and keys, turned by ``position * base^(-2 i / features)``.

    Their products then depend on the distance between the tokens only. Call it with queries, and
    with keys, after they were split into heads.

    Source: Su et al., "RoFormer", https://arxiv.org/abs/2104.09864.

    Raises:
        OperandError: an odd number of features, a base that is not positive.

    >>> import asg
    >>> from asg import nn
    >>> x = asg.constant([[1.0, 0.0], [1.0, 0.0]])
    >>> asg.run(nn.RotaryPositions(2)(x)).astype(float).round(3).tolist()
    [[1.0, 0.0], [0.54, 0.841]]
    """

    def __init__(self, features: int, base: float = 10000.0, interleaved: bool = False) -> None:
        """The arguments of the rotation.

        Args:
            features: how many features of a head are turned, the first ones; the others stay.
            base: the longest wave is about ``2 pi base`` tokens long.
            interleaved: pairs are neighbours (the paper, GPT-J) instead of ``features / 2`` apart
                (GPT-NeoX, Llama).
        """
        require_flags(interleaved=interleaved)
        self.features, self.base = _require_pairs(features), _require_base(base)
        self.interleaved = interleaved

    def forward(self, x: Tensor, positions: Any = None, offset: Any = 0) -> Tensor:
        """``[..., time, at least features]``; same shape.

        Args:
            x: queries or keys.
            positions: integers that broadcast to ``[..., time]``; by default 0, 1, 2, ...
            offset: a number or integer tensor that is added to them.

        Raises:
            ShapeError: fewer features, or positions that do not fit.
        """
        width = x.shape[-1] if x.ndim else 0
        if x.ndim < 2 or not isinstance(width, int) or width < self.features:
            raise ShapeError(
                f"RotaryPositions takes [..., time, {self.features} or more], given {x.type}"
            )
        turned, rest = x[..., : self.features], x[..., self.features :]
        turned = call(
            "rope", turned, positions, offset=offset, base=self.base, interleaved=self.interleaved
        )
        return turned if width == self.features else call("concat", [turned, rest], axis=-1)

    def describe(self) -> str:
        return f"{self.features}, base={self.base}, interleaved={self.interleaved}"


class AlibiPositions(Module):
    """``-m[h] * |i - j|``: a bias for the scores of query i and key j in head h.

    For H heads, H a power of two, ``m[h] = 2^(-8 (h + 1) / H)``; see `asg.alibi_bias`.

    Source: Press, Smith and Lewis, https://arxiv.org/abs/2108.12409.

    Raises:
        OperandError: ``num_heads`` is not a positive int.

    >>> import asg
    >>> from asg import nn
    >>> q = asg.zeros((8, 1, 4))
    >>> k = asg.zeros((8, 3, 4))
    >>> asg.run(nn.AlibiPositions(8)(q, k, offset=2))[0].tolist()
    [[-1.0, -0.5, -0.0]]
    """

    def __init__(self, num_heads: int) -> None:
        """One slope for each head."""
        require_positive(num_heads=num_heads)
        self.num_heads = num_heads

    def forward(self, query: Tensor, key: Tensor | None = None, offset: Dim | str = 0) -> Tensor:
        """The bias ``[num_heads, L, S]``, to be given to attention as a floating mask.

        Args:
            query: ``[..., L, features]``.
            key: ``[..., S, features]``; the same as the query unless given.
            offset: position of the first query among the keys.

        Raises:
            ShapeError: no axis of positions.
            DtypeError: queries are not floating.
        """
        key = query if key is None else key
        if query.ndim < 2 or key.ndim < 2:
            raise ShapeError(
                f"AlibiPositions takes [..., time, features], given {query.type} and {key.type}"
            )
        if not query.dtype.is_float:
            raise DtypeError(f"AlibiPositions takes floating queries, given {query.type}")
        return call(
            "alibi_bias", self.num_heads, query.shape[-2], key.shape[-2], offset=offset,
            dtype=query.dtype,
        )  # fmt: skip

    def describe(self) -> str:
        return f"{self.num_heads}"


def _require_pairs(features: int) -> int:
    require_positive(features=features)
    if features % 2:
        raise OperandError(f"features={features} do not form pairs; give an even number")
    return features


def _require_base(base: float) -> float:
    number = require_number("base", base)
    if number <= 0.0:
        raise OperandError(f"base={base!r} must be positive")
    return number


def _require_tokens(layer: str, x: Tensor, features: int) -> None:
    if x.ndim < 2 or (isinstance(x.shape[-1], int) and x.shape[-1] != features):
        raise ShapeError(f"{layer} takes [..., time, {features}], given {x.type}")
