"""Batches made ahead: the same ones, in order, with errors in their turn and nothing left over."""

import gc
import multiprocessing
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asg.core.errors import OperandError
from asg.data import DataLoader, Dataset, Examples, as_dataset
from asg.data.transforms import noise

DATA = Dataset({"x": np.arange(24, dtype=np.float32).reshape(12, 2), "i": np.arange(12)})
Batch = dict[str, np.ndarray[Any, Any]]


def values(batch: Batch) -> list[Any]:
    return [array.tolist() for array in batch.values()]


def fails_at_seven(batch: Batch) -> Batch:
    if 7 in batch["i"]:
        raise ZeroDivisionError("seven")
    return batch


def loader(**options: Any) -> DataLoader:
    settings: dict[str, Any] = {"shuffle": True, "transform": noise("x", 1.0)}
    return DataLoader(DATA, 5, **settings | options)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    gc.collect()
    assert threading.active_count() == before
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("prefetch", [1, 2, 50])
@pytest.mark.parametrize("drop_last", [False, True])
def test_a_thread_gives_the_same_batches(prefetch: int, drop_last: bool) -> None:
    plain, ahead = loader(drop_last=drop_last), loader(drop_last=drop_last, prefetch=prefetch)
    for _ in range(2):
        assert [values(batch) for batch in ahead] == [values(batch) for batch in plain]


@pytest.mark.parametrize("stop", range(4))
def test_the_state_counts_what_the_loop_has(stop: int) -> None:
    plain, ahead = loader(), loader(prefetch=3)
    left, taken = iter(plain), iter(ahead)
    for _ in range(stop):
        assert values(next(left)) == values(next(taken))
    assert plain.get_state() == ahead.get_state()
    resumed = loader(prefetch=2)
    resumed.set_state(ahead.get_state())
    assert [values(batch) for batch in resumed] == [values(batch) for batch in left] or stop == 3
    taken.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_look_ahead_is_the_first_batch_and_moves_nothing(taken: int) -> None:
    ahead, plain = loader(prefetch=1), loader()
    batches = iter(ahead)
    for _ in range(taken):
        next(batches)
    before = ahead.get_state()
    assert values(ahead.peek()) == values(next(iter(plain)))
    assert ahead.get_state() == before
    batches.close()  # type: ignore[attr-defined]


def test_the_queue_is_bounded() -> None:
    made: list[int] = []

    def record(batch: Batch) -> Batch:
        made.append(len(made))
        return batch

    batches = iter(DataLoader(DATA, 1, transform=record, prefetch=3))
    next(batches)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert 2 <= len(made) <= 2 + 3


def test_a_loop_left_early_leaves_no_thread() -> None:
    batches = loader(prefetch=2)
    for _ in batches:
        break
    assert not [t for t in threading.enumerate() if t.name.startswith("asg-data")]
    assert len(list(batches)) == 3
    assert batches.epoch == 2


def test_an_error_of_the_thread_comes_in_its_turn_with_its_lines() -> None:
    taken = []
    with pytest.raises(ZeroDivisionError, match="seven") as caught:
        for batch in DataLoader(DATA, 3, transform=fails_at_seven, prefetch=4):
            taken.append(batch["i"].tolist())
    assert taken == [[0, 1, 2], [3, 4, 5]]
    lines = "".join(traceback.format_exception(caught.value))
    assert 'raise ZeroDivisionError("seven")' in lines


def test_processes_give_the_same_batches_and_report_errors_with_their_lines(
    tmp_path: Path,
) -> None:
    """In one test, for processes take their time to start."""
    np.save(tmp_path / "x.npy", DATA.arrays["x"])
    np.save(tmp_path / "i.npy", DATA.arrays["i"])
    files = Dataset.from_files({"x": tmp_path / "x.npy", "i": tmp_path / "i.npy"})
    options: dict[str, Any] = {"shuffle": True, "transform": noise("x", 1.0)}
    with DataLoader(files, 5, workers=1, **options) as ahead:
        for number in range(2):
            given = [values(batch) for batch in ahead]
            assert given == [values(batch) for batch in _epoch(number)]
        for _ in ahead:
            break
        assert ahead.get_state()["batch"] == 1
        assert [values(batch) for batch in ahead] == [values(batch) for batch in _epoch(3)]
    failing = DataLoader(DATA, 3, transform=fails_at_seven, workers=1)
    with failing, pytest.raises(ZeroDivisionError, match="seven") as caught:
        list(failing)
    assert 'raise ZeroDivisionError("seven")' in "".join(traceback.format_exception(caught.value))


def _epoch(number: int) -> DataLoader:
    plain = loader()
    plain.set_state({**plain.get_state(), "epoch": number})
    return plain


def test_what_cannot_travel_is_refused() -> None:
    with pytest.raises(OperandError, match="no lambda"):
        list(loader(transform=lambda batch: batch, workers=1))


def test_random_numbers_do_not_depend_on_the_size_of_batches() -> None:
    small, large = (DataLoader(DATA, n, transform=noise("x", 1.0), seed=1) for n in (2, 12))
    for _ in range(2):
        ours = np.concatenate([batch["x"] for batch in small])
        assert np.array_equal(ours, next(iter(large))["x"])
    assert not np.array_equal(next(iter(small))["x"], DATA.arrays["x"][:2])


@pytest.mark.parametrize("name", ["prefetch", "workers"])
@pytest.mark.parametrize("value", [-1, 1.5, True])
def test_bad_counts_are_refused(name: str, value: Any) -> None:
    with pytest.raises(OperandError, match=f"{name}={value}"):
        loader(**{name: value})


SETS: list[Callable[[], Examples]] = [
    lambda: Dataset({"x": np.zeros((0, 2))}),
    lambda: as_dataset([]),
]


@pytest.mark.parametrize("make", SETS)
def test_an_empty_set_gives_no_batch(make: Callable[[], Examples]) -> None:
    with pytest.raises(OperandError, match="0 examples give no batch of 3"):
        DataLoader(make(), 3)


def test_a_transform_must_return_a_batch() -> None:
    wrong: Any = list
    with pytest.raises(OperandError, match="transform returned list"):
        next(iter(DataLoader(DATA, 3, transform=wrong)))
