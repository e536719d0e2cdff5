"""``asg bisect``: which pass, and which rewrite of it, changes what a graph computes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from asg.cli.parser import Parser, add_backend, known, known_backend
from asg.core.errors import ConfigError
from asg.core.graph import Graph

DONE, FOUND = 0, 1
DESCRIPTION = """\
Compute a graph as it was built and after each pass, and find the first pass that changes a result
by more than rounding, and the single rewrite that does it. On another backend than numpy, also the
first operation that it computes differently. Leaves with 1 when there is something to tell."""
KINDS = ("training", "evaluation", "prediction")


def run(arguments: Sequence[str]) -> int:
    """Search as the arguments say; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood, or no run, configuration or graph.
        FeedError: the arrays do not fit the graph.
    """
    parser = Parser("asg bisect", DESCRIPTION)
    parser.add_argument(
        "subject", metavar="RUN|CONFIG|GRAPH",
        help="folder of a run, a YAML file, or the text of a graph (asg.graph_text(g, full=True))",
    )  # fmt: skip
    parser.add_argument(
        "--kind", default=KINDS[0], metavar="|".join(KINDS), help="which graph of a run"
    )
    parser.add_argument(
        "--inputs",
        metavar="FILE",
        help=".npz or .safetensors, arrays of all inputs and variables of a GRAPH",
    )
    add_backend(parser, "whose passes and kernels are tried (default: that of the run, or numpy)")
    given = parser.read(arguments)
    known("kind", given.kind, KINDS)
    backend = known_backend(given.backend) if given.backend else ""
    from asg.compiler.bisect import bisect  # not for --help

    is_text = Path(given.subject).suffix not in (".yaml", ".yml") and Path(given.subject).is_file()
    if not is_text and given.inputs:
        raise ConfigError("--inputs goes with the text of a graph; a run has its own data")
    graph, feeds, own = _text(given) if is_text else _run(given, backend)
    found = bisect(graph, feeds, backend or own)
    print(found or f"nothing changes what {graph.name} computes on {backend or own}")
    return DONE if found is None else FOUND


Subject = tuple[Graph, dict[str, Any] | None, str]


def _text(given: Any) -> Subject:
    """A graph that was saved as text, and its arrays."""
    from asg.core.errors import TextError
    from asg.core.parse import parse

    try:
        graph = parse(Path(given.subject).read_text())
    except (TextError, UnicodeDecodeError) as error:
        raise ConfigError(f"{given.subject} is no text of a graph: {error}") from None
    return graph, _arrays(given.inputs) if given.inputs else None, "numpy"


def _arrays(path: str) -> dict[str, Any]:
    import numpy as np

    from asg.io.arrays import load_arrays

    if Path(path).suffix != ".npz":
        return {**load_arrays(path)}
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise ConfigError(f"--inputs: {path} cannot be read: {error}") from None


def _run(given: Any, backend: str) -> Subject:
    """The graph of a run or configuration, its variables, and the first batch of its data."""
    import numpy as np

    from asg.cli.subject import config_of
    from asg.train.trainer import Training

    config, folder = config_of(given.subject)
    training = Training(config, backend)
    if folder is not None:
        folder.read_model(training)
    model = training.model
    session = model.session(given.kind)
    batch = next(iter(training.batches))
    feeds = {**session.state_dict(), **session.state_dict("data")}
    graph = session.executable.graph
    named = dict(zip(model.inputs, batch.values(), strict=True))
    feeds |= {name: np.asarray(named[name]) for name in graph.feeds}
    return graph, feeds, config.backend
