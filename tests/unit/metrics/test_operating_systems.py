"""Operating systems: the days that the averages are taken over. The formulas stand with those of browsers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from msgtrack.events import Click
from msgtrack.metrics import Table, indicators
from msgtrack.model import Client, Delivery

CLICKS = [
    Click(
        occurred_at=datetime(2026, 3, day, 12, tzinfo=UTC),
        delivery_id="1",
        source_id="s",
        client=Client(os="Linux", browser="Firefox"),
    )
    for day in (10, 12)
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def days(since: str | None, until: str | None, zone: str = "UTC") -> Table:
    return indicators.from_events(
        Delivery(id="1"),
        [],
        [],
        CLICKS,
        since=None if since is None else at(since),
        until=None if until is None else at(until),
        zone=zone,
    )


@pytest.mark.parametrize(
    ("since", "until", "zone", "expected"),
    [
        (None, None, "UTC", 3),
        ("2026-03-01T00:00Z", None, "UTC", 12),
        (None, "2026-04-01T00:00Z", "UTC", 22),
        ("2026-03-01T00:00Z", "2026-04-01T00:00Z", "UTC", 31),
        ("2026-03-01T00:00Z", "2026-04-01T00:00:00.000001Z", "UTC", 32),
        ("2026-02-28T23:59Z", "2026-04-01T00:00Z", "UTC", 32),
        ("2026-03-01T00:00Z", "2026-04-01T00:00Z", "Europe/Paris", 32),
        ("2026-02-28T23:00Z", "2026-03-31T22:00Z", "Europe/Paris", 31),
        ("2026-03-10T00:00Z", "2026-03-11T00:00Z", "UTC", 1),
        ("0001-01-01T00:00Z", "0001-01-02T00:00Z", "UTC", 1),
    ],
)
def test_days_are_those_that_the_window_touches(since: str | None, until: str | None, zone: str, expected: int) -> None:
    value = days(since, until, zone)["os_visitors"]
    assert value.denominator == expected
    assert value.value == (value.numerator or 0) / expected


def test_a_window_that_is_empty_has_no_average() -> None:
    value = days("2026-03-11T00:00Z", "2026-03-01T00:00Z")["os_pages"]
    assert (value.value, value.numerator, value.denominator) == (None, 0, 0)
    assert "no-denominator" in value.caveats


@pytest.mark.parametrize("open_end", ["since", "until"])
def test_a_window_open_at_one_end_without_statistics_has_no_days(open_end: str) -> None:
    bound: dict[str, Any] = {open_end: datetime(2026, 3, 1, tzinfo=UTC)}
    value = indicators.from_events(Delivery(id="1"), [], [], [], **bound)["os_visitors"]
    assert (value.value, value.numerator, value.denominator) == (None, 0, 0)


def test_the_first_moment_of_the_calendar_is_no_error() -> None:
    assert days("0001-01-01T00:00Z", "0001-01-01T00:00Z")["os_visitors"].denominator == 1


def test_a_window_without_visits_is_zero_and_says_that_nobody_may_have_measured() -> None:
    value = days("2026-05-01T00:00Z", "2026-05-03T00:00Z")["os_visitors"]
    assert (value.value, value.numerator, value.denominator) == (0.0, 0, 2)
    assert "no-data" in value.caveats


@pytest.mark.parametrize(
    ("since", "until", "zone", "is_split"),
    [
        (None, None, "UTC", False),
        ("2026-03-10T00:00Z", "2026-03-13T00:00Z", "UTC", False),
        ("2026-03-10T00:00Z", "2026-03-13T00:00Z", "Europe/Paris", True),
        ("2026-03-09T23:00Z", "2026-03-12T23:00Z", "Europe/Paris", False),
        ("2026-03-10T00:00Z", "2026-03-12T13:00Z", "UTC", True),
        ("2026-03-10T06:00Z", None, "UTC", True),
    ],
)
def test_a_window_that_cuts_a_day_says_so(since: str | None, until: str | None, zone: str, is_split: bool) -> None:
    table = days(since, until, zone)
    for key in ("os_visitors", "os_pages"):
        assert ("partial-window" in table[key].caveats) == is_split
        assert "choice" in table[key].caveats
    assert "partial-window" not in table["os_usage_rate"].caveats
    assert "partial-window" not in table["browser_visitors"].caveats


def test_the_rows_of_days_are_averages_over_one_day() -> None:
    rows = days("2026-03-01T00:00Z", "2026-04-01T00:00Z").series("os_visitors", by="day")
    assert {day: (value.value, value.denominator) for day, value in rows.items()} == {
        "2026-03-10": (1.0, 1),
        "2026-03-12": (1.0, 1),
    }
    by_os = days("2026-03-01T00:00Z", "2026-04-01T00:00Z").series("os_visitors", by="os")
    assert by_os["Linux"].denominator == 31
