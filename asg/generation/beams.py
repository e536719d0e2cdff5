"""Beam search in the graph: the likeliest of the continuations of each text that were looked at.

Sizes: T texts, N beams, V tokens, L tokens at most. A row is a beam: row ``t N + n``. A score is a
sum of log-probabilities; minus infinity means that there is no such beam.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from asg.core.dtype import int32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.generation.options import Options
from asg.generation.sampling import NEVER, one_of
from asg.generation.search import Choice

State = Mapping[str, Tensor]


class Beams:
    """N beams run, and N are kept of those that have ended.

    State: ``running`` and ``finished`` tokens ``[T, N, L]``, ``scores`` of the running ones and
    ``finished_scores`` (divided by their length) ``[T, N]``, best first; ``done`` ``[T]``, texts
    whose result is settled; ``limit``, after how many tokens every beam ends.

    A beam ends with a stop token, and when it does it must be among the best N candidates. These
    rules, and when to stop, are those of Hugging Face's `generate`.
    """

    def __init__(self, options: Options, longest: int) -> None:
        """``longest`` is L."""
        self.options, self.beams, self.longest = options, options.num_beams, longest

    def first(self, like: Tensor, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One empty beam for each text runs."""
        rows = like.shape[0]
        assert isinstance(rows, int)
        shape = (rows // self.beams, self.beams)
        place = call("iota", shape, 1)
        nothing = call("full", shape, NEVER, like.dtype)
        text = call("full", (*shape, self.longest), self.options.pad_token, int32)
        return {
            "running": text,
            "scores": call("where", place > 0, nothing, 0.0),
            "finished": text,
            "finished_scores": nothing,
            "done": call("full", shape[:1], False),
            "limit": feeds["limit"],
        }

    def advance(
        self, logits: Tensor, state: State, made: Tensor, adjust: Callable[[Tensor], Tensor]
    ) -> Choice:
        """The best N that go on, and the best N of all that have ended."""
        scores, beam, tokens = self._candidates(adjust(call("log_softmax", logits)), state)
        texts = _written(_beams_of(state["running"], beam), tokens, made)
        ends = call("logical_or", one_of(tokens, self.options.stop_tokens), self._last(state, made))
        finished, finished_scores = self._finished(state, texts, scores, ends, made)
        running, place = call("top_k", call("where", ends, NEVER, scores), self.beams)
        after = {
            "running": _beams_of(texts, place),
            "scores": running,
            "finished": finished,
            "finished_scores": finished_scores,
            "limit": state["limit"],
        }
        after["done"] = self._done(state, after, made)
        results = {"texts": finished[:, 0], "ended": call("all", after["done"])}
        order, tokens = (_along(each, place) for each in (beam, tokens))
        first_row = call("iota", order.shape, 0) * self.beams
        rows = (order + first_row).reshape((-1,)).astype(int32)
        return Choice(tokens.reshape((-1,)).astype(int32), rows, after, results)

    def _candidates(self, log_shares: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, beams and tokens ``[T, C]`` of the best continuations, the best first.

        C is such that N of them go on, even if every beam may end in all ways.
        """
        vocabulary = log_shares.shape[-1]
        assert isinstance(vocabulary, int)
        total = call("expand_dims", state["scores"], 2) + log_shares.reshape(
            (-1, self.beams, vocabulary)
        )
        wanted = max(2, 1 + len(self.options.stop_tokens)) * self.beams
        every = total.reshape((-1, self.beams * vocabulary))
        scores, place = call("top_k", every, min(wanted, self.beams * vocabulary))
        return scores, call("floor_divide", place, vocabulary), place % vocabulary

    def _last(self, state: State, made: Tensor) -> Tensor:
        last: Tensor = call("greater_equal", made + 1, state["limit"])
        return last

    def _finished(
        self, state: State, texts: Tensor, scores: Tensor, ends: Tensor, made: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The best N of those that had ended and those that end now."""
        near = call("iota", scores.shape, 1) < self.beams
        counts = ends & near & ~call("expand_dims", state["done"], 1)
        now = call("where", counts, scores / self._length(made + 1, scores), NEVER)
        every = call("concat", [state["finished_scores"], now], 1)
        best, place = call("top_k", every, self.beams)
        return _beams_of(call("concat", [state["finished"], texts], 1), place), best

    def _length(self, tokens: Tensor, like: Tensor) -> Tensor:
        """What a score of so many tokens is divided by."""
        length: Tensor = call("pow", tokens.astype(like.dtype), self.options.length_penalty)
        return length

    def _done(self, state: State, after: State, made: Tensor) -> Tensor:
        """Whether no running beam can become, or counts as able to become, one of the result."""
        penalty, early = self.options.length_penalty, self.options.early_stopping
        far = state["limit"] if early == "never" and penalty > 0.0 else made + 1
        best = after["scores"][:, 0] / self._length(far, after["scores"])
        worst = after["finished_scores"][:, -1]  # minus infinity until N have ended
        settled = call("less_equal", best, worst)
        if early is True:
            settled = settled | call("greater", worst, NEVER)
        done: Tensor = state["done"] | settled | self._last(state, made)
        return done


def _along(x: Tensor, place: Tensor) -> Tensor:
    """``x[t, place[t, n]]``."""
    chosen: Tensor = call("take_along_axis", x, place, 1)
    return chosen


def _beams_of(texts: Tensor, place: Tensor) -> Tensor:
    """``texts[t, place[t, n], :]``."""
    return _along(texts, call("expand_dims", place, 2))


def _written(texts: Tensor, tokens: Tensor, made: Tensor) -> Tensor:
    """Token number ``made`` of every text."""
    here = call("equal", call("iota", texts.shape[-1:]), made)
    written: Tensor = call("where", here, call("expand_dims", tokens, 2), texts)
    return written
