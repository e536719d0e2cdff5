"""Data sets that are computed: points in the plane, and sequences to copy or reverse."""

from __future__ import annotations

import numpy as np

from asg.data.checks import require_count, require_number
from asg.data.dataset import Dataset
from asg.data.order import Array, permutation, uniform

MADE = "computed"


def make_xor(count: int = 1000, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Points ``x`` float32 [n, 2] around the corners (0 or 1); ``labels``: are the corners unequal?

    Args:
        count: of points.
        noise: standard deviation around the corner.
        seed: a non-negative int.
    """
    count = require_count("count", count)
    corners = (uniform(2 * count, seed, 0).reshape(count, 2) < 0.5).astype(np.float64)
    labels = corners[:, 0] != corners[:, 1]
    return _points("xor", corners, labels, noise, seed)


def make_spirals(
    count: int = 1000, classes: int = 2, turns: float = 1.0, noise: float = 0.02, seed: int = 0
) -> Dataset:
    """Points ``x`` float32 [n, 2] on arms that wind around each other; ``labels``: which arm.

    Args:
        count: of points.
        classes: number of arms.
        turns: that each makes.
        noise: standard deviation; the arms have the radius 1.
        seed: a non-negative int.
    """
    count, classes = require_count("count", count), require_count("classes", classes)
    labels = np.arange(count) % classes
    radius = np.sqrt(uniform(count, seed, 0))
    angle = 2 * np.pi * (require_number("turns", turns) * radius + labels / classes)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return _points("spirals", points, labels, noise, seed)


def make_moons(count: int = 1000, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Points ``x`` float32 [n, 2] on two half circles, each reaching into the other; ``labels``.

    Args:
        count: of points.
        noise: standard deviation; the circles have the radius 1.
        seed: a non-negative int.
    """
    count = require_count("count", count)
    labels, angle = np.arange(count) % 2, np.pi * uniform(count, seed, 0)
    lower = np.stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    return _points("moons", np.where(labels[:, None] == 1, lower, upper), labels, noise, seed)


def make_sequences(
    name: str, count: int = 1000, length: int = 10, vocabulary: int = 10, seed: int = 0
) -> Dataset:
    """``inputs`` and ``targets``, int32 [n, length]: the same symbols, copied or in reverse.

    Args:
        name: "copy" or "reverse".
        count: of sequences.
        length: of each.
        vocabulary: number of symbols, 0...vocabulary - 1.
        seed: a non-negative int.
    """
    count, length = require_count("count", count), require_count("length", length)
    numbers = uniform(count * length, seed, 0) * require_count("vocabulary", vocabulary)
    inputs = np.floor(numbers).astype(np.int32).reshape(count, length)
    targets = inputs[:, ::-1] if name == "reverse" else inputs
    return Dataset({"inputs": inputs, "targets": targets}, name, MADE)


def _points(name: str, points: Array, labels: Array, noise: float, seed: int) -> Dataset:
    """With normal noise (Box and Muller), in random order."""
    spread = require_number("noise", noise, 0.0)
    radius = np.sqrt(-2.0 * np.log(uniform(points.size, seed, 1)))
    errors = radius * np.cos(2.0 * np.pi * uniform(points.size, seed, 2))
    x = points + spread * errors.reshape(points.shape)
    order = permutation(len(x), seed, 3)
    arrays = {"x": x[order].astype(np.float32), "labels": labels[order].astype(np.int32)}
    return Dataset(arrays, name, MADE)
