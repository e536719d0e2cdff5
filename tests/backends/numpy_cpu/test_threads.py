"""The team shares calls between threads, waits for all of them, and survives errors and forks."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest
from asg.backends.numpy_cpu.threads import Team

import asg
from asg.config import _threads_of_environment, configure, thread_count


def names(team: Team, count: int, threads: int) -> list[str]:
    """On which thread each of ``count`` parts ran; they wait for each other to have begun."""
    seen = [""] * count
    barrier = threading.Barrier(min(count, threads))

    def note(place: int) -> None:
        if place < barrier.parties:
            barrier.wait(timeout=10)
        seen[place] = threading.current_thread().name

    with configure(threads=threads):
        team.run([[(note, (place,))] for place in range(count)])
    return seen


def test_parts_run_at_the_same_time_and_the_first_on_the_caller() -> None:
    here = threading.current_thread().name
    assert names(Team(), 3, 3) == [here, "asg-numpy", "asg-numpy"]  # the barrier: all at once


def test_more_parts_than_threads_and_the_other_way_round() -> None:
    team = Team()
    here = threading.current_thread().name
    assert names(team, 5, 2) == [here, "asg-numpy", here, "asg-numpy", here]
    assert names(team, 2, 4)[0] == here
    assert names(team, 3, 1) == [here] * 3


def test_nothing_starts_before_it_is_needed() -> None:
    team = Team()
    before = threading.active_count()
    with configure(threads=1):
        team.run([[], []])
    with configure(threads=2):
        team.run([[]])
        assert threading.active_count() == before
        team.run([[], []])
        team.run([[], []])
    assert threading.active_count() == before + 1


def test_calls_of_a_part_run_in_order() -> None:
    done: list[int] = []
    with configure(threads=2):
        Team().run([[], [(done.append, (i,)) for i in range(100)]])
    assert done == list(range(100))


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_first_error_is_raised_when_all_parts_are_done(threads: int) -> None:
    team = Team()
    done: list[int] = []
    late = [(time.sleep, (0.02,)), (done.append, (1,))]
    with configure(threads=threads):
        with pytest.raises(ValueError, match="second"):
            team.run([[], [(fail, ("second",))]])
        if threads > 1:
            with pytest.raises(ValueError, match="first"):
                team.run([[(fail, ("first",))], late])
            assert done == [1]
        team.run([[(done.append, (2,))], []])
    assert done[-1] == 2


def test_notes_of_an_error_survive() -> None:
    def noted() -> None:
        error = ValueError("wrong")
        error.add_note("in part two")
        raise error

    with configure(threads=2), pytest.raises(ValueError, match="wrong") as caught:
        Team().run([[], [(noted, ())]])
    assert caught.value.__notes__ == ["in part two"]


def test_use_within_use_runs_on_the_thread_that_asks() -> None:
    team, seen = Team(), []

    def note() -> None:
        seen.append(threading.current_thread())

    def again() -> None:
        team.run([[(note, ())], [(note, ())]])

    with configure(threads=2):
        team.run([[], [(again, ())]])
        team.run([[(again, ())], []])
    worker, caller = seen[0], threading.current_thread()
    assert worker is not caller and seen == [worker, worker, caller, caller]


def test_two_users_at_once_both_get_their_results() -> None:
    team, totals = Team(), [0, 0]

    def add(place: int) -> None:
        totals[place] += 1

    def use(place: int) -> None:
        for _ in range(50):
            team.run([[(add, (place,))], []])

    with configure(threads=2):
        users = [threading.Thread(target=use, args=(place,)) for place in range(2)]
        for user in users:
            user.start()
        for user in users:
            user.join()
    assert totals == [50, 50]


def test_workers_do_not_complain_of_overflow() -> None:
    large, out = np.full(4, 1e300), np.empty(4)
    with configure(threads=2):
        Team().run([[], [(np.multiply, (large, large, out))]])  # a warning would be an error
    assert np.isinf(out).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.filterwarnings(r"ignore:os\.fork:RuntimeWarning")  # of JAX, where it is loaded
def test_a_forked_process_has_a_team_of_its_own() -> None:
    team = Team()
    done: list[int] = []
    with configure(threads=2):
        team.run([[], []])
        child = os.fork()
        if child == 0:
            team.run([[(done.append, (1,))], [(done.append, (2,))]])
            os._exit(len(done))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
        team.run([[(done.append, (3,))], []])
    assert done == [3]


# -- the setting ------------------------------------------------------------------------------


def test_threads_come_from_the_setting_then_the_environment_then_the_machine() -> None:
    assert _threads_of_environment("3", "5") == 3
    assert _threads_of_environment("auto", "5") == 5
    assert _threads_of_environment(None, "1") == 1
    assert 1 <= _threads_of_environment(None, None) <= (os.cpu_count() or 1)
    assert _threads_of_environment(None, "4,2") == _threads_of_environment(None, None)
    with configure(threads=7):
        assert thread_count() == 7
        with configure(threads="auto"):
            assert thread_count() <= 1024


def test_the_environment_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASG_THREADS", "9")
    assert thread_count() == 9


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5", "4096", ""])
def test_wrong_numbers_in_the_environment_are_named(wrong: str) -> None:
    with pytest.raises(asg.AsgError, match=f"ASG_THREADS={wrong!r}; give a number from 1 to"):
        _threads_of_environment(wrong, None)


@pytest.mark.parametrize("wrong", [0, -2, 2.0, True, "2", None, 5000])
def test_wrong_numbers_in_the_setting_are_named(wrong: object) -> None:
    with pytest.raises(asg.AsgError, match="threads="), configure(threads=wrong):
        pass
