"""The report "User activities": opens, clicks and transactions per bin, in a row or laid over one day or one week."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from msgtrack.events import Click, Open, Transaction
from msgtrack.metrics._indicator import METRICS_PAGE, Indicator
from msgtrack.metrics._messages import untagged
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_rows
from msgtrack.metrics._time import bin_start, local

__all__ = ["INDICATORS"]

_HOUR = 3600
_DAY = 86400
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _slots(scope: Scope) -> Iterator[tuple[datetime, Counter[str]]]:
    """The moments of slots in order, each with its reactions by kind."""
    slots: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for delivery in scope.counts.deliveries.values():
        for kind in (Open.kind, Click.kind, Transaction.kind):
            for of_link in delivery.slots.get(kind, {}).values():
                for slot, times in of_link.items():
                    slots[slot][kind] += times
    return ((datetime.fromtimestamp(slot, UTC), slots[slot]) for slot in sorted(slots))


def _by_bin(scope: Scope) -> dict[str, Sums]:
    bins: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for at, rows in _slots(scope):
        bins[bin_start(at, scope.bin_seconds or _HOUR, scope.zone).isoformat()].update(rows)
    return {start: of_rows(rows, scope) for start, rows in bins.items()}


def _by_time(scope: Scope) -> dict[str, Sums]:
    width = scope.bin_seconds or _HOUR
    times = {f"{start // _HOUR:02}:{start % _HOUR // 60:02}": Counter[str]() for start in range(0, _DAY, width)}
    for at, rows in _slots(scope):
        times[bin_start(at, width, scope.zone).strftime("%H:%M")].update(rows)
    return {name: of_rows(rows, scope) for name, rows in times.items()}


def _by_weekday(scope: Scope) -> dict[str, Sums]:
    days = {name: Counter[str]() for name in _WEEK}
    for at, rows in _slots(scope):
        days[_WEEK[local(at, scope.zone).weekday()]].update(rows)
    return {name: of_rows(rows, scope) for name, rows in days.items()}


_per_bin = partial(
    Indicator,
    report="User activities",
    unit="count",
    groupings=("bin", "day", "time", "weekday", "delivery"),
    cuts={"bin": _by_bin, "time": _by_time, "weekday": _by_weekday},
    inputs=("Event.kind", "Event.occurred_at"),
    sources=(METRICS_PAGE, "v8 reporting/global-reports"),
)
_NOTES = "Bins do not cumulate and are an hour wide unless said otherwise; `time` and `weekday` lay all days over one, in full."

INDICATORS: tuple[Indicator, ...] = (
    _per_bin(
        key="user_activities_opens",
        label="Opens",
        field="@opens",
        formula="sum(S.total_clicks, url_id == 1) per bin",
        measure=lambda s: s.total_recipient_open,
        notes=f"{_NOTES} Text messages show no opens.",
        caveats=("image-loads",),
    ),
    _per_bin(
        key="user_activities_clicks",
        label="Clicks",
        field="@clicks",
        formula="sum(S.total_clicks, url.type == EMAIL_CLICK) per bin",
        measure=lambda s: s.total_recipient_click,
        notes=f"{_NOTES} Clicks on the links to unsubscribe and of the mirror page are not in.",
    ),
    _per_bin(
        key="user_activities_transactions",
        label="Transactions",
        field="@transactions",
        formula="sum(S.total_clicks, url.type == TRANSACTION) per bin",
        measure=lambda s: s.transaction,
        doubts=untagged,
        notes=f"{_NOTES} Needs tagged web pages.",
        sources=(METRICS_PAGE,),
    ),
)
