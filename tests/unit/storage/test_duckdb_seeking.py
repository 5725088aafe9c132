"""A recipient's events in a file of DuckDB are sought by keys of their messages, and shown by the ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from msgtrack import open_store
from msgtrack.events import Click
from msgtrack.model import Message
from msgtrack.protocols import Query

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")
pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")

from msgtrack.storage import _duckdb_seeking
from msgtrack.storage._conditions import MAX_IN
from msgtrack.storage._duckdb import compiled
from msgtrack.storage._duckdb_seeking import sought

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALIKE = ("4514", "47529")
"""Two ids whose messages have one key."""

BY_ROW = "msgtrack_events.rowid IN (SELECT unnest("
BY_KEY = "message_key IN ("


def said(query, found=(), rows=((7,), (9,))):
    """What the engine is asked: for messages and for rows where it is, and the statement behind it."""
    asked = []

    def ask(statement):
        asked.append(statement)
        return rows if "rowid" in str(statement) else found

    asked.append(sought(ask, query))
    return [" ".join(compiled(statement)[0].split()) for statement in asked]


@pytest.fixture
def store(tmp_path):
    with open_store(f"duckdb:///{tmp_path / 'store.duckdb'}") as store:
        store.put(Message(delivery_id="a", id=number, recipient_id="ann") for number in (ALIKE[0], "1"))
        store.put([Message(delivery_id="a", id=ALIKE[1], recipient_id="bob")])
        store.ingest(
            Click(id=f"{name} {number} {n}", occurred_at=NOON + timedelta(hours=n), delivery_id=name, message_id=number)
            for name in "ab"
            for number in (*ALIKE, "1", "2")
            for n in range(2)
        )
        yield store


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (Query(recipient_id="ann"), ["a 1 0", "a 4514 0", "a 1 1", "a 4514 1"]),
        (Query(recipient_id="ann", limit=1, newest_first=True), ["a 4514 1"]),
        (Query(recipient_id="ann", message_ids=[ALIKE[0], ALIKE[1]]), ["a 4514 0", "a 4514 1"]),
        (Query(recipient_id="ann", message_ids=["2"]), []),
        (Query(recipient_id="ann", message_ids=[ALIKE[0], *(f"-{n}" for n in range(MAX_IN))], limit=1), ["a 4514 0"]),
        (Query(recipient_id="bob"), ["a 47529 0", "a 47529 1"]),
        (Query(recipient_id="bob", delivery_ids="b"), []),
        (Query(recipient_id="cid"), []),
        (Query(message_ids=[ALIKE[1]], since=NOON + timedelta(hours=1)), ["a 47529 1", "b 47529 1"]),
        (Query(message_ids=["1", "2"], delivery_ids="b", limit=3), ["b 1 0", "b 2 0", "b 1 1"]),
        (Query(message_ids=[]), []),
    ],
)
def test_of_two_messages_with_one_key_each_has_its_own_events(store, query, ids):
    ((first,), (second,)) = (
        store._run("SELECT DISTINCT message_key FROM msgtrack_events WHERE message_id = $1", [number])
        for number in ALIKE
    )
    assert first == second
    assert [event.id for event in store.scan(query)] == ids


def test_a_recipient_is_asked_for_by_his_messages_these_by_their_keys_and_those_by_their_rows():
    named, keyed, rows = said(Query(recipient_id="ann", limit=50), [("a", "1"), ("a", "2")])
    assert named.startswith("SELECT msgtrack_messages.delivery_id, msgtrack_messages.id FROM msgtrack_messages WHERE")
    assert "recipient_key = " in named
    assert keyed.startswith("SELECT rowid FROM msgtrack_events WHERE " + BY_KEY)
    assert BY_ROW in rows
    assert BY_KEY not in rows
    assert "msgtrack_messages" not in rows


@pytest.mark.parametrize("query", [Query(message_ids=["7"]), Query(message_ids=["7"], delivery_ids="a", limit=50)])
def test_a_message_is_asked_for_by_its_rows_and_nothing_that_all_would_be_unpacked_for(query):
    _, rows = said(query)
    assert BY_ROW in rows
    assert "message_id IN (SELECT unnest(" in rows
    assert "message_id IN ($" not in rows


@pytest.mark.parametrize("query", [Query(recipient_id="ann"), Query(message_ids=["1"])])
def test_of_who_has_many_events_no_rows_are_remembered(query):
    *_, keyed, rows = said(query, [("a", "1")], [(n,) for n in range(_duckdb_seeking._MOST_ROWS + 1)])
    assert "LIMIT" in keyed
    assert BY_KEY in rows
    assert "rowid" not in rows


def test_who_has_many_events_is_answered_as_the_others(store, monkeypatch):
    monkeypatch.setattr(_duckdb_seeking, "_MOST_ROWS", 3)
    assert [event.id for event in store.scan(Query(recipient_id="ann"))] == ["a 1 0", "a 4514 0", "a 1 1", "a 4514 1"]
    assert [event.id for event in store.scan(Query(message_ids=["1"], delivery_ids="b"))] == ["b 1 0", "b 1 1"]


def test_messages_are_those_of_the_deliveries_asked_for():
    named, *_ = said(Query(recipient_id="ann", delivery_ids="a"), [("a", "1")])
    assert "msgtrack_messages.delivery_id IN (" in named


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(recipient_id="ann"), [("a", str(n)) for n in range(MAX_IN + 1)]),
        (Query(recipient_id="ann", domains=["Gmail"]), []),
        (Query(message_ids=[str(n) for n in range(MAX_IN + 1)]), []),
        (Query(delivery_ids="a"), []),
    ],
)
def test_of_too_many_and_of_others_the_engine_looks_through_all(query, found):
    assert "rowid" not in " ".join(said(query, found))
