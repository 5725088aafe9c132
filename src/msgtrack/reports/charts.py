"""Charts as SVG, drawn on the server by Altair and vl-convert: no script, no network, the same bytes for the same data.

Everything is placed by numbers of our own: what the renderer would measure with the fonts of the machine (axes, labels
that make room for each other) is switched off. Colours are CSS variables with a fallback, and text and rules take the
colour of the text around, so one drawing serves light and dark pages.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from math import ceil, floor
from typing import Any

import altair as alt

from msgtrack.reports.data import Curve, GroupRow
from msgtrack.reports.formats import cut, printed, visible

__all__ = ["CLICKS_COLOR", "OPENS_COLOR", "TOP", "bars", "curve"]

OPENS_COLOR = "var(--msgtrack-opens, #2b6cb0)"
CLICKS_COLOR = "var(--msgtrack-clicks, #c05621)"
TOP = 10
"""So many bars at most; the tables have every row."""

_FONT = "system-ui, sans-serif"
_INK = "currentColor"
_STEPS = (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 4320, 10080, 20160, 43200, 129600, 525600)
"""Minutes between two ticks of the time axis, the least that leaves room is taken."""
_BAR_STEP = 42
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 24, 12, 30


def curve(data: Curve, *, width: int, height: int) -> str:
    """Cumulated opens and clicks against the time since the launch, as an SVG of that size in pixels; "" when empty."""
    if not data.points or data.launch_at is None:
        return ""
    launch_at = data.launch_at
    reach = [((point.at - launch_at).total_seconds() + data.bin_seconds) / 60 for point in data.points]
    start = min(0.0, reach[0] - data.bin_seconds / 60)
    opens, clicks = (
        _line_points(start, reach, [float(value.value or 0) for value in values])
        for values in ([point.opens for point in data.points], [point.clicks for point in data.points])
    )
    ticks, per_unit, unit = _ticks(start, reach[-1], fits=max(2, width // 70))
    top = max(opens[-1]["n"], clicks[-1]["n"], 1.0)
    x = alt.X(
        "t:Q",
        title=None,
        scale=alt.Scale(domain=[start, reach[-1]], nice=False),
        axis=_axis(values=ticks, labelExpr=f"datum.value / {per_unit} + ' {unit}'", grid=False, domain=True),
    )
    y = alt.Y(
        "n:Q",
        title=None,
        scale=alt.Scale(domain=[0, top], nice=True, zero=True),
        axis=_axis(tickCount=5, tickMinStep=1, format="~s" if top >= 100_000 else ",d", grid=True, domain=False),
    )
    lines = ((opens, OPENS_COLOR), (clicks, CLICKS_COLOR))
    drawn = [(alt.Chart(alt.InlineData(values=points)).encode(x=x, y=y), color) for points, color in lines]
    areas = [chart.mark_area(fill=color, fillOpacity=0.12) for chart, color in drawn]
    strokes = [chart.mark_line(stroke=color, strokeWidth=2.25, strokeJoin="round") for chart, color in drawn]
    return _svg(
        alt.LayerChart(layer=[*areas, *strokes]),
        width - _LEFT - _RIGHT,
        height - _TOP - _BOTTOM,
        (_LEFT, _RIGHT, _TOP, _BOTTOM),
    )


def bars(rows: Sequence[GroupRow], *, width: int) -> str:
    """Clicks by label, a bar each under its label, the first :data:`TOP` rows, as an SVG of that width; "" when empty.

    Each row holds its clicks and its share, in this order.
    """
    drawn = [row for row in rows[:TOP] if row.figures[0].value.value]
    if not drawn:
        return ""
    values: list[dict[str, str | float]] = [
        {
            "row": str(index),
            "n": float(row.figures[0].value.value or 0),
            "label": cut(visible(row.name), width // 9) or "(no label)",
            "shown": " · ".join(printed(figure.value, is_share=figure.is_share) for figure in row.figures),
        }
        for index, row in enumerate(drawn)
    ]
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y("row:N", sort=None, axis=None, scale=alt.Scale(domain=[v["row"] for v in values], padding=0)),
    )
    room = width - 110
    top = max(float(v["n"]) for v in values)
    x = alt.X("n:Q", axis=None, scale=alt.Scale(domain=[0, top * width / room], nice=False))
    text = partial(base.mark_text, align="left", baseline="middle", font=_FONT, fill=_INK)
    layers = [
        base.mark_bar(fill=CLICKS_COLOR, height=12, yOffset=8).encode(x=x),
        text(fontSize=13, dy=-10).encode(x=alt.value(0), text="label:N"),
        text(fontSize=12, dx=8, dy=8, fillOpacity=0.8).encode(x=x, text="shown:N"),
    ]
    return _svg(alt.LayerChart(layer=layers), width, _BAR_STEP * len(values), (0, 0, 0, 0))


def _line_points(start: float, reach: Sequence[float], numbers: Sequence[float]) -> list[dict[str, float]]:
    return [{"t": start, "n": 0.0}] + [{"t": at, "n": number} for at, number in zip(reach, numbers, strict=True)]


def _ticks(start: float, end: float, *, fits: int) -> tuple[list[int], int, str]:
    """The minutes at which the time axis is marked, and the unit they are written in: its minutes and its name."""
    years = _STEPS[-1] * max(1, ceil((end - start) / _STEPS[-1] / fits))
    step = next((minutes for minutes in _STEPS if (end - start) / minutes <= fits), years)
    ticks = [index * step for index in range(ceil(start / step), floor(end / step) + 1)]
    return next((ticks, minutes, unit) for minutes, unit in ((1440, "d"), (60, "h"), (1, "min")) if step >= minutes)


def _axis(**options: Any) -> alt.Axis:
    return alt.Axis(
        labelOverlap=False,
        labelBound=False,
        labelFlush=False,
        ticks=False,
        labelPadding=8,
        labelFont=_FONT,
        labelFontSize=12,
        labelColor=_INK,
        labelOpacity=0.75,
        domainColor=_INK,
        domainOpacity=0.35,
        gridColor=_INK,
        gridOpacity=0.12,
        **options,
    )


def _svg(chart: alt.LayerChart, width: int, height: int, padding: tuple[int, int, int, int]) -> str:
    left, right, top, bottom = padding
    sized = chart.properties(
        width=width,
        height=height,
        autosize="none",
        padding={"left": left, "right": right, "top": top, "bottom": bottom},
    ).configure(background="transparent", aria=False, view=alt.ViewConfig(stroke="transparent"))
    out = io.StringIO()
    # Whatever theme the program around has chosen for its own charts is none of ours.
    with alt.theme.enable("none"):
        sized.save(out, format="svg")
    return out.getvalue()
