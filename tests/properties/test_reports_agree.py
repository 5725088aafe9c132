"""Whatever happened, the page, the CSV, the JSON and the text of a report say what the table of indicators says.

Each rendering is read back by a reader that knows nothing of how it was written, and every number is compared. Printed
numbers are compared with a formatting of this file's own.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from html.parser import HTMLParser
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick, PageVisit, Transaction
from msgtrack.metrics import Table, Value, catalogue, indicators
from msgtrack.model import Audience, Delivery, Message, TrackedLink, Verdict
from msgtrack.protocols import Store
from msgtrack.reports import Report, delivery_report
from msgtrack.storage import open_store

LAUNCH = datetime(2026, 3, 27, 20, tzinfo=UTC)  # two days before the clocks change in Europe
NOW = datetime(2026, 4, 30, tzinfo=UTC)
DOMAIN_KEYS = (
    "sends",
    "complaints",
    "domain_complaint_rate",
    "recipient_open",
    "domain_open_rate",
    "recipient_click",
    "domain_click_rate",
    "raw_reactivity",
)
CURVES = ("tracking_statistics_opens", "tracking_statistics_clicks")

labels = st.one_of(
    st.sampled_from(["", "Shop", "Shop ", "<b>x</b>", "=1+1", "-5 %", "\x1b[31m", "東京", '"a","b"', "a\r\nb"]),
    st.text(max_size=12),
)
moments = st.builds(
    lambda days, minutes: LAUNCH + timedelta(days=days, minutes=minutes),
    st.sampled_from([-1, 0, 0, 0, 1, 2, 5, 20]),
    st.integers(0, 600),
)
messages = st.builds(
    dict,
    address=st.sampled_from(["a@gmail.com", "b@corp.example", "c@yahoo.fr"]),
    status=st.sampled_from(["sent", "sent", "sent", "failed", "pending", "ignored"]),
    failure_reason=st.sampled_from(["not_defined", "denylisted"]),
    format=st.sampled_from(["html", "html", "text"]),
    is_seed=st.sampled_from([False, False, False, True]),
)
links = st.builds(
    dict,
    label=labels,
    url=st.sampled_from(["https://a.example/", "https://b.example/?x=1"]),
    category=st.one_of(labels, st.sampled_from(["facebook", "email"])),
)
amounts = st.one_of(st.none(), st.decimals(-1000, 100_000, places=2))


@st.composite
def reactions(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from([Open, Open, Click, Click, MirrorPageView, OptOutClick, PageVisit, Transaction]))
    facts: dict[str, Any] = {
        "occurred_at": draw(moments),
        "delivery_id": "d",
        "message_id": draw(st.sampled_from([None, "0", "1", "2", "3"])),
        "source_id": draw(st.sampled_from([None, "x", "y"])),
        "verdict": Verdict(audience=draw(st.sampled_from(Audience))),
    }
    if kind is not Open:
        facts["link_id"] = draw(st.sampled_from(["2", "3", "4", "404"]))
    if kind is Transaction:
        facts |= {"amount": draw(amounts), "article": draw(st.one_of(st.none(), st.integers(0, 9)))}
    event: Event = kind(**facts)
    return event


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Store, dict[str, Any]]:
    store = open_store("memory:")
    sizes = st.one_of(st.none(), st.integers(0, 30))
    delivery = Delivery(
        id="d",
        label=draw(labels),
        contact_at=draw(st.sampled_from([None, LAUNCH])),
        to_deliver=draw(sizes),
        text=draw(sizes),
    )
    store.put(
        [
            delivery,
            *(
                Message(id=str(n), delivery_id="d", **facts)
                for n, facts in enumerate(draw(st.lists(messages, max_size=4)))
            ),
            *(
                TrackedLink(delivery_id="d", id=str(n + 2), **facts)
                for n, facts in enumerate(draw(st.lists(links, max_size=3)))
            ),
        ]
    )
    store.ingest(draw(st.lists(reactions(), max_size=25)))
    options = {
        "audience": draw(st.sampled_from(["all", "all", "human", ("human", "proxy")])),
        "since": draw(st.one_of(st.none(), moments)),
        "zone": draw(st.sampled_from(["UTC", "Europe/Paris", "Asia/Kathmandu", "America/St_Johns"])),
    }
    return store, options


def made(world: tuple[Store, dict[str, Any]]) -> tuple[Report, Table]:
    store, options = world
    return delivery_report(store, delivery_id="d", now=NOW, **options), indicators(store, "d", **options)


def scalars(table: Table) -> dict[str, Value]:
    keys = [key for key, indicator in catalogue.items() if "Tracking indicators" in indicator.report]
    only_by_domain = {"sends", "domain_complaint_rate", "domain_open_rate", "domain_click_rate"}
    return {key: table[key] for key in (*keys, "total_recipient_open") if key not in only_by_domain}


def bins(table: Table, report: Report, key: str) -> dict[str, Any]:
    series = table.series(key, by="bin", bin_seconds=report.data.curve.bin_seconds)
    return {name: value.value for name, value in series.items()}


def as_printed(value: Value, *, is_share: bool) -> str:
    if value.value is None:
        return "–"
    if value.unit == "count":
        text = f"{value.value:,}"
    else:
        exact = Decimal(value.numerator) / Decimal(value.denominator) if value.denominator else Decimal(value.value)
        rounded = (100 * exact if is_share else exact).quantize(Decimal("0.01"), ROUND_HALF_UP, Context(prec=60))
        text = f"{rounded or abs(rounded):,}{' %' if is_share else ''}"
    return f"≈ {text}" if value.estimated else text


def printed(key: str, value: Value) -> str:
    return as_printed(value, is_share=catalogue[key].is_share)


@given(worlds())
def test_json_says_what_the_table_says(world: tuple[Store, dict[str, Any]]) -> None:
    report, table = made(world)
    found = json.loads(report.json())

    def agree(figure: dict[str, Any], value: Value) -> None:
        for name in ("value", "numerator", "denominator"):
            number, expected = figure[name], getattr(value, name)
            assert (Decimal(number) if isinstance(number, str) else number) == expected
            assert isinstance(number, str) == isinstance(expected, Decimal)
        assert (figure["unit"], figure["estimated"]) == (value.unit, value.estimated)
        assert tuple(figure["caveats"]) == value.caveats

    assert found["indicators"].keys() == scalars(table).keys()
    for key, value in scalars(table).items():
        agree(found["indicators"][key], value)
    for key in DOMAIN_KEYS:
        series = table.series(key, by="domain")
        assert [row["domain"] for row in found["domains"]] == list(series)
        for row in found["domains"]:
            agree(row["indicators"][key], series[row["domain"]])
        agree(found["domains_total"][key], table[key])
    for key in ("url_clicks", "url_clicks_percent"):
        for by, rows, name in (("link", found["links"], "id"), ("label", found["labels"], "label")):
            series = table.series(key, by=by)
            assert [row[name] for row in rows] == list(series)
            for row in rows:
                agree(row["indicators"][key], series[row[name]])
    for key, name in zip(CURVES, ("opens", "clicks"), strict=True):
        assert {point["at"]: point[name] for point in found["curve"]["points"]} == bins(table, report, key)


@given(worlds())
def test_csv_says_what_the_table_says(world: tuple[Store, dict[str, Any]]) -> None:
    report, table = made(world)
    rows = list(csv.DictReader(io.StringIO(report.csv(), newline="")))
    numbers = [row for row in rows if row["unit"] != "text"]

    def agree(row: dict[str, str], value: Value) -> None:
        for name in ("value", "numerator", "denominator"):
            expected = getattr(value, name)
            assert (row[name] == "") == (expected is None)
            assert expected is None or type(expected)(row[name]) == expected
        assert (row["unit"], row["estimated"]) == (value.unit, str(value.estimated).lower())
        assert tuple(filter(None, row["caveats"].split("; "))) == value.caveats

    expected: list[tuple[str, Value]] = []
    ordered = [figure.key for section in report.data.sections for figure in section.figures]
    assert set(ordered) == scalars(table).keys()
    expected += [(key, table[key]) for key in ordered]
    by_domain = {key: table.series(key, by="domain") for key in DOMAIN_KEYS}
    expected += [(key, by_domain[key][name]) for name in by_domain["sends"] for key in DOMAIN_KEYS]
    expected += [(key, table[key]) for key in DOMAIN_KEYS]
    for by in ("link", "label"):
        clicks, shares = (table.series(key, by=by) for key in ("url_clicks", "url_clicks_percent"))
        expected += [
            pair for name in clicks for pair in (("url_clicks", clicks[name]), ("url_clicks_percent", shares[name]))
        ]
    curve = [table.series(key, by="bin", bin_seconds=report.data.curve.bin_seconds) for key in CURVES]
    expected += [(key, series[at]) for at in curve[0] for key, series in zip(CURVES, curve, strict=True)]
    assert [row["key"] for row in numbers] == [key for key, _ in expected]
    for row, (_, value) in zip(numbers, expected, strict=True):
        agree(row, value)
    assert [row["group"] for row in numbers if row["key"] == CURVES[0]] == list(curve[0])


class Cells(HTMLParser):
    """Every table as rows of cells; a cell is its attributes and its numbers: (value attribute or None, text)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[tuple[str, list[tuple[str | None, str]]]]]] = {}
        self.keyed: list[tuple[str, str | None, str]] = []
        self._rows: list[list[tuple[str, list[tuple[str | None, str]]]]] = []
        self._keys: list[tuple[str, str]] = []
        self._number: list[Any] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if tag == "table":
            self._rows = self.tables.setdefault(facts.get("data-table") or facts.get("data-section") or "", [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append((facts.get("datetime") or "", []))
        if "data-key" in facts:
            self._keys.append((tag, facts["data-key"] or ""))
        if tag == "time" and self._rows and self._rows[-1]:
            self._rows[-1][-1] = (facts["datetime"] or "", [])
        if tag == "data" or facts.get("class") == "msgtrack-none":
            self._number = [facts.get("value"), "", tag]

    def handle_data(self, data: str) -> None:
        if self._number is not None:
            self._number[1] += data

    def handle_endtag(self, tag: str) -> None:
        if self._number is not None and tag == self._number[2]:
            value, text, _ = self._number
            self._number = None
            if self._rows and self._rows[-1]:
                self._rows[-1][-1][1].append((value, text))
            if self._keys:
                self.keyed.append((self._keys[-1][1], value, text))
        if self._keys and self._keys[-1][0] == tag:
            self._keys.pop()

    def numbers(self, table: str) -> list[list[tuple[str | None, str]]]:
        """The numbers of each row that has any, in order."""
        rows = [[number for _, numbers in row for number in numbers] for row in self.tables.get(table, [])]
        return [row for row in rows if row]


def shown(key: str, value: Value) -> tuple[str | None, str]:
    return (None if value.value is None else str(value.value), printed(key, value))


@settings(max_examples=40)
@given(worlds())
def test_the_page_says_what_the_table_says(world: tuple[Store, dict[str, Any]]) -> None:
    report, table = made(world)
    # Drawings are compared with their numbers elsewhere, and take their time.
    with (
        mock.patch("msgtrack.reports.charts.curve", return_value=""),
        mock.patch("msgtrack.reports.charts.bars", return_value="<i></i>"),
    ):
        page = Cells(report.html())
    keyed = [key for key, _, _ in page.keyed]
    visible_keys = {figure.key for section in report.data.shown_sections for figure in section.figures}
    assert visible_keys | set(DOMAIN_KEYS) <= set(keyed)
    sections = {section.name for section in report.data.shown_sections}
    for section in report.data.sections:
        figures = [shown(figure.key, table[figure.key]) for figure in section.figures]
        found = [number for row in page.numbers(section.name) for number in row]
        assert found == (figures if section.name in sections else [])
    by_domain = {key: table.series(key, by="domain") for key in DOMAIN_KEYS}
    rows = [[shown(key, by_domain[key][name]) for key in DOMAIN_KEYS] for name in by_domain["sends"]]
    assert page.numbers("domains") == [*rows, [shown(key, table[key]) for key in DOMAIN_KEYS]]
    for by, name in (("link", "links"), ("label", "labels")):
        both = {key: table.series(key, by=by) for key in ("url_clicks", "url_clicks_percent")}
        rows = [[shown(key, series[group]) for key, series in both.items()] for group in both["url_clicks"]]
        assert page.numbers(name) == rows
    opens, clicks = (table.series(key, by="bin", bin_seconds=report.data.curve.bin_seconds) for key in CURVES)
    assert page.numbers("curve") == [[shown(CURVES[0], opens[at]), shown(CURVES[1], clicks[at])] for at in opens]
    assert [row[0][0] for row in page.tables.get("curve", [])[1:]] == list(opens)
    tiles = [(key, value, text) for key, value, text in page.keyed[: keyed.index("opt_out_rate") + 1]]
    assert tiles == [(key, *shown(key, table[key])) for key, _, _ in tiles]
    assert len(tiles) == 11


def lines_of(text: str, title: str) -> Iterator[str]:
    """The lines of a block of the text, up to the next empty one."""
    lines = iter(text.split("\n"))
    assert title in lines, title
    for line in lines:
        if not line:
            return
        yield line


@given(worlds())
def test_the_text_says_what_the_table_says(world: tuple[Store, dict[str, Any]]) -> None:
    report, table = made(world)
    text = report.text(width=200)
    for section in report.data.shown_sections:
        for line, row in zip(lines_of(text, section.title.upper()), section.lines, strict=True):
            cells = line.removeprefix(row.title).partition("[")[0].split("  ")
            assert [cell.strip() for cell in cells if cell.strip()] == [
                printed(f.key, table[f.key]) for f in row.figures
            ]
    _, *domains = lines_of(text, "BY INTERNET DOMAIN")
    by_domain = {key: table.series(key, by="domain") for key in DOMAIN_KEYS}
    rows = [(name, [by_domain[key][name] for key in DOMAIN_KEYS]) for name in by_domain["sends"]]
    for line, (name, values) in zip(domains, [*rows, ("Total", [table[key] for key in DOMAIN_KEYS])], strict=True):
        assert " ".join(line.split()) == " ".join([name, *map(printed, DOMAIN_KEYS, values)])
    clicks, shares = (table.series(key, by="link") for key in ("url_clicks", "url_clicks_percent"))
    _, *link_lines = lines_of(text, "LINKS")
    for line, link_id in zip(link_lines, clicks, strict=bool(clicks)):
        pair = f"{printed('url_clicks', clicks[link_id])} {printed('url_clicks_percent', shares[link_id])}"
        assert pair in " ".join(line.split())
    opens = list(table.series(CURVES[0], by="bin", bin_seconds=report.data.curve.bin_seconds).values())
    clicked = list(table.series(CURVES[1], by="bin", bin_seconds=report.data.curve.bin_seconds).values())
    if opens:
        *_, last = lines_of(text, "OPENS AND CLICKS OVER TIME, CUMULATED")
        assert last.split()[-2:] == [printed(CURVES[0], opens[-1]), printed(CURVES[1], clicked[-1])]
