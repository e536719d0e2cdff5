"""Samplers: which examples, how often, in what order; and padding of what they put together."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from asg.core.errors import OperandError
from asg.data import (
    DataLoader,
    Dataset,
    LengthSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StratifiedSampler,
    WeightedSampler,
    as_dataset,
    pad_batch,
)

LABELS = np.repeat([2, 0, 1], [60, 30, 10])
LENGTHS = (np.arange(100) * 37) % 91
MAKERS: list[Callable[[int], Sampler]] = [
    lambda seed: RandomSampler(100, seed),
    lambda seed: WeightedSampler(np.arange(100.0), 100, True, seed),
    lambda seed: WeightedSampler(np.arange(100.0), 40, False, seed),
    lambda seed: StratifiedSampler(LABELS, seed),
    lambda seed: LengthSampler(LENGTHS, 3, seed),
]


def order(sampler: Sampler, epoch: int) -> list[int]:
    return [int(i) for batch in sampler.batches(epoch, 8) for i in batch]


@pytest.mark.parametrize("make", MAKERS)
def test_an_order_is_a_function_of_seed_and_epoch(make: Callable[[int], Sampler]) -> None:
    assert [order(make(3), e) for e in (2, 0)] == [order(make(3), e) for e in (2, 0)]
    assert len({tuple(order(make(seed), e)) for seed in range(3) for e in range(3)}) == 9
    assert len(order(make(0), 0)) == len(make(0))
    assert [len(b) for b in make(0).batches(0, 8)][:-1] == [8] * (-(-len(make(0)) // 8) - 1)


@pytest.mark.parametrize("make", [MAKERS[0], MAKERS[3], MAKERS[4]])
@pytest.mark.parametrize("batch_size", [1, 7, 10, 100, 101])
def test_every_example_comes_once(make: Callable[[int], Sampler], batch_size: int) -> None:
    batches = make(1).batches(4, batch_size)
    assert sorted(np.concatenate(batches)) == list(range(100))


def test_the_random_sampler_is_shuffle() -> None:
    data = Dataset({"i": np.arange(20)})
    plain = DataLoader(data, 6, shuffle=True, seed=4)
    ours = DataLoader(data, 6, sampler=RandomSampler(20, 4))
    for _ in range(2):
        assert [b["i"].tolist() for b in plain] == [b["i"].tolist() for b in ours]


def test_weights_are_the_frequencies() -> None:
    """Chi-square with 3 degrees of freedom: 16.3 is p = 0.001."""
    weights = np.array([1.0, 0.0, 2.0, 3.0, 4.0])
    counts = np.bincount(WeightedSampler(weights, 20_000, seed=1).indices(0), minlength=5)
    expected = weights / weights.sum() * 20_000
    assert counts[1] == 0
    assert ((counts - expected)[expected > 0] ** 2 / expected[expected > 0]).sum() < 16.3


def test_without_replacement_the_first_draw_has_the_weights() -> None:
    sampler = WeightedSampler([1.0, 2.0, 7.0], 2, replacement=False)
    draws = np.array([sampler.indices(epoch) for epoch in range(3000)])
    assert (draws[:, 0] != draws[:, 1]).all()
    expected = np.array([300.0, 600.0, 2100.0])
    counts = np.bincount(draws[:, 0], minlength=3)
    assert ((counts - expected) ** 2 / expected).sum() < 13.8  # 2 degrees of freedom, p = 0.001
    after = np.bincount(draws[draws[:, 0] == 2][:, 1], minlength=3)  # 1 : 2 are left
    assert abs(after[1] / after.sum() - 2 / 3) < 0.05


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("batch_size", [10, 25])
def test_stratified_batches_keep_the_shares(seed: int, batch_size: int) -> None:
    for batch in StratifiedSampler(LABELS, seed).batches(0, batch_size):
        counts = np.bincount(LABELS[batch], minlength=3)
        assert (abs(counts - batch_size * np.array([0.3, 0.1, 0.6])) <= 2).all()


def test_batches_by_length_need_little_padding() -> None:
    def padding(batches: list[Any]) -> int:
        return sum(int((LENGTHS[b].max() - LENGTHS[b]).sum()) for b in batches)

    shuffled = padding(RandomSampler(100).batches(0, 10))
    assert padding(LengthSampler(LENGTHS).batches(0, 10)) < 0.25 * shuffled
    first = [int(LENGTHS[b].max()) for b in LengthSampler(LENGTHS).batches(0, 10)]
    assert first != sorted(first)


def test_a_state_belongs_to_its_sampler() -> None:
    data = Dataset({"i": np.arange(100)})
    first = DataLoader(data, 8, sampler=StratifiedSampler(LABELS, 1))
    taken = iter(first)
    next(taken)
    state = first.get_state()
    rest = [batch["i"].tolist() for batch in taken]
    second = DataLoader(data, 8, sampler=StratifiedSampler(LABELS, 1))
    second.set_state(state)
    assert [batch["i"].tolist() for batch in second] == rest
    with pytest.raises(OperandError, match="sampler="):
        DataLoader(data, 8, sampler=StratifiedSampler(LABELS, 2)).set_state(state)
    with pytest.raises(OperandError, match="sampler"):
        DataLoader(data, 8).set_state(state)


RAGGED: list[Any] = [
    {"x": np.arange(n, dtype=np.int32) + 1, "m": np.ones((n, 2)), "y": n} for n in (3, 1, 4, 2)
]


@pytest.mark.parametrize("multiple", [1, 3, 8])
def test_padding_keeps_values_and_lengths(multiple: int) -> None:
    batch = pad_batch(RAGGED, names=("x", "m"), fill=-1, multiple=multiple)
    assert batch["lengths"].tolist() == [3, 1, 4, 2] == batch["y"].tolist()
    assert batch["x"].shape[1] == -(-4 // multiple) * multiple
    assert batch["x"].dtype == np.int32
    for row, example in enumerate(RAGGED):
        length = example["y"]
        assert np.array_equal(batch["x"][row, :length], example["x"])
        assert (batch["x"][row, length:] == -1).all()
        assert (batch["m"][row, length:] == -1).all()


def test_ragged_examples_go_through_the_loader() -> None:
    lengths = [example["y"] for example in RAGGED]
    loader = DataLoader(
        as_dataset(RAGGED),
        2,
        sampler=LengthSampler(lengths),
        collate=partial(pad_batch, multiple=2),
    )
    found = sorted(sorted(batch["lengths"].tolist()) for batch in loader)
    assert found == [[1, 2], [3, 4]]


DATA = Dataset({"i": np.arange(10)})
ONES: Any = np.ones(1)
LIST: Any = [1, 2]
NUMBER: Any = 1
WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: SequentialSampler(0), "length=0"),
    (lambda: RandomSampler(3, -1), "seed"),
    (lambda: WeightedSampler([]), r"weights are \[examples\]"),
    (lambda: WeightedSampler([1.0, -1.0]), r"weights\[1\]=-1\.0"),
    (lambda: WeightedSampler([1.0, np.nan]), r"weights\[1\]=nan"),
    (lambda: WeightedSampler([0.0, 0.0]), "0 positive weights"),
    (lambda: WeightedSampler([1.0, 0.0], 2, False), "1 positive weights do not allow 2"),
    (lambda: StratifiedSampler([0, -1]), r"labels\[1\] is -1, negative"),
    (lambda: StratifiedSampler([0.5]), "class numbers"),
    (lambda: LengthSampler([1, 2], pool=0), "pool=0"),
    (lambda: LengthSampler(np.zeros(0, int)), "no example"),
    (lambda: DataLoader(DATA, 2, sampler=LIST), "no asg.data.Sampler"),
    (lambda: DataLoader(DATA, 2, True, sampler=RandomSampler(10)), "the sampler gives the order"),
    (lambda: DataLoader(DATA, 2, sampler=RandomSampler(11)), "gives example 10, the data set has"),
    (lambda: pad_batch([]), "no example"),
    (lambda: pad_batch([{"x": np.ones(1)}, {"y": np.ones(1)}]), "example 1 of the batch has no"),
    (lambda: pad_batch([{"x": np.ones(1)}, {"x": np.ones(1, int)}]), "x of example 1"),
    (lambda: pad_batch([{"x": np.ones(1), "lengths": NUMBER}]), "lengths='lengths'"),
    (lambda: pad_batch([{"x": np.ones(1), "z": np.ones(2)}]), r"names=\('x',\)"),
    (lambda: pad_batch([{"x": NUMBER}]), "no array has no axis"),
    (lambda: pad_batch([{"x": np.ones(1)}], names=("z",)), "z has no axis"),
    (lambda: pad_batch([{"x": np.ones(1)}], multiple=0), "multiple=0"),
    (
        lambda: pad_batch([*({"x": np.ones(1), "z": np.ones(n)} for n in (1, 2))], ("x",)),
        "z differ",
    ),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_what_makes_no_sense_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()
