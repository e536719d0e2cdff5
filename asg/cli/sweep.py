"""``asg train --sweep``: one training for every combination of values, and a table of them."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

from asg.cli import report
from asg.cli.errors import one_line
from asg.cli.options import Given, is_list, merged, setting_names
from asg.cli.training import DONE, FAILED, INTERRUPTED, Outcome, configuration_values, say, train
from asg.core.errors import AsgError, ConfigError
from asg.core.table import aligned
from asg.io import write_text
from asg.train.config import SHORT, TrainConfig, validated
from asg.train.epoch import best_epoch, judging
from asg.train.problem import suggestion
from asg.train.run_folder import create_run_folder

TABLE = "comparison.csv"
KINDS = ("test_", "best_test_")  # of the metric that judges
RESULTS = ("test_loss", "epochs", "seconds", "run", "error")


@dataclass(frozen=True)
class Axis:
    """A setting and the values it takes.

    Attributes:
        name: as the user wrote it.
        key: dotted.
        values: texts, or tuples of texts for a setting that is a list.
    """

    name: str
    key: str
    values: tuple[Any, ...]


@dataclass
class Row:
    """A combination and what became of it.

    Attributes:
        settings: the values by the names of the axes.
        config: the configuration, or None when the values are refused.
        error: what is wrong, or "".
        outcome: of the training, when there was one.
        seconds: that it took.
    """

    settings: dict[str, Any]
    config: TrainConfig | None = None
    error: str = "not run"
    outcome: Outcome | None = None
    seconds: float = 0.0


def run_sweep(given: Given) -> int:
    """Train all combinations, one after the other; 0 when all were done, 1 when one failed.

    Raises:
        ConfigError: an axis is not understood, or no combination is valid.
    """
    if given.resume:
        raise ConfigError("--resume: a sweep begins anew; resume one of its runs")
    axes = [_axis(text) for text in given.sweep]
    _require_different(axes, given)
    rows = _rows(axes, given)
    first = next((row.config for row in rows if row.config), None)
    if first is None:
        raise ConfigError(rows[0].error)
    folder = create_run_folder(first.out, "sweep")
    code = _train_all(rows, folder)
    table = _table(rows, [axis.name for axis in axes])
    write_text(folder / TABLE, _as_csv(table))
    say(["", *aligned([_shortened(row) for row in table]), f"wrote   {folder / TABLE}"])
    return code


def _axis(text: str) -> Axis:
    name, equals, values = text.partition("=")
    key = name.replace("-", "_")
    known = setting_names()
    if not equals:
        raise ConfigError(f"--sweep: {text!r} has no values; write {name}=A,B")
    if key not in known and key not in SHORT.values():
        hint = suggestion(key, known)
        raise ConfigError(f"--sweep: unknown key {name!r}{hint or '; see asg train --help'}")
    dotted = SHORT.get(key, key)
    parts = [part.strip() for part in values.split(",")]
    if not all(parts):
        raise ConfigError(f"--sweep: {text!r} has an empty value")
    return Axis(key, dotted, tuple(tuple(p.split()) if is_list(dotted) else p for p in parts))


def _require_different(axes: Sequence[Axis], given: Given) -> None:
    seen = set(given.settings)
    for axis in axes:
        if axis.key in seen:
            raise ConfigError(f"--sweep: {axis.name} is given twice")
        seen.add(axis.key)


def _rows(axes: Sequence[Axis], given: Given) -> list[Row]:
    _, values, labels = configuration_values(given)
    labels |= {axis.key: f"--sweep {axis.name}" for axis in axes}
    rows = []
    for chosen in product(*(axis.values for axis in axes)):
        row = Row({axis.name: value for axis, value in zip(axes, chosen, strict=True)})
        swept = {axis.key: value for axis, value in zip(axes, chosen, strict=True)}
        try:
            row.config = validated(merged(values, swept), given.config, labels)
        except ConfigError as error:
            row.error = one_line(error)
        rows.append(row)
    return rows


def _train_all(rows: Sequence[Row], folder: Path) -> int:
    """Fill the rows; what is left after Ctrl-C stays as it is."""
    code = DONE
    for number, row in enumerate(rows, start=1):
        told = ", ".join(f"{name}={report.shown(value)}" for name, value in row.settings.items())
        say([*([""] if number > 1 else []), f"run {number}/{len(rows)}  {told}"])
        start = perf_counter()
        if row.config is None:
            print(f"error: {row.error}", file=sys.stderr)
        else:
            _train_one(row, folder)
        row.seconds = perf_counter() - start
        if row.outcome and row.outcome.code == INTERRUPTED:
            return INTERRUPTED
        code = FAILED if row.error else code
    return code


def _train_one(row: Row, folder: Path) -> None:
    if row.config is None:
        return
    try:
        title = report.title_lines(row.config, f"sweep {folder.name}", row.settings)
        row.outcome = train(row.config, title, str(folder))
        row.error = row.outcome.error
    except AsgError as error:
        row.error = one_line(error)
        print(f"error: {row.error}", file=sys.stderr)


def _table(rows: Sequence[Row], names: Sequence[str]) -> list[list[str]]:
    """The head, then a line per combination."""
    histories = [row.outcome.history for row in rows if row.outcome is not None]
    judged = dict.fromkeys(judging(history) for history in histories if history)
    results = [*(f"{kind}{name}" for name in judged for kind in KINDS), *RESULTS]
    lines = [["number", *names, *results]]
    for number, row in enumerate(rows, start=1):
        found = _results(row)
        settings = [report.shown(row.settings[name]) for name in names]
        lines.append([str(number), *settings, *(found.get(name, "") for name in results)])
    return lines


def _results(row: Row) -> Mapping[str, str]:
    found = {"seconds": f"{row.seconds:.1f}", "error": row.error}
    if row.outcome is None:
        return found
    found["run"] = row.outcome.folder.path.name
    if history := row.outcome.history:
        name = judging(history)
        found |= {
            f"test_{name}": f"{history[-1].test[name]:.4f}",
            f"best_test_{name}": f"{best_epoch(history, name).test[name]:.4f}",
            "test_loss": f"{history[-1].test['loss']:.4f}",
            "epochs": str(len(history)),
        }
    return found


LONGEST = 60


def _shortened(cells: Sequence[str]) -> list[str]:
    return [each if len(each) <= LONGEST else each[: LONGEST - 3] + "..." for each in cells]


def _as_csv(table: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue()
