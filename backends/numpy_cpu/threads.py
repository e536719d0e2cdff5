"""A team of threads that shares the calls of a step: NumPy and BLAS let go of the interpreter lock.

A hand-over costs 5 to 15 microseconds, so what is handed over should take some hundred. What runs
on which thread, and so every sum, follows from the parts alone and never from how busy the
machine is: results repeat to the bit.
"""

from __future__ import annotations

import os
from _thread import LockType, allocate_lock
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Thread

import numpy as np

from asg.config import thread_count

from .kernel import Call

Part = Sequence[Call]

BUFFERED = 2048
"""Elements of a NumPy buffer, a quarter of NumPy's number: a step allocates little beside its plan,
on every thread."""


def be_quiet_and_lean() -> None:
    """In this thread or context NumPy does not speak of overflow and the like, and its buffers for
    operands of other strides or dtypes are small."""
    np.seterr(all="ignore")
    np.setbufsize(BUFFERED)


_one_thread: ContextVar[bool] = ContextVar("asg_one_thread", default=False)


def threads_here() -> int:
    """How many threads a kernel that is bound now may share its work between."""
    return 1 if _one_thread.get() else thread_count()


def beside_others() -> bool:
    """Whether what is bound now runs while other threads make calls, and so had better be long."""
    return _one_thread.get()


@contextmanager
def on_one_thread() -> Iterator[None]:
    """What is bound inside runs in a part of the team's work, and so has its thread alone."""
    token = _one_thread.set(True)
    try:
        yield
    finally:
        _one_thread.reset(token)


def run_calls(calls: Part) -> None:
    """Make the calls, one after the other."""
    for function, args in calls:
        function(*args)


class Team:
    """The thread that calls, and up to ``size - 1`` more, started when first needed.

    They are daemons and sleep between two uses. NumPy's complaints of overflow and the like are off
    in them. After a fork the child starts a team of its own.
    """

    def __init__(self) -> None:
        """Starts nothing."""
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._busy = allocate_lock()
        self._workers: list[_Worker] = []

    def run(self, parts: Sequence[Part]) -> None:
        """Make the calls of all parts; the parts at the same time, and the first on this thread.

        With fewer threads than parts (`asg.config.thread_count`), every thread takes some of them.
        All parts run one after the other on this thread when there is only one, or when the team is
        busy: a part may use the team again. An error in one part lets the others finish.

        Raises:
            Exception: the error of the first thread that failed, this one before the others.

        >>> done = []
        >>> Team().run([[(done.append, (1,))], [(done.append, (2,))]])
        >>> sorted(done)
        [1, 2]
        """
        size = min(thread_count(), len(parts))
        if self._process != os.getpid():
            self._forget()
        if size < 2 or not self._busy.acquire(blocking=False):
            for part in parts:
                run_calls(part)
            return
        try:
            self._share(parts, size)
        finally:
            self._busy.release()

    def _share(self, parts: Sequence[Part], size: int) -> None:
        while len(self._workers) < size - 1:
            self._workers.append(_Worker())
        workers = self._workers[: size - 1]
        for place, worker in enumerate(workers, 1):
            worker.start(parts[place::size])
        failures = [_attempt(parts[::size]), *[worker.wait() for worker in workers]]
        for failure in failures:
            if failure is not None:
                raise failure


TEAM = Team()
"""The team of the process."""


def _attempt(parts: Sequence[Part]) -> BaseException | None:
    try:
        for part in parts:
            run_calls(part)
    except BaseException as error:  # it is raised again by the thread that asked
        return error
    return None


class _Worker:
    """A thread that waits for parts, makes their calls, and says so."""

    def __init__(self) -> None:
        self._parts: Sequence[Part] = ()
        self._failure: BaseException | None = None
        self._asked, self._done = _closed_lock(), _closed_lock()
        Thread(target=self._work, name="asg-numpy", daemon=True).start()

    def start(self, parts: Sequence[Part]) -> None:
        """Have these parts run."""
        self._parts = parts
        self._asked.release()

    def wait(self) -> BaseException | None:
        """Until they are done, whatever else happens; the error that ended them, if one did.

        An interrupt (Ctrl-C) is held back: buffers must not be in use when the step has ended.
        """
        interrupt: BaseException | None = None
        while True:
            try:
                self._done.acquire()
                break
            except BaseException as error:
                interrupt = error
        failure, self._failure, self._parts = self._failure, None, ()
        return interrupt or failure

    def _work(self) -> None:
        be_quiet_and_lean()
        while True:
            self._asked.acquire()
            self._failure = _attempt(self._parts)
            self._done.release()


def _closed_lock() -> LockType:
    lock = allocate_lock()
    lock.acquire()
    return lock
