"""Adaptive pooling against PyTorch, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.dim import symbol

CASES = [((2, 3, 9), 4), ((2, 3, 8, 7), 1), ((2, 3, 8, 7), (4, 3)), ((2, 3, 8, 7), (9, None)),
         ((1, 2, 5, 4, 6), (2, 4, 3))]  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize(("shape", "places"), CASES)
def test_values_and_gradients_agree_with_torch(
    shape: tuple[int, ...], places: Any, kind: str, backend: str
) -> None:
    torch = pytest.importorskip("torch")
    name = f"adaptive_{kind}_pool{len(shape) - 2}d"
    array = np.random.default_rng(1).normal(size=shape)
    x = torch.tensor(array, requires_grad=True)
    y = getattr(torch.nn.functional, name)(x, places)
    wanted = y.detach(), *torch.autograd.grad((y * y).sum(), x)
    ours = asg.input("x", shape, "float64")
    pooled = getattr(asg, name)(ours, places)
    for tensor, expected in zip((pooled, asg.grad((pooled**2).sum(), ours)), wanted, strict=True):
        actual = asg.run(tensor, {ours: array}, backend=backend)
        np.testing.assert_allclose(actual, expected.numpy(), 1e-10, 1e-10)


@pytest.mark.parametrize(("shape", "places"), [*CASES, ((1, 2, 6, 8), (3, 2))])
def test_places_of_maxima_agree_with_torch(shape: tuple[int, ...], places: Any) -> None:
    torch = pytest.importorskip("torch")
    name = f"adaptive_max_pool{len(shape) - 2}d"
    array = np.random.default_rng(1).normal(size=shape).round(1)  # so that there are ties
    wanted = getattr(torch.nn.functional, name)(torch.tensor(array), places, return_indices=True)
    x = asg.input("x", shape, "float64")
    ours = getattr(asg, f"{name}_with_indices")(x, places)
    for tensor, expected in zip(ours, wanted, strict=True):
        np.testing.assert_array_equal(asg.run(tensor, {x: array}), expected)


def test_places_for_symbolic_sizes() -> None:
    x = asg.input("x", (1, 1, symbol("n", multiple_of=2), "w"))
    _, places = asg.adaptive_max_pool2d_with_indices(x, (2, None))
    images = [[[[1.0, 9.0], [4.0, 3.0], [4.0, 7.0], [5.0, 7.0]]]]
    found = asg.run(places, {x: images}, backend="jax")
    assert found.tolist() == [[[[2, 1], [6, 5]]]]


def test_other_windows_do_not_see_an_infinity() -> None:
    x = asg.constant(np.array([[[np.inf, 1.0, 2.0, 3.0, 4.0]]]))
    assert asg.run(asg.adaptive_avg_pool1d(x, 2)).tolist() == [[[np.inf, 3.0]]]


def test_a_symbolic_size_may_be_a_multiple() -> None:
    x = asg.input("x", (1, 1, symbol("n", multiple_of=2)))
    for function, wanted in ((asg.adaptive_avg_pool1d, 4.5), (asg.adaptive_max_pool1d, 5.0)):
        found = asg.run(function(x, 2), {x: [[[1.0, 2.0, 4.0, 5.0]]]})
        assert found[0, 0, 1] == wanted


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: asg.adaptive_avg_pool2d(x, 2), "x has 3 axes, 4 are needed"),
        (lambda x: asg.adaptive_avg_pool1d(x, 3), "not known to be a multiple of 3 places"),
        (lambda x: asg.adaptive_max_pool1d(x, 0), "output_size is 0"),
        (lambda x: asg.adaptive_max_pool1d(x, (1, 2)), "2 entries for 1 spatial axes"),
        (lambda x: asg.adaptive_avg_pool1d(x.astype("int32"), 1), "a floating dtype is needed"),
        (lambda x: asg.adaptive_max_pool1d(x[..., :0], 1), "has no elements"),
    ],
)
def test_wrong_uses_are_refused(wrong: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(asg.AsgError, match=message):
        wrong(asg.input("x", (2, 3, "n")))
