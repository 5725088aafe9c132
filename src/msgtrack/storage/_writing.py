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
from msgtrack.storage._consolidated import Sums, note, note_changes, rebuild
from msgtrack.storage._core import kept_ids, record_key
from msgtrack.storage._engines import Columns, Row
from msgtrack.storage._event_rows import EventWriter
from msgtrack.storage._ids import rebuilt_ids, some_ids
from msgtrack.storage._operations import Operations
from msgtrack.storage._rows import EVENT_COLUMNS, SHELVES, fact_row
from msgtrack.storage._schema import Tables, pack_id

__all__ = ["EVENTS_AT_ONCE", "Rows", "Writing", "batches_of", "rows_of_events", "rows_of_records"]

_RECORDS_AT_ONCE = 1000
"""Also how many rows of other tables events held in memory may bring along: those go in one by one."""

EVENTS_AT_ONCE = 5000
"""Values of one call that are made into rows, and given to the engine, at a time: each statement has a price of its own."""

_MOST_SUMS = 50_000
"""Rows of slots and days that are counted here at a time."""

_HELD_ROWS = 5000
"""Rows of one call that are held in memory, or somewhat more, to be written again if need be; of a longer one all are laid aside in the
database."""


_MOST_SORTED = 100_000
"""Events that an engine is asked to sort before it takes them over."""


class Rows(NamedTuple):
    """Rows of one table that a call writes, by column: in place of what is there, or only where nothing is."""

    table: Table
    columns: Columns
    replace: bool

    @property
    def number(self) -> int:
        """How many rows there are."""
        return len(self.columns[0]) if self.columns else 0


def batches_of(values: Iterable[Any]) -> Iterator[list[Any]]:
    """The values, some at a time."""
    iterator = iter(values)
    while batch := list(islice(iterator, _RECORDS_AT_ONCE)):
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
    return [
        *_of_terms(tables, terms),
        *(Rows(table, [*zip(*of_table, strict=True)], replace=True) for table, of_table in rows.items()),
    ]


def rows_of_events(tables: Tables, writer: EventWriter, ids: Sequence[str], events: Sequence[Event]) -> list[Rows]:
    """The rows of events and the ids that they are kept under."""
    columns = writer.columns(ids, events)
    return [*_of_terms(tables, dict(writer.terms())), Rows(tables.events, columns, replace=False)]


def _of_terms(tables: Tables, terms: dict[int, str]) -> list[Rows]:
    return [Rows(tables.terms, [[*terms], [*terms.values()]], replace=False)] if terms else []


class Writing:
    """Writes into one store."""

    def __init__(self, database: Connections, tables: Tables, operations: Operations) -> None:
        self._database, self._tables, self._operations = database, tables, operations
        self._kind = database.kind
        self._greatest = select(func.coalesce(func.max(tables.events.c.seq), 0))

    def write(self, batches: Iterator[list[Rows]]) -> int:
        """Write all batches or none; how many events were new."""
        # The first batches are taken before the database is locked: making them may take long.
        if not self._kind.staging:
            first = next(batches, None)
            if first is None:
                return 0
            with self._database.writing(self._tables) as connection:
                return self._apply(connection, chain((first,), batches))
        held: list[list[Rows]] = []
        number = 0
        for batch in batches:
            held.append(batch)
            number += sum(rows.number for rows in batch)
            if number >= _HELD_ROWS:
                further = next(batches, None)
                if further is not None:
                    return self._write_staged(chain(held, (further,), batches))
        if number >= self._kind.staged_rows:
            return self._write_staged(held)
        return self._database.attempt(lambda connection: self._apply(connection, held), self._tables) if held else 0

    def ingest(self, batches: Iterator[list[Rows]]) -> int:
        """The same, where most of the rows are events."""
        if not self._kind.held_events:
            return self.write(batches)
        held: list[list[Rows]] = []
        number = others = 0
        for batch in batches:
            held.append(batch)
            of_events = sum(rows.number for rows in batch if rows.table is self._tables.events)
            number += of_events
            others += sum(rows.number for rows in batch) - of_events
            if number > self._kind.held_events or others > _RECORDS_AT_ONCE:
                return self._write_staged(chain(held, batches))
        if number < self._kind.staged_rows:
            return self.write(iter(held))
        added = self._write_held(held)
        return self._write_staged(held) if added is None else added

    def _write_held(self, batches: Sequence[list[Rows]]) -> int | None:
        """None where the engine does not take events so; then nothing was written."""
        parts = [rows.columns for batch in batches for rows in batch if rows.table is self._tables.events]
        others = [[rows for rows in batch if rows.table is not self._tables.events] for batch in batches]
        columns = [[*chain.from_iterable(column)] for column in zip(*parts, strict=True)]
        sums = Sums()
        sums.add(columns)

        def work(connection: Connection) -> int | None:
            with self._database.errors():
                before = self._last_number(connection)
                new = held.insert_new(connection)
            if new is None:
                return None
            self._apply(connection, others)
            counted = sums
            if len(new) < len(columns[0]):
                counted = Sums()
                counted.add([[column[place] for place in new] for column in columns])
            with self._database.errors():
                if len(counted) <= _MOST_SUMS:
                    self._add_up(connection, counted)
                else:
                    self._note(connection, before)
            return len(new)

        with self._database.writer() as connection:
            with self._database.errors():
                held = self._kind.hold(connection, self._tables.events, columns)
            return self._database.attempt(work, self._tables, connection)

    def _write_staged(self, batches: Iterable[list[Rows]]) -> int:
        with self._database.writer() as connection:
            staged: dict[Table, bool] = {}
            given, sums = 0, Sums()
            ids: set[str | bytes] = set()
            for batch in batches:
                with self._database.errors():
                    for rows in batch:
                        if rows.table not in staged:
                            self._kind.make_stage(connection, rows.table)
                            staged[rows.table] = rows.replace
                        self._kind.stage(connection, rows.table, rows.columns)
                        if rows.table is self._tables.events:
                            given += rows.number
                            if given <= _MOST_SORTED:
                                ids.update(rows.columns[0])
                            if len(sums) <= _MOST_SUMS:
                                sums.add(rows.columns)
            with self._database.errors():
                connection.commit()
            # Of more than that the engine itself makes the sums.
            counted = sums if len(sums) <= _MOST_SUMS else None
            added = self._database.attempt(
                lambda connection: self._take_over(connection, staged, given, counted, any_order=len(ids) == given),
                self._tables,
                connection,
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

    def _take_over(
        self, connection: Connection, staged: dict[Table, bool], given: int, sums: Sums | None, *, any_order: bool
    ) -> int:
        added = 0
        with self._database.errors():
            before = self._last_number(connection)
            for table, replace in staged.items():
                taken = self._kind.take_over(connection, table, replace=replace, any_order=any_order)
                added += taken if table is self._tables.events else 0
            if sums is not None and added == given:
                self._add_up(connection, sums)
            elif added:
                self._note(connection, before)
        return added

    def _apply(self, connection: Connection, batches: Iterable[list[Rows]]) -> int:
        added = 0
        sums = Sums()
        for batch in batches:
            with self._database.errors():
                for rows in batch:
                    if rows.replace:
                        self._kind.insert_or_replace(connection, rows.table, rows.columns)
                    elif rows.table is self._tables.events:
                        added += self._insert_events(connection, rows, sums)
                    else:
                        self._kind.insert_new(connection, rows.table, rows.columns)
        with self._database.errors():
            self._add_up(connection, sums)
        return added

    def _insert_events(self, connection: Connection, rows: Rows, sums: Sums) -> int:
        before = self._last_number(connection)
        added = self._kind.insert_new(connection, rows.table, rows.columns)
        if added == rows.number:
            sums.add(rows.columns)
            if len(sums) > _MOST_SUMS:
                self._add_up(connection, sums)
                sums.clear()
        elif added:
            # Which ones were new the engine knows.
            self._note(connection, before)
        return added

    def _add_up(self, connection: Connection, sums: Sums) -> None:
        for table, columns in sums.rows(self._tables):
            self._kind.add_up(connection, table, columns)

    def _note(self, connection: Connection, before: int) -> None:
        last = self._last_number(connection)
        note(connection.execute, self._tables, self._operations, after=before, last=last)

    def _last_number(self, connection: Connection) -> int:
        """The greatest number of an event; those that come in this transaction have greater ones, for nobody else writes."""
        return int(connection.execute(self._greatest).scalar_one())

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
        gone_events = some_ids(remove_events)
        fresh = rows_of_records(tables, records)
        kept = [*kept_ids(events)]
        *terms, rewritten = rows_of_events(tables, writer, [name for name, _ in kept], [event for _, event in kept])
        if not (gone or gone_events or fresh or rewritten.number):
            return

        rewritten_ids = {*rewritten.columns[0]}

        def work(connection: Connection) -> None:
            with self._database.errors():
                noted = (connection.execute, tables, self._operations)
                note_changes(*noted, {*map(pack_id, gone_events), *rewritten_ids}, sign=-1)
                for table, keys in gone.items():
                    _delete(connection, table, [column.name for column in table.primary_key.columns], keys)
                _delete(connection, tables.events, ["id"], [(event_id,) for event_id in gone_events])
            self._apply(connection, [terms, fresh])
            with self._database.errors():
                _rewrite(connection, tables.events, [*zip(*rewritten.columns, strict=True)])
                note_changes(*noted, rewritten_ids, sign=1)

        self._database.attempt(work, tables)

    def rebuild(self, delivery_ids: Iterable[str] | None) -> None:
        """Make anew what is kept consolidated."""
        names = rebuilt_ids(delivery_ids)

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
