"""The numbers that formulas are written in, summed over deliveries: for all of them, or for one domain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from attrs import field, frozen

from msgtrack.counts import MOBILE_CLICK, Counts, DeliveryCounts, DomainCounts, Reached, distinct, total_amount
from msgtrack.events import Click, MirrorPageView, Open, OptOutClick, PageVisit, Transaction
from msgtrack.metrics._scope import Scope
from msgtrack.metrics._values import half_away
from msgtrack.model import LinkType

__all__ = ["Sums", "of_classes", "of_numbers", "of_reached", "of_rows", "of_whole", "share_clicks"]


@frozen(kw_only=True)
class Sums:
    """What one row of a report is computed from; names follow the formulas.

    A row knows what its grouping can tell (a domain has no persons, a bin no messages); the rest stays 0, and no
    indicator that comes by that grouping asks for it. ``estimated_…`` are None where no message could show an open;
    ``partly_estimated``: some deliveries are such, others are not.

    ``rows`` are events by kind, clicks on notifications apart (``MOBILE_CLICK``).

    Beside the named numbers: ``parts`` are the domain classes or variants that the row is made of, ``reach`` its distinct
    messages by the kinds they showed, ``numbers`` what a report's own grouping counted (``sums["pages"]``), ``scope`` what
    the table was asked for.
    """

    to_deliver: int = 0
    success: int = 0
    complaints: int = 0
    recipient_open: int = 0
    recipient_click: int = 0
    person_click: int = 0
    rows: Mapping[str, int] = field(factory=dict)
    estimated_recipient_open: int | None = None
    estimated_total_recipient_open: int | None = None
    partly_estimated: bool = False
    amount: Decimal = Decimal(0)
    article: int = 0
    url_clicks: int = 0
    all_url_clicks: int = 0
    share_clicks: Mapping[str, int] = field(factory=dict)
    clip: bool = False
    parts: tuple[DomainCounts, ...] = ()
    reach: Mapping[str, int] = field(factory=dict)
    numbers: Mapping[str, int | Decimal | None] = field(factory=dict)
    scope: Scope = field(factory=Scope, repr=False)

    def __getitem__(self, name: str) -> int | Decimal | None:
        """A number that the grouping counted for this row."""
        return self.numbers[name]

    def distinct(self, *kinds: str, mobile: bool = True) -> int:
        """Distinct messages that showed any of these kinds of reaction; of any kind at all when none is named.

        ``mobile``: whether a click on a notification is a click.
        """
        return distinct(self.reach, *kinds, mobile=mobile)

    @property
    def counts(self) -> Counts:
        """All that was asked for, whatever the row."""
        return self.scope.counts

    @property
    def total_recipient_open(self) -> int:
        """Open rows."""
        return self.rows.get(Open.kind, 0)

    @property
    def total_recipient_click(self) -> int:
        """Click rows, on notifications too; opt-outs, mirror pages and web pages are rows of other kinds."""
        return self.rows.get(Click.kind, 0) + self.rows.get(MOBILE_CLICK, 0)

    @property
    def opt_out(self) -> int:
        """Clicks on unsubscription links."""
        return self.rows.get(OptOutClick.kind, 0)

    @property
    def mirror_page(self) -> int:
        """Clicks on mirror-page links."""
        return self.rows.get(MirrorPageView.kind, 0)

    @property
    def transaction(self) -> int:
        """Transactions on tagged web pages."""
        return self.rows.get(Transaction.kind, 0)

    @property
    def total_web_page(self) -> int:
        """Visits of tagged web pages, transactions included."""
        return self.rows.get(PageVisit.kind, 0) + self.transaction

    @property
    def unclipped_forwards(self) -> int:
        """Persons who clicked beyond the recipients who did; below zero when recipients share browsers."""
        return self.person_click - self.recipient_click

    @property
    def forwards(self) -> int:
        """The same, not below 0 when clipping was asked for."""
        return max(self.unclipped_forwards, 0) if self.clip else self.unclipped_forwards


def of_whole(scope: Scope) -> Sums:
    """The sums over all deliveries: estimates are made per delivery first, persons are distinct over all of them."""
    counts = scope.counts
    deliveries = counts.deliveries.values()
    domains = tuple(domain for delivery in deliveries for domain in delivery.domains.values())
    opens, is_partial = _estimate(deliveries, lambda d: sum(domain.reacted for domain in d.domains.values()))
    total_opens, _ = _estimate(deliveries, lambda d: d.rows(Open.kind))
    url_clicks = sum(sum(delivery.clicks_by_link().values()) for delivery in deliveries)
    return Sums(
        to_deliver=sum(delivery.to_deliver for delivery in deliveries),
        success=sum(domain.success for domain in domains),
        complaints=sum(domain.complaints for domain in domains),
        recipient_open=sum(domain.reacted for domain in domains),
        recipient_click=sum(domain.clicked for domain in domains),
        person_click=counts.persons,
        rows=_rows(deliveries),
        estimated_recipient_open=opens,
        estimated_total_recipient_open=total_opens,
        partly_estimated=is_partial,
        amount=total_amount(delivery.amount for delivery in deliveries),
        article=sum(delivery.article for delivery in deliveries),
        url_clicks=url_clicks,
        all_url_clicks=url_clicks,
        share_clicks=share_clicks(deliveries),
        clip=scope.clip,
        parts=domains,
        reach=_added(domain.reach for domain in domains),
        scope=scope,
    )


def of_classes(parts: Iterable[DomainCounts], scope: Scope) -> Sums:
    """The sums over what several deliveries have in one domain class, or in one variant."""
    parts = tuple(parts)
    return Sums(
        success=sum(part.success for part in parts),
        complaints=sum(part.complaints for part in parts),
        recipient_open=sum(part.reacted for part in parts),
        recipient_click=sum(part.clicked for part in parts),
        rows=_added(part.reactions for part in parts),
        parts=parts,
        reach=_added(part.reach for part in parts),
        scope=scope,
    )


def of_reached(parts: Iterable[Reached], scope: Scope, *, url_clicks: int = 0, all_url_clicks: int = 0) -> Sums:
    """The sums over what several deliveries reached by one group: reactions and distinct messages, no persons.

    Messages belong to one delivery each, so their distinct numbers add up over deliveries; those of persons do not.
    """
    parts = tuple(parts)
    reach = _added(part.reach for part in parts)
    return Sums(
        recipient_open=distinct(reach),
        recipient_click=distinct(reach, Click.kind),
        rows=_added(part.reactions for part in parts),
        reach=reach,
        url_clicks=url_clicks,
        all_url_clicks=all_url_clicks,
        scope=scope,
    )


def of_rows(rows: Mapping[str, int], scope: Scope) -> Sums:
    """Sums that know events only, by kind."""
    return Sums(rows=dict(rows), scope=scope)


def of_numbers(scope: Scope, **numbers: int | Decimal | None) -> Sums:
    """Sums that know only what a report's own grouping counted: ``of_numbers(scope, pages=3)["pages"]``."""
    return Sums(numbers=numbers, scope=scope)


def _rows(deliveries: Iterable[DeliveryCounts]) -> dict[str, int]:
    """Events by kind, clicks on notifications apart."""
    rows: Counter[str] = Counter()
    for delivery in deliveries:
        for kind, links in delivery.slots.items():
            for link_id, slots in links.items():
                link = delivery.links.get(link_id)
                is_mobile = kind == Click.kind and link is not None and link.type is LinkType.MOBILE_CLICK
                rows[MOBILE_CLICK if is_mobile else kind] += sum(slots.values())
    return dict(rows)


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(total)


def share_clicks(deliveries: Iterable[DeliveryCounts]) -> dict[str, int]:
    """Clicks by link category, exactly as written: what the sharing indicators pick their networks from."""
    clicks: Counter[str] = Counter()
    for delivery in deliveries:
        for link_id, times in delivery.clicks_by_link().items():
            link = delivery.links.get(link_id)
            if link is not None:
                clicks[link.category] += times
    return dict(clicks)


def _estimate(
    deliveries: Iterable[DeliveryCounts], opens_of: Callable[[DeliveryCounts], int]
) -> tuple[int | None, bool]:
    """Opens scaled up to the messages that show none, per delivery; and whether a delivery had to be left out."""
    estimates = [
        half_away(opens_of(delivery) * delivery.to_deliver, able) if able else None
        for delivery in deliveries
        for able in (delivery.to_deliver - delivery.text,)
    ]
    known = [estimate for estimate in estimates if estimate is not None]
    return (sum(known) if known else None), len(known) not in (0, len(estimates))
