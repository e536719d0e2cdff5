"""Batches made ahead of the loop, by a thread or by processes, in order and in bounded number."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

from asg.core.errors import OperandError

Task = TypeVar("Task")
Result = TypeVar("Result")
Work = Callable[[Any], Any]

_work: list[Work] = []  # in a worker process: what it was started for


def in_order(
    pool: Executor, work: Callable[[Task], Result], tasks: Iterable[Task], ahead: int
) -> Iterator[Result]:
    """``work(task)`` for every task, in order; ``ahead`` of them are made before they are due.

    What a task raises is raised here, in its turn. When the loop ends early, what has not begun is
    dropped, and what has begun is waited for.
    """
    pending: deque[Future[Result]] = deque()
    try:
        for task in tasks:
            pending.append(pool.submit(work, task))
            if len(pending) > ahead:
                yield _result(pending.popleft())
        while pending:
            yield _result(pending.popleft())
    finally:
        for future in pending:
            future.cancel()
        for future in pending:
            if not future.cancelled():
                future.exception()  # waits


def in_thread(
    work: Callable[[Task], Result], tasks: Iterable[Task], ahead: int
) -> Iterator[Result]:
    """`in_order` with one thread that lives as long as the loop."""
    with ThreadPoolExecutor(1, thread_name_prefix="asg-data") as pool:
        yield from in_order(pool, work, tasks, ahead)


class Workers:
    """Processes that each hold a copy of ``work``; started at the first task, kept until `close`.

    They are spawned, never forked: a fork of a process whose threads (JAX's, BLAS's) hold locks may
    hang for ever.
    """

    def __init__(self, count: int, work: Work) -> None:
        """``work`` is sent to each process once.

        Raises:
            OperandError: it cannot be sent.
        """
        try:
            ForkingPickler.dumps(work)
        except Exception as error:
            raise OperandError(
                "workers need a data set, transform and collate that can be sent to another "
                f"process (classes and functions of a module, no lambda): {error}"
            ) from error
        self._pool = ProcessPoolExecutor(
            count, multiprocessing.get_context("spawn"), _install, (work,)
        )

    def run(self, tasks: Iterable[Any], ahead: int) -> Iterator[Any]:
        """See `in_order`.

        Raises:
            OperandError: a process ended instead of answering.
        """
        try:
            yield from in_order(self._pool, _do, tasks, ahead)
        except BrokenProcessPool as error:
            raise OperandError(
                "a worker process ended before it answered. A script that uses workers must guard "
                'its start by `if __name__ == "__main__":`, for every worker imports it'
            ) from error

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _install(work: Work) -> None:
    _work[:] = [work]


def _do(task: Any) -> Any:
    return _work[0](task)


def _result(future: Future[Result]) -> Result:
    return future.result()
