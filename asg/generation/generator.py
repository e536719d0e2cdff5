"""Generator: a language model with its programs, ready to go on with texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from asg.compiler import Session, compile
from asg.core.errors import Diverged, FeedError, OperandError, StateError
from asg.generation.decoders import decoder_of
from asg.generation.options import Options, require_count
from asg.generation.prompts import Prompts, rounded
from asg.generation.steps import PREFIX, Sizes, build_steps
from asg.generation.weights import Arrays, Weights
from asg.ops.random import key_words

Array = np.ndarray[Any, Any]

MOST_SIZES = 4  # of programs kept, each with its copy of the weights


class Generator:
    """Goes on with texts; keeps its programs, so that later calls compile nothing.

    The texts of a call end in the same column, shorter ones behind padding. Columns for prompts and
    for new tokens are each rounded up (by a quarter at most), and a program is made for each such
    size and number of texts. `prefill` reads the prompts at once, `decode` one token of each.

    A model with ``decode`` and ``first_cache`` (see `nn.Decoder`: GPT, LSTMLanguageModel, MambaLM)
    reads every token once. Any other one, called with integers ``[rows, time]``, must be causal; it
    reads the whole text again for every token.

    Attributes:
        options: how tokens are chosen.

    >>> import asg
    >>> from asg import nn
    >>> model = nn.models.GPT(nn.models.GPTConfig(vocab_size=9, n_embd=8, n_layer=1, n_head=2))
    >>> generator = asg.generation.Generator(model, temperature=1.0, top_k=5)
    >>> generator([[1, 2, 3], [4]], max_new_tokens=5, seed=1).shape
    (2, 8)
    """

    def __init__(
        self, model: Any, *, state: Any = None, backend: Any = None,
        longest_text: int | None = None, options: Options | None = None, **changes: Any,
    ) -> None:  # fmt: skip
        """Nothing is built yet.

        Args:
            model: a module, or an `asg.Model`, whose weights at the time of each call are used.
            state: weights instead: a session that has them, or arrays by the names of the module's
                ``state_dict``. Otherwise a bare module has its first values, which is what was
                loaded into it.
            backend: see `asg.compile`; by default that of the `Model` or session, or "numpy".
            longest_text: the most tokens the model can read, when it does not tell (by an attribute
                of this name).
            options: how tokens are chosen.
            changes: fields of `Options` instead of them.

        Raises:
            OperandError: an argument out of range.
        """
        if options is not None and changes:
            raise OperandError(f"give options, or {', '.join(changes)}, not both")
        if longest_text is not None:
            require_count("longest_text", longest_text, 1)
        self.options = _options(changes) if options is None else options
        self._weights = Weights(model, state)
        self._decoder = decoder_of(self._weights.net, longest_text)
        self._longest = longest_text or self._decoder.longest_text
        self._backend = backend or self._weights.backend or "numpy"
        self._programs: dict[Sizes, Programs] = {}

    def __call__(self, prompts: Any, max_new_tokens: int = 20, seed: int = 0) -> Array:
        """The texts with what follows.

        Args:
            prompts: the tokens of a text, or a list of texts.
            max_new_tokens: how many follow at most.
            seed: of what is drawn; the same seed gives the same text, on every backend. What is
                drawn for a text depends on its place among the texts, not on the others.

        Returns:
            int32 ``[texts, columns]``: each text ends a prompt in the same column, behind pad
            tokens, and is followed by its new tokens; behind a stop token are pad tokens. For one
            text without a list, its tokens.

        Raises:
            OperandError: an argument out of range, or texts longer than the model can read.
            FeedError: weights that do not fit.
            Diverged: the model gives NaN.
        """
        asked = Prompts(prompts)
        if self.options.num_beams > 1:
            new = self._best_beams(asked, max_new_tokens, seed)
        else:
            columns = list(self._columns(asked, max_new_tokens, seed))
            new = np.stack(columns, 1)
        old = asked.padded(asked.longest, self.options.pad_token)
        texts = np.concatenate([old, new], 1)
        return texts[0] if asked.single else texts

    def stream(self, prompts: Any, max_new_tokens: int = 20, seed: int = 0) -> Iterator[Any]:
        """The new tokens of all texts, int32 ``[texts]``, as soon as they are chosen.

        For one text without a list, each is an int. Arguments and errors as of a call.

        Raises:
            OperandError: with beams, whose tokens are settled only at the end.
            StateError: (from the iterator) the generator has begun other texts of the same size.
        """
        if self.options.num_beams > 1:
            raise OperandError(f"num_beams={self.options.num_beams}: no token is settled early")
        asked = Prompts(prompts)
        columns = self._columns(asked, max_new_tokens, seed)
        return (int(column[0]) for column in columns) if asked.single else columns

    def _columns(self, prompts: Prompts, count: int, seed: int) -> Iterator[Array]:
        return (np.array(each["tokens"]) for each in self._results(prompts, count, seed))

    def _best_beams(self, prompts: Prompts, count: int, seed: int) -> Array:
        steps = list(self._results(prompts, count, seed))
        return np.array(steps[-1]["texts"])[:, : len(steps)]

    def _results(self, prompts: Prompts, count: int, seed: int) -> Iterator[dict[str, Any]]:
        """What each step gives, until all texts have ended; checks everything now."""
        require_count("max_new_tokens", count, 1)
        self._check_length(prompts.longest, count)
        sizes = Sizes(len(prompts.texts), width := rounded(prompts.longest), width + rounded(count))
        feeds = {
            "tokens": prompts.padded(width, self.options.pad_token),
            "padding": prompts.padding(width),
            "key": key_words(seed),
            "limit": np.int32(count),
        }
        programs = self._of_size(sizes)
        prompts.check_vocabulary(programs.vocabulary)
        return programs.run(feeds, count)

    def _check_length(self, prompt: int, count: int) -> None:
        """The last new token is never read."""
        if self._longest is not None and prompt + count - 1 > self._longest:
            raise OperandError(
                f"a prompt of {prompt} tokens and {count} new ones make a longer text than the "
                f"{self._longest} tokens the model can read (and the last new one, which it does "
                "not read)\n  repair: leave out tokens at the beginning of the prompt, or ask for "
                "fewer"
            )

    def _of_size(self, sizes: Sizes) -> Programs:
        """The programs for these sizes, over the weights of now."""
        found = self._programs.pop(sizes, None)
        if found is None:
            found = Programs(self._decoder, sizes, self.options, self._backend, self._weights)
        elif self._weights.live:
            found.load(self._weights.read())
        self._programs[sizes] = found
        while len(self._programs) > MOST_SIZES:
            del self._programs[next(iter(self._programs))]
        return found


class Programs:
    """Both steps, compiled, as sessions over one state.

    Attributes:
        vocabulary: how many tokens there are.
    """

    def __init__(
        self, decoder: Any, sizes: Sizes, options: Options, backend: Any, weights: Weights
    ) -> None:
        """Build, compile, and load the weights."""
        prefill, decode, self.vocabulary = build_steps(decoder, sizes, options)
        self._feeds, self._runs = tuple(prefill.feeds), 0
        # All variables there are: prefill writes whatever decode reads.
        self._types = {
            prefill.input_names[slot.input]: prefill.inputs[slot.input].type
            for slot in prefill.state
        }
        state = {**self._zeros(), **self._own(weights.read())}
        self._prefill: Session = compile(prefill, backend).start(state=state)
        self._decode = self._prefill.attach(compile(decode, backend))

    def load(self, arrays: Arrays) -> None:
        """Other weights."""
        self._prefill.load_state_dict(self._own(arrays), strict=False)

    def _own(self, arrays: Arrays) -> Arrays:
        own = {name: array for name, array in arrays.items() if name in self._types}
        missing = self._types.keys() - own.keys() - self._zeros().keys()
        if missing and arrays:
            raise FeedError(f"the weights lack {', '.join(map(repr, sorted(missing)))}")
        return own

    def _zeros(self) -> dict[str, Array]:
        """What generating keeps, before prefill writes it."""
        own = {name: of for name, of in self._types.items() if name.startswith(f"{PREFIX}.")}
        return {name: np.zeros(of.shape, of.dtype.numpy) for name, of in own.items()}

    def run(self, feeds: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
        """The results of ``count`` tokens, or fewer when all texts end.

        Raises:
            StateError: another run has begun since the last token; there is one state for all.
        """
        self._runs += 1
        own = self._runs
        results = self._prefill(**{name: feeds[name] for name in self._feeds})
        for made in range(1, count + 1):
            if not results["valid"]:
                raise Diverged(f"the logits of new token {made} are not all numbers, but NaN")
            ended = made == count or bool(results["ended"])  # now: another run may write into it
            yield results
            if ended:
                return
            if own != self._runs:
                raise StateError(
                    "the generator has begun other texts of the same size, and can go on with "
                    "these no more\n  repair: use a second Generator"
                )
            results = self._decode()


def _options(changes: dict[str, Any]) -> Options:
    unknown = changes.keys() - Options.__dataclass_fields__.keys()
    if unknown:
        raise OperandError(
            f"{', '.join(sorted(unknown))}: no option of generating; they are "
            f"{', '.join(Options.__dataclass_fields__)}"
        )
    return Options(**changes)
