"""Bins cut the line of time without gap or overlap, in every zone and whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgtrack._borders import zone_of
from msgtrack.errors import InvalidOption, NaiveDatetime
from msgtrack.metrics._time import (
    BIN_SECONDS,
    PERIODS,
    WINDOWS,
    bin_end,
    bin_start,
    bins,
    local,
    month_start,
    since_launch,
    week_start,
)

ZONES = st.sampled_from(sorted(available_timezones())).map(zone_of)
# From 1970 on: slots before have no zone's rules to speak of.
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2036, 12, 1), timezones=st.just(UTC))
PARIS = ZoneInfo("Europe/Paris")
HAVANA = ZoneInfo("America/Havana")
SAMOA = ZoneInfo("Pacific/Apia")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


@given(MOMENTS, st.sampled_from(BIN_SECONDS), ZONES)
@example(datetime(2026, 3, 29, 0, 0, tzinfo=UTC), 3600, PARIS)
@example(datetime(2026, 3, 29, 1, 30, tzinfo=UTC), 10800, PARIS)
@example(datetime(2026, 11, 1, 4, 30, tzinfo=UTC), 10800, HAVANA)
@example(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 3600, PARIS)
@example(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), 10800, PARIS)
@example(datetime(2011, 12, 30, 9, 59, tzinfo=UTC), 86400, SAMOA)
@example(datetime(2026, 4, 4, 14, 50, tzinfo=UTC), 3600, LORD_HOWE)
def test_a_moment_lies_in_one_bin(at: datetime, seconds: int, zone: tzinfo) -> None:
    start, end = bin_start(at, seconds, zone), bin_end(at, seconds, zone)
    assert start.astimezone(UTC) <= at < end.astimezone(UTC)
    assert bin_start(start.astimezone(UTC), seconds, zone) == start
    assert bin_start(end.astimezone(UTC), seconds, zone) == end
    assert bin_start(end.astimezone(UTC) - timedelta(microseconds=1), seconds, zone).isoformat() == start.isoformat()


@given(MOMENTS, st.integers(0, 200), st.sampled_from(BIN_SECONDS), ZONES)
def test_bins_meet(first: datetime, hours: int, seconds: int, zone: tzinfo) -> None:
    last = first + min(timedelta(hours=hours), timedelta(seconds=seconds * 100))
    found = list(bins(first, last, seconds, zone))
    assert found[0][0].astimezone(UTC) <= first
    assert found[-1][0].astimezone(UTC) <= last < found[-1][1].astimezone(UTC)
    for (_, end), (start, _) in pairwise(found):
        assert end.astimezone(UTC) == start.astimezone(UTC)
    names = [start.isoformat() for start, _ in found]
    assert len(set(names)) == len(names)


def test_days_of_changing_clocks_have_23_and_25_hours() -> None:
    spring, autumn = datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC)
    for at, hours in ((spring, 23), (autumn, 25)):
        start, end = bin_start(at, 86400, PARIS), bin_end(at, 86400, PARIS)
        assert (start.hour, end.hour) == (0, 0)
        assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=hours)
    twice = list(bins(datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 2, tzinfo=UTC), 3600, PARIS))
    assert [start.isoformat()[11:] for start, _ in twice] == [
        "00:00:00+02:00",
        "01:00:00+02:00",
        "02:00:00+02:00",
        "02:00:00+01:00",
        "03:00:00+01:00",
    ]


def test_the_first_and_last_moments_of_the_calendar_have_bins() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for zone in (PARIS, ZoneInfo("America/New_York"), UTC):
        assert bin_start(first, 300, zone).isoformat()
        assert bin_start(last, 300, zone).isoformat()


@pytest.mark.parametrize("seconds", [0, 1, 7200, -300, True, "300", None])
def test_other_widths_are_refused(seconds: object) -> None:
    with pytest.raises(InvalidOption, match="bin_seconds"):
        bin_start(datetime(2026, 3, 1, tzinfo=UTC), seconds, UTC)  # type: ignore[arg-type]  # the point of the test


@given(ZONES.flatmap(lambda zone: st.tuples(st.just(zone), MOMENTS)), st.sampled_from([3600, 10800, 86400]))
@example((HAVANA, datetime(2026, 11, 1, 3, tzinfo=UTC)), 10800)
def test_later_moments_lie_in_no_earlier_bin(place: tuple[tzinfo, datetime], seconds: int) -> None:
    zone, at = place
    moments = [at + timedelta(minutes=30 * step) for step in range(12)]
    starts = [bin_start(moment, seconds, zone).astimezone(UTC) for moment in moments]
    assert starts == sorted(starts)


def test_windows_begin_with_the_launch_and_end_before_their_end() -> None:
    launch = datetime(2026, 3, 1, 10, tzinfo=PARIS)
    assert since_launch(launch, "all") == (None, None)
    assert since_launch(launch, "6h") == (datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 3, 1, 15, tzinfo=UTC))
    assert since_launch(launch, "30d")[1] == datetime(2026, 3, 31, 9, tzinfo=UTC)
    last = datetime.max.replace(tzinfo=UTC)
    assert since_launch(last, "6h") == (last, None)
    assert list(WINDOWS) == ["all", "6h", "24h", "3d", "7d", "30d"]
    with pytest.raises(InvalidOption, match="window"):
        since_launch(launch, "5h")
    with pytest.raises(NaiveDatetime):
        since_launch(datetime(2026, 3, 1), "6h")  # the point of the test


def test_windows_and_periods_are_as_long_as_their_names_say() -> None:
    hours = {"6h": 6, "24h": 24, "3d": 72, "7d": 168, "30d": 720}
    assert {name: length and length / timedelta(hours=1) for name, length in WINDOWS.items()} == {"all": None, **hours}
    days = {"24 h": 1, "48 h": 2, "1 week": 7, "2 weeks": 14, "1 month": 30, "6 months": 183}
    assert {name: length / timedelta(days=1) for name, length in PERIODS.items()} == days
    assert [seconds / 60 for seconds in BIN_SECONDS] == [5, 10, 30, 60, 180, 1440]


def test_wrong_widths_and_weekdays_are_answered_with_the_right_ones() -> None:
    with pytest.raises(InvalidOption, match=r"^bin_seconds=60 is not one of: 300, 600, 1800, 3600, 10800, 86400$"):
        bin_start(datetime(2026, 3, 1, tzinfo=UTC), 60, UTC)
    with pytest.raises(InvalidOption, match=r"^first_weekday=7 is not one of: 0 \(Monday\) to 6 \(Sunday\)$"):
        week_start(date(2026, 3, 1), 7)


def test_where_the_calendar_ends_before_the_zone_does_the_moment_stays_in_utc() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert local(last, PARIS).isoformat() == last.isoformat()
    assert local(datetime(2026, 3, 1, tzinfo=UTC), PARIS).isoformat() == "2026-03-01T01:00:00+01:00"
    with pytest.raises(OverflowError):
        bin_end(last, 86400, UTC)


def test_a_bin_that_a_clock_cuts_at_odd_seconds_ends_all_the_same() -> None:
    # Clocks in Monrovia went from 00:00:00 to 00:44:30 on 7 January 1972.
    zone = ZoneInfo("Africa/Monrovia")
    end = bin_end(datetime(1972, 1, 7, 0, 39, 30, tzinfo=UTC), 300, zone)
    assert end == datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC)
    assert end.tzinfo is zone


def test_a_bin_that_comes_again_in_part_ends_where_the_next_begins() -> None:
    # Clocks in Jerusalem went back by 20 minutes and 40 seconds at the end of 1917, to 23:39:20.
    zone = ZoneInfo("Asia/Jerusalem")
    for seconds in (300, 600):
        end = bin_end(datetime(1917, 12, 31, 21, 39, 20, tzinfo=UTC), seconds, zone)
        assert end.isoformat() == "1917-12-31T23:40:00+02:00"


@given(st.dates(date(1, 1, 9)), st.integers(0, 6))
def test_weeks_begin_on_their_first_day(day: date, first_weekday: int) -> None:
    start = week_start(day, first_weekday)
    assert start.weekday() == first_weekday
    assert 0 <= (day - start).days < 7


def test_week_starts_and_month_starts() -> None:
    assert week_start(date(2026, 3, 1)) == date(2026, 2, 23)
    assert week_start(date(2026, 3, 1), 6) == date(2026, 3, 1)
    assert month_start(date(2026, 2, 28)) == date(2026, 2, 1)
    for wrong in (7, -1, True, "1"):
        with pytest.raises(InvalidOption, match="first_weekday"):
            week_start(date(2026, 3, 1), wrong)  # type: ignore[arg-type]  # the point of the test
