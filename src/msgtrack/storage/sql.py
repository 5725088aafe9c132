"""The store on a SQL database, through SQLAlchemy Core: SQLite, PostgreSQL, MariaDB and MySQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any

from sqlalchemy import URL, Engine, MetaData, Select, func, make_url, select
from sqlalchemy.exc import ArgumentError

from msgtrack.counts import Counts
from msgtrack.errors import InvalidValue, NotSupported
from msgtrack.events import Event
from msgtrack.protocols import Capabilities, Checkpoint, Ingested, Query, Record, Slots
from msgtrack.storage._asking import events_asked, fits_in_sql
from msgtrack.storage._conditions import MAX_IN
from msgtrack.storage._connections import Connections
from msgtrack.storage._core import kept_batches
from msgtrack.storage._counting import counts_of
from msgtrack.storage._counting_slots import slots_of
from msgtrack.storage._engines import SqlEngine, seconds_of
from msgtrack.storage._event_rows import Commons, EventWriter
from msgtrack.storage._ids import one_id
from msgtrack.storage._listing import ListingStore
from msgtrack.storage._making import prepare
from msgtrack.storage._mariadb import MariaDb
from msgtrack.storage._operations import operations_for
from msgtrack.storage._paging import is_page_of_all, page_asked
from msgtrack.storage._postgres import Postgres
from msgtrack.storage._rows import EventReader, checkpoint_row, read_checkpoint
from msgtrack.storage._schema import PREFIX, moment, tables_of
from msgtrack.storage._sqlite import Sqlite
from msgtrack.storage._writing import EVENTS_AT_ONCE, Rows, Writing, batches_of, rows_of_events, rows_of_records
from msgtrack.storage.base import EVERYTHING, Spans, paged

__all__ = ["SqlStore", "open_sql"]

_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_ENGINES: dict[str, type[SqlEngine]] = {
    "sqlite": Sqlite,
    "postgres": Postgres,
    "postgresql": Postgres,
    "mariadb": MariaDb,
    "mysql": MariaDb,
}


class SqlStore(ListingStore):
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
        self._database = Connections(
            engine, kind, name=engine.url.render_as_string(hide_password=True), busy_seconds=seconds, is_own=is_own
        )
        self._operations = operations_for(engine.dialect.name)
        self._commons = Commons()
        self._writing = Writing(self._database, self._tables, self._operations)
        try:
            prepare(self._database, self._tables)
        except BaseException:
            self._database.close()
            raise

    @property
    def capabilities(self) -> Capabilities:
        """Persistent, atomic and exact; several handles may write, each waits for its turn."""
        return self._database.kind.capabilities

    @property
    def metadata(self) -> MetaData:
        """The tables as SQLAlchemy describes them, for tools such as Alembic; changing it changes nothing in the store."""
        return tables_of(self._tables.schema.name.removesuffix("schema"), self._tables.metadata.schema).metadata

    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key; see :class:`msgtrack.protocols.Store`."""
        self.check_open()
        self._writing.write(rows_of_records(self._tables, batch) for batch in batches_of(records))

    def _rows(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        return self._database.rows(statement, self.check_open)

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """Keep the events whose id is new, and the checkpoint, in one transaction."""
        self.check_open()
        tables, writer = self._tables, EventWriter(self._commons)
        given = 0

        def batches() -> Iterator[list[Rows]]:
            nonlocal given
            for ids, batch in kept_batches(events, EVENTS_AT_ONCE):
                given += len(batch)
                yield rows_of_events(tables, writer, ids, batch)
            if checkpoint is not None:
                yield [Rows(tables.checkpoints, [*zip(checkpoint_row(checkpoint), strict=True)], replace=True)]

        added = self._writing.ingest(batches())
        return Ingested(added=added, known=given - added)

    def revise(
        self,
        *,
        records: Iterable[Record] = (),
        events: Iterable[Event] = (),
        remove: Iterable[Record] = (),
        remove_events: Iterable[str] = (),
    ) -> None:
        """Take out and rewrite, in one transaction; what is consolidated is left to :meth:`rebuild`."""
        self.check_open()
        self._writing.revise(records, events, remove, remove_events)

    def rebuild(self, delivery_ids: Iterable[str] | None = None) -> None:
        """Make slots and days of programs anew, in one transaction."""
        self.check_open()
        self._writing.rebuild(delivery_ids)

    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id; memory does not grow with them."""
        self.check_open()
        if is_page_of_all(query):
            return self._page(query)
        events = self._scan(query)
        return events if fits_in_sql(query) or query.limit is None else islice(events, query.limit)

    def _page(self, query: Query) -> Iterator[Event]:
        reader = EventReader()
        with self.snapshot():
            asked = page_asked(self._database.all, self._tables, query)
            events = [reader.event(row) for statement in asked for row in self._database.all(statement)]
        for event in paged(query, events):
            self.check_open()
            yield event

    def _scan(self, query: Query) -> Iterator[Event]:
        reader = EventReader()
        passes = None if fits_in_sql(query) else self.admission(query)
        for row in self._database.rows(events_asked(self._tables, query), self.check_open):
            event = reader.event(row)
            if passes is None or passes(event):
                yield event

    def live_counts(self, query: Query = EVERYTHING) -> Counts:
        """The numbers of a query, counted by the engine; a page, or more ids than a statement takes, is folded."""
        self.check_open()
        with self.snapshot():
            ask = self._database.all
            execute = ask if self._database.may_lay_aside() else None
            counts = counts_of(self, ask, query, self._tables, self._operations, execute=execute)
            return super().live_counts(query) if counts is None else counts

    def live_slots(self, query: Query = EVERYTHING) -> Slots:
        """The slots of a query, from the consolidated ones where those answer."""
        self.check_open()
        with self.snapshot():
            slots = slots_of(self._database.all, query, self._tables, self._operations)
            return super().live_slots(query) if slots is None else slots

    def spans(self) -> Spans:
        """By delivery the moments of its first and last event."""
        self.check_open()
        columns = self._tables.events.c
        statement = select(columns.delivery_id, func.min(columns.occurred_at), func.max(columns.occurred_at)).group_by(
            columns.delivery_id
        )
        return {name: (moment(first), moment(last)) for name, first, last in self._database.all(statement)}

    def deliveries_of_messages(self) -> set[str]:
        """The ids of all deliveries that messages name."""
        self.check_open()
        column = self._tables.messages.c.delivery_id
        least = select(func.min(column))
        names: set[str] = set()
        with self.snapshot():
            # From one to the next in the index of the key: there are few deliveries and many messages.
            [(name,)] = self._database.all(least)
            while name is not None:
                names.add(name)
                [(name,)] = self._database.all(least.where(column > name))
        return names

    def events_by(self, source_ids: frozenset[str]) -> Iterator[Event]:
        """Events of these persons, in the order of a scan."""
        self.check_open()
        if len(source_ids) > MAX_IN:
            return super().events_by(source_ids)
        statement = events_asked(self._tables, EVERYTHING).where(self._tables.events.c.source_id.in_(source_ids))
        return map(EventReader().event, self._database.rows(statement, self.check_open))

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        self.check_open()
        columns = self._tables.checkpoints.c
        rows = self._database.all(select(columns.body).where(columns.source == one_id(source)))
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


def _address(url: object) -> URL:
    if not isinstance(url, str):
        raise InvalidValue(f"the address of a store must be text, not {type(url).__name__}: {url!r:.80}")
    try:
        # The name of a file may hold bytes that are no text, as Python writes them; half a character nothing can hold.
        url.encode("utf-8", "surrogateescape")
        return make_url(url)
    except (ArgumentError, ValueError):
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
    try:
        is_name = isinstance(schema, str) and "\0" not in schema and 0 < len(schema.encode()) <= 63
    except UnicodeEncodeError:
        is_name = False
    if not isinstance(schema, str) or not is_name:
        raise InvalidValue(f"the name of a schema has 1 to 63 bytes and no NUL: {schema!r:.80}")
    return schema


def open_sql(url: str, *, schema: str | None = None, prefix: str = PREFIX, busy_seconds: float = 30.0) -> SqlStore:
    """The store on the SQL database at ``url``; see :class:`SqlStore`."""
    return SqlStore(url, schema=schema, prefix=prefix, busy_seconds=busy_seconds)
