"""The report "Web UI home KPIs": the figures of the start page, per channel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial

from attrs import evolve

from msgtrack.counts import Counts, DeliveryCounts, ServiceCounts
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._messages import (
    all_of,
    channel_of,
    derived,
    failed,
    known_persons,
    persons,
    processed,
    rows_overlap,
    unbrowsed,
    unmeasured,
)
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_whole
from msgtrack.model import MessageStatus

__all__ = ["INDICATORS"]

_PAGE = "web reporting/kpis"
_EMAIL = "email"
_DIRECT_MAIL = "direct_mail"


def _by_channel(scope: Scope) -> dict[str, Sums]:
    channels: defaultdict[str, dict[str, DeliveryCounts]] = defaultdict(dict)
    for name, delivery in scope.counts.deliveries.items():
        channels[delivery.channel][name] = delivery
    together = scope.counts.persons_by.get("channel")
    rows = {}
    for channel in sorted(channels):
        deliveries = channels[channel]
        people = known_persons((delivery.persons for delivery in deliveries.values()), together, channel)
        counts: Counts = evolve(scope.counts, deliveries=deliveries)
        rows[channel] = evolve(of_whole(evolve(scope, counts=counts)), numbers={"persons": people})
    return rows


def _services(sums: Sums) -> Iterator[ServiceCounts]:
    """The services of the channels that the deliveries of the row have."""
    channels = {delivery.channel for delivery in sums.counts.deliveries.values()}
    return (service for service in sums.counts.services.values() if service.channel in channels)


def _within(moments: tuple[int, ...], scope: Scope) -> int:
    first = 0 if scope.since is None else ServiceCounts.before(moments, scope.since)
    last = len(moments) if scope.until is None else ServiceCounts.before(moments, scope.until)
    return max(last - first, 0)


def _changes(moments_of: Callable[[ServiceCounts], tuple[int, ...]]) -> Callable[[Sums], int]:
    return lambda sums: sum(_within(moments_of(service), sums.scope) for service in _services(sums))


_joined = _changes(lambda service: service.joined)
_left = _changes(lambda service: service.left)


def _no_history(sums: Sums) -> tuple[str, ...]:
    return () if any(service.joined or service.left for service in _services(sums)) else ("no-data",)


def _no_email(sums: Sums) -> tuple[str, ...]:
    return () if any(channel_of(d) == _EMAIL for d in sums.counts.deliveries.values()) else ("no-data",)


def _letters(sums: Sums) -> Iterator[DeliveryCounts]:
    return (delivery for delivery in sums.counts.deliveries.values() if channel_of(delivery) == _DIRECT_MAIL)


def _sent_letters(sums: Sums) -> int:
    return sum(d.statuses.get(MessageStatus.SENT, 0) for letter in _letters(sums) for d in letter.domains.values())


def _no_letters(sums: Sums) -> tuple[str, ...]:
    return () if any(d.statuses for letter in _letters(sums) for d in letter.domains.values()) else ("no-data",)


_indicator = partial(
    Indicator,
    report="Web UI home KPIs",
    groupings=("channel",),
    cuts={"channel": _by_channel},
    sources=(_PAGE,),
)
_count = partial(_indicator, unit="count")
_share = partial(_indicator, unit="ratio", is_share=True)
_share_of_delivered = partial(_share, over=lambda s: s.success)
_OPENS = ("image-loads",)
_PEOPLE = ("browsers",)
_HISTORY = ("SubscriptionChange.action", "SubscriptionChange.changed_at", "Service.channel")

_SENDING = (
    _count(
        key="kpi_delivered",
        label="Delivered",
        formula="count(B, not is_seed and status in SUCCESS)",
        measure=lambda s: s.success,
        doubts=unmeasured,
        inputs=("Message.status", "Message.is_seed"),
        notes="The start page shows the deliveries of the last seven days: ask for those.",
    ),
    _share(
        key="kpi_delivered_rate",
        label="Delivered %",
        formula="pct(kpi_delivered, messages sent)",
        measure=lambda s: s.success,
        over=processed,
        doubts=unmeasured,
        inputs=("kpi_delivered", "processed"),
        notes="Messages sent are those processed: prepared, failed or delivered.",
        caveats=("choice",),
    ),
)

_REACTIONS = (
    _count(
        key="kpi_opens",
        label="Opens",
        formula="count(L, url.type == OPEN)",
        measure=lambda s: s.total_recipient_open,
        doubts=_no_email,
        inputs=("Event.kind",),
        notes="Every open of every recipient. Emails alone can show any.",
        caveats=_OPENS,
    ),
    _share_of_delivered(
        key="kpi_open_rate",
        label="Opens %",
        formula="pct(kpi_opens, kpi_delivered)",
        measure=lambda s: s.total_recipient_open,
        doubts=all_of(unmeasured, _no_email),
        inputs=("kpi_opens", "kpi_delivered"),
        notes="May pass 1: one message may be opened often. Over several channels, those without opens make it smaller.",
        caveats=_OPENS,
    ),
    _count(
        key="kpi_clicks",
        label="Clicks",
        formula="count_distinct(L, source_id, url.type == EMAIL_CLICK)",
        measure=persons,
        undefined="not-additive",
        doubts=all_of(rows_overlap, unbrowsed),
        inputs=("Event.kind", "Event.source_id"),
        notes="Distinct people; opt-outs and mirror pages are no clicks.",
        caveats=("reading", *_PEOPLE),
    ),
    _share_of_delivered(
        key="kpi_click_rate",
        label="Click-through rate",
        formula="pct(kpi_clicks, kpi_delivered)",
        measure=persons,
        undefined="not-additive",
        doubts=all_of(unmeasured, rows_overlap, unbrowsed),
        inputs=("kpi_clicks", "kpi_delivered"),
        notes="May pass 1: a forwarded message may be clicked by many.",
        caveats=("reading", *_PEOPLE),
    ),
)

_SUBSCRIPTIONS = (
    _count(
        key="kpi_subscriptions",
        label="Subscriptions",
        formula="count(sub_history, action == 1) of the channel",
        measure=_joined,
        doubts=_no_history,
        inputs=_HISTORY,
        notes="Those of all services of the channel within the window, of whatever origin: they need not come of these "
        "deliveries.",
    ),
    _share_of_delivered(
        key="kpi_subscription_rate",
        label="Subscriptions %",
        formula="pct(kpi_subscriptions, kpi_delivered)",
        measure=_joined,
        doubts=all_of(unmeasured, _no_history),
        inputs=("kpi_subscriptions", "kpi_delivered"),
    ),
    _count(
        key="kpi_unsubscriptions",
        label="Unsubscriptions",
        formula="count(sub_history, action == 0) of the channel",
        measure=_left,
        doubts=_no_history,
        inputs=_HISTORY,
        notes="From the history of services, not clicks on the opt-out link.",
        caveats=("reading",),
    ),
    _share_of_delivered(
        key="kpi_unsubscription_rate",
        label="Unsubscriptions %",
        formula="pct(kpi_unsubscriptions, kpi_delivered)",
        measure=_left,
        doubts=all_of(unmeasured, _no_history),
        inputs=("kpi_unsubscriptions", "kpi_delivered"),
        caveats=("reading",),
    ),
)

_ERRORS = (
    _count(
        key="kpi_errors",
        label="Errors",
        formula="count(B, status == FAILED)",
        measure=failed,
        doubts=unmeasured,
        inputs=("Message.status", "Message.is_seed"),
    ),
    _share(
        key="kpi_error_rate",
        label="Errors %",
        formula="pct(kpi_errors, to_deliver)",
        measure=failed,
        over=lambda s: s.to_deliver,
        doubts=all_of(unmeasured, derived("to_deliver")),
        inputs=("kpi_errors", "to_deliver"),
        notes="Over the messages to deliver, not over those sent.",
    ),
    Indicator(
        key="kpi_sent_direct_mail",
        label="Sent",
        report="Web UI home KPIs",
        unit="count",
        formula="count(B, channel == DIRECT_MAIL and status == SENT)",
        measure=_sent_letters,
        doubts=_no_letters,
        inputs=("Delivery.channel", "Message.status"),
        notes="Deliveries whose channel is `direct_mail`.",
        sources=(_PAGE,),
    ),
)

INDICATORS: tuple[Indicator, ...] = (*_SENDING, *_REACTIONS, *_SUBSCRIPTIONS, *_ERRORS)
