"""Ctrl-C: noted inside a step, raised between steps, at once when pressed twice."""

import os
import signal
import threading
from pathlib import Path

import pytest

from asg.cli import training
from asg.cli.interrupt import between_steps
from asg.cli.main import main

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")


def press() -> None:
    """To this thread: two signals to a process of several may arrive as one."""
    signal.raise_signal(signal.SIGINT)


def test_the_first_press_waits_for_the_check() -> None:
    finished = False
    with pytest.raises(KeyboardInterrupt), between_steps() as check:
        check()
        press()
        finished = True  # the step goes on to its end
        check()
    assert finished


def test_the_second_press_does_not_wait() -> None:
    with pytest.raises(KeyboardInterrupt), between_steps():
        press()
        press()
        pytest.fail("the second press was ignored")


def test_what_was_started_to_ignore_ctrl_c_does_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with between_steps() as check:
        press()
        press()
        check()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_afterwards_ctrl_c_is_what_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with between_steps():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    with between_steps():
        press()
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_receive_no_signals_and_need_no_handler() -> None:
    problems: list[BaseException] = []

    def enter() -> None:
        try:
            with between_steps() as check:
                check()
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert not problems


def test_before_the_first_step_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "Training", stop)
    monkeypatch.chdir(tmp_path)
    assert main(["train"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert list(tmp_path.iterdir()) == []
