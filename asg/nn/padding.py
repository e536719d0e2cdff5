"""Layers that pad the last one, two or three axes."""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.errors import OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_number
from asg.nn.module import Module

Widths = int | tuple[int, ...]


class _Pad(Module):
    """Elements added at both ends of the last axes; negative widths take elements away."""

    _spatial: ClassVar[int]
    _mode: ClassVar[str] = "constant"

    def __init__(self, padding: Widths) -> None:
        """One width for all ends, or (before, behind) of the last axis, then of the one before."""
        many = isinstance(padding, tuple | list)
        widths: Any = padding if many else (padding,) * (2 * self._spatial)
        if len(widths) != 2 * self._spatial or any(type(width) is not int for width in widths):
            raise OperandError(
                f"padding={padding!r} must be an int, or a pair of ints for each of "
                f"{self._spatial} axes, the last axis first"
            )
        self.padding: tuple[int, ...] = tuple(widths)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., *spatial]`` to the same with other spatial sizes.

        Raises:
            ShapeError: too few axes, or more elements copied than an axis has.
        """
        x = as_tensor(x)
        if x.ndim < self._spatial:
            raise ShapeError(f"{type(self).__name__} pads {self._spatial} axes, x is {x.type}")
        if self._mode == "circular":  # PyTorch wraps around what is left, and mirrors what was
            return self._grown(self._cut(x))
        return self._cut(self._grown(x))

    def _pairs(self) -> list[tuple[int, int]]:
        """(before, behind) for each axis, the last one last."""
        before, behind = self.padding[::2], self.padding[1::2]
        return list(zip(before, behind, strict=True))[::-1]

    def _cut(self, x: Tensor) -> Tensor:
        if min(self.padding) >= 0:
            return x
        ends = [slice(-min(low, 0), min(high, 0) or None) for low, high in self._pairs()]
        return x[(..., *ends)]

    def _grown(self, x: Tensor) -> Tensor:
        if max(self.padding) <= 0:
            return x
        kept = [(0, 0)] * (x.ndim - self._spatial)
        added = [(max(low, 0), max(high, 0)) for low, high in self._pairs()]
        return self._padded(x, (*kept, *added))

    def _padded(self, x: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
        return call("pad", x, pairs, mode=self._mode)

    def describe(self) -> str:
        return str(self.padding)


class _ConstantPad(_Pad):
    def __init__(self, padding: Widths, value: float) -> None:
        """``padding`` as for zeros; ``value`` is what is added."""
        super().__init__(padding)
        require_number("value", value)
        self.value = value

    def _padded(self, x: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
        return call("pad", x, pairs, self.value)

    def describe(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ZeroPad1d(_Pad):
    """`ZeroPad2d` on the last axis.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.ZeroPad1d((1, 2))(asg.constant([[3.0, 4.0]]))).tolist()
    [[0.0, 3.0, 4.0, 0.0, 0.0]]
    """

    _spatial = 1


class ZeroPad2d(_Pad):
    """Zeros around images: ``padding`` is a width or (left, right, top, bottom).

    Negative widths cut off.

    Raises:
        OperandError: a width that is no int, or not a pair for each axis.

    Source: torch.nn.ZeroPad2d.

    >>> import asg
    >>> from asg import nn
    >>> nn.ZeroPad2d((1, 2, -1, 0))(asg.input("x", ("n", 3, "h", 8))).shape
    (Dim('n'), 3, Dim('h - 1'), 11)
    """

    _spatial = 2


class ZeroPad3d(_Pad):
    """`ZeroPad2d` on the last three axes: (left, right, top, bottom, front, back).

    >>> import asg
    >>> from asg import nn
    >>> nn.ZeroPad3d(1)(asg.zeros((1, 2, 3, 4, 5))).shape
    (1, 2, 5, 6, 7)
    """

    _spatial = 3


class ConstantPad1d(_ConstantPad):
    """`ConstantPad2d` on the last axis.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.ConstantPad1d((1, 0), 9.0)(asg.constant([[3.0, 4.0]]))).tolist()
    [[9.0, 3.0, 4.0]]
    """

    _spatial = 1


class ConstantPad2d(_ConstantPad):
    """``value`` around images: ``padding`` is a width or (left, right, top, bottom).

    Raises:
        OperandError: a width that is no int, not a pair for each axis, or a value that is no
            number.

    Source: torch.nn.ConstantPad2d.

    >>> import asg
    >>> from asg import nn
    >>> nn.ConstantPad2d(1, 0.5)(asg.input("x", ("n", 3, "h", 8))).shape
    (Dim('n'), 3, Dim('h + 2'), 10)
    """

    _spatial = 2


class ConstantPad3d(_ConstantPad):
    """`ConstantPad2d` on the last three axes.

    >>> import asg
    >>> from asg import nn
    >>> nn.ConstantPad3d((1, 1, 0, 0, 2, 0), -1)(asg.zeros((1, 2, 3, 4, 5))).shape
    (1, 2, 5, 4, 7)
    """

    _spatial = 3


class ReflectionPad1d(_Pad):
    """`ReflectionPad2d` on the last axis.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.ReflectionPad1d(2)(asg.constant([[1.0, 2.0, 3.0]]))).tolist()
    [[3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]
    """

    _spatial, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Images mirrored at their border pixels; widths are below the sizes.

    Raises:
        OperandError: a width that is no int, or not a pair for each axis.

    Source: torch.nn.ReflectionPad2d.

    >>> import asg
    >>> from asg import nn
    >>> nn.ReflectionPad2d((1, 2, 3, 4))(asg.input("x", ("n", 3, 9, 8))).shape
    (Dim('n'), 3, 16, 11)
    """

    _spatial, _mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """`ReflectionPad2d` on the last three axes.

    >>> import asg
    >>> from asg import nn
    >>> nn.ReflectionPad3d(2)(asg.zeros((1, 2, 3, 4, 5))).shape
    (1, 2, 7, 8, 9)
    """

    _spatial, _mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """`ReplicationPad2d` on the last axis.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.ReplicationPad1d(2)(asg.constant([[1.0, 2.0, 3.0]]))).tolist()
    [[1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0]]
    """

    _spatial, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Border pixels of images repeated outwards.

    Raises:
        OperandError: a width that is no int, or not a pair for each axis.

    Source: torch.nn.ReplicationPad2d.

    >>> import asg
    >>> from asg import nn
    >>> nn.ReplicationPad2d(4)(asg.input("x", ("n", 3, 2, "w"))).shape
    (Dim('n'), 3, 10, Dim('w + 8'))
    """

    _spatial, _mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """`ReplicationPad2d` on the last three axes.

    >>> import asg
    >>> from asg import nn
    >>> nn.ReplicationPad3d(2)(asg.zeros((1, 2, 3, 4, 5))).shape
    (1, 2, 7, 8, 9)
    """

    _spatial, _mode = 3, "replicate"


class CircularPad1d(_Pad):
    """`CircularPad2d` on the last axis.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.CircularPad1d((2, 1))(asg.constant([[1.0, 2.0, 3.0]]))).tolist()
    [[2.0, 3.0, 1.0, 2.0, 3.0, 1.0]]
    """

    _spatial, _mode = 1, "circular"


class CircularPad2d(_Pad):
    """Images continued from their other side; widths are at most the sizes.

    Raises:
        OperandError: a width that is no int, or not a pair for each axis.

    Source: torch.nn.CircularPad2d.

    >>> import asg
    >>> from asg import nn
    >>> nn.CircularPad2d((1, 2, 3, 4))(asg.input("x", ("n", 3, 9, 8))).shape
    (Dim('n'), 3, 16, 11)
    """

    _spatial, _mode = 2, "circular"


class CircularPad3d(_Pad):
    """`CircularPad2d` on the last three axes.

    >>> import asg
    >>> from asg import nn
    >>> nn.CircularPad3d(2)(asg.zeros((1, 2, 3, 4, 5))).shape
    (1, 2, 7, 8, 9)
    """

    _spatial, _mode = 3, "circular"
