"""How stores on DuckDB are read: the same questions to the tables of a file and to views over Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import duckdb
from sqlalchemy import Select, select, tuple_

from msgtrack.events import Event
from msgtrack.facts import FACT_KEYS
from msgtrack.protocols import Checkpoint, Query
from msgtrack.storage._duckdb import among, compiled, event_id_text, failures
from msgtrack.storage._rows import READ_COLUMNS, SHELVES, EventReader, read_checkpoint, read_fact
from msgtrack.storage._schema import Tables, microseconds, tables_of
from msgtrack.storage.base import EVERYTHING, BaseStore, RecordT, admits

__all__ = ["TABLES", "DuckReader"]

_BATCH_ROWS = 5000

TABLES: Tables = tables_of()
"""The tables, named as in every store."""


class DuckReader(BaseStore):
    """The reading half of a store on DuckDB.

    Each iterator reads one state through a connection of its own, so that the store may be written to meanwhile.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._open: set[duckdb.DuckDBPyConnection] = set()
        self._frozen: _Frozen | None = None

    def find(self, kind: type[RecordT], query: Query = EVERYTHING) -> Iterator[RecordT]:
        """Records of one class that pass, in order."""
        self.check_open()
        return self._find_facts(kind, query) if kind in FACT_KEYS else self._find(kind, query)

    def _find_facts(self, kind: type[RecordT], query: Query) -> Iterator[RecordT]:
        columns = TABLES.facts.c
        statement = select(columns.body).where(columns.kind == kind.__name__)
        if query.delivery_ids is not None:
            theirs = among(columns.delivery_id, query.delivery_ids)
            statement = statement.where(columns.delivery_id.is_(None) | theirs)
        if query.recipient_id is not None:
            statement = statement.where(columns.recipient_id.is_(None) | (columns.recipient_id == query.recipient_id))
        for (body,) in self._rows(statement.order_by(*TABLES.facts.primary_key.columns)):
            fact = read_fact(body, kind)
            if admits(query, fact):
                yield fact

    def _find(self, kind: type[RecordT], query: Query) -> Iterator[RecordT]:
        shelf = SHELVES[kind]
        table = shelf.table(TABLES)
        columns = table.c
        statement = select(*(columns[name] for name in shelf.fields), columns["body"])
        if query.delivery_ids is not None and table is not TABLES.runs:
            name = "delivery_id" if "delivery_id" in columns else "id"
            statement = statement.where(among(columns[name], query.delivery_ids))
        if table is TABLES.messages and query.message_ids is not None:
            statement = statement.where(among(columns["id"], query.message_ids))
        if table is TABLES.messages and query.recipient_id is not None:
            statement = statement.where(columns["recipient_id"] == query.recipient_id)
        if table is TABLES.runs:
            statement = statement.order_by(columns["started_at"].desc())
        for row in self._rows(statement.order_by(*table.primary_key.columns)):
            yield shelf.record(row, kind)

    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id; beyond its memory limit the engine sorts on disk."""
        self.check_open()
        return self._scan(query)

    def _scan(self, query: Query) -> Iterator[Event]:
        columns = TABLES.events.c
        event_id = event_id_text(columns.id)
        asked = [event_id if name == "id" else columns[name] for name in READ_COLUMNS]
        statement = self._narrowed(select(*asked).select_from(TABLES.events), query)
        reader = EventReader()
        for row in self._rows(statement.order_by(columns.occurred_at, event_id)):
            yield reader.event(row)

    def _narrowed(self, statement: Select[Any], query: Query) -> Select[Any]:
        """The rows of events that pass the query."""
        columns = TABLES.events.c
        for column, values in (
            (columns.delivery_id, query.delivery_ids),
            (columns.message_id, query.message_ids),
            (columns.kind, query.kinds),
            (columns.audience, None if query.audience is None else [audience.value for audience in query.audience]),
        ):
            if values is not None:
                statement = statement.where(among(column, values))
        if query.since is not None:
            statement = statement.where(columns.occurred_at >= microseconds(query.since))
        if query.until is not None:
            statement = statement.where(columns.occurred_at < microseconds(query.until))
        if query.recipient_id is not None:
            theirs = self._theirs(query.recipient_id)
            statement = statement.where(tuple_(columns.delivery_id, columns.message_id).in_(theirs))
        return statement

    def _theirs(self, recipient_id: str) -> Select[Any]:
        columns = TABLES.messages.c
        return select(columns.delivery_id, columns.id).where(columns.recipient_id == recipient_id)

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        self.check_open()
        statement = select(TABLES.checkpoints.c.body).where(TABLES.checkpoints.c.source == source)
        return next((read_checkpoint(body) for (body,) in self._rows(statement)), None)

    def close(self) -> None:
        """Let go of the file; iterators that are still open raise ``StoreClosed`` at their next step."""
        if self._closed:
            return
        super().close()
        for cursor in [*self._open]:
            cursor.close()
        self._open.clear()
        self._connection.close()

    def snapshot(self) -> AbstractContextManager[None]:
        """While it lasts, all reading through this handle sees the store as it was at the first step."""
        self.check_open()
        return nullcontext() if self._frozen is not None else self._snapshot()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        with self._reading() as cursor:
            with self._errors():
                cursor.execute("BEGIN TRANSACTION READ ONLY")
            self._frozen = _Frozen(cursor)
            try:
                yield
            finally:
                self._frozen = None

    def _rows(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        sql, parameters = compiled(statement)
        if self._frozen is not None:
            with self._errors():
                answer = self._frozen.ask(sql, parameters)
            yield from self._read(answer)
            return
        with self._reading() as cursor:
            with self._errors():
                answer = _Answer(cursor.execute(sql, parameters))
            yield from self._read(answer)

    def _read(self, answer: _Answer) -> Iterator[Sequence[Any]]:
        while True:
            self.check_open()
            with self._errors():
                rows = answer.some()
            if not rows:
                return
            for row in rows:
                self.check_open()
                yield row

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._errors():
            cursor = self._connection.cursor()
        self._open.add(cursor)
        try:
            yield cursor
        finally:
            self._open.discard(cursor)
            cursor.close()

    def _errors(self) -> AbstractContextManager[None]:
        return failures(self._name)


class _Answer:
    """The rows of a statement, which lie in the engine until they are asked for or its connection is needed otherwise."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor: duckdb.DuckDBPyConnection | None = cursor
        self._rest: list[Sequence[Any]] = []

    def some(self) -> list[Sequence[Any]]:
        """The next rows; none when there are no more."""
        if self._cursor is not None:
            return self._cursor.fetchmany(_BATCH_ROWS)
        rest, self._rest = self._rest, []
        return rest

    def let_go(self) -> None:
        """Take all that is left into memory."""
        if self._cursor is not None:
            self._rest = self._cursor.fetchall()
            self._cursor = None


class _Frozen:
    """One transaction that reads. Its connection holds the rows of one statement at a time."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._last: _Answer | None = None

    def ask(self, sql: str, parameters: list[Any]) -> _Answer:
        """The answer to a statement."""
        if self._last is not None:
            self._last.let_go()
        self._last = _Answer(self._cursor.execute(sql, parameters))
        return self._last
