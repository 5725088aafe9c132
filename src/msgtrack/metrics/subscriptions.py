"""The report "Subscription tracking": who takes a service, who joined it and who left it, period by period.

A period ends at the moment of the report (``now=``), and the scalar of each indicator is its number over the first of them,
24 hours, which is the one whose formula is printed. Numbers of several services are added up: who takes two of them is there
twice, as in the tables that they are counted in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

from msgtrack._borders import microseconds
from msgtrack.counts import ServiceCounts
from msgtrack.metrics._groups import path_part
from msgtrack.metrics._indicator import METRICS_PAGE, Indicator
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._sums import Sums, of_numbers
from msgtrack.metrics._time import PERIODS

__all__ = ["INDICATORS"]

_SERVICES_PAGE = "v8 reporting/global-reports"
_PRINTED = PERIODS["24 h"]

_Services = Iterable[ServiceCounts]


def _start(now: datetime, period: timedelta) -> datetime:
    try:
        return now - period
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _ending(services: _Services, now: datetime) -> list[int]:
    """When those subscriptions began that have an end, and are active at the moment nevertheless."""
    at = microseconds(now)
    return [begun for service in services for begun, ended in service.ended if begun <= at < ended]


def _numbers(scope: Scope, services: _Services, period: timedelta) -> dict[str, int | Decimal | None]:
    """What the formulas name, over some services; those of a period are None when nobody said when the report is."""
    services = tuple(services)
    now = scope.now
    found: dict[str, int | Decimal | None] = {
        "services": len(services),
        "changes": sum(len(service.joined) + len(service.left) for service in services),
        "active": sum(len(service.created) for service in services),
    }
    if now is None:
        return {**found, "subscriber": None, "joined": None, "left": None}
    start = _start(now, period)
    first = microseconds(start)
    ending = _ending(services, now)

    def since(moments_of: Callable[[ServiceCounts], tuple[int, ...]]) -> int:
        # What lies after the report had not happened when it was made.
        return sum(s.after(moments_of(s), start) - s.after(moments_of(s), now) for s in services)

    return {
        **found,
        "active": sum(len(s.created) - s.after(s.created, now) for s in services) + len(ending),
        "subscriber": sum(s.before(s.created, start) for s in services) + sum(begun < first for begun in ending),
        "joined": since(lambda service: service.joined),
        "left": since(lambda service: service.left),
    }


def _row(scope: Scope, services: _Services, period: timedelta = _PRINTED) -> Sums:
    return of_numbers(scope, **_numbers(scope, services, period))


def _by_period(scope: Scope) -> dict[str, Sums]:
    if not scope.counts.services:
        return {}
    return {name: _row(scope, scope.counts.services.values(), period) for name, period in PERIODS.items()}


def _by_service(scope: Scope) -> dict[str, Sums]:
    return {name: _row(scope, [service]) for name, service in scope.counts.services.items()}


def _by_service_period(scope: Scope) -> dict[str, Sums]:
    return {
        f"{path_part(name)}/{label}": _row(scope, [service], period)
        for name, service in scope.counts.services.items()
        for label, period in PERIODS.items()
    }


def _of(s: Sums) -> Mapping[str, int | Decimal | None]:
    return s.numbers or _numbers(s.scope, s.counts.services.values(), _PRINTED)


def _number(name: str) -> Callable[[Sums], int | Decimal | None]:
    return lambda s: _of(s)[name]


def _sum(s: Sums, plus: str, *names: str) -> int | Decimal | None:
    """One number less the others, or None without a moment."""
    numbers = _of(s)
    found = numbers[plus]
    for name in names:
        less = numbers[name]
        found = None if found is None or less is None else found - less
    return found


def _at_the_end(s: Sums) -> int | Decimal | None:
    subscriber, grown = _of(s)["subscriber"], _sum(s, "joined", "left")
    return None if subscriber is None or grown is None else subscriber + grown


def _kept(s: Sums) -> int | Decimal | None:
    end, left = _at_the_end(s), _of(s)["left"]
    return None if end is None or left is None else end - left


def _no_services(s: Sums) -> tuple[str, ...]:
    return () if _of(s)["services"] else ("no-data",)


def _no_history(s: Sums) -> tuple[str, ...]:
    return () if _of(s)["changes"] else ("no-data",)


_indicator = partial(Indicator, report="Subscription tracking")
_periodic = partial(
    _indicator,
    undefined="no-moment",
    groupings=("period", "service", "service-period"),
    cuts={"period": _by_period, "service": _by_service, "service-period": _by_service_period},
)
_CHANGES = ("SubscriptionChange.action", "SubscriptionChange.changed_at")

INDICATORS: tuple[Indicator, ...] = (
    _indicator(
        key="subscribed_to_date",
        label="Number subscribed to date",
        unit="count",
        formula="count(active subscriptions now)",
        measure=_number("active"),
        doubts=_no_services,
        groupings=("service",),
        cuts={"service": _by_service},
        inputs=("Subscription.created_at", "Subscription.ended_at"),
        notes="Those that began by the moment of the report and end after it, if at all. Without a moment: all that have "
        "no end.",
        sources=(_SERVICES_PAGE,),
    ),
    _periodic(
        key="subscriber",
        label="Registered / Subscribers",
        field="@_subscriber",
        unit="count",
        formula="count(subscriptions, created < now - period)",
        measure=_number("subscriber"),
        doubts=_no_services,
        inputs=("Subscription.created_at", "Subscription.ended_at"),
        notes="Who takes the service at the moment of the report and took it already when the period began. The scalar is "
        "that of 24 h.",
        sources=(f"{METRICS_PAGE} (screenshot)",),
    ),
    _periodic(
        key="subscription",
        label="Subscriptions",
        field="@_subscription",
        unit="count",
        formula="count(sub_history, action == 1 and date > now - period)",
        measure=_number("joined"),
        doubts=_no_history,
        inputs=_CHANGES,
        notes="Up to the moment of the report. The scalar is that of 24 h.",
    ),
    _periodic(
        key="unsubscription",
        label="Unsubscriptions",
        field="@_unsubscription",
        unit="count",
        formula="count(sub_history, action == 0 and date > now - period)",
        measure=_number("left"),
        doubts=_no_history,
        inputs=_CHANGES,
        notes="Up to the moment of the report. The scalar is that of 24 h.",
    ),
    _periodic(
        key="evolution",
        label="Evolution",
        unit="count",
        formula="subscription - unsubscription",
        measure=lambda s: _sum(s, "joined", "left"),
        doubts=_no_history,
        is_signed=True,
        inputs=("subscription", "unsubscription"),
        notes="Below zero when more left than joined.",
        caveats=("reading",),
    ),
    _periodic(
        key="evolution_rate",
        label="Evolution %",
        unit="ratio",
        formula="pct(subscription - unsubscription, subscriber)",
        measure=lambda s: _sum(s, "joined", "left"),
        over=_number("subscriber"),
        doubts=_no_history,
        is_signed=True,
        inputs=("subscription", "unsubscription", "subscriber"),
        notes="Growth, so it may pass 100 % and fall below zero.",
        caveats=("reading",),
    ),
    _periodic(
        key="loyalty",
        label="Loyalty",
        unit="ratio",
        formula="1 - pct(unsubscription, subscriber + subscription - unsubscription)",
        measure=_kept,
        over=_at_the_end,
        doubts=_no_history,
        is_share=True,
        otherwise=1.0,
        inputs=("subscriber", "subscription", "unsubscription"),
        notes="The denominator is what the formula says: subscribers from before the period who are there still, and who "
        "joined, less who left. Who left is missing among the first already, so it may lie below the number subscribed. "
        "The reference prints 1 where it is 0.",
        caveats=("reading",),
    ),
)
