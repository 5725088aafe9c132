"""What the stages ask of each other: stores, resolvers and sources, as small protocols, with the values they pass.

The docstring of :class:`Store` is its contract; the numbered clauses stand in ``docs/spec/stores.md`` and each is
cited by a test of :class:`msgtrack.testing.StoreSuite`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar, runtime_checkable

from attrs import field, frozen

from msgtrack import vocabulary
from msgtrack._borders import (
    closed,
    count,
    flag,
    items,
    one_of,
    optional_id,
    optional_utc,
    shown,
    text_id,
    texts,
    utc,
    zone_of,
)
from msgtrack._borders import text as as_text
from msgtrack.errors import InvalidValue
from msgtrack.events import EVENT_KINDS, Event
from msgtrack.facts import Fact, delivery_of, moment_of, recipient_of
from msgtrack.hits import Hit, Rejected
from msgtrack.model import Audience, Delivery, Message, Resolution, TrackedLink

__all__ = [
    "Batch",
    "Capabilities",
    "Checkpoint",
    "FactT",
    "Ingested",
    "Query",
    "Record",
    "Resolver",
    "Source",
    "Store",
    "WorkflowRun",
]


FactT = TypeVar("FactT", bound=Fact)
"""One class of fact."""


def _ids(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str | int):
        return (text_id(value),)
    return tuple(dict.fromkeys(text_id(item) for item in items(value)))


def _kinds(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(_kind(item) for item in ((value,) if isinstance(value, str | type) else items(value)))


def _kind(value: object) -> str:
    name = value.kind if isinstance(value, type) and issubclass(value, Event) else value
    if isinstance(name, str) and name in EVENT_KINDS:
        return name
    raise InvalidValue(f"no event has the kind {shown(name)}; kinds are: {', '.join(EVENT_KINDS)}")


def _zone(value: object) -> str:
    zone_of(value)
    return str(value)


def _audiences(value: Any) -> tuple[Audience, ...] | None:
    if value is None or value == "all":
        return None
    return tuple(vocabulary.audience(item) for item in ((value,) if isinstance(value, str) else items(value)))


@closed
@frozen(kw_only=True)
class Query:
    """Which events are asked for; every field narrows, None asks for all.

    ``since`` and ``until`` bound ``occurred_at`` as a half-open window. ``audience`` takes one audience, several,
    or ``"all"``. ``kinds`` takes event classes or their kinds. Deliveries, messages and links are narrowed by
    ``delivery_ids`` and ``message_ids`` alone. Facts that belong to a delivery are narrowed by ``delivery_ids``,
    those about a recipient by ``recipient_id``, views by the window; the rest of a query leaves facts alone.
    ``zone`` narrows nothing: it is the time zone by which ``counts`` cuts days.
    """

    delivery_ids: tuple[str, ...] | None = field(default=None, converter=_ids)
    message_ids: tuple[str, ...] | None = field(default=None, converter=_ids)
    recipient_id: str | None = field(default=None, converter=optional_id)
    kinds: tuple[str, ...] | None = field(default=None, converter=_kinds)
    audience: tuple[Audience, ...] | None = field(default=None, converter=_audiences)
    since: datetime | None = field(default=None, converter=optional_utc)
    until: datetime | None = field(default=None, converter=optional_utc)
    zone: str = field(default="UTC", converter=_zone)

    def admits(self, event: Event) -> bool:
        """Whether an event passes, ``recipient_id`` apart (which needs the messages)."""
        return (
            (self.delivery_ids is None or event.delivery_id in self.delivery_ids)
            and (self.message_ids is None or event.message_id in self.message_ids)
            and (self.kinds is None or event.kind in self.kinds)
            and (self.audience is None or event.verdict.audience in self.audience)
            and (self.since is None or event.occurred_at >= self.since)
            and (self.until is None or event.occurred_at < self.until)
        )

    def admits_fact(self, fact: Fact) -> bool:
        """Whether a fact passes."""
        delivery_id, at = delivery_of(fact), moment_of(fact)
        return (
            (self.delivery_ids is None or delivery_id is None or delivery_id in self.delivery_ids)
            and (self.recipient_id is None or recipient_of(fact) in (None, self.recipient_id))
            and (at is None or ((self.since is None or at >= self.since) and (self.until is None or at < self.until)))
        )


@closed
@frozen(kw_only=True)
class Checkpoint:
    """How far a source has been read: ``position`` is the source's own text, opaque to stores."""

    source: str = field(converter=text_id)
    position: str = field(converter=as_text)
    moved_at: datetime | None = field(default=None, converter=optional_utc)


@closed
@frozen(kw_only=True)
class Ingested:
    """What an ingest did: events that were new, and events whose id was known already."""

    added: int = field(default=0, converter=count)
    known: int = field(default=0, converter=count)


def _run_status(value: object) -> str:
    return one_of("status", ("finished", "failed"))(value)


def _rejects(value: Iterable[Rejected]) -> tuple[Rejected, ...]:
    return items(value)


@closed
@frozen(kw_only=True)
class WorkflowRun:
    """One run of the Tracking workflow, kept as evidence that it works (reference 5.5).

    ``hits`` were read; of them came ``events``, of which ``added`` were new to the store and ``known`` were not;
    ``rejected`` lines are kept in ``rejects`` (the first hundred per run); ``skipped`` counts hits that mean no
    event, by reason.
    """

    id: str = field(converter=text_id)
    started_at: datetime = field(converter=utc)
    ended_at: datetime | None = field(default=None, converter=optional_utc)
    status: str = field(default="finished", converter=_run_status)
    sources: tuple[str, ...] = field(default=(), converter=texts)
    hits: int = field(default=0, converter=count)
    events: int = field(default=0, converter=count)
    added: int = field(default=0, converter=count)
    known: int = field(default=0, converter=count)
    rejected: int = field(default=0, converter=count)
    skipped: Mapping[str, int] = field(factory=dict)
    rejects: tuple[Rejected, ...] = field(default=(), converter=_rejects)
    error: str = field(default="", converter=as_text)


Record = Delivery | Message | TrackedLink | WorkflowRun | Fact
"""What a store keeps by key, beside events: put again, the newer one wins."""


@closed
@frozen(kw_only=True)
class Capabilities:
    """What a store can do, each field a sentence that a test can quote when it skips.

    ``persistent``: what was put is there after close and open. ``atomic_ingest``: events and checkpoint move
    together or not at all. ``exact_distinct``: distinct counts are exact. ``concurrent_writers``: several handles
    may write at once. ``native_counts``: counts are computed by the engine.
    """

    persistent: bool = field(converter=flag)
    atomic_ingest: bool = field(converter=flag)
    exact_distinct: bool = field(converter=flag)
    concurrent_writers: bool = field(converter=flag)
    native_counts: bool = field(converter=flag)


def _records(value: Iterable[Hit | Event | Rejected]) -> tuple[Hit | Event | Rejected, ...]:
    return items(value)


@closed
@frozen(kw_only=True)
class Batch:
    """A stretch of a source: hits (or ready events) and rejected lines, in order, and the position behind them.

    ``scope`` names the file (or page) that the records stand in: equal records of one scope are told apart by their
    order in it.
    """

    records: tuple[Hit | Event | Rejected, ...] = field(converter=_records)
    position: str = field(converter=as_text)
    scope: str = field(default="", converter=as_text)


@runtime_checkable
class Source(Protocol):
    """Where hits come from."""

    def read(self, position: str | None) -> Iterator[Batch]:
        """The batches behind ``position`` (None: from the start), up to what is complete now.

        Raises:
            SourceError: the source cannot be read, or the position is not one of its own.
        """
        ...


@runtime_checkable
class Resolver(Protocol):
    """Who knows what a tracked URL says; ``msgtrack.Tracker`` is one."""

    def resolve(self, url: str, *, at: datetime | None = None) -> Resolution:
        """What ``url`` (absolute, or path and query) says at the moment ``at`` (None: nothing expires).

        Any text gives a resolution; nothing is raised for bad URLs.
        """
        ...

    def person_salt(self, day: str) -> bytes:
        """A secret of one day (``2026-11-21``), for person keys made by hashing."""
        ...


@runtime_checkable
class Store(Protocol):
    """Where deliveries, messages, links, events, checkpoints and run records are kept.

    Synchronous, and safe to use from one thread at a time. After ``close`` every method raises ``StoreClosed``;
    ``close`` itself may be called again. The numbered clauses of this contract: ``docs/spec/stores.md``.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do."""
        ...

    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key (delivery: id; message, link: delivery and id; run: id; facts: ``FACT_KEYS``); a known
        key is replaced whole.

        All or none.
        """
        ...

    def deliveries(self, query: Query = ...) -> Iterator[Delivery]:
        """Deliveries by ``query.delivery_ids``, ordered by id."""
        ...

    def messages(self, query: Query = ...) -> Iterator[Message]:
        """Messages by ``delivery_ids``, ``message_ids`` and ``recipient_id``, ordered by delivery and id."""
        ...

    def links(self, query: Query = ...) -> Iterator[TrackedLink]:
        """Tracked links by ``delivery_ids``, ordered by delivery and id."""
        ...

    def facts(self, kind: type[FactT], query: Query = ...) -> Iterator[FactT]:
        """Facts of one class that ``query.admits_fact``, ordered by key."""
        ...

    def runs(self) -> Iterator[WorkflowRun]:
        """Run records, the latest start first."""
        ...

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """Keep the events whose id is new, and then the checkpoint; where ``atomic_ingest`` holds, both or neither."""
        ...

    def scan(self, query: Query = ...) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id; each once."""
        ...

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        ...

    def counts(self, query: Query = ...) -> Any:
        """The :class:`msgtrack.tally.Counts` of the deliveries of the query, its events filtered by the rest of it."""
        ...

    def erase(self, recipient_id: str) -> None:
        """Forget a recipient."""
        ...

    def purge(self, before: datetime) -> None:
        """Drop what is older."""
        ...

    def close(self) -> None:
        """Let go of everything; may be called again."""
        ...
