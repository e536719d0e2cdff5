"""BERT against its formula in PyTorch, and against the library whose names it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError
from asg.nn.models import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
)
from tests.nn.models.formula import attended, dense, norm, with_formula
from tests.nn.oracle import assert_like_pytorch

TOKENS = np.random.default_rng(0).integers(0, 31, (3, 7))
KINDS = np.random.default_rng(1).integers(0, 2, (3, 7))
SEEN = np.array([[1] * 7, [1] * 5 + [0] * 2, [1] * 6 + [0]])
SMALL: dict[str, Any] = {
    "vocab_size": 31, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 12, "max_position_embeddings": 9,
}  # fmt: skip
TIED = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
EPSILON = 1e-12


def config(**changes: Any) -> BertConfig:
    return BertConfig(**{**SMALL, "dtype": "float64", "pad_token_id": None, **changes})


def features(torch: Any, p: Any, prefix: str, tokens: Any, seen: Any, kinds: Any) -> Any:
    words, positions, types = (
        p[f"{prefix}embeddings.{name}_embeddings.weight"]
        for name in ("word", "position", "token_type")
    )
    kinds = torch.zeros_like(tokens) if kinds is None else kinds
    x = words[tokens] + positions[: tokens.shape[1]] + types[kinds]
    x = norm(torch, p, f"{prefix}embeddings.LayerNorm", x, EPSILON)
    hidden = None if seen is None else seen[:, None] == 0
    layers = sum(name.endswith("intermediate.dense.bias") for name in p)
    for i in range(layers):
        name = f"{prefix}encoder.layer.{i}"
        qkv = [dense(p, f"{name}.attention.self.{n}", x) for n in ("query", "key", "value")]
        y = dense(p, f"{name}.attention.output.dense", attended(torch, qkv, 2, hidden))
        x = norm(torch, p, f"{name}.attention.output.LayerNorm", x + y, EPSILON)
        y = torch.nn.functional.gelu(dense(p, f"{name}.intermediate.dense", x))
        y = dense(p, f"{name}.output.dense", y)
        x = norm(torch, p, f"{name}.output.LayerNorm", x + y, EPSILON)
    return x


def pooled(p: Any, prefix: str, x: Any) -> Any:
    return dense(p, f"{prefix}pooler.dense", x[:, 0]).tanh()


def compute_model(torch: Any) -> Callable[..., Any]:
    def compute(p: Any, tokens: Any, seen: Any = None, kinds: Any = None) -> Any:
        x = features(torch, p, "", tokens, seen, kinds)
        return x if seen is None else x * seen[..., None], pooled(p, "", x)

    return compute


def compute_masked_lm(torch: Any) -> Callable[..., Any]:
    def compute(p: Any, tokens: Any) -> Any:
        x = features(torch, p, "bert.", tokens, None, None)
        x = torch.nn.functional.gelu(dense(p, "cls.predictions.transform.dense", x))
        x = norm(torch, p, "cls.predictions.transform.LayerNorm", x, EPSILON)
        return dense(p, "cls.predictions.decoder", x)

    return compute


def compute_classes(torch: Any) -> Callable[..., Any]:
    def compute(p: Any, tokens: Any) -> Any:
        x = features(torch, p, "bert.", tokens, None, None)
        return dense(p, "classifier", pooled(p, "bert.", x))

    return compute


def masked(model: Any, tokens: Any, seen: Any, kinds: Any) -> Any:
    """The features of the tokens that count."""
    x, text = model(tokens, seen, kinds)
    return x * asg.constant(SEEN[..., None]).astype("float64"), text


@pytest.mark.parametrize("backend", ["numpy", pytest.param("jax", marks=pytest.mark.slow)])
def test_the_encoder(backend: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours = BertModel(config(num_hidden_layers=1))
    theirs = with_formula(torch, ours, compute_model(torch))
    arrays = [TOKENS, SEEN, KINDS]
    assert_like_pytorch(ours, theirs, arrays, our_call=masked, backend=backend)


def test_the_encoder_of_any_number_of_tokens() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours = BertModel(config())
    theirs = with_formula(torch, ours, compute_model(torch))
    assert_like_pytorch(ours, theirs, [TOKENS], symbolic_batch=[("batch", "time")])


def test_heads_of_both_kinds() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    rates = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    made = config(num_hidden_layers=1, **rates)
    filler, classifier = BertForMaskedLM(made), BertForSequenceClassification(made, 3)
    theirs = with_formula(torch, filler, compute_masked_lm(torch), TIED)
    assert_like_pytorch(filler, theirs, [TOKENS], training=True)
    theirs = with_formula(torch, classifier, compute_classes(torch))
    assert_like_pytorch(classifier, theirs, [TOKENS], training=True)


@pytest.mark.slow  # to import their library
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
@pytest.mark.parametrize("kind", ["model", "no pooler", "filler", "classifier"])
def test_the_library_whose_names_it_has(kind: str, activation: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    transformers = pytest.importorskip("transformers", reason="an optional oracle")
    made = config(hidden_act=activation, pad_token_id=0)
    there = transformers.BertConfig(**SMALL, hidden_act=activation, num_labels=3)
    makers: dict[str, Callable[[], tuple[nn.Module, Any, Any]]] = {
        "model": lambda: (BertModel(made), transformers.BertModel(there),
                          lambda m, x: (m(x).last_hidden_state, m(x).pooler_output)),
        "no pooler": lambda: (BertModel(made, False), transformers.BertModel(there, False),
                              lambda m, x: m(x).last_hidden_state),
        "filler": lambda: (BertForMaskedLM(made), transformers.BertForMaskedLM(there),
                           lambda m, x: m(x).logits),
        "classifier": lambda: (BertForSequenceClassification(made, 3),
                               transformers.BertForSequenceClassification(there),
                               lambda m, x: m(x).logits),
    }  # fmt: skip
    ours, theirs, call = makers[kind]()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    assert_like_pytorch(ours, theirs, [TOKENS], their_call=call)


def test_names_and_shapes_are_those_of_published_files() -> None:
    model = BertForMaskedLM(config(num_hidden_layers=1))
    found = {name: array.shape for name, array in model.state_dict().items()}
    layer, size = "bert.encoder.layer.0", 8
    wanted: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (31, size),
        "bert.embeddings.position_embeddings.weight": (9, size),
        "bert.embeddings.token_type_embeddings.weight": (2, size),
        f"{layer}.intermediate.dense.weight": (12, size), f"{layer}.intermediate.dense.bias": (12,),
        f"{layer}.output.dense.weight": (size, 12), f"{layer}.output.dense.bias": (size,),
        "cls.predictions.decoder.weight": (31, size), "cls.predictions.decoder.bias": (31,),
        "cls.predictions.bias": (31,),
    }  # fmt: skip
    for name in (
        f"{layer}.attention.self.query", f"{layer}.attention.self.key",
        f"{layer}.attention.self.value", f"{layer}.attention.output.dense",
        "cls.predictions.transform.dense",
    ):  # fmt: skip
        wanted |= {f"{name}.weight": (size, size), f"{name}.bias": (size,)}
    for name in (
        "bert.embeddings", f"{layer}.attention.output", f"{layer}.output",
        "cls.predictions.transform",
    ):  # fmt: skip
        wanted |= {f"{name}.LayerNorm.weight": (size,), f"{name}.LayerNorm.bias": (size,)}
    assert found == wanted
    whole = BertModel(config(num_hidden_layers=1)).state_dict()
    inner = {name.removeprefix("bert.") for name in wanted if name.startswith("bert.")}
    assert whole.keys() == inner | {"pooler.dense.weight", "pooler.dense.bias"}


@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        (nn.models.bert_base, 109_482_240), (nn.models.bert_large, 335_141_888),
        (BertForMaskedLM, 109_514_298), (BertForSequenceClassification, 109_483_778),
    ],
)  # fmt: skip
def test_published_sizes(make: Callable[[], nn.Module], parameters: int) -> None:
    assert sum(int(each.type.size) for each in make().parameters().values()) == parameters


def test_first_values() -> None:
    model = BertModel(config(hidden_size=64, pad_token_id=3))
    values = model.state_dict()
    words = values["embeddings.word_embeddings.weight"]
    assert not words[3].any() and words[4].all()
    dense_values = values["encoder.layer.0.attention.self.query.weight"]
    assert abs(dense_values.std() / 0.02 - 1.0) < 0.05
    assert not values["pooler.dense.bias"].any()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hidden_size": 9}, "hidden_size=9 is not a multiple of num_attention_heads=2"),
        ({"type_vocab_size": 0}, "type_vocab_size=0"),
        ({"classifier_dropout": 2.0}, "classifier_dropout=2.0"),
        ({"hidden_act": "sine"}, "hidden_act='sine'"),
    ],
)
def test_refused_configurations(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(OperandError) as caught:
        config(**changes)
    assert told in str(caught.value)


def test_other_refusals() -> None:
    with pytest.raises(OperandError, match="add_pooling_layer=1"):
        BertModel(config(), 1)  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="num_labels=0"):
        BertForSequenceClassification(config(), 0)


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ([((7,), "int32")], ShapeError, "[batch, time]"),
        ([((2, 10), "int32")], ShapeError, "9 positions, 10"),
        ([((2, 7), "int32"), ((2, 7), "float32")], DtypeError, "attention_mask"),
        ([((2, 7), "int32"), ((2, 7), "bool"), ((7,), "int32")], ShapeError, "token_type_ids"),
        ([((2, 7), "int32"), ((2, 7), "bool"), ((2, 7), "float32")], DtypeError, "integers"),
    ],
)
def test_refused_calls(arguments: Any, kind: type[AsgError], told: str) -> None:
    model = BertModel(config())
    with pytest.raises(kind) as caught, asg.training_mode(False):
        model(*(asg.zeros(shape, dtype) for shape, dtype in arguments))
    assert told in str(caught.value)
