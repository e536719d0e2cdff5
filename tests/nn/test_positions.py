"""Modules of positions against formulas written in PyTorch; offsets, lengths and refusals."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, DtypeError, FeedError, OperandError, ShapeError
from tests.nn.oracle import assert_like_pytorch

Array = np.ndarray[Any, Any]
X = np.random.default_rng(0).normal(size=(2, 5, 6))


def formula(torch: Any, compute: Callable[[Any, Any], Any], **parameters: Any) -> Any:
    """A module of PyTorch that computes this from its parameters and x."""

    class Formula(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for name, shape in parameters.items():
                self.register_parameter(name, torch.nn.Parameter(torch.randn(shape)))

        def forward(self, x: Any) -> Any:
            return compute(self, x)

    return Formula()


@pytest.mark.parametrize(("base", "offset"), list(product([10000.0, 7.0], [0, 3])))
def test_sines(base: float, offset: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")

    def sines(module: Any, x: Any) -> Any:
        angle = (torch.arange(x.shape[-2]) + offset)[:, None] / base ** (
            torch.arange(0, 6, 2, dtype=torch.float64) / 6
        )
        return x + torch.stack([angle.sin(), angle.cos()], -1).reshape(-1, 6)

    for x, symbolic in ((X, False), (X[0], False), (X, True)):
        assert_like_pytorch(
            nn.SinusoidalPositions(6, base), formula(torch, sines), [x], symbolic_batch=symbolic,
            our_call=lambda module, x: module(x, offset),
        )  # fmt: skip


@pytest.mark.parametrize(("length", "offset"), [(5, 0), (9, 0), (9, 4), ("time", 2)])
def test_a_learned_table(length: Any, offset: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    theirs = formula(torch, lambda m, x: x + m.weight[offset : offset + 5], weight=(9, 6))
    assert_like_pytorch(
        nn.LearnedPositions(9, 6, dtype="float64"), theirs, [X],
        symbolic_batch=[("batch", length if length == "time" else 5, 6)],
        our_call=lambda module, x: module(x, offset),
    )  # fmt: skip


def test_a_table_that_is_too_short() -> None:
    layer = nn.LearnedPositions(4, 6)
    with pytest.raises(ShapeError, match="has 4 positions, 6 are needed"):
        layer(asg.zeros((5, 6)), offset=1)
    y = layer(asg.input("x", ("time", 6)))
    session = asg.compile(asg.Graph(y=y)).start()
    assert session(x=np.zeros((4, 6), np.float32))["y"].shape == (4, 6)
    with pytest.raises(FeedError, match="4 and 5"):
        session(x=np.zeros((5, 6), np.float32))


def test_the_first_values_of_a_table() -> None:
    table = nn.LearnedPositions(200, 50).state_dict()["weight"]
    assert abs(table.std() - 0.02) < 0.001 and abs(table.mean()) < 0.001
    fixed = nn.LearnedPositions(2, 2, init=nn.init.ones()).state_dict()["weight"]
    assert fixed.tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(("interleaved", "features"), list(product([False, True], [6, 4])))
def test_rotations(interleaved: bool, features: int) -> None:
    """Pairs as complex numbers times ``exp(i * angle)``."""
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")

    def rotations(module: Any, x: Any) -> Any:
        power = 50.0 ** (-torch.arange(0, features, 2, dtype=torch.float64) / features)
        turn = torch.exp(1j * (torch.arange(5, dtype=torch.float64) + 3)[:, None] * power)
        head, rest = x[..., :features], x[..., features:]
        half = features // 2
        first, second = (
            (head[..., 0::2], head[..., 1::2]) if interleaved else head.split([half, half], -1)
        )
        turned = torch.complex(first, second) * turn
        parts = [turned.real, turned.imag]
        head = torch.stack(parts, -1).flatten(-2) if interleaved else torch.cat(parts, -1)
        return torch.cat([head, rest], -1)

    ours = nn.RotaryPositions(features, 50.0, interleaved)
    for call in (
        lambda module, x: module(x, offset=3),
        lambda module, x: module(x, [3, 4, 5, 6, 7]),
        lambda module, x: module(x, asg.constant([[2], [2]]) + asg.iota((5,)), offset=1),
    ):
        assert_like_pytorch(ours, formula(torch, rotations), [X], our_call=call)
    assert_like_pytorch(
        ours, formula(torch, rotations), [X], symbolic_batch=[("batch", "time", 6)],
        our_call=lambda module, x: module(x, offset=3),
    )  # fmt: skip


@pytest.mark.parametrize("heads", [1, 4, 6])
def test_linear_biases(heads: int) -> None:
    exponents = {1: [8], 4: [2, 4, 6, 8], 6: [2, 4, 6, 8, 1, 3]}[heads]
    far = abs(np.arange(3)[:, None] + 2 - np.arange(5))
    wanted = -np.array([0.5**e for e in exponents])[:, None, None] * far
    layer = nn.AlibiPositions(heads)
    query, key = asg.zeros((1, heads, 3, 2), "float64"), asg.zeros((1, heads, 5, 2), "float64")
    np.testing.assert_allclose(asg.run(layer(query, key, offset=2)), wanted, rtol=1e-14)
    assert layer(query).shape == (heads, 3, 3)
    symbolic = layer(asg.input("q", ("batch", heads, "time", 2)))
    assert str(symbolic.type) == f"f32[{heads}, time, time]"


def test_both_backends_agree() -> None:
    x = asg.input("x", ("batch", "time", 6))
    y = nn.LearnedPositions(8, 6)(nn.SinusoidalPositions(6)(nn.RotaryPositions(4)(x)))
    graph = asg.Graph(y=y, bias=nn.AlibiPositions(3)(x))
    found = [
        asg.compile(graph, backend=backend).start(2)(x=X.astype(np.float32))
        for backend in ("numpy", "jax")
    ]
    for name, value in found[0].items():
        np.testing.assert_allclose(value, found[1][name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "kind", "told"),
    [
        (lambda: nn.SinusoidalPositions(5), OperandError, "features=5"),
        (lambda: nn.SinusoidalPositions(4, base=0), OperandError, "base=0"),
        (lambda: nn.SinusoidalPositions(4)(asg.zeros((3, 6))), ShapeError, "[..., time, 4]"),
        (lambda: nn.SinusoidalPositions(4)(asg.zeros((4,))), ShapeError, "[..., time, 4]"),
        (lambda: nn.LearnedPositions(0, 4), OperandError, "max_length=0"),
        (lambda: nn.LearnedPositions(3, True), OperandError, "features=True"),
        (lambda: nn.LearnedPositions(3, 4)(asg.zeros((3, 6))), ShapeError, "[..., time, 4]"),
        (lambda: nn.RotaryPositions(3), OperandError, "features=3"),
        (lambda: nn.RotaryPositions(4, "long"), OperandError, "base='long'"),  # type: ignore[arg-type]
        (lambda: nn.RotaryPositions(4, interleaved=1), OperandError, "interleaved=1"),  # type: ignore[arg-type]
        (lambda: nn.RotaryPositions(4)(asg.zeros((3, 2))), ShapeError, "4 or more"),
        (lambda: nn.RotaryPositions(4)(asg.zeros((3, 4)), [0.5] * 3), DtypeError, "positions"),
        (lambda: nn.AlibiPositions(0), OperandError, "num_heads=0"),
        (lambda: nn.AlibiPositions(2)(asg.zeros((4,))), ShapeError, "[..., time, features]"),
        (lambda: nn.AlibiPositions(2)(asg.zeros((4, 2), "int32")), DtypeError, "i32[4, 2]"),
    ],
)  # fmt: skip
def test_refusals(make: Any, kind: type[AsgError], told: str) -> None:
    with pytest.raises(kind) as caught:
        make()
    assert told in str(caught.value)


def test_how_they_print() -> None:
    assert repr(nn.SinusoidalPositions(4)) == "SinusoidalPositions(4, base=10000.0)"
    assert repr(nn.LearnedPositions(9, 4)) == "LearnedPositions(9, 4)"
    assert repr(nn.RotaryPositions(4)) == "RotaryPositions(4, base=10000.0, interleaved=False)"
    assert repr(nn.AlibiPositions(4)) == "AlibiPositions(4)"
