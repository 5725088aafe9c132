"""Reports of indicators as text, CSV and JSON: readable, aligned, and safe whatever labels hold."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption
from msgtrack.events import Click, Open
from msgtrack.metrics import IndicatorReport, indicator_report, layouts, report_from, report_records
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.reports.formats import width
from msgtrack.reports.tables import as_csv, as_json, as_text
from msgtrack.testing.strategies import World, texts, worlds

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def report_on(name: str, *, label: str = "Shop", variant: str = "A", **options: Any) -> IndicatorReport:
    messages = [
        Message(id=str(n), delivery_id="1", status="sent", address="a@gmail.com", variant=(variant, "B")[n % 2])
        for n in range(4)
    ]
    link = TrackedLink(delivery_id="1", id="2", url="https://x.example/", label=label)
    events = [
        Open(occurred_at=AT, delivery_id="1", message_id="1"),
        Click(occurred_at=AT, delivery_id="1", message_id="1", link_id="2", source_id="b"),
    ]
    return indicator_report.from_events(name, Delivery(id="1", to_deliver=4), messages, [link], events, **options)


def test_the_text_reads_like_a_table() -> None:
    shown = as_text(report_on("urls-and-click-streams"), width=80).split("\n\n")
    assert shown[0] == (
        "URLs and click streams\n"
        "======================\n"
        "Delivery 1\n"
        "Audience: all. Period: all reactions so far. Times in UTC."
    )
    assert shown[2] == (
        "CLICKS BY LABEL\n"
        "              Clicks         %\n"
        "Shop               1  100.00 %\n"
        "Total              1  100.00 %"
    )
    assert shown[-1].splitlines()[0].startswith("[estimate] No measurement")
    assert "[estimate]" not in as_text(report_on("urls-and-click-streams"), with_caveats=False)


def test_the_head_says_what_was_asked_for() -> None:
    shown = as_text(
        report_on("top-links", since=AT, until=NOW, now=NOW, zone="Europe/Paris", audiences=("all", ("human", "proxy")))
    )
    assert "Audience: all | human, proxy." in shown
    assert "from 1 March 2026, 09:00 until 2 March 2026, 01:00." in " ".join(shown.split())
    assert "As of 2 March 2026, 01:00. Times in Europe/Paris." in " ".join(shown.split())


def test_audiences_stand_under_one_another() -> None:
    shown = as_text(report_on("tracking-indicators", audiences=("all", "human")))
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "Recipient clicks all 1 25.00 %" in lines
    assert "Recipient clicks human 0 0.00 %" in lines
    assert "Gmail all 4 0 0.00 % 1 25.00 % 1 25.00 % 100.00 %" in lines


def test_an_empty_block_says_so() -> None:
    assert "BY MOBILE" not in as_text(report_on("web-applications"))
    assert "LOST AFTER EACH STEP\nNothing of the kind." in as_text(report_on("web-applications"))


def test_a_proof_says_that_it_counts_nowhere() -> None:
    report = indicator_report.from_events("top-links", Delivery(id="1", is_proof=True), [], [], [])
    assert report.is_left_out
    assert "Every delivery asked for is a proof" in as_text(report)


@given(
    world=worlds().filter(lambda world: world.deliveries),
    name=st.sampled_from(list(layouts)),
    columns=st.integers(60, 160),
)
@settings(max_examples=60)
def test_every_report_fits(world: World, name: str, columns: int) -> None:
    options: dict[str, Any] = {} if name == "opens-interval" else {"audiences": ("all", "human")}
    report = indicator_report.from_events(
        name, world.deliveries, world.messages, world.links, world.events, facts=world.facts, now=NOW, **options
    )
    assert max(map(width, as_text(report, width=columns).splitlines())) <= columns
    assert report_from(json.loads(as_json(report))) == report
    found = list(csv.DictReader(io.StringIO(as_csv(report), newline="")))
    assert len(found) == len(list(report_records(report)))


@given(label=texts(), variant=texts(max_size=20))
@settings(max_examples=60)
def test_foreign_text_is_shown_and_not_obeyed(label: str, variant: str) -> None:
    for name in ("hot-clicks", "urls-and-click-streams", "variants"):
        report = report_on(name, label=label, variant=variant)
        shown = as_text(report)
        unseen = {character for character in shown if unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs")}
        assert unseen <= {"\n", "\u200c", "\u200d"}
        shown.encode()
        as_csv(report).encode()
        assert as_json(report).isascii()


def test_a_spreadsheet_runs_nothing() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(report_on("urls-and-click-streams", label='=HYPERLINK("x")')))))
    names = {row["row"] for row in rows if row["block"] == "by-label"}
    assert names == {'\'=HYPERLINK("x")', "Total"}
    (forwards,) = [
        row
        for row in csv.DictReader(io.StringIO(as_csv(report_on("tracking-indicators"))))
        if row["key"] == "forward_rate"
    ]
    assert forwards["value"] == "0.0"
    assert forwards["estimated"] == "true"


@pytest.mark.parametrize("columns", [59, True, "80", 60.0])
def test_a_width_that_is_none(columns: Any) -> None:
    with pytest.raises(InvalidOption, match="width="):
        as_text(report_on("top-links"), width=columns)
