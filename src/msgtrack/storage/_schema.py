"""The tables of the stores that keep rows and columns, and what is peculiar to their columns.

Whatever a query narrows, orders or groups by is a column of its own; everything else of a value stands in ``body`` as JSON
(:mod:`msgtrack.records`), so nothing is lost and a new field needs no new column. Moments are whole microseconds since 1970.

Texts that counts group by and that are no ids (domains, variants, programs) stand in the rows as keys: 64-bit numbers that
follow from the text alone, see :func:`term_key`. So every engine groups by numbers, none has to keep NUL or halves of
characters, and two writers never wait for each other to number a text. ``terms`` says what keys mean where only rows know.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, SmallInteger, Table

from msgtrack._borders import microseconds
from msgtrack.facts import MAX_ADDRESS_BYTES
from msgtrack.storage._types import EventId, IdText, LongText, Name, pack_id, unpack_id

__all__ = [
    "PREFIX",
    "SCHEMA_VERSION",
    "Tables",
    "microseconds",
    "moment",
    "pack_id",
    "tables_of",
    "term",
    "term_key",
    "unpack_id",
]

SCHEMA_VERSION = 3
"""The version of these tables; it rises with every change that an older version could not read.

Version 1 had no table of facts. Version 2 had neither keys nor what is consolidated: no terms, slots and days of programs."""

PREFIX = "msgtrack_"
"""What the names of tables and indexes begin with, unless told otherwise: a database may be shared with an application."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = json.JSONEncoder(separators=(",", ":")).encode


def moment(us: int) -> datetime:
    """The moment that many microseconds after 1970."""
    return _EPOCH + us * _MICROSECOND


def term_key(body: str) -> int:
    """The key of a term: 64 bits of BLAKE2, with a sign, of what :func:`term` wrote.

    Whoever seeks two texts with one key finds them after some billions of tries; then one goes by the name of the other.
    """
    return int.from_bytes(
        hashlib.blake2b(body.encode(), digest_size=8, person=b"msgtrack").digest(), "big", signed=True
    )


def term(value: object) -> tuple[int, str]:
    """The key of a value, and its body: the value as JSON, which is all ASCII."""
    body = _encode(value)
    return term_key(body), body


class Tables(NamedTuple):
    """All tables of one store."""

    metadata: MetaData
    schema: Table
    deliveries: Table
    messages: Table
    links: Table
    facts: Table
    runs: Table
    checkpoints: Table
    events: Table
    terms: Table
    slots: Table
    agent_days: Table
    frozen: Table
    audit: Table


def _id(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[Any]:
    return Column(name, IdText(), primary_key=primary_key, nullable=nullable)


def _key(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, primary_key=primary_key, nullable=nullable, autoincrement=False)


def _body(*, nullable: bool = False) -> Column[Any]:
    # Text and not the engine's JSON type: what is read back must be what was written.
    return Column("body", LongText, nullable=nullable)


def tables_of(prefix: str = PREFIX, schema: str | None = None) -> Tables:
    """The tables with names that begin with ``prefix``, in the engine's schema of this name, or its default one.

    Columns beyond those of values: ``is_apart`` (proof or template) and ``channel_key`` of deliveries; ``is_seed``, the keys of
    domain, variant and profile (what messages have in common that are counted alike), ``handled_slot`` and ``size_bytes`` of
    messages; ``type`` and the keys of label (or the URL where there is none), URL and category of links; ``agent_key``
    (the program, NULL where nothing is known) and ``left_out`` (of a seed or proof) of events.
    """
    metadata = MetaData(schema=schema)

    def table(name: str, *parts: Any) -> Table:
        return Table(prefix + name, metadata, *parts, sqlite_with_rowid=False)

    is_seed = Column("is_seed", SmallInteger, nullable=False)
    return Tables(
        metadata=metadata,
        schema=Table(
            f"{prefix}schema",
            metadata,
            Column("version", Integer, primary_key=True, autoincrement=False, nullable=False),
        ),
        deliveries=table(
            "deliveries",
            _id("id", primary_key=True),
            Column("is_apart", SmallInteger, nullable=False),
            _key("channel_key"),
            _body(),
        ),
        messages=table(
            "messages",
            _id("delivery_id", primary_key=True),
            _id("id", primary_key=True),
            _id("recipient_id", nullable=True),
            is_seed,
            _key("domain_key"),
            _key("variant_key"),
            _key("profile_key"),
            Column("handled_slot", BigInteger, nullable=True),
            Column("size_bytes", BigInteger, nullable=True),
            _body(),
            Index(f"{prefix}messages_recipient", "recipient_id"),
            # Seeds are few, and their events count for nothing. With the mark itself in front no engine takes the key of the table instead.
            Index(
                f"{prefix}messages_seeds",
                "is_seed",
                "delivery_id",
                "id",
                sqlite_where=is_seed == 1,
                postgresql_where=is_seed == 1,
            ),
        ),
        links=table(
            "links",
            _id("delivery_id", primary_key=True),
            _id("id", primary_key=True),
            Column("type", SmallInteger, nullable=False),
            _key("label_key"),
            _key("url_key"),
            _key("category_key"),
            _body(),
        ),
        # One table for all classes of facts: there are few of them, and they are asked for by class, delivery or recipient only.
        facts=table(
            "facts",
            Column("kind", Name(32), primary_key=True),
            *(Column(f"key_{number}", IdText(MAX_ADDRESS_BYTES), primary_key=True) for number in (1, 2, 3)),
            _id("delivery_id", nullable=True),
            _id("recipient_id", nullable=True),
            _body(),
            Index(f"{prefix}facts_delivery", "kind", "delivery_id"),
            Index(f"{prefix}facts_recipient", "recipient_id"),
        ),
        runs=table("runs", _id("id", primary_key=True), Column("started_at", BigInteger, nullable=False), _body()),
        checkpoints=table("checkpoints", _id("source", primary_key=True), _body()),
        events=_events(metadata, prefix),
        terms=table("terms", _key("key", primary_key=True), _body()),
        # No delivery and no link are empty here, which no id is: a key holds no NULL.
        slots=table(
            "slots",
            _id("delivery_id", primary_key=True),
            Column("kind", Name(32), primary_key=True),
            _id("link_id", primary_key=True),
            Column("slot", BigInteger, primary_key=True, autoincrement=False),
            Column("audience", Name(16), primary_key=True),
            Column("times", BigInteger, nullable=False),
        ),
        agent_days=table(
            "agent_days",
            _id("delivery_id", primary_key=True),
            Column("day", Integer, primary_key=True, autoincrement=False),
            _key("agent_key", primary_key=True),
            Column("kind", Name(32), primary_key=True),
            Column("audience", Name(16), primary_key=True),
            Column("times", BigInteger, nullable=False),
        ),
        frozen=table(
            "frozen",
            _id("delivery_id", primary_key=True),
            Column("audience", Name(64), primary_key=True),
            Column("zone", Name(64), primary_key=True),
            _body(),
        ),
        audit=table("audit", _id("id", primary_key=True), Column("started_at", BigInteger, nullable=False), _body()),
    )


def _events(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}events",
        metadata,
        # The rows lie in order of arrival, so that only the narrow index on ids is written to at random.
        Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("id", EventId, nullable=False, unique=True),
        Column("kind", Name(32), nullable=False),
        Column("occurred_at", BigInteger, nullable=False),
        _id("delivery_id", nullable=True),
        _id("message_id", nullable=True),
        _id("link_id", nullable=True),
        _id("source_id", nullable=True),
        Column("audience", Name(16), nullable=False),
        _key("agent_key", nullable=True),
        Column("left_out", SmallInteger, nullable=False),
        Column("request_id", LongText, nullable=True),
        _body(nullable=True),
        Index(f"{prefix}events_delivery", "delivery_id", "occurred_at"),
        Index(f"{prefix}events_message", "delivery_id", "message_id"),
    )
