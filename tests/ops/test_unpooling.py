"""Unpooling against PyTorch, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg

CASES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 9), {"kernel_size": 3}),
    ((2, 3, 8), {"kernel_size": 3, "output_size": (8,)}),
    ((2, 3, 8, 5), {"kernel_size": 2, "stride": (2, 3)}),
    ((2, 3, 7, 9), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ((2, 2, 7, 8), {"kernel_size": (2, 3), "output_size": (2, 2, 7, 8)}),
    ((1, 2, 4, 6, 5), {"kernel_size": 2, "output_size": (4, 6, 5)}),
]


@pytest.mark.parametrize(
    ("shape", "options", "backend"),
    [(*case, "numpy") for case in CASES] + [(*CASES[3], "jax")],
)
def test_values_agree_with_torch(
    shape: tuple[int, ...], options: dict[str, Any], backend: str
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    spatial = len(shape) - 2
    array = np.random.default_rng(1).normal(size=shape)
    pooling = {name: value for name, value in options.items() if name != "output_size"}
    pool = getattr(torch.nn.functional, f"max_pool{spatial}d")
    values, places = pool(torch.tensor(array), return_indices=True, **pooling)
    unpool = getattr(torch.nn.functional, f"max_unpool{spatial}d")
    wanted = unpool(values, places, **options)
    x = asg.input("x", shape, "float64")
    found = getattr(asg, f"max_pool{spatial}d_with_indices")(x, **pooling)
    y = getattr(asg, f"max_unpool{spatial}d")(*found, **options)
    np.testing.assert_allclose(asg.run(y, {x: array}, backend=backend), wanted, 1e-12)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_the_gradient_reads_where_it_was_put(backend: str) -> None:
    x = asg.input("x", (1, 1, 4), "float64")
    y = asg.max_unpool1d(x, asg.constant([[[3, 0, 3, 1]]]), 1)
    weights = asg.constant([[[1.0, 2.0, 4.0, 8.0]]], "float64")
    slope = asg.run(asg.grad((y * weights).sum(), x), {x: np.ones((1, 1, 4))}, backend=backend)
    assert slope.tolist() == [[[4.0, 1.0, 4.0, 2.0]]]


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_an_index_outside_is_not_lost(backend: str) -> None:
    y = asg.max_unpool1d(asg.ones((1, 1, 2)), asg.constant([[[0, 4]]]), 2)
    assert np.isnan(asg.run(y, backend=backend)).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x, i: asg.max_unpool1d(x, i, 2), "x has 4 axes, 3 are needed"),
        (lambda x, i: asg.max_unpool2d(x, i[:1], 2), "indices"),
        (lambda x, i: asg.max_unpool2d(x, x, 2), "integers are needed"),
        (lambda x, i: asg.max_unpool2d(i, i, 2), "a floating dtype is needed"),
        (lambda x, i: asg.max_unpool2d(x, i, 2, output_size=(12, 10)), "less than a stride of 2"),
        (lambda x, i: asg.max_unpool2d(x, i, 2, output_size=(10, 8)), "less than a stride of 2"),
        (lambda x, i: asg.max_unpool2d(x, i, 2, output_size=10), "output_size 10 is not for 2"),
        (lambda x, i: asg.max_unpool2d(x, i, 2, stride=0), "stride is 0"),
    ],
)
def test_wrong_uses_are_refused(wrong: Any, message: str) -> None:
    x, indices = asg.input("x", (2, 3, 5, 5)), asg.input("i", (2, 3, 5, 5), "int32")
    with pytest.raises(asg.AsgError, match=message):
        wrong(x, indices)
