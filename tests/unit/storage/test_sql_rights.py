"""Which rights a store needs of a database server, and what it says where one is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from msgtrack import open_store
from msgtrack.errors import StoreError
from msgtrack.events import Click
from msgtrack.model import Delivery, Message
from msgtrack.protocols import Query

sqlalchemy = pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from sqlalchemy import NullPool, create_engine, make_url, text  # noqa: E402

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLES = "GRANT {} ON ALL TABLES IN SCHEMA public TO msgtrack_test_{}"


def clicks(count):
    return [
        Click(occurred_at=NOON + timedelta(seconds=n), delivery_id="1", message_id=str(n), source_id=f"s{n % 7}")
        for n in range(count)
    ]


def run(url, *statements):
    with create_engine(url, poolclass=NullPool).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def as_user(url, name):
    return make_url(url).set(username=f"msgtrack_test_{name}", password="sesame").render_as_string(hide_password=False)


@pytest.fixture
def postgres_url(postgres):
    """A filled database with two users who may make no temporary tables: one reads, the other writes."""
    names = ("reader", "writer")
    with postgres.place() as url:
        with open_store(url) as store:
            store.put(
                [Delivery(id="1"), *(Message(delivery_id="1", id=str(n), recipient_id=f"r{n}") for n in range(9))]
            )
            store.ingest(clicks(300))
        run(
            url,
            f"REVOKE TEMPORARY ON DATABASE {make_url(url).database} FROM PUBLIC",
            *(f"CREATE ROLE msgtrack_test_{name} LOGIN PASSWORD 'sesame'" for name in names),
            TABLES.format("SELECT", "reader"),
            TABLES.format("SELECT, INSERT, UPDATE, DELETE", "writer"),
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO msgtrack_test_writer",
        )
        try:
            yield url
        finally:
            run(url, *(f"DROP OWNED BY msgtrack_test_{name}" for name in names))
            postgres.execute(*(f"DROP ROLE msgtrack_test_{name}" for name in names))


def test_whoever_may_only_read_counts_as_everybody_does(postgres_url):
    with open_store(postgres_url) as all_rights, open_store(as_user(postgres_url, "reader")) as reader:
        for query in (Query(), Query(delivery_ids="1", zone="Europe/Paris"), Query(recipient_id="r3")):
            assert reader.counts(query) == all_rights.counts(query)
            assert reader.slots(query) == all_rights.slots(query)
        assert reader.counts().persons == 7
        with pytest.raises(StoreError, match="GRANT SELECT, INSERT, UPDATE, DELETE"):
            reader.put([Delivery(id="2")])


def test_whoever_writes_much_is_told_of_the_right_that_is_missing(postgres_url):
    with open_store(as_user(postgres_url, "writer")) as writer:
        writer.put([Delivery(id="2")])
        # Up to sixty thousand events of a call go straight into their table.
        assert writer.ingest(clicks(9000)).added == 8700
        messages = [Message(delivery_id="2", id=str(n)) for n in range(9000)]
        for call, given in ((writer.ingest, clicks(60_001)), (writer.put, messages)):
            with pytest.raises(StoreError, match="TEMPORARY on the database"):
                call(given)
        run(postgres_url, f"GRANT TEMPORARY ON DATABASE {make_url(postgres_url).database} TO msgtrack_test_writer")
        writer.put(messages)
        assert writer.ingest(clicks(60_001)).added == 51_001


def test_mariadb_says_which_right_counting_needs(mariadb):
    with mariadb.place() as url:
        with open_store(url) as store:
            store.ingest(clicks(30))
            counts = store.counts()
        name = make_url(url).database
        run(
            url,
            "CREATE USER msgtrack_test_reader IDENTIFIED BY 'sesame'",
            f"GRANT SELECT ON {name}.* TO msgtrack_test_reader",
        )
        try:
            with open_store(as_user(url, "reader")) as reader:
                with pytest.raises(StoreError, match="CREATE TEMPORARY TABLES"):
                    reader.counts()
                run(url, f"GRANT CREATE TEMPORARY TABLES ON {name}.* TO msgtrack_test_reader")
            with open_store(as_user(url, "reader")) as reader:
                assert reader.counts() == counts
        finally:
            run(url, "DROP USER msgtrack_test_reader")
