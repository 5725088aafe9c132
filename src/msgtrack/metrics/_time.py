"""Time in reports: bins aligned to local midnight, days, weeks and months of a zone, and windows after a launch.

Bins are half-open and cut the line of time without gap or overlap, whatever clocks do: a bin that holds a change of the
clock is shorter or longer than its width, and an hour that comes twice is two bins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from types import MappingProxyType

from dateutil.relativedelta import relativedelta

from msgtrack._borders import one_of, shown, utc
from msgtrack.errors import InvalidOption

__all__ = [
    "BIN_SECONDS",
    "PERIODS",
    "SIX_MONTHS",
    "WINDOWS",
    "bin_end",
    "bin_start",
    "bins",
    "local",
    "month_start",
    "since_launch",
    "week_start",
]

BIN_SECONDS = (300, 600, 1800, 3600, 10800, 86400)
"""The widths of bins, in seconds; each divides a day, so bins are aligned to local midnight."""

SIX_MONTHS = timedelta(days=183)

PERIODS: Mapping[str, timedelta] = MappingProxyType(
    {
        "24 h": timedelta(hours=24),
        "48 h": timedelta(hours=48),
        "1 week": timedelta(weeks=1),
        "2 weeks": timedelta(weeks=2),
        "1 month": timedelta(days=30),
        "6 months": SIX_MONTHS,
    }
)
"""The periods of subscription tracking (reference 7.5); each ends at the moment of the report."""

WINDOWS: Mapping[str, timedelta | None] = MappingProxyType(
    {
        "all": None,
        "6h": timedelta(hours=6),
        "24h": timedelta(hours=24),
        "3d": timedelta(days=3),
        "7d": timedelta(days=7),
        "30d": timedelta(days=30),
    }
)
"""The windows after a launch (reference 7.5)."""

_HOUR = 3600
_DAY = 86400


def since_launch(launch_at: datetime, window: str) -> tuple[datetime | None, datetime | None]:
    """``since`` and ``until`` of a window after a launch: ``all``, ``6h``, ``24h``, ``3d``, ``7d`` or ``30d``.

    ``all`` is no bound at all; the others begin with the launch. One that the calendar ends before has no end.

    >>> since_launch(datetime(2026, 3, 1, tzinfo=UTC), "6h")[1]
    datetime.datetime(2026, 3, 1, 6, 0, tzinfo=datetime.timezone.utc)

    Raises:
        InvalidOption: there is no such window.
        NaiveDatetime: the launch has no time zone.
    """
    length = WINDOWS[one_of("window", WINDOWS)(window)]
    at = utc(launch_at)
    if length is None:
        return None, None
    try:
        return at, at + length
    except OverflowError:
        return at, None


def local(at: datetime, zone: tzinfo) -> datetime:
    """A moment in the zone; in UTC where the calendar ends before the zone does."""
    # The first and last day of the calendar have no local time in every zone.
    with suppress(OverflowError):
        return at.astimezone(zone)
    return at.astimezone(UTC)


def bin_start(at: datetime, seconds: int, zone: tzinfo) -> datetime:
    """The start of the bin that a moment falls into, in the zone.

    Raises:
        InvalidOption: bins have no such width.
    """
    if seconds not in BIN_SECONDS:
        widths = ", ".join(map(str, BIN_SECONDS))
        raise InvalidOption(f"bin_seconds={shown(seconds)} is not one of: {widths}")
    there = local(at, zone)
    if seconds == _DAY:
        return there.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    minutes = there.hour * 60 + there.minute
    hour, minute = divmod(minutes - minutes % (seconds // 60), 60)
    # An hour that comes twice is two bins of an hour, but it may open one wider bin only.
    fold = there.fold if seconds <= _HOUR else 0
    return there.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=fold)


def bin_end(at: datetime, seconds: int, zone: tzinfo) -> datetime:
    """The end of the bin that a moment falls into, which is the start of the next one, in the zone.

    Raises:
        InvalidOption: bins have no such width.
        OverflowError: the calendar ends before the bin.
    """
    start = bin_start(at, seconds, zone)
    wall = start.replace(tzinfo=None, fold=0) + timedelta(seconds=seconds)
    steps = [wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    moments = [start.astimezone(UTC) + timedelta(seconds=seconds), *(step.astimezone(UTC) for step in steps)]
    for moment in sorted(moments):
        found = bin_start(moment, seconds, zone)
        if moment > at and found.astimezone(UTC) == moment:
            return found
    return local(moments[0], zone)


def bins(first: datetime, last: datetime, seconds: int, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of every bin from the one that holds ``first`` to the one that holds ``last``, in order.

    Raises:
        InvalidOption: bins have no such width.
    """
    at = first
    while at <= last:
        end = bin_end(at, seconds, zone)
        yield bin_start(at, seconds, zone), end
        at = end


def week_start(day: date, first_weekday: int = 0) -> date:
    """The first day of the week of a day; ``first_weekday``: 0 for Monday to 6 for Sunday.

    Raises:
        InvalidOption: there is no such weekday.
    """
    if isinstance(first_weekday, bool) or not isinstance(first_weekday, int) or not 0 <= first_weekday <= 6:
        raise InvalidOption(f"first_weekday={shown(first_weekday)} is not one of: 0 (Monday) to 6 (Sunday)")
    return day - timedelta(days=(day.weekday() - first_weekday) % 7)


def month_start(day: date) -> date:
    """The first day of the month of a day."""
    return day + relativedelta(day=1)
