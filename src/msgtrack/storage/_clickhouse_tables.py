"""The tables of the ClickHouse store: those of all stores by columns, laid out for this engine, and two of its own.

``replacing`` tables hold of rows with one key the last inserted; events, where the first one counts, have a ``rank`` that falls with time.
Readers see one row of a key whether the engine has merged the others away or not, because every session reads with ``final = 1``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen
from sqlalchemy import BigInteger, Column, MetaData, Table

from msgtrack.storage._clickhouse_dialect import Flag, Unsigned, column_type, literal, quoted, table_text
from msgtrack.storage._rows import EVENT_COLUMNS
from msgtrack.storage._schema import Tables, tables_of
from msgtrack.storage._types import EventId

__all__ = ["Layout", "layout_of"]

_LOCAL = "_local"
_ZSTD = "CODEC(ZSTD(3))"
_DELTA = "CODEC(DoubleDelta, ZSTD(1))"
# Those of a recipient lie in as many blocks as there are, so to read them in small blocks takes half the time, and no more room.
_EVENTS_SETTINGS = "allow_nullable_key = 1, index_granularity = 1024, min_compress_block_size = 8192"


@frozen(kw_only=True)
class Layout:
    """All tables of one store. ``incoming`` holds the events of an ingest until they are complete, and says until the slots are counted
    again which of them may be behind; ``ids`` says of every event id where its event lies.
    """

    tables: Tables
    events: Table
    incoming: Table
    ids: Table
    slots: Table
    agent_days: Table
    cluster: str = ""

    @property
    def kept(self) -> tuple[Table, ...]:
        """Every table, the one that holds the version last."""
        own = {table.name: table for table in (self.events, self.incoming, self.ids, self.slots, self.agent_days)}
        shared = [own.pop(table.name, table) for table in self.tables.metadata.tables.values()]
        last = self.tables.schema
        return (*(table for table in shared if table is not last), *own.values(), last)

    def on_disk(self, table: Table) -> str:
        """The name under which rows of a table lie, and where statements that change rows go."""
        return table_text(table, _LOCAL if self.cluster else "") + self.on_cluster

    @property
    def on_cluster(self) -> str:
        """What a statement that defines or deletes says, so that all of a cluster do it."""
        return f" ON CLUSTER {quoted(self.cluster)}" if self.cluster else ""

    def statements(self) -> Iterator[str]:
        """What makes the tables, each unless it is there."""
        for table in self.kept:
            yield from self._table(table)

    def _table(self, table: Table) -> Iterator[str]:
        columns = ", ".join(f"{quoted(column.name)} {column_type(column)}{_codec(column)}" for column in table.columns)
        kept = table_text(table, _LOCAL if self.cluster else "")
        made = f"CREATE TABLE IF NOT EXISTS {kept}{self.on_cluster} ({columns}{_indexes(table)})"
        yield f"{made} ENGINE = {self._engine(table)}"
        if self.cluster:
            # Rows of one key lie on one machine, or nobody would see that they are one.
            shard = f"cityHash64({', '.join(quoted(name) for name in _shard_by(table))})"
            parts = ", ".join([literal(self.cluster), literal(table.schema), literal(table.name + _LOCAL), shard])
            yield f"CREATE TABLE IF NOT EXISTS {table_text(table)}{self.on_cluster} AS {kept} ENGINE = Distributed({parts})"

    def _engine(self, table: Table) -> str:
        names = [column.name for column in table.primary_key.columns]
        versions: list[str] = []
        before = after = ""
        if table is self.events:
            # Rows of one delivery lie together in the order of time, also those of none.
            versions, names, after = ["rank"], ["delivery_id", "occurred_at", "id"], f" SETTINGS {_EVENTS_SETTINGS}"
        elif table is self.ids:
            versions = ["rank"]
        elif table in (self.slots, self.agent_days):
            versions = ["counted_at", "is_gone"]
        elif table is self.incoming:
            before = " PARTITION BY token"
        arguments = list(map(quoted, versions))
        if self.cluster:
            arguments = ["'/clickhouse/tables/{shard}/{database}/{table}'", "'{replica}'", *arguments]
        engine = f"{'Replicated' if self.cluster else ''}ReplacingMergeTree({', '.join(arguments)})"
        return f"{engine}{before} ORDER BY ({', '.join(map(quoted, names))}){after}"


def layout_of(*, database: str, prefix: str, cluster: str = "") -> Layout:
    """The tables of a store in a database, with names that begin with ``prefix``."""
    tables = tables_of(prefix, database)
    own = MetaData(schema=database)
    rows: Sequence[Column[Any]] = [tables.events.c[name] for name in EVENT_COLUMNS]
    rank = Column("rank", Unsigned, nullable=False)
    counted = (
        Column("batch", Unsigned, primary_key=True),
        Column("counted_at", Unsigned, nullable=False),
        Column("is_gone", Flag, nullable=False),
    )
    return Layout(
        tables=tables,
        events=Table(tables.events.name, own, *_copied(rows), _copied([rank])[0]),
        incoming=Table(
            f"{prefix}incoming",
            own,
            Column("token", Unsigned, primary_key=True),
            Column("ordinal", BigInteger, primary_key=True),
            *_copied(rows),
        ),
        ids=Table(
            f"{prefix}event_ids",
            own,
            Column("id", EventId, primary_key=True),
            *_copied([tables.events.c.delivery_id, tables.events.c.occurred_at]),
            _copied([rank])[0],
        ),
        slots=Table(tables.slots.name, own, *_copied(tables.slots.columns), *_copied(counted)),
        agent_days=Table(tables.agent_days.name, own, *_copied(tables.agent_days.columns), *_copied(counted)),
        cluster=cluster,
    )


def _copied(columns: Any) -> list[Column[Any]]:
    return [
        Column(column.name, column.type, primary_key=column.primary_key, nullable=column.nullable, autoincrement=False)
        for column in columns
    ]


def _codec(column: Column[Any]) -> str:
    if "token" in column.table.columns:
        # Soon gone again.
        return ""
    if column.name == "body":
        return f" {_ZSTD}"
    return f" {_DELTA}" if column.name in ("occurred_at", "slot") and isinstance(column.type, BigInteger) else ""


def _indexes(table: Table) -> str:
    wanted = {
        "message_id": "bloom_filter(0.01)",
        "recipient_id": "bloom_filter(0.01)",
        "occurred_at": "minmax",
        "rank": "minmax",
    }
    if "token" in table.columns:
        return ""
    return "".join(
        f", INDEX {quoted('by_' + column.name)} {quoted(column.name)} TYPE {wanted[column.name]} GRANULARITY 1"
        for column in table.columns
        if column.name in wanted
    )


def _shard_by(table: Table) -> list[str]:
    names = [column.name for column in table.primary_key.columns]
    if "token" in names:
        return ["token"]
    return ["id"] if "seq" in names or not names else names
