"""Models of sequences: against transcriptions in PyTorch, in parts, and as published."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import optim
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError
from asg.nn import models
from tests.nn.oracle import assert_like_pytorch
from tests.nn.published_mamba import published

Array = np.ndarray[Any, Any]
VOCABULARY = 11


def tokens(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, VOCABULARY, shape)


def small_mamba(**options: Any) -> models.MambaLM:
    return models.MambaLM(models.MambaConfig(
        d_model=6, n_layer=2, vocab_size=VOCABULARY, ssm_cfg={"d_state": 3}, **options
    ))  # fmt: skip


SMALL: list[tuple[str, Any, int]] = [  # name, model, how many texts it takes
    ("LSTM", lambda **o: models.LSTMLanguageModel(VOCABULARY, 6, 8, dropout=0.1, **o), 1),
    ("tied LSTM", lambda **o: models.LSTMLanguageModel(VOCABULARY, 6, 6, 1, 0.0, True, **o), 1),
    ("Mamba", small_mamba, 1),
    ("Mamba, not tied", lambda **o: small_mamba(tie_embeddings=False, **o), 1),
    ("attention", lambda **o: models.AttentionSeq2Seq(VOCABULARY, VOCABULARY, 6, **o), 2),
]
EACH = pytest.mark.parametrize(("name", "make", "texts"), SMALL, ids=[row[0] for row in SMALL])


# -- transcriptions ----------------------------------------------------------------------------


def lstm_model(torch: Any, *, tied: bool) -> Any:
    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = torch.nn.Embedding(VOCABULARY, 6)
            self.rnn = torch.nn.LSTM(6, 6 if tied else 8, 1 if tied else 2)
            self.decoder = torch.nn.Linear(6 if tied else 8, VOCABULARY)
            if tied:
                self.decoder.weight = self.encoder.weight

        def forward(self, tokens: Any) -> Any:
            return self.decoder(self.rnn(self.encoder(tokens.T))[0]).transpose(0, 1)

    return Model()


def mamba_model(torch: Any, *, tied: bool) -> Any:
    class Block(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.mixer = published(torch, 6, d_state=3)
            self.norm = torch.nn.RMSNorm(6, eps=1e-5)

        def forward(self, x: Any) -> Any:
            return x + self.mixer(self.norm(x))

    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.backbone = torch.nn.ModuleDict(
                {
                    "embedding": torch.nn.Embedding(16, 6),  # 11, rounded up
                    "layers": torch.nn.ModuleList([Block(), Block()]),
                    "norm_f": torch.nn.RMSNorm(6, eps=1e-5),
                }
            )
            self.lm_head = torch.nn.Linear(6, 16, bias=False)
            if tied:
                self.lm_head.weight = self.backbone.embedding.weight

        def forward(self, tokens: Any) -> Any:
            x = self.backbone.embedding(tokens)
            for layer in self.backbone.layers:
                x = layer(x)
            return self.lm_head(self.backbone.norm_f(x))

    return Model()


def attention_model(torch: Any) -> Any:
    """The tutorial's, one step after the other; lengths are those of LENGTHS or none."""
    layers = torch.nn

    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = layers.Module(), layers.Module()
            self.encoder.embedding = layers.Embedding(VOCABULARY, 6)
            self.encoder.gru = layers.GRU(6, 6, batch_first=True)
            self.decoder.embedding = layers.Embedding(VOCABULARY, 6)
            self.decoder.attention = layers.ModuleDict(
                {"Wa": layers.Linear(6, 6), "Ua": layers.Linear(6, 6), "Va": layers.Linear(6, 1)}
            )
            self.decoder.gru = layers.GRU(12, 6, batch_first=True)
            self.decoder.out = layers.Linear(6, VOCABULARY)

        def forward(self, source: Any, target: Any) -> Any:
            """Each example by itself, without padding."""
            pairs = zip(source, target, LENGTHS, strict=True)
            return torch.cat([self.one(s[:n], t) for s, t, n in pairs])

        def one(self, source: Any, target: Any) -> Any:
            keys, hidden = self.encoder.gru(self.encoder.embedding(source[None]))
            part, outputs = self.decoder.attention, []
            for token in target:
                query = hidden.transpose(0, 1)
                scores = part.Va(torch.tanh(part.Wa(query) + part.Ua(keys))).transpose(1, 2)
                context = torch.bmm(torch.softmax(scores, -1), keys)
                embedded = self.decoder.embedding(token[None, None])
                y, hidden = self.decoder.gru(torch.cat((embedded, context), 2), hidden)
                outputs.append(self.decoder.out(y))
            return torch.cat(outputs, 1)

    return Model()


LENGTHS = np.array([5, 2, 3])


@pytest.mark.parametrize("tied", [False, True])
def test_language_models_are_their_transcriptions(tied: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    width = 6 if tied else 8
    pairs = [
        (models.LSTMLanguageModel(VOCABULARY, 6, width, 1 if tied else 2, 0.0, tied, "float64"),
         lstm_model(torch, tied=tied)),
        (small_mamba(tie_embeddings=tied, dtype="float64"), mamba_model(torch, tied=tied)),
    ]  # fmt: skip
    for ours, theirs in pairs:
        assert_like_pytorch(
            ours, theirs, [tokens(3, 5)], symbolic_batch=[("batch", "time")],
        )  # fmt: skip


def test_attention_is_its_transcription() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    arrays = [tokens(3, 5), tokens(3, 4, seed=1)]
    ours = models.AttentionSeq2Seq(VOCABULARY, VOCABULARY, 6, 0.0, "float64")
    for padded in (False, True):
        given = arrays if padded else [arrays[0][:1], arrays[1][:1]]

        def call(model: Any, source: Any, target: Any, padded: bool = padded) -> Any:
            return model(source, target, asg.constant(LENGTHS) if padded else None)

        def their_call(model: Any, source: Any, target: Any, padded: bool = padded) -> Any:
            return model(source, target) if padded else model.one(source[0], target[0])

        assert_like_pytorch(
            ours, attention_model(torch), given, our_call=call, their_call=their_call,
            symbolic_batch=False if padded else [("batch", "read"), ("batch", "written")],
        )  # fmt: skip


# -- behaviour ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [lambda: SMALL[0][1](dtype="float64"), lambda: small_mamba(dtype="float64")]
)
def test_a_text_in_parts_gives_what_the_whole_gives(make: Any) -> None:
    model, x = make(), asg.input("x", ("batch", 6), "int32")
    with asg.training_mode(False):
        whole, state, parts = model(x), None, []
        for start, end in ((0, 3), (3, 4), (4, 6)):
            y, state = model.step(x[:, start:end], state)
            parts.append(y)
    graph = asg.Graph(whole=whole, parts=asg.concat(parts, 1))
    found = asg.compile(graph).start(0)(x=tokens(2, 6).astype(np.int32))
    np.testing.assert_allclose(found["parts"], found["whole"], rtol=1e-10, atol=1e-13)


def losses(make: Any, texts: int, backend: str, steps: int) -> list[float]:
    step = asg.train_step(
        make(), loss=lambda y, target: asg.cross_entropy(y, target, axis=-1),
        optimizer=optim.adam(3e-3),
    )  # fmt: skip
    names = [f"x{i}" for i in range(texts)]
    shapes: dict[str, Any] = {name: (("batch", f"time_{name}"), "int32") for name in names}
    graph = step(**shapes, target=(("batch", f"time_{names[-1]}"), "int32"))
    session = asg.compile(graph, backend=backend).start(seed=0)
    feeds = {n: tokens(3, 5 + i, seed=i).astype(np.int32) for i, n in enumerate([*names, "target"])}
    feeds["target"] = feeds["target"][:, : feeds[names[-1]].shape[1]]
    return [float(session(**feeds)["loss"]) for _ in range(steps)]


@EACH
def test_a_model_learns_a_batch_of_symbolic_sizes(name: str, make: Any, texts: int) -> None:
    found = losses(make, texts, "numpy", 12)
    assert np.isfinite(found).all() and found[-1] < found[0]


def slow(which: int) -> Any:
    return pytest.param(which, marks=pytest.mark.slow, id=SMALL[which][0])


@pytest.mark.parametrize("which", [slow(0), 1, slow(2), slow(4)])
def test_steps_are_alike_on_both_backends(which: int) -> None:
    _, make, texts = SMALL[which]
    np.testing.assert_allclose(
        losses(make, texts, "jax", 2), losses(make, texts, "numpy", 2), rtol=1e-5
    )


@EACH
def test_the_summary_has_symbolic_sizes(name: str, make: Any, texts: int) -> None:
    model = make()
    count = sum(parameter.type.size for parameter in model.parameters().values())
    specs = [(("batch", f"time{i}"), "int32") for i in range(texts)]
    lines = model.summary(*specs).splitlines()
    assert lines[-1] == f"{count:,} parameters, 0 of them frozen"
    assert f"f32[batch, time{texts - 1}, " in lines[1]


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: models.MambaLM(), 129_135_360),
        (lambda: models.MambaLM(models.MambaConfig(d_model=1024, n_layer=48)), 371_516_416),
        # 33,278 words in 200 numbers, two layers of 200 and as many scores
        (lambda: models.LSTMLanguageModel(33_278), 13_987_678),
        # 4,345 and 2,803 words in 128 numbers; gates of 128 from 128 and from 256; attention
        (lambda: models.AttentionSeq2Seq(4345, 2803), 556_160 + 99_072 + 358_784 + 33_153
         + 148_224 + 361_587),
    ],
)  # fmt: skip
def test_models_have_the_published_sizes(make: Any, count: int) -> None:
    assert sum(parameter.type.size for parameter in make().parameters().values()) == count


def test_mamba_has_the_published_names() -> None:
    names = list(small_mamba().state_dict())
    mixer = [
        "A_log", "D", "conv1d.bias", "conv1d.weight", "dt_proj.bias", "dt_proj.weight",
        "in_proj.weight", "out_proj.weight", "x_proj.weight",
    ]  # fmt: skip
    wanted = [f"backbone.layers.{i}.mixer.{name}" for i in (0, 1) for name in mixer]
    wanted += [f"backbone.layers.{i}.norm.weight" for i in (0, 1)]
    wanted += ["backbone.embedding.weight", "backbone.norm_f.weight", "lm_head.weight"]
    assert sorted(names) == sorted(wanted)


def test_first_weights_of_mamba() -> None:
    config = models.MambaConfig(d_model=32, n_layer=4, vocab_size=100)
    found = models.MambaLM(config).state_dict()
    assert abs(found["backbone.embedding.weight"].std() - 0.02) < 0.001
    bound = 1.0 / np.sqrt(64 * 4)
    assert 0.98 * bound < np.abs(found["backbone.layers.1.mixer.out_proj.weight"]).max() <= bound


def text(*shape: Any, dtype: str = "int32") -> Any:
    return asg.input("x", shape, dtype)


WRONG: list[tuple[Any, type[AsgError], str]] = [
    (lambda: models.LSTMLanguageModel(0), OperandError, "num_embeddings=0"),
    (lambda: models.LSTMLanguageModel(9, 6, 8, tie_weights=True), OperandError,
     "embedding_dim=6 equal to hidden_size=8"),
    (lambda: models.LSTMLanguageModel(9, dropout=2.0), OperandError, r"p=2\.0"),
    (lambda: models.LSTMLanguageModel(9)(text(3)), ShapeError, r"takes \[batch, time\]"),
    (lambda: models.MambaConfig(d_model=0), OperandError, "d_model=0"),
    (lambda: models.MambaConfig(n_layer=1.5), OperandError, r"n_layer=1\.5"),  # type: ignore[arg-type]
    (lambda: models.MambaConfig(tie_embeddings=1), OperandError, "tie_embeddings=1"),  # type: ignore[arg-type]
    (lambda: models.MambaConfig(ssm_cfg=16), OperandError, "ssm_cfg=16"),  # type: ignore[arg-type]
    (lambda: small_mamba()(text(3, 2, dtype="float32")), DtypeError, "takes integers"),
    (lambda: small_mamba()(text(3, 2, 2)), ShapeError, r"takes \[batch, time\]"),
    (lambda: small_mamba().step(text(3, 2), []), OperandError, "of 0 layers, the model has 2"),
    (lambda: models.AttentionSeq2Seq(9, 9, 0), OperandError, "embedding_dim=0"),
    (lambda: models.AttentionSeq2Seq(9, 9, 4, 0.0)(text(2, 3), text(2)), ShapeError,
     r"takes \[batch, time\]"),
    (lambda: models.AttentionSeq2Seq(9, 9, 4, 0.0)(text(2, 3), text(2, 3), [1]), ShapeError,
     "lengths is"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "error", "message"), WRONG, ids=[row[2] for row in WRONG])
def test_what_does_not_fit_is_refused(build: Any, error: type[AsgError], message: str) -> None:
    with pytest.raises(error, match=message):
        build()
