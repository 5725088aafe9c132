"""The store on database servers, and on an engine of the application: what is beyond the clauses of the suite."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from msgtrack import open_store
from msgtrack.errors import (
    InvalidValue,
    NotSupported,
    SchemaMismatch,
    StoreError,
    UnknownOption,
    UnknownStore,
)
from msgtrack.events import Click
from msgtrack.model import Delivery, Message
from msgtrack.protocols import Checkpoint, Ingested, Query

sqlalchemy = pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from sqlalchemy import NullPool, create_engine, event, make_url, text  # noqa: E402

from msgtrack.storage.sql import SqlStore  # noqa: E402

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def clicks(count, first=0):
    return [
        Click(occurred_at=NOON + timedelta(seconds=n), delivery_id="1", message_id=str(n))
        for n in range(first, first + count)
    ]


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request, tmp_path):
    """An empty database of each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
    else:
        with request.getfixturevalue(request.param).place() as address:
            yield address


@pytest.fixture(params=["postgres", "mariadb"])
def server_url(request):
    """An empty database on each server."""
    with request.getfixturevalue(request.param).place() as address:
        yield address


def plain(url):
    """An engine of the tests' own that keeps no connection."""
    return create_engine(url, poolclass=NullPool)


def test_an_engine_of_the_application_is_used_and_left_as_it_is(url):
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (number INTEGER)"))
    with SqlStore(engine=engine) as store:
        store.put([Delivery(id="1")])
        assert store.ingest(clicks(3)) == Ingested(added=3)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO orders VALUES (7)"))
        events = store.scan()
        next(events)
        assert len(list(store.scan())) == 3
        events.close()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT number FROM orders")).all() == [(7,)]
        assert connection.execute(text("SELECT count(*) FROM msgtrack_events")).scalar_one() == 3
    engine.dispose()


def test_two_stores_share_a_database_by_their_prefixes(url):
    with SqlStore(url, prefix="one_") as one, SqlStore(url, prefix="two_") as two:
        one.put([Delivery(id="1", label="one")])
        two.put([Delivery(id="1", label="two")])
        one.ingest(clicks(2))
        assert [delivery.label for store in (one, two) for delivery in store.deliveries()] == ["one", "two"]
        assert [len(list(store.scan())) for store in (one, two)] == [2, 0]
    with SqlStore(url, prefix="two_") as two:
        assert [delivery.label for delivery in two.deliveries()] == ["two"]


@pytest.mark.parametrize(
    "prefix", ["", "a b", 'x"; DROP TABLE y; --', "Ä_", "A_", "1_", "a" * 33, "a\0", "a`b", "%s", None, 7]
)
def test_a_prefix_that_is_no_plain_name_is_refused(prefix, tmp_path):
    with pytest.raises(InvalidValue, match="prefix"):
        SqlStore(f"sqlite:///{tmp_path / 'x.db'}", prefix=prefix)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("schema", ["", "a\0", "x" * 64, 7])
def test_the_name_of_a_schema_has_some_length_and_no_nul(schema, tmp_path):
    with pytest.raises(InvalidValue, match="schema"):
        SqlStore(f"sqlite:///{tmp_path / 'x.db'}", schema=schema)


@pytest.mark.parametrize("schema", ["plain", 'of "one" %s `x`; DROP', "Grün"])
def test_tables_stand_in_the_schema_that_is_named(server_url, schema):
    engine = plain(server_url)
    quoted = engine.dialect.identifier_preparer.quote(schema)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {quoted}")
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted}")
    try:
        with SqlStore(server_url, schema=schema) as store:
            # Enough for what is laid aside first, and for records as well.
            store.ingest(iter(clicks(7000)), Checkpoint(source="web", position="1"))
            store.put(Message(delivery_id="1", id=str(n)) for n in range(7000))
            assert store.counts(Query(delivery_ids="1")).deliveries["1"].to_deliver == 7000
        assert sqlalchemy.inspect(engine).get_table_names() == []
        assert "msgtrack_events" in sqlalchemy.inspect(engine).get_table_names(schema=schema)
    finally:
        with engine.begin() as connection:
            cascade = " CASCADE" if engine.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"DROP SCHEMA {quoted}{cascade}")


def test_a_schema_that_is_not_there_is_an_error_of_ours(server_url):
    with pytest.raises(StoreError, match="nowhere"):
        SqlStore(server_url, schema="nowhere")


def test_alembic_finds_nothing_to_change(url):
    autogenerate = pytest.importorskip("alembic.autogenerate")
    from alembic.migration import MigrationContext

    with SqlStore(url) as store:
        metadata = store.metadata
    engine = plain(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert autogenerate.compare_metadata(context, metadata) == []
    # And it does see a difference.
    metadata.tables["msgtrack_deliveries"].append_column(sqlalchemy.Column("more", sqlalchemy.Integer))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert [change[0] for change in autogenerate.compare_metadata(context, metadata)] == ["add_column"]


def test_an_address_and_an_engine_exclude_each_other(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    engine = create_engine(url)
    for arguments in ({}, {"url": url, "engine": engine}):
        with pytest.raises(InvalidValue, match="either an address or an engine"):
            SqlStore(**arguments)
    with pytest.raises(InvalidValue, match="SQLAlchemy's, not str"):
        SqlStore(engine=url)
    engine.dispose()


def test_an_engine_on_a_database_in_memory_is_refused():
    engine = create_engine("sqlite://")
    with pytest.raises(NotSupported, match="in memory"):
        SqlStore(engine=engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("postgresql+psycopg2://h/d", UnknownStore, "no driver 'postgresql\\+psycopg2'"),
        ("mysql+mysqldb://h/d", UnknownStore, "no driver 'mysql\\+mysqldb'"),
        ("postgresql://h/d?colour=red", UnknownOption, "does not take: colour"),
        ("mariadb://h/d?local_infile=1", UnknownOption, "does not take: local_infile"),
        ("postgresql://127.0.0.1:1/d?connect_timeout=2", StoreError, "failed"),
        ("mariadb://127.0.0.1:1/d", StoreError, "failed"),
        ("mariadb://h:port/d", InvalidValue, "not an address"),
        ("sqlite:///a.db?mode=memory", NotSupported, "in memory"),
        ("sqlite:///a.db?mode=ro", NotSupported, "opened for writing, not with mode='ro'"),
        ("sqlite:///a.db?mode=rwc", UnknownOption, "takes no options, this one has: mode"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_why(url, error, said):
    with pytest.raises(error, match=said):
        open_store(url)


def test_a_password_is_not_told(server_url):
    address = make_url(server_url).set(username="nobody", password="s3cret", port=1)
    with pytest.raises(StoreError) as caught:
        open_store(address.render_as_string(hide_password=False))
    assert "s3cret" not in str(caught.value)


def test_a_newer_schema_and_tables_of_others_are_refused(server_url):
    open_store(server_url).close()
    engine = plain(server_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE msgtrack_schema SET version = 999"))
    with pytest.raises(SchemaMismatch, match="version 999"):
        open_store(server_url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE msgtrack_schema"))
    with pytest.raises(SchemaMismatch, match=r"not ours: .*msgtrack_events"):
        open_store(server_url)


@pytest.mark.parametrize("room", [4, 11, 64, 1024, 1 << 20])
def test_slots_are_whole_however_short_the_texts_of_a_server_are(mariadb, room):
    """MariaDB cuts a group's text to ``group_concat_max_len``, maybe within a number, and says so in a warning alone."""
    events = [evolve(click, occurred_at=NOON + n % 97 * timedelta(minutes=5)) for n, click in enumerate(clicks(1300))]
    with mariadb.place() as url, open_store("memory:") as memory:
        engine = create_engine(url, connect_args={"init_command": f"SET SESSION group_concat_max_len = {room}"})
        with SqlStore(engine=engine) as store:
            for one in (store, memory):
                one.put([Delivery(id="1")])
                one.ingest(events)
            for query in (Query(), Query(delivery_ids="1"), Query(message_ids=[str(n) for n in range(100)])):
                assert store.slots(query) == memory.slots(query) != {}
        engine.dispose()


def test_making_tables_that_broke_off_is_gone_on_with(mariadb):
    with mariadb.place() as url:
        open_store(url).close()
        with plain(url).begin() as connection:
            connection.execute(text("DELETE FROM msgtrack_schema"))
            connection.execute(text("DROP TABLE msgtrack_events"))
        with open_store(url) as store:
            assert store.ingest(clicks(2)).added == 2
        with plain(url).connect() as connection:
            assert connection.execute(text("SELECT version FROM msgtrack_schema")).all() != []


def test_several_open_a_new_database_at_once(server_url):
    failed = []

    def opens():
        try:
            open_store(server_url).close()
        except StoreError as error:
            failed.append(error)

    together(opens for _ in range(4))
    assert failed == []


def test_tables_that_another_makes_while_we_look_for_them_are_used(server_url):
    """MariaDB lists a table that was made after the snapshot began, and refuses to read it."""
    engine, others = create_engine(server_url), []

    @event.listens_for(engine, "before_cursor_execute")
    def another_makes_them(connection, cursor, statement, *_):
        if not others and ("SHOW FULL TABLES" in statement or "pg_class" in statement):
            others.append(open_store(server_url))

    with SqlStore(engine=engine) as store:
        others[0].put_deliveries(Delivery(id="1"))
        assert store.get_delivery("1") == Delivery(id="1")
    others[0].close()
    engine.dispose()


def together(works):
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_a_long_call_brings_is_kept_like_that_of_a_short_one(url):
    # Of two with one id the first counts, also where the second comes before it in the order of messages.
    again = [evolve(click, message_id=f"!{click.message_id}") for click in clicks(500)]
    events = [evolve(click, id=f"e{number % 6500}") for number, click in enumerate([*clicks(6500), *again])]
    with open_store(url) as store:
        assert store.ingest(iter(events), Checkpoint(source="web", position="1")) == Ingested(added=6500, known=500)
        assert store.ingest(iter(events)) == Ingested(added=0, known=7000)
        store.put(Delivery(id=str(n % 6000), label=str(n)) for n in range(7000))
        labels = {delivery.id: delivery.label for delivery in store.deliveries()}
        assert (len(labels), labels["5"], labels["999"], labels["1000"]) == (6000, "6005", "6999", "1000")
        assert [event.message_id for event in store.scan()] == [str(n) for n in range(6500)]
        assert store.checkpoint("web") == Checkpoint(source="web", position="1")


ODD = ['a"b', "a\\", '\\"', "a,b", "{}", "NULL", " ", "a\n\t\r", "\0", "\1\2", "\x7f", "%s", "'", "ü\u2028"]


@pytest.mark.parametrize("times", [1, 30])
def test_slots_name_ids_as_they_are(url, times):
    events = [
        Click(occurred_at=NOON + timedelta(seconds=n), delivery_id=delivery_id, link_id=link_id)
        for delivery_id in ODD
        for link_id in ODD
        for n in range(times)
    ]
    with open_store(url) as store:
        assert store.ingest(events).added == len(events)
        slots = store.slots()
        of_link = {int(NOON.timestamp()): times}
        assert slots == {delivery_id: {"click": dict.fromkeys(ODD, of_link)} for delivery_id in ODD}
        store.rebuild()
        assert store.slots() == slots


def test_several_iterators_are_read_in_turns_within_a_snapshot(url):
    with open_store(url) as store:
        store.ingest(clicks(2500))
        store.put(Delivery(id=f"{n:04}") for n in range(1500))
        with store.snapshot():
            first, second, third = store.scan(), store.deliveries(), store.scan(Query(limit=10))
            seen = [(next(first).message_id, next(second).id) for _ in range(1200)]
            assert len(list(third)) == 10
            assert store.checkpoint("web") is None
            seen += [(next(first).message_id, next(second).id) for _ in range(300)]
            assert len(list(first)) == 1000
        assert seen == [(str(n), f"{n:04}") for n in range(1500)]


def test_counts_are_made_while_an_iterator_of_the_snapshot_is_half_read(url):
    with open_store(url) as store:
        store.ingest(clicks(2500))
        with store.snapshot():
            events = store.scan()
            next(events)
            counts = store.counts()
            assert len(list(events)) == 2499
            assert store.counts() == counts
        assert counts.persons == store.counts().persons
        assert sum(counts.deliveries["1"].slots["click"][""].values()) == 2500


def test_a_call_of_few_rows_and_one_of_some_hundred_bring_the_same(url):
    with open_store(url) as store:
        assert store.ingest(clicks(150)) == Ingested(added=150)
        assert store.ingest(clicks(400)) == Ingested(added=250, known=150)
        store.put(Delivery(id=str(n % 300), label=str(n)) for n in range(600))
        assert [delivery.label for delivery in store.deliveries(Query(delivery_ids=["0", "299"]))] == ["300", "599"]
        assert sum(store.slots()["1"]["click"][""].values()) == 400


def test_a_page_is_cut_by_the_engine(url):
    with open_store(url) as store:
        store.ingest(clicks(50))
        statements = []
        engine = store._database._engine
        event.listen(engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
        page = list(store.scan(Query(delivery_ids="1", limit=20, newest_first=True)))
        last = page[-1]
        further = list(store.scan(Query(limit=40, newest_first=True, after=(last.occurred_at, last.id))))
    assert [int(click.message_id) for click in [*page, *further]] == list(range(49, -1, -1))
    asked = [said for said in statements if "msgtrack_events" in said]
    assert len(asked) >= 2
    assert all("LIMIT" in said for said in asked)


def test_a_writer_that_waits_too_long_gives_up_and_may_try_again(server_url):
    with open_store(server_url) as store, open_store(server_url, busy_seconds=0.3) as other:
        engine = plain(server_url)
        with engine.begin() as connection:
            connection.execute(text("SELECT version FROM msgtrack_schema FOR UPDATE")).all()
            with pytest.raises(StoreError, match=r"(?i)lock"):
                other.put([Delivery(id="1")])
            assert list(store.deliveries()) == []
        other.put([Delivery(id="2")])
        assert list(store.deliveries()) == [Delivery(id="2")]


def test_a_deadlock_with_the_application_is_tried_again(server_url):
    """The application locks a row of ours, and then wants what our writer holds: one of the two has to give way."""
    ours = make_url(server_url)
    is_postgres = ours.get_backend_name() == "postgresql"
    if is_postgres:
        # Who looks for a deadlock first is the one to give way.
        ours = ours.update_query_dict({"options": "-c deadlock_timeout=100ms"})
    with open_store(ours.render_as_string(hide_password=False)) as store:
        store.put([Delivery(id="1", label="old"), *(Message(delivery_id="1", id=str(n)) for n in range(200))])
        again = []
        event.listen(store._database._engine, "rollback", again.append)
        writer = threading.Thread(target=lambda: store.put([Delivery(id="1", label="new"), Delivery(id="2")]))
        engine = plain(server_url)
        with engine.connect() as connection:
            if is_postgres:
                connection.execute(text("SET deadlock_timeout = '60s'"))
            row = "'1'" if is_postgres else "_binary'1'"
            connection.execute(text(f"SELECT body FROM msgtrack_deliveries WHERE id = {row} FOR UPDATE")).all()
            # On MariaDB who changed less gives way.
            connection.execute(text("UPDATE msgtrack_messages SET is_seed = 1"))
            writer.start()
            waiting = threading.Event()
            waiting.wait(0.6 if not is_postgres else 0.05)
            connection.execute(text("SELECT version FROM msgtrack_schema FOR UPDATE")).all()
            connection.rollback()
        writer.join(timeout=30)
        assert [(delivery.id, delivery.label) for delivery in store.deliveries()] == [("1", "new"), ("2", "")]
        assert again


@pytest.mark.parametrize("count", [10, 5200])
def test_a_connection_that_is_cut_is_an_error_and_the_next_call_works(server_url, count):
    """In each statement of an ingest in turn: nothing is kept by half, and the checkpoint is never ahead."""
    with open_store(server_url) as store:
        store.ingest(clicks(1))
        cut_at = cuts = 0
        killer = plain(server_url)

        def cut(connection, *_):
            nonlocal cut_at
            cut_at -= 1
            if cut_at == 0:
                end_connection(killer, connection)

        event.listen(store._database._engine, "before_cursor_execute", cut)
        before = None
        for number in range(1, 40):
            events, mark = clicks(count, first=1 + (number - 1) * count), Checkpoint(source="web", position=str(number))
            cut_at = number
            try:
                store.ingest(iter(events), mark)
            except StoreError:
                cuts += 1
            left, cut_at = cut_at, 0
            with closing(open_store(server_url)) as other:
                kept = other.checkpoint("web")
                there = sum(1 for _ in other.scan(Query(delivery_ids="1", since=events[0].occurred_at)))
            assert (kept, there) in ((before, 0), (mark, count))
            assert store.ingest(iter(events), mark).added == count - there
            before = mark
            if left > 0:
                # It had fewer statements than that: each was cut once.
                break
        assert cuts >= 4
        assert len({event.message_id for event in store.scan()}) == len(list(store.scan())) == 1 + number * count


def end_connection(killer, connection):
    """End a session from outside, as an administrator would."""
    driver = connection.connection.driver_connection
    with killer.begin() as other:
        if connection.dialect.name == "postgresql":
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": driver.info.backend_pid})
        else:
            other.exec_driver_sql(f"KILL {driver.thread_id()}")


@pytest.mark.parametrize("writers", [2, 8])
def test_writers_with_overlapping_batches_lose_nothing_and_count_nothing_twice(url, writers):
    added = []
    open_store(url).close()

    def work(number):
        with open_store(url) as store:
            for batch in range(4):
                first = 40 * batch + 20 * number
                mark = Checkpoint(source=str(number), position=str(batch))
                added.append(store.ingest(clicks(100, first=first), mark).added)

    together([lambda number=number: work(number) for number in range(writers)])
    distinct = {n for w in range(writers) for b in range(4) for n in range(40 * b + 20 * w, 40 * b + 20 * w + 100)}
    with open_store(url) as store:
        assert len(added) == 4 * writers
        assert sum(added) == len(list(store.scan())) == len(distinct)
        assert store.slots() == {"1": {"click": {"": _by_slot(distinct)}}}
        assert [store.checkpoint(str(number)).position for number in range(writers)] == ["3"] * writers


def _by_slot(numbers):
    slots = {}
    for n in numbers:
        slot = int((NOON + timedelta(seconds=n)).timestamp()) // 300 * 300
        slots[slot] = slots.get(slot, 0) + 1
    return slots
