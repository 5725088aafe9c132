"""What is SQLite's own in the SQL store; another engine brings the same five names."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Column, ColumnElement, Connection, Engine, Table, case, create_engine, event, func
from sqlalchemy.dialects.sqlite import insert

from msgtrack.errors import InvalidValue, NotSupported, StoreError, UnknownOption, UnknownStore
from msgtrack.protocols import Capabilities

__all__ = ["CAPABILITIES", "engine_for", "event_id_text", "insert_new", "insert_or_replace"]

CAPABILITIES = Capabilities(
    persistent=True, atomic_ingest=True, exact_distinct=True, concurrent_writers=True, native_counts=False
)

_APPLICATION_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def engine_for(url: URL, *, busy_seconds: float) -> Engine:
    """An engine on a database file, in WAL mode: one may write while others read, and writers wait for each other.

    Raises:
        UnknownStore: the address asks for another driver than Python's own.
        NotSupported: the address names no file.
        UnknownOption: the address carries options behind ``?``.
        InvalidValue: ``busy_seconds`` is no number from 0, or the file name holds NUL.
        StoreError: the folder of the file does not exist.
    """
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise UnknownStore(f"there is no driver {url.drivername!r:.40} for SQLite here", hint="use sqlite:///file.db")
    if not url.database or url.database == ":memory:":
        raise NotSupported("SQLite in memory is not there", hint="use memory:, or sqlite:///file.db for a file")
    if url.query:
        raise UnknownOption(f"the address of a SQLite store takes no options, this one has: {', '.join(url.query)}")
    if isinstance(busy_seconds, bool) or not isinstance(busy_seconds, int | float) or not 0 <= busy_seconds < 1e6:
        raise InvalidValue(f"busy_seconds must be a number of seconds from 0, not {busy_seconds!r:.80}")
    if "\0" in url.database:
        raise InvalidValue(f"a file name holds no NUL: {url.database!r:.80}")
    folder = Path(url.database).parent
    if not folder.is_dir():
        raise StoreError(f"there is no folder {str(folder)!r} to keep the store in", hint="make the folder first")
    engine = create_engine(url, connect_args={"timeout": busy_seconds}, max_overflow=-1)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        # The driver's own transactions begin too late and read-only; ours are begun below, by hand.
        connection.isolation_level = None
        _use_wal(connection, time.monotonic() + busy_seconds)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        # A writer takes its lock at once: one that read first could be refused when it comes to write.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _use_wal(connection: sqlite3.Connection, deadline: float) -> None:
    # Changing the journal mode does not wait for others by itself; it is only ever changed once, in a new file.
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _APPLICATION_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def insert_new(table: Table, columns: Sequence[str], unique: Sequence[str]) -> Any:
    """An insert that passes over rows whose unique columns are there already."""
    return insert(table).values(dict.fromkeys(columns)).on_conflict_do_nothing(index_elements=[*unique])


def insert_or_replace(table: Table) -> Any:
    """An insert that replaces the row of its primary key."""
    statement = insert(table)
    keys = [column.name for column in table.primary_key.columns]
    others = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


def event_id_text(column: Column[Any]) -> ColumnElement[str]:
    """An event id as text, to order by: bytes are our own ids, kept short (see ``_schema.pack_id``)."""
    return case((func.typeof(column) == "blob", func.lower(func.hex(column))), else_=column)
