"""Pooling against PyTorch: values, gradients, places; its types, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

import asg

Case = tuple[str, tuple[int, ...], dict[str, Any]]

CASES: list[Case] = [
    ("max_pool1d", (2, 3, 9), {"kernel_size": 3}),
    ("max_pool1d", (2, 3, 9), {"kernel_size": 2, "ceil_mode": True}),
    ("max_pool2d", (2, 3, 8, 7), {"kernel_size": 2}),
    ("max_pool2d", (2, 3, 8, 7), {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)}),
    ("max_pool2d", (2, 3, 9, 8), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("max_pool2d", (2, 3, 9, 8), {"kernel_size": 3, "stride": 3, "dilation": 2, "padding": 1}),
    ("max_pool2d", (1, 2, 20, 20), {"kernel_size": 17, "stride": 2}),
    ("max_pool3d", (1, 2, 5, 4, 6), {"kernel_size": 2, "stride": (2, 1, 3), "ceil_mode": True}),
    ("avg_pool1d", (2, 3, 9), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("avg_pool1d", (2, 3, 10), {"kernel_size": 4, "stride": 4, "padding": 2, "ceil_mode": True}),
    ("avg_pool2d", (2, 3, 8, 7), {"kernel_size": 2}),
    ("avg_pool2d", (2, 3, 8, 7), {"kernel_size": (3, 2), "stride": 2, "padding": 1}),
    ("avg_pool2d", (2, 3, 8, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("avg_pool2d", (2, 3, 8, 7), {"kernel_size": 3, "stride": 2, "padding": 1,
                                  "ceil_mode": True, "count_include_pad": False}),
    ("avg_pool2d", (1, 1, 24, 18), {"kernel_size": 18}),
    ("avg_pool3d", (1, 2, 5, 4, 6), {"kernel_size": 3, "stride": 2, "padding": 1,
                                     "count_include_pad": False}),
    ("avg_pool2d", (2, 3, 8, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True,
                                  "divisor_override": 7}),
    ("avg_pool3d", (1, 2, 5, 4, 6), {"kernel_size": 2, "divisor_override": 3}),
    ("lp_pool1d", (2, 3, 9), {"norm_type": 2, "kernel_size": 3}),
    ("lp_pool2d", (2, 3, 8, 7), {"norm_type": 2, "kernel_size": 3, "ceil_mode": True}),
    ("lp_pool2d", (2, 3, 8, 6), {"norm_type": 4, "kernel_size": 2, "stride": (2, 1)}),
    ("lp_pool3d", (1, 2, 4, 4, 4), {"norm_type": 2.0, "kernel_size": 2}),
]  # fmt: skip


def _by_torch(name: str, array: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    x = torch.tensor(array, requires_grad=True)
    y = getattr(torch.nn.functional, name)(x, **options)
    return y.detach().numpy(), torch.autograd.grad((y * y).sum(), x)[0].numpy()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize(("name", "shape", "options"), CASES)
def test_values_and_gradients_agree_with_torch(
    name: str, shape: tuple[int, ...], options: dict[str, Any], backend: str
) -> None:
    array = np.random.default_rng(1).normal(size=shape).round(1)  # so that there are ties
    wanted = _by_torch(name, array, options)
    x = asg.input("x", shape, "float64")
    y = getattr(asg, name)(x, **options)
    for tensor, expected in zip((y, asg.grad((y * y).sum(), x)), wanted, strict=True):
        actual = asg.run(tensor, {x: array}, backend=backend)
        np.testing.assert_allclose(actual, expected, 1e-10, 1e-10)


@pytest.mark.parametrize("case", [case for case in CASES if case[0].startswith("max")])
def test_places_of_maxima_agree_with_torch(case: Case) -> None:
    torch = pytest.importorskip("torch")
    name, shape, options = case
    array = np.random.default_rng(1).normal(size=shape).round(1)
    function = getattr(torch.nn.functional, name)
    values, places = function(torch.tensor(array), return_indices=True, **options)
    ours = getattr(asg, f"{name}_with_indices")(asg.constant(array), **options)
    np.testing.assert_array_equal(asg.run(ours[0]), values)
    np.testing.assert_array_equal(asg.run(ours[1]), places)


@pytest.mark.parametrize("mode", [False, True])
def test_sizes_may_be_symbolic(mode: bool) -> None:
    x = asg.input("x", ("n", 2, "h", "w"))
    for kernel, stride, padding in ((3, 2, 1), (2, 3, 0), (5, 2, 2), (3, 1, 1)):
        pooled = (
            asg.max_pool2d(x, kernel, stride, padding, ceil_mode=mode),
            asg.avg_pool2d(x, kernel, stride, padding, ceil_mode=mode),
            asg.avg_pool2d(x, kernel, stride, padding, mode, False),
            *asg.max_pool2d_with_indices(x, kernel, stride, padding, ceil_mode=mode),
        )
        for shape in ((1, 2, 5, 6), (2, 2, 8, 7)):
            array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
            y = asg.constant(array)
            literal = (
                asg.max_pool2d(y, kernel, stride, padding, ceil_mode=mode),
                asg.avg_pool2d(y, kernel, stride, padding, mode),
                asg.avg_pool2d(y, kernel, stride, padding, mode, False),
                *asg.max_pool2d_with_indices(y, kernel, stride, padding, ceil_mode=mode),
            )
            for one, other in zip(pooled, literal, strict=True):
                np.testing.assert_allclose(asg.run(one, {x: array}), asg.run(other), 1e-6)


def test_an_infinite_cotangent_reaches_the_largest_element_only() -> None:
    x = asg.input("x", (1, 1, 4))
    slope = asg.grad((asg.max_pool1d(x, 2) * np.inf).sum(), x)
    for backend in ("numpy", "jax"):
        found = asg.run(slope, {x: [[[1.0, 2.0, 4.0, 3.0]]]}, backend=backend)
        np.testing.assert_array_equal(found, [[[0, np.inf, np.inf, 0]]])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_averages_are_summed_in_float32(dtype: str) -> None:
    x = asg.ones((1, 1, 4096), dtype) * 100
    for backend in ("numpy", "jax"):
        assert float(asg.run(asg.avg_pool1d(x, 4096), backend=backend).item()) == 100


X = (2, 3, 6, 6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: asg.max_pool1d(x, 2), "x has 4 axes, 3 are needed"),
        (lambda x: asg.max_pool2d(x, 7), "does not fit into spatial axis 0 of size 6"),
        (lambda x: asg.max_pool2d(x, 2, padding=2), "more than half of the window"),
        (lambda x: asg.max_pool2d(x, (2, 2, 2)), "3 entries for 2 spatial axes"),
        (lambda x: asg.max_pool2d(x, 0), "kernel_size is 0"),
        (lambda x: asg.max_pool2d(x, 2, stride=0), "stride is 0"),
        (lambda x: asg.max_pool2d(x, 2, dilation=0), "dilation is 0"),
        (lambda x: asg.max_pool2d(x > 0, 2), "x is bool"),
        (lambda x: asg.avg_pool2d(x.astype("int32"), 2), "a floating dtype is needed"),
        (lambda x: asg.avg_pool2d(x, 2, padding=-1), "padding is -1"),
        (lambda x: asg.avg_pool2d(x, 2, divisor_override=0), "divisor_override is 0"),
        (lambda x: asg.lp_pool2d(x, 0.5, 2), "norm_type is 0.5"),
        (lambda x: asg.lp_pool2d(x, cast(Any, "2"), 2), "norm_type is '2'"),
    ],
)
def test_wrong_uses_are_refused(wrong: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(asg.AsgError, match=message):
        wrong(asg.input("x", X))
