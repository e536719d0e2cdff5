"""ViT: images as sequences of patches. Names and first values of torchvision."""

from __future__ import annotations

from math import sqrt
from typing import Any

from asg.core.dtype import float32
from asg.core.errors import OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.activation import GELU, Tanh
from asg.nn.attention import MultiheadAttention
from asg.nn.checks import require_positive
from asg.nn.container import Sequential
from asg.nn.convolution import Conv2d
from asg.nn.dropout import Dropout
from asg.nn.init import normal, trunc_normal, xavier_uniform, zeros
from asg.nn.linear import Linear
from asg.nn.module import Module
from asg.nn.norm import LayerNorm
from asg.ops.operand import respelled
from asg.state.variable import Initialiser, Variable

_EPSILON = 1e-6


def _dense(inputs: int, outputs: int, dtype: Any, weight: Initialiser, bias: float) -> Linear:
    """A dense layer; its bias begins normal with standard deviation ``bias``."""
    layer = Linear(inputs, outputs, dtype=dtype, init=weight)
    assert layer.bias is not None
    layer.bias.set_initial(normal(0.0, bias) if bias else zeros())
    return layer


class ViTBlock(Module):
    """Attention and feed-forward network, each on the normalised sum of all before it."""

    def __init__(
        self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float,
        attention_dropout: float, dtype: Any,
    ) -> None:  # fmt: skip
        self.ln_1 = LayerNorm(hidden_dim, _EPSILON, dtype=dtype)
        self.self_attention = MultiheadAttention(
            hidden_dim, num_heads, attention_dropout, batch_first=True, dtype=dtype
        )
        self.dropout = Dropout(dropout)
        self.ln_2 = LayerNorm(hidden_dim, _EPSILON, dtype=dtype)
        self.mlp = Sequential(
            _dense(hidden_dim, mlp_dim, dtype, xavier_uniform(), 1e-6),
            GELU(),
            Dropout(dropout),
            _dense(mlp_dim, hidden_dim, dtype, xavier_uniform(), 1e-6),
            Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_1(x)
        x = x + self.dropout(self.self_attention(y, y, y, need_weights=False)[0])
        result: Tensor = x + self.mlp(self.ln_2(x))
        return result


class ViTEncoder(Module):
    """Positions, the blocks, a norm."""

    def __init__(
        self, seq_length: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int,
        dropout: float, attention_dropout: float, dtype: Any,
    ) -> None:  # fmt: skip
        shape = (1, seq_length, hidden_dim)
        self.pos_embedding = Variable("pos_embedding", shape, normal(0.0, 0.02), dtype)
        self.dropout = Dropout(dropout)
        shared = (num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, dtype)
        blocks = {f"encoder_layer_{i}": ViTBlock(*shared) for i in range(num_layers)}
        self.layers = Sequential(**blocks)
        self.ln = LayerNorm(hidden_dim, _EPSILON, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.ln(self.layers(self.dropout(x + self.pos_embedding)))
        return y


class VisionTransformer(Module):
    """A transformer encoder on patches of an image and a class token, which is then classified.

    Attributes:
        class_token: ``[1, 1, hidden_dim]``, zeros.
        conv_proj: from patches to features.
        encoder: ``pos_embedding`` and ``layers.encoder_layer_0`` ...
        heads: the classifier, ``heads.head``.

    Raises:
        OperandError: an argument out of range, or patches that do not fill the image.

    Source: Dosovitskiy et al., https://arxiv.org/abs/2010.11929; arguments and names as
    torchvision's class.

    >>> import asg
    >>> from asg import nn
    >>> model = nn.models.VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=10)
    >>> str(model(asg.input("images", ("batch", 3, 32, 32))).type)
    'f32[batch, 10]'
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
        dtype: Any = float32,
    ) -> None:
        """Sizes as in torchvision.

        Args:
            image_size: height and width.
            patch_size: height and width of a patch; divides image_size.
            num_layers: blocks of the encoder.
            num_heads: heads of each; divides hidden_dim.
            hidden_dim: features of a patch.
            mlp_dim: features inside the feed-forward parts.
            dropout: of embeddings and branches.
            attention_dropout: of the attention weights.
            num_classes: outputs.
            representation_size: features of one more layer, with tanh, before the classifier.
            dtype: of the variables.
        """
        require_positive(
            image_size=image_size, patch_size=patch_size, num_layers=num_layers,
            num_heads=num_heads, hidden_dim=hidden_dim, mlp_dim=mlp_dim, num_classes=num_classes,
        )  # fmt: skip
        if image_size % patch_size:
            raise OperandError(
                f"image_size={image_size} is not a multiple of patch_size={patch_size}"
            )
        self.image_size, self.patch_size = image_size, patch_size
        self.hidden_dim = hidden_dim
        self.conv_proj = _patches(patch_size, hidden_dim, dtype)
        self.class_token = Variable("class_token", (1, 1, hidden_dim), zeros(), dtype)
        self.encoder = ViTEncoder(
            (image_size // patch_size) ** 2 + 1, num_layers, num_heads, hidden_dim, mlp_dim,
            dropout, attention_dropout, dtype,
        )  # fmt: skip
        self.heads = _classifier(hidden_dim, num_classes, representation_size, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, 3, image_size, image_size]`` to logits ``[batch, num_classes]``.

        Raises:
            ShapeError: images of another size.
        """
        patches = self.conv_proj(self._checked(x))
        tokens = call("swapaxes", patches.reshape((*patches.shape[:2], -1)), 1, 2)
        shape = (tokens.shape[0], 1, self.hidden_dim)
        first = call("broadcast_to", self.class_token, shape)
        features = self.encoder(call("concat", [first, tokens], axis=1))
        logits: Tensor = self.heads(features[:, 0])
        return logits

    def _checked(self, x: Tensor) -> Tensor:
        size = self.image_size
        if x.ndim == 4 and x.shape[2:] != (size, size):
            literal = [side for side in x.shape[2:] if isinstance(side, int)]
            if all(side == size for side in literal):
                return respelled(x, (*x.shape[:2], size, size))
        if x.ndim != 4 or x.shape[2:] != (size, size):
            raise ShapeError(
                f"this VisionTransformer takes images [batch, 3, {size}, {size}], given {x.type}"
            )
        return x


def _patches(patch_size: int, hidden_dim: int, dtype: Any) -> Conv2d:
    std = sqrt(1.0 / (3 * patch_size**2))
    layer = Conv2d(3, hidden_dim, patch_size, patch_size, dtype=dtype, init=trunc_normal(std=std))
    assert layer.bias is not None
    layer.bias.set_initial(zeros())
    return layer


def _classifier(hidden_dim: int, classes: int, representation: int | None, dtype: Any) -> Module:
    """Zeros, and with a representation LeCun's normal before them, as torchvision begins."""
    if representation is None:
        return Sequential(head=_dense(hidden_dim, classes, dtype, zeros(), 0.0))
    require_positive(representation_size=representation)
    std = sqrt(1.0 / hidden_dim)
    return Sequential(
        pre_logits=_dense(hidden_dim, representation, dtype, trunc_normal(std=std), 0.0),
        act=Tanh(),
        head=_dense(representation, classes, dtype, zeros(), 0.0),
    )


def _vit(
    patch: int, layers: int, heads: int, hidden: int, mlp: int, options: dict[str, Any]
) -> VisionTransformer:
    sizes = {
        "image_size": 224, "patch_size": patch, "num_layers": layers, "num_heads": heads,
        "hidden_dim": hidden, "mlp_dim": mlp,
    }  # fmt: skip
    return VisionTransformer(**{**sizes, **options})


def vit_ti_16(**options: Any) -> VisionTransformer:
    """ViT-Tiny with patches of 16, 5,717,416 parameters; ``options`` as `VisionTransformer`."""
    return _vit(16, 12, 3, 192, 768, options)


def vit_s_16(**options: Any) -> VisionTransformer:
    """ViT-Small with patches of 16, 22,050,664 parameters; ``options`` as `VisionTransformer`."""
    return _vit(16, 12, 6, 384, 1536, options)


def vit_b_16(**options: Any) -> VisionTransformer:
    """ViT-Base with patches of 16, 86,567,656 parameters; ``options`` as `VisionTransformer`."""
    return _vit(16, 12, 12, 768, 3072, options)


def vit_b_32(**options: Any) -> VisionTransformer:
    """ViT-Base with patches of 32, 88,224,232 parameters; ``options`` as `VisionTransformer`."""
    return _vit(32, 12, 12, 768, 3072, options)


def vit_l_16(**options: Any) -> VisionTransformer:
    """ViT-Large with patches of 16, 304,326,632 parameters; ``options`` as `VisionTransformer`."""
    return _vit(16, 24, 16, 1024, 4096, options)


def vit_l_32(**options: Any) -> VisionTransformer:
    """ViT-Large with patches of 32, 306,535,400 parameters; ``options`` as `VisionTransformer`."""
    return _vit(32, 24, 16, 1024, 4096, options)


def vit_h_14(**options: Any) -> VisionTransformer:
    """ViT-Huge with patches of 14, 632,045,800 parameters; ``options`` as `VisionTransformer`."""
    return _vit(14, 32, 16, 1280, 5120, options)
