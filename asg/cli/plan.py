"""``asg plan``: memory and work of a graph before it runs, and the largest batch that fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asg.cli.parser import Parser, add_backend, known_backend
from asg.core.errors import AsgError, ConfigError, DimError, OperandError

if TYPE_CHECKING:
    from asg.compiler.driver import Executable
    from asg.compiler.plan import Plan

DONE = 0
KINDS = ("training", "evaluation", "prediction")
DESCRIPTION = """\
Show how much memory a step needs, where every value lies, and the work of every op, before
anything runs. With --memory: the largest batch that fits."""
USAGE_SIZE = "of a symbolic size, such as batch=128; repeat it for more (default: the run's batch)"


def run(arguments: Sequence[str]) -> int:
    """Plan as the arguments say; returns the exit code.

    Raises:
        ConfigError: arguments that are not understood, or nothing that has a graph.
        MissingLibrary: the backend is not installed.
    """
    given = _parser().read(arguments)
    sizes = dict(_size(text) for text in given.size)
    top = _count("--top", given.top)
    if given.memory and given.json:
        raise ConfigError("--memory has one line for an answer; leave --json out")
    if given.largest and not given.memory:
        raise ConfigError("--largest needs --memory, such as --memory 4GB")
    if given.backend:
        known_backend(given.backend)
    if given.memory and given.formulas:
        raise ConfigError("--memory and --formulas are two questions; leave one of them out")
    executable, defaults = _subject(given.subject, given.kind, given.backend)
    try:
        plan = executable.plan(**_with_defaults(executable, sizes, defaults))
        print(_answer(plan, given, top))
    except (OperandError, DimError) as error:
        raise ConfigError(str(error).replace("plan(", "--size (")) from None
    return DONE


def _answer(plan: Plan, given: Any, top: int) -> str:
    if given.memory:
        return _largest(plan, given.largest, given.memory)
    if given.formulas:
        formulas = plan.formulas(given.formulas)
        return formulas.to_json() if given.json else str(formulas)
    return plan.to_json() if given.json else plan.table(top)


def _parser() -> Parser:
    parser = Parser("asg plan", DESCRIPTION)
    parser.add_argument(
        "subject", metavar="RUN|CONFIG|GRAPH",
        help="folder of a run or of an exported network, a YAML file, or a graph saved as text",
    )  # fmt: skip
    parser.add_argument("--kind", default=KINDS[0], metavar="|".join(KINDS), help="which graph")
    add_backend(parser, "default: that of the configuration, else numpy")
    parser.add_argument("--size", action="append", default=[], metavar="NAME=N", help=USAGE_SIZE)
    parser.add_argument("--memory", metavar="SIZE", help="tell the largest batch within, say, 4GB")
    parser.add_argument(
        "--largest", metavar="NAME", help="the size that --memory asks for (default: batch)"
    )
    parser.add_argument(
        "--formulas", metavar="NAME", help="tell memory and work as formulas in this size"
    )
    parser.add_argument("--top", default="20", metavar="N", help="rows of each table; default: 20")
    parser.add_argument("--json", action="store_true", help="everything, for programs")
    return parser


def _size(text: str) -> tuple[str, int]:
    name, equals, number = text.partition("=")
    if not (name and equals and number.isdecimal()):
        raise ConfigError(f"--size: should be a name and a number such as batch=128, got {text!r}")
    return name, int(number)


def _count(option: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{option}: should be a whole number of at least 1, got {text!r}")
    return int(text)


def _subject(path: str, kind: str, backend: str | None) -> tuple[Executable, dict[str, int]]:
    """What is planned, and the sizes it has by itself."""
    from asg.train.problem import unknown_choice

    if kind not in KINDS:
        raise ConfigError(f"--kind: {unknown_choice('kind', kind, KINDS)}")
    text = _graph_text(Path(path))
    if text is not None:
        return _compiled(text, path, backend or "numpy"), {}
    from asg.cli.subject import config_of  # not for --help
    from asg.train.trainer import Training

    config, _ = config_of(path)
    training = Training(config, backend or "")
    batch = min(config.training.batch_size, len(training.batches.dataset))
    return training.model.session(kind).executable, {"batch": batch}


def _graph_text(path: Path) -> str | None:
    """The text of a saved graph, or None for what may be a run or a configuration."""
    inside = path / "graph.txt"
    if path.is_dir() and (path / "inference.json").is_file() and inside.is_file():
        path = inside
    if not path.is_file() or path.suffix in (".yaml", ".yml"):
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return text if text.lstrip().startswith("graph ") else None


def _compiled(text: str, path: str, backend: str) -> Executable:
    from asg.compiler import compile
    from asg.core.parse import parse

    try:
        return compile(parse(text), backend)
    except AsgError as error:
        raise ConfigError(f"{path}: {error}") from None


def _with_defaults(
    executable: Executable, sizes: dict[str, int], defaults: dict[str, int]
) -> dict[str, int]:
    from asg.compiler.plan import sizes_of

    known = sizes_of(executable)
    return {name: number for name, number in defaults.items() if name in known} | sizes


def _largest(plan: Plan, name: str | None, memory: str) -> str:
    """The answer to ``--memory``, with what the number then needs."""
    from asg.compiler.plan import sizes_of
    from asg.core.units import bytes_text

    known = list(sizes_of(plan.executable))
    name = name or (known[0] if len(known) == 1 else "batch")
    number = plan.largest(name, memory)
    peak = plan.executable.plan(**{**plan.sizes, name: number}).peak_bytes
    return f"largest {name} within {memory}: {number} ({bytes_text(peak)})"
