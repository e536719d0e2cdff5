"""Where published weights are: one file, a folder with one or several, or the Hugging Face hub."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from asg.core.errors import FileError, MissingLibrary
from asg.io.arrays import Array, PathLike, load_arrays
from asg.io.torch_file import load_torch

HUB = "hf:"
CONFIG, SINGLE, INDEX, TORCH = (
    "config.json", "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
)  # fmt: skip
_TORCH_ENDINGS = (".bin", ".pt", ".pth")


def weights_at(source: PathLike) -> Path:
    """The file or folder that ``source`` names, fetched when it is ``hf:owner/name@revision``.

    Raises:
        MissingLibrary: a name of the hub without huggingface_hub.
        FileError: nothing is there, or the hub does not answer.
    """
    name = os.fspath(source)
    if name.startswith(HUB):
        return _from_hub(name)
    path = Path(name)
    if not path.exists():
        raise FileError(f"no file or folder {name}; published models are 'hf:owner/name'")
    return path


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingLibrary(
            f"{name!r} needs huggingface_hub: pip install 'asg-compiler[hub]'"
        ) from None
    repository, _, revision = name.removeprefix(HUB).partition("@")
    wanted = [CONFIG, SINGLE, INDEX, "model-*-of-*.safetensors"]
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=wanted))
    except Exception as error:  # no common class: of the network, of HTTP, of names, of disks
        reason = str(error).strip().partition("\n")[0]
        raise FileError(
            f"cannot fetch {name} from the Hugging Face hub: {reason}\n"
            f"  repair: go online once; or download {CONFIG} and {SINGLE} (or {INDEX} and the "
            "files it lists) into a folder, and give its path"
        ) from error


def read_weights(path: Path) -> dict[str, Array]:
    """The arrays of a file, or of the files in a folder, by the names they have there.

    Files are safetensors, or PyTorch's (``.bin``, ``.pt``, ``.pth``), of which nothing is executed.

    Raises:
        FileError: a folder without weights, a part that is missing, a damaged file.
    """
    if path.is_file():
        return load_torch(path) if path.suffix in _TORCH_ENDINGS else load_arrays(path)
    if (path / INDEX).is_file():
        return _read_parts(path)
    for name in (SINGLE, TORCH):
        if (path / name).is_file():
            return read_weights(path / name)
    raise FileError(f"the folder {path} has no weights: no {SINGLE}, {INDEX} or {TORCH}")


def _read_parts(folder: Path) -> dict[str, Array]:
    """The arrays of the files that an index names."""
    places = read_json(folder / INDEX).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(each, str) for each in places.values()):
        raise FileError(f"{folder / INDEX} has no weight_map from names to files")
    arrays: dict[str, Array] = {}
    for part in sorted(set(places.values())):
        if Path(part).name != part:
            raise FileError(f"{folder / INDEX} names {part!r}, which is not a file beside it")
        arrays |= load_arrays(folder / part)
    missing = sorted(places.keys() - arrays.keys())
    if missing:
        raise FileError(f"{folder} lacks arrays that {INDEX} names: {', '.join(missing)}")
    return arrays


def read_config(path: Path) -> dict[str, Any]:
    """What config.json beside the weights says; nothing when there is none.

    Raises:
        FileError: it is damaged.
    """
    file = (path if path.is_dir() else path.parent) / CONFIG
    return read_json(file) if file.is_file() else {}


def read_json(file: Path) -> dict[str, Any]:
    """A file that holds one JSON object.

    Raises:
        FileError: it cannot be read, or holds something else.
    """
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read {file}: {error}") from error
    if not isinstance(found, dict):
        raise FileError(f"{file} does not hold one JSON object")
    return found
