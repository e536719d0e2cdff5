"""ViT against its formula in PyTorch: values, gradients, names, sizes, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import FeedError, OperandError, ShapeError
from asg.nn.models import VisionTransformer
from tests.nn.models.formula import attended, dense, norm, with_formula
from tests.nn.oracle import assert_like_pytorch

X = np.random.default_rng(0).normal(size=(3, 3, 8, 8))
SMALL: dict[str, Any] = {
    "image_size": 8, "patch_size": 4, "num_layers": 2, "num_heads": 2, "hidden_dim": 6,
    "mlp_dim": 10, "num_classes": 5,
}  # fmt: skip


def small(**changes: Any) -> VisionTransformer:
    return VisionTransformer(**{**SMALL, **changes})


def formula(torch: Any, size: int) -> Callable[..., Any]:
    """Patches are cut out, and laid out as rows."""

    def compute(p: Any, x: Any) -> Any:
        patches = x.unfold(2, size, size).unfold(3, size, size).permute(0, 2, 3, 1, 4, 5)
        rows = patches.flatten(3).flatten(1, 2)
        x = rows @ p["conv_proj.weight"].flatten(1).T + p["conv_proj.bias"]
        x = torch.cat([p["class_token"].expand(len(x), 1, 6), x], 1) + p["encoder.pos_embedding"]
        for i in range(2):
            name = f"encoder.layers.encoder_layer_{i}"
            y = norm(torch, p, f"{name}.ln_1", x, 1e-6)
            one, two = (p[f"{name}.self_attention.in_proj_{kind}"] for kind in ("weight", "bias"))
            y = attended(torch, (y @ one.T + two).chunk(3, -1), 2)
            x = x + dense(p, f"{name}.self_attention.out_proj", y)
            y = dense(p, f"{name}.mlp.0", norm(torch, p, f"{name}.ln_2", x, 1e-6))
            x = x + dense(p, f"{name}.mlp.3", torch.nn.functional.gelu(y))
        y = norm(torch, p, "encoder.ln", x, 1e-6)[:, 0]
        if "heads.pre_logits.weight" in p:
            y = dense(p, "heads.pre_logits", y).tanh()
        return dense(p, "heads.head", y)

    return compute


@pytest.mark.parametrize(
    ("changes", "training", "backend"),
    [
        ({}, True, "numpy"), ({"patch_size": 2}, False, "numpy"),
        ({"representation_size": 7}, False, "numpy"),
        pytest.param({}, False, "jax", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_values_and_gradients(changes: dict[str, Any], training: bool, backend: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours = small(dtype="float64", **changes)
    theirs = with_formula(torch, ours, formula(torch, ours.patch_size))
    assert_like_pytorch(
        ours, theirs, [X], training=training, symbolic_batch=True, backend=backend
    )


def test_names_and_shapes_are_torchvisions() -> None:
    found = {k: v.shape for k, v in small(num_layers=1, representation_size=7).state_dict().items()}
    layer = "encoder.layers.encoder_layer_0"
    assert found == {
        "class_token": (1, 1, 6), "conv_proj.weight": (6, 3, 4, 4), "conv_proj.bias": (6,),
        "encoder.pos_embedding": (1, 5, 6), f"{layer}.ln_1.weight": (6,),
        f"{layer}.ln_1.bias": (6,), f"{layer}.self_attention.in_proj_weight": (18, 6),
        f"{layer}.self_attention.in_proj_bias": (18,),
        f"{layer}.self_attention.out_proj.weight": (6, 6),
        f"{layer}.self_attention.out_proj.bias": (6,), f"{layer}.ln_2.weight": (6,),
        f"{layer}.ln_2.bias": (6,), f"{layer}.mlp.0.weight": (10, 6), f"{layer}.mlp.0.bias": (10,),
        f"{layer}.mlp.3.weight": (6, 10), f"{layer}.mlp.3.bias": (6,),
        "encoder.ln.weight": (6,), "encoder.ln.bias": (6,), "heads.pre_logits.weight": (7, 6),
        "heads.pre_logits.bias": (7,), "heads.head.weight": (5, 7), "heads.head.bias": (5,),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("vit_ti_16", 5_717_416), ("vit_s_16", 22_050_664), ("vit_b_16", 86_567_656),
        ("vit_b_32", 88_224_232), ("vit_l_16", 304_326_632), ("vit_l_32", 306_535_400),
        ("vit_h_14", 632_045_800),
    ],
)  # fmt: skip
def test_published_sizes(name: str, parameters: int) -> None:
    model: nn.Module = getattr(nn.models, name)()
    assert sum(int(each.type.size) for each in model.parameters().values()) == parameters


def test_first_values() -> None:
    model = small(hidden_dim=48, mlp_dim=96, representation_size=64)
    values = model.state_dict()
    for name, std in (
        ("conv_proj.weight", 48**-0.5), ("heads.pre_logits.weight", 48**-0.5),
        ("encoder.layers.encoder_layer_0.mlp.0.weight", (2 / 144) ** 0.5),
        ("encoder.layers.encoder_layer_0.mlp.3.bias", 1e-6),
    ):  # fmt: skip
        assert abs(values[name].std() / std - 1.0) < 0.2, name
    for name in ("class_token", "conv_proj.bias", "heads.head.weight", "heads.head.bias"):
        assert not values[name].any(), name


def test_images_of_other_sizes() -> None:
    model = small()
    for shape in ((2, 3, 4, 16), (2, 3, 8), (2, 3, "h", 16)):
        with pytest.raises(ShapeError, match=r"\[batch, 3, 8, 8\]"):
            model(asg.input("x", shape))
    graph = asg.Graph(y=model(asg.input("x", ("n", 3, "h", "w"))))
    session = asg.compile(graph).start()
    assert session(x=np.ones((2, 3, 8, 8), np.float32))["y"].shape == (2, 5)
    with pytest.raises(FeedError):
        session(x=np.ones((2, 3, 4, 16), np.float32))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"patch_size": 3}, "image_size=8 is not a multiple of patch_size=3"),
        ({"num_heads": 4}, "num_heads=4"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"dropout": 2.0}, "2.0"),
        ({"attention_dropout": -1.0}, "-1.0"),
        ({"representation_size": 0}, "representation_size=0"),
    ],
)
def test_refused_arguments(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(OperandError) as caught:
        small(**changes)
    assert told in str(caught.value)
