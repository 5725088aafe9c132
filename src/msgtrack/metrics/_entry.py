"""The way in: a table of indicators out of a store, out of plain facts, or out of counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from msgtrack._borders import optional_utc
from msgtrack.counts import Counts
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.events import Event
from msgtrack.metrics._table import Table, zone_of
from msgtrack.model import Audience, Delivery, Message, TrackedLink
from msgtrack.protocols import Query, Store
from msgtrack.tally import fold

__all__ = ["Indicators", "indicators"]

_T = TypeVar("_T", Delivery, Message, TrackedLink, Event)


class Indicators:
    """Call it with a store, or use :meth:`from_events` and :meth:`from_counts`, which need none."""

    __slots__ = ()

    def __call__(
        self,
        store: Store,
        delivery_id: str | int | Iterable[str | int],
        *,
        audience: str | Audience | Iterable[str | Audience] = "all",
        since: datetime | None = None,
        until: datetime | None = None,
        zone: str = "UTC",
        now: datetime | None = None,
        clip: bool = False,
    ) -> Table:
        """The indicators of one delivery, or of several together.

        Args:
            store: where the facts are.
            delivery_id: an id, or several. Estimates are then made per delivery and summed, rates computed anew from
                sums, and persons counted once however many of the deliveries they clicked in.
            audience: whose events count: ``all``, or one or several of ``human``, ``proxy``, ``unsure`` and
                ``machine``. Messages count whole.
            since: leave out events before this moment.
            until: leave out events from this moment on.
            zone: name of the zone that bins are aligned to.
            now: the moment of the report, kept with the table.
            clip: show forwards below zero as 0.

        Raises:
            InvalidValue: no delivery was named, or the store knows nothing of one of them.
            InvalidOption: no such audience or zone.
            NaiveDatetime: a moment without a time zone.
        """
        query = _query(delivery_id, audience, since, until)
        zone_of(zone)
        registered = {delivery.id: delivery for delivery in store.deliveries(Query(delivery_ids=query.delivery_ids))}
        counts: Counts = store.counts(query)
        for name in query.delivery_ids or ():
            if name not in registered and name not in counts.deliveries:
                raise InvalidValue(f"the store knows no delivery {name!r}")
        return _table(query, counts, registered.values(), zone=zone, now=now, clip=clip)

    def from_events(
        self,
        delivery: Delivery | Iterable[Delivery],
        messages: Iterable[Message],
        links: Iterable[TrackedLink],
        events: Iterable[Event],
        *,
        audience: str | Audience | Iterable[str | Audience] = "all",
        since: datetime | None = None,
        until: datetime | None = None,
        zone: str = "UTC",
        now: datetime | None = None,
        clip: bool = False,
    ) -> Table:
        """The indicators of plain facts, with no store at all; facts of other deliveries are passed over.

        Events with an id count once however often they come; events without one are distinct, however alike.
        The options are those of a call with a store.

        Raises:
            InvalidValue: no delivery was given, or something else is among the facts.
            InvalidOption: no such audience or zone.
            NaiveDatetime: a moment without a time zone.
        """
        deliveries = tuple(_only(Delivery, (delivery,) if isinstance(delivery, Delivery) else delivery))
        query = _query([item.id for item in deliveries], audience, since, until)
        zone_of(zone)
        asked = frozenset(query.delivery_ids or ())
        tally = fold(
            deliveries,
            (message for message in _only(Message, messages) if message.delivery_id in asked),
            (link for link in _only(TrackedLink, links) if link.delivery_id in asked),
            (event for event in _only(Event, events) if query.admits(event)),
        )
        return _table(query, tally.counts(), deliveries, zone=zone, now=now, clip=clip)

    def from_counts(
        self, counts: Counts, *, zone: str = "UTC", now: datetime | None = None, clip: bool = False
    ) -> Table:
        """The indicators of counts that somebody made: another engine, a frozen snapshot, a test.

        Raises:
            InvalidOption: no such zone.
            NaiveDatetime: ``now`` has no time zone.
        """
        return Table(counts=counts, delivery_ids=tuple(counts.deliveries), zone=zone, now=optional_utc(now), clip=clip)


def _query(
    delivery_id: str | int | Iterable[str | int],
    audience: str | Audience | Iterable[str | Audience],
    since: datetime | None,
    until: datetime | None,
) -> Query:
    query = Query(delivery_ids=delivery_id, audience=audience, since=since, until=until)
    if not query.delivery_ids:
        raise InvalidValue("indicators need a delivery: no id was given")
    if query.audience is not None and not query.audience:
        raise InvalidOption("audience=() asks for nobody; use 'all' or name at least one audience")
    return query


def _table(
    query: Query, counts: Counts, registered: Iterable[Delivery], *, zone: str, now: datetime | None, clip: bool
) -> Table:
    ids = query.delivery_ids or ()
    silent = {delivery.id for delivery in registered if delivery.is_proof or delivery.is_template}
    return Table(
        counts=counts,
        delivery_ids=ids,
        audiences=query.audience,
        since=query.since,
        until=query.until,
        zone=zone,
        now=optional_utc(now),
        clip=clip,
        is_left_out=silent.issuperset(ids),
    )


def _only(kind: type[_T], items: object) -> Iterator[_T]:
    if not isinstance(items, Iterable):
        raise InvalidValue(f"expected an iterable of {kind.__name__}, not {type(items).__name__}: {items!r:.80}")
    for item in items:
        if not isinstance(item, kind):
            raise InvalidValue(f"expected a {kind.__name__}, not {type(item).__name__}: {item!r:.80}")
        yield item


indicators = Indicators()
"""The one entry: call it with a store, or ``indicators.from_events(...)`` and ``indicators.from_counts(...)``."""
