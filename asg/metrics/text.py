"""Metrics of text: perplexity of a language model, and BLEU of translations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from math import exp, log
from typing import Any, ClassVar, Literal

from asg.core.convert import as_tensor
from asg.core.dtype import float64
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.metrics.labels import without_ignored
from asg.metrics.metric import Metric, Tensors
from asg.metrics.operands import weights_for

Tokens = Sequence[Hashable]
Smoothing = Literal["none", "add_one", "halve"]


class Perplexity(Metric):
    """``exp`` of the mean cross entropy of the tokens that count.

    Called with (logits, target, sample_weight=None): the vocabulary is the last axis of the
    logits, and the target has the shape before it. A target that is no token gives NaN.

    >>> from asg import metrics
    >>> perplexity = metrics.Perplexity()
    >>> perplexity.update([[0.0, 0.0, 0.0, 0.0]], [2])
    >>> perplexity.compute()
    4.0
    """

    higher_is_better = False

    def __init__(self, ignore_index: int | None = None, axis: int = -1) -> None:
        """Targets equal to ``ignore_index`` do not count; ``axis`` is that of the vocabulary."""
        super().__init__(total=(), weight=())
        whole = ignore_index is None or type(ignore_index) is int
        self.require(whole, "ignore_index", ignore_index, "must be an int or None")
        self.require(type(axis) is int, "axis", axis, "must be an int")
        self.ignore_index, self.axis = ignore_index, axis

    def batch(self, logits: Any, target: Any, sample_weight: Any = None) -> Tensors:
        x, y = as_tensor(logits), as_tensor(target)
        losses = call(
            "cross_entropy", x, y, axis=self.axis, ignore_index=self.ignore_index, reduction="none"
        ).astype(float64)
        weight = without_ignored(weights_for(sample_weight, losses.shape), y, self.ignore_index)
        return {"total": (losses * weight).sum(), "weight": weight.sum()}

    def value(self, counters: Tensors) -> Tensor:
        return call("exp", counters["total"] / counters["weight"])


class BLEU:
    """Bilingual evaluation understudy of a corpus, in [0, 1]: n-grams in common with references.

    ``brevity * exp(mean over n of log(matches_n / candidates_n))``. A match counts at most as
    often as in the one reference that has it most; brevity is ``exp(1 - r / c)`` when the
    candidates are shorter (c tokens) than their references of the closest length (r; of two that
    are equally close the shorter).

    Tokens are given, not made: lists of words, or of anything hashable. It runs on the host, as
    `update` and `compute`; a graph holds no text.

    Args:
        max_order: n-grams of 1 to so many tokens, with equal weights.
        smoothing: "none": 0 as soon as some n-gram never matches; "add_one": 1 is added to matches
            and candidates of two tokens and more; "halve": the k-th order without a match counts
            ``1 / 2^k`` matches.

    Source: Papineni et al. (2002), https://doi.org/10.3115/1073083.1073135; smoothing of Lin and
    Och (2004), https://doi.org/10.3115/1220355.1220427, and of NIST's mteval-v13a.

    >>> from asg import metrics
    >>> bleu = metrics.BLEU(max_order=2)
    >>> bleu.update([["the", "cat", "sat"]], [[["the", "cat", "sat", "down"]]])
    >>> round(bleu.compute(), 4)  # exp(1 - 4 / 3)
    0.7165
    """

    higher_is_better: ClassVar[bool | None] = True

    def __init__(self, max_order: int = 4, smoothing: Smoothing = "none") -> None:
        """See the class."""
        if isinstance(max_order, bool) or not isinstance(max_order, int) or max_order < 1:
            raise OperandError(f"BLEU: max_order={max_order!r} must be a positive int")
        if smoothing not in ("none", "add_one", "halve"):
            raise OperandError(f"BLEU: {smoothing=} must be 'none', 'add_one' or 'halve'")
        self.max_order, self.smoothing = max_order, smoothing
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self._matches = [0] * self.max_order
        self._candidates = [0] * self.max_order
        self._length = self._wanted = 0

    def update(self, candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> None:
        """Count sentences, each against its references.

        Raises:
            OperandError: text instead of tokens, another number of references than of candidates,
                or a candidate without any; nothing is counted.
        """
        if len(candidates) != len(references):
            raise OperandError(
                f"BLEU: {len(candidates)} candidates and {len(references)} lists of references"
            )
        for candidate, known in zip(candidates, references, strict=True):
            _require_tokens(candidate, known)
        for candidate, known in zip(candidates, references, strict=True):
            self._count(candidate, known)

    def _count(self, candidate: Tokens, references: Sequence[Tokens]) -> None:
        self._length += len(candidate)
        self._wanted += min(
            (len(reference) for reference in references),
            key=lambda length: (abs(length - len(candidate)), length),
        )
        for n in range(1, self.max_order + 1):
            most: Counter[Tokens] = Counter()
            for reference in references:
                most |= _ngrams(reference, n)
            found = _ngrams(candidate, n)
            self._matches[n - 1] += (found & most).total()
            self._candidates[n - 1] += found.total()

    def compute(self) -> float:
        """The score of all sentences since `reset`; 0 without any."""
        if not self._length or not self._matches[0]:
            return 0.0
        logarithms = 0.0
        missed = 0
        for n, (right, total) in enumerate(zip(self._matches, self._candidates, strict=True)):
            matches, candidates = float(right), total
            if self.smoothing == "add_one" and n:
                matches, candidates = matches + 1.0, candidates + 1
            elif self.smoothing == "halve" and not right and total:
                missed += 1
                matches = 0.5**missed
            if not matches or not candidates:
                return 0.0
            logarithms += log(matches / candidates)
        short = min(0.0, 1.0 - self._wanted / self._length)
        return exp(short + logarithms / self.max_order)


def _ngrams(tokens: Tokens, n: int) -> Counter[Tokens]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def _require_tokens(candidate: Tokens, references: Sequence[Tokens]) -> None:
    if isinstance(references, str) or not references:
        raise OperandError(f"BLEU: the references {references!r} are not a list of token lists")
    for tokens in (candidate, *references):
        if isinstance(tokens, str):
            raise OperandError(f"BLEU: {tokens!r} is text; split it into tokens first")
