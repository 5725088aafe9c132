"""Events that go straight into their table on PostgreSQL, many at a time: what is kept and counted is what follows from the events."""

from __future__ import annotations

import re
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from msgtrack import open_store
from msgtrack.errors import StoreError
from msgtrack.events import Click, Open, Transaction
from msgtrack.model import Client, Delivery, Message
from msgtrack.protocols import Checkpoint, Ingested, Query

sqlalchemy = pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from sqlalchemy import NullPool, create_engine, event, make_url, text  # noqa: E402

from msgtrack.storage import _postgres_copy, _writing  # noqa: E402
from msgtrack.storage._postgres import Postgres  # noqa: E402
from msgtrack.storage._types import _all_escaped  # noqa: E402

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MANY = 700
ODD = [
    'a"b',
    "a\\",
    '\\"',
    "a,b",
    "{}",
    "NULL",
    " ",
    "a\n\t\r",
    "\0",
    "\1\2",
    "\x7f",
    "%s",
    "'",
    "ü\u2028",
    "\U0001f600",
]


@pytest.fixture(params=["postgres", "older_postgres"])
def url(request):
    """An empty database of each server."""
    with request.getfixturevalue(request.param).place() as address:
        yield address


@pytest.fixture
def laid_aside(monkeypatch):
    """The names of the tables that rows were laid aside for."""
    names, make = [], Postgres.make_stage
    monkeypatch.setattr(
        Postgres,
        "make_stage",
        lambda self, connection, table: names.append(table.name) or make(self, connection, table),
    )
    return names


@pytest.fixture
def copied(monkeypatch):
    """By table how many rows each COPY took."""
    numbers, copy = [], _postgres_copy.copy_into

    def counted(connection, target, table, rows):
        numbers.append((target, len(rows)))
        copy(connection, target, table, rows)

    monkeypatch.setattr(_postgres_copy, "copy_into", counted)
    return numbers


def clicks(count, first=0, **fields):
    fields = {"delivery_id": "1"} | fields
    return [
        Click(occurred_at=NOON + timedelta(seconds=n), message_id=str(n * 7919 % 10007), id=f"{n:032x}", **fields)
        for n in range(first, first + count)
    ]


def slots_of(events):
    """By delivery, kind, link and slot how many there are."""
    found = {}
    for one in events:
        by_slot = found.setdefault(one.delivery_id or "", {}).setdefault(one.kind, {}).setdefault(one.link_id or "", {})
        slot = int(one.occurred_at.timestamp()) // 300 * 300
        by_slot[slot] = by_slot.get(slot, 0) + 1
    return found


def run(url, *statements):
    with create_engine(url, poolclass=NullPool).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def agent_days(url):
    """By delivery and day how many reactions are noted."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        rows = connection.execute(text("SELECT delivery_id, day, sum(times) FROM msgtrack_agent_days GROUP BY 1, 2"))
        return {(of, day): int(times) for of, day, times in rows}


def days_of(events):
    return Counter((one.delivery_id, one.occurred_at.toordinal() - 719163) for one in events)


def test_what_is_new_goes_straight_into_the_table_and_the_rest_is_known(url, laid_aside, copied):
    first, second, mark = clicks(MANY), clicks(MANY, first=500), Checkpoint(source="web", position="1")
    with open_store(url) as store:
        assert store.ingest(iter(first), mark) == Ingested(added=MANY)
        assert store.ingest(second) == Ingested(added=500, known=200)
        assert store.ingest(first) == Ingested(known=MANY)
        kept = clicks(500 + MANY)
        assert list(store.scan()) == kept
        assert store.slots() == slots_of(kept)
        assert agent_days(url) == days_of(kept)
        assert store.checkpoint("web") == mark
    assert laid_aside == []
    assert [number for _, number in copied] == [MANY, 500]


def test_of_several_with_one_id_the_first_is_kept_wherever_it_stands(url, laid_aside):
    given = [evolve(one, id=f"e{n % 300}", message_id=str(999 - n)) for n, one in enumerate(clicks(MANY))]
    with open_store(url) as store:
        assert store.ingest(given) == Ingested(added=300, known=400)
        assert {one.id: one.message_id for one in store.scan()} == {f"e{n}": str(999 - n) for n in range(300)}
        assert store.slots() == slots_of(given[:300])
        assert agent_days(url) == days_of(given[:300])
    assert laid_aside == []


def test_what_is_kept_first_stays_as_it_is(url):
    with open_store(url) as store:
        store.ingest(clicks(MANY, link_id="first"))
        assert store.ingest(clicks(MANY + 50, link_id="second")) == Ingested(added=50, known=MANY)
        assert Counter(one.link_id for one in store.scan()) == {"first": MANY, "second": 50}


def test_values_of_every_column_come_back_as_they_were(url, laid_aside):
    """Ids as text and as numbers, NULL in each column that may hold it, negative moments, and text that is written otherwise in SQL."""
    long_ago = datetime(1, 1, 1, tzinfo=UTC)
    events = [
        *(
            Open(occurred_at=NOON, id=f"{place}{name}", delivery_id=name, message_id=name)
            for place, name in enumerate(ODD)
        ),
        *(Click(occurred_at=NOON, delivery_id="1", link_id=name, source_id=name, request_id=name) for name in ODD),
        *(Click(occurred_at=NOON, id=name, client=Client(browser=name)) for name in ODD),
        *(Open(occurred_at=long_ago + timedelta(microseconds=n)) for n in range(3)),
        Open(occurred_at=datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), id="A" * 32),
        Transaction(occurred_at=NOON, id="bought", amount="1.50"),
        *clicks(400),
        *clicks(20, first=400, source_id="s" * 64),
    ]
    with open_store(url) as store:
        assert store.ingest(events) == Ingested(added=len(events))
        kept = {one.id: one for one in store.scan()}
        assert len(kept) == len(events)
        assert all(kept[one.id] == one for one in events if one.has_own_id)
        given = Counter(repr(evolve(one, id=None)) for one in events)
        assert Counter(repr(evolve(one, id=None)) for one in kept.values()) == given
        assert store.ingest(events) == Ingested(known=len(events))
        slots = store.slots()
        store.rebuild()
        assert store.slots() == slots
    assert laid_aside == []


@pytest.mark.parametrize(
    ("count", "tables"), [(199, []), (200, []), (1000, []), (1001, ["msgtrack_events"]), (7000, ["msgtrack_events"])]
)
def test_more_than_are_held_in_memory_are_laid_aside(url, laid_aside, monkeypatch, count, tables):
    monkeypatch.setattr(Postgres, "held_events", 1000)
    with open_store(url) as store:
        assert store.ingest(iter(clicks(count))) == Ingested(added=count)
        assert store.slots() == slots_of(clicks(count))
        assert store.ingest(clicks(count + 1)) == Ingested(added=1, known=count)
    assert laid_aside[: len(tables)] == tables


def test_many_programs_are_laid_aside_with_their_events(url, laid_aside):
    given = [evolve(one, client=Client(browser=f"Browser {n}")) for n, one in enumerate(clicks(1200))]
    with open_store(url) as store:
        assert store.ingest(given) == Ingested(added=1200)
        assert list(store.scan()) == given
    assert laid_aside == ["msgtrack_terms", "msgtrack_events"]


def test_more_slots_than_are_counted_in_memory_are_counted_by_the_engine(url, monkeypatch):
    monkeypatch.setattr(_writing, "_MOST_SUMS", 20)
    given = [evolve(one, link_id=str(n % 50)) for n, one in enumerate(clicks(MANY))]
    with open_store(url) as store:
        assert store.ingest(given[:400]).added == 400
        assert store.ingest(given).added == 300
        assert store.slots() == slots_of(given)
        assert agent_days(url) == days_of(given)


def test_an_iterable_that_fails_leaves_nothing_and_locks_nobody(url):
    def events(store):
        yield from clicks(MANY)
        store.put([Delivery(id="meanwhile")])
        raise KeyError("broken off")

    with open_store(url) as store, open_store(url, busy_seconds=1) as other:
        with pytest.raises(KeyError, match="broken off"):
            store.ingest(events(other), Checkpoint(source="web", position="1"))
        assert list(store.scan()) == []
        assert (store.slots(), store.checkpoint("web")) == ({}, None)
        assert [one.id for one in store.deliveries()] == ["meanwhile"]
        assert store.ingest(clicks(MANY)).added == MANY


def test_what_another_kept_before_we_had_the_lock_is_known(url):
    """Both have drawn their events before either has the lock."""
    ready = threading.Barrier(2)
    added = []

    def work(first):
        def events():
            yield from clicks(MANY, first=first)
            ready.wait(30)

        with open_store(url) as store:
            added.append(store.ingest(events()).added)

    open_store(url).close()
    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_store(url) as store:
        assert sorted(added) == [300, MANY]
        assert list(store.scan()) == clicks(300 + MANY)
        assert store.slots() == slots_of(clicks(300 + MANY))


@pytest.mark.parametrize("writers", [2, 8])
def test_writers_with_overlapping_batches_lose_nothing_and_count_nothing_twice(url, writers):
    added = []
    open_store(url).close()

    def work(number):
        with open_store(url) as store:
            for batch in range(4):
                first = 200 * batch + 100 * number
                mark = Checkpoint(source=str(number), position=str(batch))
                added.append(store.ingest(clicks(400, first=first), mark).added)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = clicks(100 * (writers - 1) + 600 + 400)
    with open_store(url) as store:
        assert len(added) == 4 * writers
        assert sum(added) == len(kept)
        assert list(store.scan()) == kept
        assert store.slots() == slots_of(kept)
        assert agent_days(url) == days_of(kept)
        assert {store.checkpoint(str(number)).position for number in range(writers)} == {"3"}


def test_what_the_engine_gives_up_is_done_again_whole(url):
    """A trigger of the database asks for the same again, as the engine does by itself where it cannot put writers in an order."""
    with open_store(url) as store:
        run(
            url,
            "CREATE SEQUENCE tried",
            "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('tried') <= 2 THEN "
            "RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$",
            "CREATE TRIGGER fails AFTER INSERT ON msgtrack_events FOR EACH STATEMENT EXECUTE FUNCTION fails()",
        )
        assert store.ingest(clicks(MANY), Checkpoint(source="web", position="1")) == Ingested(added=MANY)
        assert list(store.scan()) == clicks(MANY)
        assert store.slots() == slots_of(clicks(MANY))


def test_what_the_engine_refuses_is_an_error_that_leaves_nothing_and_the_next_call_works(url):
    with open_store(url) as store:
        run(url, "ALTER TABLE msgtrack_events ADD CONSTRAINT not_this CHECK (message_id <> '7919')")
        with pytest.raises(StoreError, match="not_this"):
            store.ingest(clicks(MANY), Checkpoint(source="web", position="1"))
        assert (list(store.scan()), store.slots(), store.checkpoint("web")) == ([], {}, None)
        run(url, "ALTER TABLE msgtrack_events DROP CONSTRAINT not_this")
        assert store.ingest(clicks(MANY)).added == MANY


def test_text_that_its_column_cannot_hold_is_refused_whole(url, monkeypatch):
    """Ids are written without NUL; if they were not, the engine would refuse them."""
    given = [evolve(one, source_id="a\0b" if one.id.endswith("77") else "ab") for one in clicks(MANY)]
    with open_store(url) as store:
        monkeypatch.setattr("msgtrack.storage._types._all_escaped", lambda values: values)
        with pytest.raises(StoreError, match="0x00"):
            store.ingest(given, Checkpoint(source="web", position="1"))
        assert (list(store.scan()), store.checkpoint("web")) == ([], None)
        monkeypatch.setattr("msgtrack.storage._types._all_escaped", _all_escaped)
        assert store.ingest(given).added == MANY


def test_a_client_that_speaks_another_encoding_writes_the_same(url):
    given = clicks(MANY, source_id="grün", link_id="\xa0")
    latin = make_url(url).update_query_dict({"options": "-c client_encoding=LATIN1"})
    with open_store(latin.render_as_string(hide_password=False)) as store:
        assert store.ingest(given).added == MANY
        with pytest.raises(UnicodeEncodeError):
            store.ingest(clicks(MANY, first=MANY, link_id="€"))
        assert store.ingest(clicks(MANY, first=MANY, link_id="2")).added == MANY
    with open_store(url) as store:
        assert [*store.scan()][:MANY] == given


@pytest.fixture
def bound(url):
    """The address for a user whom row security binds to the events of delivery 1, and the owner's."""
    name = "msgtrack_test_bound"
    open_store(url).close()
    run(
        url,
        f"CREATE ROLE {name} LOGIN PASSWORD 'sesame'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}",
        f"CREATE POLICY mine ON msgtrack_events TO {name} USING (delivery_id = '1') WITH CHECK (delivery_id = '1')",
    )
    try:
        yield make_url(url).set(username=name, password="sesame").render_as_string(hide_password=False), url
    finally:
        run(url, "DROP POLICY mine ON msgtrack_events", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_where_row_security_binds_the_user_events_are_laid_aside(bound, laid_aside):
    as_bound, as_owner = bound
    with open_store(as_bound) as store, open_store(as_owner) as owner:
        assert store.ingest(clicks(MANY)).added == MANY
        assert laid_aside == []
        run(as_owner, "ALTER TABLE msgtrack_events ENABLE ROW LEVEL SECURITY")
        assert store.ingest(clicks(MANY + 300), Checkpoint(source="web", position="1")) == Ingested(
            added=300, known=MANY
        )
        assert laid_aside == ["msgtrack_events", "msgtrack_checkpoints"]
        with pytest.raises(StoreError, match="row-level security"):
            store.ingest(clicks(MANY, first=2000, delivery_id="2"))
        laid_aside.clear()
        # Whoever owns the table is not bound by it.
        assert owner.ingest(clicks(MANY, first=5000, delivery_id="2")).added == MANY
        assert laid_aside == []
        assert store.checkpoint("web") == Checkpoint(source="web", position="1")
        assert list(store.scan()) == clicks(MANY + 300)
        kept = [*clicks(MANY + 300), *clicks(MANY, first=5000, delivery_id="2")]
        assert owner.slots() == slots_of(kept)
        run(as_owner, "ALTER TABLE msgtrack_events DISABLE ROW LEVEL SECURITY")
        assert store.ingest(clicks(MANY, first=9000)).added == MANY
        assert laid_aside == []


def test_known_ids_are_asked_of_the_index_however_many_they_are(url):
    """Statistics say that the whole table is quickly read: that is so for a small one, and grows with it."""
    with open_store(url) as store:
        store.ingest(clicks(3000))
        run(url, "ANALYZE msgtrack_events")
        plans = []
        engine = store._database._engine

        @event.listens_for(engine, "commit")
        def explain(connection):
            cursor = connection.connection.driver_connection.cursor()
            ids = ["\\x00" + f"{n:032x}" for n in range(3000)]
            asked = "EXPLAIN SELECT id FROM msgtrack_events WHERE id = ANY(%s::text[]::bytea[])"
            plans.append("\n".join(line for (line,) in cursor.execute(asked, [ids])))

        store.ingest(clicks(3000, first=2500))
    assert re.search(r"Index|Bitmap", plans[0])
    assert "Seq Scan" not in plans[0]


def test_records_of_every_class_are_laid_aside_as_before(url, laid_aside):
    with open_store(url) as store:
        given = [Message(delivery_id="1", id=f"{n:04}", recipient_id=f"r{n}", is_seed=n % 3 == 0) for n in range(MANY)]
        store.put(iter(given))
        assert list(store.messages(Query(delivery_ids="1"))) == given
    assert "msgtrack_messages" in laid_aside
