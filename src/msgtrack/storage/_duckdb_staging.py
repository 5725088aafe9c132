"""Rows on their way into the tables of a DuckDB store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import duckdb
from sqlalchemy import Table

__all__ = ["Staging", "staged_name"]


class Staging:
    """Rows that are laid down while the caller's iterable is read: the transaction comes after."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._connection, self._errors = connection, errors
        self.filled: dict[Table, None] = {}

    def add(self, table: Table, rows: list[tuple[Any, ...]]) -> None:
        """Lay down rows, each with its place in the call before it."""
        if not rows:
            return
        with self._errors():
            if table not in self.filled:
                # A call before may have failed, and its clearing up as well.
                self._connection.execute(f"TRUNCATE {staged_name(table)}")
            self.filled[table] = None
            with self._connection.appender(staged_name(table)) as appender:
                appender.append_rows(rows)

    @contextmanager
    def seen(self, name: str, rows: Any) -> Iterator[None]:
        """A table of Arrow that the engine reads where it lies."""
        with self._errors():
            self._connection.register(name, rows)
        try:
            yield
        finally:
            with suppress(duckdb.Error):
                self._connection.unregister(name)

    def clear(self) -> None:
        """Throw away what was laid down; what that fails for goes when its table is used next."""
        for table in self.filled:
            with suppress(duckdb.Error):
                self._connection.execute(f"TRUNCATE {staged_name(table)}")


def staged_name(table: Table) -> str:
    """What the table of rows on their way into a table is called."""
    return f"staged_{table.name}"
