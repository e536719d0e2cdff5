"""Ctrl-C between steps, where the state of the training is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class BetweenSteps(KeyboardInterrupt):
    """Ctrl-C at a moment when the state is whole."""


@contextmanager
def between_steps() -> Iterator[Callable[[], None]]:
    """Inside, Ctrl-C is only noted; the function this gives raises it when it is called.

    A backend may update variables in place, so a step that is left in the middle has parameters
    of two steps. Whoever cannot wait presses Ctrl-C a second time, which interrupts at once. A
    program that was started to ignore Ctrl-C, as scripts start those in the background, does so.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or usual is signal.SIG_IGN:
        yield lambda: None  # only the main thread receives signals
        return
    pressed = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, usual)

    def check() -> None:
        if pressed.is_set():
            raise BetweenSteps

    signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, usual)
