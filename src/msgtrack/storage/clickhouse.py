"""The store on ClickHouse: a server, or the same engine inside this process, through clickhouse-connect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Select, Table, case, func, literal_column, select, tuple_

from msgtrack._borders import MAX_ID_BYTES
from msgtrack.errors import InvalidValue, SchemaMismatch, StoreError
from msgtrack.events import Event
from msgtrack.facts import FACT_KEYS, Fact
from msgtrack.protocols import Capabilities, Checkpoint, Ingested, Query, Record
from msgtrack.storage._clickhouse_arrivals import Arrivals
from msgtrack.storage._clickhouse_dialect import column_type, kept_id, literal, quoted, table_text, text_of
from msgtrack.storage._clickhouse_link import Address, Link, address_of
from msgtrack.storage._clickhouse_tables import Layout, layout_of
from msgtrack.storage._rows import (
    READ_COLUMNS,
    SHELVES,
    EventReader,
    EventWriter,
    checkpoint_row,
    fact_row,
    read_checkpoint,
    read_fact,
)
from msgtrack.storage._schema import PREFIX, SCHEMA_VERSION, microseconds
from msgtrack.storage.base import EVERYTHING, BaseStore, RecordT, admits, kept_ids, record_key

__all__ = ["ClickHouseStore", "open_clickhouse"]

_BATCH_ROWS = 50_000
_MAX_IN = 500
"""Ids that go into the SQL of a query; more than that are compared here."""

_CAPABILITIES = Capabilities(
    persistent=True, atomic_ingest=False, exact_distinct=True, concurrent_writers=True, native_counts=False
)


class ClickHouseStore(BaseStore):
    """A store on ClickHouse.

    Args:
        address: where it is; :func:`open_clickhouse` reads it from a URL.
        prefix: what the names of the tables begin with.
        cluster: the name of a cluster as the server's configuration has it: tables are replicated and distributed over it.

    Raises:
        StoreError: it cannot be reached, or another process has the folder.
        SchemaMismatch: its tables are of a newer version, or are not ours.
    """

    def __init__(self, address: Address, *, prefix: str = PREFIX, cluster: str = "") -> None:
        _check_name(prefix, "a prefix")
        if cluster:
            _check_name(cluster, "a cluster")
        self._layout: Layout = layout_of(database=address.database, prefix=prefix, cluster=cluster)
        self._tables = self._layout.tables
        self._link = Link(address, cluster=bool(cluster))
        self._arrivals = Arrivals(self._link, self._layout)
        try:
            self._prepare()
        except BaseException:
            self._link.close()
            raise

    @property
    def capabilities(self) -> Capabilities:
        """Persistent and exact; several handles may write; events come first and the checkpoint after."""
        return _CAPABILITIES

    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key; see :class:`msgtrack.protocols.Store`."""
        self.check_open()
        rows: dict[Table, list[tuple[Any, ...]]] = {}
        terms: dict[int, str] = {}
        for record in records:
            record_key(record)
            if isinstance(record, Fact):
                rows.setdefault(self._tables.facts, []).append(fact_row(record))
            else:
                shelf = SHELVES[type(record)]
                rows.setdefault(shelf.table(self._tables), []).append(shelf.row(record))
                terms.update(shelf.terms(record))
        self._insert(self._tables.terms, list(terms.items()))
        for table, of_table in rows.items():
            self._insert(table, of_table)

    def find(self, kind: type[RecordT], query: Query = EVERYTHING) -> Iterator[RecordT]:
        """Records of one class that pass, in order."""
        self.check_open()
        return self._find_facts(kind, query) if kind in FACT_KEYS else self._find(kind, query)

    def _find_facts(self, kind: type[RecordT], query: Query) -> Iterator[RecordT]:
        columns = self._tables.facts.c
        statement = select(columns.body).where(columns.kind == kind.__name__)
        if query.delivery_ids is not None and len(query.delivery_ids) <= _MAX_IN:
            statement = statement.where(columns.delivery_id.is_(None) | columns.delivery_id.in_(query.delivery_ids))
        if query.recipient_id is not None:
            statement = statement.where(columns.recipient_id.is_(None) | (columns.recipient_id == query.recipient_id))
        for (body,) in self._rows(statement.order_by(*self._tables.facts.primary_key.columns)):
            fact = read_fact(body, kind)
            if admits(query, fact):
                yield fact

    def _find(self, kind: type[RecordT], query: Query) -> Iterator[RecordT]:
        shelf = SHELVES[kind]
        table = shelf.table(self._tables)
        statement = select(*(table.c[name] for name in shelf.fields), table.c.body)
        if query.delivery_ids is not None and "delivery_id" in table.c:
            statement = _narrowed(statement, table.c.delivery_id, query.delivery_ids)
        elif query.delivery_ids is not None and table is self._tables.deliveries:
            statement = _narrowed(statement, table.c.id, query.delivery_ids)
        if table is self._tables.messages:
            statement = _narrowed(statement, table.c.id, query.message_ids)
            if query.recipient_id is not None:
                statement = statement.where(table.c.recipient_id == query.recipient_id)
        if table is self._tables.runs:
            statement = statement.order_by(table.c.started_at.desc())
        for row in self._rows(statement.order_by(*table.primary_key.columns)):
            record = shelf.record(row, kind)
            if admits(query, record):
                yield record

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """Keep the events whose id is new, and then the checkpoint.

        What is given lies in a table of its own until the iterable is at its end; of an iterable that fails nothing is kept.
        """
        self.check_open()
        token = self._arrivals.token()
        given = self._take(kept_ids(events), token)
        added = self._arrivals.settle(token, given) if given else 0
        if checkpoint is not None:
            self._insert(self._tables.checkpoints, [checkpoint_row(checkpoint)])
        return Ingested(added=added, known=given - added)

    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id; memory does not grow with them."""
        self.check_open()
        return self._scan(query)

    def _scan(self, query: Query) -> Iterator[Event]:
        columns = self._tables.events.c
        id_text = case(
            (func.startsWith(columns.id, literal_column("'\\0'")), func.lower(func.hex(func.substring(columns.id, 2)))),
            else_=func.substring(columns.id, 2),
        ).label("id_text")
        statement = select(id_text, *(columns[name] for name in READ_COLUMNS[1:]))
        statement = _narrowed(statement, columns.delivery_id, query.delivery_ids)
        statement = _narrowed(statement, columns.message_id, query.message_ids)
        statement = _narrowed(statement, columns.kind, query.kinds)
        if query.audience is not None:
            statement = statement.where(columns.audience.in_([audience.value for audience in query.audience]))
        if query.since is not None:
            statement = statement.where(columns.occurred_at >= microseconds(query.since))
        if query.until is not None:
            statement = statement.where(columns.occurred_at < microseconds(query.until))
        if query.recipient_id is not None:
            messages = self._tables.messages.c
            theirs = select(messages.delivery_id, messages.id).where(messages.recipient_id == query.recipient_id)
            statement = statement.where(tuple_(columns.delivery_id, columns.message_id).in_(theirs))
        reader = EventReader()
        in_sql = all(len(ids) <= _MAX_IN for ids in (query.delivery_ids or (), query.message_ids or ()))
        for row in self._rows(statement.order_by(columns.occurred_at, literal_column("id_text"))):
            event = reader.event(row)
            if in_sql or query.admits(event):
                yield event

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        self.check_open()
        columns = self._tables.checkpoints.c
        rows = self._link.rows(text_of(select(columns.body).where(columns.source == source)))
        return next((read_checkpoint(body) for (body,) in rows), None)

    def close(self) -> None:
        """Let go of ClickHouse; iterators that are still open raise ``StoreClosed`` at their next step."""
        if not self._closed:
            super().close()
            self._link.close()

    def _take(self, kept: Iterator[tuple[str, Event]], token: int) -> int:
        """Write events into the table of incoming ones; how many there were."""
        writer, given = EventWriter(), 0
        try:
            while batch := list(islice(kept, _BATCH_ROWS)):
                rows = [writer.row(*one) for one in batch]
                rows = [(token, number, kept_id(row[0]), *row[1:]) for number, row in enumerate(rows, given)]
                self._insert(self._tables.terms, writer.terms())
                self._insert(self._layout.incoming, rows)
                given += len(batch)
        except BaseException:
            if given:
                self._arrivals.forget(token)
            raise
        return given


    def _insert(self, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows that have a value for each column of the table that is not the engine's own."""
        if not rows:
            return
        columns = [*zip(*rows, strict=True)]
        self._link.insert(
            table_text(table), [column.name for column in table.columns], [*map(column_type, table.columns)], columns
        )

    def _rows(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        for row in self._link.stream(text_of(statement)):
            self.check_open()
            yield row

    def _prepare(self) -> None:
        """Make the tables of a new database; refuse one whose tables are not ours."""
        version = self._version()
        if version == SCHEMA_VERSION:
            self._arrivals.repair()
            return
        database = self._link.address.database
        if not self._link.rows(f"SELECT 1 FROM system.databases WHERE name = {literal(database)}"):
            self._link.run(f"CREATE DATABASE IF NOT EXISTS {quoted(database)}{self._layout.on_cluster}")
        for statement in self._layout.statements():
            self._link.run(statement)
        self._insert(self._tables.schema, [(SCHEMA_VERSION,)])

    def _version(self) -> int:
        """The version of the schema that is there; 0 for a new database."""
        shown = self._link.address.shown
        names = ", ".join(literal(table.name) for table in self._layout.kept)
        found = self._link.rows(
            f"SELECT name FROM system.tables WHERE database = {literal(self._link.address.database)} AND name IN ({names})"
        )
        there = {name for (name,) in found}
        schema = self._tables.schema
        if schema.name not in there:
            # The table of the version comes last: without it, making them was broken off, or they are somebody else's.
            if there and not self._are_ours(there):
                raise SchemaMismatch(f"{shown} has tables of our names that are not ours: {', '.join(sorted(there))}")
            return 0
        try:
            versions = [version for (version,) in self._link.rows(text_of(select(schema.c.version)))]
        except StoreError:
            versions = []
        if not versions:
            # Another handle is just writing it, or was killed before it could.
            if self._are_ours(there):
                return 0
            raise SchemaMismatch(f"{shown} does not say which version of the schema it has")
        if max(versions) > SCHEMA_VERSION:
            raise SchemaMismatch(
                f"{shown} has version {max(versions)} of the schema, this reads up to {SCHEMA_VERSION}",
                hint="upgrade msgtrack",
            )
        return SCHEMA_VERSION

    def _are_ours(self, there: set[str]) -> bool:
        database = literal(self._link.address.database)
        for table in self._layout.kept:
            if table.name in there:
                found = self._link.rows(
                    f"SELECT name FROM system.columns WHERE database = {database} AND table = {literal(table.name)}"
                )
                if {name for (name,) in found} != {column.name for column in table.columns}:
                    return False
        return True


def _narrowed(statement: Select[Any], column: Any, values: tuple[str, ...] | None) -> Select[Any]:
    return statement if values is None or len(values) > _MAX_IN else statement.where(column.in_(values))


def _check_name(name: str, what: str) -> None:
    if not isinstance(name, str) or "\0" in name or len(name.encode("utf-8", "replace")) > MAX_ID_BYTES:
        raise InvalidValue(f"{what} is text of at most {MAX_ID_BYTES} bytes without NUL, not {name!r:.80}")


def open_clickhouse(url: str, *, prefix: str = PREFIX, cluster: str = "") -> ClickHouseStore:
    """The store at ``clickhouse://host:port/database``, or in the folder of ``chdb:///folder``; see :class:`ClickHouseStore`."""
    return ClickHouseStore(address_of(url), prefix=prefix, cluster=cluster)
