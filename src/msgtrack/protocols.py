"""What the stages ask of each other: stores, resolvers and sources, as small protocols, with the values they pass.

The docstring of :class:`Store` is its contract; the numbered clauses stand in ``docs/spec/stores.md`` and each is
cited by a test of :class:`msgtrack.testing.StoreSuite`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar, runtime_checkable

from attrs import field, fields, frozen

from msgtrack._borders import closed, count, flag, items, one_of, optional_utc, text_id, texts, utc
from msgtrack._borders import text as as_text
from msgtrack.columns import EventColumns
from msgtrack.events import Event
from msgtrack.facts import Fact
from msgtrack.hits import Hit, Rejected
from msgtrack.model import Delivery, Message, Resolution, TrackedLink
from msgtrack.queries import Query
from msgtrack.upkeep import AuditEntry, FrozenCounts

__all__ = [
    "CAPABILITIES",
    "AuditEntry",
    "Batch",
    "Capabilities",
    "Checkpoint",
    "ColumnStore",
    "FactT",
    "FrozenCounts",
    "Ingested",
    "LineSource",
    "MessageReader",
    "Query",
    "Record",
    "Resolver",
    "Sessions",
    "Slots",
    "Source",
    "Store",
    "UnreadLines",
    "WorkflowRun",
    "message_reader_of",
]


FactT = TypeVar("FactT", bound=Fact)
"""One class of fact."""


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


Record = Delivery | Message | TrackedLink | WorkflowRun | Fact | FrozenCounts | AuditEntry
"""What a store keeps by key, beside events: put again, the newer one wins."""

Slots = Mapping[str, Mapping[str, Mapping[str, Mapping[int, int]]]]
"""Rows of consolidated tracking: by delivery id, kind, link id ("" for none) and start of the slot in Unix seconds."""


def _says(sentence: str) -> dict[str, str]:
    return {"says": sentence}


@closed
@frozen(kw_only=True)
class Capabilities:
    """What a store can do; :data:`CAPABILITIES` says each in a sentence, which tests quote when they skip."""

    persistent: bool = field(converter=flag, metadata=_says("what was put is there after close and open"))
    atomic_ingest: bool = field(
        converter=flag,
        metadata=_says("events and checkpoint move together or not at all, and so does a revision"),
    )
    exact_distinct: bool = field(converter=flag, metadata=_says("distinct counts are exact"))
    concurrent_writers: bool = field(converter=flag, metadata=_says("several handles may write at once"))
    native_counts: bool = field(converter=flag, metadata=_says("counts are computed by the engine"))
    native_slots: bool = field(
        default=False,
        converter=flag,
        metadata=_says("consolidated slots are kept at ingest"),
    )
    revisable: bool = field(
        default=False,
        converter=flag,
        metadata=_says("what is kept can be rewritten and taken out"),
    )
    several_processes: bool = field(
        default=False, converter=flag, metadata=_says("several processes may share one place")
    )
    snapshots: bool = field(
        default=False, converter=flag, metadata=_says("what is read within a snapshot is one state")
    )
    streaming: bool = field(default=False, converter=flag, metadata=_says("scanning more takes no more memory"))


CAPABILITIES: Mapping[str, str] = {attribute.name: attribute.metadata["says"] for attribute in fields(Capabilities)}
"""Each capability, and what it says of a store that has it."""


def _texts(value: Iterable[str | Rejected]) -> tuple[str | Rejected, ...]:
    return tuple(value)


def _records(value: Iterable[Hit | Event | Rejected]) -> tuple[Hit | Event | Rejected, ...]:
    return items(value)


@closed
@frozen(kw_only=True)
class UnreadLines:
    """Lines of a log in the combined format, one behind the other, that nobody has looked into yet.

    ``first`` is the number of the first line, from 1. Of each there is its text without its end, or a :class:`Rejected` where it was no
    text. ``source`` names the file, where it is another than the one that was asked for; rejected lines carry that name.
    """

    first: int = field(converter=count)
    texts: tuple[str | Rejected, ...] = field(converter=_texts)
    source: str = field(default="", converter=as_text)


@closed
@frozen(kw_only=True)
class Batch:
    """A stretch of a source: hits (or ready events) and rejected lines, in order, and the position behind them.

    ``scope`` names the file (or page) that the records stand in: equal records of one scope are told apart by their
    order in it. ``lines`` come behind the records, and only from ``read_lines`` of a :class:`LineSource`.
    """

    records: tuple[Hit | Event | Rejected, ...] = field(converter=_records)
    position: str = field(converter=as_text)
    scope: str = field(default="", converter=as_text)
    lines: UnreadLines | None = None


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
class LineSource(Source, Protocol):
    """A source whose lines may be read by somebody else, many at a time; :mod:`msgtrack.bulk` does."""

    def read_lines(self, position: str | None) -> Iterator[Batch]:
        """The batches that ``read`` gives, with the same positions and scopes, but lines in the combined format are left as they are.

        What is of another format comes as records; so does everything where more is waited for when the file has ended.

        Raises:
            SourceError: the source cannot be read, or the position is not one of its own.
        """
        ...


@runtime_checkable
class Resolver(Protocol):
    """Who knows what a tracked URL says; ``msgtrack.Tracker`` is one.

    A class may also have ``message_reader()``, which gives a quicker reader of message parts, or None; see
    ``Tracker.message_reader``. Logs and the redirect then use it.
    """

    def resolve(self, url: str, *, at: datetime | None = None) -> Resolution:
        """What ``url`` (absolute, or path and query) says at the moment ``at`` (None: nothing expires).

        Any text gives a resolution; nothing is raised for bad URLs.
        """
        ...

    def person_salt(self, day: str) -> bytes:
        """A secret of one day (``2026-11-21``), for person keys made by hashing."""
        ...


MessageReader = Callable[[str], "tuple[str, str] | None"]
"""From the last segment of a path to its family and its message's id; see ``Tracker.message_reader``."""


def message_reader_of(resolver: Resolver) -> MessageReader | None:
    """What tells a resolver's URLs apart by message; None when it does not say."""
    # Asked of the class: what stands in for a resolver and passes on what it does not know may resolve in a way of its own.
    method: Any = getattr(type(resolver), "message_reader", None)
    reader: MessageReader | None = None if method is None else method(resolver)
    return reader


@runtime_checkable
class Sessions(Protocol):
    """Who signs and reads the tokens of sessions, for web tags; ``msgtrack.Tracker`` does."""

    def session_token(self, resolution: Resolution) -> str:
        """The token of the message of a click; empty for one whose recipient may not be identified."""
        ...

    def read_session(self, token: str) -> Resolution:
        """What a token says; ``unknown`` when it is none of ours. Any text may be asked for."""
        ...


@runtime_checkable
class Store(Protocol):
    """Where deliveries, messages, links, facts, events, checkpoints and run records are kept.

    Synchronous, and safe to use from one thread at a time. After ``close`` every method raises ``StoreClosed``;
    ``close`` itself may be called again. The numbered clauses of this contract: ``docs/spec/stores.md``.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do."""
        ...

    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key (delivery: id; message, link: delivery and id; run, audit entry: id; frozen counts: delivery,
        audience and zone; facts: ``FACT_KEYS``); a known key is replaced whole.

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

    def frozen(self, query: Query = ...) -> Iterator[FrozenCounts]:
        """Frozen counts by ``query.delivery_ids``, ordered by delivery, audience and zone."""
        ...

    def audits(self) -> Iterator[AuditEntry]:
        """The audit trail, the latest start first."""
        ...

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """Keep the events whose id is new, and then the checkpoint; where ``atomic_ingest`` holds, both or neither."""
        ...

    def scan(self, query: Query = ...) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id (the other way round by ``newest_first``); each once."""
        ...

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        ...

    def counts(self, query: Query = ...) -> Any:
        """The :class:`msgtrack.tally.Counts` of the deliveries of the query, its events filtered by the rest of it."""
        ...

    def slots(self, query: Query = ...) -> Slots:
        """The five-minute slots of those counts, without the rest."""
        ...

    def rebuild(self, delivery_ids: Iterable[str] | None = None) -> None:
        """Recompute from the events what the store keeps consolidated, of one delivery, of several or of all; empty text among
        several stands for events that name none.
        """
        ...

    def export(self, recipient_id: str) -> Iterator[Record | Event]:
        """All that is held about a recipient."""
        ...

    def erase(self, recipient_id: str, *, now: datetime | None = None, anonymise: bool = True) -> AuditEntry:
        """Forget a recipient."""
        ...

    def purge(
        self,
        before: datetime | Mapping[str, datetime],
        *,
        now: datetime | None = None,
        zones: Iterable[str] = ("UTC",),
    ) -> AuditEntry:
        """Take away what is older."""
        ...

    def close(self) -> None:
        """Let go of everything; may be called again."""
        ...


@runtime_checkable
class ColumnStore(Store, Protocol):
    """A store that takes events by column, many at a time, and while another thread makes the next ones."""

    def ingest_columns(self, columns: EventColumns, checkpoint: Checkpoint | None = None) -> Ingested:
        """What ``ingest`` does with ``columns.events()``.

        Raises:
            MissingExtra: what it needs for that is not installed.
        """
        ...
