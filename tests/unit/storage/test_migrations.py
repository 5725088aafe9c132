"""Databases of released schemas are opened by this version. Those in ``tests/data/stores`` were written by the code of their time."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from msgtrack import facts as fact_values
from msgtrack import model as model_values
from msgtrack import open_store
from msgtrack.errors import StoreError
from msgtrack.events import Event
from msgtrack.facts import FACT_KEYS
from msgtrack.model import Delivery, Message
from msgtrack.protocols import Query
from msgtrack.records import from_dict
from msgtrack.storage import MemoryStore

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

STORES = Path(__file__).resolve().parents[2] / "data" / "stores"
QUERIES = [
    Query(),
    Query(audience="human", zone="Europe/Paris"),
    Query(delivery_ids=["spring", "Spring"], kinds=["click", "transaction"]),
    Query(recipient_id="r1", zone="Asia/Kathmandu"),
    Query(domains=["own\x00\ud800", "Gmail"]),
    Query(labels=["Shop"], except_delivery_ids=["push"]),
]


def world(version):
    """What the dump of a version holds, as values of today."""
    records, events = [], []
    for line in (STORES / "world.jsonl").read_text(encoding="utf-8").splitlines():
        what, name, written = json.loads(line)
        if what == "event":
            events.append(from_dict(written, Event))
        elif what == "record":
            record = from_dict(written, getattr(model_values, name))
            if version == 1 and isinstance(record, Message):
                record = evolve(record, size_bytes=None)
            records.append(record)
        elif version > 1:
            records.append(from_dict(written, getattr(fact_values, name)))
    return records, events


def restore(version, path):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((STORES / f"schema-{version}.sql").read_text(encoding="utf-8"))
        connection.commit()


def sql(path, text):
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(text).fetchall()
        connection.commit()
        return rows


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_database_of_an_older_version_says_what_it_said(version, tmp_path):
    path = tmp_path / "old.db"
    restore(version, path)
    records, events = world(version)
    expected = MemoryStore()
    expected.put(records)
    expected.ingest(events)
    for _ in range(2):
        with open_store(f"sqlite:///{path}") as store:
            for kind in (Delivery, Message, model_values.TrackedLink, *FACT_KEYS):
                assert [*store.find(kind)] == [*expected.find(kind)]
            assert [*store.scan()] == [*expected.scan()]
            for query in QUERIES:
                assert store.counts(query) == expected.counts(query)
                assert store.slots(query) == expected.slots(query)
    assert sql(path, "SELECT version FROM msgtrack_schema") == [(3,)]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_migrated_database_has_the_tables_of_a_new_one(version, tmp_path):
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    restore(version, old)
    records, events = world(version)
    with open_store(f"sqlite:///{old}"), open_store(f"sqlite:///{new}") as store:
        store.put(records)
        store.ingest(events)
    names = "SELECT name FROM sqlite_master WHERE name LIKE 'msgtrack%' AND type IN ('table', 'index') ORDER BY name"
    assert sql(old, names) == sql(new, names)
    for (table,) in sql(new, names.replace("('table', 'index')", "('table')")):
        columns = [row[1] for row in sql(new, f"PRAGMA table_info({table})")]
        said = ", ".join(columns)
        assert {row[1] for row in sql(old, f"PRAGMA table_info({table})")} == {*columns}
        assert sorted(sql(old, f"SELECT {said} FROM {table}"), key=repr) == sorted(
            sql(new, f"SELECT {said} FROM {table}"), key=repr
        )


def test_a_row_that_cannot_be_read_leaves_the_old_version_as_it_was(tmp_path):
    path = tmp_path / "old.db"
    restore(2, path)
    sql(path, "UPDATE msgtrack_messages SET body = '[]' WHERE id = 'm3'")
    before = sql(path, "SELECT sql FROM sqlite_master ORDER BY name")
    with pytest.raises(StoreError, match="messages holds no JSON object"):
        open_store(f"sqlite:///{path}")
    assert sql(path, "SELECT sql FROM sqlite_master ORDER BY name") == before
    assert sql(path, "SELECT version FROM msgtrack_schema") == [(2,)]
