"""What is the DuckDB store's own: its file, its one process, its handles, and its export to Parquet."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from attrs import evolve

from msgtrack import open_store
from msgtrack.errors import (
    InvalidValue,
    NotSupported,
    SchemaMismatch,
    StoreClosed,
    StoreError,
    UnknownOption,
    UnknownStore,
)
from msgtrack.events import Click, Open
from msgtrack.model import Client, Delivery, Message, TrackedLink
from msgtrack.protocols import Checkpoint, Ingested, Query, WorkflowRun

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")
duckdb = pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")

from msgtrack.storage import _duckdb_reading  # noqa: E402  # it needs both

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.duckdb"


def opened(path, **options):
    return open_store(f"duckdb:///{path}", **options)


def sql(path, text):
    with duckdb.connect(str(path)) as connection:
        return connection.execute(text).fetchall()


def clicks(count, first=0, **fields):
    return (
        Click(occurred_at=NOON + timedelta(seconds=n), delivery_id="1", message_id=str(n), **fields)
        for n in range(first, first + count)
    )


def some_of_everything():
    yield Delivery(id="1", label="é\0\ud800")
    yield Delivery(id="2")
    yield TrackedLink(delivery_id="1", id="9", url="https://a.example/", label="Home")
    yield WorkflowRun(id="w", started_at=NOON)
    for n in range(30):
        yield Message(delivery_id="1", id=str(n), recipient_id=f"r{n % 7}", address=f"{n}@gmail.com")


def a_few_events():
    chrome = Client(browser="Chrome", os="Android", is_mobile=True)
    yield from clicks(40, link_id="9", client=chrome, source_id="p1")
    yield Open(occurred_at=datetime(1, 1, 1, tzinfo=UTC), delivery_id="1", message_id="3", id="a\0b")
    yield Open(occurred_at=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), delivery_id="2'", id="Ab" * 16)
    yield Open(occurred_at=NOON + timedelta(days=40))


QUERIES = [
    Query(),
    Query(delivery_ids="1", audience="unsure", zone="Asia/Kathmandu"),
    Query(recipient_id="r1"),
    Query(labels="Home"),
    Query(domains="gmail", kinds="open"),
    Query(since=NOON, until=NOON + timedelta(days=1)),
    Query(since=NOON + timedelta(seconds=5)),
    Query(until=NOON),
    Query(limit=3, newest_first=True),
    Query(message_ids=[str(n) for n in range(3000)]),
]


def answers(store, query):
    return (
        list(store.deliveries(query)),
        list(store.messages(query)),
        list(store.links(query)),
        list(store.runs()),
        list(store.scan(query)),
        store.slots(query),
    )


def test_no_address_makes_the_engine_fetch_code(tmp_path, monkeypatch):
    """DuckDB reads other databases by extensions that it downloads, and goes elsewhere for a file with the name of a protocol."""
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("other.db")) as other:
        other.execute("CREATE TABLE t (a)")
    with pytest.raises(StoreError, match=r"other\.db cannot be opened") as refused:
        open_store("duckdb:///other.db")
    assert "download" not in str(refused.value)
    with open_store("duckdb:///md:store") as store:
        store.put([Delivery(id="1")])
    assert (tmp_path / "md:store").is_file()


def test_the_application_may_have_the_same_file_open(path):
    with opened(path) as store, duckdb.connect(str(path)) as own, opened(path) as other:
        store.put([Delivery(id="1")])
        assert own.execute("SELECT count(*) FROM msgtrack_deliveries").fetchall() == [(1,)]
        assert [delivery.id for delivery in other.deliveries()] == ["1"]
    with duckdb.connect(str(path)) as own, opened(path) as store:
        assert [delivery.id for delivery in store.deliveries()] == ["1"]


def test_many_threads_may_open_one_file_at_once(path):
    opened(path).close()

    def touched(_: int) -> int:
        with opened(path) as store:
            return len([*store.deliveries()])

    with ThreadPoolExecutor(8) as threads:
        assert {*threads.map(touched, range(40))} == {0}


def test_ids_are_kept_behind_a_mark_and_come_back_in_order(path):
    ids = ["ab" * 16, "AB" * 16, "aB" * 16, "ab" * 15, "0" * 31 + "g", "e1", "\x00" * 16, "\x01", "é", "\U0001f600"]
    with opened(path) as store:
        store.ingest(Open(id=id_, occurred_at=NOON) for id_ in ids)
        assert [event.id for event in store.scan()] == sorted(ids)
        assert store.ingest(Open(id=id_, occurred_at=NOON) for id_ in ids) == Ingested(known=len(ids))
    assert (b"\0" + bytes.fromhex(ids[0]),) in sql(path, "SELECT id FROM msgtrack_events")


def test_the_first_of_two_alike_ids_is_kept_within_a_call_and_between_calls(path):
    one, other = Open(id="e", occurred_at=NOON), Open(id="e", occurred_at=NOON + timedelta(days=1))
    with opened(path) as store:
        assert store.ingest([one, *clicks(25_000), other]) == Ingested(added=25_001, known=1)
        assert store.ingest([other]) == Ingested(known=1)
        assert [event for event in store.scan() if event.id == "e"] == [one]
    assert len({seq for (seq,) in sql(path, "SELECT seq FROM msgtrack_events")}) == 25_001


def test_another_process_is_told_who_holds_the_file(path):
    code = "import sys, msgtrack; msgtrack.open_store(sys.argv[1], busy_seconds=0.1)"
    with opened(path):
        told = subprocess.run(
            [sys.executable, "-c", code, f"duckdb:///{path}"], capture_output=True, text=True, timeout=60, check=False
        )
    assert told.returncode == 1
    assert "msgtrack.errors.StoreError: another process has the store" in told.stderr


def test_opening_waits_for_the_other_process(path):
    opened(path).close()
    code = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print(flush=True); time.sleep(0.5)"
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline()
        with opened(path, busy_seconds=60) as store:
            assert list(store.scan()) == []
    finally:
        holder.communicate(timeout=60)


@pytest.mark.parametrize("handles", [2, 8])
def test_handles_of_one_process_take_turns_and_nothing_is_lost(path, handles):
    added = []

    def write(first):
        with opened(path) as store:
            added.extend(store.ingest(clicks(100, first + 50 * batch)).added for batch in range(3))
            store.put([Delivery(id=f"{first:04}")])

    opened(path).close()
    firsts = range(0, 100 * handles, 100)
    writers = [Thread(target=write, args=(first,)) for first in firsts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with opened(path) as store:
        assert sum(added) == sum(1 for _ in store.scan()) == 100 * handles + 100
        assert [delivery.id for delivery in store.deliveries()] == [f"{first:04}" for first in firsts]
        kept = store.slots()["1"]["click"].values()
        assert sum(rows for by_slot in kept for rows in by_slot.values()) == 100 * handles + 100


def test_a_handle_that_waits_too_long_for_its_turn_gives_up_and_keeps_nothing(path):
    with opened(path) as one, opened(path, busy_seconds=0.05) as other:
        one.put([Delivery(id="1")])
        one._connection.execute("BEGIN TRANSACTION")
        one._turn()
        for write in (
            lambda: other.ingest(clicks(3), Checkpoint(source="web", position="1")),
            lambda: other.put([Delivery(id="2")]),
            lambda: other.revise(remove=[Delivery(id="1")]),
            other.rebuild,
        ):
            with pytest.raises(StoreError, match="Conflict"):
                write()
        one._connection.execute("ROLLBACK")
        assert (list(other.scan()), list(other.deliveries()), other.checkpoint("web")) == ([], [Delivery(id="1")], None)
        assert other.ingest(clicks(3)) == Ingested(added=3)


WRITER = """
import sys
import time
from datetime import UTC, datetime, timedelta
from msgtrack import open_store
from msgtrack.events import Click
from msgtrack.protocols import Checkpoint
store = open_store(sys.argv[1])
there = store.checkpoint("web")
batch = 0 if there is None else int(there.position) + 1
while True:
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=batch)
    events = [Click(occurred_at=at + timedelta(seconds=n), delivery_id="1") for n in range(300)]
    store.ingest(events, Checkpoint(source="web", position=str(batch)))
    print(batch, flush=True)
    batch += 1
"""


@pytest.mark.slow
def test_a_killed_writer_leaves_events_and_checkpoint_together(path):
    for kills in range(10):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, f"duckdb:///{path}"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert writer.stdout.readline()
            # Each time a little later into the next batch.
            time.sleep(0.004 * kills)
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            writer.stdout.close()
        with opened(path) as store:
            batches = int(store.checkpoint("web").position) + 1
            assert batches > kills
            assert sum(1 for _ in store.scan()) == 300 * batches
            kept = store.slots()["1"]["click"].values()
            assert sum(rows for by_slot in kept for rows in by_slot.values()) == 300 * batches


def test_an_iterable_that_breaks_leaves_nothing_for_the_next_call(path):
    def breaking(values):
        yield from values
        raise RuntimeError

    with opened(path) as store:
        with pytest.raises(RuntimeError):
            store.ingest(breaking(clicks(25_000)))
        with pytest.raises(RuntimeError):
            store.put(breaking([Delivery(id="1")] * 25_000))
        assert store.ingest(clicks(1)) == Ingested(added=1)
        store.put([Delivery(id="2")])
        assert [delivery.id for delivery in store.deliveries()] == ["2"]


@pytest.mark.parametrize("version", ["2", "999", "0"])
def test_another_version_of_the_schema_is_refused(path, version):
    opened(path).close()
    sql(path, f"UPDATE msgtrack_schema SET version = {version}")
    with pytest.raises(SchemaMismatch):
        opened(path)


def test_tables_of_our_names_that_are_not_ours_are_refused(path):
    sql(path, "CREATE TABLE msgtrack_events (id INTEGER)")
    with pytest.raises(SchemaMismatch, match="not ours: msgtrack_events"):
        opened(path)


def test_other_tables_of_the_file_stay(path):
    sql(path, "CREATE TABLE theirs AS SELECT 7 AS number")
    with opened(path) as store:
        store.ingest(clicks(1))
    assert sql(path, "SELECT number FROM theirs") == [(7,)]


def test_a_file_that_is_no_database_is_refused(path):
    path.write_bytes(b"hello world" * 1000)
    with pytest.raises(StoreError, match="cannot be opened"):
        opened(path)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("duckdb:", NotSupported),
        ("duckdb://", NotSupported),
        ("duckdb:///", NotSupported),
        ("duckdb:///:memory:", NotSupported),
        ("duckdb:file.duckdb", InvalidValue),
        ("duckdb://file.duckdb", InvalidValue),
        ("duckdb:///a\0b", InvalidValue),
        ("duckdb:///a.duckdb?threads=1", UnknownOption),
        ("duckdb:///no/such/folder/a.duckdb", StoreError),
        ("duckdb+engine:///a.duckdb", UnknownStore),
        ("duckdb+parquet:", InvalidValue),
        ("duckdb+parquet:no-such-folder", StoreError),
    ],
)
def test_addresses_that_name_no_store(url, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        open_store(url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wait", [-1, True, "1", None, float("nan")])
def test_waiting_is_a_number_of_seconds(path, wait):
    if wait is None:
        opened(path, busy_seconds=wait).close()
        return
    with pytest.raises(InvalidValue, match="busy_seconds"):
        opened(path, busy_seconds=wait)


@pytest.mark.parametrize("limit", ["", "much", "0MB", "-1GB", "1'GB", 5, "5"])
def test_memory_is_given_with_its_unit(path, limit):
    with pytest.raises(InvalidValue, match="memory_limit"):
        opened(path, memory_limit=limit)


@pytest.mark.parametrize("rows", [1, 7, 43, 44, 1000])
def test_parts_of_a_scan_hold_each_event_once_and_in_order(path, monkeypatch, rows):
    with opened(path) as store:
        store.put(some_of_everything())
        store.ingest([*a_few_events(), *(Open(occurred_at=NOON, message_id=str(n)) for n in range(20))])
        expected = {query: list(store.scan(query)) for query in [*QUERIES, Query(newest_first=True)]}
        assert len(expected[Query()]) == 63
        monkeypatch.setattr(_duckdb_reading, "_SORTED_ROWS", rows)
        for query, events in expected.items():
            assert list(store.scan(query)) == events


@pytest.mark.slow
def test_the_engine_keeps_to_its_memory_and_sorts_in_parts(path, monkeypatch):
    monkeypatch.setattr(_duckdb_reading, "_SORTED_ROWS", 5000)
    with opened(path, memory_limit="80MB") as store:
        assert store._run("SELECT current_setting('memory_limit')") == [("76.2 MiB",)]
        long = Client(user_agent="x" * 3000)
        store.ingest(evolve(click, client=evolve(long, browser=str(n))) for n, click in enumerate(clicks(30_000)))
        assert sum(1 for _ in store.scan()) == 30_000


def test_half_read_answers_within_a_snapshot_go_on(path):
    with opened(path) as store:
        store.put(some_of_everything())
        store.ingest(clicks(12_000))
        with store.snapshot():
            events, messages = store.scan(), store.messages()
            first = [next(events), next(messages)]
            store.ingest(clicks(10, first=50_000))
            assert sum(1 for _ in events) == 11_999
            assert [first[1], *messages] == list(store.messages())
            assert sum(1 for _ in store.scan()) == 12_000
        assert sum(1 for _ in store.scan()) == 12_010


def test_iterators_that_are_open_when_the_store_closes_say_so(path):
    store = opened(path)
    store.ingest(clicks(10))
    events = store.scan()
    next(events)
    store.close()
    with pytest.raises(StoreClosed):
        next(events)


def test_engine_slots_follow_the_events_after_a_rebuild(path):
    with opened(path) as store:
        store.ingest(a_few_events())
        kept = store.slots()
        store._run("DELETE FROM msgtrack_slots")
        assert store.slots() == {}
        store.rebuild()
        assert store.slots() == kept


def test_slots_are_the_same_with_numpy_and_without(path, monkeypatch):
    queries = [Query(), Query(delivery_ids="1"), Query(delivery_ids=()), Query(message_ids=["1", "2"]), Query(limit=1)]
    with opened(path) as store:
        store.ingest(a_few_events())
        # Without a delivery and without a link, and earlier than what is there.
        store.ingest([Click(occurred_at=at) for at in (NOON, NOON - timedelta(days=1))])
        with_numpy = [store.slots(query) for query in queries]
        monkeypatch.setattr(_duckdb_reading, "_NUMPY", None)
        assert [store.slots(query) for query in queries] == with_numpy
        assert [*with_numpy[0][""]["click"][""]] == [int((NOON - timedelta(days=days)).timestamp()) for days in (1, 0)]
    times = [number for links in with_numpy[0]["1"].values() for at in links.values() for number in [*at, *at.values()]]
    assert {*map(type, times)} == {int}


def test_a_folder_of_parquet_answers_as_the_store_does(path, tmp_path):
    folder = tmp_path / "it's [a] *.?"
    with opened(path) as store:
        store.put(some_of_everything())
        store.ingest(a_few_events(), Checkpoint(source="web", position="9"))
        store.to_parquet(folder)
        kinds = {part.name for part in (folder / "events").iterdir()}
        assert kinds == {"kind=click", "kind=open"}
        assert (folder / "events" / "kind=open" / "day=0001-01-01").is_dir()
        with open_store(f"duckdb+parquet:{folder}") as exported, open_store(f"duckdb+parquet:{folder}") as again:
            for query in QUERIES:
                assert answers(exported, query) == answers(store, query)
            for query in QUERIES[:3]:
                assert exported.counts(query) == store.counts(query)
            assert exported.checkpoint("web") == store.checkpoint("web")
            assert again.spans() == exported.spans() == store.spans()


def test_an_empty_store_is_exported_too(path, tmp_path):
    with opened(path) as store:
        store.to_parquet(tmp_path / "out")
    with open_store(f"duckdb+parquet:{tmp_path / 'out'}") as exported:
        assert (list(exported.scan(Query(since=NOON))), list(exported.deliveries())) == ([], [])


def test_a_store_of_parquet_is_only_read(path, tmp_path):
    with opened(path) as store:
        store.put([Delivery(id="1")])
        store.to_parquet(tmp_path / "out")
    exported = open_store(f"duckdb+parquet:{tmp_path / 'out'}")
    uses = (
        lambda: exported.put([Delivery(id="2")]),
        lambda: exported.ingest(clicks(1)),
        lambda: exported.revise(remove=[Delivery(id="1")]),
        lambda: exported.erase("r", now=NOON),
        lambda: exported.purge(NOON, now=NOON),
    )
    for use in uses:
        with pytest.raises(NotSupported):
            use()
    exported.close()
    for use in (*uses, lambda: list(exported.scan()), exported.counts):
        with pytest.raises(StoreClosed):
            use()


def test_an_export_never_writes_over_anything(path, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    with opened(path) as store:
        (there / "mine.txt").write_text("mine")
        with pytest.raises(StoreError, match="there already"):
            store.to_parquet(there)
        (there / "mine.txt").unlink()
        store.to_parquet(there)
        with pytest.raises(StoreError, match="no folder"):
            store.to_parquet(tmp_path / "none" / "out")
        assert sorted(part.name for part in tmp_path.iterdir()) == ["store.duckdb", "store.duckdb.wal", "there"]


def test_an_export_of_another_version_is_refused(path, tmp_path):
    with opened(path) as store:
        store._run("UPDATE msgtrack_schema SET version = 999")
        store.to_parquet(tmp_path / "out")
    with pytest.raises(SchemaMismatch, match="999"):
        open_store(f"duckdb+parquet:{tmp_path / 'out'}")


def test_parquet_takes_no_options(tmp_path):
    with pytest.raises(UnknownOption):
        open_store(f"duckdb+parquet:{tmp_path}", busy_seconds=1)


def test_a_full_disk_is_an_error_of_ours_and_the_store_goes_on(path):
    with opened(path) as store:
        store.ingest(clicks(10))
        store._connection.execute("SET max_temp_directory_size = '1MB'")
        store._connection.execute("SET memory_limit = '40MB'")
        with pytest.raises(StoreError):
            store.ingest(
                evolve(click, client=Client(user_agent=f"{number}" * 300))
                for number, click in enumerate(clicks(60_000))
            )
        store._connection.execute("SET memory_limit = '1GB'")
        assert store.ingest(clicks(11)) == Ingested(added=1, known=10)
