"""What all stores share: six methods make a store, the rest follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Self

from attrs import evolve

from msgtrack.counts import Counts
from msgtrack.events import Event
from msgtrack.facts import Fact
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import AuditEntry, Query, Record, Slots
from msgtrack.storage._core import (
    EVERYTHING,
    RECORD_KINDS,
    CoreStore,
    RecordT,
    Spans,
    admits,
    in_order,
    kept_events,
    kept_ids,
    paged,
    record_key,
)
from msgtrack.storage._erasing import erase, export, subject_digest
from msgtrack.storage._frozen import frozen_counts, frozen_slots, together
from msgtrack.storage._ids import one_id, rebuilt_ids, some_ids
from msgtrack.storage._purging import purge

__all__ = [
    "EVERYTHING",
    "RECORD_KINDS",
    "BaseStore",
    "RecordT",
    "Spans",
    "admits",
    "in_order",
    "kept_events",
    "kept_ids",
    "one_id",
    "paged",
    "rebuilt_ids",
    "record_key",
    "some_ids",
    "subject_digest",
]


class BaseStore(CoreStore):
    """A :class:`msgtrack.protocols.Store` of six methods: ``put``, ``find``, ``ingest``, ``scan``, ``checkpoint``, ``close``.

    An adapter writes those and ``capabilities``. A seventh, ``revise``, makes ``erase`` and ``purge`` work. Any other one may be written
    anew where the engine is faster, and the suite holds it against the answer derived here; of ``counts`` and ``slots``, that
    answer for frozen deliveries too, write ``live_counts`` and ``live_slots``. Each begins with ``self.check_open()``.
    """

    def counts(self, query: Query = EVERYTHING) -> Counts:
        """The numbers of the query's deliveries, of the events that pass the whole query and the views within its window;
        messages, links and other facts are not narrowed further.

        Deliveries whose counts are frozen answer from those, and are named in ``Counts.frozen``.

        Raises:
            EventsPurged: the query asks of a frozen delivery what only its events could answer.
        """
        self.check_open()
        with self.snapshot():
            frozen = self._frozen_of(query)
            answers = frozen_counts(self, query, frozen)
            live = self.live_counts(_without(query, frozen))
        return together(live, answers) if answers else live

    def slots(self, query: Query = EVERYTHING) -> Slots:
        """The five-minute slots of :meth:`counts`, by delivery, kind and link; deliveries without any are not there.

        Of a frozen delivery they may be narrowed further than counts: by kind, by link, and by windows of whole slots.

        Raises:
            EventsPurged: the query asks of a frozen delivery what only its events could answer.
        """
        self.check_open()
        with self.snapshot():
            frozen = self._frozen_of(query)
            both = {**frozen_slots(self, query, frozen), **self.live_slots(_without(query, frozen))}
        return {name: both[name] for name in sorted(both)}

    def _frozen_of(self, query: Query) -> set[str]:
        return self.frozen_deliveries(
            Query(delivery_ids=query.delivery_ids, except_delivery_ids=query.except_delivery_ids)
        )

    def export(self, recipient_id: str) -> Iterator[Record | Event]:
        """All that is held about a recipient, as values that :mod:`msgtrack.records` writes: his messages, their events, the facts
        about him, and what the browsers of those events did without a message.
        """
        self.check_open()
        return export(self, recipient_id)

    def erase(self, recipient_id: str, *, now: datetime | None = None, anonymise: bool = True) -> AuditEntry:
        """Forget a recipient.

        What identifies goes, from everywhere: address, recipient id, browsers (source ids), user agents, request ids, the texts of
        bounces. Where it tells one from another, a pseudonym stands in its place whose key is thrown away at the end; so all
        counts stay as they were. With ``anonymise=False`` messages, events and facts of the recipient go altogether, and
        counts of live deliveries shrink.

        In batches, the messages last: after a break the same call takes the work up again.

        Args:
            recipient_id: whom.
            now: the moment that the audit trail notes; None: it notes none.
            anonymise: keep rows without names, or keep none.

        Raises:
            NotSupported: the adapter cannot take out what it keeps.
        """
        self.check_open()
        return erase(self, recipient_id, now=now, anonymise=anonymise)

    def purge(
        self,
        before: datetime | Mapping[str, datetime],
        *,
        now: datetime | None = None,
        zones: Iterable[str] = ("UTC",),
    ) -> AuditEntry:
        """Take away what is older than ``before``: one moment, or one for each of some kinds of :data:`msgtrack.upkeep.PURGED_KINDS`, as
        ``Retention().before(now)`` gives them.

        Deliveries and links stay, so redirects live on. Events and messages go from deliveries that are over (nothing about them is
        younger), after their counts were frozen: for all audiences, for each and for none, in each of ``zones``. An event that comes
        later still is kept, found by ``scan``, and counts no more.

        In batches: after a break the same call takes the work up again, and nothing goes that was not frozen. ``now`` is the moment that
        the audit trail and the frozen counts note; None: they note none.

        Raises:
            InvalidOption: no such kind, or no such zone.
            NotSupported: the adapter cannot take out what it keeps.
        """
        self.check_open()
        return purge(self, before, now=now, zones=zones)

    def put_deliveries(self, *deliveries: Delivery) -> None:
        """:meth:`put` for deliveries given one by one."""
        self.put(deliveries)

    def put_messages(self, *messages: Message) -> None:
        """:meth:`put` for messages given one by one."""
        self.put(messages)

    def put_links(self, *links: TrackedLink) -> None:
        """:meth:`put` for tracked links given one by one."""
        self.put(links)

    def put_facts(self, *facts: Fact) -> None:
        """:meth:`put` for facts given one by one."""
        self.put(facts)

    def get_delivery(self, delivery_id: str) -> Delivery | None:
        """The delivery of this id, or None."""
        return next(iter(self.deliveries(Query(delivery_ids=(delivery_id,)))), None)

    def get_message(self, delivery_id: str, message_id: str) -> Message | None:
        """The message of this delivery and id, or None."""
        return next(iter(self.messages(Query(delivery_ids=(delivery_id,), message_ids=(message_id,)))), None)

    def get_link(self, delivery_id: str, link_id: str) -> TrackedLink | None:
        """The tracked link of this delivery and id, or None."""
        links = self.links(Query(delivery_ids=(delivery_id,)))
        return next((link for link in links if link.id == link_id), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _without(query: Query, frozen: AbstractSet[str]) -> Query:
    if not frozen:
        return query
    if query.delivery_ids is not None:
        return evolve(query, delivery_ids=[name for name in query.delivery_ids if name not in frozen])
    return evolve(query, except_delivery_ids=(*query.except_delivery_ids, *sorted(frozen)))
