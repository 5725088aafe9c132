"""The report "Delivery throughput": bins of the clock, of which some are longer than others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import localcontext
from typing import Any

import pytest

from msgtrack.metrics import Table, indicators
from msgtrack.model import Delivery, Message

LAUNCH = datetime(2026, 3, 1, 10, tzinfo=UTC)


def table_of(*moments: datetime | None, zone: str = "UTC", launch: datetime | None = LAUNCH, **fields: Any) -> Table:
    messages = [
        Message(id=str(n), delivery_id="1", event_at=at, **{"status": "sent", "size_bytes": 1000, **fields})
        for n, at in enumerate(moments)
    ]
    return indicators.from_events(Delivery(id="1", contact_at=launch), messages, [], [], zone=zone)


def per_hour(table: Table, by: str = "bin", **options: Any) -> dict[str, object]:
    return {name: v.value for name, v in table.series("throughput_messages_per_hour", by=by, **options).items()}


def test_a_whole_hour_has_its_messages_over_its_hours() -> None:
    table = table_of(LAUNCH, LAUNCH + timedelta(minutes=59), LAUNCH + timedelta(minutes=61))
    series = table.series("throughput_messages_per_hour", by="bin", bin_seconds=3600)
    assert [(v.numerator, v.denominator) for v in series.values()] == [(2, 1), (1, 1)]
    series = table.series("throughput_messages_per_hour", by="bin", bin_seconds=10800)
    assert [(v.numerator, v.denominator) for v in series.values()] == [(3, 3)]


def test_five_minutes_count_twelvefold() -> None:
    value = table_of(LAUNCH).series("throughput_messages_per_hour", by="bin", bin_seconds=300)[LAUNCH.isoformat()]
    assert (value.value, value.numerator, value.denominator) == (12.0, 12, 1)
    bits = table_of(LAUNCH).series("throughput_bits_per_second", by="bin", bin_seconds=300)[LAUNCH.isoformat()]
    assert (bits.numerator, bits.denominator) == (8000, 300)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(datetime(2026, 3, 29, 10, tzinfo=UTC), 23), (datetime(2026, 10, 25, 10, tzinfo=UTC), 25), (LAUNCH, 24)],
)
def test_a_day_in_which_clocks_change_is_as_long_as_it_was(day: datetime, hours: int) -> None:
    series = table_of(day, zone="Europe/Paris").series("throughput_messages_per_hour", by="bin", bin_seconds=86400)
    (value,) = series.values()
    assert (value.numerator, value.denominator) == (1, hours)


def test_an_hour_that_comes_twice_is_two_bins() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    table = table_of(first, first + timedelta(hours=1), zone="Europe/Paris")
    assert per_hour(table, bin_seconds=3600) == {"2026-10-25T02:00:00+02:00": 1.0, "2026-10-25T02:00:00+01:00": 1.0}


def test_the_width_follows_the_time_since_launch() -> None:
    def width(**since: float) -> timedelta:
        series = table_of(LAUNCH, LAUNCH + timedelta(**since)).series("throughput_bits_per_second", by="bin")
        return timedelta(seconds=int(next(iter(series.values())).denominator or 0))

    assert width(hours=2) == timedelta(minutes=5)
    assert width(hours=20) == timedelta(minutes=10)
    assert width(days=6) == timedelta(hours=1)
    assert width(days=8) == timedelta(days=1)


def test_successes_and_errors_stand_in_the_same_bins() -> None:
    messages = [
        Message(id="1", delivery_id="1", status="sent", event_at=LAUNCH),
        Message(id="2", delivery_id="1", status="failed", event_at=LAUNCH + timedelta(hours=1)),
        Message(id="3", delivery_id="1", status="pending", event_at=LAUNCH + timedelta(hours=2)),
        Message(id="4", delivery_id="1", status="sent", event_at=LAUNCH + timedelta(hours=3), is_seed=True),
    ]
    table = indicators.from_events(Delivery(id="1"), messages, [], [])
    starts = ["2026-03-01T10:00:00+00:00", "2026-03-01T11:00:00+00:00"]
    assert per_hour(table, "bin-success", bin_seconds=3600) == dict(zip(starts, [1.0, 0.0], strict=True))
    assert per_hour(table, "bin-error", bin_seconds=3600) == dict(zip(starts, [0.0, 1.0], strict=True))
    assert per_hour(table, bin_seconds=3600) == dict.fromkeys(starts, 1.0)


def test_over_everything_it_goes_from_the_first_five_minutes_to_the_end_of_the_last() -> None:
    value = table_of(LAUNCH, LAUNCH + timedelta(minutes=57))["throughput_messages_per_hour"]
    assert (value.value, value.numerator, value.denominator) == (2.0, 2, 1)


def test_messages_without_a_moment_stand_in_no_bin() -> None:
    table = table_of(None, LAUNCH)
    (value,) = table.series("throughput_messages_per_hour", by="bin").values()
    assert (value.value, value.caveats) == (12.0, ("undated",))
    silent = table_of(None)
    assert per_hour(silent) == {}
    assert silent["throughput_messages_per_hour"].value is None
    assert set(silent["throughput_messages_per_hour"].caveats) == {"no-data", "undated", "choice"}


def test_messages_without_a_size_count_as_nothing() -> None:
    value = table_of(LAUNCH, size_bytes=None)["throughput_bits_per_second"]
    assert (value.value, "unsized" in value.caveats) == (0.0, True)
    assert "unsized" not in table_of(LAUNCH)["throughput_bits_per_second"].caveats


def test_nothing_depends_on_how_others_compute_decimals() -> None:
    with localcontext() as context:
        context.prec = 1
        narrow = table_of(LAUNCH, LAUNCH, LAUNCH)
        assert per_hour(narrow) == {LAUNCH.isoformat(): 36.0}


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
@pytest.mark.parametrize("width", [300, 3600, 86400])
def test_the_ends_of_the_calendar_have_bins_too(year: int, zone: str, width: int) -> None:
    at = datetime(year, 1, 1, tzinfo=UTC) if year == 1 else datetime(year, 12, 31, 23, 59, tzinfo=UTC)
    table = table_of(at, zone=zone, launch=None)
    (value,) = table.series("throughput_messages_per_hour", by="bin", bin_seconds=width).values()
    assert value.value
    assert value.value > 0
