"""A small line chart as SVG: axes with round ticks, and every line named at its end.

A value that is no finite number is no point: the line goes on at the next one, and the points that
there are get dots, so that one sees where the line was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isclose, isfinite, log10
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 464, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 136, 40, 46
INK, MUTED, GRID = "#1f2937", "#6b7280", "#e5e7eb"
COLOURS = ("#2563eb", "#c2410c", "#15803d", "#7c3aed")
LABEL_HEIGHT = 15


@dataclass(frozen=True)
class Axis:
    """Maps the values from the first tick to the last onto pixels.

    Attributes:
        ticks: the values to mark, ascending.
        start: the pixel of the first tick.
        end: the pixel of the last one.
    """

    ticks: tuple[float, ...]
    start: float
    end: float

    def pixel(self, value: float) -> float:
        """Where a value lies."""
        low, high = self.ticks[0], self.ticks[-1]
        share = (value - low) / (high - low)
        return self.start + share * (self.end - self.start)


def round_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten that enclose ``low`` to ``high``.

    >>> round_ticks(0.03, 2.2)
    (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
    >>> round_ticks(0.87, 0.98)
    (0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98)
    """
    if isclose(low, high, rel_tol=1e-9, abs_tol=1e-12):
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / most
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * 0.999)
    # The tolerance keeps a bound that lies on a tick, up to rounding, from adding another tick.
    first, last = floor(low / step + 1e-6), ceil(high / step - 1e-6)
    digits = max(0, -floor(log10(step)))
    return tuple(round(number * step, digits) for number in range(first, last + 1))


def whole_ticks(last: int, most: int = 6) -> tuple[float, ...]:
    """Whole numbers from 1 to ``last`` in equal steps, with both ends.

    >>> whole_ticks(30), whole_ticks(4), whole_ticks(1)
    ((1.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0), (1.0, 2.0, 3.0, 4.0), (1.0, 2.0))
    """
    if last <= most:
        return tuple(float(number) for number in range(1, max(last, 2) + 1))
    steps = [tick for tick in round_ticks(0, last, most) if 1 < tick < last]
    spacing = steps[1] - steps[0] if len(steps) > 1 else steps[0]
    inner = [tick for tick in steps if last - tick >= spacing / 2]
    return (1.0, *inner, float(last))


def line_chart(title: str, x_label: str, series: Mapping[str, Sequence[float]]) -> str:
    """The chart of values at 1, 2, 3, ... as an SVG group of `WIDTH` by `HEIGHT`.

    Args:
        title: what the values are; stands for the label of the vertical axis.
        x_label: what is counted.
        series: by name, all of one length, at least one value each; NaN where there is none.
    """
    values = [value for line in series.values() for value in line if isfinite(value)]
    x = Axis(whole_ticks(max(map(len, series.values()))), LEFT, WIDTH - RIGHT)
    y = Axis(round_ticks(min(values, default=0.0), max(values, default=1.0)), HEIGHT - BOTTOM, TOP)
    return "\n".join([*_frame(title, x_label, x, y), *_lines(series, x, y)])


def charts_svg(
    title: str, x_label: str, panels: Mapping[str, Mapping[str, Sequence[float]]]
) -> str:
    """An SVG file with a chart for each panel, side by side.

    Args:
        title: read by screen readers and shown by browsers.
        x_label: what is counted.
        panels: by title, the lines by name.
    """
    width = WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" '
        f'viewBox="0 0 {width} {HEIGHT}" role="img" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" '
        'font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for number, (name, series) in enumerate(panels.items()):
        chart = line_chart(name, x_label, series)
        parts += [f'<g transform="translate({number * WIDTH} 0)">', chart, "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _frame(title: str, x_label: str, x: Axis, y: Axis) -> list[str]:
    middle = (x.start + x.end) / 2
    parts = [_text(x.start, TOP - 18, title, INK, weight="600")]
    for tick in y.ticks:
        at = y.pixel(tick)
        parts.append(_line(x.start, at, x.end, at, GRID))
        parts.append(_text(x.start - 8, at + 4, _number(tick, y.ticks), MUTED, anchor="end"))
    for tick in x.ticks:
        at = x.pixel(tick)
        parts.append(_line(at, y.start, at, y.start + 4, MUTED))
        parts.append(_text(at, y.start + 18, f"{tick:g}", MUTED, anchor="middle"))
    parts.append(_line(x.start, y.start, x.end, y.start, MUTED))
    parts.append(_text(middle, y.start + 36, x_label, MUTED, anchor="middle"))
    return parts


def _lines(series: Mapping[str, Sequence[float]], x: Axis, y: Axis) -> list[str]:
    parts = []
    points = {name: _points(line, x, y) for name, line in series.items()}
    ends = {name: there[-1][1] if there else y.start for name, there in points.items()}
    labels = spread(ends, LABEL_HEIGHT)
    for (name, line), colour in zip(series.items(), COLOURS, strict=False):
        there = points[name]
        if there:
            parts.append(_polyline(there, colour))
        gaps = len(there) < len(line)
        parts += [_dot(at, 2.0, colour) for at in there[:-1] if gaps]
        parts += [_dot(at, 3.0, colour) for at in there[-1:]]
        label = f"{name} {_last(line)}"
        parts.append(_text(x.end + 8, labels[name] + 4, label, colour, weight="600"))
    return parts


def _points(line: Sequence[float], x: Axis, y: Axis) -> list[tuple[float, float]]:
    """The pixels of the values that are finite."""
    return [(x.pixel(n), y.pixel(v)) for n, v in enumerate(line, start=1) if isfinite(v)]


def _polyline(points: Sequence[tuple[float, float]], colour: str) -> str:
    joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    return (
        f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2" '
        'stroke-linejoin="round" stroke-linecap="round"/>'
    )


def _dot(at: tuple[float, float], radius: float, colour: str) -> str:
    return f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:g}" fill="{colour}"/>'


def _last(line: Sequence[float]) -> str:
    """The last finite value in three digits after the point, in powers of ten where these say
    nothing; or that there is none.
    """
    there = [value for value in line if isfinite(value)]
    if not there:
        return "(none)"
    plain = there[-1] == 0.0 or 1e-3 <= abs(there[-1]) < 1e5
    return f"{there[-1]:.3f}" if plain else f"{there[-1]:.1e}"


def spread(places: Mapping[str, float], distance: float) -> dict[str, float]:
    """The places moved as little as possible until neighbours have the distance, in order.

    Less the distances they need, the places must only not decrease: isotonic regression, by
    pooling neighbours that do (https://en.wikipedia.org/wiki/Isotonic_regression).

    >>> spread({"a": 10.0, "b": 12.0, "c": 40.0}, 6.0)
    {'a': 8.0, 'b': 14.0, 'c': 40.0}
    """
    names = sorted(places, key=lambda name: places[name])
    pools: list[tuple[float, int]] = []  # mean and number of places that move together
    for number, name in enumerate(names):
        mean, count = places[name] - number * distance, 1
        while pools and pools[-1][0] > mean:
            before, held = pools.pop()
            mean = (before * held + mean * count) / (held + count)
            count += held
        pools.append((mean, count))
    shifted = [mean for mean, count in pools for _ in range(count)]
    return {name: shifted[number] + number * distance for number, name in enumerate(names)}


def _number(tick: float, ticks: Sequence[float]) -> str:
    """All ticks of an axis with the same digits after the point."""
    digits = max(len(f"{t:.10f}".rstrip("0").partition(".")[2]) for t in ticks)
    return f"{tick:.{digits}f}"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" stroke-width="1"/>'


def _text(
    x: float, y: float, text: str, colour: str, anchor: str = "start", weight: str = "400"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
