"""How tables of an older version become those of this one: columns are added, and what follows from the rows is written into them.

Versions 1 and 2 knew neither keys nor what is consolidated. Their rows stay where they are; all of it happens in the transaction
that also writes the new version, so a database is never found half way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, inspect, select, text, tuple_

from msgtrack.events import Event
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.storage._consolidated import rebuild
from msgtrack.storage._operations import Operations
from msgtrack.storage._rows import READ_COLUMNS, SHELVES, EventReader, Term, derived_of_event
from msgtrack.storage._schema import Tables

__all__ = ["migrate"]

_BATCH_ROWS = 2000


def migrate(connection: Connection, tables: Tables, operations: Operations, version: int) -> None:
    """Bring the tables from a version to this one; those that are not there at all have been made already.

    Raises:
        StoreError: a row is not one that an older version wrote.
    """
    if version >= _FIRST_WITH_KEYS:
        return
    terms = set(connection.execute(select(tables.terms.c.key)).scalars())
    for kind in (Delivery, Message, TrackedLink):
        _derive_records(connection, tables, kind, terms)
    _derive_events(connection, tables, terms)
    for table in tables.metadata.tables.values():
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    rebuild(connection.execute, tables, operations)


_FIRST_WITH_KEYS = 3


def _add_columns(connection: Connection, table: Table) -> None:
    """The columns that the table lacks."""
    there = {column["name"] for column in inspect(connection).get_columns(table.name, schema=table.schema)}
    preparer = connection.dialect.identifier_preparer
    for column in (column for column in table.columns if column.name not in there):
        kept = "" if column.nullable else " DEFAULT 0 NOT NULL"
        connection.execute(
            text(
                f"ALTER TABLE {preparer.format_table(table)} ADD COLUMN {preparer.format_column(column)} "
                f"{column.type.compile(connection.dialect)}{kept}"
            )
        )


def _derive_records(connection: Connection, tables: Tables, kind: type, known: set[int]) -> None:
    shelf = SHELVES[kind]
    table = shelf.table(tables)
    _add_columns(connection, table)
    # Whether or not they were there: where changes of tables end transactions, an earlier attempt may have come no further.
    added = [column.name for column in table.columns if column.name not in (*shelf.fields, "body")]
    if not added:
        return
    keys = [*table.primary_key.columns]
    columns = [*(table.c[name] for name in shelf.fields), table.c.body]
    change = table.update().where(*(column == bindparam(f"key_{column.name}") for column in keys))
    change = change.values({name: bindparam(f"new_{name}") for name in added})
    names = [*table.c.keys()]
    for rows in _batches(connection, table, columns, keys):
        terms: list[Term] = []
        changes = []
        for row in rows:
            record: Any = shelf.record(row, kind)
            derived = dict(zip(names, shelf.row(record), strict=True))
            terms += shelf.terms(record)
            changes.append(
                {f"key_{column.name}": derived[column.name] for column in keys}
                | {f"new_{name}": derived[name] for name in added}
            )
        _keep_terms(connection, tables, known, terms)
        connection.execute(change, changes)


def _derive_events(connection: Connection, tables: Tables, known: set[int]) -> None:
    table = tables.events
    _add_columns(connection, table)
    columns = [*(table.c[name] for name in READ_COLUMNS), table.c.seq]
    change = table.update().where(table.c.seq == bindparam("key_seq"))
    change = change.values(agent_key=bindparam("new_agent_key"), left_out=bindparam("new_left_out"))
    reader = EventReader()
    for rows in _batches(connection, table, columns, [table.c.seq]):
        terms: list[Term] = []
        changes = []
        for *row, seq in rows:
            event: Event = reader.event(row)
            program, left_out = derived_of_event(event)
            if program is not None or left_out:
                terms += [program] if program is not None else []
                key = None if program is None else program[0]
                changes.append({"key_seq": seq, "new_agent_key": key, "new_left_out": left_out})
        _keep_terms(connection, tables, known, terms)
        if changes:
            connection.execute(change, changes)


def _batches(
    connection: Connection, table: Table, columns: list[Column[Any]], keys: list[Column[Any]]
) -> Iterator[list[Any]]:
    """All rows in the order of the key, so many at a time that changing them disturbs no open result."""
    places = [next(place for place, column in enumerate(columns) if column is key) for key in keys]
    statement = select(*columns).order_by(*keys).limit(_BATCH_ROWS)
    rows = [*connection.execute(statement)]
    while rows:
        yield rows
        last = [rows[-1][place] for place in places]
        behind = tuple_(*keys) > tuple_(*last) if len(keys) > 1 else keys[0] > last[0]
        rows = [*connection.execute(statement.where(behind))]


def _keep_terms(connection: Connection, tables: Tables, known: set[int], terms: Iterable[Term]) -> None:
    new = {key: body for key, body in terms if key not in known}
    if new:
        known.update(new)
        connection.execute(tables.terms.insert(), [{"key": key, "body": body} for key, body in new.items()])
