"""``asg export``: the network of a run without its training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import asg
from asg.cli.parser import Parser
from asg.core.errors import ConfigError

if TYPE_CHECKING:
    from asg.train import Model

DONE = 0
DESCRIPTION = """\
Write the network of a run as a folder with its graph and its weights, without the optimizer:
asg.train.load_for_inference(FOLDER) loads it, on any backend, without the source of the network.
--stablehlo writes it as a program that JAX runs without asg's graph."""


def run(arguments: Sequence[str]) -> int:
    """Export as the arguments say; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood, no run, or a format that there is not.
        FileError: the folder cannot be written.
    """
    parser = Parser("asg export", DESCRIPTION)
    parser.add_argument("run", help="the folder of a run, such as runs/digits-0001")
    parser.add_argument("--inference", metavar="FOLDER", help="what to write")
    parser.add_argument(
        "--stablehlo",
        metavar="FILE",
        help="write the program for JAX alone, for "
        "any number of examples, and its weights as FILE.safetensors",
    )
    parser.add_argument("--onnx", metavar="FILE", help="not there yet")
    given = parser.read(arguments)
    if given.onnx:
        raise ConfigError("--onnx: asg does not write ONNX files yet; use --inference FOLDER")
    if not given.inference and not given.stablehlo:
        raise ConfigError("--inference FOLDER or --stablehlo FILE says where to write the network")
    from asg.cli.subject import trained  # not for --help

    training = trained(given.run)
    if given.stablehlo:
        _write_stablehlo(training.model, Path(given.stablehlo))
    if given.inference:
        _write_inference(training.model, Path(given.inference))
    return DONE


def _write_stablehlo(model: Model, target: Path) -> None:
    from asg.io import save_arrays

    session = model.session("prediction")
    asg.compile(session.executable.graph, "jax").export(target)
    weights = target.with_name(f"{target.name}.safetensors")
    save_arrays(weights, session.state_dict())
    size = sum(path.stat().st_size for path in (target, weights))
    print(f"wrote {target} and {weights.name}; {size / 1000:.0f} kB")


def _write_inference(model: Model, target: Path) -> None:
    model.export_for_inference(target)
    size = sum(path.stat().st_size for path in target.iterdir())
    names = ", ".join(sorted(path.name for path in target.iterdir()))
    print(f"wrote {target}: {names}; {size / 1000:.0f} kB")
