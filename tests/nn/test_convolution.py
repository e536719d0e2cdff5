"""Convolutional layers against PyTorch's, over a grid of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError, ShapeError
from tests.nn.oracle import Array, assert_like_pytorch

Options = dict[str, Any]

SIZES = {1: (9,), 2: (6, 7), 3: (5, 4, 6)}

CASES: list[tuple[int, Options]] = [
    (1, {}),
    (1, {"stride": 2, "padding": 1}),
    (1, {"padding": "same", "dilation": 2}),
    (1, {"groups": 2, "bias": False}),
    (1, {"padding": "valid", "stride": 3}),
    (1, {"padding": 2, "padding_mode": "circular"}),
    (2, {}),
    (2, {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)}),
    (2, {"padding": 2, "dilation": (2, 1), "groups": 2}),
    (2, {"kernel_size": 2, "padding": "same", "groups": 4, "bias": False}),
    (2, {"padding": (1, 2), "padding_mode": "reflect", "stride": 2}),
    (2, {"kernel_size": 4, "padding": "same", "padding_mode": "replicate"}),
    (2, {"padding": "same", "dilation": (1, 2), "padding_mode": "circular", "groups": 2}),
    (2, {"padding": "valid", "padding_mode": "reflect"}),
    (3, {"kernel_size": 2}),
    (3, {"padding": 1, "stride": (1, 2, 3), "groups": 2}),
    (3, {"padding": (0, 1, 2), "padding_mode": "reflect", "bias": False}),
    (3, {"kernel_size": (1, 2, 3), "padding": "same", "padding_mode": "circular"}),
]

TRANSPOSES: list[tuple[int, Options]] = [
    (1, {}),
    (1, {"stride": 3, "padding": 1, "output_padding": 2}),
    (1, {"dilation": 3, "output_padding": 2, "groups": 2, "bias": False}),
    (2, {}),
    (2, {"stride": (2, 3), "padding": (0, 1), "output_padding": (1, 2)}),
    (2, {"kernel_size": (2, 3), "stride": 2, "groups": 2, "dilation": (1, 2)}),
    (2, {"groups": 4, "padding": 2, "stride": 2, "bias": False}),
    (3, {"kernel_size": 2, "stride": 2}),
    (3, {"padding": 1, "stride": (1, 2, 3), "output_padding": (0, 1, 2), "groups": 2}),
]


def layers(kind: str, spatial: int, options: Options) -> tuple[Any, Any]:
    """Ours in float64 and PyTorch's, from 4 to 8 channels."""
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    name, arguments = f"{kind}{spatial}d", {"kernel_size": 3} | options
    ours = getattr(nn, name)(4, 8, **arguments, dtype="float64")
    return ours, getattr(torch.nn, name)(4, 8, **arguments)


def numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(0).normal(size=shape))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(("spatial", "options"), CASES)
def test_convolutions_are_pytorchs(spatial: int, options: Options, batched: bool) -> None:
    x = numbers(*((2,) if batched else ()), 4, *SIZES[spatial])
    assert_like_pytorch(*layers("Conv", spatial, options), [x], symbolic_batch=batched)


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(("spatial", "options"), TRANSPOSES)
def test_transposes_are_pytorchs(spatial: int, options: Options, batched: bool) -> None:
    x = numbers(*((2,) if batched else ()), 4, *SIZES[spatial])
    assert_like_pytorch(*layers("ConvTranspose", spatial, options), [x], symbolic_batch=batched)


ALL_KINDS = [(kind, spatial) for kind in ("Conv", "ConvTranspose") for spatial in (1, 2, 3)]
QUICK_ON_XLA = [("Conv", 2), ("ConvTranspose", 1)]


@pytest.mark.parametrize(
    ("kind", "spatial"),
    [pytest.param(*c, marks=[] if c in QUICK_ON_XLA else [pytest.mark.slow]) for c in ALL_KINDS],
)
def test_xla_agrees(kind: str, spatial: int) -> None:
    options = {"stride": 2, "padding": 1, "groups": 2} | (
        {"padding_mode": "circular"} if kind == "Conv" else {"output_padding": 1}
    )
    x = numbers(2, 4, *SIZES[spatial])
    assert_like_pytorch(*layers(kind, spatial, options), [x], backend="jax")


@pytest.mark.parametrize(
    ("spatial", "options", "sizes"),
    [(1, {"stride": 3}, (14,)), (2, {"stride": 2, "padding": 1}, (8, 7)),
     (2, {"stride": (2, 3)}, (2, 8, 10, 13)), (3, {"stride": 2}, (7, 8, 8))],
)  # fmt: skip
def test_an_output_size_replaces_the_output_padding(
    spatial: int, options: Options, sizes: tuple[int, ...]
) -> None:
    x = numbers(2, 4, *(4, 4, 3)[:spatial]) if spatial != 3 else numbers(2, 4, 3, 3, 3)
    assert_like_pytorch(
        *layers("ConvTranspose", spatial, options), [x],
        our_call=lambda layer, y: layer(y, output_size=sizes),
        their_call=lambda layer, y: layer(y, output_size=sizes),
    )  # fmt: skip


def test_sizes_may_be_symbolic() -> None:
    layer = nn.Conv2d(3, 4, 3, padding="same", padding_mode="reflect", dtype="float64")
    symbolic = asg.Graph(y=layer(asg.input("x", ("n", 3, "h", "w"), "float64")))
    assert str(symbolic.outputs[0].type) == "f64[n, 4, h, w]"
    x = numbers(2, 3, 5, 6)
    literal = asg.Graph(y=layer(asg.input("x", x.shape, "float64")))
    found, wanted = (asg.compile(graph).start(0)(x=x)["y"] for graph in (symbolic, literal))
    np.testing.assert_allclose(found, wanted, 1e-12)
    transpose = nn.ConvTranspose1d(3, 4, 4, stride=2, padding=1)
    t = asg.input("x", ("n", 3, "t"))
    assert str(transpose(t, output_size=(2 * t.shape[2] + 1,)).type) == "f32[n, 4, 2*t + 1]"


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_text_is_pytorchs(kind: str, spatial: int) -> None:
    cases = CASES if kind == "Conv" else TRANSPOSES
    for ours, theirs in (layers(kind, n, options) for n, options in cases if n == spatial):
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
def test_first_values_have_pytorchs_distribution(kind: str) -> None:
    ours = getattr(nn, f"{kind}2d")(8, 32, 5, groups=2)
    bound = 1 / np.sqrt((4 if kind == "Conv" else 16) * 25)
    for values in ours.state_dict(seed=1).values():
        assert 0.9 * bound < np.abs(values).max() <= bound
        assert abs(values.mean()) < 0.35 * bound and values.std() > 0.4 * bound


def test_an_initialiser_is_for_the_weight() -> None:
    held = nn.Conv1d(2, 3, 2, init=nn.init.constant(0.25)).state_dict()
    assert (held["weight"] == 0.25).all() and not (held["bias"] == 0.25).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv1d(0, 2, 3), "in_channels=0"),
        (lambda: nn.Conv1d(2, True, 3), "out_channels=True"),
        (lambda: nn.Conv1d(2, 2, 0), "kernel_size=0"),
        (lambda: nn.Conv2d(2, 2, (3, 3, 3)), r"kernel_size=\(3, 3, 3\) has 3 entries for 2"),
        (lambda: nn.Conv2d(2, 2, 3, stride=(1, 0)), r"stride=\(1, 0\)"),
        (lambda: nn.Conv2d(2, 2, 3, padding=-1), "padding=-1"),
        (lambda: nn.Conv2d(2, 2, 3, padding="full"), "padding='full'"),
        (lambda: nn.Conv2d(2, 2, 3, padding="same", stride=2), "padding='same' needs stride 1"),
        (lambda: nn.Conv2d(2, 2, 3, dilation=0), "dilation=0"),
        (lambda: nn.Conv2d(2, 2, 3, groups=0), "groups=0"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels=3 is not a multiple of groups=2"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), "out_channels=3 is not a multiple"),
        (lambda: nn.Conv3d(2, 2, 3, padding_mode="wrap"), "padding_mode='wrap'"),
        (lambda: nn.ConvTranspose1d(2, 2, 3, output_padding=1), "output_padding=1 is not below"),
        (lambda: nn.ConvTranspose1d(2, 2, 3, padding="same"), "padding='same'"),  # type: ignore[arg-type]
        (lambda: nn.ConvTranspose2d(2, 2, 3, padding_mode="reflect"), "have 'zeros' only"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


def test_wrong_calls_are_refused() -> None:
    x = asg.input("x", ("n", 3, 8, 8))
    with pytest.raises(ShapeError, match=r"x is f32\[n, 3, 8, 8\]; a layer over 1 spatial"):
        nn.Conv1d(3, 4, 3)(x)
    with pytest.raises(ShapeError, match="x has 3 channels, a weight of"):
        nn.Conv2d(4, 4, 3)(x)
    layer = nn.ConvTranspose2d(3, 4, 3, stride=2)
    with pytest.raises(OperandError, match="output_size=16 of spatial axis 0 is not between 17"):
        layer(x, output_size=(16, 17))
    with pytest.raises(OperandError, match=r"output_size=\(17,\) has 1 entries"):
        layer(x, output_size=(17,))
    with pytest.raises(OperandError, match="is not between 17 and 18"):
        layer(x, output_size=(17, asg.dim("m")))
