"""What is the SQLite store's own: its file, its schema, its connections, and what a killed writer leaves."""

from __future__ import annotations

import gc
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from msgtrack import open_store
from msgtrack.errors import SchemaMismatch, StoreClosed, StoreError
from msgtrack.events import Click, Open, Transaction
from msgtrack.model import Client, Delivery, Message, Verdict
from msgtrack.protocols import Checkpoint, Ingested, Query

sqlalchemy = pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from msgtrack.storage.sql import SqlStore  # noqa: E402  # after the check

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def opened(path, **options):
    return open_store(f"sqlite:///{path}", **options)


def sql(path, text):
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(text).fetchall()
        connection.commit()
        return rows
    finally:
        connection.close()


def clicks(count, **fields):
    return (
        Click(occurred_at=NOON + timedelta(seconds=n), delivery_id="1", message_id=str(n), **fields)
        for n in range(count)
    )


def test_our_own_ids_are_kept_as_bytes_and_all_others_as_text(path):
    ids = ["ab" * 16, "AB" * 16, "aB" * 16, "ab" * 15, "0" * 31 + "g", "ab " * 10 + "ab", "e1", "\x00" * 16]
    with opened(path) as store:
        store.ingest(Open(id=id_, occurred_at=NOON) for id_ in ids)
        assert [event.id for event in store.scan()] == sorted(ids)
    kept = {row[0] for row in sql(path, "SELECT id FROM msgtrack_events")}
    assert kept == {bytes.fromhex(ids[0]), *ids[1:]}


def test_the_database_is_in_wal_mode(path):
    opened(path).close()
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]


def test_only_columns_are_asked_and_bodies_hold_the_rest(path):
    event = Click(occurred_at=NOON, delivery_id="1", message_id="7", link_id="2", id="e1", request_id="r1")
    with opened(path) as store:
        store.ingest([event, Transaction(occurred_at=NOON, id="e2", amount="1.50", client=Client(os="iOS"))])
    rows = sql(
        path, "SELECT kind, occurred_at, delivery_id, audience, request_id, body FROM msgtrack_events ORDER BY seq"
    )
    microseconds = int(NOON.timestamp()) * 10**6
    assert rows[0] == ("click", microseconds, "1", "unsure", "r1", None)
    assert rows[1][-1] == '{"v":1,"client":{"os":"iOS"},"amount":"1.50"}'


def test_amounts_that_are_equal_keep_their_own_digits(path):
    amounts = ["1.5", "1.50", "1.5", "15E-1"]
    with opened(path) as store:
        store.ingest(Transaction(occurred_at=NOON, id=f"e{n}", amount=amount) for n, amount in enumerate(amounts))
        assert [str(event.amount) for event in store.scan()] == ["1.5", "1.50", "1.5", "1.5"]


def test_the_index_answers_one_delivery_in_order(path):
    opened(path).close()
    plan = sql(path, "EXPLAIN QUERY PLAN SELECT * FROM msgtrack_events WHERE delivery_id = '1' ORDER BY occurred_at")
    assert [row[3] for row in plan] == ["SEARCH msgtrack_events USING INDEX msgtrack_events_delivery (delivery_id=?)"]


@pytest.mark.parametrize("version", ["4", "999", "0", "NULL"])
def test_another_version_of_the_schema_is_refused(path, version):
    opened(path).close()
    if version == "NULL":
        sql(path, "DELETE FROM msgtrack_schema")
    else:
        sql(path, f"UPDATE msgtrack_schema SET version = {version}")
    before = path.read_bytes()
    with pytest.raises(SchemaMismatch, match="version"):
        opened(path)
    assert path.read_bytes() == before


def test_tables_of_our_names_that_are_not_ours_are_refused(path):
    sql(path, "CREATE TABLE msgtrack_events (x)")
    with pytest.raises(SchemaMismatch, match="not ours: msgtrack_events"):
        opened(path)


def test_other_tables_of_a_shared_database_stay(path):
    sql(path, "CREATE TABLE events (x)")
    with opened(path) as store:
        store.ingest(clicks(3))
    assert sql(path, "SELECT * FROM events") == []


def test_a_file_that_is_no_database_is_refused(path):
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(StoreError, match="not a database"):
        opened(path)


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE msgtrack_deliveries SET body = 'x'",
        "UPDATE msgtrack_deliveries SET body = '[]'",
        "UPDATE msgtrack_deliveries SET body = '{\"colour\":1}'",
    ],
)
def test_a_row_that_is_not_ours_is_an_error_of_ours(path, spoil):
    with opened(path) as store:
        store.put([Delivery(id="1")])
        sql(path, spoil)
        with pytest.raises(StoreError, match="a row of deliveries"):
            list(store.deliveries())


def test_a_row_of_a_newer_version_is_refused_as_such(path):
    with opened(path) as store:
        store.ingest([Click(occurred_at=NOON, client=Client(os="iOS"))])
        sql(path, "UPDATE msgtrack_events SET body = '{\"v\":2}'")
        with pytest.raises(SchemaMismatch, match="schema version 2"):
            list(store.scan())


def test_a_writer_that_waits_too_long_gives_up(path):
    with opened(path) as store, opened(path, busy_seconds=0.05) as other:

        def slow():
            yield from clicks(6000)
            with pytest.raises(StoreError, match="database is locked"):
                other.put([Delivery(id="1")])

        store.ingest(slow())
        other.put([Delivery(id="2")])
        assert list(store.deliveries()) == [Delivery(id="2")]


def test_opening_does_not_wait_for_a_writer(path):
    with opened(path) as store:

        def slow():
            yield from clicks(6000)
            with opened(path, busy_seconds=0) as other:
                assert list(other.scan()) == []

        assert store.ingest(slow()).added == 6000


def test_counts_see_one_state_of_the_database(path, monkeypatch):
    with opened(path) as store, opened(path) as other:
        store.put([Delivery(id="1"), Message(delivery_id="1", id="7", status="sent")])
        deliveries = store.deliveries

        def deliveries_and_a_write(query):
            yield from deliveries(query)
            other.ingest([Click(occurred_at=NOON, delivery_id="1", message_id="7")])

        monkeypatch.setattr(store, "deliveries", deliveries_and_a_write)
        assert store.counts().deliveries["1"].domains["Others"].reactions == {}
        monkeypatch.undo()
        assert store.counts().deliveries["1"].domains["Others"].reactions == {"click": 1}


def test_iterators_that_are_open_when_the_store_closes_say_so(path):
    store = opened(path)
    store.ingest(clicks(3))
    events = store.scan()
    next(events)
    store.close()
    with pytest.raises(StoreClosed):
        next(events)


def test_closing_a_store_that_is_read_is_nothing_to_log(path, caplog):
    store = opened(path)
    store.ingest(Click(occurred_at=NOON, delivery_id="1", id=f"e{n}") for n in range(3000))
    store.put(Delivery(id=str(n)) for n in range(3000))
    half_read = [store.scan(), store.scan(), store.deliveries()]
    for iterator in half_read:
        next(iterator)
    with caplog.at_level("DEBUG", logger="sqlalchemy.pool"):
        store.close()
        for iterator in half_read:
            with pytest.raises(StoreClosed):
                next(iterator)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_half_read_iterators_leave_nothing_open(path):
    store = opened(path)
    store.ingest(clicks(10))
    for _ in range(40):
        next(store.scan())
    gc.collect()
    kept = [store.scan() for _ in range(40)]
    for events in kept:
        next(events)
    store.close()
    del kept, events
    gc.collect()
    if sys.platform == "linux":
        names = [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.exists()]
        assert [name for name in names if str(path) in name] == []


def test_memory_does_not_grow_with_what_streams_through(path):
    def peak(count):
        with opened(path.with_name(f"{count}.db")) as store:
            store.ingest(clicks(1))
            tracemalloc.start()
            try:
                store.ingest(evolve(event, id=f"e{n}") for n, event in enumerate(clicks(count)))
                for _ in store.scan(Query(delivery_ids="1")):
                    pass
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    assert peak(20_000) < 2 * peak(6_000)


def test_a_pure_repetition_writes_nothing_new(path):
    with opened(path) as store:
        events = list(clicks(2500, verdict=Verdict(audience="human")))
        assert store.ingest(events) == Ingested(added=2500)
        assert store.ingest(reversed(events)) == Ingested(known=2500)
    assert sql(path, "SELECT count(*) FROM msgtrack_events") == [(2500,)]


WRITER = """
import sys, time
from datetime import UTC, datetime, timedelta
from msgtrack import open_store
from msgtrack.events import Click
from msgtrack.protocols import Checkpoint

store = open_store(sys.argv[1])
def events(batch):
    for n in range(1500):
        yield Click(occurred_at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=batch * 1500 + n), delivery_id="1")
        if n == 1200:
            print(batch, flush=True)
            time.sleep(0.02)
for batch in range(1000):
    store.ingest(events(batch), Checkpoint(source="web", position=str(batch)))
"""


def test_a_killed_writer_leaves_events_and_checkpoint_together(path):
    url = f"sqlite:///{path}"
    for kills in (1, 2, 3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True)
        try:
            for _ in range(kills):
                assert writer.stdout.readline()
        finally:
            # In the middle of a batch: some rows of it are written, the transaction is open.
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            writer.stdout.close()
        with open_store(url) as store:
            checkpoint = store.checkpoint("web")
            batches = 0 if checkpoint is None else int(checkpoint.position) + 1
            assert sum(1 for _ in store.scan()) >= batches * 1500
            assert sum(1 for _ in store.scan()) % 1500 == 0
            assert store.ingest([], Checkpoint(source="web", position="-1")) == Ingested()


def test_several_processes_write_at_once_and_nothing_is_lost(path):
    code = (
        "import sys; from datetime import UTC, datetime, timedelta; from msgtrack import open_store; from msgtrack.events import Click\n"
        "at = datetime(2026, 3, 1, tzinfo=UTC); first = int(sys.argv[2])\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    print(sum(store.ingest(Click(occurred_at=at + timedelta(seconds=first + 50 * batch + n)) for n in range(100)).added\n"
        "              for batch in range(10)))\n"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{path}"]
    writers = [subprocess.Popen([*command, str(first)], stdout=subprocess.PIPE, text=True) for first in (0, 200, 400)]
    added = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    with opened(path) as store:
        assert sum(added) == sum(1 for _ in store.scan()) == 950


def test_nothing_of_an_erased_recipient_is_left_in_the_file(tmp_path):
    place = tmp_path / "s.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{place}")

    @sqlalchemy.event.listens_for(engine, "connect")
    def forget_carelessly(connection, _):
        connection.execute("PRAGMA secure_delete=OFF")

    at = datetime(2026, 3, 1, tzinfo=UTC)
    words = (b"ann-7", b"ann@shop.example", b"browser-of-ann", b"agent-of-ann", b"request-of-ann")
    with SqlStore(engine=engine) as store:
        store.put(
            Message(delivery_id="spring", id=str(n), recipient_id="ann-7", address="ann@shop.example")
            for n in range(200)
        )
        store.ingest(
            Click(
                occurred_at=at,
                delivery_id="spring",
                message_id=str(n),
                source_id="browser-of-ann",
                client="agent-of-ann",
                request_id="request-of-ann",
            )
            for n in range(200)
        )
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        assert all(word in place.read_bytes() for word in words)
        store.erase("ann-7", now=at, anonymise=False)
    engine.dispose()
    assert [file.name for file in tmp_path.iterdir()] == ["s.db"]
    assert not [word for word in words if word in place.read_bytes()]
