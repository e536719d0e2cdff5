"""Exported programs: the values of the session, for any batch, from a file without the graph."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asg.backends.jax_xla import export as module
from asg.backends.jax_xla.export import load_exported

import asg
from asg import nn, optim
from asg.core.graph import Graph

Array = np.ndarray[Any, Any]


def training() -> Graph:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
    step = asg.train_step(net, loss=asg.cross_entropy, optimizer=optim.sgd(0.1, momentum=0.9))
    return step(x=(("batch", 4), "float32"), y=(("batch",), "int32"))


def batch(count: int) -> dict[str, Array]:
    random = np.random.default_rng(count)
    inputs = random.standard_normal((count, 4), np.float32)
    return {"x": inputs, "y": random.integers(0, 3, count).astype(np.int32)}


def test_a_training_step_for_any_batch_goes_on_as_the_session_does(tmp_path: Path) -> None:
    session = asg.compile(training()).start(seed=1)  # on numpy: another judge, and quick
    asg.compile(training(), "jax").export(tmp_path / "step.zip")
    program = load_exported(tmp_path / "step.zip")
    state: dict[str, Array] = session.state_dict()
    for count in (8, 5):
        expected = session(**batch(count))["loss"]
        results, state = program(batch(count), state)
        np.testing.assert_allclose(results["loss"], expected, rtol=1e-4)
    after = session.state_dict()
    assert state.keys() == after.keys()
    for name, array in state.items():
        np.testing.assert_allclose(array, after[name], rtol=1e-3, atol=1e-6, err_msg=name)
    first = {"name": "x", "type": "f32[batch, 4]", "role": "input"}
    assert program.metadata["inputs"][0] == first
    assert {each["role"] for each in program.metadata["inputs"]} >= {"parameter", "optimizer"}
    assert "stablehlo.dot_general" in program.stablehlo()


def arithmetic() -> Graph:
    """Sizes in attributes and results, a loop, branches of sizes, and a claim."""
    x, y = asg.input("x", ("n", 3)), asg.input("y", ("m", 3))
    both = asg.concat([x + y, x[::2], asg.ones((asg.dim("n") // 2, 3))])
    last, means = asg.scan(lambda c, row: (c * 0.5 + row, c.mean()), asg.zeros((3,)), both)
    return asg.Graph(mean=asg.mean(both), last=last, means=means)


def test_sizes_are_computed_with_and_claims_are_checked() -> None:
    program = asg.compile(arithmetic(), "jax").export()
    numpy = asg.compile(arithmetic())
    for n in (2, 5):
        feeds = {name: np.random.default_rng(n).random((n, 3), np.float32) for name in ("x", "y")}
        results, state = program(feeds)
        assert not state
        for name, expected in numpy(**feeds).items():
            np.testing.assert_allclose(results[name], expected, rtol=1e-5, err_msg=name)
    short = {"x": np.ones((2, 3), np.float32), "y": np.ones((3, 3), np.float32)}
    with pytest.raises(asg.AsgError, match="they are 2 and 3"):
        program(short)
    with pytest.raises(asg.AsgError, match="they are 2 and 3"):
        asg.compile(arithmetic(), "jax").export(n=2, m=3)


def test_sizes_with_numbers_are_fixed() -> None:
    x = asg.input("x", ("n", "m"), "float64")
    graph = asg.Graph(y=asg.sum(x * x, axis=1))
    feed = np.arange(6.0).reshape(2, 3)
    executable = asg.compile(graph, "jax")
    for sizes in ({"m": 3}, {"n": 2, "m": 3}):
        program = executable.export(None, **sizes)
        assert np.array_equal(program({"x": feed})[0]["y"], [5.0, 50.0])  # of 64 bits
        with pytest.raises(asg.AsgError, match="'x' axis 1 has size 2, expected 3"):
            program({"x": feed[:, :2]})
    with pytest.raises(asg.AsgError, match="'x' axis 0 has size 1, expected 2"):
        program({"x": feed[:1]})


def test_what_is_fed_is_checked_by_name() -> None:
    w = asg.parameter("w", (2,), init=1.0)
    program = asg.compile(asg.Graph(y=asg.input("x", (2,)) * w), "jax").export()
    x = np.ones(2, np.float32)
    with pytest.raises(asg.AsgError, match=r"takes the variables \['w'\], given \[\]"):
        program({"x": x})
    with pytest.raises(asg.AsgError, match=r"takes the inputs \['x'\], given \['x', 'z'\]"):
        program({"x": x, "z": x}, {"w": x})
    with pytest.raises(asg.AsgError, match=r"'x' is f32\[2\], given float64"):
        program({"x": np.ones(2)}, {"w": x})
    results, state = program({"x": x * 2}, {"w": x * 3})
    assert results["y"].tolist() == [6.0, 6.0] and state["w"].tolist() == [3.0, 3.0]


def test_what_cannot_be_exported_is_told() -> None:
    x = asg.input("x", ("n",))
    with pytest.raises(asg.AsgError, match="backend 'numpy' exports no programs"):
        asg.compile(asg.Graph(y=x)).export()
    with pytest.raises(asg.AsgError, match="has no size 'k'"):
        asg.compile(asg.Graph(y=x), "jax").export(k=2)
    empty = asg.input("x", (asg.dim("n", minimum=0),))
    with pytest.raises(asg.AsgError, match=r"'n' has minimum=0 .* export"):
        asg.compile(asg.Graph(y=empty * 2.0), "jax").export()
    spatial = asg.input("x", (1, 1, "n"))
    with pytest.raises(asg.AsgError, match=r"for every number of n: (?s:.*)give numbers: export"):
        asg.compile(asg.Graph(y=asg.max_pool1d(spatial, 2)), "jax").export()


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "program.zip"
    asg.compile(asg.Graph(y=asg.input("x", (2,)) * 2.0), "jax").export(path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert members.keys() == {"metadata.json", "program"}

    def refused(match: str) -> None:
        with pytest.raises(asg.AsgError, match=match):
            load_exported(path)

    for damaged in (b"", b"text", whole[:-30], whole[:100] + b"xxxx" + whole[104:]):
        path.write_bytes(damaged)
        refused("is no exported program")
    metadata = json.loads(members["metadata.json"])
    for change, told in (({"version": module.VERSION + 1}, "has version 2 of the format"),
                         ({"format": "other"}, "its format is another one")):  # fmt: skip
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", json.dumps(metadata | change))
            archive.writestr("program", members["program"])
        refused(told)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", members["metadata.json"])
        archive.writestr("program", members["program"][:40])
    refused("is damaged")
    path.unlink()
    refused("No such file")
