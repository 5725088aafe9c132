"""The way in: a table of indicators out of a store, out of plain facts, or out of counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from msgtrack._borders import flag, optional_utc, shown
from msgtrack.counts import Counts
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.events import Event
from msgtrack.facts import FACT_KEYS, Fact
from msgtrack.metrics._peers import is_peer, peer_window
from msgtrack.metrics._table import Table
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
        peers: bool = False,
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
            peers: read the deliveries that platform averages are taken over: those of the six months before ``now``, of
                the same typology and channel as one of these. It reads all their events, whatever the window.

        Raises:
            InvalidValue: no delivery was named, the store knows nothing of one of them, or it is no store.
            InvalidOption: no such audience or zone, or ``peers`` without ``now``.
            NaiveDatetime: a moment without a time zone.
        """
        query = _query(delivery_id, audience, since, until, zone)
        if not callable(getattr(store, "counts", None)):
            raise InvalidValue(
                f"expected a store, got {shown(store)}",
                hint="open_store(...) gives one; indicators.from_events(...) needs none",
            )
        registered = {delivery.id: delivery for delivery in store.deliveries(Query(delivery_ids=query.delivery_ids))}
        counts: Counts = store.counts(query)
        for name in query.delivery_ids or ():
            if name not in registered and name not in counts.deliveries:
                raise InvalidValue(f"the store knows no delivery {name!r}")
        others: Counts | None = None
        if flag(peers):
            window = peer_window(now)
            ids = [d.id for d in store.deliveries() if is_peer(d, registered.values(), window)]
            others = store.counts(Query(delivery_ids=ids, audience=query.audience))
        return _table(query, counts, registered.values(), now=now, clip=clip, peers=others)

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
        facts: Iterable[Fact] = (),
        peers: Iterable[Delivery] = (),
    ) -> Table:
        """The indicators of plain facts, with no store at all; facts of other deliveries are passed over.

        Events with an id count once however often they come, the first one, as in a store that takes them in this order;
        whether it passes the options is asked of that one alone. Events without an id are distinct, however alike.
        The options are those of a call with a store.

        Args:
            delivery: one, or several together.
            messages: of any deliveries.
            links: of any deliveries.
            events: of any deliveries.
            facts: everything of :mod:`msgtrack.facts`, mixed: exclusions, services, subscriptions, visitors, ….
            peers: deliveries to take platform averages over, their messages and events being among the others; those
                that are no peers at ``now`` are passed over.
            audience: as with a store.
            since: as with a store.
            until: as with a store.
            zone: as with a store.
            now: as with a store.
            clip: as with a store.

        Raises:
            InvalidValue: no delivery was given, or something else is among the facts.
            InvalidOption: no such audience or zone, or ``peers`` without ``now``.
            NaiveDatetime: a moment without a time zone.
        """
        deliveries = tuple(_only(Delivery, (delivery,) if isinstance(delivery, Delivery) else delivery))
        query = _query([item.id for item in deliveries], audience, since, until, zone)
        candidates = tuple(_only(Delivery, peers))
        others: Counts | None = None
        if candidates:
            window = peer_window(now)
            chosen = [d for d in (*deliveries, *candidates) if is_peer(d, deliveries, window)]
            wide = Query(delivery_ids=[d.id for d in chosen], audience=query.audience)
            messages, links, events = tuple(messages), tuple(links), tuple(events)
            others = _counted(wide, chosen, messages, links, events, ())
        counts = _counted(query, deliveries, messages, links, events, facts)
        return _table(query, counts, deliveries, now=now, clip=clip, peers=others)

    def from_counts(
        self,
        counts: Counts,
        *,
        zone: str = "UTC",
        now: datetime | None = None,
        clip: bool = False,
        peers: Counts | None = None,
    ) -> Table:
        """The indicators of counts that somebody made: another engine, a frozen snapshot, a test.

        Days are those of ``counts.zone``, bins those of ``zone``: give the same, or they do not meet. ``peers`` are the
        counts that platform averages are taken over.

        Raises:
            InvalidOption: no such zone.
            NaiveDatetime: ``now`` has no time zone.
        """
        return Table(
            counts=counts,
            delivery_ids=tuple(counts.deliveries),
            zone=zone,
            now=optional_utc(now),
            clip=clip,
            peers=peers,
        )


def _query(
    delivery_id: str | int | Iterable[str | int],
    audience: str | Audience | Iterable[str | Audience],
    since: datetime | None,
    until: datetime | None,
    zone: str,
) -> Query:
    query = Query(delivery_ids=delivery_id, audience=audience, since=since, until=until, zone=zone)
    if not query.delivery_ids:
        raise InvalidValue("indicators need a delivery: no id was given")
    if query.audience is not None and not query.audience:
        raise InvalidOption("audience=() asks for nobody; use 'all' or name at least one audience")
    return query


def _counted(
    query: Query,
    deliveries: Iterable[Delivery],
    messages: Iterable[Message],
    links: Iterable[TrackedLink],
    events: Iterable[Event],
    facts: Iterable[Fact],
) -> Counts:
    asked = frozenset(query.delivery_ids or ())
    tally = fold(
        deliveries,
        (message for message in _only(Message, messages) if message.delivery_id in asked),
        (link for link in _only(TrackedLink, links) if link.delivery_id in asked),
        (event for event in _first_of_each(_only(Event, events)) if query.admits(event)),
        (fact for fact in _facts(facts) if query.admits_fact(fact)),
    )
    return tally.counts(zone=query.zone)


def _first_of_each(events: Iterable[Event]) -> Iterator[Event]:
    """The events that a store would keep: of those with one id the first, wherever they belong."""
    # Before anything is filtered: a copy that the query leaves out is the event all the same.
    seen: set[str] = set()
    for event in events:
        if event.has_own_id:
            if event.id in seen:
                continue
            seen.add(event.id)
        yield event


def _table(
    query: Query,
    counts: Counts,
    registered: Iterable[Delivery],
    *,
    now: datetime | None,
    clip: bool,
    peers: Counts | None,
) -> Table:
    ids = query.delivery_ids or ()
    silent = {delivery.id for delivery in registered if delivery.is_proof or delivery.is_template}
    return Table(
        counts=counts,
        delivery_ids=ids,
        audiences=query.audience,
        since=query.since,
        until=query.until,
        zone=query.zone,
        now=optional_utc(now),
        clip=clip,
        is_left_out=silent.issuperset(ids),
        peers=peers,
    )


def _facts(items: object) -> Iterator[Fact]:
    if not isinstance(items, Iterable):
        raise InvalidValue(f"expected an iterable of facts, not {type(items).__name__}: {shown(items)}")
    for item in items:
        if not isinstance(item, Fact):
            names = ", ".join(kind.__name__ for kind in FACT_KEYS)
            raise InvalidValue(f"expected one of {names}; not {type(item).__name__}: {shown(item)}")
        yield item


def _only(kind: type[_T], items: object) -> Iterator[_T]:
    if not isinstance(items, Iterable):
        raise InvalidValue(f"expected an iterable of {kind.__name__}, not {type(items).__name__}: {shown(items)}")
    for item in items:
        if not isinstance(item, kind):
            raise InvalidValue(f"expected a {kind.__name__}, not {type(item).__name__}: {shown(item)}")
        yield item


indicators = Indicators()
"""The one entry: call it with a store, or ``indicators.from_events(...)`` and ``indicators.from_counts(...)``."""
