"""Batches whose images are mixed with each other, and their targets with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asg.core.errors import OperandError
from asg.data.augment import box, require_images
from asg.data.checks import require_count, require_number
from asg.data.draws import Batch, Draw, RandomTransform
from asg.data.order import Array
from asg.data.transforms import array_of, one_hot


@dataclass(frozen=True)
class _Mixing(RandomTransform):
    """Mixes every image with a partner of the batch."""

    images: str
    labels: str
    classes: int
    alpha: float

    def __call__(self, batch: Batch, draw: Draw) -> Batch:
        x = require_images(self.images, array_of(batch, self.images))
        labels = array_of(batch, self.labels)
        if labels.ndim == 1:
            labels = one_hot(self.labels, self.classes)({self.labels: labels})[self.labels]
        if labels.shape != (len(x), self.classes) or labels.dtype.kind != "f":
            raise OperandError(
                f"{self.labels!r} is {labels.dtype}{list(labels.shape)}; class numbers [images] or "
                f"soft targets [images, {self.classes}] are needed"
            )
        partners = draw.fork(0).partners()
        mixed, share = self.mixed(x, x[partners], symmetric_beta(self.alpha, draw.fork(1)), draw)
        own = labels.dtype.type(share)
        targets = labels * own + labels[partners] * (1 - own)
        return {**batch, self.images: mixed, self.labels: targets}

    def mixed(self, x: Array, other: Array, share: float, draw: Draw) -> tuple[Array, float]:
        """The images, and what share of each is its own."""
        raise NotImplementedError(type(self).__name__)


class _Mixup(_Mixing):
    def mixed(self, x: Array, other: Array, share: float, draw: Draw) -> tuple[Array, float]:
        return x * x.dtype.type(share) + other * x.dtype.type(1 - share), share


class _CutMix(_Mixing):
    def mixed(self, x: Array, other: Array, share: float, draw: Draw) -> tuple[Array, float]:
        sizes = np.array(x.shape[2:])
        extent = np.floor(sizes * np.sqrt(1.0 - share)).astype(np.int64)
        places = np.array([draw.fork(2).one(), draw.fork(3).one()])
        first = np.floor(places * sizes).astype(np.int64) - extent // 2
        foreign = box(x.shape, first[None], (first + extent)[None])
        return np.where(foreign, other, x), 1.0 - float(foreign.mean())


def mixup(images: str, labels: str, classes: int, alpha: float = 0.2) -> RandomTransform:
    """``share * own + (1 - share) * partner``, of images and of targets.

    One ``share`` for the whole batch, drawn from Beta(alpha, alpha); the partners are the images of
    the batch in a random order. Class numbers become soft targets, float32 [images, classes], for
    `asg.cross_entropy`.

    Source: Zhang et al., https://arxiv.org/abs/1710.09412.

    >>> batch = {"x": np.ones((2, 1, 2, 2)), "y": np.array([0, 1])}
    >>> mixup("x", "y", 2)(batch, Draw.first(2))["y"].sum(1).round(6).tolist()
    [1.0, 1.0]
    """
    classes = require_count("classes", classes)
    return _Mixup(images, labels, classes, _positive(alpha))


def cutmix(images: str, labels: str, classes: int, alpha: float = 1.0) -> RandomTransform:
    """A random box of every image is replaced by that of its partner; targets mix by its area.

    The box has the share ``1 - s`` of the image, ``s`` drawn from Beta(alpha, alpha), before it is
    cut off at the border; it is the same for all images of a batch.

    Source: Yun et al., https://arxiv.org/abs/1905.04899.

    >>> batch = {"x": np.ones((2, 1, 2, 2)), "y": np.array([0, 1])}
    >>> cutmix("x", "y", 2)(batch, Draw.first(2))["y"].sum(1).round(6).tolist()
    [1.0, 1.0]
    """
    classes = require_count("classes", classes)
    return _CutMix(images, labels, classes, _positive(alpha))


def symmetric_beta(alpha: float, draw: Draw) -> float:
    """A number drawn from Beta(alpha, alpha), one for the batch.

    Sources: for ``alpha`` > 1/2, Ulrich, "Computer generation of distributions on the m-sphere",
    https://doi.org/10.2307/2347441; else Jöhnk, "Erzeugung von betaverteilten und gammaverteilten
    Zufallszahlen", Metrika 8 (1964), in logarithms; more than three of four pairs are accepted.
    """
    if alpha > 0.5:
        radius = np.sqrt(1.0 - draw.fork(0).one() ** (2.0 / (2.0 * alpha - 1.0)))
        return float(0.5 + 0.5 * radius * np.cos(2.0 * np.pi * draw.fork(1).one()))
    attempt = 0
    while True:
        own = np.log(draw.fork(2 * attempt).one()) / alpha
        other = np.log(draw.fork(2 * attempt + 1).one()) / alpha
        if np.logaddexp(own, other) <= 0.0:
            return float(np.exp(own - np.logaddexp(own, other)))
        attempt += 1


def _positive(alpha: float) -> float:
    if require_number("alpha", alpha) <= 0.0:
        raise OperandError(f"alpha={alpha!r} must be positive")
    return float(alpha)
