"""What is MariaDB's and MySQL's own in the SQL store, through PyMySQL."""

# ruff: noqa: S608  # names are quoted by the dialect, and values are parameters

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Dialect, Engine, Table, create_engine, func, select, text

from msgtrack.errors import MissingExtra, StoreError
from msgtrack.storage._engines import (
    Columns,
    SqlEngine,
    check_address,
    columns_of,
    converted,
    names_of,
    parameters_of,
    unique_of,
)
from msgtrack.storage._schema import Tables

__all__ = ["MariaDb"]

_AGAIN = frozenset({1020, 1213, 1412})
"""A row changed under a snapshot, deadlock, a table made or changed under a snapshot."""

_NO_RIGHT = frozenset({1044, 1142})
"""Access denied: to a database, to a table."""

_RIGHTS = "whoever counts needs GRANT SELECT, CREATE TEMPORARY TABLES on the database; whoever writes, INSERT, UPDATE, DELETE too"

_ADDRESS_OPTIONS = frozenset(
    {"charset", "connect_timeout", "read_timeout", "ssl_ca", "ssl_cert", "ssl_key", "unix_socket", "write_timeout"}
)


class MariaDb(SqlEngine):
    """InnoDB: snapshots to read from, a locked row to write behind; a table is made whether or not the next one can be."""

    transactional_ddl: ClassVar[bool] = False
    one_result_at_a_time: ClassVar[bool] = True
    reading: ClassVar[dict[str, Any]] = {"isolation_level": "REPEATABLE READ"}
    writing: ClassVar[dict[str, Any]] = {"isolation_level": "READ COMMITTED"}

    def create(self, url: URL, busy_seconds: float) -> Engine:
        """An engine whose connections are looked at before they are used again."""
        plain = url if "+" in url.drivername else url.set(drivername=f"{url.drivername}+pymysql")
        check_address(plain, ("mariadb+pymysql", "mysql+pymysql"), _ADDRESS_OPTIONS)
        try:
            import pymysql  # noqa: F401
        except ImportError as error:
            raise MissingExtra(f"MariaDB needs PyMySQL: {error}", hint="pip install 'msgtrack[mariadb]'") from error
        # A server that cuts what is too long would lose it in silence.
        strict = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
        return create_engine(plain, pool_pre_ping=True, max_overflow=-1, connect_args={"init_command": strict})

    def begin_reading(self, connection: Connection) -> None:
        """From here on, one state of the database."""
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT")

    def begin_writing(self, connection: Connection, tables: Tables | None, busy_seconds: float) -> None:
        """Wait for the row that every writer locks."""
        if tables is not None:
            compiled = select(tables.schema.c.version).with_for_update().compile(dialect=connection.dialect)
            # MySQL cannot say how long here: it waits for innodb_lock_wait_timeout.
            wait = f" WAIT {math.ceil(busy_seconds)}" if connection.dialect.is_mariadb else ""  # type: ignore[attr-defined]
            connection.exec_driver_sql(f"{compiled}{wait}").all()

    @contextmanager
    def making(self, connection: Connection, name: str, busy_seconds: float) -> Iterator[None]:
        """A lock of that name, which is the server's."""
        lock = "msgtrack " + hashlib.sha256(name.encode()).hexdigest()[:40]
        asked = {"lock": lock, "seconds": math.ceil(busy_seconds)}
        if connection.execute(text("SELECT GET_LOCK(:lock, :seconds)"), asked).scalar() != 1:
            raise StoreError("another process has been making the tables of this store for too long")
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(:lock)"), {"lock": lock})

    def insert_new(self, connection: Connection, table: Table, columns: Columns) -> int:
        """As everywhere; counted by the numbers that new events got."""
        with _counting(connection, table) as counted:
            super().insert_new(connection, table, columns)
        return sum(counted)

    def insert_sql(self, dialect: Dialect, table: Table, source: str, *, replace: bool) -> str:
        """With the clause for known keys; IGNORE would pass over other errors as well."""
        unique = unique_of(table)
        quote = dialect.identifier_preparer.quote
        if replace:
            changes = ", ".join(
                f"{quote(name)} = VALUES({quote(name)})" for name in columns_of(table) if name not in unique
            )
        else:
            target = dialect.identifier_preparer.format_table(table)
            changes = f"{quote(unique[0])} = {target}.{quote(unique[0])}"
        return _insert(dialect, table, source, changes)

    def adding_sql(self, dialect: Dialect, table: Table, source: str) -> str:
        """With the clause for known keys."""
        return _insert(dialect, table, source, "times = times + VALUES(times)")

    def make_stage(self, connection: Connection, table: Table) -> None:
        """A temporary table with a number for the order of arrival."""
        dialect = connection.dialect
        connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE {_stage_name(dialect, table)} (nr BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY) "
            f"ENGINE=InnoDB SELECT {names_of(dialect, columns_of(table))} "
            f"FROM {dialect.identifier_preparer.format_table(table)} LIMIT 0"
        )

    def stage(self, connection: Connection, table: Table, columns: Columns) -> None:
        """By inserts of many rows."""
        dialect = connection.dialect
        names = names_of(dialect, columns_of(table))
        insert = f"INSERT INTO {_stage_name(dialect, table)} ({names}) {parameters_of(table, '%s')}"
        self.run_many(connection, insert, converted(dialect, table, columns))

    def take_over(self, connection: Connection, table: Table, *, replace: bool, any_order: bool) -> int:
        """One insert."""
        dialect = connection.dialect
        source = f"SELECT {names_of(dialect, columns_of(table))} FROM {_stage_name(dialect, table)} ORDER BY nr"
        with _counting(connection, table) as counted:
            connection.exec_driver_sql(self.insert_sql(dialect, table, source, replace=replace))
        return sum(counted)

    def drop_stage(self, connection: Connection, table: Table) -> None:
        """Drop the temporary table."""
        connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {_stage_name(connection.dialect, table)}")

    def hint(self, error: BaseException) -> str:
        """Which rights a store needs."""
        number = error.args[0] if error.args else None
        return _RIGHTS if number in _NO_RIGHT else ""

    def passes(self, error: BaseException) -> bool:
        """A deadlock, or a snapshot that was overtaken by rows or by tables."""
        number = error.args[0] if error.args else None
        return number in _AGAIN


@contextmanager
def _counting(connection: Connection, table: Table) -> Iterator[list[int]]:
    """How many events get a number meanwhile. The engine's own count of rows depends on how the connection was made."""
    counted: list[int] = []
    if "seq" not in table.columns:
        yield counted
        return
    seq = table.c.seq
    before = connection.execute(select(func.coalesce(func.max(seq), 0))).scalar_one()
    yield counted
    counted.append(connection.execute(select(func.count()).where(seq > before)).scalar_one())


def _insert(dialect: Dialect, table: Table, source: str, changes: str) -> str:
    return (
        f"INSERT INTO {dialect.identifier_preparer.format_table(table)} ({names_of(dialect, columns_of(table))}) "
        f"{parameters_of(table, '%s') if source == '?' else source} ON DUPLICATE KEY UPDATE {changes}"
    )


def _stage_name(dialect: Dialect, table: Table) -> str:
    quote = dialect.identifier_preparer.quote
    name = quote(f"{table.name}_stage")
    return f"{quote(table.schema)}.{name}" if table.schema else name
