"""Pooling layers to a given number of places."""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.errors import OperandError
from asg.core.registry import service
from asg.core.tensor import Tensor
from asg.nn.checks import require_flags
from asg.nn.module import Module
from asg.nn.windows import over_batch

Places = int | None | tuple[int | None, ...]


class _AdaptivePool(Module):
    _spatial: ClassVar[int]
    _kind: ClassVar[str]
    return_indices = False

    def __init__(self, output_size: Places) -> None:
        """One number of places for all spatial axes or one each; None keeps an axis as it is."""
        many = isinstance(output_size, tuple | list)
        entries: Any = output_size if many else (output_size,) * self._spatial
        if len(entries) != self._spatial or not all(map(_is_count, entries)):
            raise OperandError(
                f"output_size={output_size!r} must be positive ints or None, one or {self._spatial}"
            )
        self.output_size = tuple(entries) if many else output_size

    def forward(self, x: Tensor) -> Any:
        """``[batch, channels, *spatial]`` (batch may be missing) to ``output_size``."""
        more = "_with_indices" if self.return_indices else ""
        pool = service(f"adaptive_{self._kind}_pool{self._spatial}d{more}")
        return over_batch(self._spatial, lambda rows: pool(rows, self.output_size), x)

    def describe(self) -> str:
        return f"output_size={self.output_size}"


def _is_count(entry: Any) -> bool:
    return entry is None or (type(entry) is int and entry > 0)


class AdaptiveAvgPool1d(_AdaptivePool):
    """`AdaptiveAvgPool2d` over one spatial axis.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.AdaptiveAvgPool1d(2)(asg.constant([[[1.0, 2.0, 3.0, 7.0]]]))).tolist()
    [[[1.5, 5.0]]]
    """

    _spatial, _kind = 1, "avg"


class AdaptiveAvgPool2d(_AdaptivePool):
    """Means over as many windows as are asked for; 1 is global average pooling.

    Window i of m over n elements reaches from ``floor(i n / m)`` to ``ceil((i + 1) n / m)``.

    Raises:
        OperandError: an output size that is no positive int or None, or not one per axis.

    Source: torch.nn.AdaptiveAvgPool2d.

    >>> import asg
    >>> from asg import nn
    >>> nn.AdaptiveAvgPool2d((1, 3))(asg.input("x", ("n", 8, "h", 7))).shape
    (Dim('n'), 8, 1, 3)
    """

    _spatial, _kind = 2, "avg"


class AdaptiveAvgPool3d(_AdaptivePool):
    """`AdaptiveAvgPool2d` over three spatial axes.

    >>> import asg
    >>> from asg import nn
    >>> nn.AdaptiveAvgPool3d((None, 5, 1))(asg.zeros((1, 2, 4, 6, 8))).shape
    (1, 2, 4, 5, 1)
    """

    _spatial, _kind = 3, "avg"


class _AdaptiveMaxPool(_AdaptivePool):
    _kind = "max"

    def __init__(self, output_size: Places, return_indices: bool = False) -> None:
        """Places as for averages; with ``return_indices``, also where the largest elements are."""
        super().__init__(output_size)
        require_flags(return_indices=return_indices)
        self.return_indices = return_indices


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """`AdaptiveMaxPool2d` over one spatial axis.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.AdaptiveMaxPool1d(2)(asg.constant([[[1.0, 2.0, 3.0, 7.0]]]))).tolist()
    [[[2.0, 7.0]]]
    """

    _spatial = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest elements of as many windows as are asked for, laid out as `AdaptiveAvgPool2d`.

    Indices are int32 and count over the spatial axes of x: the first among equals.

    Raises:
        OperandError: an output size that is no positive int or None, or not one per axis.

    Source: torch.nn.AdaptiveMaxPool2d.

    >>> import asg
    >>> from asg import nn
    >>> values, places = nn.AdaptiveMaxPool2d(3, return_indices=True)(asg.zeros((2, 8, 6, 7)))
    >>> values.shape, places.shape
    ((2, 8, 3, 3), (2, 8, 3, 3))
    """

    _spatial = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """`AdaptiveMaxPool2d` over three spatial axes.

    >>> import asg
    >>> from asg import nn
    >>> nn.AdaptiveMaxPool3d(2)(asg.zeros((1, 2, 4, 6, 8))).shape
    (1, 2, 2, 2, 2)
    """

    _spatial = 3
