"""The store on a SQL database, through SQLAlchemy Core; today on SQLite, ``_sqlite`` holding what is the engine's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection, Select, Table, inspect, make_url, select, tuple_
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from msgtrack.errors import InvalidValue, SchemaMismatch, StoreError
from msgtrack.events import Event
from msgtrack.facts import FACT_KEYS, Fact
from msgtrack.protocols import Capabilities, Checkpoint, Ingested, Query, Record
from msgtrack.storage import _schema, _sqlite
from msgtrack.storage._rows import (
    EVENT_COLUMNS,
    SHELVES,
    EventReader,
    EventWriter,
    checkpoint_row,
    fact_row,
    read_checkpoint,
    read_fact,
)
from msgtrack.storage._schema import SCHEMA_VERSION, checkpoints, events, facts, messages, microseconds, runs, schema
from msgtrack.storage.base import EVERYTHING, BaseStore, RecordT, admits, kept_ids, record_key

__all__ = ["SqlStore", "open_sql"]

_BATCH_ROWS = 1000
_MAX_IN = 500
"""Ids that go into the SQL of a query; more than that are compared here, which no engine's limit forbids."""


class SqlStore(BaseStore):
    """A store on a database that several processes may share.

    Each call that writes is one transaction. Each iterator reads one state of the database, that of its first step, through a connection
    of its own, so writing meanwhile is allowed; leave none half-read for long.

    Args:
        url: an address as SQLAlchemy writes it: ``sqlite:///file.db``.
        busy_seconds: how long to wait for another writer before giving up.

    Raises:
        StoreError: the database cannot be opened.
        SchemaMismatch: its tables are of a newer version, or are not ours.
    """

    def __init__(self, url: str, *, busy_seconds: float = 30.0) -> None:
        try:
            address = make_url(url)
        except ArgumentError:
            raise InvalidValue(
                f"not an address of a SQL database: {url!r:.80}", hint="as in sqlite:///file.db, with three slashes"
            ) from None
        self._name = address.render_as_string(hide_password=True)
        self._engine = _sqlite.engine_for(address, busy_seconds=busy_seconds)
        self._writer = self._engine.execution_options(writing=True)
        self._open: set[Connection] = set()
        self._frozen: Connection | None = None
        self._ingest_sql = self._compiled(_sqlite.insert_new(events, EVENT_COLUMNS, ["id"]))
        try:
            self._prepare()
        except BaseException:
            self._engine.dispose()
            raise

    @property
    def capabilities(self) -> Capabilities:
        """Persistent, atomic and exact; several handles may write, each waits for its turn."""
        return _sqlite.CAPABILITIES

    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key; see :class:`msgtrack.protocols.Store`."""
        self.check_open()
        batches = _batches(records)
        first = next(batches, None)
        if first is None:
            return
        with self._writing() as connection:
            for batch in chain((first,), batches):
                rows: dict[Table, list[tuple[Any, ...]]] = {}
                for record in batch:
                    record_key(record)
                    if isinstance(record, Fact):
                        rows.setdefault(facts, []).append(fact_row(record))
                    else:
                        shelf = SHELVES[type(record)]
                        rows.setdefault(shelf.table, []).append(shelf.row(record))
                for table, of_table in rows.items():
                    self._execute(connection, self._compiled(_sqlite.insert_or_replace(table)), of_table)

    def find(self, kind: type[RecordT], query: Query = EVERYTHING) -> Iterator[RecordT]:
        """Records of one class that pass, in order."""
        self.check_open()
        return self._find_facts(kind, query) if kind in FACT_KEYS else self._find(kind, query)

    def _find_facts(self, kind: type[RecordT], query: Query) -> Iterator[RecordT]:
        columns = facts.c
        statement = select(columns.body).where(columns.kind == kind.__name__)
        if query.delivery_ids is not None and len(query.delivery_ids) <= _MAX_IN:
            statement = statement.where(columns.delivery_id.is_(None) | columns.delivery_id.in_(query.delivery_ids))
        if query.recipient_id is not None:
            statement = statement.where(columns.recipient_id.is_(None) | (columns.recipient_id == query.recipient_id))
        for (body,) in self._rows(statement.order_by(*facts.primary_key.columns)):
            fact = read_fact(body, kind)
            if admits(query, fact):
                yield fact

    def _find(self, kind: type[RecordT], query: Query) -> Iterator[RecordT]:
        shelf = SHELVES[kind]
        columns = shelf.table.c
        statement = select(shelf.table)
        if query.delivery_ids is not None and "delivery_id" in columns:
            statement = _narrowed(statement, columns["delivery_id"], query.delivery_ids)
        elif query.delivery_ids is not None and shelf.table is not runs:
            statement = _narrowed(statement, columns["id"], query.delivery_ids)
        if shelf.table is messages:
            statement = _narrowed(statement, columns["id"], query.message_ids)
            if query.recipient_id is not None:
                statement = statement.where(columns["recipient_id"] == query.recipient_id)
        if shelf.table is runs:
            statement = statement.order_by(columns["started_at"].desc())
        in_sql = _fits_in_sql(query)
        for row in self._rows(statement.order_by(*shelf.table.primary_key.columns)):
            record = shelf.record(row, kind)
            if in_sql or admits(query, record):
                yield record

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """Keep the events whose id is new, and the checkpoint, in one transaction."""
        self.check_open()
        writer = EventWriter()
        given = added = 0
        batches = _batches(kept_ids(events))
        first = next(batches, None)
        if first is None and checkpoint is None:
            return Ingested()
        with self._writing() as connection:
            for batch in chain((first or [],), batches):
                added += self._execute(connection, self._ingest_sql, [writer.row(*kept) for kept in batch])
                given += len(batch)
            if checkpoint is not None:
                move = self._compiled(_sqlite.insert_or_replace(checkpoints))
                self._execute(connection, move, [checkpoint_row(checkpoint)])
        return Ingested(added=added, known=given - added)

    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id; memory does not grow with them."""
        self.check_open()
        return self._scan(query)

    def _scan(self, query: Query) -> Iterator[Event]:
        columns = events.c
        statement = select(*(columns[name] for name in EVENT_COLUMNS))
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
            theirs = select(messages.c.delivery_id, messages.c.id).where(messages.c.recipient_id == query.recipient_id)
            statement = statement.where(tuple_(columns.delivery_id, columns.message_id).in_(theirs))
        reader = EventReader()
        in_sql = _fits_in_sql(query)
        for row in self._rows(statement.order_by(columns.occurred_at, _sqlite.event_id_text(columns.id))):
            event = reader.event(row)
            if in_sql or query.admits(event):
                yield event

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        self.check_open()
        statement = select(checkpoints.c.body).where(checkpoints.c.source == source)
        return next((read_checkpoint(body) for (body,) in self._rows(statement)), None)

    def close(self) -> None:
        """Let go of the database; iterators that are still open raise ``StoreClosed`` at their next step."""
        if self._closed:
            return
        super().close()
        for connection in [*self._open]:
            connection.close()
        self._open.clear()
        self._engine.dispose()

    def snapshot(self) -> AbstractContextManager[None]:
        """While it lasts, all reading through this handle sees the database as it was at the first step."""
        self.check_open()
        return nullcontext() if self._frozen is not None else self._snapshot()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        with self._reading() as connection:
            self._frozen = connection
            try:
                yield
            finally:
                self._frozen = None

    def _prepare(self) -> None:
        """Make the tables of a new database; refuse one whose tables are not ours."""
        # Reading first: opening must not wait for a writer.
        with self._reading() as connection:
            if self._version(connection) == SCHEMA_VERSION:
                return
        with self._writing() as connection, self._errors():
            version = self._version(connection)
            if version < SCHEMA_VERSION:
                # All that later versions brought are tables of their own.
                _schema.metadata.create_all(connection)
                kept = schema.update() if version else schema.insert()
                connection.execute(kept.values(version=SCHEMA_VERSION))

    def _version(self, connection: Connection) -> int:
        """The version of the schema that is there; 0 for a new database."""
        with self._errors():
            there = {*inspect(connection).get_table_names()} & {*_schema.metadata.tables}
            if not there:
                return 0
            if schema.name not in there:
                raise SchemaMismatch(
                    f"{self._name} has tables of our names that are not ours: {', '.join(sorted(there))}"
                )
            versions = list(connection.execute(select(schema.c.version)).scalars())
        if len(versions) != 1 or type(versions[0]) is not int or versions[0] < 1:
            raise SchemaMismatch(f"{self._name} does not say which version of the schema it has: {versions!r:.80}")
        if versions[0] > SCHEMA_VERSION:
            raise SchemaMismatch(
                f"{self._name} has version {versions[0]} of the schema, this reads up to {SCHEMA_VERSION}",
                hint="upgrade msgtrack",
            )
        return versions[0]

    def _compiled(self, statement: Any) -> str:
        return str(statement.compile(dialect=self._engine.dialect))

    def _execute(self, connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run a statement for each row; returns how many rows it wrote."""
        # Text compiled once and tuples: several times as fast as handing dictionaries to the statement object.
        if not rows:
            return 0
        with self._errors():
            return connection.exec_driver_sql(sql, [*rows]).rowcount

    def _rows(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        with nullcontext(self._frozen) if self._frozen is not None else self._reading() as connection:
            with self._errors():
                result = connection.execute(statement)
            while True:
                self.check_open()
                with self._errors():
                    rows = result.fetchmany(_BATCH_ROWS)
                if not rows:
                    return
                for row in rows:
                    self.check_open()
                    yield row

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._errors():
            connection = self._engine.connect()
        self._open.add(connection)
        try:
            yield connection
        finally:
            self._open.discard(connection)
            connection.close()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._errors():
            connection = self._writer.connect()
        try:
            with self._errors():
                transaction = connection.begin()
            try:
                yield connection
                with self._errors():
                    transaction.commit()
            finally:
                transaction.close()
        finally:
            connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            said = getattr(error, "orig", None) or error
            raise StoreError(f"the store {self._name} failed: {said}") from error


def _fits_in_sql(query: Query) -> bool:
    return all(len(ids) <= _MAX_IN for ids in (query.delivery_ids or (), query.message_ids or ()))


def _narrowed(statement: Select[Any], column: Any, values: tuple[str, ...] | None) -> Select[Any]:
    return statement if values is None or len(values) > _MAX_IN else statement.where(column.in_(values))


def _batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    # Callers take the first batch before they lock the database: making it may take long.
    iterator = iter(values)
    while batch := list(islice(iterator, _BATCH_ROWS)):
        yield batch


def open_sql(url: str, *, busy_seconds: float = 30.0) -> SqlStore:
    """The store on the SQL database at ``url``; see :class:`SqlStore`."""
    return SqlStore(url, busy_seconds=busy_seconds)
