"""The store on a SQL database, through SQLAlchemy Core: SQLite, PostgreSQL, MariaDB and MySQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from typing import Any, NamedTuple

from sqlalchemy import URL, Connection, Engine, MetaData, Table, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError

from msgtrack.errors import InvalidValue, NotSupported, SchemaMismatch
from msgtrack.events import Event
from msgtrack.facts import FACT_KEYS, Fact
from msgtrack.protocols import Capabilities, Checkpoint, Ingested, Query, Record
from msgtrack.storage._asking import events_asked, facts_asked, fits_in_sql, records_asked
from msgtrack.storage._connections import Connections
from msgtrack.storage._engines import Row, SqlEngine, seconds_of
from msgtrack.storage._mariadb import MariaDb
from msgtrack.storage._postgres import Postgres
from msgtrack.storage._rows import (
    SHELVES,
    EventReader,
    EventWriter,
    checkpoint_row,
    fact_row,
    read_checkpoint,
    read_fact,
)
from msgtrack.storage._schema import PREFIX, SCHEMA_VERSION, tables_of
from msgtrack.storage._sqlite import Sqlite
from msgtrack.storage.base import EVERYTHING, BaseStore, RecordT, admits, kept_ids, record_key

__all__ = ["SqlStore", "open_sql"]

_BATCH_ROWS = 1000
_HELD_BATCHES = 5
"""Batches of one call that are held in memory, to be written again if need be; of a longer one all are laid aside in the database."""

_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_ENGINES: dict[str, type[SqlEngine]] = {
    "sqlite": Sqlite,
    "postgres": Postgres,
    "postgresql": Postgres,
    "mariadb": MariaDb,
    "mysql": MariaDb,
}


class _Rows(NamedTuple):
    """Rows of one table that a call writes."""

    table: Table
    rows: list[Row]
    replace: bool


class SqlStore(BaseStore):
    """A store on a database that several processes may share.

    Each call that writes is one transaction. Each iterator reads one state of the database, that of its first step, through a connection
    of its own, so writing meanwhile is allowed; leave none half-read for long.

    Args:
        url: an address as SQLAlchemy writes it: ``sqlite:///file.db``, ``postgresql://user@host/database``, ``mariadb://user@host/database``.
        engine: an engine of the application instead; closing the store leaves it as it is.
        schema: the schema of the database that the tables are in (on MariaDB a database); it must be there. None: the default one.
        prefix: what the names of tables and indexes begin with: lower-case ASCII letters, digits and underscores.
        busy_seconds: how long to wait for another writer before giving up (MySQL waits as long as it is set to).

    Raises:
        InvalidValue: not exactly one of ``url`` and ``engine``, or one of the others cannot be used.
        NotSupported: an engine on another database, or on one in memory.
        StoreError: the database cannot be opened.
        SchemaMismatch: its tables are of a newer version, or are not ours.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        engine: Engine | None = None,
        schema: str | None = None,
        prefix: str = PREFIX,
        busy_seconds: float = 30.0,
    ) -> None:
        seconds = seconds_of(busy_seconds)
        self._tables = tables_of(_prefix(prefix), _schema_name(schema))
        if (url is None) == (engine is None):
            raise InvalidValue("a store needs either an address or an engine")
        if engine is None:
            address = _address(url)
            kind = _engine_kind(address.get_backend_name())
            engine, is_own = kind.create(address, seconds), True
        else:
            if not isinstance(engine, Engine):
                raise InvalidValue(f"an engine is SQLAlchemy's, not {type(engine).__name__}: {engine!r:.80}")
            kind, is_own = _engine_kind(engine.dialect.name), False
            kind.adopt(engine)
        self._name = engine.url.render_as_string(hide_password=True)
        self._kind = kind
        self._database = Connections(engine, kind, name=self._name, busy_seconds=seconds, is_own=is_own)
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    @property
    def capabilities(self) -> Capabilities:
        """Persistent, atomic and exact; several handles may write, each waits for its turn."""
        return self._kind.capabilities

    @property
    def metadata(self) -> MetaData:
        """The tables as SQLAlchemy describes them, for tools such as Alembic; changing it changes nothing in the store."""
        return tables_of(self._tables.schema.name.removesuffix("schema"), self._tables.metadata.schema).metadata

    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key; see :class:`msgtrack.protocols.Store`."""
        self.check_open()
        self._write(map(self._rows_of_records, _batches(records)))

    def _rows_of_records(self, batch: list[Record]) -> list[_Rows]:
        tables = self._tables
        rows: dict[Table, list[Row]] = {}
        terms: dict[int, str] = {}
        for record in batch:
            record_key(record)
            if isinstance(record, Fact):
                rows.setdefault(tables.facts, []).append(fact_row(record))
            else:
                shelf = SHELVES[type(record)]
                rows.setdefault(shelf.table(tables), []).append(shelf.row(record))
                terms.update(shelf.terms(record))
        changes = [_Rows(table, of_table, replace=True) for table, of_table in rows.items()]
        return [_Rows(tables.terms, [*terms.items()], replace=False), *changes] if terms else changes

    def find(self, kind: type[RecordT], query: Query = EVERYTHING) -> Iterator[RecordT]:
        """Records of one class that pass, in order."""
        self.check_open()
        return self._find_facts(kind, query) if kind in FACT_KEYS else self._find(kind, query)

    def _find_facts(self, kind: type[RecordT], query: Query) -> Iterator[RecordT]:
        for (body,) in self._database.rows(facts_asked(self._tables, kind, query), self.check_open):
            fact = read_fact(body, kind)
            if admits(query, fact):
                yield fact

    def _find(self, kind: type[RecordT], query: Query) -> Iterator[RecordT]:
        shelf = SHELVES[kind]
        in_sql = fits_in_sql(query)
        for row in self._database.rows(records_asked(self._tables, kind, query), self.check_open):
            record = shelf.record(row, kind)
            if in_sql or admits(query, record):
                yield record

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """Keep the events whose id is new, and the checkpoint, in one transaction."""
        self.check_open()
        tables, writer = self._tables, EventWriter()
        given = 0

        def changes() -> Iterator[list[_Rows]]:
            nonlocal given
            for batch in _batches(kept_ids(events)):
                given += len(batch)
                rows = [writer.row(*kept) for kept in batch]
                terms = dict(writer.terms())
                yield [
                    *([_Rows(tables.terms, [*terms.items()], replace=False)] if terms else []),
                    _Rows(tables.events, rows, replace=False),
                ]
            if checkpoint is not None:
                yield [_Rows(tables.checkpoints, [checkpoint_row(checkpoint)], replace=True)]

        added = self._write(changes())
        return Ingested(added=added, known=given - added)

    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id; memory does not grow with them."""
        self.check_open()
        events = self._scan(query)
        return events if fits_in_sql(query) or query.limit is None else islice(events, query.limit)

    def _scan(self, query: Query) -> Iterator[Event]:
        reader = EventReader()
        passes = None if fits_in_sql(query) else self.admission(query)
        for row in self._database.rows(events_asked(self._tables, query), self.check_open):
            event = reader.event(row)
            if passes is None or passes(event):
                yield event

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        self.check_open()
        columns = self._tables.checkpoints.c
        rows = self._database.all(select(columns.body).where(columns.source == source))
        return next((read_checkpoint(body) for (body,) in rows), None)

    def close(self) -> None:
        """Let go of the database; iterators that are still open raise ``StoreClosed`` at their next step."""
        if self._closed:
            return
        super().close()
        self._database.close()

    def snapshot(self) -> AbstractContextManager[None]:
        """While it lasts, all reading through this handle sees the database as it was at the first step."""
        self.check_open()
        return nullcontext() if self._database.is_frozen else self._database.snapshot()

    def _write(self, batches: Iterator[list[_Rows]]) -> int:
        """Write all batches or none; how many events were new."""
        # The first batches are taken before the database is locked: making them may take long.
        if not self._kind.staging:
            first = next(batches, None)
            if first is None:
                return 0
            with self._database.writing(self._tables) as connection:
                return self._apply(connection, chain((first,), batches))
        held = [*islice(batches, _HELD_BATCHES)]
        further = next(batches, None)
        if further is None:
            return self._database.attempt(lambda connection: self._apply(connection, held), self._tables) if held else 0
        return self._write_staged(chain(held, (further,), batches))

    def _write_staged(self, batches: Iterable[list[_Rows]]) -> int:
        with self._database.writer() as connection:
            staged: dict[Table, bool] = {}
            for batch in batches:
                with self._database.errors():
                    for table, rows, replace in batch:
                        if table not in staged:
                            self._kind.make_stage(connection, table)
                            staged[table] = replace
                        self._kind.stage(connection, table, rows)
            with self._database.errors():
                connection.commit()
            return self._database.attempt(
                lambda connection: self._take_over(connection, staged), self._tables, connection
            )

    def _take_over(self, connection: Connection, staged: dict[Table, bool]) -> int:
        added = 0
        with self._database.errors():
            before = self._last_number(connection)
            for table, replace in staged.items():
                taken = self._kind.take_over(connection, table, replace=replace)
                added += taken if table is self._tables.events else 0
                self._kind.drop_stage(connection, table)
            if added:
                self._consolidate(connection, before)
        return added

    def _apply(self, connection: Connection, batches: Iterable[list[_Rows]]) -> int:
        added = 0
        before: int | None = None
        for batch in batches:
            with self._database.errors():
                for table, rows, replace in batch:
                    if replace:
                        self._kind.insert_or_replace(connection, table, rows)
                    elif table is self._tables.events:
                        before = self._last_number(connection) if before is None else before
                        added += self._kind.insert_new(connection, table, rows)
                    else:
                        self._kind.insert_new(connection, table, rows)
        if added and before is not None:
            with self._database.errors():
                self._consolidate(connection, before)
        return added

    def _last_number(self, connection: Connection) -> int:
        """The greatest number of an event; those that come in this transaction have greater ones, for nobody else writes."""
        return connection.execute(select(func.coalesce(func.max(self._tables.events.c.seq), 0))).scalar_one()

    def _consolidate(self, connection: Connection, after: int) -> None:
        """Count in what came after the event of that number."""

    def _prepare(self) -> None:
        """Make the tables of a new database; refuse one whose tables are not ours."""
        self._database.first_steps()
        # Reading first: opening must not wait for a writer.
        with self._database.reading() as connection:
            if self._version(connection) == SCHEMA_VERSION:
                return
        tables, name = self._tables, f"{self._tables.metadata.schema}.{self._tables.schema.name}"
        with (
            self._database.writing(None) as connection,
            self._database.errors(),
            self._kind.making(connection, name, self._database.busy_seconds),
        ):
            version = self._version(connection)
            if version < SCHEMA_VERSION:
                # What says the version comes first, and the version last: what was begun and not finished is gone on with.
                tables.schema.create(connection, checkfirst=True)
                tables.metadata.create_all(connection)
                kept = tables.schema.update() if version else tables.schema.insert()
                connection.execute(kept.values(version=SCHEMA_VERSION))
                connection.commit()

    def _version(self, connection: Connection) -> int:
        """The version of the schema that is there; 0 for a new database."""
        tables = self._tables
        with self._database.errors():
            inspector = inspect(connection)
            there = {*inspector.get_table_names(schema=tables.metadata.schema)}
            found = sorted(there & {table.name for table in tables.metadata.tables.values()})
            if not found:
                return 0
            if tables.schema.name not in found:
                raise SchemaMismatch(f"{self._name} has tables of our names that are not ours: {', '.join(found)}")
            versions = list(connection.execute(select(tables.schema.c.version)).scalars())
        if not versions and not self._kind.transactional_ddl:
            return 0
        if len(versions) != 1 or type(versions[0]) is not int or versions[0] < 1:
            raise SchemaMismatch(f"{self._name} does not say which version of the schema it has: {versions!r:.80}")
        if versions[0] > SCHEMA_VERSION:
            raise SchemaMismatch(
                f"{self._name} has version {versions[0]} of the schema, this reads up to {SCHEMA_VERSION}",
                hint="upgrade msgtrack",
            )
        return versions[0]


def _address(url: object) -> URL:
    if not isinstance(url, str):
        raise InvalidValue(f"the address of a store must be text, not {type(url).__name__}: {url!r:.80}")
    try:
        return make_url(url)
    except ArgumentError:
        raise InvalidValue(
            f"not an address of a SQL database: {url!r:.80}", hint="as in sqlite:///file.db, with three slashes"
        ) from None


def _engine_kind(backend: str) -> SqlEngine:
    if backend not in _ENGINES:
        raise NotSupported(
            f"no store is kept on {backend!r:.40} databases", hint="SQLite, PostgreSQL, MariaDB and MySQL are there"
        )
    return _ENGINES[backend]()


def _prefix(prefix: object) -> str:
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise InvalidValue(
            f"a prefix of tables is made of a-z, 0-9 and _, does not begin with a digit and has at most 32 characters: {prefix!r:.80}"
        )
    return prefix


def _schema_name(schema: object) -> str | None:
    if schema is None:
        return None
    if not isinstance(schema, str) or not schema or "\0" in schema or len(schema.encode(errors="replace")) > 63:
        raise InvalidValue(f"the name of a schema has 1 to 63 bytes and no NUL: {schema!r:.80}")
    return schema


def _batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(values)
    while batch := list(islice(iterator, _BATCH_ROWS)):
        yield batch


def open_sql(url: str, *, schema: str | None = None, prefix: str = PREFIX, busy_seconds: float = 30.0) -> SqlStore:
    """The store on the SQL database at ``url``; see :class:`SqlStore`."""
    return SqlStore(url, schema=schema, prefix=prefix, busy_seconds=busy_seconds)
