"""The table of looks: complete, told apart without colour, readable in both themes."""

import pytest
from asg.visualizer.style import LOOKS, THEMES, look_of, theme_of

from asg.core.errors import OperandError
from asg.core.op import CATEGORIES
from asg.core.state_slot import ROLES

READABLE_CONTRAST = 4.5
"""Of text, by the Web Content Accessibility Guidelines, level AA."""
VISIBLE_CONTRAST = 1.9
"""Of borders and arrows against what is behind."""


def luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("style", [*CATEGORIES, *ROLES, "input", "constant", "module"])
def test_everything_has_a_look(style: str) -> None:
    assert look_of(style).hue in theme_of("light").border


def test_looks_differ_by_more_than_colour() -> None:
    leaves = {look_of(style).shape for style in ("parameter", "optimizer", "input", "constant")}
    assert len(leaves) == 4
    assert look_of("parameter").shape == "ellipse"
    assert look_of("module").shape == "folder"
    looks = [(look.shape, look.style, look.hue) for look in LOOKS.values()]
    assert len(looks) == len(set(looks))


@pytest.mark.parametrize("name", THEMES)
def test_text_is_readable(name: str) -> None:
    theme = theme_of(name)
    behind = [theme.page, *theme.column.values()]
    for colour in behind:
        assert contrast(theme.faded, colour) >= READABLE_CONTRAST
    for colour in (*theme.fill.values(), *behind):
        assert contrast(theme.ink, colour) >= READABLE_CONTRAST
    for colour in theme.fill.values():
        assert contrast(theme.faded, colour) >= READABLE_CONTRAST


@pytest.mark.parametrize("name", THEMES)
def test_borders_and_arrows_are_visible(name: str) -> None:
    theme = theme_of(name)
    for hue, border in theme.border.items():
        assert contrast(border, theme.fill[hue]) >= VISIBLE_CONTRAST, hue
    for arrow in theme.arrow.values():
        for column in theme.column.values():
            assert contrast(arrow, column) >= VISIBLE_CONTRAST


def test_themes_know_the_same_colours() -> None:
    first, second = THEMES.values()
    for table in ("border", "fill", "column", "arrow"):
        assert getattr(first, table).keys() == getattr(second, table).keys()


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(OperandError, match="theme='blue'; choose one of 'light', 'dark'"):
        theme_of("blue")
