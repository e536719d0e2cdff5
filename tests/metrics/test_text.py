"""Perplexity against a formula; BLEU against hand-made tables and a transcription."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from asg import metrics
from asg.core.errors import OperandError
from tests.metrics.streaming import assert_value, in_step

RANDOM = np.random.default_rng(3)
LOGITS = RANDOM.normal(size=(12, 4, 7)) * 3.0
TARGET = RANDOM.integers(0, 7, (12, 4))


def surprise() -> Any:
    shifted = LOGITS - LOGITS.max(-1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -np.take_along_axis(log_probability, TARGET[..., None], -1)[..., 0]


def test_perplexity() -> None:
    losses = surprise()
    assert_value(metrics.Perplexity(), [LOGITS, TARGET], np.exp(losses.mean()))
    kept = RANDOM.random((12, 4)) < 0.7
    for ignored in (-100, 3):
        counted = kept & (ignored != TARGET)
        wanted = np.exp(losses[counted].mean())
        target = np.where(counted, TARGET, ignored)
        assert_value(metrics.Perplexity(ignored), [LOGITS, target], wanted)
    weight = RANDOM.random(12)
    wanted = np.exp(np.average(losses, weights=np.repeat(weight[:, None], 4, 1)))
    assert_value(metrics.Perplexity(), [LOGITS, TARGET, weight], wanted)
    first = np.moveaxis(LOGITS, -1, 1)
    assert_value(metrics.Perplexity(axis=1), [first, TARGET], np.exp(losses.mean()))


def test_perplexity_without_tokens_or_with_wrong_ones() -> None:
    assert np.isnan(metrics.Perplexity().compute())
    for target in (np.full((12, 4), -100), np.where(TARGET == 0, 7, TARGET)):
        metric = metrics.Perplexity(-100)
        metric.update(LOGITS, target)
        assert np.isnan(metric.compute())


def test_perplexity_in_a_step() -> None:
    results = in_step(metrics.Perplexity(), [LOGITS, TARGET])
    losses = surprise()
    assert list(results) == [1, 4, 11, 12]
    for stop, found in results.items():
        np.testing.assert_allclose(found["value"], np.exp(losses[:stop].mean()), rtol=1e-12)


# -- BLEU ------------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    return text.split()


CAT = words("the cat is on the mat")
THERE = words("there is a cat on the mat")
# (candidate, references, matches and candidates for n = 1 ... 4, length of the closest reference)
TABLE: list[tuple[list[str], list[list[str]], list[tuple[int, int]], int]] = [
    (words("the the the the the the the"), [CAT, THERE], [(2, 7), (0, 6), (0, 5), (0, 4)], 7),
    (CAT, [CAT, THERE], [(6, 6), (5, 5), (4, 4), (3, 3)], 6),
    (words("the cat on the mat"), [CAT, THERE], [(5, 5), (4, 4), (2, 3), (1, 2)], 6),
    (words("on the mat"), [CAT, THERE], [(3, 3), (2, 2), (1, 1), (0, 0)], 6),
    (words("a cat is on a mat there"), [CAT, THERE], [(6, 7), (3, 6), (1, 5), (0, 4)], 7),
    (words("cat on the mat there is"), [THERE], [(6, 6), (4, 5), (2, 4), (1, 3)], 7),
    ([], [CAT], [(0, 0)] * 4, 6),
]  # fmt: skip


def score(counts: list[tuple[int, int]], length: int, wanted: int) -> float:
    if not length or any(not right or not total for right, total in counts):
        return 0.0
    mean = sum(math.log(right / total) for right, total in counts) / len(counts)
    return math.exp(min(0.0, 1.0 - wanted / length) + mean)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(("candidate", "references", "counts", "wanted"), TABLE)
def test_bleu_of_a_sentence(
    candidate: Any, references: Any, counts: Any, wanted: int, order: int
) -> None:
    bleu = metrics.BLEU(order)
    bleu.update([candidate], [references])
    expected = score(counts[:order], len(candidate), wanted)
    assert bleu.compute() == pytest.approx(expected, rel=1e-14)
    assert metrics.functional.bleu([candidate], [references], max_order=order) == bleu.compute()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bleu_of_a_corpus_sums_counts(order: int) -> None:
    streamed, whole = metrics.BLEU(order), metrics.BLEU(order)
    for candidate, references, _, _ in TABLE:
        streamed.update([candidate], [references])
    whole.update([row[0] for row in TABLE], [row[1] for row in TABLE])
    sums = [
        (sum(row[2][n][0] for row in TABLE), sum(row[2][n][1] for row in TABLE))
        for n in range(order)
    ]
    expected = score(sums, sum(len(row[0]) for row in TABLE), sum(row[3] for row in TABLE))
    assert 0 < expected < 1
    assert streamed.compute() == whole.compute() == pytest.approx(expected, rel=1e-14)
    whole.reset()
    assert whole.compute() == 0.0


def test_smoothing() -> None:
    candidate, references = words("the cat on the mat"), [CAT]  # (5, 5) (3, 4) (1, 3) (0, 2)
    brevity = math.exp(1.0 - 6.0 / 5.0)
    for smoothing, product in (
        ("none", 0.0),
        ("add_one", 1.0 * 4 / 5 * 2 / 4 * 1 / 3),
        ("halve", 1.0 * 3 / 4 * 1 / 3 * 0.5 / 2),
    ):
        bleu = metrics.BLEU(smoothing=smoothing)  # type: ignore[arg-type]
        bleu.update([candidate], [references])
        assert bleu.compute() == pytest.approx(brevity * product**0.25, rel=1e-14)
    twice = metrics.BLEU(smoothing="halve")
    twice.update([words("mat cat is the")], [[words("the cat is on the mat")]])  # 4, 1, 0, 0
    wanted = math.exp(1.0 - 6 / 4) * (4 / 4 * 1 / 3 * 0.5 / 2 * 0.25 / 1) ** 0.25
    assert twice.compute() == pytest.approx(wanted, rel=1e-14)


def test_of_references_equally_close_the_shorter_counts() -> None:
    bleu = metrics.BLEU(1)
    bleu.update([[1, 2, 3]], [[[1, 2, 3, 4], [1, 2]]])
    assert bleu.compute() == 1.0


@pytest.mark.parametrize(
    ("candidates", "references", "message"),
    [
        (["the cat"], [[CAT]], "is text; split it into tokens"),
        ([CAT], [["the cat"]], "is text; split it into tokens"),
        ([CAT], ["the cat"], "are not a list of token lists"),
        ([CAT], [[]], "are not a list of token lists"),
        ([CAT], [[CAT], [CAT]], "1 candidates and 2 lists"),
    ],
)
def test_text_is_refused(candidates: Any, references: Any, message: str) -> None:
    bleu = metrics.BLEU()
    with pytest.raises(OperandError, match=message):
        bleu.update(candidates, references)


word: Any = "a"


def test_wrong_options_are_refused_when_made() -> None:
    for make, message in (
        (lambda: metrics.BLEU(0), "max_order=0 must be a positive int"),
        (lambda: metrics.BLEU(smoothing=word), "smoothing='a' must be"),
        (lambda: metrics.Perplexity(word), "ignore_index='a'"),
        (lambda: metrics.Perplexity(axis=word), "axis='a'"),
    ):
        with pytest.raises(OperandError, match=message):
            make()
