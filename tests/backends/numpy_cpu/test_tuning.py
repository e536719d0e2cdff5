"""Choices by measurement: every way computes the same; the fastest is taken, told and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import tuning
from asg.backends.numpy_cpu.tuning import forced

import asg
from asg.core.graph import Graph

Array = np.ndarray[Any, Any]
WAYS = ("places", "elements", "scattering", "rows")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    with asg.configure(compile_cache=str(tmp_path)):
        yield tmp_path


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the ways that kernels were bound by."""
    found: set[str] = set()
    plain = tuning.chosen

    def noted(op: Any, operands: Any, ways: Mapping[str, Any], usual: Any) -> Any:
        way = plain(op, operands, ways, usual)
        found.update(name for name, each in ways.items() if each is way)
        return way

    from asg.backends.numpy_cpu import batch_convolution
    from asg.backends.numpy_cpu.kernels import convolution

    for module in (batch_convolution, convolution):
        monkeypatch.setattr(module, "chosen", noted)
    return found


def gradients(
    x: tuple[int, ...], weight: tuple[int, ...], dtype: str = "float64", **options: Any
) -> tuple[Graph, dict[str, Array]]:
    """A convolution and both of its gradients, by an arbitrary cotangent."""
    a, w = asg.input("x", x, dtype), asg.input("w", weight, dtype)
    function = asg.conv1d if len(x) == 3 else asg.conv2d
    y = function(a, w, **options)
    slopes = asg.grad(asg.sum(y * asg.sin(y)), [a, w])
    random = np.random.default_rng(0)
    feeds = {"x": random.standard_normal(x), "w": random.standard_normal(weight)}
    graph = asg.Graph(y=y, dx=slopes[0], dw=slopes[1])
    return graph, {name: array.astype(dtype) for name, array in feeds.items()}


CASES: dict[str, Any] = {
    "plain": (((2, 3, 6, 7), (4, 3, 3, 3)), {"padding": 1}),
    "stride": (((2, 3, 7, 8), (4, 3, 3, 2)), {"stride": 2, "padding": 1}),
    "dilation": (((2, 2, 9, 8), (3, 2, 3, 3)), {"dilation": 2}),
    "groups": (((3, 4, 5, 5), (6, 2, 3, 3)), {"groups": 2}),
    "pointwise": (((2, 3, 4, 4), (5, 3, 1, 1)), {}),
    "long": (((40, 2, 12), (3, 2, 4)), {"padding": 2}),
    "narrow": (((2, 3, 6, 6), (4, 3, 3, 3)), {"dtype": "float16"}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_every_way_gives_the_same_values(way: str, case: str, used: set[str]) -> None:
    shapes, options = CASES[case]
    graph, feeds = gradients(*shapes, **options)
    expected = asg.compile(graph)(**feeds)
    used.clear()
    with forced(way):
        found = asg.compile(graph)(**feeds)
    assert used
    tolerance = 2e-2 if options.get("dtype") == "float16" else 1e-10
    for name, array in found.items():
        scale = float(np.abs(expected[name]).max())
        np.testing.assert_allclose(
            array, expected[name], rtol=tolerance, atol=tolerance * scale, err_msg=name
        )


def test_every_way_is_tried_by_these_cases(used: set[str]) -> None:
    for way in WAYS:
        for shapes, options in CASES.values():
            graph, feeds = gradients(*shapes, **options)
            with forced(way):
                asg.compile(graph)(**feeds)
    assert used == set(WAYS)


def measured(fastest: str, asked: list[str]) -> Any:
    def measure(op: Any, operands: Any, ways: Mapping[str, Any]) -> dict[str, float]:
        asked.append(op.name)
        return {name: 1e-6 if name == fastest else 2e-6 for name in ways}

    return measure


@pytest.mark.parametrize("way", ["rows", "places", "scattering"])
def test_the_fastest_way_is_taken_and_kept(
    way: str, used: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, feeds = gradients((4, 3, 8, 8), (5, 3, 3, 3), padding=1)
    expected = asg.compile(graph)(**feeds)
    asked: list[str] = []
    for again in (False, True):
        used.clear()
        monkeypatch.setattr(tuning, "_measured", measured(way, asked))
        results = asg.compile(graph, tune=True)(**feeds)
        assert way in used and len(asked) == 3  # measured once: then they are on disk
        for name, array in results.items():
            np.testing.assert_allclose(array, expected[name], rtol=1e-9, atol=1e-9)
        assert again or asked == ["conv"] * 3
    asg.clear_cache()
    asg.compile(graph, tune=True)(**feeds)
    assert len(asked) == 6


def test_measured_ways_are_told_in_the_plan() -> None:
    graph, feeds = gradients((4, 3, 8, 8), (5, 3, 3, 3), "float32", padding=1)
    executable = asg.compile(graph, tune=True)
    results = executable(**feeds)
    plain = asg.compile(graph)
    for name, array in plain(**feeds).items():
        np.testing.assert_allclose(results[name], array, rtol=1e-4, atol=1e-4)
    notes = executable.plan().notes
    assert len(notes) == 3 and plain.plan().notes == ()
    first = notes[0]
    assert first.startswith("conv of f32[4, 3, 8, 8], f32[5, 3, 3, 3], f32[4, 5, 8, 8]: ")
    assert all(f"{way} " in first for way in ("rows", "places", "scattering"))
    assert "(without tuning: " in first
    assert f"chosen by measurement\n  {first}" in str(executable.plan())
    assert first in executable.plan().to_json()


@pytest.mark.parametrize("content", [b"no json", b"[]", b'{"rows": 1.0}', b'{"rows": "x"}'])
def test_entries_that_say_something_else_are_measured_again(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, feeds = gradients((2, 3, 6, 6), (4, 3, 3, 3))
    asked: list[str] = []
    monkeypatch.setattr(tuning, "_measured", measured("places", asked))
    monkeypatch.setattr(tuning, "read_entry", lambda key: content)
    asg.compile(graph, tune=True)(**feeds)
    assert asked


def test_without_tuning_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_measured", lambda *_: pytest.fail("measured"))
    graph, feeds = gradients((2, 3, 6, 6), (4, 3, 3, 3))
    asg.compile(graph)(**feeds)
    x = asg.input("x", (3,))
    asg.compile(asg.Graph(y=asg.sin(x)), tune=True)(x=np.ones(3, np.float32))


def test_xla_is_not_tuned() -> None:
    pytest.importorskip("jax")
    graph = asg.Graph(y=asg.input("x", (3,)) * 2.0)
    with pytest.raises(asg.AsgError, match="tune=True: backend 'jax' leaves no choice of kernels"):
        asg.compile(graph, "jax", tune=True)
