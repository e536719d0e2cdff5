"""A folder of files described by one of them: format, version, facts, and a checksum of each.

The description is JSON and has a checksum of its own, because a flipped bit may leave it valid.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from asg.core.errors import FileError, OperandError


@dataclass(frozen=True)
class Manifest:
    """A kind of described folder.

    Attributes:
        format: its name, which the description states: "asg checkpoint".
        version: the newest that this asg writes and reads.
        file: the name of the description.
        what: the folder in messages: "checkpoint".
        fields: of the description besides format, version, files and checksum, with their types.
        required: files that every such folder has.
    """

    format: str
    version: int
    file: str
    what: str
    fields: Mapping[str, type]
    required: tuple[str, ...]

    def write(self, folder: Path, files: Iterable[str], described: Mapping[str, Any]) -> None:
        """The description of a folder that has these files.

        Raises:
            OperandError: facts that JSON cannot hold.
        """
        content = {
            "format": self.format,
            "version": self.version,
            **described,
            "files": {name: _digest(folder / name) for name in files},
        }
        content["checksum"] = self._checksum(content)
        (folder / self.file).write_text(self._as_json(content), encoding="utf-8")

    def read(self, folder: Path) -> dict[str, Any]:
        """The description, checked; the files it tells of are not looked at.

        Raises:
            FileError: missing, damaged, of another format, or written by a newer version of asg.
        """
        file = folder / self.file
        if not file.is_file():
            raise FileError(f"{folder} is no {self.what}: it has no {self.file}")
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FileError(f"{file} is damaged: {error}") from error
        if not isinstance(content, dict) or content.get("format") != self.format:
            raise FileError(f"{file} is not the description of an {self.format}")
        version = content.get("version")
        if not isinstance(version, int) or version > self.version:
            raise FileError(
                f"{folder} has {self.what} format {version}, this asg reads up to {self.version}; "
                "update asg"
            )
        self._require_fields(file, content)
        if content.get("checksum") != self._checksum(content):
            raise FileError(
                f"{file} is damaged: its content does not have the checksum it was given"
            )
        return content

    def _require_fields(self, file: Path, content: Mapping[str, Any]) -> None:
        kinds = {**self.fields, "files": dict}
        wrong = [key for key, kind in kinds.items() if not isinstance(content.get(key), kind)]
        wrong = wrong or [name for name in self.required if name not in content["files"]]
        if wrong:
            raise FileError(f"{file} is damaged: {', '.join(wrong)} missing")

    def read_whole(self, folder: Path) -> dict[str, Any]:
        """The description, after every file was compared with its checksum.

        Raises:
            FileError: as `read`; or a file is missing or damaged.
        """
        content = self.read(folder)
        for name, wanted in content["files"].items():
            self._require_whole(folder / name, wanted)
        return content

    def _require_whole(self, path: Path, wanted: Mapping[str, Any]) -> None:
        if not path.is_file():
            raise FileError(f"{path} is missing from its {self.what}")
        found = _digest(path)
        if found != wanted:
            raise FileError(
                f"{path} is damaged: {found['bytes']} bytes with SHA-256 {found['sha256'][:12]}"
                f"..., {wanted.get('bytes')} bytes with {str(wanted.get('sha256'))[:12]}... were "
                "written"
            )

    def _checksum(self, content: Mapping[str, Any]) -> str:
        kept = {key: value for key, value in content.items() if key != "checksum"}
        return sha256(self._as_json(kept).encode()).hexdigest()

    def _as_json(self, content: Mapping[str, Any]) -> str:
        try:
            return json.dumps(content, indent=1, allow_nan=False) + "\n"
        except (TypeError, ValueError) as error:
            raise OperandError(
                f"the facts of a {self.what} are plain JSON values: {error}"
            ) from error


def _digest(path: Path) -> dict[str, Any]:
    hashed = sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return {"bytes": path.stat().st_size, "sha256": hashed.hexdigest()}
