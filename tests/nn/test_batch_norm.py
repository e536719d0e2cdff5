"""BatchNorm and SyncBatchNorm against PyTorch: steps in a row, evaluation, derivatives."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, OperandError, ShapeError, StateError
from tests.nn.oracle import assert_like_pytorch, assert_steps_like_pytorch

torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
LAYERS = [
    ("BatchNorm1d", (5, 3)),
    ("BatchNorm1d", (2, 3, 4)),
    ("BatchNorm2d", (2, 3, 2, 3)),
    ("BatchNorm3d", (2, 3, 2, 1, 2)),
    ("SyncBatchNorm", (2, 3, 4)),
]
GRID: list[dict[str, Any]] = [
    {"momentum": momentum, "affine": affine, "track_running_stats": tracked}
    for momentum, affine, tracked in product((0.7, None), (True, False), (True, False))
] + [{}, {"eps": 0.5, "bias": False}, {"momentum": 0, "affine": False}]


def batches(shape: tuple[int, ...], count: int = 3) -> list[np.ndarray[Any, Any]]:
    random = np.random.default_rng(7)
    return [random.normal(i, i + 1.0, shape) for i in range(count)]


def pair(name: str, **options: Any) -> tuple[Any, Any]:
    """Ours and PyTorch's, whose parameters are not just ones and zeros."""
    theirs = getattr(torch.nn, name)(3, **options)
    with torch.no_grad():
        for position, held in enumerate([*theirs.parameters(), *theirs.buffers()]):
            if held.dtype.is_floating_point:
                held.copy_(torch.linspace(0.5, 1.5 + position, 3))
    return getattr(nn, name)(3, dtype="float64", **options), theirs


@pytest.mark.parametrize(("name", "shape"), LAYERS)
@pytest.mark.parametrize("options", GRID, ids=str)
def test_steps_in_a_row(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    if name == "SyncBatchNorm":  # theirs needs a GPU; the numbers are BatchNorm1d's
        ours, _ = pair(name, **options)
        _, theirs = pair("BatchNorm1d", **options)
    else:
        ours, theirs = pair(name, **options)
    assert_steps_like_pytorch(ours, theirs, batches(shape))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "shape"), LAYERS[:4])
def test_derivatives(name: str, shape: tuple[int, ...], training: bool) -> None:
    for options in ({}, {"affine": False}, {"track_running_stats": False}, {"bias": False}):
        ours, theirs = pair(name, **options)
        assert_like_pytorch(ours, theirs, batches(shape, 1), training=training, symbolic_batch=True)


@pytest.mark.parametrize("options", [{}, {"momentum": None}], ids=str)
def test_on_jax(options: dict[str, Any]) -> None:
    pytest.importorskip("jax", reason="JAX is an optional backend")
    assert_steps_like_pytorch(*pair("BatchNorm2d", **options), batches((2, 3, 2, 3)), "jax")


def test_half_precision_is_tracked_in_its_dtype() -> None:
    ours, theirs = nn.BatchNorm1d(3, dtype="bfloat16"), torch.nn.BatchNorm1d(3).bfloat16()
    (batch,) = batches((8, 3), 1)
    x = asg.input("x", ("n", 3), "bfloat16")
    with asg.StateTrace(training=True) as trace:
        graph = trace.close({"y": ours(x)})
    session = asg.compile(graph).start()
    y = session(x=batch.astype(asg.bfloat16.numpy))["y"].astype(float)
    wanted = theirs(torch.tensor(batch).bfloat16()).detach().float().numpy()
    np.testing.assert_allclose(y, wanted, atol=0.02)
    held = ours.state_dict(session)["running_var"]
    assert held.dtype == asg.bfloat16.numpy
    wanted = theirs.running_var.float().numpy()
    np.testing.assert_allclose(held.astype(float), wanted, rtol=0.01)


def test_statistics_carry_no_derivative_into_what_reads_them_later() -> None:
    ours = nn.BatchNorm1d(3, dtype="float64")
    x = asg.input("x", (4, 3), "float64")
    with asg.StateTrace(training=True) as trace:
        ours(x)
        with asg.training_mode(False):
            y = ours(x)
        graph = trace.close({"slope": asg.grad(y.sum(), x)})
    found = asg.compile(graph).start()(x=np.arange(12.0).reshape(4, 3) ** 2)["slope"]
    np.testing.assert_allclose(found, np.broadcast_to(found[:1], (4, 3)))


def test_the_mode_has_to_be_chosen_where_it_matters() -> None:
    x = asg.input("x", (4, 3))
    with pytest.raises(StateError, match="BatchNorm1d behaves differently"):
        nn.BatchNorm1d(3)(x)
    nn.BatchNorm1d(3, track_running_stats=False)(x)


def test_one_value_per_channel_is_refused_when_built_or_when_run() -> None:
    norm = nn.BatchNorm1d(3)
    with asg.StateTrace(training=True) as trace:
        with pytest.raises(ShapeError, match="needs two values or more of a channel"):
            norm(asg.input("x", (1, 3)))
        graph = trace.close({"y": norm(asg.input("x", ("batch", 3)))})
    session = asg.compile(graph).start()
    with pytest.raises(AsgError, match="needs two values or more of a channel"):
        session(x=np.ones((1, 3), np.float32))


@pytest.mark.parametrize("layer", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"num_features": 0}, "num_features=0"),
        ({"num_features": 2.0}, r"num_features=2\.0"),
        ({"eps": -1.0}, r"eps=-1\.0 must be a number >= 0"),
        ({"eps": "small"}, "eps='small'"),
        ({"momentum": "fast"}, "momentum='fast'"),
        ({"momentum": True}, "momentum=True"),
        ({"affine": 1}, "affine=1 must be True or False"),
        ({"track_running_stats": None}, "track_running_stats=None"),
        ({"bias": 0}, "bias=0"),
    ],
)
def test_wrong_arguments(layer: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(OperandError, match=told):
        getattr(nn, layer)(**{"num_features": 3, **options})


@pytest.mark.parametrize(
    ("layer", "shape", "told"),
    [
        ("BatchNorm1d", (4,), r"takes \[batch, channels\] or \[batch, channels, length\], given"),
        ("BatchNorm1d", (2, 3, 4, 5), "given f32"),
        ("BatchNorm2d", (2, 3, 4), r"takes \[batch, channels, height, width\], given f32\[2, 3, 4"),
        ("BatchNorm3d", (2, 3, 4, 5), "depth"),
        ("BatchNorm2d", (2, 1, 4, 5), r"takes 3 channels along axis 1, given f32\[2, 1, 4, 5\]"),
        ("SyncBatchNorm", (4,), "given"),
    ],
)
def test_wrong_inputs(layer: str, shape: tuple[int, ...], told: str) -> None:
    for tracked in (True, False):
        with pytest.raises(ShapeError, match=told), asg.training_mode(False):
            getattr(nn, layer)(3, track_running_stats=tracked)(asg.input("x", shape))


def test_text() -> None:
    assert repr(nn.BatchNorm2d(3, momentum=None, bias=False)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=None, affine=True, bias=False, "
        "track_running_stats=True)"
    )
