"""How stores on DuckDB are read: the same questions to the tables of a file and to views over Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import Any

import duckdb
from sqlalchemy import ColumnElement, FromClause, Select, column, func, literal_column, select, table

from msgtrack.counts import Counts
from msgtrack.events import Event
from msgtrack.protocols import Checkpoint, Query, Slots
from msgtrack.storage._asking import events_asked, fits_in_sql
from msgtrack.storage._counting import counts_of
from msgtrack.storage._counting_slots import slots_of
from msgtrack.storage._duckdb import OPERATIONS, DuckOperations, compiled, failures, shown_id
from msgtrack.storage._ids import one_id
from msgtrack.storage._listing import ListingStore
from msgtrack.storage._operations import Ask, Execute, OfLink
from msgtrack.storage._rows import EventReader, read_checkpoint
from msgtrack.storage._schema import Tables, moment, tables_of
from msgtrack.storage.base import EVERYTHING, Spans

__all__ = ["TABLES", "DuckReader", "State"]

_NUMPY = find_spec("numpy")
_BATCH_ROWS = 5000
_SORTED_ROWS = 50_000
"""About so many rows of events are sorted at a time."""

TABLES: Tables = tables_of()
"""The tables, named as in every store."""


class DuckReader(ListingStore):
    """The reading half of a store on DuckDB.

    Each iterator reads one state through a connection of its own, so that the store may be written to meanwhile.
    """

    _tables = TABLES

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._open: set[duckdb.DuckDBPyConnection] = set()
        self._frozen: State | None = None

    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id; memory does not grow with them."""
        self.check_open()
        return self._events(lambda state: self._asked(state, query), query)

    def _asked(self, state: State, query: Query) -> Select[Any]:
        """The statement of a scan, told where its rows lie."""
        return events_asked(TABLES, query)

    def _events(self, asked: Callable[[State], Select[Any]], query: Query) -> Iterator[Event]:
        reader = EventReader()
        in_sql = fits_in_sql(query)
        # The rows decide in any case; what has to be looked up first is looked up in the state that they are read from.
        passes = None if in_sql else self.admission(query)
        found = 0
        with self._state() as state:
            for part in self._parts(state, asked(state), query):
                for row in self._read(state, part):
                    event = reader.event((shown_id(row[0]), *row[1:]))
                    if passes is None or passes(event):
                        if found == query.limit:
                            return
                        found += 1
                        yield event

    def _parts(self, state: State, statement: Select[Any], query: Query) -> Iterator[Select[Any]]:
        """The statement in parts of some rows, by moment: the engine holds in memory what it sorts."""
        at, most = TABLES.events.c.occurred_at, 0
        if query.limit is None:
            ((there,),) = self._read(state, select(func.count()).select_from(TABLES.events))
            most = there // _SORTED_ROWS
        if not most:
            yield statement
            return
        shares: ColumnElement[Any] = literal_column(str([number / (most + 1) for number in range(1, most + 1)]))
        asked = statement.with_only_columns(func.count(), func.approx_quantile(at, shares)).order_by(None)
        ((rows, quantiles),) = self._read(state, asked)
        step = (most + 1) * _SORTED_ROWS // max(rows, 1) or 1
        cuts = sorted({*(quantiles or ())[step - 1 :: step]})
        parts = [*zip([None, *cuts], [*cuts, None], strict=True)]
        for first, last in reversed(parts) if query.newest_first else parts:
            part = statement if first is None else statement.where(at >= first)
            yield part if last is None else part.where(at < last)

    def events_by(self, source_ids: frozenset[str]) -> Iterator[Event]:
        """Events of these persons (``source_id``), in the order of a scan."""
        self.check_open()
        theirs = TABLES.events.c.source_id.in_(sorted(source_ids))
        return self._events(lambda _: events_asked(TABLES, EVERYTHING).where(theirs), EVERYTHING)

    def deliveries_of_messages(self) -> set[str]:
        """The ids of all deliveries that messages name."""
        self.check_open()
        return {name for (name,) in self._rows(select(TABLES.messages.c.delivery_id).distinct())}

    def spans(self) -> Spans:
        """By delivery the moments of its first and last event."""
        self.check_open()
        columns = TABLES.events.c
        at = columns.occurred_at
        statement = select(columns.delivery_id, func.min(at), func.max(at)).group_by(columns.delivery_id)
        return {name: (moment(first), moment(last)) for name, first, last in self._rows(statement)}

    def live_counts(self, query: Query = EVERYTHING) -> Counts:
        """The numbers of the query's deliveries, grouped by the engine."""
        self.check_open()
        with self._freezing() as frozen, self._errors():
            counts = counts_of(self, self._rows, query, TABLES, _Frozen(frozen))
            return super().live_counts(query) if counts is None else counts

    def live_slots(self, query: Query = EVERYTHING) -> Slots:
        """The slots of :meth:`live_counts`, from what was consolidated where that answers."""
        self.check_open()
        with self._freezing() as frozen, self._errors():
            slots = slots_of(self._rows, query, TABLES, _Frozen(frozen))
            return super().live_slots(query) if slots is None else slots

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        self.check_open()
        statement = select(TABLES.checkpoints.c.body).where(TABLES.checkpoints.c.source == one_id(source))
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
        return self._snapshot()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        with self._freezing():
            yield

    @contextmanager
    def _freezing(self) -> Iterator[State]:
        if self._frozen is not None:
            yield self._frozen
            return
        with self._state() as self._frozen:
            try:
                yield self._frozen
            finally:
                self._frozen = None

    @contextmanager
    def _state(self) -> Iterator[State]:
        """One state of the store: that of the snapshot, or else that of now."""
        if self._frozen is not None:
            yield self._frozen
            return
        with self._reading() as cursor:
            with self._errors():
                cursor.execute("BEGIN TRANSACTION")
            yield State(cursor)

    def _rows(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        with self._state() as state:
            yield from self._read(state, statement)

    def _read(self, state: State, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        with self._errors():
            answer = state.ask(statement)
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
        self._rest: Sequence[Sequence[Any]] = []

    def some(self) -> Sequence[Sequence[Any]]:
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


class State:
    """One transaction that reads. Its connection holds the rows of one statement at a time."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._last: _Answer | None = None
        self._laid = 0

    @contextmanager
    def laid(self, rows: Select[Any]) -> Iterator[FromClause]:
        """A table of this connection alone that holds the rows, while it lasts."""
        self._laid += 1
        name = f"laid_{self._laid}"
        sql, parameters = compiled(rows)
        self._run(f"CREATE TEMP TABLE {name} AS {sql}", parameters)
        yield table(name, *(column(str(kept.key), kept.type) for kept in rows.selected_columns)).alias("base")
        # After an error the transaction ends anyway, and takes the table along.
        self._run(f"DROP TABLE {name}", [])

    def _run(self, sql: str, parameters: list[Any]) -> duckdb.DuckDBPyConnection:
        if self._last is not None:
            self._last.let_go()
            self._last = None
        return self._cursor.execute(sql, parameters)

    def columns(self, statement: Select[Any]) -> list[list[Any]]:
        """All of an answer, by column; a list in a row is an array of numpy."""
        return [column.tolist() for column in self._run(*compiled(statement)).fetchnumpy().values()]

    def ask(self, statement: Select[Any]) -> _Answer:
        """The answer to a statement."""
        self._last = _Answer(self._run(*compiled(statement)))
        return self._last


class _Frozen(DuckOperations):
    """What is done otherwise where one state of the store is read."""

    def __init__(self, frozen: State) -> None:
        self._frozen = frozen

    @property
    def words(self) -> DuckOperations:
        return OPERATIONS

    def gathered(self, ask: Ask, by_link: Select[Any]) -> Iterable[OfLink]:
        """By column where numpy is installed: numbers leave the engine by blocks then, and not one by one."""
        if _NUMPY is None:
            yield from super().gathered(ask, by_link)
            return
        for *link, of_link, times in zip(*self._frozen.columns(by_link), strict=True):
            order = of_link.argsort(kind="stable")
            yield *link, of_link[order].tolist(), times[order].tolist()

    @contextmanager
    def base(self, execute: Execute | None, rows: Select[Any]) -> Iterator[FromClause]:
        """A table: counting asks some fifteen times for the same rows, and to join them once takes a third of the time."""
        with self._frozen.laid(rows) as table:
            yield table
