"""The one table of looks: shape and colour of every kind of box, in a light and a dark theme.

Hues are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people of every colour
vision tell apart; besides, every kind is known by its shape or its words: parameters are ellipses,
states cylinders, modules folders, gradients carry a nabla, residuals are dashed.
"""

from __future__ import annotations

from dataclasses import dataclass

from asg.core.errors import OperandError


@dataclass(frozen=True)
class Look:
    """Look of a box: Graphviz shape, hue of border and fill, and extra style words."""

    shape: str
    hue: str
    style: str = "filled"


@dataclass(frozen=True)
class Theme:
    """Colours of a page.

    Attributes:
        page: background.
        ink: titles.
        faded: small lines and labels.
        border: per hue, the border.
        fill: per hue, the inside.
        column: per part, the background of its column.
        arrow: per part of the tail, and for residuals.
        heat: the inside of boxes by their share of the time, one colour more than `HEAT_FROM`.
    """

    page: str
    ink: str
    faded: str
    border: dict[str, str]
    fill: dict[str, str]
    column: dict[str, str]
    arrow: dict[str, str]
    heat: tuple[str, ...]


FONT = "Helvetica,Arial,sans-serif"
TITLE_SIZE = 13
DETAIL_SIZE = 10
LABEL_SIZE = 10
HEAT_FROM = (0.01, 0.03, 0.1, 0.25)
"""Shares of the time from which a box is one step warmer."""

LOOKS: dict[str, Look] = {
    # computations, by category of the op
    "elementwise": Look("box", "grey", "filled,rounded"),
    "reduce": Look("box", "green", "filled,diagonals"),
    "shape": Look("box", "plain", "filled,rounded"),
    "index": Look("tab", "sky"),
    "linalg": Look("box", "blue", "filled,bold"),
    "convolution": Look("box3d", "blue"),
    "random": Look("box", "yellow", "filled,diagonals"),
    "control": Look("hexagon", "purple"),
    "activation": Look("box", "vermillion", "filled,rounded"),
    "norm": Look("component", "purple"),
    "attention": Look("box", "blue", "filled,bold,rounded"),
    "loss": Look("box", "vermillion", "filled,bold"),
    "leaf": Look("box", "plain", "filled"),
    # leaves, by role
    "input": Look("invhouse", "grey", "filled,bold"),
    "constant": Look("note", "plain"),
    "parameter": Look("ellipse", "orange"),
    "statistic": Look("ellipse", "yellow"),
    "optimizer": Look("cylinder", "green"),
    "random_key": Look("hexagon", "yellow"),
    "counter": Look("cylinder", "grey"),
    "metric": Look("cylinder", "grey", "filled,rounded"),
    "data": Look("box3d", "grey"),
    "cache": Look("cylinder", "sky"),
    # the rest
    "module": Look("folder", "module"),
    "output": Look("house", "grey", "filled,bold"),
    "next": Look("ellipse", "orange", "filled,dashed"),
    "outside": Look("box", "plain", "filled,dashed"),
    "seed": Look("circle", "grey", "filled,bold"),
}

LIGHT = Theme(
    page="#ffffff",
    ink="#111827",
    faded="#4b5563",
    border={
        "grey": "#6b7280", "plain": "#9ca3af", "green": "#009e73", "sky": "#56b4e9",
        "blue": "#0072b2", "yellow": "#b8a200", "purple": "#aa4499", "vermillion": "#d55e00",
        "orange": "#e69f00", "module": "#374151",
    },
    fill={
        "grey": "#f3f4f6", "plain": "#ffffff", "green": "#dcf2ea", "sky": "#e6f4fd",
        "blue": "#d5e8f6", "yellow": "#fdf9d3", "purple": "#f5e3ee", "vermillion": "#fce3d1",
        "orange": "#fdeecb", "module": "#ffffff",
    },
    column={"forward": "#f3f8fc", "gradient": "#fdf5ef", "update": "#f0f9f5"},
    arrow={
        "forward": "#0072b2", "gradient": "#d55e00", "update": "#009e73", "residual": "#9aa1ad",
    },
    heat=("#ffffff", "#fff3df", "#fedcae", "#fdb777", "#f98e52"),
)  # fmt: skip

DARK = Theme(
    page="#14171c",
    ink="#f3f4f6",
    faded="#b6bcc6",
    border={
        "grey": "#9ca3af", "plain": "#6b7280", "green": "#2cc79c", "sky": "#7cc8f5",
        "blue": "#4aa8e0", "yellow": "#e3d34a", "purple": "#dd8cc8", "vermillion": "#f58c46",
        "orange": "#f0b43c", "module": "#d1d5db",
    },
    fill={
        "grey": "#2a2f38", "plain": "#1b1f26", "green": "#123a2e", "sky": "#17344a",
        "blue": "#12324b", "yellow": "#3a3510", "purple": "#3f2338", "vermillion": "#47260f",
        "orange": "#45340c", "module": "#20242c",
    },
    column={"forward": "#181e26", "gradient": "#221c18", "update": "#17211d"},
    arrow={
        "forward": "#4aa8e0", "gradient": "#f58c46", "update": "#2cc79c", "residual": "#737b88",
    },
    heat=("#1b1f26", "#33261a", "#553415", "#7d4311", "#a8530c"),
)  # fmt: skip

THEMES = {"light": LIGHT, "dark": DARK}


def theme_of(name: str) -> Theme:
    """The theme called ``name``.

    Raises:
        OperandError: there is none.
    """
    if name not in THEMES:
        raise OperandError(f"theme={name!r}; choose one of {', '.join(map(repr, THEMES))}")
    return THEMES[name]


def look_of(style: str) -> Look:
    """The look of a row of the table.

    >>> look_of("parameter").shape, look_of("module").shape
    ('ellipse', 'folder')
    """
    return LOOKS[style]
