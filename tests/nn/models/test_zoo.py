"""The contract of the model zoo: one row of TABLE for each architecture, the same tests for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.nn import models

Array = np.ndarray[Any, Any]


class Feed(NamedTuple):
    """An input behind its batch axis: normal floats, or integers in [0, below)."""

    shape: tuple[int, ...]
    below: int = 0

    @property
    def spec(self) -> tuple[tuple[int | str, ...], str]:
        """Shape with a symbolic batch, and dtype."""
        return ("batch", *self.shape), "int32" if self.below else "float32"

    def numbers(self, batch: int) -> Array:
        """The same at every call."""
        random, shape = np.random.default_rng(len(self.shape)), (batch, *self.shape)
        if self.below:
            return random.integers(0, self.below, shape).astype(np.int32)
        return random.normal(size=shape).astype(np.float32)


CLASSES, IMAGES, DIGITS = Feed((), below=10), Feed((3, 224, 224)), Feed((1, 28, 28))


def cross_entropy(logits: Any, target: Any) -> Any:
    return asg.cross_entropy(logits, target)


@dataclass(frozen=True)
class Row:
    """An architecture.

    Attributes:
        name: of the row.
        published: makes the network as published.
        parameters: how many that has.
        inputs: what it takes.
        small: makes a network of few parameters, which is trained.
        feeds: what that takes.
        target: what its loss compares with.
        loss: of its outputs and the target.
        rate: of gradient descent.
        slow_on_xla: compiling its step takes more than a few seconds.
    """

    name: str
    published: Callable[[], nn.Module]
    parameters: int
    inputs: tuple[Feed, ...]
    small: Callable[[], nn.Module]
    feeds: tuple[Feed, ...]
    target: Feed = CLASSES
    loss: Callable[[Any, Any], Any] = cross_entropy
    rate: float = 0.01
    slow_on_xla: bool = False


def vision(name: str, make: Callable[..., nn.Module], parameters: int, **small: Any) -> Row:
    """A classifier of images with torchvision's arguments, made small by more of them."""
    return Row(
        name, make, parameters, (IMAGES,), lambda: make(num_classes=10, **small),
        (Feed((3, 32, 32)),), rate=0.003, slow_on_xla=True,
    )  # fmt: skip


def per_token(logits: Any, target: Any) -> Any:
    """Cross-entropy of tokens ``[batch, time]``."""
    return asg.cross_entropy(logits.reshape((-1, logits.shape[-1])), target.reshape((-1,)))


def small_gpt() -> nn.Module:
    config = models.GPTConfig(
        vocab_size=11, n_positions=5, n_embd=8, n_layer=1, n_head=2, attn_pdrop=0.0,
        resid_pdrop=0.05,
    )  # fmt: skip
    return models.GPT(config)


def small_bert() -> nn.Module:
    config = models.BertConfig(
        vocab_size=11, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=12, max_position_embeddings=5, hidden_dropout_prob=0.05,
        pad_token_id=None, initializer_range=0.3,
    )  # fmt: skip
    return models.BertForSequenceClassification(config, 10)


def small_vit() -> nn.Module:
    net = models.VisionTransformer(8, 4, 1, 2, 8, 12, dropout=0.05, num_classes=10)
    return nn.init.initialize(net, {"heads.head.weight": nn.init.normal(std=0.3)})


def small_translator() -> nn.Module:
    return models.Seq2SeqTransformer(11, 11, 8, 2, 1, 1, 12, 0.05, tie_embeddings=True)


def encoder(make: Callable[..., nn.Module], *last: int) -> Callable[[], nn.Module]:
    """One with the sizes of the base model of the paper."""
    return lambda: make(10_000, *last, 512, 8, 6, 2048)


WORDS = Feed((5,), below=11)
BERTS, GPTS, LONG = Feed((512,), 30_522), Feed((1024,), 50_257), Feed((128,), 10_000)

TABLE: list[Row] = [
    Row("MLP", lambda: models.MLP(784, (256, 10)), 203_530, (Feed((784,)),),
        lambda: models.MLP(12, (16, 10), dropout=0.05), (Feed((12,)),), rate=0.1),
    Row("LeNet-5", models.LeNet5, 61_706, (DIGITS,), models.LeNet5, (DIGITS,)),
    Row("LeNet-5 of 32 x 32", lambda: models.LeNet5(padding=0), 61_706, (Feed((1, 32, 32)),),
        lambda: models.LeNet5(padding=0, activation=nn.ReLU, pool=nn.MaxPool2d),
        (Feed((1, 32, 32)),), slow_on_xla=True),
    vision("VGG-11", models.vgg11, 132_863_336, width_mult=0.0625, dropout=0.1),
    vision("VGG-11 with norm", models.vgg11_bn, 132_868_840, width_mult=0.0625),
    vision("VGG-16", models.vgg16, 138_357_544, width_mult=0.0625, dropout=0.1),
    vision("VGG-16 with norm", models.vgg16_bn, 138_365_992, width_mult=0.0625),
    vision("ResNet-18", models.resnet18, 11_689_512, width=8),
    vision("ResNet-34", models.resnet34, 21_797_672, width=4),
    vision("ResNet-50", models.resnet50, 25_557_032, width=4),
    vision("MobileNetV2", models.mobilenet_v2, 3_504_872, width_mult=0.1),
    vision("EfficientNet-B0", models.efficientnet_b0, 5_288_548, width_mult=0.1, depth_mult=0.3),
    Row("autoencoder", models.Autoencoder, 2_837_314, (Feed((784,)),),
        lambda: models.Autoencoder(12, (8,), 3), (Feed((12,)),), Feed((12,)), nn.MSELoss()),
    Row("VAE", models.VAE, 652_824, (Feed((784,)),), lambda: models.VAE(12, 8, 3), (Feed((12,)),),
        Feed((12,), below=2), lambda outputs, x: models.vae_loss(outputs, x.astype("float32"))),
    Row("GPT-2", models.gpt2, 124_439_808, (GPTS,), small_gpt, (WORDS,), WORDS, per_token, 1.0),
    Row("BERT", models.bert_base, 109_482_240, (BERTS,), small_bert, (WORDS,), rate=0.1,
        slow_on_xla=True),
    Row("ViT-B/16", models.vit_b_16, 86_567_656, (IMAGES,), small_vit, (Feed((3, 8, 8)),),
        rate=0.03, slow_on_xla=True),
    Row("ViT-Ti/16", models.vit_ti_16, 5_717_416, (IMAGES,), small_vit, (Feed((3, 8, 8)),),
        rate=0.03, slow_on_xla=True),
    Row("transformer, classifier", encoder(models.TransformerClassifier, 10), 24_039_434, (LONG,),
        lambda: models.TransformerClassifier(11, 10, 8, 2, 1, 12, 0.05, norm_first=True),
        (WORDS,), rate=0.03, slow_on_xla=True),
    Row("transformer, language model", encoder(models.TransformerLM), 29_164_304, (LONG,),
        lambda: models.TransformerLM(11, 8, 2, 1, 12, 0.05, max_length=5), (WORDS,), WORDS,
        per_token, 0.1, slow_on_xla=True),
    Row("transformer, translation",
        lambda: models.Seq2SeqTransformer(37_000, 37_000, tie_embeddings=True), 63_121_544,
        (LONG, LONG), small_translator, (WORDS, WORDS), WORDS, per_token, 0.1, True),
]  # fmt: skip

EACH = pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in TABLE])
BOTH = [
    pytest.param(
        row, backend, id=f"{row.name}-{backend}",
        marks=[pytest.mark.slow] if backend == "jax" and row.slow_on_xla else [],
    )
    for row in TABLE for backend in ("numpy", "jax")
]  # fmt: skip


@EACH
def test_the_published_network_has_its_published_size(row: Row) -> None:
    net = row.published()
    assert sum(int(each.type.size) for each in net.parameters().values()) == row.parameters
    lines = net.summary(*(feed.spec for feed in row.inputs)).splitlines()
    assert lines[-1] == f"{row.parameters:,} parameters, 0 of them frozen"
    assert "batch" in lines[1] and f"{row.parameters:,}" in lines[1]


@EACH
def test_names_are_the_paths_of_the_modules(row: Row) -> None:
    net = row.small()
    for name, variable in net.parameters().items():
        assert variable.name == name
    assert len(repr(net).splitlines()) == len(net.modules())


@EACH
def test_an_example_does_not_depend_on_its_batch(row: Row) -> None:
    net = row.small()
    with asg.StateTrace() as trace:
        given = {f"x{i}": asg.input(f"x{i}", *feed.spec) for i, feed in enumerate(row.feeds)}
        graph = trace.close({"y": net(*given.values())})
    session = asg.compile(graph).start(seed=0)
    arrays = {f"x{i}": feed.numbers(5) for i, feed in enumerate(row.feeds)}
    whole, part = session(**arrays), session(**{name: a[3:] for name, a in arrays.items()})
    for name, value in whole.items():
        assert np.isfinite(value).all() and value.std() > 0.0
        np.testing.assert_allclose(part[name], value[3:], rtol=1e-4, atol=1e-5)


def losses_of(row: Row, backend: str, steps: int) -> tuple[list[float], int]:
    """The losses of some steps on one batch, and how many parameters then differ."""
    net = row.small()
    net.load_state_dict(net.state_dict(seed=0))  # as arrays, which XLA need not compile
    step = asg.train_step(net, loss=row.loss, optimizer=optim.sgd(row.rate))
    feeds = {f"x{i}": feed for i, feed in enumerate(row.feeds)} | {"target": row.target}
    graph = step(**{name: feed.spec for name, feed in feeds.items()})
    session = asg.compile(graph, backend=backend).start(seed=0)
    first = session.state_dict("parameter")
    batch = {name: feed.numbers(6) for name, feed in feeds.items()}
    losses = [float(session(**batch)["loss"]) for _ in range(steps)]
    last = session.state_dict("parameter")
    return losses, sum(not np.array_equal(first[name], last[name]) for name in first)


@pytest.mark.parametrize(("row", "backend"), BOTH)
def test_it_learns_a_batch(row: Row, backend: str) -> None:
    losses, changed = losses_of(row, backend, 8)
    assert np.isfinite(losses).all()
    assert min(losses[-2:]) < losses[0]
    assert changed == len(row.small().parameters())
    if backend != "numpy":  # norms over few values multiply rounding: only the first loss agrees
        np.testing.assert_allclose(losses[0], losses_of(row, "numpy", 1)[0][0], rtol=1e-3)
