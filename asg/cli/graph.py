"""``asg graph``: the graph of a run or a configuration, and what each pass did to it."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asg.cli.parser import Parser, known
from asg.core.errors import ConfigError

if TYPE_CHECKING:
    from asg.core.graph import Graph
    from asg.passes.record import PassRecord
    from asg.train.trainer import Training

DONE = 0
DESCRIPTION = "Show the graph of a run or of a configuration, and what each pass did to it."
KINDS = ("training", "evaluation", "prediction")
FORMATS = ("text", "svg", "dot")


def run(arguments: Sequence[str]) -> int:
    """Show as the arguments say; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood, or neither run nor configuration.
        MissingLibrary: nothing that can draw is installed.
        FileError: the picture cannot be written.
    """
    given = _parser().read(arguments)
    form = _format(given)
    from asg.cli.subject import config_of  # not for --help
    from asg.train.trainer import Training

    config, folder = config_of(given.subject)
    training = Training(config)
    executable = training.model.session(given.kind).executable
    records = _chosen(executable.records, given.pass_name)
    if form == "text":
        print(_text(executable.graph, records, given.pass_name is not None or given.diff))
        return DONE
    graph = records[-1].after if given.pass_name else _drawn(training, given.kind)
    path = Path(given.output or (folder.path if folder else Path()) / f"graph.{form}")
    graph.render(path)
    print(f"wrote {path}")
    if given.open:
        webbrowser.open(path.resolve().as_uri())
    return DONE


def _parser() -> Parser:
    parser = Parser("asg graph", DESCRIPTION)
    parser.add_argument("subject", metavar="RUN|CONFIG", help="folder of a run, or a YAML file")
    parser.add_argument("--kind", default=KINDS[0], metavar="|".join(KINDS), help="which graph")
    parser.add_argument(
        "--format", metavar="|".join(FORMATS), help="text for the terminal (default), or a picture"
    )
    parser.add_argument("--output", metavar="FILE", help="of the picture")
    parser.add_argument("--open", action="store_true", help="open the picture in the browser")
    parser.add_argument(
        "--pass", dest="pass_name", metavar="NAME",
        help="what this pass changed; with a picture: the graph after it",
    )  # fmt: skip
    parser.add_argument("--diff", action="store_true", help="what every pass changed")
    return parser


def _format(given: Any) -> str:
    """Text or a kind of picture.

    Raises:
        ConfigError: options that do not go together.
    """
    form = str(given.format or ("svg" if given.open or given.output else "text"))
    known("kind", given.kind, KINDS)
    known("format", form, FORMATS)
    if form == "text" and (given.open or given.output):
        raise ConfigError("--open and --output are for pictures; use --format svg")
    if form != "text" and given.diff:
        raise ConfigError("--diff is text; leave --format, --output and --open out")
    if given.open and form != "svg":
        raise ConfigError(f"--open needs --format svg, got {form}")
    return form


def _chosen(records: Sequence[PassRecord], name: str | None) -> list[PassRecord]:
    """All records, or those of the passes of this name."""
    if name is not None:
        known("pass", name, list(dict.fromkeys(record.name for record in records)))
    return [record for record in records if name in (None, record.name)]


def _text(graph: Graph, records: Sequence[PassRecord], changes: bool) -> str:
    from asg.core.text import graph_text
    from asg.describe.diff import graph_diff

    if not changes:
        return graph_text(graph)
    return "\n\n".join(f"{record}\n{graph_diff(record.before, record.after)}" for record in records)


def _drawn(training: Training, kind: str) -> Graph:
    return training.plain_step() if kind == KINDS[0] else training.model.graph(kind)
