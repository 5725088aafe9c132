"""The tables of a ClickHouse store: made where there are none, refused where they are not ours or of a newer version."""

# ruff: noqa: S608  # statements are put together here: of names that ``quoted`` wrote and values that ``literal`` wrote

from __future__ import annotations

from sqlalchemy import select

from msgtrack.errors import SchemaMismatch, StoreError
from msgtrack.storage._clickhouse_dialect import column_type, literal, quoted, table_text, text_of
from msgtrack.storage._clickhouse_link import Link
from msgtrack.storage._clickhouse_tables import Layout
from msgtrack.storage._schema import SCHEMA_VERSION

__all__ = ["prepare"]


def prepare(link: Link, layout: Layout) -> bool:
    """Make the tables of a new database, and say whether that was done.

    Raises:
        SchemaMismatch: its tables are of a newer version, or are not ours.
    """
    if _version(link, layout) == SCHEMA_VERSION:
        return False
    database = link.address.database
    if not link.rows(f"SELECT 1 FROM system.databases WHERE name = {literal(database)}"):
        link.run(f"CREATE DATABASE IF NOT EXISTS {quoted(database)}{layout.on_cluster}")
    for statement in layout.statements():
        link.run(statement)
    (version,) = layout.tables.schema.columns
    link.insert(table_text(layout.tables.schema), [version.name], [column_type(version)], [[SCHEMA_VERSION]])
    return True


def _version(link: Link, layout: Layout) -> int:
    """The version of the schema that is there; 0 for a new database."""
    shown = link.address.shown
    names = ", ".join(literal(table.name) for table in layout.kept)
    found = link.rows(
        f"SELECT name FROM system.tables WHERE database = {literal(link.address.database)} AND name IN ({names})"
    )
    there = {name for (name,) in found}
    schema = layout.tables.schema
    if schema.name not in there:
        # The table of the version comes last: without it, making them was broken off, or they are somebody else's.
        if there and not _are_ours(link, layout, there):
            raise SchemaMismatch(f"{shown} has tables of our names that are not ours: {', '.join(sorted(there))}")
        return 0
    try:
        versions = [version for (version,) in link.rows(text_of(select(schema.c.version)))]
    except StoreError:
        versions = []
    if not versions:
        # Another handle is just writing it, or was killed before it could.
        if _are_ours(link, layout, there):
            return 0
        raise SchemaMismatch(f"{shown} does not say which version of the schema it has")
    if max(versions) > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"{shown} has version {max(versions)} of the schema, this reads up to {SCHEMA_VERSION}",
            hint="upgrade msgtrack",
        )
    return SCHEMA_VERSION


def _are_ours(link: Link, layout: Layout, there: set[str]) -> bool:
    database = literal(link.address.database)
    for table in layout.kept:
        if table.name in there:
            found = link.rows(
                f"SELECT name FROM system.columns WHERE database = {database} AND table = {literal(table.name)}"
            )
            if {name for (name,) in found} != {column.name for column in table.columns}:
                return False
    return True
