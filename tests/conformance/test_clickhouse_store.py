"""The store on ClickHouse keeps the contract, and agrees with the one in memory step by step.

On the engine itself, in a process of its own. ``MSGTRACK_TEST_CLICKHOUSE=clickhouse://user:password@host:8123`` has the same tests run on a
server, each in a database of its own.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import packages_distributions, version
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

from msgtrack import open_store
from msgtrack.events import Click
from msgtrack.model import Client, Message
from msgtrack.protocols import Query
from msgtrack.testing import StoreAgreement, StoreSuite

sys.path.insert(0, str(Path(__file__).parent))
import chdb_process

IS_FULL = bool(os.environ.get("MSGTRACK_TEST_FULL"))
SERVER = os.environ.get("MSGTRACK_TEST_CLICKHOUSE", "")
_numbers = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def _engine(engines):
    for package in ("sqlalchemy", "clickhouse_connect", *([] if SERVER else ["chdb"])):
        if importlib.util.find_spec(package) is None:
            engines.lacks("ClickHouse", f"the package {package!r} is not installed")
    engines.runs(
        "ClickHouse",
        urlsplit(SERVER).hostname if SERVER else f"the engine of chDB {version(packages_distributions()['chdb'][0])}",
    )


class Place:
    """A database of its own."""

    def __init__(self):
        self.database = f"test_{os.getpid()}_{next(_numbers)}"

    @property
    def url(self):
        return f"{SERVER.rstrip('/')}/{self.database}"

    def open(self, **options):
        if SERVER:
            return open_store(self.url, **options)
        engine = chdb_process.engine()
        return engine.open(f"chdb:///{engine.folder}?database={self.database}", **options)

    def run(self, statement):
        if not SERVER:
            return chdb_process.engine().run(statement)
        import clickhouse_connect

        parts = urlsplit(SERVER)
        with clickhouse_connect.get_client(
            host=parts.hostname, port=parts.port or 8123, username=parts.username, password=parts.password or ""
        ) as client:
            return [tuple(row) for row in client.query(statement).result_rows]

    def discard(self):
        # Or the engine keeps what was dropped for minutes, and does everything the slower for it.
        self.run(f"DROP DATABASE IF EXISTS {self.database} SYNC")


@pytest.fixture
def place():
    place = Place()
    yield place
    place.discard()


class TestClickHouseStore(StoreSuite):
    """Every clause."""

    # It takes fifty thousand at a time and keeps the first two of them; to the engine's own process they go by five hundred.
    events_at_once = 200_000 if SERVER else StoreSuite.events_at_once

    @pytest.fixture
    def store_factory(self, place):
        return partial(open_store, place.url) if SERVER else place.open


def test_a_handle_whose_tables_were_made_anew_writes_its_terms_again(place):
    """Texts are written once for their key, and what a handle wrote before may be gone."""
    click = Click(
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC), delivery_id="1", message_id="7", client=Client(browser="Firefox")
    )
    message = Message(delivery_id="1", id="7", status="sent", variant="v")
    with place.open() as store, place.open() as other:
        store.put([message])
        store.ingest([click])
        counts = store.counts()
        tables = [name for (name,) in place.run(f"SELECT name FROM system.tables WHERE database = '{place.database}'")]
        for name in tables:
            if not name.endswith("schema"):
                place.run(f"TRUNCATE TABLE {place.database}.{name}")
        store.put([message])
        store.ingest([click])
        assert store.counts() == other.counts() == counts


def test_a_recipient_is_shown_what_counts_now_of_his_messages_alone(place):
    """His events are sought by the moments of all versions of rows, of which one may have named his message once."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with place.open() as store:
        store.put(Message(delivery_id=name, id=number, recipient_id="ann") for name, number in ("a1", "b2"))
        store.put([Message(delivery_id="a", id="9", recipient_id="bob")])
        clicks = [
            Click(id=f"{name} {number}", occurred_at=noon, delivery_id=name, message_id=number)
            for name in "ab"
            for number in "123"
        ]
        store.ingest(clicks)
        store.revise(events=[Click(id="a 1", occurred_at=noon, delivery_id="a", message_id="9", link_id="l")])
        store.ingest([Click(id="a 1 again", occurred_at=noon, delivery_id="a", message_id="1")])
        for query, ids in (
            (Query(recipient_id="ann"), ["a 1 again", "b 2"]),
            (Query(recipient_id="ann", limit=1, newest_first=True), ["b 2"]),
            (Query(recipient_id="ann", delivery_ids="a", kinds="click"), ["a 1 again"]),
            (Query(recipient_id="bob"), ["a 1"]),
            (Query(recipient_id="cid"), []),
        ):
            assert [event.id for event in store.scan(query)] == ids


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_page_is_full_where_versions_that_do_not_count_lie_between(place, newest_first):
    """As a writer leaves them that died before it deleted them."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with place.open() as store:
        store.put(
            Message(delivery_id="a", id=number, recipient_id=name) for number, name in (("1", "ann"), ("2", "bob"))
        )
        clicks = [
            Click(
                id=f"{n:02}",
                occurred_at=noon + timedelta(minutes=n),
                delivery_id="a",
                message_id="2" if n % 10 else "1",
            )
            for n in range(40)
        ]
        store.ingest(clicks)
        events = f"{place.database}.msgtrack_events"
        theirs = f"(SELECT * FROM {events} WHERE message_id = '2')"
        place.run(f"INSERT INTO {events} SELECT * REPLACE ('1' AS message_id, rank - 1 AS rank) FROM {theirs}")
        ids = [click.id for click in clicks if click.message_id == "1"][:: -1 if newest_first else 1]
        for limit in (1, 3, 4, 50):
            page = [*store.scan(Query(recipient_id="ann", limit=limit, newest_first=newest_first))]
            assert [event.id for event in page] == ids[:limit]


def test_it_says_exactly_what_it_can(place, claims):
    with place.open() as store:
        assert store.capabilities == claims["ClickHouse" if SERVER else "ClickHouse in a folder"]


class ClickHouseAgreement(StoreAgreement):
    """A database of its own for every sequence of steps."""

    def place(self):
        self.database = Place()
        return self.database.open

    def discard(self):
        self.database.discard()


TestClickHouseAgreement = ClickHouseAgreement.TestCase
TestClickHouseAgreement.settings = settings(
    max_examples=10 if IS_FULL else 2,
    stateful_step_count=10 if IS_FULL else 6,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
