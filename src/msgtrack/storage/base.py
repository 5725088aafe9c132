"""What all stores share: six methods make a store, the rest follows from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from itertools import chain
from typing import NoReturn, Self, TypeVar

from attrs import evolve

from msgtrack.counts import Counts
from msgtrack.errors import InvalidValue, NotSupported, StoreClosed
from msgtrack.events import EVENT_KINDS, Event
from msgtrack.facts import FACT_KEYS, Fact, fact_key
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import Capabilities, Checkpoint, FactT, Ingested, Query, Record, WorkflowRun
from msgtrack.tally import fold

__all__ = [
    "EVERYTHING",
    "RECORD_KINDS",
    "BaseStore",
    "RecordT",
    "admits",
    "in_order",
    "kept_events",
    "kept_ids",
    "record_key",
]

RecordT = TypeVar("RecordT", bound=Record)
"""One class of record."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

RECORD_KINDS: tuple[type[Record], ...] = (Delivery, Message, TrackedLink, WorkflowRun, *FACT_KEYS)
"""The classes of what a store keeps by key."""

EVERYTHING = Query()
"""The query that everything passes."""


def record_key(record: Record) -> tuple[str, ...]:
    """What a record is kept by, within its class: a message and a link by delivery and id, facts by the fields that
    :data:`msgtrack.facts.FACT_KEYS` names, the others by id.

    Raises:
        InvalidValue: it is no record.
    """
    if type(record) not in RECORD_KINDS:
        raise InvalidValue(
            f"a store keeps deliveries, messages, tracked links, facts and run records, not {type(record).__name__}: "
            f"{record!r:.80}"
        )
    if isinstance(record, Fact):
        return fact_key(record)
    if isinstance(record, Message | TrackedLink):
        return (record.delivery_id, record.id)
    return (record.id,)


def admits(query: Query, record: Record) -> bool:
    """Whether a record is among those that a listing by ``query`` gives; the fields about events narrow nothing here,
    except that a window narrows views (``query.admits_fact``).
    """
    if isinstance(record, Fact):
        return query.admits_fact(record)
    if isinstance(record, WorkflowRun):
        return True
    delivery_id = record.id if isinstance(record, Delivery) else record.delivery_id
    if query.delivery_ids is not None and delivery_id not in query.delivery_ids:
        return False
    if not isinstance(record, Message):
        return True
    return (query.message_ids is None or record.id in query.message_ids) and (
        query.recipient_id is None or record.recipient_id == query.recipient_id
    )


def in_order(records: Iterable[RecordT]) -> list[RecordT]:
    """Records of one class in the order that listings promise: by key, run records by their start, the latest first."""
    ordered = sorted(records, key=record_key)
    # Sorting keeps the order of equals, so runs of one moment stay ordered by id.
    return sorted(ordered, key=_start, reverse=True)


def _start(record: Record) -> datetime:
    return record.started_at if isinstance(record, WorkflowRun) else _LONG_AGO


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
            raise InvalidValue(f"a store ingests events of the known kinds, not {type(event).__name__}: {event!r:.80}")
        if event.has_own_id:
            yield event.id, event
            continue
        derived = event.derived_id()
        ordinal = seen[derived]
        seen[derived] += 1
        yield event.derived_id(ordinal) if ordinal else derived, event


def kept_events(events: Iterable[Event]) -> Iterator[Event]:
    """The events of one ingest as stores keep them and give them back: each with its id set, as :func:`kept_ids` gives it.

    Raises:
        InvalidValue: it is no event, or of a class that is not in ``EVENT_KINDS``.
    """
    for event_id, event in kept_ids(events):
        yield event if event.has_own_id else evolve(event, id=event_id)


class BaseStore(ABC):
    """A :class:`msgtrack.protocols.Store` of six methods: ``put``, ``find``, ``ingest``, ``scan``, ``checkpoint``, ``close``.

    An adapter writes those and ``capabilities``; it may write any other one anew where its engine is faster, and the suite
    holds it against the answer derived here. Each of the six begins with ``self.check_open()``.
    """

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
        """Events that ``query.admits`` and that belong to its recipient, ordered by ``occurred_at`` and id; each once.

        :meth:`messages_of` gives the messages of a recipient.
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

    def runs(self) -> Iterator[WorkflowRun]:
        """Run records, the latest start first."""
        return self.find(WorkflowRun)

    def messages_of(self, recipient_id: str) -> set[tuple[str | None, str | None]]:
        """Delivery id and message id of every message of a recipient, to hold against those of an event."""
        return {(message.delivery_id, message.id) for message in self.messages(Query(recipient_id=recipient_id))}

    def counts(self, query: Query = EVERYTHING) -> Counts:
        """The numbers of the query's deliveries, of the events that pass the whole query and the views within its window;
        messages, links and other facts are not narrowed further.
        """
        self.check_open()
        deliveries = Query(delivery_ids=query.delivery_ids)
        window = evolve(deliveries, since=query.since, until=query.until)
        with self.snapshot():
            return fold(
                self.deliveries(deliveries),
                self.messages(deliveries),
                self.links(deliveries),
                self.scan(query),
                chain.from_iterable(self.facts(kind, window) for kind in FACT_KEYS),
            ).counts(zone=query.zone)

    def snapshot(self) -> AbstractContextManager[None]:
        """While it lasts, all reading through this handle sees one state of the store, where the engine can do that."""
        return nullcontext()

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

    def erase(self, recipient_id: str) -> NoReturn:
        """Forget a recipient: not there yet."""
        self.check_open()
        raise NotSupported("erasing a recipient is not there yet")

    def purge(self, before: datetime) -> NoReturn:
        """Drop what is older: not there yet."""
        self.check_open()
        raise NotSupported("purging old events is not there yet")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
