"""Routes between columns."""

from asg.visualizer.route import Place, Router, places_of


def points(route: str) -> list[tuple[float, float]]:
    return [tuple(map(float, word.split(","))) for word in route[2:].split(" ")]  # type: ignore[misc]


def test_places_are_read_from_plain_output() -> None:
    plain = (
        'graph 1 2 2\nnode n0 1 1.5 0.5 0.25 "a label" solid box black white\nedge n0 n1 4\nstop'
    )
    assert places_of(plain) == {"n0": Place(72.0, 108.0, 36.0, 18.0)}


def test_a_route_leaves_and_enters_level_at_the_sides() -> None:
    router = Router({"a": Place(0, 0, 20, 10), "b": Place(200, 80, 40, 10)})
    tip, start, bend, back, end = points(router.route("a", "b"))
    assert start == (10, 0)
    assert tip == (180, 80)
    assert bend[1] == 0
    assert back[1] == end[1] == 80
    assert end[0] < tip[0]


def test_a_route_to_the_left_is_the_mirror_image() -> None:
    router = Router({"a": Place(200, 0, 20, 10), "b": Place(0, 80, 40, 10)})
    tip, start, *_, end = points(router.route("a", "b"))
    assert start == (190, 0)
    assert tip == (20, 80)
    assert end[0] > tip[0]


def test_along_a_row_a_route_goes_below_what_stands_between() -> None:
    places = {"a": Place(0, 50, 20, 10), "m": Place(100, 50, 20, 30), "b": Place(200, 50, 20, 10)}
    tip, start, *control, _ = points(Router(places).route("a", "b"))
    assert start[1] == tip[1] == 45
    assert all(y < 45 for _, y in control)
    del places["m"]
    assert {y for _, y in points(Router(places).route("a", "b"))} == {50}
