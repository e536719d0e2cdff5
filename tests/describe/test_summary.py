"""The table of a graph."""

import inspect

import pytest

import asg
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.describe import summary
from tests.describe.models import linear, mlp_step, transformer_step


def test_a_small_table() -> None:
    x = asg.input("x", ("batch", 4))
    expected = """
        scope       forward  gradient  update  parameters     flops
        (no scope)        1         0       0           0   2*batch
        fc                3         0       0          10  18*batch
        total             4         0       0          10  20*batch
    """
    shown = summary(Graph(y=asg.tanh(linear("fc", x, 4, 2))))
    assert [line.split() for line in shown.splitlines()] == [
        line.split() for line in inspect.cleandoc(expected).splitlines()
    ]


def test_columns_are_aligned() -> None:
    lengths = {len(line) for line in summary(mlp_step()).splitlines()}
    assert len(lengths) == 1


def test_depth_tells_more_scopes_apart() -> None:
    graph = transformer_step(blocks=1)
    rows = [line.split()[0] for line in summary(graph, depth=2).splitlines()]
    assert {"block0/attention", "block0/ffn"} <= set(rows)
    assert "block0/attention/query" not in rows
    with pytest.raises(OperandError, match="1 or more"):
        summary(graph, depth=0)


def test_parameters_are_counted_once() -> None:
    total = summary(mlp_step()).splitlines()[-1].split()
    assert total[:1] == ["total"]
    assert total[4] == str(16 * 8 + 16 + 3 * 16 + 3)
