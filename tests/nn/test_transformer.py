"""Transformer layers and stacks against PyTorch's."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError
from tests.nn.oracle import Array, assert_like_pytorch

torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")

D, H, F = 4, 2, 6


def arrays(*lengths: int) -> list[Array]:
    random = np.random.default_rng(0)
    return [random.normal(size=(2, length, D)) for length in lengths]


def options(**given: Any) -> dict[str, Any]:
    return {"dim_feedforward": F, "dropout": 0.0, "batch_first": True, **given}


CAUSAL = np.triu(np.ones((3, 3), bool), 1)
PADDING = np.array([[False, False, True], [False, True, True]])
FAR = np.array([[False, False, True, True], [False, False, False, True]])


@pytest.mark.parametrize(
    ("norm_first", "bias", "activation"),
    list(product([False, True], [False, True], ["relu", "gelu"])),
)
def test_encoder_layers(norm_first: bool, bias: bool, activation: str) -> None:
    given = options(norm_first=norm_first, bias=bias, activation=activation)
    assert_like_pytorch(
        nn.TransformerEncoderLayer(D, H, **given, dtype="float64"),
        torch.nn.TransformerEncoderLayer(D, H, **given), arrays(3), training=bias,
        symbolic_batch=norm_first,
        our_call=lambda m, x: m(x, CAUSAL, PADDING),
        their_call=lambda m, x: m(x, torch.tensor(CAUSAL), torch.tensor(PADDING)),
    )  # fmt: skip


def test_encoder_layers_by_default_have_the_length_first() -> None:
    given: dict[str, Any] = {"dim_feedforward": F, "layer_norm_eps": 1e-3}
    assert_like_pytorch(
        nn.TransformerEncoderLayer(D, H, **given, activation=asg.tanh, dtype="float64"),
        torch.nn.TransformerEncoderLayer(D, H, **given, activation=torch.tanh), arrays(3),
        our_call=lambda m, x: m(x, is_causal=True),
        their_call=lambda m, x: m(x, torch.tensor(np.triu(np.ones((2, 2), bool), 1))),
    )  # fmt: skip


@pytest.mark.parametrize(("norm_first", "bias"), list(product([False, True], repeat=2)))
def test_decoder_layers(norm_first: bool, bias: bool) -> None:
    given = options(norm_first=norm_first, bias=bias)
    masks: dict[str, Any] = {
        "tgt_mask": CAUSAL, "tgt_key_padding_mask": PADDING & False,
        "memory_mask": np.eye(3, 4, dtype=bool), "memory_key_padding_mask": FAR,
    }  # fmt: skip
    assert_like_pytorch(
        nn.TransformerDecoderLayer(D, H, **given, dtype="float64"),
        torch.nn.TransformerDecoderLayer(D, H, **given), arrays(3, 4), training=norm_first,
        our_call=lambda m, x, y: m(x, y, **masks),
        their_call=lambda m, x, y: m(x, y, **{k: torch.tensor(v) for k, v in masks.items()}),
    )  # fmt: skip


@pytest.mark.parametrize("normed", [False, True])
def test_stacks(normed: bool) -> None:
    layer = nn.TransformerEncoderLayer(D, H, **options(), dtype="float64")
    theirs = torch.nn.TransformerEncoderLayer(D, H, **options())
    assert_like_pytorch(
        nn.TransformerEncoder(layer, 2, nn.LayerNorm(D, dtype="float64") if normed else None),
        torch.nn.TransformerEncoder(
            theirs, 2, torch.nn.LayerNorm(D) if normed else None, enable_nested_tensor=False
        ),
        arrays(3),
        our_call=lambda m, x: m(x, CAUSAL, PADDING),
        their_call=lambda m, x: m(x, torch.tensor(CAUSAL), torch.tensor(PADDING)),
    )
    assert_like_pytorch(
        nn.TransformerDecoder(nn.TransformerDecoderLayer(D, H, **options(), dtype="float64"), 2),
        torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(D, H, **options()), 2),
        arrays(3, 4),
        our_call=lambda m, x, y: m(x, y, tgt_is_causal=True),
        their_call=lambda m, x, y: m(x, y, tgt_mask=torch.tensor(CAUSAL)),
    )


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize(
    ("norm_first", "bias", "backend"),
    [(False, True, "numpy"), (True, False, "numpy"), (True, True, "jax")],
)
def test_the_whole_transformer(norm_first: bool, bias: bool, backend: str) -> None:
    given = {
        **options(norm_first=norm_first, bias=bias), "d_model": D, "nhead": H,
        "num_encoder_layers": 2, "num_decoder_layers": 1,
    }  # fmt: skip
    mask = torch.nn.Transformer.generate_square_subsequent_mask(3).double()
    theirs = torch.nn.Transformer(**given)
    theirs.encoder.enable_nested_tensor = False
    assert_like_pytorch(
        nn.Transformer(**given, dtype="float64"), theirs, arrays(4, 3), backend=backend,
        symbolic_batch=bias,
        our_call=lambda m, x, y: m(
            x, y, tgt_mask=m.generate_square_subsequent_mask(3, "float64"),
            src_key_padding_mask=FAR, memory_key_padding_mask=FAR,
        ),
        their_call=lambda m, x, y: m(
            x, y, tgt_mask=mask,
            src_key_padding_mask=torch.tensor(np.where(FAR, -np.inf, 0.0)),
            memory_key_padding_mask=torch.tensor(np.where(FAR, -np.inf, 0.0)),
        ),
    )  # fmt: skip


def test_square_masks() -> None:
    found = asg.run(nn.Transformer.generate_square_subsequent_mask(3))
    expected = torch.nn.Transformer.generate_square_subsequent_mask(3).numpy()
    np.testing.assert_array_equal(found, expected)


def test_layers_of_a_stack_begin_with_values_of_their_own() -> None:
    values = nn.TransformerEncoder(nn.TransformerEncoderLayer(D, H, F), 2).state_dict()
    first, second = (values[f"layers.{i}.linear1.weight"] for i in range(2))
    assert first.shape == second.shape and not np.array_equal(first, second)


def test_matrices_of_a_transformer_begin_xavier_uniform() -> None:
    net = nn.Transformer(32, 2, 1, 1, 64)
    weight = net.state_dict()["encoder.layers.0.linear1.weight"]
    bound = np.sqrt(6.0 / (32 + 64))
    assert np.abs(weight).max() <= bound and np.abs(weight).max() > 0.95 * bound


def test_dropout_in_training_only() -> None:
    layer = nn.TransformerEncoderLayer(D, H, F, dropout=0.5, batch_first=True)
    x = asg.input("x", (2, 3, D))
    feed = arrays(3)[0].astype(np.float32)
    with asg.training_mode(False):
        graph = asg.Graph(y=layer(x))
    session = asg.compile(graph).start()
    np.testing.assert_array_equal(session(x=feed)["y"], session(x=feed)["y"])
    with asg.StateTrace(training=True) as trace:
        training = trace.close({"y": layer(x)})
    assert len([n for n in training.nodes if n.op.name == "dropout"]) == 3
    session = asg.compile(training).start()
    assert not np.allclose(np.array(session(x=feed)["y"]), session(x=feed)["y"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"activation": "swish"}, "activation='swish'"),
        ({"dim_feedforward": 0}, "dim_feedforward=0"),
        ({"dropout": -0.1}, "dropout=-0.1"),
    ],
)
def test_wrong_arguments(given: dict[str, Any], message: str) -> None:
    with pytest.raises(OperandError, match=message):
        nn.TransformerDecoderLayer(D, H, **given)
    with pytest.raises(OperandError, match="num_layers=0"):
        nn.TransformerEncoder(nn.TransformerEncoderLayer(D, H, F), 0)
