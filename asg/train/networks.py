"""The networks that a configuration can name: one line of `NETWORKS` each.

A builder gets the shape of one example and the number of outputs, then the options of its section.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from asg import nn
from asg.core.errors import ConfigError
from asg.train.sections import Choice, Section, told


@dataclass(frozen=True)
class Example:
    """What a network gets and gives.

    Attributes:
        shape: of one example.
        outputs: how many classes or tokens there are to tell apart, or numbers to predict.
        units: of numbers, mean and deviation in the data.
    """

    shape: tuple[int, ...]
    outputs: int
    units: tuple[float, float] | None = None


def classifier(
    features: int,
    hidden: Sequence[int],
    classes: int,
    dropout: float = 0.0,
    standardize: bool = False,
) -> nn.Sequential:
    """Dense layers with ReLU between them: ``fc1, act1, fc2, ...``.

    >>> list(classifier(64, [32], 10).parameters())
    ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']
    """
    widths = [features, *hidden, classes]
    layers: dict[str, nn.Module] = {}
    if standardize:
        layers["standard"] = nn.BatchNorm1d(features, affine=False)
    for number, (width, following) in enumerate(pairwise(widths), start=1):
        layers[f"fc{number}"] = nn.Linear(width, following)
        if number <= len(hidden):
            layers[f"act{number}"] = nn.ReLU()
            if dropout:
                layers[f"drop{number}"] = nn.Dropout(dropout)
    return nn.Sequential(**layers)


def mlp(
    example: Example,
    *,
    hidden: Sequence[int] = (64,),
    dropout: float = 0.0,
    standardize: bool = False,
) -> nn.Module:
    """Dense layers.

    Args:
        hidden: widths of the hidden layers.
        standardize: give every feature mean 0 and variance 1 first, for tables.
    """
    return classifier(example.shape[0], hidden, example.outputs, dropout, standardize)


def cnn(
    example: Example,
    *,
    conv_filters: Sequence[int] = (32, 64, 128),
    fc_units: Sequence[int] = (128,),
    dropout: float = 0.5,
) -> nn.Module:
    """Blocks of convolution 3 x 3, batch normalisation, ELU and pooling; then dense layers.

    Args:
        conv_filters: filters of each block; every block halves height and width.
        fc_units: widths of the dense layers before the last one.
    """
    channels, height, width = example.shape
    halvings = len(conv_filters)
    if min(height, width) >> halvings == 0:
        raise ConfigError(
            f"conv_filters: {halvings} blocks halve images of {height} x {width} to nothing"
        )
    layers: dict[str, nn.Module] = {}
    for number, (before, filters) in enumerate(pairwise((channels, *conv_filters)), start=1):
        layers |= {
            f"conv{number}": nn.Conv2d(before, filters, 3, padding=1),
            f"bn{number}": nn.BatchNorm2d(filters),
            f"act{number}": nn.ELU(),
            f"pool{number}": nn.MaxPool2d(2),
        }
    layers["flatten"] = nn.Flatten()
    features = (channels, *conv_filters)[-1] * (height >> halvings) * (width >> halvings)
    for number, (before, units) in enumerate(pairwise((features, *fc_units)), start=1):
        layers |= {
            f"fc{number}": nn.Linear(before, units),
            f"fc{number}_act": nn.ELU(),
            f"fc{number}_drop": nn.Dropout(dropout),
        }
    layers["out"] = nn.Linear((features, *fc_units)[-1], example.outputs)
    return nn.Sequential(**layers)


def lenet(example: Example) -> nn.Module:
    """LeNet-5, for images of 28 x 28 or 32 x 32."""
    channels, height, width = example.shape
    if (height, width) not in ((28, 28), (32, 32)):
        raise ConfigError(
            f"kind: lenet is for images of 28 x 28 or 32 x 32, these have {height} x {width}"
        )
    padding = 2 if height == 28 else 0
    return nn.models.LeNet5(example.outputs, channels, padding)


def resnet18(example: Example, *, width: int = 64) -> nn.Module:
    """ResNet-18, names of torchvision; gray images are given it three times over.

    Args:
        width: channels of the first stage; 64 in the paper.
    """
    return nn.models.resnet18(num_classes=example.outputs, width=width)


def vgg11(example: Example, *, width_mult: float = 1.0, dropout: float = 0.5) -> nn.Module:
    """VGG-11 with batch normalisation, names of torchvision.

    Args:
        width_mult: factor of all widths.
    """
    return nn.models.vgg11_bn(
        num_classes=example.outputs, width_mult=width_mult, dropout=dropout
    )


def mobilenet_v2(
    example: Example, *, width_mult: float = 1.0, dropout: float = 0.2
) -> nn.Module:
    """MobileNetV2, names of torchvision."""
    return nn.models.mobilenet_v2(
        num_classes=example.outputs, width_mult=width_mult, dropout=dropout
    )


def vit(
    example: Example,
    *,
    patch_size: int = 4,
    num_layers: int = 4,
    num_heads: int = 4,
    hidden_dim: int = 64,
    mlp_dim: int = 128,
    dropout: float = 0.0,
) -> nn.Module:
    """A vision transformer, for square images.

    Args:
        patch_size: height and width of a patch; divides those of the images.
        num_layers: blocks of the encoder.
        num_heads: heads of each; divides hidden_dim.
        hidden_dim: features of a patch.
        mlp_dim: features inside the dense part of a block.
    """
    _, height, width = example.shape
    if height != width:
        raise ConfigError(f"kind: vit is for square images, these have {height} x {width}")
    return nn.models.VisionTransformer(
        height, patch_size, num_layers, num_heads, hidden_dim, mlp_dim, dropout,
        num_classes=example.outputs,
    )  # fmt: skip


def char_lstm(
    example: Example,
    *,
    embedding_dim: int = 64,
    hidden_size: int = 128,
    num_layers: int = 1,
    dropout: float = 0.0,
) -> nn.Module:
    """A language model of an LSTM.

    Args:
        embedding_dim: features of a character.
        hidden_size: of the LSTM.
        num_layers: one on top of the other.
    """
    return nn.models.LSTMLanguageModel(
        example.outputs, embedding_dim, hidden_size, num_layers, dropout
    )


def gpt(
    example: Example,
    *,
    n_embd: int = 64,
    n_layer: int = 2,
    n_head: int = 4,
    dropout: float = 0.0,
) -> nn.Module:
    """A language model of transformer blocks; it writes texts as long as its windows.

    Args:
        n_embd: features of a character.
        n_layer: blocks.
        n_head: heads of each; divides n_embd.
    """
    config = nn.models.GPTConfig(
        vocab_size=example.outputs, n_positions=example.shape[0], n_embd=n_embd, n_layer=n_layer,
        n_head=n_head, resid_pdrop=dropout, embd_pdrop=dropout, attn_pdrop=dropout,
    )  # fmt: skip
    return nn.models.GPT(config)


def attention_seq2seq(
    example: Example, *, hidden_size: int = 64, dropout: float = 0.0
) -> nn.Module:
    """A GRU reads, a GRU with attention to what was read writes.

    Args:
        hidden_size: features of a symbol and of the state.
    """
    symbols = example.outputs + 1  # and one for the start
    return nn.models.AttentionSeq2Seq(symbols, symbols, hidden_size, dropout)


class Measured(nn.Module):
    """A network of one output, as one number per example in the units of the data.

    Attributes:
        net: whose output has about mean 0 and deviation 1.
    """

    def __init__(self, net: nn.Module, mean: float, deviation: float) -> None:
        """What the numbers that the network learns have for a mean and a deviation."""
        self.net, self._mean, self._deviation = net, mean, deviation

    def forward(self, *inputs: Any) -> Any:
        """``[batch]``."""
        return self.net(*inputs)[:, 0] * self._deviation + self._mean


FLAT, IMAGE, COLOUR, TEXT = "features", "images", "images of three channels", "text"
SEQUENCE = "sequences"


@dataclass(frozen=True)
class Network:
    """A network a configuration can name.

    Attributes:
        build: makes it.
        takes: examples as features in a row, as images, as images of three channels, texts, or
            sequences, to write others.
    """

    build: Callable[..., nn.Module]
    takes: str


NETWORKS = {
    "mlp": Network(mlp, FLAT),
    "cnn": Network(cnn, IMAGE),
    "lenet": Network(lenet, IMAGE),
    "resnet18": Network(resnet18, COLOUR),
    "vgg11": Network(vgg11, COLOUR),
    "mobilenet_v2": Network(mobilenet_v2, COLOUR),
    "vit": Network(vit, COLOUR),
    "char_lstm": Network(char_lstm, TEXT),
    "gpt": Network(gpt, TEXT),
    "attention_seq2seq": Network(attention_seq2seq, SEQUENCE),
}
MODEL = Choice(
    "model", "kind", {name: each.build for name, each in NETWORKS.items()}, default="mlp", fixed=1
)


def takes(section: Section) -> str:
    """How the network that a section chooses takes its examples."""
    return NETWORKS[MODEL.chosen(section)].takes


def network(section: Section, example: Example) -> nn.Module:
    """The network that a section describes, for these examples.

    Raises:
        ConfigError: it cannot be built for them; begins with the section.
    """
    made: nn.Module = told("model", lambda: MODEL.build(section, example))
    return made if example.units is None else Measured(made, *example.units)
