"""``asg convert``: the weights of a PyTorch checkpoint as a safetensors file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asg.cli.parser import Parser
from asg.core.errors import ConfigError, FileError

if TYPE_CHECKING:
    from asg.io.arrays import Array

DONE = 0
DESCRIPTION = """\
Write the tensors of a file that torch.save made (PyTorch 1.6 or later) as safetensors, under
their names. The file is only read: nothing that it contains is run, and PyTorch is not needed."""


def run(arguments: Sequence[str]) -> int:
    """Convert as the arguments say; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood, or a source that cannot be converted.
        FileError: the target cannot be written.
    """
    given = _parser().read(arguments)
    if os.path.exists(given.target) and os.path.realpath(given.source) == os.path.realpath(
        given.target
    ):
        raise ConfigError(f"{given.target} is both source and target")
    from asg.io.arrays import save_arrays  # not for --help

    arrays = _read(given.source, given.key)
    # The names and layouts are PyTorch's, which is what readers of such files want to know.
    save_arrays(given.target, arrays, {"format": "pt"})
    size = sum(array.nbytes for array in arrays.values())
    print(f"wrote {given.target}: {len(arrays)} arrays of {size / 2**20:.1f} MiB")
    return DONE


def _read(source: str, key: str | None) -> dict[str, Array]:
    from asg.io.torch_file import load_torch

    try:
        return load_torch(source, key)
    except FileError as error:
        raise ConfigError(str(error)) from None


def _parser() -> Parser:
    parser = Parser("asg convert", DESCRIPTION)
    parser.add_argument("source", help="the checkpoint, such as model.pt")
    parser.add_argument("target", help="the file to write, such as model.safetensors")
    parser.add_argument(
        "--key", help="which state dict, where there are several: its keys, joined by dots"
    )
    return parser
