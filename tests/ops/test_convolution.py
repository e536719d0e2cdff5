"""Convolutions against PyTorch, their types, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

import asg
from asg.ops.convolution import Conv
from asg.ops.windows import overlap

CASES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 9), (4, 3, 3), {"stride": 2, "padding": 1}),
    ((2, 4, 9), (4, 2, 3), {"dilation": 2, "groups": 2, "padding": (3,)}),
    ((2, 3, 8, 7), (4, 3, 3, 2), {"stride": (2, 1), "padding": (1, 0)}),
    ((2, 3, 8, 7), (4, 3, 3, 3), {"padding": "same"}),
    ((2, 3, 8, 7), (4, 3, 2, 4), {"padding": "same", "dilation": 2}),
    ((2, 6, 8, 7), (12, 1, 3, 3), {"groups": 6, "stride": 2}),
    ((2, 12, 8, 7), (2, 12, 3, 3), {"padding": 2}),
    ((2, 3, 5, 4), (6, 3, 1, 1), {}),
    ((2, 3, 5, 4), (6, 3, 5, 4), {"padding": "valid"}),
    ((2, 2, 5, 4, 6), (3, 2, 2, 3, 2), {"stride": (1, 2, 2), "padding": (0, 1, 1)}),
]
TRANSPOSED: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((2, 4, 5), (4, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((2, 4, 5, 4), (4, 3, 3, 2), {"stride": (3, 2), "padding": (1, 0), "output_padding": (2, 1)}),
    ((2, 4, 5, 4), (4, 3, 3, 3), {"groups": 2, "dilation": (1, 2)}),
    ((2, 4, 3, 3), (4, 1, 2, 2), {"groups": 4, "stride": 2, "padding": 2}),
    ((1, 2, 3, 2, 3), (2, 3, 2, 2, 2), {"stride": 2, "output_padding": (1, 0, 1)}),
]


def _numbers(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def _value_and_slopes(
    kind: str, arrays: list[Any], options: dict[str, Any], dtype: str, backend: str
) -> list[Any]:
    """The value and the gradients of the sum of its squares, by asg."""
    function = getattr(asg, f"{kind}{arrays[0].ndim - 2}d")
    inputs = [asg.input(f"x{i}", a.shape, dtype) for i, a in enumerate(arrays)]
    y = function(*inputs, **options)
    slopes = asg.grad((y * y).sum(), inputs)
    feeds = {x: a.astype(dtype) for x, a in zip(inputs, arrays, strict=True)}
    return [asg.run(each, feeds, backend=backend) for each in (y, *slopes)]


def _by_torch(kind: str, arrays: list[Any], options: dict[str, Any]) -> list[Any]:
    torch = pytest.importorskip("torch")
    function = getattr(torch.nn.functional, f"{kind}{arrays[0].ndim - 2}d")
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = function(*tensors, **options)
    return [y.detach().numpy(), *(g.numpy() for g in torch.autograd.grad((y * y).sum(), tensors))]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize(
    ("kind", "x", "weight", "options"),
    [("conv", *case) for case in CASES] + [("conv_transpose", *case) for case in TRANSPOSED],
)
def test_values_and_gradients_agree_with_torch(
    kind: str, x: tuple[int, ...], weight: tuple[int, ...], options: dict[str, Any]
) -> None:
    channels = weight[0] if kind == "conv" else weight[1] * options.get("groups", 1)
    arrays = [_numbers(*x), _numbers(*weight), _numbers(channels)]
    wanted = _by_torch(kind, arrays, options)
    for dtype, tolerance in (("float64", 1e-11), ("float32", 1e-4)):
        for name, actual, each in zip(
            ("y", "x", "weight", "bias"),
            _value_and_slopes(kind, arrays, options, dtype, "numpy"), wanted, strict=True,
        ):  # fmt: skip
            scale = tolerance * np.abs(each).max()
            np.testing.assert_allclose(actual, each, tolerance, scale, err_msg=name)


def test_same_padding_with_a_stride_covers_every_element() -> None:
    jax = pytest.importorskip("jax")
    x, weight = _numbers(1, 2, 7, 6), _numbers(3, 2, 4, 3)
    wanted = jax.lax.conv_general_dilated(
        x.astype("float32"), weight.astype("float32"), (3, 2), "SAME"
    )
    actual = asg.run(asg.conv2d(x, weight, stride=(3, 2), padding="same"))
    np.testing.assert_allclose(actual, wanted, 1e-5, 1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("window", [3, 12])
def test_narrow_products_are_summed_in_float32(dtype: str, window: int) -> None:
    """One by one, float16 is stuck at 2048 and bfloat16 at 256."""
    x, weight = asg.ones((1, 512, 16), dtype), asg.ones((2, 512, window), dtype)
    for backend in ("numpy", "jax"):
        assert (asg.run(asg.conv1d(x, weight), backend=backend) == 512 * window).all()


def test_large_operands_are_worked_through_in_blocks() -> None:
    """Several blocks in all three ways of the NumPy kernel, with a last one that is smaller."""
    torch = pytest.importorskip("torch")
    x, weight = _numbers(7, 24, 40, 40), _numbers(5, 24, 3, 3)
    actual = _value_and_slopes("conv", [x, weight], {"padding": 1}, "float64", "numpy")
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, weight)]
    y = torch.nn.functional.conv2d(*tensors, padding=1)
    wanted = [y.detach(), *torch.autograd.grad((y * y).sum(), tensors)]
    for one, other in zip(actual, wanted, strict=True):
        np.testing.assert_allclose(one, other.numpy(), 1e-9, 1e-9)


@pytest.mark.parametrize("layout", [lambda x: x[:, ::2], lambda x: asg.flip(x, 2),
                                    lambda x: asg.permute_dims(x, (3, 0, 1, 2))])  # fmt: skip
def test_operands_of_any_strides(layout: Callable[[Any], Any]) -> None:
    array = _numbers(4, 4, 4, 4)
    x = layout(asg.input("x", array.shape, "float64"))
    feeds = {"x": array}
    value = asg.run(x, feeds)
    weight = _numbers(2, value.shape[1], 2, 2)
    for window in (weight, weight[:, :, :1, :1]):
        actual = asg.run(asg.conv2d(x, window), feeds)
        np.testing.assert_allclose(actual, asg.run(asg.conv2d(value, window)), 1e-12)


def test_derivatives_are_convolutions_of_the_same_cost() -> None:
    x, w = asg.input("x", ("n", 4, 12, 12)), asg.input("w", (8, 4, 3, 3))
    y = asg.conv2d(x, w, stride=2, padding=1)
    slopes = asg.grad(y.sum(), [x, w])
    nodes = [node for node in asg.Graph.of([x, w], slopes, ["x", "w"]).nodes
             if isinstance(node.op, Conv)]  # fmt: skip
    assert len(nodes) == 2
    forward = y.node.op.flops((x.type, w.type), (y.type,))
    for node in nodes:
        given = tuple(tensor.type for tensor in node.inputs)
        assert node.op.flops(given, (node.outputs[0].type,)) == forward


def test_overlap_solves_its_equation() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        offset, (step, count, size, spread) = generator.integers(-9, 9), generator.integers(1, 6, 4)
        place, element = overlap(int(offset), int(step), int(count), int(size), int(spread))
        found = list(zip(range(count)[place], range(size)[element], strict=True))
        wanted = [(j, q) for j in range(count) for q in range(size)
                  if q * spread == offset + j * step]  # fmt: skip
        assert found == wanted


X, W = (2, 4, 6, 6), (8, 4, 3, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x, w: asg.conv1d(x, w), "x has 4 axes, 3 are needed"),
        (lambda x, w: asg.conv2d(x[:, :3], w), "x has 3 channels, a weight of .* takes 4"),
        (lambda x, w: asg.conv2d(x, w, groups=2), "takes 8"),
        (lambda x, w: asg.conv2d(x, w[:, :1], groups=3), "not a multiple of groups = 3"),
        (lambda x, w: asg.conv2d(x, w, groups=0), "groups is 0"),
        (lambda x, w: asg.conv2d(x, w, dilation=3), "does not fit into spatial axis 0 of size 6"),
        (lambda x, w: asg.conv2d(x, w, stride=0), "stride is 0"),
        (lambda x, w: asg.conv2d(x, w, stride=(1, 2, 3)), "3 entries for 2 spatial axes"),
        (lambda x, w: asg.conv2d(x, w, padding=-1), "padding is -1"),
        (lambda x, w: asg.conv2d(x, w, padding=cast(Any, "full")), "padding 'full'"),
        (lambda x, w: asg.conv2d(x, w, padding=cast(Any, ((1, 2, 3), 1))), "no pair"),
        (lambda x, w: asg.conv2d(x, w, asg.zeros((4,))), "bias does not have one number"),
        (lambda x, w: asg.conv2d(x.astype("int32"), w.astype("int32")), "a floating dtype"),
        (lambda x, w: asg.conv2d(x[:, :, :0], w, padding=3), "axis 0 of size 0 has no elements"),
        (lambda x, w: asg.conv2d(x, w[:, :, :0]), "is empty"),
        (lambda x, w: asg.conv_transpose2d(x, w), "x has 4 channels"),
        (lambda x, w: asg.conv_transpose2d(x, w[:4], output_padding=1), "output_padding 1"),
        (lambda x, w: asg.conv_transpose2d(x, w[:4], padding=5), "does not fit"),
    ],
)
def test_wrong_uses_are_refused(wrong: Callable[[Any, Any], Any], message: str) -> None:
    with pytest.raises(asg.AsgError, match=message):
        wrong(asg.input("x", X), asg.input("w", W))


def test_a_network_of_symbolic_sizes_has_the_gradients_of_literal_ones() -> None:
    generator = np.random.default_rng(0)
    weights = [generator.normal(size=s) for s in ((4, 2, 3, 3), (4, 2, 3, 2), (4, 3, 2, 2))]

    def slopes(shape: tuple[int | str, ...]) -> list[Any]:
        x = asg.input("x", shape, "float64")
        parameters = [asg.input(f"w{i}", w.shape, "float64") for i, w in enumerate(weights)]
        y = asg.tanh(asg.conv2d(x, parameters[0], stride=2, padding="same"))
        y = asg.conv2d(asg.max_pool2d(y, 2, 1), parameters[1], padding=1, groups=2)
        y = asg.conv_transpose2d(asg.avg_pool2d(y, 2, ceil_mode=True), parameters[2], stride=2)
        inner = asg.grad((y * y).sum(), [x, *parameters])
        outer = asg.grad(sum((each**2).sum() for each in inner), [x, *parameters])
        feeds = {"x": array, **{f"w{i}": w for i, w in enumerate(weights)}}
        return list(asg.run([*inner, *outer], feeds))

    array = generator.normal(size=(2, 2, 9, 8))
    for one, other in zip(slopes(("n", 2, "h", "w")), slopes((2, 2, 9, 8)), strict=True):
        np.testing.assert_allclose(one, other, 1e-9, 1e-9)
