"""Published weights in our models: what their files call things, and what they leave out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np

from asg.core.errors import ConfigError, FeedError
from asg.io.arrays import Array, PathLike
from asg.io.weight_files import read_config, read_weights, weights_at
from asg.nn import models
from asg.nn.module import Module
from asg.nn.state_dict import LoadedKeys, stored_variables

Model = TypeVar("Model", bound=Module)
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Layout:
    """How published files hold the weights of a class of models; patterns are whole names.

    Attributes:
        config: the class of the model's configuration, whose fields config.json has.
        arguments: further arguments of the model, from config.json.
        only: entries of config.json, and the one value with which they mean our model.
        renames: (pattern, replacement) pairs of the file's names, one after the other.
        buffers: names that hold no weights.
        others: names of parts that our model does not have; they are left out with a warning.
        counters: our names that a file may lack, which then begin as zeros.
    """

    config: type[Any] | None = None
    arguments: Callable[[Settings], dict[str, Any]] = lambda config: {}
    only: Settings = field(default_factory=dict)
    renames: tuple[tuple[str, str], ...] = ()
    buffers: str = ""
    others: str = ""
    counters: str = ""


_NORMS = ((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias"))
_BERT = {
    "model_type": "bert", "is_decoder": False, "add_cross_attention": False,
    "position_embedding_type": "absolute", "tie_word_embeddings": True,
}  # fmt: skip
_IDS = r"(bert\.)?embeddings\.(position_ids|token_type_ids)"
_INSIDE_BERT = (r"^(?=(embeddings|encoder|pooler)\.)", "bert.")
_COUNTERS = r".*\.num_batches_tracked"  # files from before PyTorch 0.4.1 have none


def _labels(config: Settings) -> dict[str, Any]:
    return {"num_labels": len(config["id2label"])} if "id2label" in config else {}


LAYOUTS: dict[type[Module], Layout] = {
    models.GPT: Layout(
        models.GPTConfig,
        only={
            "model_type": "gpt2", "add_cross_attention": False, "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False,
        },
        renames=((r"^(?=(wte|wpe|h|ln_f)\.)", "transformer."),),
        buffers=r".*\.attn\.(bias|masked_bias)",
    ),
    models.BertModel: Layout(
        models.BertConfig, only=_BERT, renames=((r"^bert\.", ""), *_NORMS), buffers=_IDS,
        others=r"(cls|classifier|qa_outputs|pooler)\..*",
    ),
    models.BertForMaskedLM: Layout(
        models.BertConfig, only=_BERT, renames=(_INSIDE_BERT, *_NORMS), buffers=_IDS,
        others=r"(cls\.seq_relationship|bert\.pooler)\..*",
    ),
    models.BertForSequenceClassification: Layout(
        models.BertConfig, _labels, _BERT, (_INSIDE_BERT, *_NORMS), _IDS, r"cls\..*"
    ),
}  # fmt: skip
# Every other model has the names of its files.
_PLAIN = Layout(counters=_COUNTERS)


def from_pretrained(
    make: Callable[..., Model], source: PathLike, *, strict: bool = True, **options: Any
) -> Model:
    """A model with published weights.

    Args:
        make: the class of the model, or a function that makes it: `asg.nn.models.GPT`,
            `asg.nn.models.BertModel`, `asg.nn.models.resnet50`.
        source: a file of weights (safetensors, or PyTorch's), a folder as Hugging Face lays it
            out (config.json, and model.safetensors whole or in parts), or ``"hf:owner/name"`` of
            their hub, perhaps with ``@revision``.
        strict: False lets weights that the file lacks keep their first values, and leaves out what
            the model lacks; a warning lists both.
        options: arguments of ``make``, and values that replace those of config.json.

    Floats of another width are converted; ``dtype=`` says to what. Parts that files have for other
    purposes, such as the heads of BERT, are left out with a warning.

    Raises:
        FileError: nothing is there, a file is damaged, or the hub does not answer.
        ConfigError: config.json is that of another model, or asks for what ours does not do.
        FeedError: weights that are missing, unknown or of other shapes; all are listed.
        MissingLibrary: a name of the hub without huggingface_hub.

    >>> import asg
    >>> from asg import nn
    >>> small = nn.models.GPT(nn.models.GPTConfig(vocab_size=9, n_embd=4, n_layer=1, n_head=2))
    >>> asg.io.save_arrays("model.safetensors", small.state_dict())
    >>> sizes = {"vocab_size": 9, "n_embd": 4, "n_layer": 1, "n_head": 2}
    >>> model = asg.io.from_pretrained(nn.models.GPT, "model.safetensors", **sizes)
    >>> len(model.state_dict())
    17
    """
    path = weights_at(source)
    config = read_config(path)
    layout = LAYOUTS.get(make, _PLAIN) if isinstance(make, type) else _PLAIN
    model = make(**_arguments(layout, config, options))
    left = load_pretrained(model, path, strict)
    if not strict and any(left):
        _warn(f"{source}: missing {_listed(left.missing)}; left out {_listed(left.unexpected)}")
    return model


def _arguments(layout: Layout, config: Settings, options: Settings) -> dict[str, Any]:
    """The arguments of a model: its configuration, and what else it takes."""
    if layout.config is None:
        return dict(options)
    for key, wanted in layout.only.items():
        if config.get(key, wanted) != wanted:
            raise ConfigError(
                f"config.json says {key}={config[key]!r}; the model of asg has {wanted!r}"
            )
    names = {each.name for each in fields(layout.config)}
    values = {**config, **options}
    made = layout.config(**{name: values[name] for name in names & values.keys()})
    others = {name: value for name, value in options.items() if name not in names}
    return {"config": made, **layout.arguments(config), **others}


def load_pretrained(model: Module, source: PathLike, strict: bool = True) -> LoadedKeys:
    """Make published weights the first values of a model's variables; as `from_pretrained`.

    Returns:
        LoadedKeys: with ``strict=False`` what was missing, and what was left out.

    Raises:
        FileError: nothing is there, a file is damaged, or the hub does not answer.
        FeedError: weights that are missing, unknown or of other shapes; nothing is changed.
        MissingLibrary: a name of the hub without huggingface_hub.
    """
    layout = LAYOUTS.get(type(model), _PLAIN)
    arrays = _named_as_ours(read_weights(weights_at(source)), layout, source)
    ours = {name: variable.type for name, variable in stored_variables(model)}
    others = [n for n in arrays if n not in ours and re.fullmatch(layout.others, n)]
    if others:
        _warn(f"{source} has parts that {type(model).__name__} does not: {_listed(others)}")
    given = {name: array for name, array in arrays.items() if name not in set(others)}
    absent = [n for n in ours if n not in given and re.fullmatch(layout.counters, n)]
    zeros = {name: np.zeros(ours[name].shape, ours[name].dtype.numpy) for name in absent}
    try:
        return model.load_state_dict({**given, **zeros}, strict)
    except FeedError as error:
        raise FeedError(f"{source}: {error}") from None


def _named_as_ours(
    arrays: Mapping[str, Array], layout: Layout, source: PathLike
) -> dict[str, Array]:
    """Weights by our names.

    Raises:
        FeedError: two names of the file mean the same.
    """
    found: dict[str, Array] = {}
    for name, array in arrays.items():
        ours = name
        for pattern, replacement in layout.renames:
            ours = re.sub(pattern, replacement, ours)
        if re.fullmatch(layout.buffers, ours):
            continue
        if ours in found:
            raise FeedError(f"{source} has {ours!r} twice, once as {name!r}")
        found[ours] = array
    return found


def _listed(names: Any) -> str:
    """A few of the names."""
    shown = ", ".join(list(names)[:8]) or "nothing"
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=3)
