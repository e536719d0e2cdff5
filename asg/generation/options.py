"""Options: how the next token is chosen, and when a text ends."""

from __future__ import annotations

from dataclasses import dataclass

from asg.core.errors import OperandError
from asg.core.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class Options:
    """How texts are continued. What is not asked for is no part of the graph.

    In this order: repetition penalty, minimal length, temperature, top_k, top_p.

    Attributes:
        temperature: logits are divided by it before a token is drawn; 0 takes the likeliest token.
        top_k: draw from the k likeliest tokens (and those just as likely as the last of them).
        top_p: draw from the fewest tokens that have this probability together.
        repetition_penalty: logits of tokens that the text (its prompt included) has are divided by
            it where positive, multiplied where negative. (With beams: log-probabilities.)
        min_new_tokens: no stop token comes before so many tokens.
        stop_tokens: a text ends with the first of them.
        pad_token: stands before shorter prompts, and after texts that have ended.
        num_beams: how many continuations are kept; 1 is no beam search.
        length_penalty: finished beams are compared by log-probability / tokens^length_penalty.
        early_stopping: when no more beams are wanted. True: as soon as num_beams have finished.
            False: when the best running one, were it to end now, is worse than all of them.
            "never": when no running one can become better.

    Raises:
        OperandError: a value out of range, or one that another makes meaningless.

    Sources: Holtzman et al., https://arxiv.org/abs/1904.09751 (top_p); Fan et al.,
    https://arxiv.org/abs/1805.04833 (top_k); Keskar et al., https://arxiv.org/abs/1909.05858
    (repetition penalty); Wu et al., https://arxiv.org/abs/1609.08144 (length penalty).
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    min_new_tokens: int = 0
    stop_tokens: tuple[int, ...] = ()
    pad_token: int = 0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | str = False

    def __post_init__(self) -> None:
        """Check every value, and those that belong together."""
        _require_number("temperature", self.temperature, 0.0)
        _require_number("length_penalty", self.length_penalty, float("-inf"))
        if _require_number("repetition_penalty", self.repetition_penalty, 0.0) == 0.0:
            raise OperandError("repetition_penalty=0 must be positive")
        require_count("min_new_tokens", self.min_new_tokens, 0)
        require_count("num_beams", self.num_beams, 1)
        require_count("pad_token", self.pad_token, 0)
        self._check_stop_tokens()
        self._check_sampling()
        if self.early_stopping not in (True, False, "never"):
            raise OperandError(
                f"early_stopping={self.early_stopping!r} must be True, False or 'never'"
            )

    def _check_stop_tokens(self) -> None:
        given = self.stop_tokens
        if isinstance(given, int) and not isinstance(given, bool):
            given = (given,)
        if not isinstance(given, tuple | list | set | frozenset):
            raise OperandError(f"stop_tokens={given!r} must be tokens: ints >= 0")
        for token in given:
            require_count("stop_tokens", token, 0)
        object.__setattr__(self, "stop_tokens", tuple(dict.fromkeys(given)))
        if self.min_new_tokens and not self.stop_tokens:
            raise OperandError(
                f"min_new_tokens={self.min_new_tokens} keeps stop tokens away, and there are none: "
                "give stop_tokens"
            )

    def _check_sampling(self) -> None:
        if self.top_k is not None:
            require_count("top_k", self.top_k, 1)
        if self.top_p is not None and not 0.0 < _require_number("top_p", self.top_p, 0.0) <= 1.0:
            raise OperandError(f"top_p={self.top_p!r} must be a number in (0, 1]")
        if self.num_beams > 1 and self.temperature:
            raise OperandError(
                f"num_beams={self.num_beams} searches, temperature={self.temperature} draws: "
                "leave one of them out"
            )
        for name in ("top_k", "top_p"):
            if getattr(self, name) is not None and not self.temperature:
                raise OperandError(
                    f"{name}={getattr(self, name)} is for drawing, and temperature=0 draws "
                    "nothing: give temperature=1.0"
                )

    def check_vocabulary(self, logits: Tensor) -> None:
        """The logits have a place for every token named here.

        Raises:
            OperandError: a token is not one of the vocabulary, or top_k more than there are.
        """
        size = logits.shape[-1]
        assert isinstance(size, int)
        for token in (*self.stop_tokens, self.pad_token):
            if token >= size:
                raise OperandError(f"token {token} is outside of the vocabulary of {size}")
        if self.top_k is not None and self.top_k > size:
            raise OperandError(f"top_k={self.top_k} of a vocabulary of {size}")


def require_count(name: str, value: object, least: int) -> int:
    """A Python int of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OperandError(f"{name}={value!r} must be an int >= {least}")
    return value


def _require_number(name: str, value: object, least: float) -> float:
    """A finite Python number."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if not numeric or not least <= value < float("inf"):  # type: ignore[operator]
        bound = "" if least == float("-inf") else f" >= {least:g}"
        raise OperandError(f"{name}={value!r} must be a finite number{bound}")
    return float(value)  # type: ignore[arg-type]
