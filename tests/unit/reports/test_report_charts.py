"""Drawings: the same bytes for the same data, nothing active in them, and marks where the numbers say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import altair as alt
import pytest

from msgtrack.metrics import Value
from msgtrack.reports import charts
from msgtrack.reports.data import Curve, Figure, GroupRow, Point

LAUNCH = datetime(2026, 3, 3, 8, tzinfo=UTC)


def curve_of(*numbers: tuple[float, int, int], launch_at: datetime | None = LAUNCH, bin_seconds: int = 3600) -> Curve:
    return Curve(
        launch_at=launch_at,
        bin_seconds=bin_seconds,
        points=tuple(
            Point(
                at=LAUNCH + timedelta(hours=hours),
                opens=Value(value=opens, unit="count"),
                clicks=Value(value=clicks, unit="count"),
            )
            for hours, opens, clicks in numbers
        ),
    )


def rows_of(**clicks: int) -> list[GroupRow]:
    total = sum(clicks.values()) or 1
    return [
        GroupRow(
            name=name,
            figures=(
                Figure(key="n", label="", value=Value(value=number, unit="count")),
                Figure(key="p", label="", value=Value(value=number / total, unit="ratio"), is_share=True),
            ),
        )
        for name, number in clicks.items()
    ]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def strokes(svg: str) -> list[list[tuple[float, float]]]:
    """The corners of the two lines, opens and clicks."""
    paths = re.findall(r'<path d="(M[^"]+)" stroke="var', svg)
    return [[(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path)] for path in paths]


def test_a_curve_rises_from_nothing_to_its_total() -> None:
    svg = charts.curve(curve_of((0, 5, 1), (1, 8, 2), (9, 10, 5)), width=500, height=242)
    opens, clicks = strokes(svg)
    # 200 pixels for 10: the axis begins at 0 and ends at a round number.
    assert [round(200 - y) for _, y in opens] == [0, 100, 160, 200]
    assert [round(200 - y) for _, y in clicks] == [0, 20, 40, 100]
    # Ten hours over the width: a bin's number holds at its end.
    assert [round(x / opens[-1][0], 3) for x, _ in opens] == [0, 0.1, 0.2, 1]
    assert texts(svg)[:2] == ["0 h", "2 h"]
    assert texts(charts.curve(curve_of((0, 5, 1)), width=500, height=242))[0] == "0 min"


@pytest.mark.parametrize(
    ("hours", "bin_seconds", "expected"),
    [
        (2, 300, "30 min"),
        (0.3, 300, "10 min"),
        (20, 600, "6 h"),
        (24 * 6, 3600, "2 d"),
        (24 * 90, 86400, "14 d"),
        (24 * 365 * 40, 86400, "2190 d"),
    ],
)
def test_the_axis_counts_round_times_since_the_launch(hours: float, bin_seconds: int, expected: str) -> None:
    svg = charts.curve(curve_of((0, 5, 1), (hours, 8, 2), bin_seconds=bin_seconds), width=600, height=200)
    assert expected in texts(svg)
    assert 3 <= sum(bool(re.fullmatch(r"-?\d+ (min|h|d)", text)) for text in texts(svg)) <= 10


def test_reactions_before_the_launch_stand_before_it() -> None:
    svg = charts.curve(curve_of((-5, 1, 0), (3, 2, 1)), width=600, height=200)
    assert "-3 h" in texts(svg) or "-2 h" in texts(svg) or "-4 h" in texts(svg)
    assert all(x >= 0 for line in strokes(svg) for x, _ in line)


def test_nothing_to_draw_is_no_drawing() -> None:
    assert charts.curve(curve_of(), width=600, height=200) == ""
    assert charts.curve(curve_of(launch_at=None), width=600, height=200) == ""
    assert charts.bars([], width=600) == ""
    assert charts.bars(rows_of(a=0, b=0), width=600) == ""


def test_bars_are_as_long_as_their_numbers_and_say_them() -> None:
    svg = charts.bars(rows_of(Shop=40, Help=10, Silent=0), width=600)
    assert texts(svg) == ["Shop", "Help", "40 · 80.00 %", "10 · 20.00 %"]
    lengths = [float(x) for x in re.findall(r'<path d="M0,\d+h([\d.]+)v12', svg)]
    assert lengths == pytest.approx([490, 122.5])


def test_only_the_most_clicked_are_drawn_and_long_labels_are_cut() -> None:
    svg = charts.bars(rows_of(**{f"{'x' * 200}{n}": 100 - n for n in range(25)}), width=320)
    labels = texts(svg)[: charts.TOP]
    assert len(texts(svg)) == 2 * charts.TOP
    assert all(label.endswith("…") and len(label) <= 36 for label in labels)


def test_labels_in_a_drawing_are_text_and_nothing_else() -> None:
    svg = charts.bars(
        rows_of(**{"</text><script>alert(1)</script>": 3, "\x1b[2J\u202e": 2, "a & b \"c'": 1}), width=900
    )
    assert texts(svg)[:3] == ["</text><script>alert(1)</script>", "\\x1b[2J\\u202e", "a & b \"c'"]
    kinds = {element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()}
    assert kinds <= {"svg", "g", "path", "text", "rect", "line"}
    assert not re.search(r"\b(style|href|id|on\w+)=", svg)


def test_colours_follow_the_page_around() -> None:
    both = charts.curve(curve_of((0, 5, 1)), width=500, height=200) + charts.bars(rows_of(a=1), width=500)
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', both))
    assert colours <= {"none", "transparent", "currentColor", charts.OPENS_COLOR, charts.CLICKS_COLOR}


def test_a_theme_that_the_program_chose_for_itself_changes_nothing() -> None:
    before = charts.curve(curve_of((0, 5, 1)), width=500, height=200)

    @alt.theme.register("dashed", enable=False)
    def dashed() -> alt.theme.ThemeConfig:
        return {"config": {"line": {"strokeDash": [4, 4]}, "axis": {"labelFontStyle": "italic"}}}

    try:
        with alt.theme.enable("dashed"):
            assert charts.curve(curve_of((0, 5, 1)), width=500, height=200) == before
            assert alt.theme.active == "dashed"
    finally:
        alt.theme.unregister("dashed")


def test_the_same_bytes_in_another_process_and_place() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_report_charts as t; from msgtrack.reports import charts as c;"
        "sys.stdout.write(c.curve(t.curve_of((0, 5, 1), (30, 8, 2)), width=500, height=200) + c.bars(t.rows_of(a=2, b=1), width=300))"
    )
    here = charts.curve(curve_of((0, 5, 1), (30, 8, 2)), width=500, height=200) + charts.bars(
        rows_of(a=2, b=1), width=300
    )
    away = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert away.stdout == here
