"""The store on DuckDB: one file, one process, and a database made for counting."""

# ruff: noqa: S608  # names of tables and columns are our own; what comes from outside travels as parameters
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Executable, Select, Table, select

from msgtrack.columns import EventColumns
from msgtrack.errors import SchemaMismatch, UnknownOption, UnknownStore
from msgtrack.events import Event
from msgtrack.facts import Fact
from msgtrack.protocols import Capabilities, Checkpoint, Ingested, Query, Record
from msgtrack.storage._arrow import event_table
from msgtrack.storage._consolidated import note, rebuild
from msgtrack.storage._core import kept_batches
from msgtrack.storage._duckdb import (
    OPERATIONS,
    compiled,
    connect,
    create_staging,
    create_table,
    file_of,
    keep_id,
    key_of_text,
    literal,
    memory,
    retried,
    seconds,
)
from msgtrack.storage._duckdb_parquet import ParquetStore, write_parquet
from msgtrack.storage._duckdb_reading import TABLES, DuckReader, State
from msgtrack.storage._duckdb_seeking import sought
from msgtrack.storage._duckdb_staging import Staging, add_terms, staged_name
from msgtrack.storage._event_rows import Commons, EventWriter
from msgtrack.storage._ids import rebuilt_ids, some_ids
from msgtrack.storage._rows import EVENT_COLUMNS, SHELVES, checkpoint_row, fact_row
from msgtrack.storage._schema import SCHEMA_VERSION, pack_id
from msgtrack.storage._types import tagged_ids
from msgtrack.storage.base import record_key

__all__ = ["DuckDbStore", "ParquetStore", "open_duckdb"]

T = TypeVar("T")

_BATCH_ROWS = 20_000
_TURNS = "msgtrack_turns"
"""One row: the number of the next event. Whoever writes changes it first, so that writers take turns."""
_BY_COLUMN = "events_by_column"
_MADE = {TABLES.events: ("message_key UINTEGER",), TABLES.messages: ("recipient_key UINTEGER",)}
"""Columns of this engine alone, behind the others: what is sought by."""
_STAGED = (
    *(shelf.table(TABLES) for shelf in SHELVES.values()),
    TABLES.facts,
    TABLES.checkpoints,
    TABLES.terms,
    TABLES.events,
)


class DuckDbStore(DuckReader):
    """A store in a file of DuckDB, which one process at a time has open.

    Each call that writes lays its rows into tables of its own first, and moves them in one transaction. Each iterator reads
    one state of the store, that of its first step.

    Args:
        url: ``duckdb:///file.duckdb``, or ``duckdb:////var/lib/file.duckdb`` with an absolute path.
        busy_seconds: how long to wait for another process that has the file open, and for another handle that is writing.
        memory_limit: how much memory the engine takes before it goes on disk, as in ``"500MB"`` or ``"2GB"``, for all handles of
            the process on this file; below some 100 MB it fails at larger tasks. None: four fifths of what the machine has.

    Raises:
        StoreError: the file cannot be opened, or another process has it open.
        SchemaMismatch: its tables are of another version, or are not ours.
    """

    def __init__(self, url: str, *, busy_seconds: float = 30.0, memory_limit: str | None = None) -> None:
        self._busy_seconds = seconds(busy_seconds)
        limit = memory(memory_limit)
        super().__init__(connect(file_of(url), busy_seconds=self._busy_seconds), url)
        self._commons = Commons()
        try:
            if limit is not None:
                with self._errors():
                    self._run(f"SET memory_limit = {literal(limit)}")
            self._transaction(self._prepare)
            with self._errors():
                for table in _STAGED:
                    self._run(
                        create_staging(staged_name(table), [column for column in table.columns if column.name != "seq"])
                    )
        except BaseException:
            self._connection.close()
            raise

    @property
    def capabilities(self) -> Capabilities:
        """Persistent, atomic and exact; the file belongs to one process."""
        return Capabilities(
            persistent=True,
            atomic_ingest=True,
            exact_distinct=True,
            concurrent_writers=False,
            native_counts=True,
            native_slots=True,
            revisable=True,
            snapshots=True,
            streaming=True,
        )

    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key; see :class:`msgtrack.protocols.Store`."""
        self.check_open()
        with self._staging() as staged:
            if self._lay_down(staged, records):
                self._transaction(lambda: self._take_records(staged))

    def _lay_down(self, staged: Staging, records: Iterable[Record]) -> int:
        number = 0
        for batch in _batches(records):
            rows: dict[Table, list[tuple[Any, ...]]] = {}
            for record in batch:
                record_key(record)
                number += 1
                if isinstance(record, Fact):
                    rows.setdefault(TABLES.facts, []).append((number, *fact_row(record)))
                    continue
                shelf = SHELVES[type(record)]
                rows.setdefault(shelf.table(TABLES), []).append((number, *shelf.row(record)))
                rows.setdefault(TABLES.terms, []).extend((number, *term) for term in shelf.terms(record))
            for table, of_table in rows.items():
                staged.add(table, of_table)
        return number

    def _take_records(self, staged: Staging) -> None:
        self._turn()
        for table in staged.filled:
            self._replace(table)

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """Keep the events whose id is new, and the checkpoint, in one transaction."""
        self.check_open()
        with self._staging() as staged:
            given = self._lay_down_events(staged, events)
            if checkpoint is not None:
                staged.add(TABLES.checkpoints, [(0, *checkpoint_row(checkpoint))])
            if not staged.filled:
                return Ingested()
            added = self._transaction(lambda: self._take_events(staged, given))
        return Ingested(added=added, known=given - added)

    def ingest_columns(self, columns: EventColumns, checkpoint: Checkpoint | None = None) -> Ingested:
        """What :meth:`ingest` does with the events of columns, without making them; see :class:`msgtrack.protocols.ColumnStore`."""
        self.check_open()
        given = len(columns)
        if not given:
            return self.ingest((), checkpoint)
        rows, terms = event_table(columns)
        with self._staging() as staged, staged.seen(_BY_COLUMN, rows):
            staged.terms.update(terms)
            if checkpoint is not None:
                staged.add(TABLES.checkpoints, [(0, *checkpoint_row(checkpoint))])
            added = self._transaction(lambda: self._take_events(staged, given, _BY_COLUMN))
        return Ingested(added=added, known=given - added)

    def _lay_down_events(self, staged: Staging, events: Iterable[Event]) -> int:
        writer = EventWriter(self._commons)
        given = 0
        for ids, batch in kept_batches(events, _BATCH_ROWS):
            packed, *columns = writer.columns(ids, batch)
            places = range(given, given + len(batch))
            staged.add(TABLES.events, [*zip(places, tagged_ids(packed), *columns, strict=True)])
            staged.terms.update(writer.terms())
            given += len(batch)
        return given

    def _take_events(self, staged: Staging, given: int, fresh: str = staged_name(TABLES.events)) -> int:
        first = self._turn(max(given, 1))
        add_terms(self._run, TABLES.terms, staged.terms)
        for table in staged.filled:
            if table is not TABLES.events:
                self._replace(table)
        added = self._add_new(first, fresh) if given else 0
        if added:
            note(self._execute, TABLES, OPERATIONS, after=first - 1)
        return added

    def _add_new(self, first: int, fresh: str) -> int:
        """Move the events in ``fresh`` whose id is new, numbered from ``first`` on; how many they were."""
        kept = TABLES.events.name
        names = ", ".join(EVENT_COLUMNS)
        given, different, low, high = self._run(f"SELECT count(*), count(DISTINCT id), min(id), max(id) FROM {fresh}")[
            0
        ]
        once = "" if given == different else f" AND n IN (SELECT min(n) FROM {fresh} GROUP BY id)"
        # The bounds let the engine pass over blocks of ids of another time: our own begin with their moment.
        added = self._run(
            f"INSERT INTO {kept} (seq, {names}, message_key) SELECT n + $1, {names}, {key_of_text('message_id')} "
            f"FROM {fresh} AS fresh WHERE NOT EXISTS "
            f"(SELECT 1 FROM {kept} AS kept WHERE kept.id = fresh.id AND kept.id BETWEEN $2 AND $3){once}",
            [first, low, high],
        )
        return int(added[0][0])

    def revise(
        self,
        *,
        records: Iterable[Record] = (),
        events: Iterable[Event] = (),
        remove: Iterable[Record] = (),
        remove_events: Iterable[str] = (),
    ) -> None:
        """Take out and rewrite, in one transaction; see :meth:`msgtrack.storage.BaseStore.revise`."""
        self.check_open()
        keys: dict[Table, list[tuple[Any, ...]]] = {}
        for record in remove:
            key = record_key(record)
            if isinstance(record, Fact):
                keys.setdefault(TABLES.facts, []).append(fact_row(record)[: len(TABLES.facts.primary_key.columns)])
            else:
                keys.setdefault(SHELVES[type(record)].table(TABLES), []).append(key)
        if event_ids := [(keep_id(pack_id(event_id)),) for event_id in some_ids(remove_events)]:
            keys[TABLES.events] = event_ids
        with self._staging() as staged:
            self._lay_down(staged, records)
            self._lay_down_events(staged, events)
            if keys or staged.filled:
                self._transaction(lambda: self._revise(keys, staged))

    def _revise(self, keys: Mapping[Table, list[tuple[Any, ...]]], staged: Staging) -> None:
        self._turn()
        for table, of_table in keys.items():
            self._remove(table, of_table)
        add_terms(self._run, TABLES.terms, staged.terms)
        for table in staged.filled:
            if table is TABLES.events:
                self._rewrite_events()
            else:
                self._replace(table)

    def _remove(self, table: Table, keys: list[tuple[Any, ...]]) -> None:
        names = ["id"] if table is TABLES.events else [column.name for column in table.primary_key.columns]
        columns = ", ".join(f'unnest(${place}) AS "{name}"' for place, name in enumerate(names, 1))
        same = " AND ".join(f'old."{name}" = gone."{name}"' for name in names)
        self._run(
            f"DELETE FROM {table.name} AS old USING (SELECT {columns}) AS gone WHERE {same}",
            [list(values) for values in zip(*keys, strict=True)],
        )

    def _rewrite_events(self) -> None:
        changes = ", ".join(f'"{name}" = fresh."{name}"' for name in EVENT_COLUMNS if name != "id")
        self._run(
            f"UPDATE {TABLES.events.name} SET {changes}, message_key = {key_of_text('fresh.message_id')} "
            f"FROM (SELECT * FROM {staged_name(TABLES.events)} QUALIFY row_number() OVER (PARTITION BY id ORDER BY n DESC) = 1) AS fresh "
            f"WHERE {TABLES.events.name}.id = fresh.id"
        )

    def _asked(self, state: State, query: Query) -> Select[Any]:
        return sought(lambda statement: self._read(state, statement), query)

    def rebuild(self, delivery_ids: Iterable[str] | None = None) -> None:
        """Make the slots and the days of programs anew from the events, of these deliveries or of all."""
        self.check_open()
        names = rebuilt_ids(delivery_ids)

        def work() -> None:
            self._turn()
            rebuild(self._execute, TABLES, OPERATIONS, names)

        self._transaction(work)

    def _replace(self, table: Table) -> None:
        """Put what is staged in the place of what has the same key; of equal keys the last one staged counts."""
        keys = [f'"{column.name}"' for column in table.primary_key.columns]
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        same = " AND ".join(f"old.{key} = new.{key}" for key in keys)
        self._run(f"DELETE FROM {table.name} AS old USING {staged_name(table)} AS new WHERE {same}")
        made = f", {key_of_text('recipient_id')}" if table is TABLES.messages else ""
        self._run(
            f"INSERT INTO {table.name} SELECT {names}{made} FROM {staged_name(table)} "
            f"QUALIFY row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY n DESC) = 1"
        )

    def to_parquet(self, folder: str | Path) -> None:
        """Write all that the store holds as Parquet files: events by kind and day, compressed by Zstandard.

        The folder appears when everything is written, and holds one state of the store. ``duckdb+parquet:folder`` opens it.

        Args:
            folder: a new folder, or an empty one.

        Raises:
            StoreError: the folder is there and not empty, its parent is not there, or the disk is full.
        """
        self.check_open()
        with self._reading() as cursor, self._errors():
            cursor.execute("BEGIN TRANSACTION")
            write_parquet(cursor, Path(folder))

    def _turn(self, numbers: int = 1) -> int:
        """Take one's turn to write, by a change that another writer's would collide with; gives the first free number."""
        # At least by one: a row that is written as it was collides with nothing.
        taken = self._run(f"UPDATE {_TURNS} SET next = next + $1 RETURNING next", [numbers])
        return int(taken[0][0]) - numbers

    def _transaction(self, work: Callable[[], T]) -> T:
        with self._errors():
            return retried(self._connection, work, busy_seconds=self._busy_seconds)

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, list(parameters)).fetchall()

    def _execute(self, statement: Executable) -> None:
        self._run(*compiled(statement))

    @contextmanager
    def _staging(self) -> Iterator[Staging]:
        staging = Staging(self._connection, self._errors)
        try:
            yield staging
        finally:
            staging.clear()

    def _prepare(self) -> None:
        """Make the tables of a new database; refuse one whose tables are not ours."""
        there = {name for (name,) in self._run("SELECT table_name FROM duckdb_tables() WHERE NOT temporary")}
        ours = there & {*TABLES.metadata.tables, _TURNS}
        if not ours:
            for table in TABLES.metadata.tables.values():
                self._run(create_table(table, *_MADE.get(table, ())))
            self._run(f"CREATE TABLE {_TURNS} (next BIGINT NOT NULL)")
            self._run(f"INSERT INTO {_TURNS} VALUES (1)")
            self._run(*compiled(TABLES.schema.insert().values(version=SCHEMA_VERSION)))
            return
        if not {TABLES.schema.name, _TURNS} <= ours:
            raise SchemaMismatch(f"{self._name} has tables of our names that are not ours: {', '.join(sorted(ours))}")
        versions = [version for (version,) in self._run(*compiled(select(TABLES.schema.c.version)))]
        if len(versions) != 1 or type(versions[0]) is not int or versions[0] < 1:
            raise SchemaMismatch(f"{self._name} does not say which version of the schema it has: {versions!r:.80}")
        if versions[0] != SCHEMA_VERSION:
            raise SchemaMismatch(
                f"{self._name} has version {versions[0]} of the schema, this reads version {SCHEMA_VERSION}",
                hint="upgrade msgtrack",
            )


def _batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(values)
    while batch := list(islice(iterator, _BATCH_ROWS)):
        yield batch


def open_duckdb(
    url: str, *, busy_seconds: float | None = None, memory_limit: str | None = None
) -> DuckDbStore | ParquetStore:
    """The store in the DuckDB file at ``url``, or with ``duckdb+parquet:folder`` the one in a folder of Parquet files.

    See :class:`DuckDbStore` and :class:`ParquetStore`.
    """
    scheme, _, _ = url.partition(":")
    if scheme == "duckdb":
        return DuckDbStore(url, busy_seconds=30.0 if busy_seconds is None else busy_seconds, memory_limit=memory_limit)
    if scheme != "duckdb+parquet":
        raise UnknownStore(
            f"the address of the store has an unknown scheme {scheme!r:.40}",
            hint="use duckdb:///file.duckdb or duckdb+parquet:folder",
        )
    if busy_seconds is not None:
        raise UnknownOption("a store of Parquet files has no option 'busy_seconds'", hint="its option is memory_limit")
    return ParquetStore(url, memory_limit=memory_limit)
