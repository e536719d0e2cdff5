"""Views of data sets, other people's data sets, splits in several parts, and checks of values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from asg.core.errors import OperandError
from asg.data import DataLoader, Dataset, Examples, as_dataset, concat
from asg.data.transforms import noise

Batch = dict[str, np.ndarray[Any, Any]]


def numbers(length: int, start: int = 0) -> Dataset:
    values = np.arange(start, start + length)
    return Dataset({"x": np.stack([values, values * 2], 1), "y": values % 3}, "numbers")


def squared(batch: Batch) -> Batch:
    return {"x": batch["x"] ** 2, "y": batch["y"]}


def equal(ours: Batch, theirs: Batch) -> bool:
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[k], theirs[k]) for k in ours)


class Pairs:
    """A data set in PyTorch's style."""

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return np.array([index, index * 2]), index % 3


class ManyPairs(Pairs):
    def __getitems__(self, indices: list[int]) -> list[tuple[Any, int]]:
        self.asked = indices
        return [self[index] for index in indices]


class HubDataset:
    """What asg uses of Hugging Face's class: rows and columns as NumPy arrays after with_format."""

    def __init__(self, formatted: bool = False) -> None:
        self.formatted = formatted

    def with_format(self, kind: str) -> "HubDataset":
        assert kind == "numpy"
        return HubDataset(True)

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: Any) -> Any:
        assert self.formatted and not isinstance(index, np.ndarray)
        batch = numbers(7)[index]
        names = np.array(["name"] * 7, object)[index]
        return {**batch, "text": names}


LAZY: list[Callable[[], Examples]] = [
    lambda: numbers(7),
    lambda: numbers(20).map(dict).subset(np.arange(7)),
    lambda: concat([numbers(3).map(dict), numbers(0), numbers(4, 3)]),
    lambda: as_dataset(Pairs(), ("x", "y")),
    lambda: as_dataset(ManyPairs(), ("x", "y")),
    lambda: as_dataset([{"x": [i, 2 * i], "y": i % 3, "z": 0} for i in range(7)], ("x", "y")),
    lambda: as_dataset(HubDataset(), ("x", "y")),
    lambda: as_dataset(numbers(7)),
]


@pytest.mark.parametrize("make", LAZY)
@pytest.mark.parametrize(
    "index", [0, -1, slice(1, 6, 2), slice(None), [4, 4, -7], np.arange(7) > 4]
)
def test_every_kind_is_indexed_like_arrays(make: Callable[[], Examples], index: Any) -> None:
    data, arrays = make(), numbers(7).arrays
    assert len(data) == 7
    assert equal(data[index], {name: array[index] for name, array in arrays.items()})


@pytest.mark.parametrize("make", LAZY)
def test_every_kind_can_be_mapped_split_joined_and_loaded(make: Callable[[], Examples]) -> None:
    data = make().map(squared)
    assert equal(data[[2, 5]], squared(numbers(7)[[2, 5]]))
    assert equal(data[5], squared(numbers(7)[5]))
    assert [len(part) for part in data.split((0.3, 0.3, 0.4))] == [2, 2, 3]
    twice = concat([data, data])
    assert equal(twice[[9, 2]], squared(numbers(7)[[2, 2]]))
    loader = DataLoader(twice, 4, shuffle=True)
    assert sorted(int(y) for batch in loader for y in batch["x"][:, 0]) == sorted(
        [i * i for i in range(7)] * 2
    )
    assert equal(Dataset.from_examples(data).arrays, squared(numbers(7).arrays))


@pytest.mark.parametrize("make", LAZY)
def test_every_kind_ends(make: Callable[[], Examples]) -> None:
    data = make()
    assert len(list(data)) == 7
    with pytest.raises(IndexError):
        data[7]
    with pytest.raises((OperandError, IndexError)):
        data[[0, 7]]


def test_many_examples_are_asked_for_at_once_where_that_is_possible() -> None:
    source = ManyPairs()
    as_dataset(source, ("x", "y"))[[3, 1]]
    assert source.asked == [3, 1]


def test_sets_in_memory_are_joined_in_memory() -> None:
    joined = concat([numbers(2), numbers(3, 2)])
    assert isinstance(joined, Dataset)
    assert equal(joined.arrays, numbers(5).arrays)


def test_a_map_is_lazy() -> None:
    seen: list[int] = []

    def record(batch: Batch) -> Batch:
        seen.append(len(batch["x"]))
        return batch

    data = numbers(10).map(record).map(squared)
    assert seen == []
    assert data[2:5]["x"].shape == (3, 2)
    assert seen == [3]


def test_an_iterable_is_read_once_into_memory() -> None:
    data = Dataset.from_iterable({"x": [i, 2 * i], "y": i % 3} for i in range(7))
    assert equal(data.arrays, numbers(7).arrays)


@pytest.mark.parametrize("fractions", [(0.5, 0.5), [0.7, 0.2, 0.1], (0.25, 0.25, 0.25, 0.25)])
def test_several_parts_are_a_partition(fractions: Any) -> None:
    parts = numbers(101).split(fractions, seed=2)
    assert sorted(np.concatenate([part.arrays["x"][:, 0] for part in parts])) == list(range(101))
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - 101 * fraction) <= 1


def test_two_fractions_are_the_split_of_one() -> None:
    first, again = (numbers(50).split(f, seed=3)[0].arrays["x"] for f in (0.6, (0.6, 0.4)))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("seed", range(4))
def test_a_stratified_split_keeps_the_shares(seed: int) -> None:
    labels = np.repeat([0, 1, 2], [70, 20, 10])
    data = Dataset({"i": np.arange(100), "y": labels})
    for part, size in zip(data.split((0.5, 0.3, 0.2), seed, "y"), (50, 30, 20), strict=True):
        counts = np.bincount(part.arrays["y"], minlength=3)
        assert counts.sum() == size
        assert (abs(counts - size * np.array([0.7, 0.2, 0.1])) <= 2).all()


def anything(value: Any) -> Any:
    return value


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: numbers(10).split((0.5, 0.4)), "with the sum 1"),
    (lambda: numbers(10).split((1.0,)), "fraction"),
    (lambda: numbers(10).split((0.98, 0.01, 0.01)), "leaves part 1 empty"),
    (lambda: numbers(10).split(0.5, stratify="z"), "no array named 'z'; there are x, y"),
    (lambda: numbers(10).split(0.5, stratify="x"), r"class numbers, int\[count\]"),
    (lambda: numbers(4).subset([0, 4]), "position 4 does not exist: there are 4"),
    (lambda: numbers(4).subset([0.5]), "positions are int"),
    (lambda: numbers(4).map(anything(None)), "takes a function"),
    (lambda: numbers(4).map(anything(noise("x", 1.0))), "DataLoader"),
    (lambda: numbers(4).map(anything(lambda batch: batch["x"]))[0], "a dict of arrays is needed"),
    (lambda: numbers(4).map(lambda b: {"x": b["x"][:1]})[:3], r"'x' of shape \[1, 2\] for 3"),
    (lambda: concat([]), "at least one"),
    (lambda: concat([numbers(3), anything(5)]), "given int"),
    (lambda: concat([numbers(3).map(dict), Dataset({"x": np.zeros(2)})])[:], "part 1 holds"),
    (lambda: Dataset.from_iterable([]), "no example"),
    (lambda: Dataset.from_iterable([{"x": [1]}, {"x": [1, 2]}]), "example 1 of the batch"),
    (lambda: Dataset.from_iterable([(1, 2)]), "names="),
    (lambda: Dataset.from_iterable([(1, 2)], ("x",)), "one name for each entry"),
    (lambda: Dataset.from_iterable([{"x": object()}]), "x: object is no array"),
    (lambda: Dataset.from_examples(anything([1])), "takes a data set"),
    (lambda: as_dataset(iter([1])), r"len\(\) and \[index\]"),
    (lambda: as_dataset({"x": [1]}), r"use Dataset\(arrays\)"),
    (lambda: as_dataset([1], names="x"), r"\('x',\)"),
    (lambda: as_dataset([{"x": 1}], ("y",))[0], "but no y"),
    (lambda: as_dataset(HubDataset())[:], "text: no array of numbers"),
    (lambda: as_dataset([{"x": [1]}, {"x": [1, 2]}])[:], "collate=asg.data.pad_batch"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_what_makes_no_sense_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (2500, 1), (2999, 2)])
def test_the_first_number_that_is_not_finite_is_named(value: float, place: tuple[int, int]) -> None:
    array = np.ones((3000, 3), np.float32)
    array[place] = value
    array[2999, 2] = np.nan
    data = Dataset({"y": np.arange(3000), "x": array})
    data.map(lambda batch: {"y": batch["y"]}).check_finite()
    with pytest.raises(
        OperandError, match=rf"'x' holds {array[place]} at \[{place[0]}, {place[1]}"
    ):
        data.check_finite()
