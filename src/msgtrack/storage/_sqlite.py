"""What is SQLite's own in the SQL store."""

# names are quoted by the dialect, and values are parameters

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Dialect, Engine, Table, create_engine

from msgtrack.errors import InvalidValue, NotSupported, StoreError, UnknownOption, UnknownStore
from msgtrack.storage._engines import SqlEngine, columns_of, names_of, parameters_of, unique_of
from msgtrack.storage._schema import Tables

__all__ = ["Sqlite"]

_CACHE_KIB = 32_000
_LOG_PAGES = 8000
"""What a connection that has written may hold in memory, and the pages of the log that go back into the file: some 32 MB each."""

_APPLICATION_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Sqlite(SqlEngine):
    """A database file in WAL mode: one may write while others read, and writers wait for each other."""

    staging: ClassVar[bool] = False
    # The driver's own transactions begin too late and read-only; ours are begun below, by hand.
    reading: ClassVar[dict[str, Any]] = {"isolation_level": "AUTOCOMMIT"}
    writing: ClassVar[dict[str, Any]] = reading

    def create(self, url: URL, busy_seconds: float) -> Engine:
        """An engine on a file.

        Raises:
            UnknownStore: the address asks for another driver than Python's own.
            NotSupported: the address names no file.
            UnknownOption: the address carries options behind ``?``.
            InvalidValue: the file name holds NUL.
            StoreError: the folder of the file does not exist.
        """
        if url.drivername not in ("sqlite", "sqlite+pysqlite"):
            raise UnknownStore(
                f"there is no driver {url.drivername!r:.40} for SQLite here", hint="use sqlite:///file.db"
            )
        self._check_file(url)
        if url.query:
            raise UnknownOption(f"the address of a SQLite store takes no options, this one has: {', '.join(url.query)}")
        if "\0" in str(url.database):
            raise InvalidValue(f"a file name holds no NUL: {url.database!r:.80}")
        folder = Path(str(url.database)).parent
        if not folder.is_dir():
            raise StoreError(f"there is no folder {str(folder)!r} to keep the store in", hint="make the folder first")
        return create_engine(url, connect_args={"timeout": busy_seconds}, max_overflow=-1)

    def adopt(self, engine: Engine) -> None:
        """Refuse a database in memory, of which each connection has another."""
        if engine.driver != "pysqlite":
            raise NotSupported(f"an engine on SQLite must use Python's own driver, not {engine.driver!r:.40}")
        self._check_file(engine.url)

    def _check_file(self, url: URL) -> None:
        mode = url.query.get("mode")
        if not url.database or url.database == ":memory:" or mode == "memory":
            raise NotSupported("SQLite in memory is not there", hint="use memory:, or sqlite:///file.db for a file")
        if mode not in (None, "rw", "rwc"):
            raise NotSupported(f"a store is opened for writing, not with mode={mode!r:.40}")

    def first_steps(self, connection: Connection, busy_seconds: float) -> None:
        """Switch the file to WAL mode, if it is not."""
        # Changing the journal mode does not wait for others by itself; it is only ever changed once, in a new file.
        deadline = time.monotonic() + busy_seconds
        driver = connection.connection.driver_connection
        while True:
            try:
                driver.execute("PRAGMA journal_mode=WAL")  # type: ignore[union-attr]  # it is sqlite3's
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _APPLICATION_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def begin_reading(self, connection: Connection) -> None:
        """A transaction that has read nothing yet."""
        connection.exec_driver_sql("BEGIN")

    def begin_writing(self, connection: Connection, tables: Tables | None, busy_seconds: float) -> None:
        """Take the lock at once: who read first could be refused when it comes to write."""
        # What is erased or purged must not stay behind in free pages; how the library was built decides the default.
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
        # Messages react in any order, so their index is written to all over: pages of it that stay in memory are not read
        # again, and a page that many transactions changed is written back once for all of them.
        connection.exec_driver_sql(f"PRAGMA cache_size=-{_CACHE_KIB}")
        connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def run_many(self, connection: Connection, sql: str, columns: Iterable[Iterable[Any]]) -> int:
        """By the driver itself, which takes rows as they are made: none of them is kept, and the collector has nothing to look through."""
        driver: Any = connection.connection.driver_connection
        return int(driver.executemany(sql, zip(*columns, strict=True)).rowcount)

    def insert_sql(self, dialect: Dialect, table: Table, source: str, *, replace: bool) -> str:
        """With SQLite's clause for conflicts."""
        return insert_on_conflict(
            dialect, table, parameters_of(table, "?") if source == "?" else source, replace=replace
        )

    def adding_sql(self, dialect: Dialect, table: Table, source: str) -> str:
        """With SQLite's clause for conflicts."""
        return add_on_conflict(dialect, table, parameters_of(table, "?") if source == "?" else source)


def insert_on_conflict(dialect: Dialect, table: Table, source: str, *, replace: bool) -> str:
    """An insert with the clause that SQLite and PostgreSQL share."""
    unique, quote = unique_of(table), dialect.identifier_preparer.quote
    others = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in columns_of(table) if name not in unique)
    return _insert(dialect, table, source, f"UPDATE SET {others}" if replace else "NOTHING")


def add_on_conflict(dialect: Dialect, table: Table, source: str) -> str:
    """An insert that adds the times up, with the clause that SQLite and PostgreSQL share."""
    return _insert(dialect, table, source, "UPDATE SET times = kept.times + excluded.times")


def _insert(dialect: Dialect, table: Table, source: str, otherwise: str) -> str:
    return (
        f"INSERT INTO {dialect.identifier_preparer.format_table(table)} AS kept ({names_of(dialect, columns_of(table))}) {source} "
        f"ON CONFLICT ({names_of(dialect, unique_of(table))}) DO {otherwise}"
    )
