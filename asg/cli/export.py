"""``asg export``: the network of a run without its training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asg.cli.parser import Parser
from asg.core.errors import ConfigError

DONE = 0
DESCRIPTION = """\
Write the network of a run as a folder with its graph and its weights, without the optimizer:
asg.train.load_for_inference(FOLDER) loads it, on any backend, without the source of the network."""


def run(arguments: Sequence[str]) -> int:
    """Export as the arguments say; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood, no run, or a format that there is not.
        FileError: the folder cannot be written.
    """
    parser = Parser("asg export", DESCRIPTION)
    parser.add_argument("run", help="the folder of a run, such as runs/digits-0001")
    parser.add_argument("--inference", metavar="FOLDER", help="what to write")
    parser.add_argument("--onnx", metavar="FILE", help="not there yet")
    given = parser.read(arguments)
    if given.onnx:
        raise ConfigError("--onnx: asg does not write ONNX files yet; use --inference FOLDER")
    if not given.inference:
        raise ConfigError("--inference FOLDER says where to write the network")
    from asg.cli.subject import trained  # not for --help

    training = trained(given.run)
    target = Path(given.inference)
    training.model.export_for_inference(target)
    size = sum(path.stat().st_size for path in target.iterdir())
    names = ", ".join(sorted(path.name for path in target.iterdir()))
    print(f"wrote {target}: {names}; {size / 1000:.0f} kB")
    return DONE
