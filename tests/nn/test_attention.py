"""Multi-head attention against PyTorch's, over its arguments and masks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.nn.oracle import Array, assert_like_pytorch

torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")

N, L, S, E, H = 2, 3, 4, 4, 2


def operands(batch_first: bool = False, kdim: int = E, vdim: int = E) -> list[Array]:
    random = np.random.default_rng(0)
    shapes = [(N, L, E), (N, S, kdim), (N, S, vdim)]
    arrays = [random.normal(size=shape) for shape in shapes]
    return arrays if batch_first else [np.swapaxes(each, 0, 1).copy() for each in arrays]


def compare(options: dict[str, Any], arrays: Sequence[Array], call: dict[str, Any],
            training: bool = False, **facts: Any) -> None:  # fmt: skip
    """``call`` holds arguments of forward; arrays among them are constants."""
    ours = nn.MultiheadAttention(E, H, **options, dtype="float64")
    theirs = torch.nn.MultiheadAttention(E, H, **options)
    given = {
        key: torch.tensor(value) if isinstance(value, np.ndarray) else value
        for key, value in call.items()
    }
    assert_like_pytorch(
        ours, theirs, arrays, training=training,
        our_call=lambda m, *x: m(*x, **call), their_call=lambda m, *x: m(*x, **given), **facts,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bias", "batch_first", "extra", "zero"), list(product([False, True], repeat=4))
)
def test_arguments(bias: bool, batch_first: bool, extra: bool, zero: bool) -> None:
    options = {
        "bias": bias, "batch_first": batch_first, "add_bias_kv": extra, "add_zero_attn": zero,
    }  # fmt: skip
    compare(options, operands(batch_first), {}, training=bias)


@pytest.mark.parametrize(("kdim", "vdim"), [(5, 3), (4, 6), (None, 5)])
@pytest.mark.parametrize("extra", [False, True])
def test_other_sizes_of_keys_and_values(kdim: int | None, vdim: int, extra: bool) -> None:
    options = {"kdim": kdim, "vdim": vdim, "add_bias_kv": extra}
    compare(options, operands(kdim=kdim or E, vdim=vdim), {"average_attn_weights": False})


def masks(kind: str) -> dict[str, Any]:
    padding = np.array([[False, True, False, False], [False, False, False, True]])
    attn = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]], bool)
    each = np.stack([attn, ~attn, attn & False, np.roll(attn, 1, axis=1)])
    found = {
        "padding": {"key_padding_mask": padding},
        "attn": {"attn_mask": attn},
        "each": {"attn_mask": each},
        "both": {"key_padding_mask": padding, "attn_mask": attn},
        "added": {"attn_mask": np.random.default_rng(1).normal(size=(L, S))},
        "added both": {
            "key_padding_mask": np.where(padding, -np.inf, 0.0),
            "attn_mask": np.random.default_rng(1).normal(size=(N * H, L, S)),
        },
    }
    return found[kind]


@pytest.mark.parametrize("kind", ["padding", "attn", "each", "both", "added", "added both"])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("extra", [False, True])
def test_masks(kind: str, need_weights: bool, extra: bool) -> None:
    options = {"add_bias_kv": extra, "add_zero_attn": extra}
    compare(options, operands(), {**masks(kind), "need_weights": need_weights})


@pytest.mark.parametrize("need_weights", [False, True])
def test_without_a_batch(need_weights: bool) -> None:
    arrays = [array[:, 0] for array in operands()]
    call = {"need_weights": need_weights, "key_padding_mask": np.array([False, True, False, False])}
    compare({}, arrays, call)
    compare({"add_bias_kv": True}, arrays, {"average_attn_weights": False})


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("symbolic", [False, True])
def test_attention_to_itself(need_weights: bool, symbolic: bool) -> None:
    x = np.random.default_rng(2).normal(size=(N, L, E))
    mask = np.triu(np.ones((L, L), bool), 1)
    ours = nn.MultiheadAttention(E, H, batch_first=True, dtype="float64")
    assert_like_pytorch(
        ours, torch.nn.MultiheadAttention(E, H, batch_first=True), [x], symbolic_batch=symbolic,
        our_call=lambda m, x: m(x, x, x, need_weights=need_weights, is_causal=True),
        their_call=lambda m, x: m(x, x, x, need_weights=need_weights, attn_mask=torch.tensor(mask)),
    )  # fmt: skip


def test_symbolic_lengths_and_jax() -> None:
    compare({"batch_first": True}, operands(batch_first=True), {}, symbolic_batch=True)
    compare({"add_bias_kv": True}, operands(), masks("both"), backend="jax")


def test_a_query_that_sees_nothing_gives_zeros() -> None:
    layer = nn.MultiheadAttention(E, H, bias=False)
    x = asg.input("x", (L, N, E))
    for need_weights in (False, True):
        hidden = np.ones((L, L), bool)
        y, weights = layer(x, x, x, attn_mask=hidden, need_weights=need_weights)
        found = asg.compile(asg.Graph(y=y)).start()(x=np.ones((L, N, E), np.float32))
        assert not found["y"].any()
        assert (weights is None) is not need_weights


def test_dropout_of_weights() -> None:
    layer = nn.MultiheadAttention(E, H, dropout=0.5)
    graphs = []
    for need_weights in (False, True):
        with asg.StateTrace(training=True) as trace:
            x = asg.input("x", (6, 2, E))
            graphs.append(trace.close({"y": layer(x, x, x, need_weights=need_weights)[0]}))
    feed = np.random.default_rng(0).normal(size=(6, 2, E)).astype(np.float32)
    for graph in graphs:
        found = {}
        for backend in ("numpy", "jax")[: 1 + (graph is graphs[1])]:
            session = asg.compile(graph, backend=backend).start(3)
            found[backend] = [np.array(session(x=feed)["y"]) for _ in range(2)]
            assert not np.allclose(found[backend][0], found[backend][1])
    np.testing.assert_allclose(found["numpy"], found["jax"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embed_dim": 5, "num_heads": 2}, "embed_dim=5 is not a multiple"),
        ({"embed_dim": 4, "num_heads": 0}, "num_heads=0"),
        ({"embed_dim": 4, "num_heads": 2, "dropout": 1.5}, "dropout=1.5"),
        ({"embed_dim": 4, "num_heads": 2, "kdim": -1}, "kdim=-1"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OperandError, match=message):
        nn.MultiheadAttention(**options)


def test_wrong_operands() -> None:
    layer = nn.MultiheadAttention(4, 2)
    x, flat = asg.input("x", (3, 2, 4)), asg.input("x", (3, 4))
    with pytest.raises(ShapeError, match="3 axes"):
        layer(x, x, flat)
    with pytest.raises(ShapeError, match="attn_mask"):
        layer(x, x, x, attn_mask=np.ones(3, bool))
    with pytest.raises(DtypeError, match="key_padding_mask"):
        layer(x, x, x, key_padding_mask=np.ones((2, 3), np.int32))
    with pytest.raises(ShapeError):
        layer(x, x, x, key_padding_mask=np.ones((2, 5), bool))


def test_repr() -> None:
    assert repr(nn.MultiheadAttention(4, 2)).splitlines()[0] == (
        "MultiheadAttention(4, 2, dropout=0.0)"
    )
