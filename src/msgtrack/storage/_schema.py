"""The tables of the SQL stores, and what is peculiar to their columns.

Whatever a query narrows or orders by is a column of its own; everything else of a value stands in ``body`` as JSON
(:mod:`msgtrack.records`), so nothing is lost and a new field needs no new column. Moments are whole microseconds since 1970.
Every table begins with ``msgtrack_``: a database may be shared with an application.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator, UserDefinedType

from msgtrack._borders import MAX_ID_BYTES, microseconds
from msgtrack.facts import MAX_ADDRESS_BYTES

__all__ = [
    "SCHEMA_VERSION",
    "checkpoints",
    "deliveries",
    "events",
    "facts",
    "links",
    "messages",
    "metadata",
    "microseconds",
    "moment",
    "pack_id",
    "runs",
    "schema",
    "unpack_id",
]

SCHEMA_VERSION = 2
"""The version of these tables; it rises with every change that an older version could not read.

Version 1 had no table of facts; opening it adds one."""

_HEX_ID = re.compile("[0-9a-f]{32}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment(us: int) -> datetime:
    """The moment that many microseconds after 1970."""
    return _EPOCH + us * _MICROSECOND


def pack_id(event_id: str) -> bytes | str:
    """An event id as it is kept: our own 32 lower-case hexadecimal digits as 16 bytes, any other text as it is."""
    return bytes.fromhex(event_id) if _HEX_ID.fullmatch(event_id) else event_id


def unpack_id(kept: bytes | str) -> str:
    """The event id, character for character."""
    return kept.hex() if isinstance(kept, bytes) else kept


class _Untyped(UserDefinedType[Any]):
    """A column that keeps bytes as bytes and text as text; SQLite does so for a BLOB, which converts nothing."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "BLOB"


class EventId(TypeDecorator[str]):
    """An event id, packed."""

    impl = _Untyped
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> bytes | str | None:
        """Pack."""
        return None if value is None else pack_id(value)

    def process_result_value(self, value: Any, dialect: object) -> str | None:
        """Unpack."""
        return None if value is None else unpack_id(value)


metadata = MetaData()


def _id(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[Any]:
    return Column(name, String(MAX_ID_BYTES), primary_key=primary_key, nullable=nullable)


def _body(*, nullable: bool = False) -> Column[Any]:
    # Text and not the engine's JSON type: what is read back must be what was written, and NUL must pass.
    return Column("body", Text, nullable=nullable)


schema = Table("msgtrack_schema", metadata, Column("version", Integer, nullable=False))

deliveries = Table("msgtrack_deliveries", metadata, _id("id", primary_key=True), _body(), sqlite_with_rowid=False)

messages = Table(
    "msgtrack_messages",
    metadata,
    _id("delivery_id", primary_key=True),
    _id("id", primary_key=True),
    _id("recipient_id", nullable=True),
    _body(),
    Index("msgtrack_messages_recipient", "recipient_id"),
    sqlite_with_rowid=False,
)

links = Table(
    "msgtrack_links",
    metadata,
    _id("delivery_id", primary_key=True),
    _id("id", primary_key=True),
    _body(),
    sqlite_with_rowid=False,
)

# One table for all classes of facts: there are few of them, and they are asked for by class, delivery or recipient only.
facts = Table(
    "msgtrack_facts",
    metadata,
    Column("kind", String(32), primary_key=True),
    *(Column(f"key_{number}", String(MAX_ADDRESS_BYTES), primary_key=True) for number in (1, 2, 3)),
    _id("delivery_id", nullable=True),
    _id("recipient_id", nullable=True),
    _body(),
    Index("msgtrack_facts_delivery", "kind", "delivery_id"),
    Index("msgtrack_facts_recipient", "recipient_id"),
    sqlite_with_rowid=False,
)

runs = Table(
    "msgtrack_runs",
    metadata,
    _id("id", primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    _body(),
    sqlite_with_rowid=False,
)

checkpoints = Table("msgtrack_checkpoints", metadata, _id("source", primary_key=True), _body(), sqlite_with_rowid=False)

events = Table(
    "msgtrack_events",
    metadata,
    # The rows lie in order of arrival, so that only the narrow index on ids is written to at random.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", EventId, nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    _id("delivery_id", nullable=True),
    _id("message_id", nullable=True),
    _id("link_id", nullable=True),
    _id("source_id", nullable=True),
    Column("audience", String(16), nullable=False),
    Column("request_id", Text, nullable=True),
    _body(nullable=True),
    Index("msgtrack_events_delivery", "delivery_id", "occurred_at"),
)
