"""What a person must see: columns side by side, twins level, forward down, gradient up."""

from itertools import combinations, pairwise
from typing import Any

import pytest
from asg.visualizer.order import heights_of

from tests.describe.models import MODELS, mlp_step, transformer_step
from tests.visualizer.drawn import Picture, needs_dot, picture_of

pytestmark = needs_dot

LEVEL = 1.0
"""Points by which the centres of one row may differ: shapes are not symmetric to the pixel."""

OPTIONS: dict[str, dict[str, Any]] = {
    "automatic": {},
    "depth 1": {"depth": 1},
    "depth 0": {"depth": 0},
    "folded": {"fold": True},
    "all open": {"fold": False, "depth": 9},
}
SMALL = [
    pytest.param(model, options, id=f"{model}, {options}")
    for model in MODELS
    for options in OPTIONS
    if options != "all open" or model not in ("transformer", "chain")
]


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[str, str], Picture]:
    return {}


@pytest.fixture
def picture(model: str, options: str, drawn: dict[tuple[str, str], Picture]) -> Picture:
    if (model, options) not in drawn:
        drawn[model, options] = picture_of(MODELS[model](), **OPTIONS[options])
    return drawn[model, options]


@pytest.mark.parametrize(("model", "options"), SMALL)
def test_columns_stand_side_by_side(picture: Picture) -> None:
    """Forward left of gradient left of update, with nothing in between."""
    sides: dict[str, tuple[float, float]] = {}
    for key, box in picture.view.boxes.items():
        left, right = sides.get(box.part, (1e9, -1e9))
        place = picture.boxes[key]
        sides[box.part] = min(left, place.left), max(right, place.right)
    parts = [part for part in ("forward", "gradient", "update") if part in sides]
    for first, second in pairwise(parts):
        assert sides[first][1] < sides[second][0]


@pytest.mark.parametrize(("model", "options"), SMALL)
def test_rows_are_level(picture: Picture) -> None:
    for row in picture.view.rows:
        heights = [picture.boxes[key].y for key in row]
        assert max(heights) - min(heights) <= 3 * LEVEL, row


@pytest.mark.parametrize(("model", "options"), SMALL)
def test_boxes_do_not_overlap(picture: Picture) -> None:
    for first, second in combinations(picture.boxes.values(), 2):
        assert not first.overlaps(second)


@pytest.mark.parametrize(("model", "options"), SMALL)
def test_forward_runs_down_and_the_rest_up(picture: Picture, model: str) -> None:
    level = {key: row for row in picture.view.rows for key in row}
    deciding = heights_of(picture.view)
    for arrow in picture.view.arrows:
        tail, head = picture.view.boxes[arrow.tail], picture.view.boxes[arrow.head]
        if tail.part != head.part or arrow.head in level.get(arrow.tail, ()):
            continue
        if arrow not in deciding:  # both orders of a gradient in one box: these use each other
            assert model == "second order"
            continue
        down = picture.boxes[arrow.head].y - picture.boxes[arrow.tail].y
        assert (down > 0) == (tail.part == "forward")


@pytest.mark.parametrize(("model", "options"), SMALL)
def test_inputs_are_on_top(picture: Picture) -> None:
    boxes = {k: b for k, b in picture.view.boxes.items() if b.part == "forward"}
    fed = [picture.boxes[key].y for key, box in boxes.items() if box.style == "input"]
    highest = min(picture.boxes[key].y for key in boxes)
    assert all(height - highest <= LEVEL for height in fed)


@pytest.mark.parametrize(("model", "options"), SMALL)
def test_values_that_are_used_again_are_dashed(picture: Picture) -> None:
    again = {(a.tail, a.head) for a in picture.view.arrows if a.kind == "residual"}
    assert picture.dashed == again


def test_every_module_is_level_with_its_gradient_and_its_update() -> None:
    picture = picture_of(mlp_step(), depth=1)
    for name in ("fc1", "act", "fc2", "loss"):
        forward = picture.boxes["group", "forward", name]
        gradient = picture.boxes["group", "gradient", name]
        assert abs(forward.y - gradient.y) <= LEVEL
        assert forward.right < gradient.left
        update = picture.boxes.get(("group", "update", name))
        if update is not None:
            assert abs(gradient.y - update.y) <= LEVEL
            assert gradient.right < update.left


def test_modules_come_in_order_down_the_page() -> None:
    picture = picture_of(transformer_step(blocks=3), depth=1)
    tops = [picture.boxes["group", "forward", f"block{i}"].top for i in range(3)]
    assert tops == sorted(tops)
    loss = picture.boxes["group", "forward", "loss"].top
    assert loss > tops[-1]


@pytest.mark.parametrize("model", ["mlp", "mlp with clipping", "transformer", "optimized"])
@pytest.mark.parametrize("depth", [None, 1, 0])
def test_the_loss_is_level_with_the_seed(model: str, depth: int | None) -> None:
    picture = picture_of(MODELS[model](), depth=depth)
    (seed,) = [key for key, box in picture.view.boxes.items() if box.kind == "seed"]
    loss, start = picture.boxes["output", "loss"], picture.boxes[seed]
    assert start.top < loss.y < start.bottom
    assert any(a.kind == "turn" and a.head == seed for a in picture.view.arrows)


@pytest.mark.parametrize("part", ["forward", "gradient"])
def test_one_part_alone(part: str) -> None:
    picture = picture_of(mlp_step(), part=part)
    assert {box.part for box in picture.view.boxes.values()} == {part}
    assert not any(title.startswith("cluster") and "↑" in title for title in picture.titles)


def test_the_library_draws_what_the_program_draws() -> None:
    pytest.importorskip("pygraphviz")
    first, second = (picture_of(mlp_step(), engine, depth=1) for engine in ("dot", "pygraphviz"))
    names = [[box.title for box in p.view.boxes.values()] for p in (first, second)]
    assert names[0] == names[1]
    for picture in (first, second):
        forward = picture.boxes["group", "forward", "fc1"]
        gradient = picture.boxes["group", "gradient", "fc1"]
        assert forward.right < gradient.left
        assert abs(forward.y - gradient.y) <= LEVEL
