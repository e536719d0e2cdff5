"""Attention behind masks and cross entropy by picks, written out, against PyTorch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.tensor import Tensor
from asg.passes.pipeline import RECOGNISE, SIMPLIFY, Pass

RANDOM = np.random.default_rng(3)
X = RANDOM.standard_normal((2, 5, 6))
SEEN = np.tri(5, dtype=bool)
TABLE = np.tri(9, dtype=np.float32)
Masked = Callable[[Tensor], Tensor]


def _places(scores: Tensor) -> tuple[Tensor, Tensor]:
    places = asg.arange(scores.shape[-1])
    return places[:, None], places[None, :]


def _triangle(scores: Tensor, dtype: str = "float64") -> Tensor:
    return asg.tril(asg.ones(scores.shape[-2:], dtype))


def _corner(scores: Tensor) -> Tensor:
    time = scores.shape[-1]
    return asg.constant(TABLE[None])[:, :time, :time]


def _by_order(scores: Tensor) -> Tensor:
    rows, columns = _places(scores)
    return asg.where(asg.greater_equal(rows, columns), scores, -inf)


def _by_added_order(scores: Tensor) -> Tensor:
    rows, columns = _places(scores)
    return scores + asg.where(asg.less(rows, columns), -1e9, 0.0)


CAUSAL: dict[str, Masked] = {
    "order": _by_order,
    "added order": _by_added_order,
    "order, one later": lambda s: asg.where(asg.less(_places(s)[1] - 1, _places(s)[0]), s, -inf),
    "triangle": lambda s: asg.where(asg.equal(_triangle(s), 0.0), -inf, s),
    "bools": lambda s: asg.where(_triangle(s, "bool"), s, -1e9),
    "not": lambda s: asg.where(asg.logical_not(_triangle(s, "bool")), -inf, s),
    "numbers of bools": lambda s: asg.where(
        asg.not_equal(_triangle(s, "bool").astype("int32"), 0), s, -inf
    ),
    "added": lambda s: s + asg.triu(asg.full(s.shape[-2:], -inf, "float64"), 1),
    "corner of a table": lambda s: asg.where(asg.equal(_corner(s), 0.0), -inf, s),
}  # fmt: skip


def _padding() -> Tensor:
    return asg.input("m", (2, 1, "t"), "bool")


FINITE: dict[str, Masked] = {
    "padding": lambda s: s + (_padding().astype("float64") - 1.0) * 1e9,
    "weaker triangle": lambda s: s + (_triangle(s) - 1.0) * 3.0,
    "numbers": lambda s: s + asg.constant(np.arange(25.0).reshape(5, 5)),
    "quotient": lambda s: asg.full((5, 5), -6.0, "float64") / asg.constant(np.arange(1.0, 6)) + s,
}
KNOWN: dict[str, Masked] = {
    "band": lambda s: asg.where(asg.constant(np.tri(5, k=1, dtype=bool)), s, -inf),
    "not a band": lambda s: asg.where(asg.constant(~np.tri(5, k=1, dtype=bool)), -inf, s),
}
LEFT: dict[str, Masked] = {
    "may hide all": lambda s: asg.where(_padding(), s, -inf),
    "a row without keys": lambda s: asg.where(asg.greater(*_places(s)), s, -inf),
    "a constant row without keys": lambda s: asg.where(asg.constant(np.tri(5, k=-1) > 0), s, -inf),
    "counts from the other end": lambda s: asg.where(asg.less_equal(*_places(s)), s, -inf),
    "one row for all": lambda s: asg.where(asg.less_equal(_places(s)[1], 1), s, -inf),
    "a number that counts": lambda s: asg.where(_triangle(s, "bool"), s, -100.0),
    "infinite": lambda s: s + asg.constant(np.where(SEEN, 0.0, -inf)[::-1]),
    "added input": lambda s: s + asg.input("a", ("t", "t"), "float64"),
    "overflows": lambda s: s + (_triangle(s) - 1.0) * 1e200 * 1e200,
    "scaled twice": lambda s: s * _triangle(s),
}


def _attention(masked: Masked, dtype: str = "float64") -> Tensor:
    x = asg.input("x", (2, "t", 6), dtype)
    return asg.softmax(masked((x @ asg.transpose(asg.sin(x), (0, 2, 1))) * 0.5), -1) @ asg.cos(x)


def _recognised(graph: asg.Graph) -> asg.Graph:
    passes: tuple[Pass, ...] = (SIMPLIFY, RECOGNISE)
    for step in passes:
        graph = step(graph, [])
    return graph


def _attentions(graph: asg.Graph) -> list[Any]:
    return [n for n in _recognised(graph).nodes if n.op.name == "scaled_dot_product_attention"]


@pytest.mark.parametrize("masked", [*CAUSAL.values()], ids=[*CAUSAL])
def test_causal_masks_in_every_spelling_have_value_and_slope_of_pytorch(masked: Masked) -> None:
    torch: Any = pytest.importorskip("torch")
    y = _attention(masked)
    (found,) = _attentions(asg.Graph(y=y))
    assert found.op.causal and found.op.offset == 0 and len(found.inputs) == 3
    t = torch.tensor(X, requires_grad=True)
    scores = (t @ torch.sin(t).transpose(1, 2) * 0.5).masked_fill(torch.tensor(~SEEN), -inf)
    wanted = torch.softmax(scores, -1) @ torch.cos(t)
    (slope,) = torch.autograd.grad((wanted * wanted).sum(), t)
    graph = asg.Graph(y=y, slope=asg.grad((y * y).sum(), *asg.Graph(y=y).inputs))
    result = asg.compile(graph)(x=X)
    np.testing.assert_allclose(result["y"], wanted.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(result["slope"], slope.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("masked", [*FINITE.values(), *KNOWN.values()], ids=[*FINITE, *KNOWN])
def test_sure_masks_become_operands(masked: Masked) -> None:
    graph = asg.Graph(y=_attention(masked))
    (found,) = _attentions(graph)
    assert not found.op.causal and len(found.inputs) == 4
    _agrees(graph)


@pytest.mark.parametrize("masked", [*LEFT.values()], ids=[*LEFT])
def test_masks_that_may_hide_all_keys_are_left(masked: Masked) -> None:
    graph = asg.Graph(y=_attention(masked))
    assert not _attentions(graph)
    _agrees(graph)


def _agrees(graph: asg.Graph) -> None:
    """The same with and without the pass; one row of the mask that is fed hides all keys."""
    given = {"m": np.arange(10).reshape(2, 1, 5) < 5, "a": np.linspace(-1.0, 1.0, 25).reshape(5, 5)}
    feeds = {"x": X, **{name: given[name] for name in graph.feeds if name != "x"}}
    with asg.configure(without=("recognise",)):
        wanted = asg.compile(graph)(**feeds)["y"]
    np.testing.assert_allclose(asg.compile(graph)(**feeds)["y"], wanted, rtol=1e-10)


def test_a_mask_that_overflows_in_its_dtype_is_left() -> None:
    def masked(s: Tensor) -> Tensor:
        return s + (_triangle(s, "float16") - 1.0) * 6e4 * 2.0

    assert not _attentions(asg.Graph(y=_attention(masked, "float16")))
    y = _attention(lambda s: s + (_triangle(s, "float16") - 1.0) * 6e4, "float16")
    assert len(_attentions(asg.Graph(y=y))) == 1


# -- cross entropy --------------------------------------------------------------------------------

LOGITS = RANDOM.standard_normal((6, 4))
LABELS = np.array([0, 3, -1, 2, 4, -4])

Loss = Callable[[Tensor, Tensor], Tensor]
PICKS: dict[str, Loss] = {
    "take_along_axis": lambda x, t: asg.take_along_axis(asg.log_softmax(x, -1), t[:, None], 1)[
        :, 0
    ],
    "index": lambda x, t: asg.log_softmax(x, -1)[asg.arange(x.shape[0]), t],
    "index by a constant": lambda x, t: asg.log_softmax(x, -1)[np.arange(6), t],
}
ONE_HOT: dict[str, Loss] = {
    "one_hot": lambda x, t: asg.sum(asg.one_hot(t, 4, "float64") * asg.log_softmax(x, -1), -1),
    "kept": lambda x, t: asg.sum(
        asg.log_softmax(x, -1) * asg.one_hot(t, 4, "float64"), -1, keepdims=True
    )[:, 0],
}


@pytest.mark.parametrize("label", ["int32", "int64", "int8"])
@pytest.mark.parametrize("loss", [*PICKS.values(), *ONE_HOT.values()], ids=[*PICKS, *ONE_HOT])
def test_picks_of_log_softmax_mean_what_they_say_of_every_label(loss: Loss, label: str) -> None:
    """Negative labels count from the end in picks; in one-hot rows what is no class is nothing."""
    x, t = asg.input("x", (6, 4), "float64"), asg.input("t", (6,), label)
    y = loss(x, t)
    weight = np.arange(1.0, 7.0)
    graph = asg.Graph(y=y, slope=asg.grad((y[:4] * weight[:4]).sum(), x))
    assert "cross_entropy" in {node.op.name for node in _recognised(graph).nodes}
    result = asg.compile(graph)(x=LOGITS, t=LABELS.astype(label))
    logs = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    hit = np.eye(4)[[0, 3, 3, 2, 0, 0]]
    if loss in ONE_HOT.values():
        hit[[2, 4, 5]] = 0.0
    wanted = (hit * logs).sum(1)
    if loss in PICKS.values():
        wanted[4] = np.nan  # there is no class 4
    np.testing.assert_allclose(result["y"], wanted, rtol=1e-12)
    slope = weight[:, None] * (hit - hit.sum(1, keepdims=True) * np.exp(logs))
    slope[4:] = 0.0
    np.testing.assert_allclose(result["slope"][:4], slope[:4], rtol=1e-11, atol=1e-14)


# -- gradients are those of the ops ---------------------------------------------------------------


def _softmax(x: Tensor) -> Tensor:
    raised = asg.exp(x - asg.max(x, axis=-1, keepdims=True))
    return raised / asg.sum(raised, axis=-1, keepdims=True)


def _log_softmax(x: Tensor) -> Tensor:
    shifted = x - asg.max(x, axis=-1, keepdims=True)
    return shifted - asg.log(asg.sum(asg.exp(shifted), axis=-1, keepdims=True))


def test_a_gradient_of_what_is_written_out_costs_what_that_of_the_ops_costs() -> None:
    """A form is known by parts that are written out as well: the softmax of an attention."""
    x = asg.input("x", ("n", 8), "float64")
    t = asg.input("t", ("n",), "uint8")
    scores = _by_order(x @ asg.sin(x).T * 0.5)
    by_hand = asg.mean(asg.take_along_axis(_log_softmax(_softmax(scores) @ x), t[:, None], 1))
    attended = asg.scaled_dot_product_attention(x, asg.sin(x), x, is_causal=True, scale=0.5)
    by_ops = -asg.cross_entropy(attended, t)
    work = {"matmul", "exp", "max", "sum", "where", "multiply", "divide", "permute_dims"}
    work |= {"cross_entropy", "cross_entropy_and_slope", "softmax", "log_softmax", "cast"}
    ops = [
        Counter(node.op.name for node in asg.Graph(s=asg.grad(y, x), y=y).optimize("numpy").nodes)
        for y in (by_hand, by_ops)
    ]
    first, second = ({name: each[name] for name in work} for each in ops)
    assert first == second
    given = {"x": X[0] @ RANDOM.standard_normal((6, 8)), "t": np.arange(5, dtype=np.uint8)}
    slopes = [asg.compile(asg.Graph(s=asg.grad(y, x)))(**given)["s"] for y in (by_hand, by_ops)]
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-11, atol=1e-14)
    within = asg.grad(by_hand, scores)  # a value in the middle of a formula keeps its own slope
    assert asg.compile(asg.Graph(s=within))(**given)["s"].shape == (5, 5)
