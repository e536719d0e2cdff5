"""Published weights: the names their files have, what they lack, parts, the hub, and damage."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, ConfigError, FeedError, FileError, MissingLibrary
from asg.io import from_pretrained, load_pretrained, save_arrays
from asg.nn.models import (
    GPT,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    GPTConfig,
)

Array = np.ndarray[Any, Any]
GPT_CONFIG = {
    "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 11, "n_positions": 6,
    "n_embd": 4, "n_layer": 2, "n_head": 2, "n_inner": None, "resid_pdrop": 0.25,
    "scale_attn_weights": True, "n_ctx": 6,
}  # fmt: skip
BERT_CONFIG = {
    "model_type": "bert", "vocab_size": 11, "hidden_size": 4, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 6, "max_position_embeddings": 5,
    "pad_token_id": 0, "position_embedding_type": "absolute",
}  # fmt: skip


def numbers(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def gpt_arrays() -> dict[str, Array]:
    """The names of the file of GPT-2: no prefix, no lm_head, and the masks of the attention."""
    arrays = {"wte.weight": numbers(11, 4), "wpe.weight": numbers(6, 4)}
    arrays |= {"ln_f.weight": numbers(4), "ln_f.bias": numbers(4) + 1}
    for i in range(2):
        for name, shape in (
            ("ln_1", (4,)), ("attn.c_attn", (4, 12)), ("attn.c_proj", (4, 4)), ("ln_2", (4,)),
            ("mlp.c_fc", (4, 16)), ("mlp.c_proj", (16, 4)),
        ):  # fmt: skip
            arrays[f"h.{i}.{name}.weight"] = numbers(*shape) + i
            arrays[f"h.{i}.{name}.bias"] = numbers(shape[-1]) - i
        arrays[f"h.{i}.attn.bias"] = np.tril(np.ones((1, 1, 6, 6), np.float32))
        arrays[f"h.{i}.attn.masked_bias"] = np.array(-1e4, np.float32)
    return arrays


def bert_arrays() -> dict[str, Array]:
    """The names of the file of BERT: with heads, and the old names of the norms."""
    arrays = {
        "bert.embeddings.word_embeddings.weight": numbers(11, 4),
        "bert.embeddings.position_embeddings.weight": numbers(5, 4),
        "bert.embeddings.token_type_embeddings.weight": numbers(2, 4),
        "bert.embeddings.position_ids": np.arange(5)[None], "cls.predictions.bias": numbers(11),
        "cls.seq_relationship.weight": numbers(2, 4), "cls.seq_relationship.bias": numbers(2),
    }  # fmt: skip
    dense = {"bert.pooler.dense": (4, 4), "cls.predictions.transform.dense": (4, 4)}
    norms = ["bert.embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
    for i in range(2):
        layer = f"bert.encoder.layer.{i}"
        attention = [f"{layer}.attention.self.{name}" for name in ("query", "key", "value")]
        dense |= dict.fromkeys([*attention, f"{layer}.attention.output.dense"], (4, 4))
        dense |= {f"{layer}.intermediate.dense": (6, 4), f"{layer}.output.dense": (4, 6)}
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name, shape in dense.items():
        arrays[f"{name}.weight"] = numbers(*shape) + len(arrays)
        arrays[f"{name}.bias"] = numbers(shape[0])
    for name in norms:
        arrays |= {f"{name}.gamma": numbers(4) + len(arrays), f"{name}.beta": numbers(4)}
    return arrays


def publish(folder: Path, arrays: Mapping[str, Array], config: Any = None, parts: int = 0) -> Path:
    """A folder as Hugging Face lays it out, with the weights in so many parts."""
    folder.mkdir(exist_ok=True)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    if not parts:
        save_arrays(folder / "model.safetensors", arrays)
        return folder
    places: dict[str, str] = {}
    for i in range(parts):
        name = f"model-{i + 1:05}-of-{parts:05}.safetensors"
        chosen = dict(list(arrays.items())[i::parts])
        save_arrays(folder / name, chosen)
        places |= dict.fromkeys(chosen, name)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def assert_has(model: nn.Module, wanted: Mapping[str, Array]) -> None:
    found = model.state_dict()
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def gpt_wanted() -> dict[str, Array]:
    masks = (".attn.bias", ".attn.masked_bias")
    kept = {name: a for name, a in gpt_arrays().items() if not name.endswith(masks)}
    wanted = {f"transformer.{name}": array for name, array in kept.items()}
    return wanted | {"lm_head.weight": wanted["transformer.wte.weight"]}


def bert_wanted() -> dict[str, Array]:
    """Everything by today's names."""
    renamed = {
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(".beta", ".bias"): array
        for name, array in bert_arrays().items()
    }
    del renamed["bert.embeddings.position_ids"]
    return renamed


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_gpt_2(parts: int, tmp_path: Path) -> None:
    model = from_pretrained(GPT, publish(tmp_path, gpt_arrays(), GPT_CONFIG, parts))
    assert_has(model, gpt_wanted())
    assert (model.config.resid_pdrop, model.config.embd_pdrop) == (0.25, 0.1)
    with asg.StateTrace() as trace:
        graph = trace.close({"y": model(asg.constant([[1, 2, 3]]))})
    assert np.isfinite(asg.compile(graph).start()()["y"]).all()


def test_options_replace_those_of_the_file(tmp_path: Path) -> None:
    folder = publish(tmp_path, gpt_arrays(), {**GPT_CONFIG, "n_layer": 12})
    model = from_pretrained(GPT, folder, n_layer=2, attn_pdrop=0.0, dtype="float64")
    assert_has(model, gpt_wanted())
    assert model.state_dict()["lm_head.weight"].dtype == np.float64
    sizes: dict[str, Any] = {
        key: GPT_CONFIG[key] for key in ("vocab_size", "n_positions", "n_embd", "n_head")
    }
    file = tmp_path / "other.safetensors"
    save_arrays(file, gpt_arrays())
    (tmp_path / "config.json").unlink()
    assert_has(from_pretrained(GPT, file, n_layer=2, **sizes), gpt_wanted())
    assert_has(from_pretrained(GPT, str(file), n_layer=2, **sizes), gpt_wanted())


def test_a_prefix_and_a_last_layer_may_be_there(tmp_path: Path) -> None:
    wanted = gpt_wanted()
    assert_has(from_pretrained(GPT, publish(tmp_path, wanted, GPT_CONFIG)), wanted)
    other = {**wanted, "lm_head.weight": numbers(11, 4) + 1}
    folder = publish(tmp_path, other, GPT_CONFIG)
    with pytest.raises(FeedError, match=r"lm_head\.weight"):
        from_pretrained(GPT, folder)
    assert_has(from_pretrained(GPT, folder, tie_word_embeddings=False), other)
    folder = publish(tmp_path, gpt_arrays(), GPT_CONFIG)
    with pytest.raises(FeedError, match=r"lm_head\.weight"):
        from_pretrained(GPT, folder, tie_word_embeddings=False)


def test_bert(tmp_path: Path) -> None:
    folder = publish(tmp_path, bert_arrays(), BERT_CONFIG)
    wanted = bert_wanted()
    inner = {n.removeprefix("bert."): a for n, a in wanted.items() if n.startswith("bert.")}
    heads = r"BertModel does not: cls\.predictions\.bias.*relationship\.weight$"
    with pytest.warns(UserWarning, match=heads):
        assert_has(from_pretrained(BertModel, folder), inner)
    with pytest.warns(UserWarning, match="pooler"):
        found = from_pretrained(BertModel, folder, add_pooling_layer=False)
    assert_has(found, {n: a for n, a in inner.items() if not n.startswith("pooler")})
    shared = {"weight": wanted["bert.embeddings.word_embeddings.weight"],
              "bias": wanted["cls.predictions.bias"]}  # fmt: skip
    kept = {n: a for n, a in wanted.items() if "pooler" not in n and "relationship" not in n}
    with pytest.warns(UserWarning, match=r"cls\.seq_relationship\.weight"):
        filler = from_pretrained(BertForMaskedLM, folder)
    assert_has(filler, kept | {f"cls.predictions.decoder.{n}": a for n, a in shared.items()})


def test_a_classifier_on_bert(tmp_path: Path) -> None:
    labels = {"id2label": {"0": "bad", "1": "fair", "2": "good"}}
    arrays = {n.removeprefix("bert."): a for n, a in bert_arrays().items() if "cls." not in n}
    folder = publish(tmp_path, arrays, {**BERT_CONFIG, **labels})
    with pytest.raises(FeedError, match=r"'classifier.weight': f32\[3, 4\] is missing"):
        from_pretrained(BertForSequenceClassification, folder)
    with pytest.warns(UserWarning, match=r"missing classifier.weight, classifier.bias; left out n"):
        model = from_pretrained(BertForSequenceClassification, folder, strict=False, num_labels=7)
    wanted = {n: a for n, a in bert_wanted().items() if n.startswith("bert.")}
    found = model.state_dict()
    assert found["classifier.weight"].shape == (7, 4)
    assert_has(model, wanted | {n: a for n, a in found.items() if "classifier" in n})
    fine = wanted | {"classifier.weight": numbers(3, 4), "classifier.bias": numbers(3)}
    folder = publish(tmp_path, fine, {**BERT_CONFIG, **labels})
    assert_has(from_pretrained(BertForSequenceClassification, folder), fine)


def test_models_with_the_names_of_their_files(tmp_path: Path) -> None:
    """Old files of PyTorch do not have the counters of batch norms."""
    net = nn.models.resnet18(num_classes=3, width=2)
    arrays = {name: array + 1 for name, array in net.state_dict(seed=3).items()}
    old = {name: a for name, a in arrays.items() if not name.endswith("num_batches_tracked")}
    file = tmp_path / "resnet.safetensors"
    save_arrays(file, arrays)
    found = from_pretrained(nn.models.resnet18, file, num_classes=3, width=2)
    assert_has(found, arrays)
    save_arrays(file, old)
    assert load_pretrained(net, file) == ((), ())
    counters = {name: array - 1 for name, array in arrays.items() if name not in old}
    assert_has(net, old | counters)
    del old["fc.bias"]
    save_arrays(file, {**old, "extra": numbers(1)})
    left = load_pretrained(net, file, strict=False)
    assert left == (("fc.bias",), ("extra",))
    with pytest.raises(FeedError, match=r"resnet\.safetensors.*ResNet") as told:
        load_pretrained(net, file)
    assert "'fc.bias': f32[3] is missing" in str(told.value) and "'extra'" in str(told.value)


def test_files_of_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    folder = publish(tmp_path, {}, GPT_CONFIG)
    (folder / "model.safetensors").unlink()
    held = {name: torch.tensor(array) for name, array in gpt_arrays().items()}
    torch.save(held, folder / "pytorch_model.bin")
    assert_has(from_pretrained(GPT, folder), gpt_wanted())
    assert_has(from_pretrained(GPT, folder / "pytorch_model.bin"), gpt_wanted())


def saved(model: Any, folder: Path, **options: Any) -> Any:
    model.double().save_pretrained(folder, **options)
    return model.eval()


@pytest.mark.slow  # to import their library
@pytest.mark.parametrize("kind", ["gpt", "model", "filler", "classifier"])
def test_folders_that_their_library_writes(kind: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    hf = pytest.importorskip("transformers", reason="an optional oracle")
    small = {key: value for key, value in BERT_CONFIG.items() if key != "model_type"}
    bert = hf.BertConfig(**small, num_labels=3)
    makers: dict[str, Callable[[], tuple[Any, Any]]] = {
        "gpt": lambda: (GPT, hf.GPT2LMHeadModel(hf.GPT2Config(
            **{**GPT_CONFIG, "n_layer": 3}, bos_token_id=0, eos_token_id=0))),
        "model": lambda: (BertModel, hf.BertModel(bert)),
        "filler": lambda: (BertForMaskedLM, hf.BertForMaskedLM(bert)),
        "classifier": lambda: (
            BertForSequenceClassification, hf.BertForSequenceClassification(bert)),
    }  # fmt: skip
    ours, theirs = makers[kind]()
    saved(theirs, tmp_path, max_shard_size="2KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    model = from_pretrained(ours, tmp_path, dtype="float64")
    tokens = np.array([[1, 2, 3, 10], [4, 5, 6, 7]])
    with asg.StateTrace() as trace:
        y = model(asg.constant(tokens))
        graph = trace.close({"y": y[0] if isinstance(y, tuple) else y})
    with torch.no_grad():
        wanted = theirs(torch.tensor(tokens))[0].numpy()
    np.testing.assert_allclose(asg.compile(graph).start()()["y"], wanted, rtol=1e-8, atol=1e-10)


# -- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_type": "llama"}, "model_type='llama'"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx=True"),
        ({"add_cross_attention": True}, "add_cross_attention=True"),
    ],
)
def test_configurations_of_other_models(change: Any, told: str, tmp_path: Path) -> None:
    folder = publish(tmp_path, gpt_arrays(), {**GPT_CONFIG, **change})
    with pytest.raises(ConfigError, match=told):
        from_pretrained(GPT, folder)


def test_all_that_does_not_fit_is_listed(tmp_path: Path) -> None:
    arrays = gpt_arrays()
    del arrays["h.0.ln_1.bias"]
    arrays |= {"h.7.ln_1.bias": numbers(4), "ln_f.bias": numbers(5)}
    with pytest.raises(FeedError) as told:
        from_pretrained(GPT, publish(tmp_path, arrays, GPT_CONFIG))
    for part in ("'transformer.h.7.ln_1.bias' is not in", "'transformer.h.0.ln_1.bias': f32[4] is",
                 "given f32[5]", str(tmp_path)):  # fmt: skip
        assert part in str(told.value)


def test_a_name_that_is_there_twice(tmp_path: Path) -> None:
    arrays = {**gpt_arrays(), "transformer.wte.weight": numbers(11, 4)}
    with pytest.raises(FeedError, match=r"'transformer.wte.weight' twice"):
        from_pretrained(GPT, publish(tmp_path, arrays, GPT_CONFIG))


def spoil(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("parts", "damage", "told"),
    [
        (0, lambda folder: (folder / "model.safetensors").unlink(), "has no weights"),
        (0, spoil("model.safetensors", "no"), "damaged"),
        (0, spoil("config.json", "{"), "cannot read"),
        (0, spoil("config.json", "[1]"), "one JSON object"),
        (2, spoil(INDEX, "{}"), "no weight_map"),
        (2, spoil(INDEX, '{"weight_map": {"a": 3}}'), "no weight_map"),
        (2, spoil(INDEX, '{"weight_map": {"a": "../x.safetensors"}}'), "not a file beside it"),
        (2, lambda folder: (folder / "model-00002-of-00002.safetensors").unlink(), "no file"),
        (2, lambda folder: save_arrays(folder / "model-00002-of-00002.safetensors", {}), "lacks"),
    ],
)
def test_damaged_folders(parts: int, damage: Any, told: str, tmp_path: Path) -> None:
    folder = publish(tmp_path, gpt_arrays(), GPT_CONFIG, parts)
    damage(folder)
    with pytest.raises(FileError, match=told):
        from_pretrained(GPT, folder)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="hf:owner/name"):
        from_pretrained(GPT, tmp_path / "absent")


# -- the hub -------------------------------------------------------------------------------------


def hub(monkeypatch: pytest.MonkeyPatch, download: Callable[..., Any]) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=download))


@pytest.mark.parametrize(("name", "revision"), [("hf:org/small", None), ("hf:org/small@v2", "v2")])
def test_models_of_the_hub(
    name: str, revision: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def download(repository: str, **options: Any) -> str:
        asked.append((repository, options["revision"], "config.json" in options["allow_patterns"]))
        return str(publish(tmp_path, gpt_arrays(), GPT_CONFIG))

    hub(monkeypatch, download)
    assert_has(from_pretrained(GPT, name), gpt_wanted())
    assert asked == [("org/small", revision, True)]
    assert load_pretrained(GPT(small_config()), name) == ((), ())


def small_config() -> GPTConfig:
    return GPTConfig(vocab_size=11, n_positions=6, n_embd=4, n_layer=2, n_head=2)


def test_the_hub_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(repository: str, **options: Any) -> str:
        raise ConnectionError("no route\nto the host")

    hub(monkeypatch, download)
    with pytest.raises(FileError) as told:
        from_pretrained(GPT, "hf:org/small")
    message = str(told.value)
    assert "hf:org/small" in message and "no route" in message and "to the host" not in message
    assert "model.safetensors" in message


def test_the_hub_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingLibrary, match=r"pip install 'asg-compiler\[hub\]'") as told:
        from_pretrained(GPT, "hf:org/small")
    assert isinstance(told.value, AsgError)
