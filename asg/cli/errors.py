"""Errors as the command line tells them: one line each."""

from __future__ import annotations


def one_line(message: object) -> str:
    """The lines of a message in one, what to do about it included.

    >>> one_line("the sizes differ\\n  a: 3\\n  repair: reshape b")
    'the sizes differ; a: 3; repair: reshape b'
    """
    lines = [line.strip() for line in str(message).splitlines()]
    return "; ".join(line.rstrip(";") for line in lines if line)
