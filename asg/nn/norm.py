"""Normalisations that keep no statistics, and so are the same in training and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asg.core.dtype import finfo, float32
from asg.core.errors import DtypeError, OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import (
    require_axes,
    require_channels,
    require_flags,
    require_number,
    require_positive,
)
from asg.nn.init import ones, zeros
from asg.nn.module import Module
from asg.state.variable import Variable


class LayerNorm(Module):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the trailing axes.

    Source: Ba, Kiros and Hinton, "Layer normalization", https://arxiv.org/abs/1607.06450.

    Attributes:
        weight: ones of ``normalized_shape``; None when not affine.
        bias: zeros of ``normalized_shape``; None when not affine, or without bias.

    Raises:
        OperandError: an argument of another kind, a negative ``eps``.

    >>> import asg
    >>> from asg import nn
    >>> norm = nn.LayerNorm(2, eps=3.0, elementwise_affine=False)
    >>> asg.run(norm(asg.constant([[1.0, 3.0], [5.0, 5.0]]))).tolist()
    [[-0.5, 0.5], [0.0, 0.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.LayerNorm`."""
        require_flags(elementwise_affine=elementwise_affine, bias=bias)
        shape = _trailing_shape(normalized_shape)
        self.normalized_shape, self.eps = shape, require_number("eps", eps, 0.0)
        self.elementwise_affine = affine = elementwise_affine
        self.weight = Variable("weight", shape, ones(), dtype) if affine else None
        self.bias = Variable("bias", shape, zeros(), dtype) if affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """``[..., *normalized_shape]``; same shape."""
        return call("layer_norm", x, self.normalized_shape, self.weight, self.bias, self.eps)

    def describe(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """``x / sqrt(mean(x^2) + eps) * weight`` over the trailing axes.

    Source: Zhang and Sennrich, "Root mean square layer normalization",
    https://arxiv.org/abs/1910.07467.

    Attributes:
        weight: ones of ``normalized_shape``; None when not affine.

    Raises:
        OperandError: an argument of another kind, a negative ``eps``.

    >>> import asg
    >>> from asg import nn
    >>> norm = nn.RMSNorm(4, eps=2.0, elementwise_affine=False)
    >>> asg.run(norm(asg.constant([2.0, 2.0, 0.0, 0.0]))).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        dtype: Any = float32,
    ) -> None:
        """``eps=None``: the spacing above 1 of the dtype computed in (half precision: float32)."""
        require_flags(elementwise_affine=elementwise_affine)
        shape = _trailing_shape(normalized_shape)
        self.normalized_shape = shape
        self.eps = None if eps is None else require_number("eps", eps, 0.0)
        self.elementwise_affine = elementwise_affine
        self.weight = Variable("weight", shape, ones(), dtype) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        """``[..., *normalized_shape]``; same shape.

        Raises:
            DtypeError: ``x`` is not floating.
        """
        if not x.dtype.is_float:
            raise DtypeError(f"RMSNorm takes floating numbers, given {x.type}")
        computed_in = float32 if x.dtype.itemsize == 2 else x.dtype
        eps = finfo(computed_in).eps if self.eps is None else self.eps
        return call("rms_norm", x, self.normalized_shape, self.weight, eps)

    def describe(self) -> str:
        affine = self.elementwise_affine
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={affine}"


class GroupNorm(Module):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over groups of channels of each example.

    Source: Wu and He, "Group normalization", https://arxiv.org/abs/1803.08494.

    Attributes:
        weight: ones ``[num_channels]``; None when not affine.
        bias: zeros ``[num_channels]``; None when not affine, or without bias.

    Raises:
        OperandError: groups that do not divide the channels, an argument of another kind.

    >>> import asg
    >>> from asg import nn
    >>> norm = nn.GroupNorm(2, 4, eps=3.0, affine=False)
    >>> asg.run(norm(asg.constant([[1.0, 3.0, 5.0, 5.0]]))).tolist()
    [[-0.5, 0.5, 0.0, 0.0]]
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: Any = float32,
        *,
        bias: bool = True,
    ) -> None:
        """Arguments as `torch.nn.GroupNorm`."""
        require_positive(num_groups=num_groups, num_channels=num_channels)
        require_flags(affine=affine, bias=bias)
        if num_channels % num_groups:
            raise OperandError(f"num_groups={num_groups} must divide num_channels={num_channels}")
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = require_number("eps", eps, 0.0), affine
        shape = (num_channels,)
        self.weight = Variable("weight", shape, ones(), dtype) if affine else None
        self.bias = Variable("bias", shape, zeros(), dtype) if affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, ...]``; same shape.

        Raises:
            ShapeError: another number of channels.
        """
        require_channels("GroupNorm", x, self.num_channels)
        return call("group_norm", x, self.num_groups, self.weight, self.bias, self.eps)

    def describe(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """``x / (k + alpha / size * sum of x^2 over size neighbouring channels)^beta``.

    Source: Krizhevsky, Sutskever and Hinton (2012), section 3.3.

    Raises:
        OperandError: an argument of another kind.

    >>> import asg
    >>> from asg import nn
    >>> norm = nn.LocalResponseNorm(1, alpha=1.0, beta=1.0)
    >>> asg.run(norm(asg.constant([[[3.0], [0.0]]]))).astype(float).round(3).tolist()
    [[[0.3], [0.0]]]
    """

    layouts = (
        "[batch, channels, length]", "[batch, channels, height, width]",
        "[batch, channels, depth, height, width]",
    )  # fmt: skip

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        """Arguments as `torch.nn.LocalResponseNorm`; ``size`` counts channels."""
        require_positive(size=size)
        self.size, self.k = size, require_number("k", k)
        self.alpha, self.beta = require_number("alpha", alpha), require_number("beta", beta)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, ...]`` with one to three axes of space; same shape."""
        require_axes("LocalResponseNorm", x, self.layouts)
        return call("local_response_norm", x, self.size, self.alpha, self.beta, self.k)

    def describe(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _trailing_shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    given = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
    shape = tuple(given) if isinstance(given, Sequence) else ()
    for size in shape:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            shape = ()
    if not shape:
        raise OperandError(
            f"normalized_shape={normalized_shape!r} must be a positive int, or several"
        )
    return shape
