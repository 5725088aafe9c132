"""The layouts of the reports: which rows have a total below them, and what stands in the reports that are made by a rule."""

from __future__ import annotations

import re

import pytest

from msgtrack.metrics import LinesLayout, RowsLayout, catalogue, layouts

ROWS = {
    (name, block.name): block
    for name, layout in layouts.items()
    for block in layout.blocks
    if isinstance(block, RowsLayout)
}

WITHOUT_TOTAL = {
    # Each bin has what came before in it already, or is a speed; each share is a time of its own.
    "tracking-statistics": {"curve", "curve-1h", "curve-3h", "curve-24h", "pareto"},
    "delivery-throughput": {"all", "success", "error"},
    # Rows of two groupings at once: the block of the one of them has the total.
    "urls-and-click-streams": {"days-by-label", "days-by-url", "days-by-category"},
    "browsers": {"days", "history"},
    "operating-systems": {"days", "history"},
    "subscriptions": {"periods", "services-by-period"},
    "web-applications": {"steps"},
    # Parts of a block that has one, or rankings of a few.
    "breakdown-of-opens": {"mobile-device", "mobile-os", "mobile-browser"},
    "hot-clicks": {"links", "places"},
    "top-links": {"by-label", "by-link", "by-url", "by-category"},
    "dynamic-reporting": {"recipients"},
}


def test_a_total_stands_below_all_rows_that_are_parts_of_one_whole() -> None:
    without: dict[str, set[str]] = {}
    for (name, block), layout in ROWS.items():
        if not layout.has_total:
            without.setdefault(name, set()).add(block)
    assert without == WITHOUT_TOTAL


def test_bins_are_of_their_own_width_where_their_name_says_so() -> None:
    widths = {place: layout.bin_seconds for place, layout in ROWS.items() if layout.bin_seconds is not None}
    assert widths == {
        ("tracking-statistics", "curve-1h"): 3600,
        ("tracking-statistics", "curve-3h"): 3 * 3600,
        ("tracking-statistics", "curve-24h"): 24 * 3600,
        ("user-activities", "half-hours"): 1800,
        ("user-activities", "hours"): 3600,
        ("user-activities", "days"): 24 * 3600,
    }


def test_others_stand_below_the_rankings_of_clicks() -> None:
    others = {place: layout.others for place, layout in ROWS.items() if layout.others}
    assert others == {
        ("urls-and-click-streams", f"by-{by}"): "url_clicks_others" for by in ("label", "url", "category")
    }


@pytest.mark.parametrize(
    ("name", "title", "prefix", "mine"),
    [("browsers", "Browsers", "browser", "browser"), ("operating-systems", "Operating systems", "os", "os")],
)
def test_programs_are_shown_by_family_version_day_and_as_curves(name: str, title: str, prefix: str, mine: str) -> None:
    layout = layouts[name]
    seen = (f"{mine}_visitors", f"{mine}_pages")
    assert layout.title == title
    shown = [(b.name, b.title, b.by, b.columns) for b in layout.blocks if isinstance(b, RowsLayout)]
    assert shown == [
        ("families", title, prefix, (*seen, f"{mine}_usage_rate")),
        ("versions", "By version", "version", (*seen, f"{mine}_version_global_rate", f"{mine}_version_relative_rate")),
        ("days", "By day", "day", (*seen, f"{mine}_history_rate")),
        ("history", f"{title} by day", f"{prefix}-day", (*seen, f"{mine}_history_rate")),
    ]


CAPITALS = {"URL", "URLs", "SMS", "Internet"}


def test_names_are_for_addresses_and_titles_for_people() -> None:
    for layout in layouts.values():
        for part in (layout, *layout.blocks):
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", part.name), part.name
            first, *others = part.title.split()
            assert first in CAPITALS or first == first.capitalize(), part.title
            assert all(word in CAPITALS or word == word.lower() for word in others), part.title


def test_a_line_is_a_number_and_the_rate_beside_it() -> None:
    for layout in layouts.values():
        for block in layout.blocks:
            for line in block.lines if isinstance(block, LinesLayout) else ():
                number, *beside = (catalogue[key] for key in line.keys)
                assert len(beside) <= 1, line
                assert all(rate.unit == "ratio" for rate in beside), line
                assert number.key not in {rate.key for rate in beside}
