"""Embedding and EmbeddingBag against PyTorch: values, gradients, tables that look-ups change."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError
from tests.nn.oracle import assert_like_pytorch

torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
Array = np.ndarray[Any, Any]
ROWS, WIDTH = 6, 3
INDICES = np.array([[1, 4, 1], [2, 0, 2], [5, 2, 2], [0, 0, 0]])
LIMITS = [(None, 2.0), (1.5, 2.0), (1.5, 1.0), (1.5, float("inf"))]
GRID = [(row, *limit, flag) for row, limit, flag in product([None, 2, -6], LIMITS, [False, True])]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("padding", "most", "norm", "by_frequency"), GRID)
def test_embedding(
    padding: int | None, most: float | None, norm: float, by_frequency: bool, training: bool
) -> None:
    options = {"max_norm": most, "norm_type": norm, "scale_grad_by_freq": by_frequency}
    for indices in (INDICES, INDICES[0], np.array(2)):
        ours = nn.Embedding(ROWS, WIDTH, padding, **options, dtype="float64")  # type: ignore[arg-type]
        theirs = torch.nn.Embedding(ROWS, WIDTH, padding, **options)
        assert_like_pytorch(
            ours, theirs, [indices], training=training, symbolic_batch=indices.ndim > 1
        )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64"])
def test_integers_of_every_width(dtype: str) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 2))
    for padding in (None, 290, 3):
        layer = nn.Embedding.from_pretrained(rows, False, padding, max_norm=9.0)
        found = looked_up(layer, np.array([3, 100, 3], dtype))
        np.testing.assert_array_equal(found, rows[[3, 100, 3]])


def looked_up(layer: nn.Module, *feeds: Array, seed: int = 0) -> Array:
    names = [asg.input(f"x{i}", feed.shape, feed.dtype.name) for i, feed in enumerate(feeds)]
    with asg.StateTrace() as trace:
        graph = trace.close({"y": layer(*names)})
    session = asg.compile(graph).start(seed)
    found: Array = session(**{f"x{i}": feed for i, feed in enumerate(feeds)})["y"]
    return found


def test_negative_indices_count_from_the_end_and_others_are_missing() -> None:
    rows = np.arange(1.0, 7.0).reshape(3, 2)
    for options in ({}, {"padding_idx": 2}, {"scale_grad_by_freq": True}):
        layer = nn.Embedding.from_pretrained(rows, **options)
        found = looked_up(layer, np.array([-1, 0, 3, -4]))
        np.testing.assert_array_equal(found[:2], rows[[2, 0]])
        assert np.isnan(found[2:]).all()


def test_the_row_of_padding_starts_as_zeros_and_the_others_do_not() -> None:
    for layer in (nn.Embedding(40, 5, -1), nn.EmbeddingBag(40, 5, padding_idx=39)):
        table = layer.state_dict(seed=1)["weight"]
        assert not table[39].any() and table[:39].all()
        assert abs(table[:39].std() - 1.0) < 0.2
    fixed = nn.Embedding(3, 2, padding_idx=1, init=nn.init.ones())
    assert fixed.state_dict()["weight"].tolist() == [[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize("bag", [False, True])
def test_a_table_that_look_ups_shorten_trains_as_pytorchs(bag: bool) -> None:
    start = np.random.default_rng(3).normal(size=(ROWS, WIDTH))
    kind = "EmbeddingBag" if bag else "Embedding"
    ours = getattr(nn, kind)(ROWS, WIDTH, max_norm=1.2, padding_idx=0, dtype="float64")
    theirs = getattr(torch.nn, kind)(ROWS, WIDTH, max_norm=1.2, padding_idx=0).double()
    ours.load_state_dict({"weight": start})
    theirs.load_state_dict({"weight": torch.tensor(start)})
    build = asg.train_step(
        lambda i: (ours(i) ** 3).sum(), optimizer=optim.sgd(0.05, weight_decay=0.3)
    )
    session = asg.compile(build(i=(("n", 3), "int64"))).start()
    for position in range(4):
        indices = INDICES[: 1 + position] if position < 3 else INDICES[::-1].copy()
        session(i=indices)
        theirs.weight.grad = None
        (theirs(torch.tensor(indices)) ** 3).sum().backward()
        with torch.no_grad():
            theirs.weight -= 0.05 * (theirs.weight.grad + 0.3 * theirs.weight)
        found = session.state_dict()[ours.weight.name]
        np.testing.assert_allclose(found, theirs.weight.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_evaluation_shortens_what_it_looks_up_and_leaves_the_table() -> None:
    layer = nn.Embedding.from_pretrained([[3.0, 4.0], [0.3, 0.4]], max_norm=1.0)
    with asg.StateTrace(training=False) as trace:
        graph = trace.close({"y": layer(asg.constant([0, 1]))})
    assert [slot.output for slot in graph.state] == [None]
    found = asg.compile(graph).start()()["y"]
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)


def test_pretrained_rows_are_frozen_unless_told() -> None:
    rows = np.ones((3, 2), np.float16)
    for kind in (nn.Embedding, nn.EmbeddingBag):
        assert not kind.from_pretrained(rows).weight.trainable
        layer = kind.from_pretrained(rows, freeze=False, padding_idx=1)
        assert layer.weight.trainable and layer.weight.dtype is asg.float16
        np.testing.assert_array_equal(layer.state_dict()["weight"], rows)


# -- bags ----------------------------------------------------------------------------------------

FLAT = np.array([1, 4, 1, 2, 0, 2, 5, 2, 2, 2])
OFFSETS = [np.array([0, 3, 3, 8]), np.array([0]), np.array([0, 0, 10])]


class ByFrequency(torch.nn.Module):  # type: ignore[misc, name-defined]
    """PyTorch's Embedding in bags: its EmbeddingBag divides by the frequency of other rows.

    (Its CPU kernel counts the row at the place of the distinct row's number, not that row.)
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.mode, self.last_is_end = options["mode"], options.pop("include_last_offset", False)
        bag = torch.nn.EmbeddingBag(ROWS, WIDTH, **options)
        self.weight, self.padding_idx = bag.weight, bag.padding_idx
        self.max_norm, self.norm_type = bag.max_norm, bag.norm_type

    def forward(self, indices: Any, offsets: Any = None, weights: Any = None) -> Any:
        rows = torch.nn.functional.embedding(
            indices, self.weight, self.padding_idx, self.max_norm, self.norm_type, True
        )
        counted = torch.ones(indices.shape).double()
        if self.padding_idx is not None:
            counted = (indices != self.padding_idx).double()
        rows = rows * (counted if weights is None else counted * weights)[..., None]
        if offsets is not None:
            ends = offsets if self.last_is_end else [*offsets, len(indices)]
            pieces: list[Any] = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        else:
            pieces = list(range(len(indices)))
        sums = torch.stack([rows[piece].sum(0) for piece in pieces])
        sizes = torch.stack([counted[piece].sum() for piece in pieces]).clamp(min=1.0)
        return sums if self.mode == "sum" else sums / sizes[:, None]


def bags(**options: Any) -> tuple[Any, Any]:
    ours = nn.EmbeddingBag(ROWS, WIDTH, dtype="float64", **options)
    if options.get("scale_grad_by_freq"):
        return ours, ByFrequency(**options)
    return ours, torch.nn.EmbeddingBag(ROWS, WIDTH, **options)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("most", [None, 1.5])
def test_bags_of_equal_size(mode: str, padding: int | None, most: float | None) -> None:
    for by_frequency in (False, True) if mode != "max" else (False,):
        options = {"mode": mode, "padding_idx": padding, "max_norm": most}
        for training in (True, False):
            assert_like_pytorch(
                *bags(**options, scale_grad_by_freq=by_frequency), [INDICES],
                training=training, symbolic_batch=training,
            )  # fmt: skip


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("last_is_end", [False, True])
def test_bags_by_offset(mode: str, padding: int | None, last_is_end: bool) -> None:
    for by_frequency in (False, True) if mode != "max" else (False,):
        for offsets in OFFSETS:
            given = np.append(offsets, FLAT.size) if last_is_end else offsets
            both = bags(
                mode=mode, padding_idx=padding, include_last_offset=last_is_end,
                scale_grad_by_freq=by_frequency,
            )  # fmt: skip
            assert_like_pytorch(*both, [FLAT, given], training=True)


@pytest.mark.parametrize("padding", [None, 2])
def test_weighted_bags(padding: int | None) -> None:
    random = np.random.default_rng(4)
    assert_like_pytorch(
        *bags(mode="sum", padding_idx=padding), [INDICES, random.normal(size=INDICES.shape)],
        our_call=lambda m, i, w: m(i, per_sample_weights=w),
        their_call=lambda m, i, w: m(i, per_sample_weights=w),
    )  # fmt: skip
    arrays = [FLAT, OFFSETS[0], random.normal(size=FLAT.shape)]
    assert_like_pytorch(*bags(mode="sum", padding_idx=padding, scale_grad_by_freq=True), arrays)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_on_jax(mode: str) -> None:
    pytest.importorskip("jax", reason="JAX is an optional backend")
    both = bags(mode=mode, padding_idx=2, max_norm=1.5)
    assert_like_pytorch(*both, [FLAT, OFFSETS[0]], training=True, backend="jax")


def test_embedding_on_jax() -> None:
    pytest.importorskip("jax", reason="JAX is an optional backend")
    options: dict[str, Any] = {"padding_idx": 2, "max_norm": 1.5, "scale_grad_by_freq": True}
    ours = nn.Embedding(ROWS, WIDTH, **options, dtype="float64")
    theirs = torch.nn.Embedding(ROWS, WIDTH, **options)
    assert_like_pytorch(ours, theirs, [INDICES], training=True, backend="jax")


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_indices_before_the_first_and_after_the_last_bag_are_in_none(mode: str) -> None:
    layer = nn.EmbeddingBag(ROWS, WIDTH, mode=mode, include_last_offset=True, dtype="float64")
    offsets = np.array([2, 4, 4, 7])
    table = layer.state_dict()["weight"]
    reduce: Any = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
    pieces = [table[FLAT[a:b]] for a, b in pairwise(offsets)]
    wanted = [reduce(piece, 0) if len(piece) else np.zeros(WIDTH) for piece in pieces]
    np.testing.assert_allclose(looked_up(layer, FLAT, offsets), wanted, rtol=1e-12)


# -- what is refused -----------------------------------------------------------------------------


def of(shape: Any, dtype: str = "int32") -> asg.Tensor:
    return asg.input("x", shape, dtype)


REFUSED: list[tuple[Any, type[AsgError], str]] = [
    (lambda: nn.Embedding(0, 3), OperandError, "num_embeddings=0"),
    (lambda: nn.Embedding(3, 2.0), OperandError, r"embedding_dim=2\.0"),  # type: ignore[arg-type]
    (lambda: nn.Embedding(3, 2, 3), OperandError, "padding_idx=3 is not one of 3 rows"),
    (lambda: nn.Embedding(3, 2, -4), OperandError, "padding_idx=-4"),
    (lambda: nn.Embedding(3, 2, 1.0), OperandError, r"padding_idx=1\.0"),  # type: ignore[arg-type]
    (lambda: nn.Embedding(3, 2, max_norm=-1.0), OperandError, r"max_norm=-1\.0"),
    (lambda: nn.Embedding(3, 2, norm_type="two"), OperandError, "norm_type='two'"),  # type: ignore[arg-type]
    (lambda: nn.Embedding(3, 2, scale_grad_by_freq=1), OperandError, "scale_grad_by_freq=1"),  # type: ignore[arg-type]
    (lambda: nn.Embedding(3, 2)(of((2,), "float32")), DtypeError, "takes integers, given f32"),
    (lambda: nn.Embedding.from_pretrained([1.0, 2.0]), ShapeError, "matrix"),
    (lambda: nn.Embedding.from_pretrained([[1, 2]]), DtypeError, "floats"),
    (lambda: nn.Embedding.from_pretrained([[1.0]], freeze=2), OperandError, "freeze=2"),  # type: ignore[arg-type]
    (lambda: nn.EmbeddingBag(3, 2, mode="min"), OperandError, "mode='min'"),
    (lambda: nn.EmbeddingBag(3, 2, mode="max", scale_grad_by_freq=True), OperandError, "max"),
    (lambda: nn.EmbeddingBag(3, 2, include_last_offset=1), OperandError, "include_last_offset=1"),  # type: ignore[arg-type]
    (lambda: nn.EmbeddingBag(3, 2)(of((4,))), ShapeError, "no offsets"),
    (lambda: nn.EmbeddingBag(3, 2)(of((4, 2)), of((2,))), ShapeError, r"given i32\[4, 2\] and i32"),
    (lambda: nn.EmbeddingBag(3, 2)(of((4,)), of((2,), "float32")), DtypeError, "offsets"),
    (lambda: nn.EmbeddingBag(3, 2)(of((4, 2)), None, of((4, 2), "float32")), OperandError, "mean"),
    (lambda: nn.EmbeddingBag(3, 2, mode="sum")(of((4, 2)), None, of((4, 1), "float32")),
     ShapeError, "not of the shape"),
    (lambda: nn.EmbeddingBag(3, 2, mode="sum")(of(("n", 2)), None, of((1, 2), "float32")),
     ShapeError, "not of the shape"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "told"), REFUSED)
def test_what_is_refused(make: Any, error: type[AsgError], told: str) -> None:
    with pytest.raises(error, match=told):
        make()


def test_text() -> None:
    assert repr(nn.Embedding(3, 2)) == "Embedding(3, 2)"
    told = "Embedding(3, 2, padding_idx=2, max_norm=1.0)"
    assert repr(nn.Embedding(3, 2, -1, max_norm=1)) == told
    told = "EmbeddingBag(3, 2, mode='sum', include_last_offset=True)"
    assert repr(nn.EmbeddingBag(3, 2, mode="sum", include_last_offset=True)) == told
