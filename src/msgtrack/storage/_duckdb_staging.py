"""Rows on their way into the tables of a DuckDB store."""

# ruff: noqa: S608  # names of tables are our own; what comes from outside travels as parameters
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import duckdb
from sqlalchemy import Table

__all__ = ["Staging", "add_terms", "staged_name"]


class Staging:
    """Rows that are laid down while the caller's iterable is read: the transaction comes after. ``terms`` are those of events, few and
    mostly there already, so they wait here.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._connection, self._errors = connection, errors
        self.filled: dict[Table, None] = {}
        self.terms: dict[int, str] = {}

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


def add_terms(run: Callable[..., Sequence[Sequence[Any]]], table: Table, terms: Mapping[int, str]) -> None:
    """Insert the terms that are not there, by ``run``, which carries out a statement with its parameters."""
    known = run(f"SELECT key FROM {table.name} WHERE key IN (SELECT unnest($1))", [[*terms]]) if terms else ()
    if new := [*(terms.keys() - {key for (key,) in known})]:
        run(f"INSERT INTO {table.name} SELECT unnest($1), unnest($2)", [new, [terms[key] for key in new]])


def staged_name(table: Table) -> str:
    """What the table of rows on their way into a table is called."""
    return f"staged_{table.name}"
