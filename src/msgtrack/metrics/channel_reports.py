"""The report "Web UI SMS report" and "Web UI push report": clicks in channels other than email.

A report of a channel looks at the deliveries of its channel alone, whatever else was asked for with them.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgtrack.counts import MOBILE_CLICK, DeliveryCounts, distinct
from msgtrack.events import Click
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._messages import all_of, channel_of
from msgtrack.metrics._sums import Sums
from msgtrack.model import LinkType

__all__ = ["INDICATORS"]

_SMS = "sms"
_PUSH = frozenset({"push", "ios", "android"})
_MOBILE = LinkType.MOBILE_CLICK.name.lower()


def _short(sums: Sums) -> Iterator[DeliveryCounts]:
    return (delivery for delivery in sums.counts.deliveries.values() if channel_of(delivery) == _SMS)


def _sms_clicked(sums: Sums) -> int | None:
    clicked = [sum(domain.clicked for domain in delivery.domains.values()) for delivery in _short(sums)]
    return sum(clicked) if clicked else None


def _sms_success(sums: Sums) -> int:
    return sum(domain.success for delivery in _short(sums) for domain in delivery.domains.values())


def _unnamed_sms(sums: Sums) -> tuple[str, ...]:
    happened = any(delivery.rows(Click.kind) for delivery in _short(sums))
    return ("no-data",) if happened and not _sms_clicked(sums) else ()


def _push_clicked(sums: Sums) -> int:
    """Messages belong to one delivery each, so their distinct numbers add up over deliveries."""
    return sum(_notified(delivery) for delivery in sums.counts.deliveries.values())


def _notified(delivery: DeliveryCounts) -> int:
    if channel_of(delivery) in _PUSH:
        return sum(domain.clicked for domain in delivery.domains.values())
    mobile = delivery.groups.get("type", {}).get(_MOBILE)
    return 0 if mobile is None else distinct(mobile.reach, Click.kind)


def _unnamed_push(sums: Sums) -> tuple[str, ...]:
    happened = any(_notifications(delivery) for delivery in sums.counts.deliveries.values())
    return ("no-data",) if happened and not _push_clicked(sums) else ()


def _notifications(delivery: DeliveryCounts) -> int:
    if channel_of(delivery) in _PUSH:
        return delivery.rows(Click.kind)
    mobile = delivery.groups.get("type", {}).get(_MOBILE)
    return 0 if mobile is None else mobile.reactions.get(MOBILE_CLICK, 0)


def _no_push(sums: Sums) -> tuple[str, ...]:
    is_there = any(
        channel_of(delivery) in _PUSH or any(link.type is LinkType.MOBILE_CLICK for link in delivery.links.values())
        for delivery in sums.counts.deliveries.values()
    )
    return () if is_there else ("no-data",)


INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        key="sms_click_rate",
        label="Click-through rate (SMS)",
        report="Web UI SMS report",
        unit="ratio",
        formula="pct(recipient_click, success)",
        measure=_sms_clicked,
        over=_sms_success,
        doubts=_unnamed_sms,
        undefined="no-data",
        is_share=True,
        groupings=("delivery",),
        inputs=("recipient_click", "success", "Delivery.channel"),
        notes="Over deliveries of the channel `sms` alone; undefined without any.",
        sources=("web reporting/sms-report",),
        caveats=("choice",),
    ),
    Indicator(
        key="push_clicks",
        label="Clicks (push)",
        report="Web UI push report",
        unit="count",
        formula="count_distinct(L, broadlog_id, notification click)",
        measure=_push_clicked,
        doubts=all_of(_no_push, _unnamed_push),
        groupings=("delivery",),
        inputs=("Event.kind", "Event.message_id", "Delivery.channel", "TrackedLink.type"),
        notes="Distinct messages: any click in a delivery of the channel `push`, `ios` or `android`, and in others a click "
        "on a link that is registered as a mobile one.",
        sources=("web reporting/push-report",),
        caveats=("choice",),
    ),
)
