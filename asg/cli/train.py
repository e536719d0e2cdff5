"""``asg train``: a new run, a run that goes on, or a sweep of runs."""

from __future__ import annotations

from collections.abc import Sequence

from asg.cli.options import parse_options

DESCRIPTION = "Train a network; write its weights, its curves and a picture of its graph."


def run(arguments: Sequence[str]) -> int:
    """Train as the options say; 0 when all epochs were done, 130 after Ctrl-C, 1 after an error.

    Raises:
        ConfigError: an option or the file is wrong.
        MissingLibrary: the data set or the backend is not installed.
    """
    given = parse_options(arguments, "asg train", DESCRIPTION)
    from asg.cli.start import start  # not for --help: it imports what trains

    return start(given)
