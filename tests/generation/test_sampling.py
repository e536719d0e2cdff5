"""What options do to logits, and that what is drawn has the probabilities it should have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg.generation import Generator, Options
from asg.generation import sampling as choice

LOGITS = np.random.default_rng(5).normal(size=(3, 8)) * 2.0


def shares(logits: Any) -> Any:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def smallest_set(row: Any, p: float) -> set[int]:
    """The fewest tokens with probability p, taken one by one."""
    order = sorted(range(len(row)), key=lambda token: -row[token])
    taken: list[int] = []
    while shares(row)[taken].sum() < p:
        taken.append(order[len(taken)])
    return set(taken)


@pytest.mark.parametrize("p", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_top_p_keeps_exactly_the_smallest_set(p: float) -> None:
    kept = asg.run(choice.of_top_p(asg.constant(LOGITS), p))
    for row, logits in zip(kept, LOGITS, strict=True):
        assert set(np.flatnonzero(np.isfinite(row))) == smallest_set(logits, p)
        assert (row[np.isfinite(row)] == logits[np.isfinite(row)]).all()


def test_top_p_of_equal_tokens_keeps_the_first() -> None:
    kept = asg.run(choice.of_top_p(asg.zeros((1, 4)), 0.5))
    assert np.isfinite(kept).tolist() == [[True, True, False, False]]


@pytest.mark.parametrize("k", [1, 3, 8])
def test_top_k_keeps_the_likeliest(k: int) -> None:
    kept = np.isfinite(asg.run(choice.of_top_k(asg.constant(LOGITS), k)))
    for row, logits in zip(kept, LOGITS, strict=True):
        assert set(np.flatnonzero(row)) == set(np.argsort(-logits)[:k])


def test_penalty_and_bans() -> None:
    seen = LOGITS > -1.0
    found = asg.run(choice.penalised(asg.constant(LOGITS), asg.constant(seen), 1.5))
    smaller = np.where(LOGITS > 0, LOGITS / 1.5, LOGITS * 1.5)
    np.testing.assert_allclose(found, np.where(seen, smaller, LOGITS), rtol=1e-15)
    for when in (True, False):
        found = asg.run(choice.without(asg.constant(LOGITS), (2, 5), asg.constant(when)))
        assert np.flatnonzero(np.isinf(found[1])).tolist() == ([2, 5] if when else [])
    tokens, valid = asg.constant([[1, 3], [0, 0]]), asg.constant([[True, False]] * 2)
    found = asg.run(choice.marked(asg.zeros((2, 4), "bool"), tokens, valid))
    assert found.tolist() == [[False, True, False, False], [True, False, False, False]]


class Fixed:
    """The same logits after every text."""

    def __init__(self, logits: Any) -> None:
        self.logits = np.asarray(logits, np.float64)

    def __call__(self, tokens: asg.Tensor) -> asg.Tensor:
        return asg.broadcast_to(asg.constant(self.logits), (*tokens.shape, len(self.logits)))


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 1.0}, {"temperature": 0.5}, {"temperature": 2.0, "top_k": 3},
        {"temperature": 1.0, "top_p": 0.8}, {"temperature": 1.5, "top_k": 5, "top_p": 0.9},
    ],
)  # fmt: skip
def test_what_is_drawn_has_the_softmax_probabilities(options: dict[str, Any]) -> None:
    """Pearson's chi-square of 4,000 tokens; 29.9 is its 0.9999 quantile for 7 degrees."""
    row = LOGITS[0] / options["temperature"]
    if "top_k" in options:
        row = np.where(row >= np.sort(row)[-options["top_k"]], row, -np.inf)
    if "top_p" in options:
        kept = sorted(smallest_set(row, options["top_p"]))
        row = np.where(np.isin(np.arange(8), kept), row, -np.inf)
    expected = shares(row) * 4000
    tokens = Generator(Fixed(LOGITS[0]), **options)([[0]] * 500, max_new_tokens=8, seed=3)[:, 1:]
    counts = np.bincount(tokens.ravel(), minlength=8)
    assert counts[expected == 0].sum() == 0
    ratio = (counts - expected)[expected > 0] ** 2 / expected[expected > 0]
    assert ratio.sum() < 29.9
    assert (tokens[:, 0] != tokens[:, 1]).any()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"temperature": -1.0}, "temperature=-1.0 must be a finite number >= 0"),
    ({"temperature": float("nan")}, "temperature=nan"),
    ({"temperature": "warm"}, "temperature='warm'"),
    ({"temperature": 1.0, "top_k": 0}, "top_k=0 must be an int >= 1"),
    ({"temperature": 1.0, "top_k": True}, "top_k=True"),
    ({"temperature": 1.0, "top_p": 0.0}, r"top_p=0.0 must be a number in \(0, 1\]"),
    ({"temperature": 1.0, "top_p": 1.1}, "top_p=1.1"),
    ({"top_k": 4}, "top_k=4 is for drawing"),
    ({"top_p": 0.4}, "top_p=0.4 is for drawing"),
    ({"repetition_penalty": 0.0}, "repetition_penalty=0 must be positive"),
    ({"min_new_tokens": -1}, "min_new_tokens=-1"),
    ({"min_new_tokens": 2}, "there are none"),
    ({"stop_tokens": (1, -1)}, "stop_tokens=-1"),
    ({"stop_tokens": "end"}, "stop_tokens='end'"),
    ({"pad_token": -1}, "pad_token=-1"),
    ({"num_beams": 0}, "num_beams=0"),
    ({"num_beams": 2, "temperature": 1.0}, "num_beams=2 searches"),
    ({"length_penalty": float("inf")}, "length_penalty=inf"),
    ({"early_stopping": "soon"}, "early_stopping='soon'"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(asg.core.errors.OperandError, match=message):
        Options(**options)


def test_one_stop_token_may_be_given_alone() -> None:
    assert Options(stop_tokens=3).stop_tokens == (3,)  # type: ignore[arg-type]
