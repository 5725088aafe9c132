"""How SQLite goes about the questions that must not grow with all that is there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from msgtrack import open_store
from msgtrack.events import Click
from msgtrack.model import Message
from msgtrack.protocols import Query

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=3)


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "s.db"
    with open_store(f"sqlite:///{path}") as store:
        for name in "ab":
            store.put(
                Message(delivery_id=name, id=str(n), recipient_id=f"r{n}", is_seed=n == 1 and name == "b")
                for n in range(50)
            )
            store.ingest(
                Click(occurred_at=NOON + timedelta(seconds=n), delivery_id=name, message_id=str(n % 50))
                for n in range(300)
            )
    return path


def plans(path, work):
    """What SQLite says of each statement that ``work`` makes a store run, by the statement."""
    said = {}
    with open_store(f"sqlite:///{path}") as store, closing(sqlite3.connect(path)) as beside:
        engine = store._database._engine
        from sqlalchemy import event

        @event.listens_for(engine, "before_cursor_execute")
        def look(_connection, _cursor, statement, parameters, *_):
            if statement.startswith(("SELECT", "WITH")) and "msgtrack_base" not in statement:
                rows = beside.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                said[statement] = [row[3] for row in rows]

        work(store)
    return said


PAGES = [
    Query(recipient_id="r7", limit=50),
    Query(recipient_id="r7", limit=50, after=(LATER, "x")),
    Query(recipient_id="r7", limit=50, after=(LATER, "x"), newest_first=True),
    Query(recipient_id="r7", since=NOON, until=LATER),
    Query(recipient_id="r7", delivery_ids="a", since=NOON, limit=50),
    Query(delivery_ids="a", message_ids=["7", "8"], since=NOON, until=LATER),
]


@pytest.mark.parametrize("query", PAGES)
def test_what_a_recipient_did_is_found_by_his_messages(place, query):
    [plan] = plans(place, lambda store: list(store.scan(query))).values()
    assert "msgtrack_events_message (delivery_id=? AND message_id=?)" in plan[0]


@pytest.mark.parametrize("query", [Query(), Query(delivery_ids="a"), Query(delivery_ids=["a", "b"])])
def test_slots_read_neither_messages_nor_events_but_those_of_seeds(place, query):
    found = plans(place, lambda store: store.slots(query))
    of_events = [plan for statement, plan in found.items() if "FROM msgtrack_events" in statement]
    for plan in of_events:
        assert "msgtrack_events_message (delivery_id=? AND message_id=?)" in plan[0]
    assert len(of_events) == ("b" in (query.delivery_ids or "b"))
    of_messages = [step for plan in found.values() for step in plan if "msgtrack_messages" in step]
    assert of_messages
    assert all("COVERING INDEX msgtrack_messages_seeds" in step for step in of_messages)


def test_deliveries_of_messages_are_sought_one_by_one(place):
    found = plans(place, lambda store: store.deliveries_of_messages())
    assert not any("SCAN" in step for plan in found.values() for step in plan)


@pytest.mark.parametrize(
    "query",
    [
        Query(limit=5),
        Query(limit=5, newest_first=True),
        Query(limit=5, after=(LATER, "x"), except_delivery_ids="c"),
        Query(limit=5, since=NOON, until=LATER, delivery_ids=["a", "b"], newest_first=True),
    ],
)
def test_a_page_of_all_events_reads_the_first_of_each_delivery(place, query):
    found = plans(place, lambda store: list(store.scan(query)))
    steps = [step for plan in found.values() for step in plan if "msgtrack_events" in step]
    assert steps
    assert [step for step in steps if not step.startswith("SEARCH")] == []
    with open_store(f"sqlite:///{place}") as store:
        rows = []
        kept = store._database.all
        store._database.all = lambda statement: rows.append(kept(statement)) or rows[-1]
        assert len(list(store.scan(query))) == 5
    # Two deliveries, and their ends.
    assert sum(map(len, rows)) <= 3 + 2 * 5
