"""How a SQL store writes: each call in one transaction that waits for its turn, and done again when the engine asks for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, and_, bindparam, delete, func, select, update

from msgtrack.errors import StoreError
from msgtrack.events import Event
from msgtrack.facts import Fact
from msgtrack.protocols import Record
from msgtrack.storage._connections import Connections
from msgtrack.storage._consolidated import note, note_changes, rebuild
from msgtrack.storage._core import kept_ids, record_key
from msgtrack.storage._engines import Row
from msgtrack.storage._operations import Operations
from msgtrack.storage._rows import EVENT_COLUMNS, SHELVES, EventWriter, fact_row
from msgtrack.storage._schema import Tables, pack_id

__all__ = ["Rows", "Writing", "batches_of", "rows_of_events", "rows_of_records"]

_BATCH_ROWS = 1000
_HELD_BATCHES = 5
"""Batches of one call that are held in memory, to be written again if need be; of a longer one all are laid aside in the database."""


class Rows(NamedTuple):
    """Rows of one table that a call writes: in place of what is there, or only where nothing is."""

    table: Table
    rows: Sequence[Row]
    replace: bool


def batches_of(values: Iterable[Any]) -> Iterator[list[Any]]:
    """The values, some at a time."""
    iterator = iter(values)
    while batch := list(islice(iterator, _BATCH_ROWS)):
        yield batch


def rows_of_records(tables: Tables, records: Iterable[Record]) -> list[Rows]:
    """The rows of records.

    Raises:
        InvalidValue: one is no record.
    """
    rows: dict[Table, list[Row]] = {}
    terms: dict[int, str] = {}
    for record in records:
        record_key(record)
        if isinstance(record, Fact):
            rows.setdefault(tables.facts, []).append(fact_row(record))
        else:
            shelf = SHELVES[type(record)]
            rows.setdefault(shelf.table(tables), []).append(shelf.row(record))
            terms.update(shelf.terms(record))
    return [*_of_terms(tables, terms), *(Rows(table, of_table, replace=True) for table, of_table in rows.items())]


def rows_of_events(tables: Tables, writer: EventWriter, kept: Iterable[tuple[str, Event]]) -> list[Rows]:
    """The rows of events, each with the id that it is kept under."""
    rows = [writer.row(*of_event) for of_event in kept]
    return [*_of_terms(tables, dict(writer.terms())), Rows(tables.events, rows, replace=False)]


def _of_terms(tables: Tables, terms: dict[int, str]) -> list[Rows]:
    return [Rows(tables.terms, [*terms.items()], replace=False)] if terms else []


class Writing:
    """Writes into one store."""

    def __init__(self, database: Connections, tables: Tables, operations: Operations) -> None:
        self._database, self._tables, self._operations = database, tables, operations
        self._kind = database.kind

    def write(self, batches: Iterator[list[Rows]]) -> int:
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
        if further is not None:
            return self._write_staged(chain(held, (further,), batches))
        if sum(len(rows) for batch in held for _, rows, _ in batch) >= self._kind.staged_rows:
            return self._write_staged(held)
        return self._database.attempt(lambda connection: self._apply(connection, held), self._tables) if held else 0

    def _write_staged(self, batches: Iterable[list[Rows]]) -> int:
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
            added = self._database.attempt(
                lambda connection: self._take_over(connection, staged), self._tables, connection
            )
            self._drop_stages(connection, staged)
            return added

    def _drop_stages(self, connection: Connection, staged: Iterable[Table]) -> None:
        # After the transaction: not every engine takes back that a table was dropped, and another attempt needs it again.
        try:
            with self._database.errors():
                for table in staged:
                    self._kind.drop_stage(connection, table)
                connection.commit()
        except StoreError:
            # What was taken over is kept, whatever becomes of the connection; what was laid aside goes with it.
            connection.invalidate()

    def _take_over(self, connection: Connection, staged: dict[Table, bool]) -> int:
        added = 0
        with self._database.errors():
            before = self._last_number(connection)
            for table, replace in staged.items():
                taken = self._kind.take_over(connection, table, replace=replace)
                added += taken if table is self._tables.events else 0
            if added:
                self._note(connection, before)
        return added

    def _apply(self, connection: Connection, batches: Iterable[list[Rows]]) -> int:
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
                self._note(connection, before)
        return added

    def _note(self, connection: Connection, before: int) -> None:
        last = self._last_number(connection)
        note(connection.execute, self._tables, self._operations, after=before, last=last)

    def _last_number(self, connection: Connection) -> int:
        """The greatest number of an event; those that come in this transaction have greater ones, for nobody else writes."""
        return int(connection.execute(select(func.coalesce(func.max(self._tables.events.c.seq), 0))).scalar_one())

    def revise(
        self,
        records: Iterable[Record],
        events: Iterable[Event],
        remove: Iterable[Record],
        remove_events: Iterable[str],
    ) -> None:
        """Take out and rewrite, all or nothing; see ``BaseStore.revise``."""
        tables, writer = self._tables, EventWriter()
        gone: dict[Table, list[tuple[str, ...]]] = {}
        for record in remove:
            key = record_key(record)
            if isinstance(record, Fact):
                gone.setdefault(tables.facts, []).append(fact_row(record)[: len(tables.facts.primary_key.columns)])
            else:
                gone.setdefault(SHELVES[type(record)].table(tables), []).append(key)
        gone_events = [*remove_events]
        fresh = rows_of_records(tables, records)
        *terms, rewritten = rows_of_events(tables, writer, kept_ids(events))
        if not (gone or gone_events or fresh or rewritten.rows):
            return

        rewritten_ids = {row[0] for row in rewritten.rows}

        def work(connection: Connection) -> None:
            with self._database.errors():
                noted = (connection.execute, tables, self._operations)
                note_changes(*noted, {*map(pack_id, gone_events), *rewritten_ids}, sign=-1)
                for table, keys in gone.items():
                    _delete(connection, table, [column.name for column in table.primary_key.columns], keys)
                _delete(connection, tables.events, ["id"], [(event_id,) for event_id in gone_events])
            self._apply(connection, [terms, fresh])
            with self._database.errors():
                _rewrite(connection, tables.events, rewritten.rows)
                note_changes(*noted, rewritten_ids, sign=1)

        self._database.attempt(work, tables)

    def rebuild(self, delivery_ids: Iterable[str] | None) -> None:
        """Make anew what is kept consolidated."""
        names = None if delivery_ids is None else [*delivery_ids]

        def work(connection: Connection) -> None:
            with self._database.errors():
                rebuild(connection.execute, self._tables, self._operations, names)

        self._database.attempt(work, self._tables)


def _delete(connection: Connection, table: Table, names: list[str], keys: Sequence[tuple[str, ...]]) -> None:
    if keys:
        statement = delete(table).where(and_(*(table.c[name] == bindparam(f"of_{name}") for name in names)))
        connection.execute(
            statement, [{f"of_{name}": value for name, value in zip(names, key, strict=True)} for key in keys]
        )


def _rewrite(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if rows:
        others = [name for name in EVENT_COLUMNS if name != "id"]
        statement = (
            update(table)
            .where(table.c.id == bindparam("of_id"))
            .values({name: bindparam(f"new_{name}") for name in others})
        )
        names = ["of_id" if name == "id" else f"new_{name}" for name in EVENT_COLUMNS]
        connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])
