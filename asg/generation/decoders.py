"""Models as decoders: those that keep a cache as they are, all others by their whole forward."""

from __future__ import annotations

from typing import Any

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.decoding import Decoder


class WholeForward:
    """Any causal language model as a `Decoder`: what it keeps is the text, which it reads again.

    Every token costs the forward of a text of all columns (at most the longest text), so a text of
    n tokens costs n times as much as with a cache. Its texts stand at the left, with nothing in
    front; what stands behind a text is not seen by a causal model.
    """

    def __init__(self, model: Any, longest_text: int | None) -> None:
        """``model`` maps integers ``[rows, time]`` to logits ``[rows, time, vocabulary]``."""
        self.model, self.longest_text = model, longest_text

    def first_cache(self, rows: int, columns: int) -> Tensor:
        """The text, without a token yet."""
        text: Tensor = call("zeros", (rows, columns), "int32")
        return text

    def decode(
        self, tokens: Tensor, cache: Tensor, past: Tensor, padding: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `Decoder`."""
        text = call("dynamic_update_slice", cache, tokens, (0, past))
        columns = cache.shape[1]
        assert isinstance(columns, int)
        seen = columns if self.longest_text is None else min(columns, self.longest_text)
        before = call("expand_dims", padding, 1)
        places = call("clip", call("iota", (seen,)) + before, 0, columns - 1)
        logits = as_tensor(self.model(call("take_along_axis", text, places, 1)))
        require_logits(logits, 3, "[rows, time, vocabulary]")
        last = call("clip", past + (tokens.shape[1] - 1) - padding, 0, seen - 1)
        row = call("take_along_axis", logits, call("expand_dims", last, (1, 2)), 1)
        return row[:, 0], text


def decoder_of(model: Any, longest_text: int | None) -> Decoder:
    """The model itself when it has ``decode``, else by its whole forward.

    Raises:
        OperandError: it is not callable either; or a longest text that the model contradicts.
    """
    own = getattr(model, "longest_text", None)
    if longest_text is not None and own is not None and longest_text > own:
        raise OperandError(f"longest_text={longest_text}, and the model takes {own} tokens at most")
    if all(callable(getattr(model, name, None)) for name in ("decode", "first_cache")):
        decoder: Decoder = model
        return decoder
    if not callable(model):
        raise OperandError(f"{model!r} is no language model: it can neither decode nor be called")
    return WholeForward(model, own if longest_text is None else longest_text)


def require_logits(logits: Tensor, ndim: int, layout: str) -> Tensor:
    """Floating, with these axes, and a literal vocabulary."""
    literal = logits.ndim == ndim and isinstance(logits.shape[-1], int)
    if not literal or not logits.dtype.is_float:
        raise OperandError(f"the model gives {logits.type}; a language model gives logits {layout}")
    return logits
