"""GPT against its formula in PyTorch, and against the library whose names it has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, DtypeError, FeedError, OperandError, ShapeError
from asg.nn.models import GPT, GPTConfig
from tests.nn.models.formula import attended, dense, norm, with_formula
from tests.nn.oracle import assert_like_pytorch

TOKENS = np.random.default_rng(0).integers(0, 31, (3, 7))
SEEN = np.array([[1] * 7, [1] * 5 + [0] * 2, [1] * 6 + [0]])
SMALL: dict[str, Any] = {
    "vocab_size": 31, "n_positions": 9, "n_embd": 8, "n_layer": 2, "n_head": 2,
}  # fmt: skip
TIED = {"lm_head.weight": "transformer.wte.weight"}
VARIANTS: list[dict[str, Any]] = [
    {}, {"n_inner": 12, "activation_function": "gelu", "n_layer": 1},
    {"activation_function": "relu", "n_layer": 1},
    {"tie_word_embeddings": False, "activation_function": "silu", "n_layer": 1},
]  # fmt: skip


def config(**changes: Any) -> GPTConfig:
    return GPTConfig(**{**SMALL, "dtype": "float64", **changes})


def activated(torch: Any, name: str, x: Any) -> Any:
    if name == "gelu_new":
        return 0.5 * x * (1 + torch.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))
    return getattr(torch.nn.functional, name)(x)


def formula(torch: Any, made: GPTConfig) -> Any:
    def compute(p: Any, tokens: Any, seen: Any = None) -> Any:
        length = tokens.shape[1]
        hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
        if seen is not None:
            hidden = hidden | (seen[:, None] == 0)
        x = p["transformer.wte.weight"][tokens] + p["transformer.wpe.weight"][:length]
        for i in range(made.n_layer):
            name = f"transformer.h.{i}"
            qkv = dense(p, f"{name}.attn.c_attn", norm(torch, p, f"{name}.ln_1", x, 1e-5), True)
            y = attended(torch, qkv.chunk(3, -1), made.n_head, hidden)
            x = x + dense(p, f"{name}.attn.c_proj", y, True)
            y = dense(p, f"{name}.mlp.c_fc", norm(torch, p, f"{name}.ln_2", x, 1e-5), True)
            y = activated(torch, made.activation_function, y)
            x = x + dense(p, f"{name}.mlp.c_proj", y, True)
        logits = dense(p, "lm_head", norm(torch, p, "transformer.ln_f", x, 1e-5))
        return logits if seen is None else logits * seen[..., None]

    return compute


@pytest.mark.parametrize("changes", [*VARIANTS, {"bias": False, "n_layer": 1}])
def test_values_and_gradients(changes: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    made = config(**changes)
    ours = GPT(made)
    tied = TIED if made.tie_word_embeddings else {}
    theirs = with_formula(torch, ours, formula(torch, made), tied)
    assert_like_pytorch(ours, theirs, [TOKENS], symbolic_batch=[("batch", "time")])


def test_training_without_dropout() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours = GPT(config(n_layer=1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0))
    theirs = with_formula(torch, ours, formula(torch, ours.config), TIED)
    assert_like_pytorch(ours, theirs, [TOKENS], training=True)


def masked(model: Any, tokens: Any, seen: Any) -> Any:
    """Logits of the tokens that count."""
    return model(tokens, seen) * asg.constant(SEEN[..., None]).astype("float64")


@pytest.mark.parametrize(
    ("backend", "dtype"),
    [
        ("numpy", "bool"), ("numpy", "int64"),
        pytest.param("jax", "int64", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_hidden_tokens(backend: str, dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours = GPT(config(n_layer=1))
    theirs = with_formula(torch, ours, formula(torch, ours.config), TIED)
    arrays = [TOKENS, SEEN.astype(dtype)]
    assert_like_pytorch(ours, theirs, arrays, our_call=masked, backend=backend)


@pytest.mark.slow  # to import their library
@pytest.mark.parametrize("changes", VARIANTS)
def test_the_library_whose_names_it_has(changes: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    transformers = pytest.importorskip("transformers", reason="an optional oracle")
    special = {"bos_token_id": 0, "eos_token_id": 0}
    there = transformers.GPT2Config(**{**SMALL, **changes, **special})
    theirs = transformers.GPT2LMHeadModel(there)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    ours = GPT(config(**changes))
    assert_like_pytorch(ours, theirs, [TOKENS], their_call=lambda m, x: m(x).logits)
    counted = torch.tensor(SEEN)[..., None]
    assert_like_pytorch(
        ours, transformers.GPT2LMHeadModel(there), [TOKENS, SEEN], our_call=masked,
        their_call=lambda m, x, seen: m(x, attention_mask=seen).logits * counted,
    )  # fmt: skip


def test_names_and_shapes_are_those_of_published_files() -> None:
    found = {name: array.shape for name, array in GPT(config(n_layer=1)).state_dict().items()}
    block, width = "transformer.h.0", 8
    assert found == {
        "transformer.wte.weight": (31, width), "transformer.wpe.weight": (9, width),
        f"{block}.ln_1.weight": (width,), f"{block}.ln_1.bias": (width,),
        f"{block}.attn.c_attn.weight": (width, 24), f"{block}.attn.c_attn.bias": (24,),
        f"{block}.attn.c_proj.weight": (width, width), f"{block}.attn.c_proj.bias": (width,),
        f"{block}.ln_2.weight": (width,), f"{block}.ln_2.bias": (width,),
        f"{block}.mlp.c_fc.weight": (width, 32), f"{block}.mlp.c_fc.bias": (32,),
        f"{block}.mlp.c_proj.weight": (32, width), f"{block}.mlp.c_proj.bias": (width,),
        "transformer.ln_f.weight": (width,), "transformer.ln_f.bias": (width,),
        "lm_head.weight": (31, width),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gpt2", 124_439_808), ("gpt2_medium", 354_823_168), ("gpt2_large", 774_030_080),
        ("gpt2_xl", 1_557_611_200),
    ],
)  # fmt: skip
def test_published_sizes(name: str, parameters: int) -> None:
    model: nn.Module = getattr(nn.models, name)()
    assert sum(int(each.type.size) for each in model.parameters().values()) == parameters


def test_first_values() -> None:
    values = GPT(GPTConfig(**{**SMALL, "n_embd": 64, "n_layer": 8})).state_dict()
    block = "transformer.h.0"
    for name, std in (
        ("transformer.wte.weight", 0.02), (f"{block}.attn.c_attn.weight", 0.02),
        (f"{block}.attn.c_proj.weight", 0.005), (f"{block}.mlp.c_fc.weight", 0.02),
        (f"{block}.mlp.c_proj.weight", 0.005),
    ):  # fmt: skip
        assert abs(values[name].std() / std - 1.0) < 0.06, name
    assert not values[f"{block}.attn.c_attn.bias"].any()
    assert (values[f"{block}.ln_1.weight"] == 1.0).all()


def test_later_tokens_do_not_change_earlier_logits() -> None:
    with asg.StateTrace() as trace:
        tokens = asg.input("tokens", ("batch", "time"), "int64")
        graph = trace.close({"y": GPT(config())(tokens)})
    session = asg.compile(graph).start(seed=1)
    changed = TOKENS.copy()
    changed[:, 4] = (changed[:, 4] + 1) % 31
    before, after = session(tokens=TOKENS)["y"], session(tokens=changed)["y"]
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert (before[:, 4:] != after[:, 4:]).any(-1).all()
    np.testing.assert_allclose(session(tokens=TOKENS[:, :3])["y"], before[:, :3], rtol=1e-10)
    with pytest.raises(FeedError, match="9 and 10"):
        session(tokens=np.zeros((1, 10), np.int64))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vocab_size": 0}, "vocab_size=0"),
        ({"n_head": 3}, "n_embd=8 is not a multiple of n_head=3"),
        ({"n_inner": -1}, "n_inner=-1"),
        ({"attn_pdrop": 1.5}, "attn_pdrop=1.5"),
        ({"layer_norm_epsilon": -1.0}, "layer_norm_epsilon=-1.0"),
        ({"bias": 1}, "bias=1"),
        ({"activation_function": "sine"}, "activation_function='sine'"),
    ],
)
def test_refused_configurations(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(OperandError) as caught:
        config(**changes)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ([((7,), "int32")], ShapeError, "[batch, time]"),
        ([((2, 7), "float32")], DtypeError, "integers"),
        ([((2, 10), "int32")], ShapeError, "9 positions, 10"),
        ([((2, 7), "int32"), ((7,), "bool")], ShapeError, "attention_mask"),
        ([((2, 7), "int32"), ((2, 7), "float32")], DtypeError, "attention_mask"),
    ],
)
def test_refused_calls(arguments: Any, kind: type[AsgError], told: str) -> None:
    model = GPT(config())
    with pytest.raises(kind) as caught, asg.training_mode(False):
        model(*(asg.zeros(shape, dtype) for shape, dtype in arguments))
    assert told in str(caught.value)
