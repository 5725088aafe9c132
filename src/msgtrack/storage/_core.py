"""The six methods of an adapter, and the small things that follow from them: keys, order, who is admitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from itertools import chain, islice, repeat
from operator import attrgetter
from typing import TypeVar, cast

from attrs import evolve

from msgtrack.counts import Counts
from msgtrack.errors import InvalidValue, NotSupported, StoreClosed
from msgtrack.events import EVENT_KINDS, Event
from msgtrack.facts import FACT_KEYS, Fact, delivery_of, fact_key
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import (
    AuditEntry,
    Capabilities,
    Checkpoint,
    FactT,
    FrozenCounts,
    Ingested,
    Query,
    Record,
    Slots,
    WorkflowRun,
)
from msgtrack.storage._ids import rebuilt_ids
from msgtrack.tally import fold

__all__ = [
    "EVERYTHING",
    "LONG_AGO",
    "RECORD_KINDS",
    "CoreStore",
    "RecordT",
    "Spans",
    "admits",
    "in_order",
    "kept_batches",
    "kept_events",
    "kept_ids",
    "paged",
    "record_key",
]

RecordT = TypeVar("RecordT", bound=Record)
"""One class of record."""

Spans = Mapping[str | None, tuple[datetime, datetime]]
"""By delivery id (None: events that name none) the moments of its first and last event."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""Where what has no moment stands among what has one."""

RECORD_KINDS: tuple[type[Record], ...] = (
    *(Delivery, Message, TrackedLink, WorkflowRun, FrozenCounts, AuditEntry),
    *FACT_KEYS,
)
"""The classes of what a store keeps by key."""

EVERYTHING = Query()
"""The query that everything passes."""


def record_key(record: Record) -> tuple[str, ...]:
    """What a record is kept by, within its class: a message and a link by delivery and id, facts by the fields that
    :data:`msgtrack.facts.FACT_KEYS` names, frozen counts by delivery, audience and zone, the others by id.

    Raises:
        InvalidValue: it is no record.
    """
    if type(record) not in RECORD_KINDS:
        raise InvalidValue(
            "a store keeps deliveries, messages, tracked links, facts, run records, frozen counts and audit entries, "
            f"not {type(record).__name__}: {record!r:.80}"
        )
    if isinstance(record, Fact):
        return fact_key(record)
    if isinstance(record, Message | TrackedLink):
        return (record.delivery_id, record.id)
    if isinstance(record, FrozenCounts):
        return (record.delivery_id, record.audience, record.zone)
    return (record.id,)


def admits(query: Query, record: Record) -> bool:
    """Whether a record is among those that a listing by ``query`` gives; the fields about events narrow nothing here,
    except that a window narrows views (``query.admits_fact``).
    """
    if isinstance(record, Fact):
        return query.admits_fact(record)
    if isinstance(record, WorkflowRun | AuditEntry):
        return True
    if not query.admits_delivery(record.id if isinstance(record, Delivery) else record.delivery_id):
        return False
    if not isinstance(record, Message):
        return True
    return (query.message_ids is None or record.id in query.message_ids) and (
        query.recipient_id is None or record.recipient_id == query.recipient_id
    )


def in_order(records: Iterable[RecordT]) -> list[RecordT]:
    """Records of one class in the order that listings promise: by key; run records and audit entries by their start, the
    latest first and what has none last.
    """
    ordered = sorted(records, key=record_key)
    # Sorting keeps the order of equals, so runs of one moment stay ordered by id.
    return sorted(ordered, key=_start, reverse=True)


def _start(record: Record) -> datetime:
    return (record.started_at if isinstance(record, WorkflowRun | AuditEntry) else None) or LONG_AGO


def paged(query: Query, events: Iterable[Event]) -> Iterator[Event]:
    """Events that pass, in whatever order, as a scan gives them: in order, and cut at ``limit``."""
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.id), reverse=query.newest_first)
    return islice(ordered, query.limit)


def kept_ids(events: Iterable[Event]) -> Iterator[tuple[str, Event]]:
    """The events of one ingest, each with the id that it is kept under.

    An event without an id has the derived one. Alike ones among the given are different events all the same: the
    second has the id of ordinal 1, and so on, so the same events given again have the same ids. Derived ids are
    remembered while the iterator lives; events with ids of their own cost no memory.

    Raises:
        InvalidValue: it is no event, or of a class that is not in ``EVENT_KINDS``.
    """
    seen: Counter[str] = Counter()
    for event in events:
        if not isinstance(event, Event) or EVENT_KINDS.get(event.kind) is not type(event):
            raise _not_kept(event)
        yield _kept_id(_own_id(event), event, seen), event


def kept_batches(events: Iterable[Event], size: int) -> Iterator[tuple[list[str], list[Event]]]:
    """The same, some at a time: the ids of ``size`` events and the events; of the last ones, fewer.

    Raises:
        InvalidValue: one is no event, or of a class that is not in ``EVENT_KINDS``.
    """
    seen: Counter[str] = Counter()
    iterator = iter(events)
    while batch := list(islice(iterator, size)):
        yield _kept_ids(batch, seen), batch


def _kept_ids(events: list[Event], seen: Counter[str]) -> list[str]:
    if not {*map(type, events)} <= {*EVENT_KINDS.values()}:
        raise _not_kept(next(event for event in events if type(event) not in EVENT_KINDS.values()))
    ids: list[str | None] = [*map(_own_id, events)]
    return [*map(_kept_id, ids, events, repeat(seen))] if None in ids else cast("list[str]", ids)


def _not_kept(value: object) -> InvalidValue:
    return InvalidValue(f"a store ingests events of the known kinds, not {type(value).__name__}: {value!r:.80}")


_own_id = attrgetter("_id")


def _kept_id(own_id: str | None, event: Event, seen: Counter[str]) -> str:
    if own_id is not None:
        return own_id
    derived = event.derived_id()
    ordinal = seen[derived]
    seen[derived] += 1
    return event.derived_id(ordinal) if ordinal else derived


def kept_events(events: Iterable[Event]) -> Iterator[Event]:
    """The events of one ingest as stores keep them and give them back: each with its id set, as :func:`kept_ids` gives it.

    Raises:
        InvalidValue: it is no event, or of a class that is not in ``EVENT_KINDS``.
    """
    for event_id, event in kept_ids(events):
        yield event if event.has_own_id else evolve(event, id=event_id)


class CoreStore(ABC):
    """What an adapter writes, and what follows at once; :class:`BaseStore` adds what takes several steps."""

    _closed = False

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this store can do."""

    @abstractmethod
    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key, a known key replaced whole; all or none. :func:`record_key` gives the key."""

    @abstractmethod
    def find(self, kind: type[RecordT], query: Query = EVERYTHING) -> Iterator[RecordT]:
        """Records of one class: those that :func:`admits` lets pass, each once, as :func:`in_order` orders them."""

    @abstractmethod
    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """Keep the events whose id is new, and then the checkpoint. :func:`kept_events` gives those to keep."""

    @abstractmethod
    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id; each once.

        :meth:`admission` knows which pass; :func:`paged` orders them and cuts the page.
        """

    @abstractmethod
    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; may be called again. Call ``super().close()``, which turns ``check_open`` into a refusal."""
        self._closed = True

    def check_open(self) -> None:
        """Do nothing while the store is open.

        Raises:
            StoreClosed: it is not.
        """
        if self._closed:
            raise StoreClosed(f"this {type(self).__name__} was closed")

    def revise(
        self,
        *,
        records: Iterable[Record] = (),
        events: Iterable[Event] = (),
        remove: Iterable[Record] = (),
        remove_events: Iterable[str] = (),
    ) -> None:
        """The seventh method, without which nothing can be erased or purged: take out and rewrite, in one step.

        First the records of ``remove`` go (by their keys; what is not there is no error) and the events of ``remove_events``, by
        id. Then ``records`` are put, and each of ``events`` replaces whole what is kept under its id; one whose id is not there is
        not kept. All or nothing where ``atomic_ingest`` holds; elsewhere the same call again completes it, and no record or
        event that was to stay is lost on the way. What is kept consolidated is left to ``rebuild``.

        Raises:
            NotSupported: the adapter has no such method.
        """
        self.check_open()
        raise NotSupported(
            f"a {type(self).__name__} cannot take out or rewrite what it keeps, so it can neither erase nor purge",
            hint="its adapter needs the method revise()",
        )

    def rebuild(self, delivery_ids: Iterable[str] | None = None) -> None:
        """Recompute from the events what is kept consolidated, of these deliveries or of all; here that is nothing.

        :func:`rebuilt_ids` reads what is given.
        """
        self.check_open()
        rebuilt_ids(delivery_ids)

    def deliveries(self, query: Query = EVERYTHING) -> Iterator[Delivery]:
        """Deliveries by ``query.delivery_ids``, ordered by id."""
        return self.find(Delivery, query)

    def messages(self, query: Query = EVERYTHING) -> Iterator[Message]:
        """Messages by ``delivery_ids``, ``message_ids`` and ``recipient_id``, ordered by delivery and id."""
        return self.find(Message, query)

    def links(self, query: Query = EVERYTHING) -> Iterator[TrackedLink]:
        """Tracked links by ``delivery_ids``, ordered by delivery and id."""
        return self.find(TrackedLink, query)

    def facts(self, kind: type[FactT], query: Query = EVERYTHING) -> Iterator[FactT]:
        """Facts of one class that ``query.admits_fact``, ordered by key."""
        return self.find(kind, query)

    def all_facts(self, query: Query = EVERYTHING) -> Iterator[Fact]:
        """Facts of all classes that ``query.admits_fact``."""
        return chain.from_iterable(self.facts(kind, query) for kind in FACT_KEYS)

    def runs(self) -> Iterator[WorkflowRun]:
        """Run records, the latest start first."""
        return self.find(WorkflowRun)

    def frozen(self, query: Query = EVERYTHING) -> Iterator[FrozenCounts]:
        """Frozen counts by ``query.delivery_ids``, ordered by delivery, audience and zone."""
        return self.find(FrozenCounts, query)

    def frozen_deliveries(self, query: Query = EVERYTHING) -> set[str]:
        """The ids of those of the query's deliveries whose counts are frozen."""
        return {kept.delivery_id for kept in self.frozen(query)}

    def frozen_for(self, query: Query, audiences: Collection[str], zone: str) -> Iterator[FrozenCounts]:
        """:meth:`frozen`, those for these audiences in one zone: the bodies are long, and a question needs one or two of each delivery."""
        return (kept for kept in self.frozen(query) if kept.audience in audiences and kept.zone == zone)

    def audits(self) -> Iterator[AuditEntry]:
        """The audit trail, the latest start first."""
        return self.find(AuditEntry)

    def messages_of(self, recipient_id: str) -> set[tuple[str | None, str | None]]:
        """Delivery id and message id of every message of a recipient, to hold against those of an event."""
        return {(message.delivery_id, message.id) for message in self.messages(Query(recipient_id=recipient_id))}

    def admission(self, query: Query) -> Callable[[Event], bool]:
        """Whether an event passes, messages and links there included: ``query.admits``, and what needs a look-up.

        The look-ups are done at once; the function given back makes none.
        """
        named = Query(
            delivery_ids=query.delivery_ids,
            except_delivery_ids=query.except_delivery_ids,
            message_ids=query.message_ids,
            recipient_id=query.recipient_id,
        )
        messages: set[tuple[str | None, str | None]] = set()
        links: set[tuple[str | None, str | None]] = set()
        if query.asks_messages:
            messages = {(m.delivery_id, m.id) for m in self.messages(named) if query.admits_message(m)}
        if query.asks_links:
            links = {(link.delivery_id, link.id) for link in self.links(named) if query.admits_link(link)}

        def passes(event: Event) -> bool:
            return (
                query.admits(event)
                and (not query.asks_messages or (event.delivery_id, event.message_id) in messages)
                and (not query.asks_links or (event.delivery_id, event.link_id) in links)
            )

        return passes

    def live_counts(self, query: Query = EVERYTHING) -> Counts:
        """The numbers of the query's deliveries as the events there give them, whatever was frozen."""
        self.check_open()
        named = Query(delivery_ids=query.delivery_ids, except_delivery_ids=query.except_delivery_ids)
        window = evolve(named, since=query.since, until=query.until)
        with self.snapshot():
            return fold(
                self.deliveries(named),
                self.messages(named),
                self.links(named),
                self.scan(query),
                self.all_facts(window),
            ).counts(zone=query.zone)

    def live_slots(self, query: Query = EVERYTHING) -> Slots:
        """The slots of :meth:`live_counts`, by delivery; deliveries without any are not there."""
        deliveries = self.live_counts(query).deliveries
        return {name: counts.slots for name, counts in deliveries.items() if counts.slots}

    def spans(self) -> Spans:
        """By delivery the moments of its first and last event."""
        self.check_open()
        found: dict[str | None, tuple[datetime, datetime]] = {}
        for event in self.scan():
            first, _ = found.get(event.delivery_id, (event.occurred_at, event.occurred_at))
            found[event.delivery_id] = (first, event.occurred_at)
        return found

    def deliveries_of_messages(self) -> set[str]:
        """The ids of all deliveries that messages name."""
        return {message.delivery_id for message in self.messages()}

    def deliveries_of_facts(self) -> set[str]:
        """The ids of all deliveries that facts belong to."""
        kinds = [kind for kind, key in FACT_KEYS.items() if "delivery_id" in key]
        return {str(delivery_of(fact)) for kind in kinds for fact in self.facts(kind)}

    def find_having(self, kind: type[RecordT], name: str, values: AbstractSet[str]) -> Iterator[RecordT]:
        """Records of one class whose field ``name`` has one of these texts, in order; it is one that queries do not ask for, such as the
        address of a message.
        """
        return (record for record in (self.find(kind) if values else ()) if getattr(record, name) in values)

    def events_by(self, source_ids: frozenset[str]) -> Iterator[Event]:
        """Events of these persons (``source_id``), in the order of a scan."""
        self.check_open()
        return (event for event in self.scan() if event.source_id in source_ids)

    def snapshot(self) -> AbstractContextManager[None]:
        """While it lasts, all reading through this handle sees one state of the store, where the engine can do that."""
        self.check_open()
        return nullcontext()
