"""Layers that change images at random while training, inside the step; in evaluation they rest.

Images are float ``[batch, channels, height, width]``. `asg.data` has the same set for the host;
here the random numbers come from the step's own keys, and are equal on all backends.
"""

from __future__ import annotations

from math import pi, radians
from typing import Any

from asg.core.dim import Dim
from asg.core.dtype import int32
from asg.core.errors import OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_axes, require_number, require_positive, require_probability
from asg.nn.module import Module
from asg.state.random import RandomStream
from asg.state.trace import chosen_mode

IMAGES = ("[batch, channels, height, width]",)
# How bright the eye finds red, green and blue: ITU-R BT.601.
LUMA = (0.299, 0.587, 0.114)


class _RandomImages(Module):
    """A random change of images while training."""

    def __init__(self) -> None:
        self.key = RandomStream()

    def forward(self, x: Tensor) -> Tensor:
        """Changed at random while training, else as they are.

        Raises:
            ShapeError: no images.
        """
        name = type(self).__name__
        require_axes(name, x, IMAGES)
        return self.changed(x) if chosen_mode(name) else x

    def changed(self, x: Tensor) -> Tensor:
        """The images changed at random."""
        raise NotImplementedError(type(self).__name__)

    def numbers(self, x: Tensor, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1) for each image, f32[batch, *shape]."""
        return call("uniform", self.key.next(), (x.shape[0], *shape))


class RandomCrop(_RandomImages):
    """A random part of each image, after ``padding`` pixels of ``fill`` were put on every side.

    In evaluation a ``size`` takes the part from the middle, without padding.

    Raises:
        OperandError: a size, padding or fill out of range.
        ShapeError: when used: images smaller than the part.

    >>> from asg import nn
    >>> nn.RandomCrop((32, 32), padding=4)
    RandomCrop(size=(32, 32), padding=4)
    """

    def __init__(
        self, size: tuple[int, int] | None = None, padding: int = 0, fill: float = 0.0
    ) -> None:
        """``size`` is (height, width); by default that of the images."""
        super().__init__()
        if size is not None:
            height, width = size
            require_positive(height=height, width=width)
        if padding != 0:
            require_positive(padding=padding)
        self.size, self.padding = size, padding
        self.fill = require_number("fill", fill)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, *size]``."""
        require_axes("RandomCrop", x, IMAGES)
        if chosen_mode("RandomCrop"):
            return self.changed(x)
        if self.size is None:
            return x
        spare = [have - want for have, want in zip(x.shape[2:], self.size, strict=True)]
        self._require_room(x, spare, 0)
        (top, left), (height, width) = (each // 2 for each in spare), self.size
        return x[:, :, top : top + height, left : left + width]

    def changed(self, x: Tensor) -> Tensor:
        """At random places."""
        height, width = self.size or x.shape[2:]
        edge = self.padding
        spare = [x.shape[2] + 2 * edge - height, x.shape[3] + 2 * edge - width]
        self._require_room(x, spare, edge)
        padded = call("pad", x, [(0, 0), (0, 0), (edge, edge), (edge, edge)], self.fill)
        places = self.numbers(x, 2)
        rows = self._first(places[:, 0], spare[0]) + call("arange", height)[None, :]
        columns = self._first(places[:, 1], spare[1]) + call("arange", width)[None, :]
        taken = call("take_along_axis", padded, rows[:, None, :, None], 2)
        return call("take_along_axis", taken, columns[:, None, None, :], 3)

    @staticmethod
    def _first(places: Tensor, spare: Dim) -> Tensor:
        """Uniform among 0...spare; float32 may round the last number up to the next."""
        chosen = call("floor", places * _number(spare + 1)).astype(int32)
        return call("minimum", chosen, _number(spare))[:, None]

    def _require_room(self, x: Tensor, spare: list[Dim], padding: int) -> None:
        if any(isinstance(each, int) and each < 0 for each in spare):
            raise ShapeError(
                f"RandomCrop takes {self.size} of images {x.type} with a padding of {padding}"
            )

    def describe(self) -> str:
        fill = f", fill={self.fill:g}" if self.fill else ""
        return f"size={self.size}, padding={self.padding}{fill}"


class RandomHorizontalFlip(_RandomImages):
    """Left and right exchanged with probability ``p``.

    >>> import asg
    >>> from asg import nn
    >>> with asg.StateTrace(training=True) as trace:
    ...     step = trace.close({"y": nn.RandomHorizontalFlip(1.0)(asg.constant([[[[1.0, 2.0]]]]))})
    >>> asg.compile(step).start(seed=0)()["y"].tolist()
    [[[[2.0, 1.0]]]]
    """

    def __init__(self, p: float = 0.5) -> None:
        """``p`` in [0, 1]."""
        super().__init__()
        self.p = require_probability("p", p)

    def changed(self, x: Tensor) -> Tensor:
        """Each image by itself."""
        flipped = self.numbers(x, 1, 1, 1) < self.p
        return call("where", flipped, call("flip", x, 3), x)

    def describe(self) -> str:
        return f"p={self.p}"


class RandomRotation(_RandomImages):
    """A turn about the centre by an angle in ``[-degrees, degrees]``, counter-clockwise.

    Values between pixels are interpolated linearly; from outside come zeros. Height and width are
    literal sizes.

    >>> from asg import nn
    >>> nn.RandomRotation(15)
    RandomRotation(degrees=15)
    """

    def __init__(self, degrees: float) -> None:
        """``degrees`` from 0 to 360."""
        super().__init__()
        self.degrees = require_number("degrees", degrees, 0.0)

    def changed(self, x: Tensor) -> Tensor:
        """Each image by itself."""
        height, width = x.shape[2:]
        if not isinstance(height, int) or not isinstance(width, int):
            raise ShapeError(f"RandomRotation needs a literal height and width, given {x.type}")
        angle = (self.numbers(x) * 2.0 - 1.0) * radians(self.degrees)
        cosine, sine = call("cos", angle), call("sin", angle)
        zero = call("zeros_like", angle)
        first = call("stack", [cosine, sine * (-height / width), zero], 1)
        second = call("stack", [sine * (width / height), cosine, zero], 1)
        theta = call("stack", [first, second], 1).astype(x.dtype)
        return call("grid_sample", x, call("affine_grid", theta, (height, width)))

    def describe(self) -> str:
        return f"degrees={self.degrees:g}"


class ColorJitter(_RandomImages):
    """Brightness, contrast and saturation, in this order, times factors in ``[1 - v, 1 + v]``.

    Brightness scales the pixels, contrast blends them with the mean grey of the image, saturation
    with the grey of each pixel; a factor is 0 at least. Pixels are in [0, 1] and clipped to it
    after each change. Images have 3 channels, or 1, which is grey.

    >>> from asg import nn
    >>> nn.ColorJitter(0.4, saturation=0.2)
    ColorJitter(brightness=0.4, contrast=0, saturation=0.2)
    """

    def __init__(
        self, brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0
    ) -> None:
        """Each is a number of at least 0."""
        super().__init__()
        self.brightness = require_number("brightness", brightness, 0.0)
        self.contrast = require_number("contrast", contrast, 0.0)
        self.saturation = require_number("saturation", saturation, 0.0)

    def changed(self, x: Tensor) -> Tensor:
        """Each image by itself."""
        if self.brightness:
            x = call("clip", x * self._factor(x, self.brightness), 0.0, 1.0)
        if self.contrast:
            mean = call("mean", _grey(x), (1, 2, 3), keepdims=True)
            x = _blend(x, mean, self._factor(x, self.contrast))
        if self.saturation:
            x = _blend(x, _grey(x), self._factor(x, self.saturation))
        return x

    def _factor(self, x: Tensor, strength: float) -> Tensor:
        factor = 1.0 + strength * (2.0 * self.numbers(x, 1, 1, 1) - 1.0)
        return call("maximum", factor, 0.0).astype(x.dtype)

    def describe(self) -> str:
        return (
            f"brightness={self.brightness:g}, contrast={self.contrast:g}, "
            f"saturation={self.saturation:g}"
        )


class Cutout(_RandomImages):
    """A square of ``size`` pixels around a random pixel set to ``fill``; it may reach outside.

    Source: DeVries and Taylor, https://arxiv.org/abs/1708.04552.

    >>> from asg import nn
    >>> nn.Cutout(16)
    Cutout(size=16, fill=0)
    """

    def __init__(self, size: int, fill: float = 0.0) -> None:
        """``size`` is a positive int."""
        super().__init__()
        require_positive(size=size)
        self.size, self.fill = size, require_number("fill", fill)

    def changed(self, x: Tensor) -> Tensor:
        """Each image by itself."""
        places = self.numbers(x, 2)
        inside = []
        for axis in (0, 1):
            length = x.shape[2 + axis]
            first = (
                call("floor", places[:, axis] * _number(length)).astype(int32)[:, None]
                - self.size // 2
            )
            at = call("arange", length)[None, :]
            inside.append((at >= first) & (at < first + self.size))
        hidden = inside[0][:, None, :, None] & inside[1][:, None, None, :]
        return call("where", hidden, self.fill, x)

    def describe(self) -> str:
        return f"size={self.size}, fill={self.fill:g}"


class _Mixing(Module):
    """Mixes every image, and its target, with those of a partner in the batch."""

    def __init__(self, classes: int, alpha: float) -> None:
        """``classes`` and ``alpha`` are positive."""
        require_positive(classes=classes)
        if require_number("alpha", alpha, 0.0) == 0.0:
            raise OperandError(f"alpha={alpha!r} must be positive")
        self.classes, self.alpha = classes, alpha
        self.key = RandomStream()

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Images and soft targets ``[batch, classes]``; in evaluation nothing is mixed.

        Args:
            x: ``[batch, channels, height, width]``.
            labels: class numbers ``[batch]``, or soft targets.

        Raises:
            ShapeError: no images, or no labels.
        """
        name = type(self).__name__
        require_axes(name, x, IMAGES)
        require_axes(f"{name}'s labels", labels, ("[batch]", "[batch, classes]"))
        targets = labels
        if labels.ndim == 1:
            targets = call("one_hot", labels, self.classes, x.dtype)
        if not chosen_mode(name):
            return x, targets
        partners = call("permutation", self.key.next(), x.shape[0])
        other = call("take", x, partners, 0)
        mixed, own = self.mixed(x, other, _symmetric_beta(self.key, self.alpha))
        own = own.astype(targets.dtype)
        return mixed, targets * own + call("take", targets, partners, 0) * (1.0 - own)

    def mixed(self, x: Tensor, other: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """The images, and what share of each is its own."""
        raise NotImplementedError(type(self).__name__)

    def describe(self) -> str:
        return f"classes={self.classes}, alpha={self.alpha:g}"


class Mixup(_Mixing):
    """``share * own + (1 - share) * partner``, of images and of targets.

    One ``share`` for the whole batch, drawn from Beta(alpha, alpha).

    Source: Zhang et al., https://arxiv.org/abs/1710.09412.

    >>> from asg import nn
    >>> nn.Mixup(10)
    Mixup(classes=10, alpha=0.2)
    """

    def __init__(self, classes: int, alpha: float = 0.2) -> None:
        """``classes`` of the targets."""
        super().__init__(classes, alpha)

    def mixed(self, x: Tensor, other: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """A weighted mean."""
        own = share.astype(x.dtype)
        return x * own + other * (1.0 - own), share


class CutMix(_Mixing):
    """A random box of every image is replaced by that of its partner; targets mix by its area.

    The box has the share ``1 - s`` of the image, ``s`` drawn from Beta(alpha, alpha), before it is
    cut off at the border; it is the same for all images of a batch.

    Source: Yun et al., https://arxiv.org/abs/1905.04899.

    >>> from asg import nn
    >>> nn.CutMix(10)
    CutMix(classes=10, alpha=1)
    """

    def __init__(self, classes: int, alpha: float = 1.0) -> None:
        """``classes`` of the targets."""
        super().__init__(classes, alpha)

    def mixed(self, x: Tensor, other: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """A box of the other."""
        side = call("sqrt", 1.0 - share)
        places = call("uniform", self.key.next(), (2,))
        inside = []
        for axis in (0, 1):
            length = x.shape[2 + axis]
            extent = call("floor", side * _number(length)).astype(int32)
            first = call("floor", places[axis] * _number(length)).astype(int32) - extent // 2
            at = call("arange", length)
            inside.append((at >= first) & (at < first + extent))
        foreign = inside[0][:, None] & inside[1][None, :]
        own = 1.0 - call("mean", foreign.astype(share.dtype))
        return call("where", foreign, other, x), own


def _symmetric_beta(stream: RandomStream, alpha: float) -> Tensor:
    """A number drawn from Beta(alpha, alpha), f32.

    Sources: for ``alpha`` > 1/2, Ulrich, "Computer generation of distributions on the m-sphere",
    https://doi.org/10.2307/2347441; else Jöhnk, "Erzeugung von betaverteilten und gammaverteilten
    Zufallszahlen", Metrika 8 (1964), in logarithms: the first of 64 pairs that is accepted, each
    with a chance of more than 3/4.
    """
    if alpha > 0.5:
        first, second = (1.0 - call("uniform", stream.next(), ()) for _ in range(2))
        radius = call("sqrt", 1.0 - first ** (2.0 / (2.0 * alpha - 1.0)))
        return 0.5 + 0.5 * radius * call("cos", 2.0 * pi * second)
    logs = call("log", 1.0 - call("uniform", stream.next(), (2, 64))) / alpha
    total = call("logaddexp", logs[0], logs[1])
    chosen = call("argmax", (total <= 0.0).astype(int32), 0)
    return call("exp", call("take", logs[0] - total, chosen, 0))


def _number(size: Dim) -> Any:
    """A size as an operand."""
    return size if isinstance(size, int) else call("dim_size", size)


def _grey(x: Tensor) -> Tensor:
    if x.shape[1] == 1:
        return x
    if x.shape[1] != 3:
        raise ShapeError(f"ColorJitter takes 3 channels, or 1, given {x.type}")
    weights = call("constant", LUMA, x.dtype).reshape((3, 1, 1))
    return call("sum", x * weights, 1, keepdims=True)


def _blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return call("clip", x * factor + other * (1.0 - factor), 0.0, 1.0)
