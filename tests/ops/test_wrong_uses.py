"""A wrong call is refused while the graph is built, and told so that it can be mended at once.

The table is `wrong_uses`. Of each message: a class that fits the mistake, the function the user
called, the user's line, the facts in conflict, and an advice.
"""

from __future__ import annotations

import re

import pytest

import asg

from . import wrong_uses
from .wrong_uses import WRONG_USES, Row


def lines_of(row: Row) -> set[int]:
    return {line for _, _, line in row.call.__code__.co_lines() if line is not None}


@pytest.mark.parametrize(
    "row", WRONG_USES, ids=lambda row: f"{row.name}-{row.call.__code__.co_firstlineno}"
)
def test_the_message_says_what_where_and_what_to_do(row: Row) -> None:
    with pytest.raises(asg.AsgError) as caught:
        row.call()
    error, message = caught.value, str(caught.value)
    assert type(error) is row.error, message
    assert message.startswith(f"{row.name}: "), message
    place = re.search(r"\n  at \S*wrong_uses\.py:(\d+)", message)
    assert place and int(place[1]) in lines_of(row), message
    assert re.search(r"\n  repair: \S", message), message
    for fact in row.facts:
        assert fact in message, f"{fact!r} is not in\n{message}"


def test_every_family_has_rows() -> None:
    """Each file of public functions is called wrongly somewhere, but for the trivial ones."""
    called = {row.name for row in WRONG_USES}
    assert len(WRONG_USES) >= 150
    assert len(called) >= 110
    families = [name for name in vars(wrong_uses) if name.isupper() and name != "WRONG_USES"]
    tables = [vars(wrong_uses)[name] for name in families]
    assert min(len(table) for table in tables if isinstance(table, list)) >= 8


def test_a_mistake_in_a_body_is_told_of_the_call_in_the_body() -> None:
    x = asg.input("x", (3,))

    def body(carry: asg.Tensor, each: asg.Tensor) -> tuple[asg.Tensor, asg.Tensor]:
        return carry + asg.zeros((4,)), each

    with pytest.raises(asg.AsgError, match=r"\Aadd: cannot broadcast") as caught:
        asg.scan(body, x, x)
    assert f"test_wrong_uses.py:{body.__code__.co_firstlineno + 1} in body" in str(caught.value)


def test_functions_made_of_others_are_named_once() -> None:
    x = asg.input("x", (2, 3))
    with pytest.raises(asg.AsgError) as caught:
        asg.trace(x[0])
    assert str(caught.value).startswith("trace: diagonal: axis 1 does not exist")
    assert caught.value.title == "trace"
    with pytest.raises(asg.AsgError, match=r"\Acond: switch: y is"):
        asg.cond(x[0, 0] > 0, lambda: x, lambda: x[0])
