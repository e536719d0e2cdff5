"""Downloads by the real library from a server of the test: damaged, without space, and good."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from asg.core.errors import FileError
from asg.data.sources import Remote, read_files
from tests.full_disk import REASONS, full_disk

pytest.importorskip("pooch")
CONTENT = bytes(range(256)) * 64


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "digits.bin").write_bytes(CONTENT)
    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/digits.bin"
        server.shutdown()
        thread.join()


def fetch(address: str, root: Path, content: bytes = CONTENT) -> dict[str, bytes]:
    remote = Remote(address, f"sha256:{hashlib.sha256(content).hexdigest()}")
    return read_files("digits", ["digits.bin"], [remote], root, download=True)


def refused(address: str, root: Path, content: bytes = CONTENT) -> str:
    with pytest.raises(FileError) as caught:
        fetch(address, root, content)
    message = str(caught.value)
    assert f"{address} could not be downloaded" in message and "put it into" in message
    assert [path.name for path in root.rglob("*") if path.is_file()] == []
    return message


def test_a_download_is_read_from_the_disk_afterwards(tmp_path: Path, address: str) -> None:
    assert fetch(address, tmp_path / "root") == {"digits.bin": CONTENT}
    nowhere = "http://127.0.0.1:9/digits.bin"
    assert fetch(nowhere, tmp_path / "root") == {"digits.bin": CONTENT}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # requests leaves its socket open
def test_a_full_disk_keeps_no_part_of_a_download(tmp_path: Path, address: str) -> None:
    (tmp_path / "root").mkdir()
    with full_disk("write"):
        message = refused(address, tmp_path / "root")
    gc.collect()
    assert any(reason in message for reason in REASONS)
    assert fetch(address, tmp_path / "root") == {"digits.bin": CONTENT}


def test_what_is_not_the_published_file_is_not_kept(tmp_path: Path, address: str) -> None:
    (tmp_path / "root").mkdir()
    assert "hash" in refused(address, tmp_path / "root", content=b"what was published")
    assert fetch(address, tmp_path / "root") == {"digits.bin": CONTENT}


def test_a_server_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    refused("http://127.0.0.1:9/digits.bin", tmp_path / "root")
