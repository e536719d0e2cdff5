"""DataLoader: order, coverage, and continuing exactly where a run stopped."""

from itertools import chain
from typing import Any

import numpy as np
import pytest

from asg.core.errors import OperandError
from asg.data import DataLoader, Dataset
from asg.data.order import permutation

DATA = Dataset({"x": np.arange(11, dtype=np.float32), "y": np.arange(11, dtype=np.int32)})


def epoch(loader: DataLoader) -> list[list[int]]:
    return [batch["y"].tolist() for batch in loader]


def shuffled(**changes: Any) -> DataLoader:
    return DataLoader(DATA, **{"batch_size": 3, "shuffle": True, "seed": 5} | changes)


def test_without_shuffling_the_order_is_that_of_the_data() -> None:
    loader = DataLoader(DATA, batch_size=4)
    assert epoch(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert epoch(loader) == epoch(DataLoader(DATA, batch_size=4))


@pytest.mark.parametrize("batch_size", [1, 3, 11, 20])
def test_every_epoch_gives_every_example_once(batch_size: int) -> None:
    batches = epoch(shuffled(batch_size=batch_size))
    assert sorted(chain(*batches)) == list(range(11))
    assert len(batches) == len(shuffled(batch_size=batch_size))


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4, 4]), (11, [11]), (5, [5, 5])])
def test_drop_last_leaves_whole_batches(batch_size: int, sizes: list[int]) -> None:
    loader = shuffled(batch_size=batch_size, drop_last=True)
    assert [len(batch) for batch in epoch(loader)] == sizes
    assert len(loader) == len(sizes)


def test_every_epoch_has_its_own_order() -> None:
    loader = shuffled()
    orders = {tuple(chain(*epoch(loader))) for _ in range(5)}
    assert len(orders) == 5
    assert loader.epoch == 5


def test_a_second_loader_repeats_the_first() -> None:
    first, second = shuffled(), shuffled()
    assert [epoch(first) for _ in range(3)] == [epoch(second) for _ in range(3)]
    assert epoch(shuffled(seed=6)) != epoch(shuffled())


def test_the_order_of_a_seed_never_changes() -> None:
    """A stored answer: the recorded losses depend on it."""
    assert permutation(8, seed=0, stream=1).tolist() == [7, 6, 2, 3, 1, 0, 4, 5]


def test_orders_are_uniform() -> None:
    """Chi-square of where the first of four lands, 3 degrees of freedom: 16.3 is p = 0.001."""
    firsts = np.bincount([permutation(4, 0, stream)[0] for stream in range(2000)], minlength=4)
    assert ((firsts - 500) ** 2 / 500).sum() < 16.3


def test_batches_are_contiguous_and_of_the_stored_dtype() -> None:
    for batch in shuffled():
        assert (batch["x"].dtype, batch["y"].dtype) == (np.float32, np.int32)
        assert all(array.flags.c_contiguous for array in batch.values())


@pytest.mark.parametrize("stop", range(5))
def test_a_stored_state_continues_with_the_very_next_batch(stop: int) -> None:
    first = shuffled()
    epoch(first)
    batches = iter(first)
    for _ in range(stop):
        next(batches)
    state = first.get_state()
    rest = [batch["y"].tolist() for batch in batches]
    second = shuffled()
    second.set_state(state)
    if rest:  # after the last batch only the next epoch is left
        assert epoch(second) == rest
    assert [epoch(second), epoch(second)] == [epoch(first), epoch(first)]
    assert first.get_state() == second.get_state()


def test_a_state_is_plain_ints() -> None:
    state = shuffled().get_state()
    assert all(type(value) is int for value in state.values())
    assert (state["epoch"], state["batch"]) == (0, 0)


def test_a_loop_left_early_is_followed_by_the_next_epoch() -> None:
    loader, reference = shuffled(), shuffled()
    for _ in loader:
        break
    epoch(reference)
    assert epoch(loader) == epoch(reference)
    assert loader.epoch == 2


@pytest.mark.parametrize("change", [{"seed": 6}, {"batch_size": 4}, {"shuffle": False}])
def test_a_state_of_other_settings_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(OperandError, match=next(iter(change))):
        shuffled().set_state(shuffled(**change).get_state())


@pytest.mark.parametrize(
    "state", [{}, {"epoch": 0}, {**shuffled().get_state(), "batch": 5}, {"epoch": -1}]
)
def test_a_state_that_is_none_is_refused(state: dict[str, int]) -> None:
    loader = shuffled()
    with pytest.raises(OperandError):
        loader.set_state(state)
    assert loader.epoch == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 2.0}, r"batch_size=2\.0"),
        ({"batch_size": True}, "batch_size=True"),
        ({"seed": -1}, "seed"),
        ({"batch_size": 12, "drop_last": True}, "no batch of 12 with drop_last"),
    ],
)
def test_bad_arguments_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OperandError, match=message):
        shuffled(**changes)
