"""A store as a folder of Parquet files: written by the one on DuckDB, and read without it."""

# ruff: noqa: S608  # names of tables and columns are our own

from __future__ import annotations

import glob
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import duckdb
from sqlalchemy import ColumnElement, Select, literal_column

from msgtrack.errors import InvalidValue, NotSupported, SchemaMismatch, StoreError
from msgtrack.events import Event
from msgtrack.protocols import Capabilities, Checkpoint, Query, Record
from msgtrack.storage._duckdb import create_table, literal, memory, quiet
from msgtrack.storage._duckdb_reading import TABLES, DuckReader, State
from msgtrack.storage._schema import PREFIX, SCHEMA_VERSION

__all__ = ["ParquetStore", "folder_of", "write_parquet"]

_DAY = "CAST(CAST(make_timestamp(occurred_at) AS DATE) AS VARCHAR)"
_OPTIONS = "FORMAT parquet, COMPRESSION zstd"
_SCHEME = "duckdb+parquet:"


class ParquetStore(DuckReader):
    """What :meth:`msgtrack.storage.duckdb.DuckDbStore.to_parquet` wrote, to read: listings, scans, counts and slots.

    Any number of processes may read a folder. Nobody may change its files meanwhile.

    Args:
        url: ``duckdb+parquet:folder``.
        memory_limit: as for :class:`msgtrack.storage.duckdb.DuckDbStore`.

    Raises:
        StoreError: there is no such folder, or it is no export of a store.
        SchemaMismatch: another version of the schema wrote it.
    """

    def __init__(self, url: str, *, memory_limit: str | None = None) -> None:
        folder, limit = folder_of(url), memory(memory_limit)
        if not (folder / "schema.parquet").is_file():
            raise StoreError(f"the folder {str(folder)!r} holds no store that was written as Parquet")
        super().__init__(duckdb.connect(":memory:"), url)
        try:
            with self._errors():
                quiet(self._connection)
                if limit is not None:
                    self._connection.execute(f"SET memory_limit = {literal(limit)}")
                self._show(folder)
                versions = self._connection.execute(f"SELECT version FROM {TABLES.schema.name}").fetchall()
        except BaseException:
            self._connection.close()
            raise
        if versions != [(SCHEMA_VERSION,)]:
            self._connection.close()
            raise SchemaMismatch(
                f"{url} has version {versions!r:.40} of the schema, this reads version {SCHEMA_VERSION}"
            )

    def _show(self, folder: Path) -> None:
        """Let the files stand where the tables of a store stand."""
        there = glob.escape(str(folder))
        for table in TABLES.metadata.tables.values():
            if table is not TABLES.events:
                files = literal(f"{there}/{table.name.removeprefix(PREFIX)}.parquet")
                self._connection.execute(f"CREATE VIEW {table.name} AS SELECT * FROM read_parquet({files})")
        if not any((folder / "events").glob("*/*/*.parquet")):
            self._connection.execute(create_table(TABLES.events))
            self._connection.execute(f"ALTER TABLE {TABLES.events.name} ADD COLUMN day VARCHAR")
            return
        files = literal(f"{there}/events/*/*/*.parquet")
        self._connection.execute(
            f"CREATE VIEW {TABLES.events.name} AS SELECT * FROM read_parquet({files}, "
            "hive_partitioning = true, hive_types = {'kind': VARCHAR, 'day': VARCHAR})"
        )

    @property
    def capabilities(self) -> Capabilities:
        """All that can be said of a store that is only read."""
        return Capabilities(
            persistent=True,
            atomic_ingest=True,
            exact_distinct=True,
            concurrent_writers=False,
            native_counts=True,
            native_slots=True,
            several_processes=True,
            snapshots=True,
            streaming=True,
        )

    def _asked(self, state: State, query: Query) -> Select[Any]:
        statement = super()._asked(state, query)
        # Days are folders, so whole files are passed over.
        day: ColumnElement[str] = literal_column(f"{TABLES.events.name}.day")
        if query.since is not None:
            statement = statement.where(day >= query.since.date().isoformat())
        if query.until is not None:
            statement = statement.where(day <= query.until.date().isoformat())
        return statement

    def put(self, records: Iterable[Record]) -> NoReturn:
        """Not here: the files are only read.

        Raises:
            NotSupported: always.
        """
        self._refuse()

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> NoReturn:
        """Not here: the files are only read.

        Raises:
            NotSupported: always.
        """
        self._refuse()

    def _refuse(self) -> NoReturn:
        self.check_open()
        raise NotSupported(
            "a store of Parquet files is only read", hint="write to the store that it came from, and export it again"
        )


def folder_of(url: str) -> Path:
    """The folder that an address names.

    Raises:
        InvalidValue: it names none.
    """
    name = url.removeprefix(_SCHEME)
    if not name or "\0" in name:
        raise InvalidValue(
            f"not an address of a folder of Parquet files: {url!r:.80}", hint="as in duckdb+parquet:folder"
        )
    return Path(name)


def write_parquet(cursor: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write the tables that a connection sees; the folder appears when all is written.

    Raises:
        StoreError: the folder is there and not empty, or its parent is not there.
    """
    if not folder.parent.is_dir():
        raise StoreError(f"there is no folder {str(folder.parent)!r} to write to", hint="make the folder first")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{str(folder)!r} is there already", hint="write to a new folder, and take the older one away")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as nearby:
            # A folder made in there has the rights of any new one.
            making = Path(nearby) / "store"
            making.mkdir()
            _write(cursor, making)
            making.rename(folder)
    except OSError as error:
        raise StoreError(f"nothing can be written to {str(folder)!r}: {error}") from error


def _write(cursor: duckdb.DuckDBPyConnection, folder: Path) -> None:
    for table in TABLES.metadata.tables.values():
        if table is not TABLES.events:
            file = literal(str(folder / f"{table.name.removeprefix(PREFIX)}.parquet"))
            cursor.execute(f"COPY {table.name} TO {file} ({_OPTIONS})")
    events = folder / "events"
    events.mkdir()
    cursor.execute(
        f"COPY (SELECT *, {_DAY} AS day FROM {TABLES.events.name}) TO {literal(str(events))} "
        f"({_OPTIONS}, PARTITION_BY (kind, day), OVERWRITE_OR_IGNORE)"
    )
