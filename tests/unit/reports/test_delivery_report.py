"""What the public functions take and refuse, and what a report of a well-known delivery holds."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from msgtrack.errors import InvalidOption, InvalidValue, MissingExtra, NaiveDatetime, NotSupported
from msgtrack.events import Click, Open, Transaction
from msgtrack.metrics import catalogue
from msgtrack.model import Delivery, Message, TrackedLink, Verdict
from msgtrack.protocols import Store
from msgtrack.reports import FRAGMENTS, Report, delivery_report, recipient_report
from msgtrack.storage import open_store

LAUNCH = datetime(2026, 3, 3, 8, tzinfo=UTC)
NOW = datetime(2026, 3, 7, 9, 30, tzinfo=UTC)


def small(*events: Any, **delivery: Any) -> Store:
    store = open_store("memory:")
    messages = [Message(id=str(n), delivery_id="1", address=f"{n}@gmail.com", status="sent") for n in range(4)]
    store.put([Delivery(id="1", **delivery), *messages])
    store.ingest(events)
    return store


def indicators_of(report: Report) -> dict[str, Any]:
    return {key: figure["value"] for key, figure in json.loads(report.json())["indicators"].items()}


def test_the_moment_must_be_given_and_aware(store: Store) -> None:
    assert inspect.signature(delivery_report).parameters["now"].default is inspect.Parameter.empty
    with pytest.raises(NaiveDatetime):
        delivery_report(store, delivery_id="spring", now=datetime(2026, 3, 7))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"zone": "Mars/Olympus"}, InvalidOption, "Mars/Olympus"),
        ({"language": "fr"}, InvalidOption, "language"),
        ({"audience": "cats"}, InvalidOption, "cats"),
        ({"content": object()}, NotSupported, "hot clicks"),
        ({"delivery_id": "nobody"}, InvalidValue, "nobody"),
        ({"delivery_id": ["a", "b"]}, InvalidValue, "id"),
        ({"since": datetime(2026, 3, 7)}, NaiveDatetime, "time zone"),
    ],
)
def test_what_is_refused(store: Store, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        delivery_report(store, **{"delivery_id": "spring", "now": NOW, **options})


def test_the_report_of_a_recipient_is_not_there_yet(store: Store) -> None:
    with pytest.raises(NotSupported, match="recipient"):
        recipient_report(store, recipient_id="r1", now=NOW)


def test_every_tracking_indicator_has_its_place(report: Report) -> None:
    shown = {figure.key for _, _, figure in report.data.figures()}
    wanted = {key for key, indicator in catalogue.items() if "Tracking indicators" in indicator.report}
    assert wanted <= shown
    assert {"total_recipient_open", "url_clicks", "url_clicks_percent"} <= shown


def test_the_persons_of_the_reference() -> None:
    """Reference 7.8, test vector 1: John, Marie, Florian and a friend, Henry without cookies."""
    at = LAUNCH + timedelta(hours=1)
    opens = [
        Open(occurred_at=at + timedelta(minutes=5 * n), delivery_id="1", message_id=m) for n, m in enumerate("1223")
    ]
    people = ["florian"] * 9 + ["friend"] * 2 + [f"henry-{n}" for n in range(4)]
    clicks = [
        Click(
            occurred_at=at + timedelta(minutes=7 * n),
            delivery_id="1",
            message_id="3" if who.startswith("henry") else "2",
            link_id="2",
            source_id=who,
        )
        for n, who in enumerate(people)
    ]
    report = delivery_report(small(*opens, *clicks, contact_at=LAUNCH), delivery_id=1, now=NOW)
    values = indicators_of(report)
    assert values["success"] == 4
    assert values["estimated_recipient_open"] == 3
    assert values["forward_estimate"] == 4
    text = report.text()
    for words in ("375.00 %", "150.00 %", "≈ 75.00 %", "≈ 100.00 %", "66.67 %"):
        assert words in text, words


def test_blocks_without_data_are_kept_from_people_but_not_from_programs(report: Report) -> None:
    assert "TRANSACTIONS" not in report.text()
    assert {"amount", "share_facebook"} <= indicators_of(report).keys()
    bought = Transaction(occurred_at=LAUNCH, delivery_id="1", message_id="1", amount="1234.50", article=3)
    shop = delivery_report(small(bought), delivery_id="1", now=NOW)
    assert "WEB PAGES AND TRANSACTIONS" in shop.text()
    assert "1,234.50" in shop.text()
    assert "1,234.50" in shop.fragment("indicators")
    assert indicators_of(shop)["amount"] == "1234.50"


def test_an_empty_delivery_gives_a_report_and_no_zero_where_nothing_is_defined() -> None:
    store = open_store("memory:")
    store.put([Delivery(id="1")])
    report = delivery_report(store, delivery_id="1", now=NOW)
    values = indicators_of(report)
    assert (values["success"], values["raw_reactivity"]) == (0, None)
    assert "Nothing was opened or clicked yet." in report.text()
    page = report.html()
    assert "Nothing was opened or clicked yet." in page
    assert "No link is tracked." in page
    assert "–" in report.fragment("summary")
    assert "<title>Delivery 1 – delivery report</title>" in page


def test_a_proof_says_that_it_counts_nowhere() -> None:
    report = delivery_report(small(is_proof=True), delivery_id="1", now=NOW)
    assert "count nowhere" in report.text()
    assert "This delivery is a proof or a template" in report.html()


def test_audience_and_window_choose_the_reactions_and_are_named() -> None:
    def opened(number: int, audience: str, hours: int) -> Open:
        return Open(
            occurred_at=LAUNCH + timedelta(hours=hours),
            delivery_id="1",
            message_id=str(number),
            verdict=Verdict(audience=audience),
        )

    store = small(opened(0, "human", 1), opened(1, "machine", 1), opened(2, "proxy", 2), opened(3, "human", 9))
    ask: dict[str, Any] = {"delivery_id": "1", "now": NOW}
    assert indicators_of(delivery_report(store, **ask))["recipient_open"] == 4
    people = delivery_report(store, **ask, audience=("human", "proxy"), until=LAUNCH + timedelta(hours=3))
    assert indicators_of(people)["recipient_open"] == 2
    assert "Audience: human, proxy. Period: until 3 March 2026, 11:00." in people.text()
    assert json.loads(people.json())["audience"] == ["human", "proxy"]
    assert "human, proxy" in people.html()


def test_a_link_that_nobody_registered_is_listed_as_such() -> None:
    strange = Click(occurred_at=LAUNCH, delivery_id="1", message_id="1", link_id="99", source_id="b")
    report = delivery_report(small(strange), delivery_id="1", now=NOW)
    assert "(not registered)" in report.text()
    assert "not registered" in report.fragment("links")
    (link,) = json.loads(report.json())["links"]
    assert (link["id"], link["is_registered"], link["indicators"]["url_clicks"]["value"]) == ("99", False, 1)


@pytest.mark.parametrize(
    ("reach", "bin_seconds"),
    [
        (timedelta(hours=2), 300),
        (timedelta(hours=20), 600),
        (timedelta(days=6), 3600),
        (timedelta(days=20), 10_800),
        (timedelta(days=90), 86_400),
    ],
)
def test_bins_follow_the_reach_of_the_curve(reach: timedelta, bin_seconds: int) -> None:
    first = Open(occurred_at=LAUNCH + timedelta(minutes=1), delivery_id="1", message_id="1")
    last = Open(occurred_at=LAUNCH + reach, delivery_id="1", message_id="2")
    report = delivery_report(small(first, last, contact_at=LAUNCH), delivery_id="1", zone="Asia/Tokyo", now=NOW)
    assert report.data.curve.bin_seconds == bin_seconds
    assert [point.opens.value for point in report.data.curve.points] == [1, 2]
    assert all(point.at.utcoffset() == timedelta(hours=9) for point in report.data.curve.points)


def test_text_shows_some_points_of_a_long_curve_and_always_the_last() -> None:
    opens = [Open(occurred_at=LAUNCH + timedelta(minutes=6 * n), delivery_id="1", message_id="1") for n in range(14)]
    report = delivery_report(small(*opens, contact_at=LAUNCH), delivery_id="1", now=NOW)
    lines = report.text().splitlines()
    start = next(n for n, line in enumerate(lines) if "7 of 14" in line)
    assert [line.split()[-2:] for line in lines[start + 2 : start + 9]] == [[str(n), "0"] for n in range(2, 15, 2)]


def test_a_title_is_found_whatever_was_filled_in() -> None:
    for facts, title in (
        ({"label": "L", "internal_name": "N"}, "L"),
        ({"internal_name": "N"}, "N"),
        ({}, "Delivery 1"),
    ):
        assert delivery_report(small(**facts), delivery_id="1", now=NOW).text().splitlines()[0] == title


def test_unknown_fragments_name_those_there_are(report: Report) -> None:
    with pytest.raises(InvalidOption) as caught:
        report.fragment("curves")
    assert all(name in str(caught.value) for name in FRAGMENTS)


@pytest.mark.parametrize("width", [59, 0, -1, True, "100"])
def test_a_width_that_holds_no_table_is_refused(report: Report, width: Any) -> None:
    with pytest.raises(InvalidOption, match="60"):
        report.text(width=width)


@pytest.mark.parametrize("package", ["jinja2", "altair"])
def test_a_missing_extra_is_named(report: Report, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for module in ("html", "charts"):
        monkeypatch.delitem(sys.modules, f"msgtrack.reports.{module}", raising=False)
        monkeypatch.delattr(f"msgtrack.reports.{module}", raising=False)
    with pytest.raises(MissingExtra, match=r"msgtrack\[reports\]"):
        report.html()


def test_nothing_of_the_extra_is_imported_before_it_is_needed() -> None:
    code = "import sys, msgtrack.reports; print(sorted({'jinja2', 'altair', 'vl_convert', 'markupsafe'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_links_of_one_delivery_only() -> None:
    store = small(Click(occurred_at=LAUNCH, delivery_id="1", message_id="1", link_id="2", source_id="b"))
    store.put([TrackedLink(delivery_id="1", id="2", url="https://a.example/"), Delivery(id="2")])
    store.put([TrackedLink(delivery_id="2", id="2", url="https://other.example/")])
    assert [link.url for link in delivery_report(store, delivery_id="1", now=NOW).data.links] == ["https://a.example/"]
