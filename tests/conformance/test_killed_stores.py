"""What is left when a writer, or the server itself, is killed in the middle: events and checkpoint together, none of them twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from msgtrack import open_store
from msgtrack.errors import StoreError
from msgtrack.protocols import Checkpoint, Ingested

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

FULL = bool(os.environ.get("MSGTRACK_TEST_FULL"))
KILLS = 10 if FULL else 2
BATCH = 1500

WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from msgtrack import open_store
from msgtrack.events import Click
from msgtrack.protocols import Checkpoint

START = datetime(2026, 3, 1, tzinfo=UTC)
SIZE = int(sys.argv[2])

def clicks(batch):
    for n in range(batch * SIZE, (batch + 1) * SIZE):
        yield Click(id=f"e{n}", occurred_at=START + timedelta(seconds=n), delivery_id="1", message_id=str(n % 97))

with open_store(sys.argv[1]) as store:
    last = store.checkpoint("web")
    for batch in range(0 if last is None else int(last.position) + 1, 10**6):
        print(batch, flush=True)
        store.ingest(clicks(batch), Checkpoint(source="web", position=str(batch)))
"""


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request, tmp_path):
    """An empty database of each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
    else:
        with request.getfixturevalue(request.param).place() as address:
            yield address


def begun(url, size=BATCH):
    """A process that ingests one batch after the other, and tells which one it begins."""
    return subprocess.Popen([sys.executable, "-c", WRITER, url, str(size)], stdout=subprocess.PIPE, text=True)


def ended(writer):
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()


def consistent(store, size=BATCH):
    """How many batches are there: whole ones, as many as the checkpoint says, and the slots with them."""
    last = store.checkpoint("web")
    batches = 0 if last is None else int(last.position) + 1
    ids = [event.id for event in store.scan()]
    assert len(ids) == len({*ids}) == batches * size
    slots = store.slots()
    assert sum(
        sum(times.values()) for kinds in slots.values() for links in kinds.values() for times in links.values()
    ) == len(ids)
    return batches


@pytest.mark.slow
def test_a_writer_that_is_killed_leaves_whole_batches(url, record_property):
    pause = random.Random(7)
    seen = 0
    for _ in range(KILLS):
        writer = begun(url)
        try:
            for _ in range(2):
                assert writer.stdout.readline()
            time.sleep(pause.uniform(0, 0.1))
        finally:
            ended(writer)
        with closing(open_store(url)) as store:
            batches = consistent(store)
            assert batches > seen
            seen = batches
    with closing(open_store(url)) as store:
        assert store.ingest([], Checkpoint(source="web", position=str(seen))) == Ingested()
    record_property("kills", KILLS)
    record_property("events", seen * BATCH)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["postgres", "mariadb"])
def test_a_server_that_is_killed_keeps_what_it_said_it_kept(name, request, record_property):
    server = request.getfixturevalue(name)
    if not hasattr(server, "kill"):
        pytest.skip("the server is not ours to kill")
    pause = random.Random(7)
    seen = 0
    with server.place() as url, closing(open_store(url)) as store:
        for _ in range(KILLS):
            writer = begun(url)
            try:
                for _ in range(2):
                    assert writer.stdout.readline()
                time.sleep(pause.uniform(0, 0.1))
                server.kill()
                said = [int(line) for line in writer.stdout]
                assert writer.wait(timeout=60) != 0
            finally:
                ended(writer)
                server.start()
            # The handle was open all the while; it goes on with a new connection.
            batches = consistent(store)
            # Whoever begins a batch was told that the one before is kept.
            assert batches >= max(said, default=seen)
            assert batches > seen
            seen = batches
        assert store.ingest([], Checkpoint(source="web", position=str(seen))) == Ingested()
    record_property("kills", KILLS)
    record_property("events", seen * BATCH)


def test_a_disk_that_is_full_keeps_what_was_there(tmp_path):
    """SQLite is told to use no more pages, as a full disk would."""
    from sqlalchemy import create_engine, event

    from msgtrack.storage.sql import SqlStore

    engine = create_engine(f"sqlite:///{tmp_path / 'store.db'}")
    limited = []

    @event.listens_for(engine, "connect")
    def limit(connection, _):
        if limited:
            connection.execute("PRAGMA max_page_count = 1")

    from datetime import UTC, datetime, timedelta

    from msgtrack.events import Click

    def clicks(count):
        return (Click(occurred_at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=n)) for n in range(count))

    with SqlStore(engine=engine) as store:
        store.ingest(clicks(100), Checkpoint(source="web", position="1"))
        engine.dispose()
        limited.append(True)
        with pytest.raises(StoreError, match="full"):
            store.ingest(clicks(20_000), Checkpoint(source="web", position="2"))
        assert store.checkpoint("web") == Checkpoint(source="web", position="1")
        assert len(list(store.scan())) == 100
        engine.dispose()
        limited.clear()
        assert store.ingest(clicks(20_000), Checkpoint(source="web", position="2")) == Ingested(added=19_900, known=100)
    engine.dispose()
