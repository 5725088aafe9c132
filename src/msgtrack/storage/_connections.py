"""The connections of a SQL store: to read one state of the database, to write in one transaction, and again when the engine asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import Executable

from msgtrack.errors import StoreError
from msgtrack.storage._engines import SqlEngine
from msgtrack.storage._schema import Tables

__all__ = ["Connections", "Passing"]

T = TypeVar("T")

_FETCH_ROWS = 1000
_ATTEMPTS = 6
_FIRST_PAUSE_SECONDS = 0.02


class Passing(StoreError):
    """The engine asks to do the same again: a deadlock, or writers that it could not put in an order."""


class _Stream:
    """A result that is fetched piece by piece."""

    def __init__(self, result: CursorResult[Any]) -> None:
        self._result = result
        self._ahead: list[Any] | None = None

    def fetch(self) -> Sequence[Any]:
        """The next rows, none at the end."""
        if self._ahead is None:
            return self._result.fetchmany(_FETCH_ROWS)
        rows, self._ahead = self._ahead, []
        return rows

    def read_ahead(self) -> None:
        """All the rest at once, so that the connection is free for another statement."""
        if self._ahead is None:
            self._ahead = [*self._result.fetchall()]


class Connections:
    """What a store does with its engine.

    Args:
        engine: where connections come from.
        kind: what is the engine's own.
        name: what the store is called in errors.
        busy_seconds: how long to wait for another writer.
        is_own: whether the engine was made for this store, and ends with it.
    """

    def __init__(self, engine: Engine, kind: SqlEngine, *, name: str, busy_seconds: float, is_own: bool) -> None:
        self.kind, self.name, self.busy_seconds = kind, name, busy_seconds
        self.dialect = engine.dialect
        self._engine, self._is_own = engine, is_own
        self._readers = engine.execution_options(**kind.reading)
        self._writers = engine.execution_options(**kind.writing)
        self._open: set[Connection] = set()
        self._results: set[CursorResult[Any]] = set()
        self._frozen: Connection | None = None
        self._stream: _Stream | None = None
        self._half_read = 0
        driver = engine.dialect.loaded_dbapi
        self._driver_error: type[Exception] = driver.Error if driver is not None else SQLAlchemyError

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Make the engine's errors our own.

        Raises:
            StoreError: with what the engine said.
        """
        try:
            yield
        except (SQLAlchemyError, self._driver_error) as error:
            said = getattr(error, "orig", None) or error
            raised = Passing if self.kind.passes(said) else StoreError
            raise raised(f"the store {self.name} failed: {said}", hint=self.kind.hint(said)) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database, that of its first statement."""
        with self.errors():
            connection = self._readers.connect()
        self._open.add(connection)
        try:
            with self.errors():
                self.kind.begin_reading(connection)
            yield connection
        finally:
            self._open.discard(connection)
            self._give_back(connection)

    def _give_back(self, connection: Connection) -> None:
        """Let the pool have a connection again; one that cannot even be given back is thrown away, and no more said of it."""
        try:
            connection.close()
        except (SQLAlchemyError, self._driver_error):
            # What was read or committed before stays true, and an error under way is the one to tell.
            with suppress(SQLAlchemyError, self._driver_error):
                connection.invalidate()
                connection.close()

    @property
    def is_frozen(self) -> bool:
        """Whether a snapshot lasts."""
        return self._frozen is not None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """While it lasts, all reading sees one state of the database."""
        with self.reading() as connection:
            self._frozen = connection
            try:
                yield
            finally:
                self._frozen = self._stream = None

    @contextmanager
    def _source(self) -> Iterator[Connection]:
        if self._frozen is None:
            with self.reading() as connection:
                yield connection
        else:
            if self._stream is not None:
                with self.errors():
                    self._stream.read_ahead()
            yield self._frozen

    def rows(self, statement: Executable, check_open: Callable[[], None]) -> Iterator[Any]:
        """The rows of a statement, one after the other; ``check_open`` is called before each."""
        with self._source() as connection:
            with self.errors():
                result = connection.execute(statement, execution_options={"stream_results": True})
            self._results.add(result)
            stream = _Stream(result)
            if self._frozen is not None and self.kind.one_result_at_a_time:
                self._stream = stream
            in_snapshot = int(connection is self._frozen)
            self._half_read += in_snapshot
            try:
                while True:
                    check_open()
                    with self.errors():
                        rows = stream.fetch()
                    if not rows:
                        return
                    for row in rows:
                        check_open()
                        yield row
            finally:
                self._half_read -= in_snapshot
                if self._stream is stream:
                    self._stream = None
                self._results.discard(result)
                result.close()

    def all(self, statement: Executable) -> list[Any]:
        """The rows of a statement, all at once; none of one that gives none."""
        with self._source() as connection, self.errors():
            result = connection.execute(statement)
            return [*result.all()] if result.returns_rows else []

    def may_lay_aside(self) -> bool:
        """Whether whoever reads within the snapshot can make temporary tables: SQLite drops none while a result is half-read."""
        if self._half_read > 0:
            return False
        with self._source() as connection, self.errors():
            return self.kind.may_lay_aside(connection)

    @contextmanager
    def writer(self) -> Iterator[Connection]:
        """A connection for writing that has not begun. Its engine's errors are not made our own; after any error it is thrown away."""
        with self.errors():
            connection = self._writers.connect()
        try:
            yield connection
        except BaseException:
            connection.invalidate()
            raise
        finally:
            self._give_back(connection)

    @contextmanager
    def writing(self, tables: Tables | None, connection: Connection | None = None) -> Iterator[Connection]:
        """A transaction that alone writes; ``connection`` is one to do it on."""
        if connection is None:
            with self.errors():
                connection = self._writers.connect()
            try:
                with self.writing(tables, connection):
                    yield connection
            finally:
                self._give_back(connection)
            return
        try:
            with self.errors():
                self.kind.begin_writing(connection, tables, self.busy_seconds)
            yield connection
            with self.errors():
                connection.commit()
        except BaseException:
            # Rolling back may fail as well, where the connection is gone; the first error is the one to tell.
            if not connection.invalidated and not connection.closed:
                try:
                    connection.rollback()
                except (SQLAlchemyError, self._driver_error):
                    connection.invalidate()
            raise

    def attempt(
        self, work: Callable[[Connection], T], tables: Tables | None, connection: Connection | None = None
    ) -> T:
        """What ``work`` returns, done in one transaction, and again for some times when the engine asks for that."""
        for pause in (_FIRST_PAUSE_SECONDS * 2**number for number in range(_ATTEMPTS - 1)):
            try:
                with self.writing(tables, connection) as open_connection:
                    return work(open_connection)
            except Passing:
                # Whoever was in the way goes on meanwhile.
                time.sleep(pause)
        with self.writing(tables, connection) as open_connection:
            return work(open_connection)

    def first_steps(self) -> None:
        """What the engine needs once, before any transaction."""
        with self.errors(), self._readers.connect() as connection:
            self.kind.first_steps(connection, self.busy_seconds)

    def close(self) -> None:
        """Let go of all connections."""
        # While their connections are there: SQLAlchemy logs every cursor that cannot be closed.
        for result in [*self._results]:
            with suppress(SQLAlchemyError, self._driver_error):
                result.close()
        self._results.clear()
        for connection in [*self._open]:
            self._give_back(connection)
        self._open.clear()
        if self._is_own:
            self._engine.dispose()
