"""The tables of a SQL store: made when they are not there, changed when they are of an older version, refused when they are not ours."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection, inspect, select

from msgtrack.errors import SchemaMismatch
from msgtrack.storage._connections import Connections, Passing
from msgtrack.storage._migrations import migrate
from msgtrack.storage._operations import operations_for
from msgtrack.storage._schema import SCHEMA_VERSION, Tables

__all__ = ["prepare"]


def prepare(database: Connections, tables: Tables) -> None:
    """Make the tables of a new database, or bring those of an older version to this one.

    Raises:
        SchemaMismatch: the tables are of a newer version, or are not ours.
        StoreError: the engine refused something.
    """
    database.first_steps()
    # Reading first: opening must not wait for a writer. Who is making the tables right now is waited for below.
    with suppress(Passing), database.reading() as connection:
        if _version(connection, database, tables) == SCHEMA_VERSION:
            return
    place = f"{tables.metadata.schema}.{tables.schema.name}"
    with (
        database.writing(None) as connection,
        database.errors(),
        database.kind.making(connection, place, database.busy_seconds),
    ):
        version = _version(connection, database, tables)
        if version < SCHEMA_VERSION:
            # What says the version comes first, and the version last: what was begun and not finished is gone on with.
            tables.schema.create(connection, checkfirst=True)
            tables.metadata.create_all(connection)
            if version:
                migrate(connection, tables, operations_for(connection.dialect.name), version)
            kept = tables.schema.update() if version else tables.schema.insert()
            connection.execute(kept.values(version=SCHEMA_VERSION))
            connection.commit()


def _version(connection: Connection, database: Connections, tables: Tables) -> int:
    """The version of the schema that is there; 0 for a new database."""
    with database.errors():
        there = {*inspect(connection).get_table_names(schema=tables.metadata.schema)}
        found = sorted(there & {table.name for table in tables.metadata.tables.values()})
        if not found:
            return 0
        if tables.schema.name not in found:
            raise SchemaMismatch(f"{database.name} has tables of our names that are not ours: {', '.join(found)}")
        versions = list(connection.execute(select(tables.schema.c.version)).scalars())
    if not versions and not database.kind.transactional_ddl:
        return 0
    if len(versions) != 1 or type(versions[0]) is not int or versions[0] < 1:
        raise SchemaMismatch(f"{database.name} does not say which version of the schema it has: {versions!r:.80}")
    if versions[0] > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"{database.name} has version {versions[0]} of the schema, this reads up to {SCHEMA_VERSION}",
            hint="upgrade msgtrack",
        )
    return versions[0]
