"""Values as rows of the SQL tables, and back: columns for what queries ask, a JSON body for the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from attrs import fields
from sqlalchemy import Table

from msgtrack._entries import NO_AGENT, agent_of, link_entry, slot_of
from msgtrack.errors import MsgtrackError, StoreError
from msgtrack.events import EVENT_KINDS, Event
from msgtrack.facts import FACT_KEYS, Fact, delivery_of, fact_key, recipient_of
from msgtrack.model import Delivery, Message, Part, TrackedLink
from msgtrack.protocols import Checkpoint, Record, WorkflowRun
from msgtrack.records import from_dict, to_dict
from msgtrack.storage._core import LONG_AGO
from msgtrack.storage._schema import Tables, microseconds, moment, term
from msgtrack.upkeep import AuditEntry, FrozenCounts

__all__ = [
    "EVENT_COLUMNS",
    "IN_COLUMNS",
    "NO_TERMS",
    "OVERSIZE",
    "READ_COLUMNS",
    "REST",
    "SHELVES",
    "EventReader",
    "Shelf",
    "Term",
    "checkpoint_row",
    "derived_of_event",
    "fact_row",
    "key_of",
    "read_checkpoint",
    "read_fact",
    "shelf_of",
]

T = TypeVar("T")

_encode = json.JSONEncoder(separators=(",", ":")).encode

Term = tuple[int, str]
"""A key and its body, a row of the dictionary."""

NO_TERMS: tuple[Term, ...] = ()

OVERSIZE = -1
"""What the column of sizes holds where the size of a message is no size of a message: the body says it."""

_MOST_BYTES = 2**36


@lru_cache(maxsize=4096)
def _term(value: tuple[object, ...] | str) -> Term:
    return term(value)


def key_of(text: str) -> int:
    """The key of a text: a domain class, a variant or a label."""
    return _term(text)[0]


class Shelf(NamedTuple):
    """Where records of one class are kept: ``name`` is the field of :class:`Tables`, ``fields`` are those that are columns,
    ``extra`` columns follow from the record, ``terms`` are those of its keys that only the dictionary explains.
    """

    name: str
    fields: tuple[str, ...]
    extra: Callable[[Any], tuple[Any, ...]] = lambda _: ()
    terms: Callable[[Any], tuple[Term, ...]] = lambda _: NO_TERMS

    def table(self, tables: Tables) -> Table:
        """The table of a store."""
        table: Table = getattr(tables, self.name)
        return table

    def row(self, record: Record) -> tuple[Any, ...]:
        """The record as a row, in the order of the table's columns."""
        rest = to_dict(record)
        return (*(rest.pop(name, None) for name in self.fields), *self.extra(record), _encode(rest))

    def record(self, row: Sequence[Any], kind: type[T]) -> T:
        """The record of a row; between the fields and the body may stand what follows from the record.

        Raises:
            StoreError: the row is not one that this package wrote.
        """
        rest = _decoded(row[-1], self.name)
        for name, value in zip(self.fields, row, strict=False):
            if value is not None:
                rest[name] = value
        return _read(rest, kind, self.name)


def _delivery_extra(delivery: Delivery) -> tuple[Any, ...]:
    return int(delivery.is_proof or delivery.is_template), key_of(delivery.channel)


def _profile(message: Message) -> Term:
    """What messages have in common that are counted alike."""
    return _term(
        (
            message.domain,
            message.variant,
            int(message.status),
            int(message.failure_type),
            int(message.failure_reason),
            int(message.format is Part.TEXT),
            int(message.is_quarantine),
            int(message.is_seed),
        )
    )


def _message_extra(message: Message) -> tuple[Any, ...]:
    size = message.size_bytes
    return (
        int(message.is_seed),
        key_of(message.domain),
        key_of(message.variant),
        _profile(message)[0],
        None if message.event_at is None else slot_of(message.event_at),
        OVERSIZE if size is not None and size > _MOST_BYTES else size,
    )


def _link_extra(link: TrackedLink) -> tuple[Any, ...]:
    entry = link_entry(link)
    return entry.type, key_of(entry.label or entry.url), key_of(entry.url), key_of(entry.category)


SHELVES: dict[type, Shelf] = {
    Delivery: Shelf("deliveries", ("id",), _delivery_extra),
    Message: Shelf(
        "messages", ("delivery_id", "id", "recipient_id"), _message_extra, lambda message: (_profile(message),)
    ),
    TrackedLink: Shelf("links", ("delivery_id", "id"), _link_extra),
    WorkflowRun: Shelf("runs", ("id",), lambda run: (microseconds(run.started_at),)),
    FrozenCounts: Shelf("frozen", ("delivery_id", "audience", "zone")),
    AuditEntry: Shelf("audit", ("id",), lambda entry: (microseconds(entry.started_at or LONG_AGO),)),
}


def shelf_of(record: Record) -> Shelf:
    """Where a record that is no fact is kept."""
    return SHELVES[type(record)]


def fact_row(fact: Fact) -> tuple[Any, ...]:
    """A fact as a row of its table, in the order of the columns; all of it stands in the body."""
    kind, key = type(fact), fact_key(fact)
    names = (*key, *[""] * (_MAX_KEY - len(key)))
    return (kind.__name__, *names, delivery_of(fact), recipient_of(fact), _encode(to_dict(fact)))


_MAX_KEY = max(map(len, FACT_KEYS.values()))


def read_fact(body: str, kind: type[T]) -> T:
    """The fact of a row's body.

    Raises:
        StoreError: the body is not one that this package wrote.
    """
    return _read(_decoded(body, "facts"), kind, "facts")


def checkpoint_row(checkpoint: Checkpoint) -> tuple[str, str]:
    """A checkpoint as a row: its source, and all of it as JSON."""
    return (checkpoint.source, _encode(to_dict(checkpoint)))


def read_checkpoint(body: str) -> Checkpoint:
    """The checkpoint of a row's body.

    Raises:
        StoreError: the body is not one that this package wrote.
    """
    return _read(_decoded(body, "checkpoints"), Checkpoint, "checkpoints")


READ_COLUMNS = (
    "id",
    "kind",
    "occurred_at",
    "delivery_id",
    "message_id",
    "link_id",
    "source_id",
    "audience",
    "request_id",
    "body",
)
"""The columns that an event is read from, in the order of :meth:`EventReader.event`."""

EVENT_COLUMNS = (*READ_COLUMNS[:8], "agent_key", "left_out", *READ_COLUMNS[8:])
"""The columns of an event's row, in the order of :meth:`EventWriter.columns`."""

IN_COLUMNS = frozenset(READ_COLUMNS)
"""The fields of an event that have a column."""

REST = {
    cls: tuple(attribute.name for attribute in fields(cls) if attribute.alias not in IN_COLUMNS)
    for cls in EVENT_KINDS.values()
}
"""Of each class the fields that have no column: client, verdict, source and the like, mostly the same from event to event."""

_CACHED_BODIES = 4096


def derived_of_event(event: Event) -> tuple[Term | None, int]:
    """What follows from an event: the term of its program, None where nothing is known of it, and whether it is left out."""
    agent = NO_AGENT if event.client is None else agent_of(event.client)
    return (None if agent == NO_AGENT else _term(agent)), int(event.is_seed or event.is_proof)


class EventReader:
    """Makes events of rows, in the order of :data:`READ_COLUMNS`; the same bodies are read once."""

    def __init__(self) -> None:
        self._rests: dict[tuple[str, str | None], dict[str, Any]] = {}

    def event(self, row: Sequence[Any]) -> Event:
        """The event of a row, with its id set.

        Raises:
            StoreError: the row is not one that this package wrote.
        """
        event_id, kind, occurred_at, delivery_id, message_id, link_id, source_id, _, request_id, body = row
        try:
            rest = self._rests[kind, body]
        except KeyError:
            if len(self._rests) >= _CACHED_BODIES:
                self._rests.clear()
            rest = self._rests[kind, body] = _event_rest(kind, body)
        if request_id is not None:
            rest = rest | {"request_id": request_id}
        return EVENT_KINDS[kind](
            id=event_id,
            occurred_at=moment(occurred_at),
            delivery_id=delivery_id,
            message_id=message_id,
            link_id=link_id,
            source_id=source_id,
            **rest,
        )


def _event_rest(kind: str, body: str | None) -> dict[str, Any]:
    """The fields of an event that have no column, as values."""
    table = "events"
    rest = {} if body is None else _decoded(body, table)
    example = _read({**rest, "kind": kind, "occurred_at": "1970-01-01T00:00:00Z"}, Event, table)
    values: dict[str, Any] = {name: getattr(example, name) for name in REST[type(example)]}
    if example.request_id:
        values["request_id"] = example.request_id
    return values


def _decoded(body: str, table: str) -> dict[str, Any]:
    try:
        rest = json.loads(body)
    except ValueError as error:
        raise StoreError(f"a row of {table} holds no JSON: {error}") from None
    if not isinstance(rest, dict):
        raise StoreError(f"a row of {table} holds no JSON object: {body!r:.80}")
    return rest


def _read(rest: dict[str, Any], kind: type[T], table: str) -> T:
    try:
        return from_dict(rest, kind)
    except StoreError:
        raise
    except MsgtrackError as error:
        raise StoreError(f"a row of {table} cannot be read: {error}") from error
