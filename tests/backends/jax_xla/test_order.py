"""Values around convolutions are held with channels last; results are as with axes in order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from asg.backends.jax_xla.barrier import SMALLEST, kept_values
from asg.backends.jax_xla.kernels import columns

import asg
from asg.core.tensor import Tensor

X = np.random.default_rng(0).standard_normal((2, 3, 7, 6)).astype(np.float32)
IMAGES = np.random.default_rng(1).standard_normal((6, 5, 9, 8)).astype(np.float32)


def _conv(x: Tensor, filters: int = 6, **options: object) -> Tensor:
    count = filters * int(x.shape[1]) * 6
    weight = np.sin(np.arange(count, dtype=np.float32)).reshape(filters, x.shape[1], 3, 2)
    return asg.conv2d(x, asg.constant(weight), **options)  # type: ignore[arg-type]


CHAINS: dict[str, Callable[[Tensor], Tensor]] = {
    "elementwise with a vector": lambda y: asg.relu(y * asg.constant(np.arange(5.0, dtype="f4"))),
    "elementwise with images": lambda y: y + asg.constant(np.ones((1, 6, 1, 1), np.float32)),
    "statistics of channels": lambda y: y - y.mean((0, 2, 3), keepdims=True),
    "sum to two axes": lambda y: y.sum((1, 3)),
    "maximum of one axis": lambda y: asg.max(y, 2),
    "permuted and added": lambda y: asg.permute_dims(y, (0, 1, 3, 2)) + y,
    "permuted twice": lambda y: asg.permute_dims(asg.permute_dims(y, (1, 0, 2, 3)), (1, 0, 3, 2)),
    "pooled": lambda y: asg.max_pool2d(y, 2),
    "averages of windows": lambda y: asg.avg_pool2d(y, 2, padding=1),
    "flat": lambda y: y.reshape((2, -1)) * 2.0,
    "chosen": lambda y: asg.where(y > 0.0, y, 0.1 * y),
    "two convolutions": lambda y: _conv(asg.tanh(y), 4, stride=2),
}


@pytest.mark.parametrize("name", CHAINS)
def test_whatever_follows_a_convolution_sees_its_axes_in_order(name: str) -> None:
    x = asg.input("x", X.shape)
    result = CHAINS[name](_conv(x))
    graph = asg.Graph(y=result, slope=asg.grad(asg.sum(asg.sin(result)), x))
    ours, theirs = (asg.compile(graph, backend)(x=X) for backend in ("jax", "numpy"))
    for key, value in theirs.items():
        np.testing.assert_allclose(np.asarray(ours[key]), value, rtol=2e-5, atol=2e-5, err_msg=key)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1},
        {"dilation": 2, "padding": (2, 1)},
        {"stride": (1, 3), "dilation": (2, 1), "padding": (0, 3)},
    ],
)
@pytest.mark.parametrize("few", [True, False])
def test_side_by_side_is_the_convolution(
    options: dict[str, object], few: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward with few channels, and the gradient of the weight, which exchanges the axes."""
    images = IMAGES[:, :3] if few else IMAGES
    x = asg.input("x", images.shape)
    w = asg.input("w", (4, images.shape[1], 3, 2))
    y = asg.conv2d(x, w, **options)  # type: ignore[arg-type]
    graph = asg.Graph(y=y, slope=asg.grad(asg.sum(asg.sin(y)), w))
    weight = np.cos(np.arange(24 * images.shape[1], dtype=np.float32)).reshape(w.shape)
    found = asg.compile(graph, "jax")(x=images, w=weight)
    monkeypatch.setattr(columns, "FEW", 0)
    wanted = asg.compile(graph, "jax")(x=images, w=weight)
    for key, value in wanted.items():
        np.testing.assert_allclose(np.asarray(found[key]), np.asarray(value), rtol=1e-4, atol=1e-4)


def test_few_channels_are_written_side_by_side() -> None:
    x, w = asg.input("x", (8, 3, 9, 9)), asg.input("w", (4, 3, 3, 3))
    y = asg.conv2d(x, w)
    text = _program(asg.Graph(y=y, slope=asg.grad(asg.sum(y * y), w)))
    assert " convolution(" not in text
    many = asg.conv2d(asg.input("x", (8, 5, 9, 9)), asg.input("w", (4, 5, 3, 3)))
    assert " convolution(" in _program(asg.Graph(y=many))


def _program(graph: asg.Graph) -> str:
    shapes = [tensor.shape for tensor in graph.feeds.values()]
    return str(asg.compile(graph, "jax").build(shapes).hlo_text())  # type: ignore[arg-type, attr-defined]


def test_what_a_product_reads_is_kept_for_the_other_readers() -> None:
    rows = SMALLEST // 64
    x, w = asg.input("x", (rows, 64)), asg.input("w", (64, 64))
    hidden = asg.tanh(x)
    graph = asg.Graph(y=hidden.reshape((2, rows // 2, 64)) @ w, z=asg.exp(hidden))
    assert [tensor.node.op.name for tensor in kept_values(graph)] == ["tanh"]
    assert not kept_values(asg.Graph(y=hidden @ w))
    assert not kept_values(asg.Graph(y=asg.exp(hidden), z=asg.sin(hidden)))
    assert not kept_values(asg.Graph(y=x @ w, z=asg.exp(x)))
    assert not kept_values(asg.Graph(y=hidden[:5] @ w, z=asg.exp(hidden[:5])))
