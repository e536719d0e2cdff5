"""Pooling layers against PyTorch's, over a grid of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError, ShapeError
from tests.nn.oracle import Array, assert_like_pytorch

Options = dict[str, Any]
Case = tuple[str, tuple[int, ...], Options]

MAXIMA: list[Case] = [
    ("MaxPool1d", (2, 3, 9), {"kernel_size": 3}),
    ("MaxPool1d", (3, 9), {"kernel_size": 2, "stride": 3, "ceil_mode": True}),
    ("MaxPool2d", (2, 3, 8, 7), {"kernel_size": 3, "stride": (2, 1), "padding": 1}),
    ("MaxPool2d", (3, 9, 8), {"kernel_size": (2, 3), "dilation": 2, "padding": 1}),
    ("MaxPool2d", (1, 2, 9, 8), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("MaxPool3d", (2, 1, 5, 4, 6), {"kernel_size": 2, "stride": (2, 1, 3), "ceil_mode": True}),
    ("MaxPool3d", (2, 4, 4, 4), {"kernel_size": (1, 2, 4), "padding": (0, 1, 2)}),
    ("AdaptiveMaxPool1d", (2, 3, 9), {"output_size": 4}),
    ("AdaptiveMaxPool2d", (3, 8, 7), {"output_size": (4, 3)}),
    ("AdaptiveMaxPool2d", (2, 3, 6, 8), {"output_size": (None, 4)}),
    ("AdaptiveMaxPool3d", (2, 2, 4, 5, 6), {"output_size": (2, 3, None)}),
]
AVERAGES: list[Case] = [
    ("AvgPool1d", (2, 3, 9), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("AvgPool1d", (3, 10), {"kernel_size": 4, "padding": 2, "ceil_mode": True}),
    ("AvgPool2d", (2, 3, 8, 7), {"kernel_size": (3, 2)}),
    ("AvgPool2d", (3, 8, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("AvgPool2d", (2, 2, 8, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True,
                                 "count_include_pad": False}),
    ("AvgPool2d", (2, 2, 8, 7), {"kernel_size": 3, "padding": 1, "divisor_override": 5}),
    ("AvgPool3d", (2, 2, 5, 4, 6), {"kernel_size": 2, "stride": 2, "padding": (1, 0, 1),
                                    "count_include_pad": False}),
    ("AvgPool3d", (2, 5, 4, 6), {"kernel_size": (2, 3, 4), "divisor_override": 2}),
    ("LPPool1d", (2, 3, 9), {"norm_type": 2, "kernel_size": 3}),
    ("LPPool1d", (3, 9), {"norm_type": 4.0, "kernel_size": 2, "stride": 2, "ceil_mode": True}),
    ("LPPool2d", (2, 3, 8, 7), {"norm_type": 2, "kernel_size": (3, 2), "stride": 2,
                                "ceil_mode": True}),
    ("LPPool3d", (2, 2, 4, 5, 4), {"norm_type": 2.0, "kernel_size": 2}),
    ("AdaptiveAvgPool1d", (3, 9), {"output_size": 4}),
    ("AdaptiveAvgPool2d", (2, 3, 8, 7), {"output_size": 1}),
    ("AdaptiveAvgPool2d", (3, 8, 7), {"output_size": (4, 3)}),
    ("AdaptiveAvgPool2d", (2, 3, 5, 7), {"output_size": (None, 3)}),
    ("AdaptiveAvgPool3d", (2, 2, 4, 5, 6), {"output_size": (2, None, 4)}),
]  # fmt: skip
# shape of what was pooled, arguments, output size
UNPOOLED: list[tuple[tuple[int, ...], Options, Any]] = [
    ((2, 3, 9), {"kernel_size": 3}, None),
    ((3, 8), {"kernel_size": 3}, (8,)),
    ((2, 3, 8, 5), {"kernel_size": 2, "stride": (2, 3)}, None),
    ((3, 7, 8), {"kernel_size": (2, 3)}, (7, 8)),
    ((2, 2, 8, 10), {"kernel_size": 3, "stride": 3, "padding": 1}, (2, 2, 8, 10)),
    ((1, 2, 4, 6, 5), {"kernel_size": 2}, (4, 6, 5)),
]


def layers(name: str, options: Options) -> tuple[Any, Any]:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    return getattr(nn, name)(**options), getattr(torch.nn, name)(**options)


def numbers(name: str, shape: tuple[int, ...]) -> Array:
    values = np.random.default_rng(0).normal(size=shape)
    return np.asarray(values.round(1) if "Max" in name else values)  # so that there are ties


@pytest.mark.parametrize(("name", "shape", "options"), [*MAXIMA, *AVERAGES])
def test_values_and_gradients_are_pytorchs(
    name: str, shape: tuple[int, ...], options: Options
) -> None:
    batched = len(shape) == int(name[-2]) + 2
    assert_like_pytorch(*layers(name, options), [numbers(name, shape)], symbolic_batch=batched)


@pytest.mark.parametrize(("name", "shape", "options"), MAXIMA)
def test_indices_are_pytorchs(name: str, shape: tuple[int, ...], options: Options) -> None:
    both = layers(name, options | {"return_indices": True})
    assert_like_pytorch(*both, [numbers(name, shape)])


@pytest.mark.parametrize(("shape", "options", "size"), UNPOOLED)
def test_unpooling_is_pytorchs(shape: tuple[int, ...], options: Options, size: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    spatial = len(shape) - (1 if shape[0] == 3 else 2)
    pool = getattr(torch.nn, f"MaxPool{spatial}d")(**options, return_indices=True)
    values, places = pool(torch.tensor(numbers("", shape)))
    both = layers(f"MaxUnpool{spatial}d", options)
    assert repr(both[0]) == repr(both[1])
    for given, symbolic in ((size, False), (None if size is None else size[-spatial:], True)):
        assert_like_pytorch(
            *both, [values.numpy(), places.numpy()],
            our_call=lambda layer, x, i, given=given: layer(x, i, output_size=given),
            their_call=lambda layer, x, i, given=given: layer(x, i, output_size=given),
            symbolic_batch=symbolic and len(shape) == spatial + 2,
        )  # fmt: skip


FOR_XLA = (MAXIMA[2], MAXIMA[8], AVERAGES[4], AVERAGES[10], AVERAGES[14])


@pytest.mark.parametrize(("name", "shape", "options"), FOR_XLA)
def test_xla_agrees(name: str, shape: tuple[int, ...], options: Options) -> None:
    more = {"return_indices": True} if "Max" in name else {}
    both = layers(name, options | more)
    assert_like_pytorch(*both, [numbers(name, shape)], backend="jax")


def test_unpooling_on_xla() -> None:
    pool, unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    x = asg.input("x", ("n", 1, "h", "w"))
    images = np.random.default_rng(0).normal(size=(2, 1, 4, 6)).astype("f4")
    found = [asg.run(unpool(*pool(x)), {x: images}, backend=name) for name in ("numpy", "jax")]
    np.testing.assert_array_equal(*found)
    assert np.count_nonzero(found[0]) == 12


@pytest.mark.parametrize("case", [*MAXIMA, *AVERAGES])
def test_text_is_pytorchs(case: Case) -> None:
    ours, theirs = layers(case[0], case[2])
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.MaxPool1d(0), "kernel_size=0"),
        (lambda: nn.MaxPool2d((2, 2, 2)), r"kernel_size=\(2, 2, 2\) has 3 entries for 2"),
        (lambda: nn.MaxPool2d(2, stride=0), "stride=0"),
        (lambda: nn.MaxPool2d(2, padding=-1), "padding=-1"),
        (lambda: nn.MaxPool2d(3, padding=2), "padding=2 is more than half of kernel_size=3"),
        (lambda: nn.MaxPool3d(2, dilation=(1, 0, 1)), "dilation="),
        (lambda: nn.MaxUnpool2d(2, stride="2"), "stride='2'"),  # type: ignore[arg-type]
        (lambda: nn.AvgPool1d(2, padding=2), "padding=2 is more than half"),
        (lambda: nn.AvgPool2d(2.0), "kernel_size=2.0"),  # type: ignore[arg-type]
        (lambda: nn.AvgPool2d(2, divisor_override=0), "divisor_override=0"),
        (lambda: nn.LPPool1d(0.5, 2), "norm_type=0.5"),
        (lambda: nn.LPPool2d("2", 2), "norm_type='2'"),  # type: ignore[arg-type]
        (lambda: nn.LPPool3d(2, 0), "kernel_size=0"),
        (lambda: nn.AdaptiveAvgPool1d(0), "output_size=0"),
        (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), r"output_size=\(1, 2, 3\)"),
        (lambda: nn.AdaptiveMaxPool3d((1, 2.0, 3)), "output_size="),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


def test_wrong_calls_are_refused() -> None:
    x = asg.input("x", ("n", 3, 8, 8))
    with pytest.raises(ShapeError, match="a layer over 3 spatial axes takes"):
        nn.AvgPool3d(2)(asg.input("x", (8, 8)))
    with pytest.raises(ShapeError, match="does not fit"):
        nn.MaxPool2d(9)(x)
    with pytest.raises(ShapeError, match="indices"):
        nn.MaxUnpool2d(2)(x, asg.input("i", ("n", 3, 8, 7), "int32"))
    with pytest.raises(OperandError, match=r"output_size=\(16,\) has 1 entries"):
        nn.MaxUnpool2d(2)(x, asg.input("i", ("n", 3, 8, 8), "int32"), output_size=(16,))
