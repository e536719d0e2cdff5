"""Transformers for texts: the same on layers of PyTorch; causality, padding, lengths, training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import AsgError, DtypeError, FeedError, OperandError, ShapeError
from asg.nn.models import Seq2SeqTransformer, TransformerClassifier, TransformerLM
from tests.nn.oracle import assert_like_pytorch

TOKENS = np.random.default_rng(0).integers(1, 11, (3, 6))
TOKENS[1, 4:] = 0
TARGET = np.random.default_rng(1).integers(1, 11, (3, 4))
SIZES = (8, 2, 1, 12)


def sines(torch: Any, length: int) -> Any:
    angle = torch.arange(length)[:, None] / 10000.0 ** (torch.arange(0, 8, 2).double() / 8)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


def embedding(torch: Any, padding: int | None, max_length: int | None) -> Any:
    holder = torch.nn.Module()
    holder.tokens = torch.nn.Embedding(11, 8, padding)
    if max_length is not None:
        holder.positions = torch.nn.Module()
        holder.positions.weight = torch.nn.Parameter(torch.randn(max_length, 8))
    return holder


def embedded(torch: Any, holder: Any, tokens: Any) -> Any:
    learned = getattr(holder, "positions", None)
    length = tokens.shape[1]
    places = sines(torch, length) if learned is None else learned.weight[:length]
    return holder.tokens(tokens) * 8**0.5 + places


def encoder_model(
    torch: Any, classes: int | None, padding: int | None, max_length: int | None, norm_first: bool
) -> Any:
    layers: Any = torch.nn
    base: Any = layers.Module

    class Theirs(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = embedding(torch, padding, max_length)
            layer = layers.TransformerEncoderLayer(
                8, 2, 12, 0.0, "gelu", batch_first=True, norm_first=norm_first
            )
            last = layers.LayerNorm(8) if norm_first else None
            self.encoder = layers.TransformerEncoder(layer, 1, last, enable_nested_tensor=False)
            self.head = layers.Linear(8, classes or 11)

        def forward(self, tokens: Any) -> Any:
            x = embedded(torch, self.embedding, tokens)
            hidden = None if padding is None else tokens == padding
            if classes is None:
                length = tokens.shape[1]
                ahead = torch.ones(length, length, dtype=torch.bool).triu(1)
                return self.head(self.encoder(x, ahead, hidden))
            x = self.encoder(x, None, hidden)
            seen = torch.ones_like(tokens) if hidden is None else (~hidden).long()
            return self.head((x * seen[..., None]).sum(1) / seen.sum(1, keepdim=True))

    return Theirs()


@pytest.mark.parametrize("classes", [3, None])
@pytest.mark.parametrize(
    ("padding", "max_length", "norm_first"), [(None, None, False), (0, None, True), (0, 9, False)]
)
def test_encoders(
    classes: int | None, padding: int | None, max_length: int | None, norm_first: bool
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    options: dict[str, Any] = {
        "activation": "gelu", "norm_first": norm_first, "max_length": max_length,
        "padding_idx": padding, "dtype": "float64", "dropout": 0.0,
    }  # fmt: skip
    ours: nn.Module = (
        TransformerLM(11, *SIZES, **options)
        if classes is None
        else TransformerClassifier(11, classes, *SIZES, **options)
    )
    theirs = encoder_model(torch, classes, padding, max_length, norm_first)
    assert_like_pytorch(
        ours, theirs, [TOKENS], training=True, symbolic_batch=[("batch", "time")]
    )


@pytest.mark.parametrize("tied", [False, True])
def test_from_text_to_text(tied: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    base: Any = torch.nn.Module

    class Theirs(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.source, self.target = (embedding(torch, 0, None) for _ in range(2))
            self.transformer = torch.nn.Transformer(8, 2, 1, 1, 12, 0.0, batch_first=True)
            self.head = torch.nn.Linear(8, 11)
            if tied:
                self.target.tokens.weight = self.head.weight = self.source.tokens.weight

        def forward(self, source: Any, target: Any) -> Any:
            ahead = torch.ones(4, 4, dtype=torch.bool).triu(1)
            x, y = embedded(torch, self.source, source), embedded(torch, self.target, target)
            hidden = source == 0
            return self.head(
                self.transformer(
                    x, y, tgt_mask=ahead, src_key_padding_mask=hidden,
                    tgt_key_padding_mask=target == 0, memory_key_padding_mask=hidden,
                )
            )  # fmt: skip

    ours = Seq2SeqTransformer(
        11, 11, 8, 2, 1, 1, 12, 0.0, padding_idx=0, tie_embeddings=tied, dtype="float64"
    )
    assert_like_pytorch(
        ours, Theirs(), [TOKENS, TARGET], training=True,
        symbolic_batch=[("batch", "s"), ("batch", "t")],
    )  # fmt: skip


def evaluation(model: nn.Module, *names: str) -> Any:
    with asg.StateTrace() as trace:
        feeds = [asg.input(name, ("batch", name), "int64") for name in names]
        graph = trace.close({"y": model(*feeds)})
    return asg.compile(graph).start(seed=0)


def test_later_tokens_do_not_change_earlier_logits() -> None:
    session = evaluation(TransformerLM(11, *SIZES, padding_idx=0), "x")
    translator = evaluation(Seq2SeqTransformer(11, 11, 8, 2, 1, 1, 12), "s", "t")
    changed = TARGET.copy()
    changed[:, 2] = changed[:, 2] % 10 + 1
    for before, after in (
        (session(x=TARGET)["y"], session(x=changed)["y"]),
        (translator(s=TOKENS, t=TARGET)["y"], translator(s=TOKENS, t=changed)["y"]),
    ):
        np.testing.assert_array_equal(before[:, :2], after[:, :2])
        assert (before[:, 2:] != after[:, 2:]).any(-1).all()
    other = translator(s=TOKENS % 10 + 1, t=TARGET)["y"]
    assert (other != translator(s=TOKENS, t=TARGET)["y"]).any(-1).all()


def test_padding_does_not_count() -> None:
    session = evaluation(TransformerClassifier(11, 3, *SIZES, padding_idx=0), "x")
    short = session(x=TOKENS[1:2, :4])["y"]
    np.testing.assert_allclose(session(x=TOKENS)["y"][1:2], short, rtol=1e-5)
    assert np.isfinite(session(x=np.zeros((2, 3), np.int64))["y"]).all()


def test_texts_longer_than_the_table() -> None:
    session = evaluation(TransformerLM(11, *SIZES, max_length=5), "x")
    with pytest.raises(FeedError, match="5 and 6"):
        session(x=TOKENS)


def per_token(logits: asg.Tensor, target: asg.Tensor) -> asg.Tensor:
    return asg.cross_entropy(logits.reshape((-1, logits.shape[-1])), target.reshape((-1,)))


def test_training_on_texts_of_any_length() -> None:
    model = TransformerLM(11, 16, 2, 1, 32, dropout=0.1)
    batch = ("batch", "time"), "int64"
    step = asg.train_step(model, loss=per_token, optimizer=optim.adam(0.01))(x=batch, y=batch)
    session = asg.compile(step).start(seed=0)
    losses = [float(session(x=TOKENS, y=TOKENS)["loss"]) for _ in range(12)]
    assert np.isfinite(losses).all() and losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    ("make", "kind", "told"),
    [
        (lambda: TransformerClassifier(11, 0), OperandError, "num_classes=0"),
        (lambda: TransformerLM(11, 9, 3), OperandError, "features=9"),
        (lambda: TransformerLM(11, 8, 3), OperandError, "num_heads=3"),
        (lambda: TransformerLM(11, 8, 2, 0), OperandError, "num_layers=0"),
        (lambda: TransformerLM(11, 8, 2, max_length=0), OperandError, "max_length=0"),
        (lambda: TransformerLM(11, 8, 2, padding_idx=11), OperandError, "padding_idx=11"),
        (lambda: TransformerLM(11, 8, 2, activation="sine"), OperandError, "activation='sine'"),
        (lambda: Seq2SeqTransformer(5, 6, tie_embeddings=True), OperandError, "5 and 6"),
    ],
)  # fmt: skip
def test_refused_arguments(make: Callable[[], Any], kind: type[AsgError], told: str) -> None:
    with pytest.raises(kind) as caught:
        make()
    assert told in str(caught.value)


def test_refused_calls() -> None:
    model = TransformerLM(11, *SIZES, max_length=5)
    with asg.training_mode(False):
        for shape, dtype, kind in (
            ((6,), "int32", ShapeError), ((2, 3), "float32", DtypeError),
            ((2, 6), "int32", ShapeError),
        ):  # fmt: skip
            with pytest.raises(kind):
                model(asg.zeros(shape, dtype))
