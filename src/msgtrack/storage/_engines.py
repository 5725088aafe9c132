"""What the SQL store asks of an engine, and the little that every engine does alike."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Dialect, Engine, Table

from msgtrack.errors import InvalidValue, UnknownOption, UnknownStore
from msgtrack.protocols import Capabilities
from msgtrack.storage._schema import Tables
from msgtrack.storage._types import Convert

__all__ = ["Columns", "HeldEvents", "Row", "SqlEngine", "check_address", "columns_of", "converted", "seconds_of"]

Row = tuple[Any, ...]
"""A row as the writers of ``_rows`` make it: numbers, texts, bytes and None, whatever engine it goes to."""

Columns = Sequence[Sequence[Any]]
"""Rows by column, all of one length, in the order of :func:`columns_of`."""


class HeldEvents(ABC):
    """Events of one call, ready to go into their table."""

    @abstractmethod
    def insert_new(self, connection: Connection) -> Sequence[int] | None:
        """Keep those whose id is new, of several with one id the first, in a transaction that alone writes: the places of those that
        were kept. None where the engine does not take them in this way; then nothing was kept.
        """


class SqlEngine(ABC):
    """What is one engine's own. Rows come in the order of :func:`columns_of`."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        persistent=True,
        atomic_ingest=True,
        exact_distinct=True,
        concurrent_writers=True,
        native_counts=True,
        native_slots=True,
        revisable=True,
        several_processes=True,
        snapshots=True,
        streaming=True,
    )

    transactional_ddl: ClassVar[bool] = True
    """Whether tables are made all or none."""

    one_result_at_a_time: ClassVar[bool] = False
    """Whether a connection that streams a result can do nothing else meanwhile."""

    staging: ClassVar[bool] = True
    """Whether rows of a long call are laid aside first and taken over in one statement; or else they are written one batch after the other,
    while the lock is held."""

    staged_rows: ClassVar[float] = math.inf
    """Rows of a shorter call from which on it is treated as a long one."""

    held_events: ClassVar[int] = 0
    """Up to how many events of one call are held in memory, and then go into their table by :meth:`hold`; of a longer one all are laid
    aside. 0: of any call, as of other rows.
    """

    reading: ClassVar[dict[str, Any]] = {}
    """Execution options of connections that read."""

    writing: ClassVar[dict[str, Any]] = {}
    """Execution options of connections that write."""

    @abstractmethod
    def create(self, url: URL, busy_seconds: float) -> Engine:
        """An engine of our own on an address.

        Raises:
            UnknownStore: the address asks for a driver that is not used here.
            UnknownOption: it has options that are not taken.
            MissingExtra: the driver is not installed.
        """

    def adopt(self, engine: Engine) -> None:  # noqa: B027  # most take any
        """Look at an engine that the application made.

        Raises:
            NotSupported: it cannot be used.
        """

    def first_steps(self, connection: Connection, busy_seconds: float) -> None:  # noqa: B027  # most need none
        """What is to be done once, outside of a transaction, before anything else."""

    @abstractmethod
    def begin_reading(self, connection: Connection) -> None:
        """Begin a transaction that sees one state of the database."""

    @abstractmethod
    def begin_writing(self, connection: Connection, tables: Tables | None, busy_seconds: float) -> None:
        """Begin a transaction that waits until no other writes to the store; ``tables`` is None before they are there."""

    def may_lay_aside(self, connection: Connection) -> bool:
        """Whether temporary tables can be made while reading."""
        return True

    def hint(self, error: BaseException) -> str:
        """What to do about an error of the driver, "" where the error says all."""
        return ""

    @contextmanager
    def making(self, connection: Connection, name: str, busy_seconds: float) -> Iterator[None]:
        """While it lasts, nobody else makes the tables called ``name``."""
        yield

    def insert_new(self, connection: Connection, table: Table, columns: Columns) -> int:
        """Keep rows whose unique column (that of events, or the key of the others) is new; how many were, for events."""
        return self._insert(connection, table, columns, replace=False)

    def insert_or_replace(self, connection: Connection, table: Table, columns: Columns) -> None:
        """Keep rows by key, the last one of a key in place of what is there."""
        self._insert(connection, table, columns, replace=True)

    def _insert(self, connection: Connection, table: Table, columns: Columns, *, replace: bool) -> int:
        if not columns or not columns[0]:
            return 0
        sql = self.insert_sql(connection.dialect, table, "?", replace=replace)
        return self.run_many(connection, sql, converted(connection.dialect, table, columns))

    def run_many(self, connection: Connection, sql: str, columns: Iterable[Iterable[Any]]) -> int:
        """Run a statement for each row; how many rows it changed."""
        # Text and tuples: several times as fast as handing dictionaries to a statement object.
        return connection.exec_driver_sql(sql, [*zip(*columns, strict=True)]).rowcount

    def add_up(self, connection: Connection, table: Table, columns: Columns) -> None:
        """Insert rows of distinct keys; where the key is there, add the ``times``, which is the last column."""
        sql = self.adding_sql(connection.dialect, table, "?")
        self.run_many(connection, sql, converted(connection.dialect, table, columns))

    def hold(self, connection: Connection, table: Table, columns: Columns) -> HeldEvents:
        """Make events of one call ready to go into ``table`` through this connection."""
        raise TypeError(f"{type(self).__name__} holds no events")

    def make_stage(self, connection: Connection, table: Table) -> None:
        """Make a table that only this connection sees, to lay rows of ``table`` aside in."""
        raise TypeError(f"{type(self).__name__} does no staging")

    def stage(self, connection: Connection, table: Table, columns: Columns) -> None:
        """Lay rows aside, behind those laid aside before."""
        raise TypeError(f"{type(self).__name__} does no staging")

    def take_over(self, connection: Connection, table: Table, *, replace: bool, any_order: bool) -> int:
        """Insert what was laid aside; how many rows were new, for events. They go in in their order; where no two events have one id, those
        may in any.
        """
        raise TypeError(f"{type(self).__name__} does no staging")

    def drop_stage(self, connection: Connection, table: Table) -> None:
        """Forget what was laid aside."""
        raise TypeError(f"{type(self).__name__} does no staging")

    @abstractmethod
    def insert_sql(self, dialect: Dialect, table: Table, source: str, *, replace: bool) -> str:
        """An insert; ``source`` is a select, or ``"?"`` for one row of parameters."""

    @abstractmethod
    def adding_sql(self, dialect: Dialect, table: Table, source: str) -> str:
        """An insert as :meth:`add_up` does it."""

    def passes(self, error: BaseException) -> bool:
        """Whether it is an error of the driver by which the engine asks to do the same again."""
        return False


def columns_of(table: Table) -> list[str]:
    """The columns of a row, in order: all but the number that events get when they arrive."""
    return [column.name for column in table.columns if column.name != "seq"]


def unique_of(table: Table) -> list[str]:
    """The columns by which a row is known."""
    return ["id"] if "seq" in table.columns else [column.name for column in table.primary_key.columns]


def names_of(dialect: Dialect, names: Sequence[str]) -> str:
    """Column names, quoted where needed."""
    return ", ".join(map(dialect.identifier_preparer.quote, names))


def parameters_of(table: Table, mark: str) -> str:
    """The values of one row."""
    return f"VALUES ({', '.join([mark] * len(columns_of(table)))})"


def converted(dialect: Dialect, table: Table, columns: Columns) -> Iterator[Iterable[Any]]:
    """The columns, with the texts as the engine takes them."""
    for name, column in zip(columns_of(table), columns, strict=True):
        convert = _converter(dialect, table, name)
        yield column if convert is None else convert(column)


def _converter(dialect: Dialect, table: Table, name: str) -> Convert | None:
    of_type = getattr(table.columns[name].type, "to_engine", None)
    return None if of_type is None else of_type(dialect)


def seconds_of(busy_seconds: object) -> float:
    """How long to wait for another writer.

    Raises:
        InvalidValue: no number from 0.
    """
    if isinstance(busy_seconds, bool) or not isinstance(busy_seconds, int | float) or not 0 <= busy_seconds < 1e6:
        raise InvalidValue(f"busy_seconds must be a number of seconds from 0, not {busy_seconds!r:.80}")
    return busy_seconds


def whole_milliseconds(seconds: float) -> int:
    """At least one, which engines need, for 0 would mean for ever."""
    return max(1, math.ceil(seconds * 1000))


def check_address(url: URL, drivers: Sequence[str], options: frozenset[str] = frozenset()) -> None:
    """Refuse what would be passed over in silence.

    Raises:
        UnknownStore: another driver.
        UnknownOption: options behind ``?`` that are not among ``options``.
        InvalidValue: no database is named.
    """
    if url.drivername not in drivers:
        raise UnknownStore(f"there is no driver {url.drivername!r:.40} here", hint=f"use {drivers[0]}://")
    others = [name for name in url.query if name not in options]
    if others:
        known = f"it takes: {', '.join(sorted(options))}" if options else "it takes none"
        raise UnknownOption(
            f"the address of the store has options that it does not take: {', '.join(others)}", hint=known
        )
