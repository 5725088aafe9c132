"""The report "Statistics on sharing activities": new contacts, opens and shares, month by month.

Months are those of the table's zone, ``2026-03``. New contacts that do not say when they came stand in a last row, named "".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, tzinfo
from functools import partial

from msgtrack.counts import CLICK_ROW_KINDS, DeliveryCounts
from msgtrack.events import Open
from msgtrack.metrics._indicator import METRICS_PAGE, Indicator
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_numbers
from msgtrack.metrics._time import local
from msgtrack.metrics.sharing import SHARE_NETWORKS, no_icons

__all__ = ["INDICATORS"]

_UNDATED = -1
_NO_MONTH = ""
_NAMES = ("contacts", "opens", "shares")


def _month(slot: int, zone: tzinfo) -> str:
    if slot == _UNDATED:
        return _NO_MONTH
    return local(datetime.fromtimestamp(slot, UTC), zone).date().isoformat()[:7]


def _shares(delivery: DeliveryCounts) -> Counter[int]:
    """Clicks on sharing links by slot."""
    slots: Counter[int] = Counter()
    for kind in CLICK_ROW_KINDS:
        for link_id, times in delivery.slots.get(kind, {}).items():
            link = delivery.links.get(link_id)
            if link is not None and link.category in SHARE_NETWORKS:
                slots.update(times)
    return slots


def _opens(delivery: DeliveryCounts) -> Counter[int]:
    slots: Counter[int] = Counter()
    for times in delivery.slots.get(Open.kind, {}).values():
        slots.update(times)
    return slots


def _by_month(scope: Scope) -> dict[str, Sums]:
    months: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for delivery in scope.counts.deliveries.values():
        for name, slots in (
            ("contacts", delivery.new_contacts),
            ("opens", _opens(delivery)),
            ("shares", _shares(delivery)),
        ):
            for slot, times in slots.items():
                months[_month(slot, scope.zone)][name] += times
    order = sorted(months, key=lambda month: (month == _NO_MONTH, month))
    return {month: of_numbers(scope, **{name: months[month][name] for name in _NAMES}) for month in order}


def _contacts(s: Sums) -> int:
    if s.numbers:
        return int(s["contacts"] or 0)
    return sum(sum(delivery.new_contacts.values()) for delivery in s.counts.deliveries.values())


def _no_visitors(s: Sums) -> tuple[str, ...]:
    return () if any(delivery.visitors for delivery in s.counts.deliveries.values()) else ("no-data",)


def _opened(s: Sums) -> int:
    return int(s["opens"] or 0) if s.numbers else s.total_recipient_open


def _shared(s: Sums) -> int:
    if s.numbers:
        return int(s["shares"] or 0)
    return sum(s.share_clicks.get(network, 0) for network in SHARE_NETWORKS)


_count = partial(
    Indicator,
    report="Statistics on sharing activities",
    unit="count",
    groupings=("month",),
    cuts={"month": _by_month},
    caveats=("reading",),
)
_BOTH_PAGES = (METRICS_PAGE, "v8 reporting/global-reports")

INDICATORS: tuple[Indicator, ...] = (
    _count(
        key="sharing_new_contacts",
        label="New contacts",
        field="@newContacts",
        formula="count(visitors, recipient_id != 0)",
        measure=_contacts,
        doubts=_no_visitors,
        inputs=("Visitor.recipient_id", "Visitor.created_at"),
        notes="People whom a shared message reached and who are recipients now, through whatever network.",
        sources=_BOTH_PAGES,
    ),
    _count(
        key="sharing_opens",
        label="Opens",
        field="@opened",
        formula="count(L, url.type == OPEN)",
        measure=_opened,
        inputs=("Event.kind",),
        notes="All opens of the message, those of its own recipients included.",
        sources=_BOTH_PAGES,
        caveats=("reading", "image-loads"),
    ),
    _count(
        key="sharing_shares",
        label="Shares",
        field="@shared",
        formula="sum(S.total_clicks, url.category in SHARE_NETWORKS)",
        measure=_shared,
        doubts=no_icons,
        inputs=("Event.link_id", "TrackedLink.category"),
        notes="Clicks on the sharing icons of all networks together.",
    ),
)
