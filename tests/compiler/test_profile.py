"""Profiles: every node is timed, mapped to its scope and line, and the state stays as it was."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg.compiler import Session
from asg.compiler.profile import Profile
from asg.core.errors import FeedError, OperandError, StateError
from asg.describe import describe
from tests.compiler.steps import feeds_of, step_of

Array = np.ndarray[Any, Any]


@cache
def session() -> Session:
    return asg.compile(step_of("mlp")).start(seed=0)


@cache
def profile() -> Profile:
    return session().profile(3, **feeds_of("mlp", 8))


def heavy(backend: str = "numpy") -> Profile:
    """A product of matrices, a thousand times the work of everything around it."""
    x = asg.input("x", ("n", 4096))
    with asg.scope("big/inner"):
        y = x @ asg.transpose(x)
    with asg.scope("small"):
        total = asg.sum(asg.exp(y * 1e-9))
    executable = asg.compile(asg.Graph(total=total), backend)
    return executable.profile(3, x=np.ones((512, 4096), np.float32))


def test_every_node_that_computes_is_timed_once() -> None:
    executable = session().executable
    planned = [(each.position, each.node.op.name) for each in executable.plan(batch=8).work]
    timed = [(each.work.position, each.node.op.name) for each in profile().ops]
    assert timed == planned and len(profile().steps) == 3
    assert all(each.seconds > 0 for each in profile().ops)
    assert all(node in profile().graph.nodes for node, *_ in profile().ops)


def test_sums_by_scope_part_and_line_are_the_whole() -> None:
    total = profile().op_seconds
    for sums in (profile().by_scope(), profile().by_part(), profile().by_line()):
        assert sum(sums.values()) == pytest.approx(total)
        assert list(sums.values()) == sorted(sums.values(), reverse=True)
    assert set(profile().by_part()) == {"forward", "gradient", "update"}
    assert {"optimizer", "0", "3"} <= set(profile().by_scope())


def test_the_state_stays_as_it_was() -> None:
    before = session().state_dict()
    session().profile(2, **feeds_of("mlp", 8))
    after = session().state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    other = asg.compile(step_of("mlp")).start(seed=0)
    other.load_state_dict(before)
    mine, theirs = session()(**feeds_of("mlp", 8)), other(**feeds_of("mlp", 8))
    assert mine["loss"] == theirs["loss"]


def test_the_heavy_node_comes_first_with_its_scope_and_line() -> None:
    found = heavy()
    assert next(iter(found.by_scope())) == "big/inner"
    assert next(iter(found.by_scope(depth=1))) == "big"
    lines = found.table(top=1).splitlines()
    row = lines[lines.index("longest ops") + 2]
    assert row.startswith("matmul.") and "big/inner" in row and "test_profile.py:" in row
    assert re.match(r"profile of 'graph' on numpy: 3 steps of [\d.]+ [mu]?s$", lines[0])
    assert found._repr_html_().startswith("<pre>profile of")


def test_trace_events_nest_by_scope(tmp_path: Path) -> None:
    path = profile().write_trace(tmp_path / "step.json")
    events = json.loads(path.read_text())["traceEvents"]
    assert all(event["ph"] == "X" and event["dur"] >= 0 for event in events)
    step, *rest = events
    ops = [event for event in rest if event["cat"] == "op"]
    scopes = [event for event in rest if event["cat"] == "scope"]
    assert [event["name"] for event in ops] == [
        f"{each.node.op.name}.{each.work.position}" for each in profile().ops
    ]
    assert step["dur"] == pytest.approx(1e6 * profile().op_seconds)
    for op in ops:
        around = [s for s in scopes if _contains(s, op) and s["args"]["scope"]]
        assert not op["args"]["scope"] or op["args"]["scope"] in {
            s["args"]["scope"] for s in around
        }


def _contains(outer: dict[str, Any], inner: dict[str, Any]) -> bool:
    end = outer["ts"] + outer["dur"]
    return bool(outer["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= end + 1e-6)


def test_json_holds_every_node() -> None:
    data = json.loads(profile().to_json())
    assert data["format"] == "asg-profile" and len(data["ops"]) == len(profile().ops)
    assert sum(op["seconds"] for op in data["ops"]) == pytest.approx(data["op_seconds"])
    assert all(op["line"] for op in data["ops"])


def test_the_picture_is_tinted_by_time(tmp_path: Path) -> None:
    found = heavy()
    document = describe(found)
    assert {e["serial"]: e["seconds"] for e in document["profile"]} == found.by_serial()
    text = found.render(tmp_path / "step.dot").read_text()
    (box,) = (line for line in text.splitlines() if "matmul" in line and "label=" in line)
    share = re.search(r"([\d.]+) %, [\d.]+ [mu]s", box)
    assert share is not None and float(share[1]) > 25 and "#f98e52" in box
    plain = describe(found.graph)
    assert plain["profile"] == [] and " %, " not in _drawn(found.graph, tmp_path)


def _drawn(graph: asg.Graph, folder: Path) -> str:
    path: Path = graph.render(folder / "plain.dot")
    return path.read_text()


def test_what_cannot_be_profiled_is_told() -> None:
    with pytest.raises(StateError, match="then profile its session"):
        session().executable.profile(2, **feeds_of("mlp", 8))
    with pytest.raises(OperandError, match="steps=0; profile a whole number of steps"):
        session().profile(0, **feeds_of("mlp", 8))
    with pytest.raises(FeedError, match=r"'y': i32\[batch\] is missing"):
        session().profile(2, x=feeds_of("mlp", 8)["x"])


def test_jax_maps_instructions_to_nodes() -> None:
    pytest.importorskip("jax")
    found = heavy("jax")
    assert len(found.steps) == 3 and found.step_seconds > 0
    # XLA fuses as it likes; the time of a fusion is that of the node it ends in.
    assert found.ops and set(found.by_scope()) <= {"big/inner", "small"}
    assert found.op_seconds > 0 and all(each.node in found.graph.nodes for each in found.ops)
