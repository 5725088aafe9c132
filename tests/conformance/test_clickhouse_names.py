"""Names that were not meant kindly, and tables that are not ours, in ClickHouse's engine."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from msgtrack.errors import SchemaMismatch
from msgtrack.events import Click
from msgtrack.model import Delivery, Message
from msgtrack.protocols import Checkpoint, Query

sys.path.insert(0, str(Path(__file__).parent))
import chdb_process

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_numbers = itertools.count()


@pytest.fixture
def engine(engines):
    for package in ("sqlalchemy", "clickhouse_connect", "chdb"):
        if importlib.util.find_spec(package) is None:
            engines.lacks("ClickHouse", f"the package {package!r} is not installed")
    return chdb_process.engine()


@pytest.fixture
def database(engine):
    name = f"names_{next(_numbers)}"
    yield name
    engine.run(f"DROP DATABASE IF EXISTS {name} SYNC")


def url_of(engine, database):
    return f"chdb:///{engine.folder}?database={database}"


HOSTILE = ["x`; DROP DATABASE default; --", "\\'\" a.b/../", "é\u2028%s{x:String}\\"]


@pytest.mark.parametrize("prefix", HOSTILE)
def test_a_prefix_is_a_name_and_nothing_else(engine, database, prefix):
    with engine.open(url_of(engine, database), prefix=prefix) as store, engine.open(url_of(engine, database)) as plain:
        store.put([Delivery(id="1"), Message(delivery_id="1", id="7", recipient_id=prefix, address="a@b.example")])
        store.ingest(
            [Click(delivery_id="1", message_id="7", occurred_at=NOON)], Checkpoint(source=prefix, position="1")
        )
        assert store.checkpoint(prefix).position == "1"
        assert len(list(store.scan(Query(recipient_id=prefix)))) == 1
        counts = store.counts()
        store.rebuild(["1"])
        assert store.erase(prefix, now=NOON + timedelta(days=1)).status == "finished"
        assert store.counts() == counts
        assert list(store.export(prefix)) == []
        assert [*plain.deliveries(), *plain.scan(), *plain.audits()] == []
    found = engine.run(f"SELECT count() FROM system.tables WHERE database = '{database}'")
    assert found == [(2 * 15,)]


def test_a_database_is_a_name_and_nothing_else(engine):
    for name in ("names x", "names%60%3B--", "names%27"):
        with engine.open(url_of(engine, name)) as store:
            store.ingest([Click(delivery_id="1", message_id="7", occurred_at=NOON)])
            assert len(store.counts().deliveries) == 1
        with engine.open(url_of(engine, name)) as store:
            assert len(list(store.scan())) == 1


def test_a_newer_schema_is_refused(engine, database):
    engine.open(url_of(engine, database)).close()
    engine.open(url_of(engine, database)).close()
    engine.run(f"INSERT INTO {database}.msgtrack_schema VALUES (99)")
    with pytest.raises(SchemaMismatch, match="version 99 of the schema"):
        engine.open(url_of(engine, database))


def test_tables_of_others_are_refused(engine, database):
    engine.run(f"CREATE DATABASE {database}")
    engine.run(f"CREATE TABLE {database}.msgtrack_events (x Int64) ENGINE = MergeTree ORDER BY x")
    with pytest.raises(SchemaMismatch, match="not ours: msgtrack_events"):
        engine.open(url_of(engine, database))
    assert engine.run(f"SELECT name FROM system.tables WHERE database = '{database}'") == [("msgtrack_events",)]


def test_a_table_of_versions_that_is_not_ours_is_refused(engine, database):
    engine.run(f"CREATE DATABASE {database}")
    engine.run(f"CREATE TABLE {database}.msgtrack_schema (name String) ENGINE = MergeTree ORDER BY name")
    with pytest.raises(SchemaMismatch, match="does not say which version"):
        engine.open(url_of(engine, database))


def test_tables_that_were_not_all_made_are_completed(engine, database):
    engine.open(url_of(engine, database)).close()
    # As a process leaves them that is killed between the first table and the last.
    engine.run(f"DROP TABLE {database}.msgtrack_schema")
    engine.run(f"DROP TABLE {database}.msgtrack_slots")
    with engine.open(url_of(engine, database)) as store:
        store.ingest([Click(delivery_id="1", message_id="7", occurred_at=NOON)])
        assert list(store.slots()) == ["1"]
