"""Charts: ticks, places, and an SVG that a strict parser reads."""

from itertools import pairwise
from math import inf, nan
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asg.train import History
from asg.train.chart import HEIGHT, WIDTH, line_chart, round_ticks, spread, whole_ticks
from asg.train.curves import curves_svg
from asg.train.epoch import Epoch

SVG = "{http://www.w3.org/2000/svg}"
finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(finite, finite)
def test_ticks_enclose_the_values_in_equal_steps(a: float, b: float) -> None:
    low, high = sorted((a, b))
    ticks = round_ticks(low, high)
    spacing = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-5 * spacing and ticks[-1] >= high - 1e-5 * spacing
    assert 2 <= len(ticks) <= 9
    assert all(right - left == pytest.approx(spacing, rel=1e-6) for left, right in pairwise(ticks))


@given(st.integers(1, 100_000))
def test_epochs_are_marked_from_the_first_to_the_last(last: int) -> None:
    ticks = whole_ticks(last)
    assert ticks[0] == 1 and ticks[-1] == max(last, 2)
    assert list(ticks) == sorted(set(ticks)) and len(ticks) <= 8
    assert all(tick == int(tick) for tick in ticks)


@given(st.lists(st.floats(0, 300), min_size=1, max_size=4))
def test_labels_keep_their_distance_and_their_order(places: list[float]) -> None:
    named = {str(number): place for number, place in enumerate(places)}
    moved = spread(named, 15)
    order = sorted(named, key=lambda name: named[name])
    gaps = [moved[b] - moved[a] for a, b in pairwise(order)]
    assert all(gap > 15 - 1e-9 for gap in gaps)
    assert sum(moved.values()) == pytest.approx(sum(named.values()))
    if all(named[b] - named[a] >= 15 for a, b in pairwise(order)):
        assert moved == pytest.approx(named)


def history(length: int) -> list[Epoch]:
    return [
        Epoch(n, {"loss": 2 / n, "accuracy": 1 - 0.5 / n},
              {"loss": 2.2 / n, "accuracy": 1 - 0.6 / n}, 0.1, 1e4)
        for n in range(1, length + 1)
    ]


@pytest.mark.parametrize("length", [1, 2, 3, 30, 1000])
def test_the_curves_are_drawn_inside_the_picture(length: int) -> None:
    root = ElementTree.fromstring(curves_svg(history(length), "a < b & c"))
    assert root.attrib["viewBox"] == f"0 0 {2 * WIDTH} {HEIGHT}"
    assert root.findtext(f"{SVG}title") == "a < b & c"
    lines = root.findall(f".//{SVG}polyline")
    assert len(lines) == 4
    for line in lines:
        points = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        assert len(points) == length
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
        assert points == sorted(points)


def test_larger_values_are_higher_and_axes_are_named() -> None:
    root = ElementTree.fromstring(f"<g>{line_chart('height', 'day', {'a': [1.0, 3.0, 2.0]})}</g>")
    (line,) = root.findall("polyline")
    first, second, third = (float(pair.split(",")[1]) for pair in line.attrib["points"].split())
    assert second < third < first  # y grows downwards
    texts = [text.text for text in root.findall("text")]
    assert {"height", "day", "a 2.000", "1.0", "3.0"} <= set(texts)


def test_a_constant_line_has_an_axis_too() -> None:
    root = ElementTree.fromstring(f"<g>{line_chart('loss', 'epoch', {'a': [0.5, 0.5]})}</g>")
    assert len(root.findall("text")) > 4


def drawn(**series: list[float]) -> ElementTree.Element:
    return ElementTree.fromstring(f"<g>{line_chart('loss', 'epoch', series)}</g>")


def test_values_that_are_missing_are_no_points() -> None:
    root = drawn(train=[4.0, 3.0, 2.0, 1.0, 0.5], validation=[nan, 3.0, nan, 2.0, inf])
    train, validation = (line.attrib["points"].split() for line in root.findall("polyline"))
    assert len(train) == 5 and len(validation) == 2
    assert validation[0] == train[1]  # the same value in the same epoch
    assert validation[1].split(",")[0] == train[3].split(",")[0]
    dots = {(dot.attrib["cx"], dot.attrib["cy"]) for dot in root.findall("circle")}
    assert dots == {tuple(point.split(",")) for point in (*validation, train[-1])}
    texts = {text.text for text in root.findall("text")}
    assert {"train 0.500", "validation 2.000"} <= texts


def test_a_line_without_any_value_is_named_all_the_same() -> None:
    (line,) = drawn(train=[2.0, 1.0], validation=[nan, nan]).findall("polyline")
    assert len(line.attrib["points"].split()) == 2
    root = drawn(train=[nan], validation=[inf])
    assert not root.findall("polyline") and not root.findall("circle")
    texts = [text.text for text in root.findall("text")]
    assert {"train (none)", "validation (none)", "0.0", "1.0"} <= set(texts)
    assert "nan" not in ElementTree.tostring(root, encoding="unicode")


@pytest.mark.parametrize(
    ("value", "label"), [(3e-5, "a 3.0e-05"), (0.0, "a 0.000"), (-2.5e6, "a -2.5e+06")]
)
def test_small_and_large_values_are_told(value: float, label: str) -> None:
    assert label in {text.text for text in drawn(a=[1.0, value]).findall("text")}


def test_a_history_with_results_of_some_epochs_only() -> None:
    history = History()
    for epoch in range(1, 5):
        history.append({"loss": 1.0 / epoch} | ({"val_loss": 1.0} if epoch == 2 else {}))
    root = ElementTree.fromstring(history.svg())
    train, validation = root.findall(f".//{SVG}polyline")
    assert len(train.attrib["points"].split()) == 4
    assert len(validation.attrib["points"].split()) == 1
