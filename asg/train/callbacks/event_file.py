"""Event files, which TensorBoard shows: records of protocol buffers, appended while training.

A record is the length of an event, a checksum of it, the event, and a checksum of that.
"""

from __future__ import annotations

import socket
import struct
from functools import cache
from pathlib import Path
from time import time
from typing import Any

import numpy as np

from asg.core.errors import MissingLibrary
from asg.io.atomic import append_bytes, make_folder

PENDING = 100  # records that are kept before they are written


def require_library() -> None:
    """Events need tensorboardX.

    Raises:
        MissingLibrary: it is not installed.
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise MissingLibrary(
            "TensorBoard needs tensorboardX: pip install 'asg-compiler[tensorboard]'"
        ) from error


class EventFile:
    """One file of a run of TensorBoard, written by the thread that calls it.

    (The writer of the library has a thread of its own, which a full disk ends without a word to
    the training; that then waits for it.)

    Attributes:
        path: the file.
    """

    def __init__(self, folder: Path, begun: int) -> None:
        """Nothing is written yet.

        Args:
            folder: of the run.
            begun: training steps done before; results of later steps that other files of the
                folder have are not shown any more.

        Raises:
            FileError: the folder cannot be made.
        """
        make_folder(folder)
        # Files are named by the second; the step keeps a resumed training from the same one.
        name = f"events.out.tfevents.{int(time())}.{socket.gethostname()}.{begun:010d}"
        self.path = folder / name
        self._pending: list[bytes] = []
        self._add(file_version="brain.Event:2")
        if begun:
            self._add(step=begun + 1, session_log={"status": "START"})

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """A point of a curve."""
        from tensorboardX.summary import scalar

        self._add(step=step, summary=scalar(tag, value))

    def add_histogram(self, tag: str, values: Any, step: int) -> None:
        """How finite values are distributed."""
        from tensorboardX.summary import histogram

        self._add(step=step, summary=histogram(tag, values, _borders()))

    def _add(self, **fields: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._pending.append(_record(Event(wall_time=time(), **fields).SerializeToString()))
        if len(self._pending) >= PENDING:
            self.flush()

    def flush(self) -> None:
        """What was added is on disk when this returns.

        Raises:
            FileError: the system refuses; what was added since the last time is given up.
        """
        records, self._pending = self._pending, []
        if records:
            append_bytes(self.path, b"".join(records))


def _record(event: bytes) -> bytes:
    from tensorboardX.record_writer import masked_crc32c

    length = struct.pack("<Q", len(event))
    sums = [struct.pack("<I", masked_crc32c(part)) for part in (length, event)]
    return length + sums[0] + event + sums[1]


@cache
def _borders() -> np.ndarray[Any, Any]:
    """Of the bins that TensorBoard uses: each wider than the one before by a tenth."""
    positive = 1e-12 * np.cumprod(np.full(772, 1.1)) / 1.1
    return np.concatenate([-positive[::-1], [0.0], positive])
