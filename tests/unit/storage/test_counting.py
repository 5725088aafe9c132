"""Counts by an engine, held against the fold of the same facts; SQLite is the engine, tables and statements are those of all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msgtrack.facts import Fact
from msgtrack.protocols import Query
from msgtrack.storage import MemoryStore
from msgtrack.testing import strategies as values

sqlalchemy = pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from msgtrack.storage import _consolidated  # noqa: E402  # after the check
from msgtrack.storage._counting import counts_of, slots_of  # noqa: E402
from msgtrack.storage._operations import operations_for  # noqa: E402
from msgtrack.storage._rows import EVENT_COLUMNS, SHELVES, EventWriter  # noqa: E402
from msgtrack.storage._schema import tables_of  # noqa: E402
from msgtrack.storage.base import kept_ids  # noqa: E402

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Engine:
    """A database in memory that keeps the rows of a store in memory; records are read of that store."""

    def __init__(self):
        self.store = MemoryStore()
        self.tables = tables_of("t_")
        self.connection = sqlalchemy.create_engine("sqlite://").connect()
        self.tables.metadata.create_all(self.connection)
        self.operations = operations_for("sqlite")

    def close(self):
        self.connection.close()
        self.store.close()

    def execute(self, statement):
        return self.connection.execute(statement)

    def put(self, records):
        for record in records:
            self.store.put([record])
            if not isinstance(record, Fact):
                shelf = SHELVES[type(record)]
                self._insert(self.tables.terms, shelf.terms(record), "OR IGNORE")
                self._insert(shelf.table(self.tables), [shelf.row(record)], "OR REPLACE")

    def ingest(self, events):
        events = [*events]
        self.store.ingest(events)
        last = sqlalchemy.select(sqlalchemy.func.coalesce(sqlalchemy.func.max(self.tables.events.c.seq), 0))
        before = self.execute(last).scalar_one()
        writer = EventWriter()
        rows = [writer.row(*kept) for kept in kept_ids(events)]
        self._insert(self.tables.terms, writer.terms(), "OR IGNORE")
        self._insert(self.tables.events, rows, "OR IGNORE", EVENT_COLUMNS)
        _consolidated.note(self.execute, self.tables, self.operations, after=before)

    def _insert(self, table, rows, how, columns=None):
        names = [*(columns or table.c.keys())]
        for row in rows:
            statement = table.insert().prefix_with(how, dialect="sqlite")
            self.connection.execute(statement, dict(zip(names, row, strict=True)))

    def ask(self, statement):
        return self.connection.execute(statement).fetchall()

    def counts(self, query, *, lays_aside=True):
        execute = self.execute if lays_aside else None
        return counts_of(self.store, self.ask, query, self.tables, self.operations, execute=execute)

    def slots(self, query):
        return slots_of(self.store, self.ask, query, self.tables, self.operations)


@pytest.fixture
def engine():
    made = Engine()
    yield made
    made.close()


def agree(engine, query=None):
    query = query or Query()
    if query.is_paged:
        assert engine.counts(query) is None
        assert engine.slots(query) is None
        return
    expected = engine.store.live_counts(query)
    assert engine.counts(query) == expected
    assert engine.counts(query, lays_aside=False) == expected
    assert engine.slots(query) == engine.store.live_slots(query)


@st.composite
def questions(draw):
    world = draw(values.worlds())
    queries = draw(st.lists(values.queries(world), min_size=1, max_size=2))
    return world, queries


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(asked=questions(), parts=st.integers(1, 3))
def test_the_engine_counts_what_the_fold_counts(asked, parts):
    world, queries = asked
    engine = Engine()
    try:
        for part in range(parts):
            engine.ingest(world.events[part::parts])
            engine.put(world.records[part::parts])
        for query in queries:
            agree(engine, query)
        agree(engine, Query(audience=queries[0].audience, zone=queries[0].zone))
    finally:
        engine.close()
