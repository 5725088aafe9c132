"""Texts that would be code if somebody forgot to quote them: as ids, labels, prefixes, schemas, files and checkpoints, on every engine.

They come back as they were, are found by the very same text, or are refused by an error of ours; no table is lost.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.errors import InvalidValue, MsgtrackError, StoreError, UnknownOption
from msgtrack.events import Bounced, Click, Open, Unknown
from msgtrack.facts import (
    FACT_KEYS,
    AddressState,
    Exclusion,
    Service,
    SharedView,
    StepView,
    Subscription,
    SubscriptionChange,
    Visitor,
    WebApplication,
)
from msgtrack.model import Client, Delivery, Message, TrackedLink, Verdict
from msgtrack.protocols import AuditEntry, Checkpoint, FrozenCounts, Query, WorkflowRun
from msgtrack.storage import RECORD_KINDS

sqlalchemy = pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FULL = bool(os.environ.get("MSGTRACK_TEST_FULL"))
IDS = (
    "'",
    '"',
    "`",
    "''",
    "\\",
    "\\'",
    "\\\\'; --",
    "'; DROP TABLE msgtrack_events; --",
    '"; DROP TABLE msgtrack_events; --',
    "`; DROP TABLE msgtrack_events; #",
    "1); DELETE FROM msgtrack_events; --",
    "x' OR '1'='1",
    "x' UNION SELECT 1 --",
    "/* x */",
    "%s",
    "%(id)s",
    "%",
    "_",
    "?",
    "$1",
    "$$",
    ":id",
    "::text",
    "{x}",
    "{x:String}",
    "{{x}}",
    "%%",
    "\0",
    "a\0b",
    "a\0",
    "\x01",
    "\\0",
    "\\N",
    "\\.",
    "\\x41",
    "\t",
    "a\nb",
    "\r\n",
    "a",
    "A",
    "a ",
    " a",
    "NULL",
    "null",
    "None",
    "é",
    "e\u0301",
    "\u202e\u2028\ufeff",
    "\U0001f600",
    "ß",
    "\uffff",
    "\U0010ffff",
    "0",
    "00",
    "1e3",
    "f" * 32,
    "F" * 32,
    "x" * 64,
    "é" * 32,
    "'" * 64,
    "\0" * 64,
)
TEXTS = (*IDS, "", "\ud800", "'\udfff", "x" * 5000 + "'")
ENGINES = ("SQLite", "PostgreSQL", "MariaDB", "DuckDB", "ClickHouse")


class Place:
    """A database of an engine, that of the tests' own besides."""

    def __init__(self, engine, folder, url=""):
        self.engine, self.folder = engine, folder
        self.url = url or {"SQLite": f"sqlite:///{folder}/s.db", "DuckDB": f"duckdb:///{folder}/d.db"}.get(engine, "")

    def open(self, **options):
        if self.engine != "ClickHouse":
            return open_store(self.url, **options)
        # Its engine is never loaded into a process of pytest.
        process = chdb_process().engine()
        return process.open(f"chdb:///{process.folder}?database=hostile_{os.getpid()}", **options)

    def tables(self):
        """The names of all tables."""
        if self.engine == "ClickHouse":
            asked = f"SELECT name FROM system.tables WHERE database = 'hostile_{os.getpid()}'"
            return {name for (name,) in chdb_process().engine().run(asked)}
        if self.engine == "DuckDB":
            import duckdb

            with duckdb.connect(self.url.removeprefix("duckdb:///")) as connection:
                return {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        engine = sqlalchemy.create_engine(self.url, poolclass=sqlalchemy.NullPool)
        return {*sqlalchemy.inspect(engine).get_table_names()}

    def discard(self):
        if self.engine == "ClickHouse":
            chdb_process().engine().run(f"DROP DATABASE IF EXISTS hostile_{os.getpid()}")


def chdb_process():
    sys.path[:0] = [here for here in [str(Path(__file__).parent)] if here not in sys.path]
    import chdb_process

    return chdb_process


@pytest.fixture(params=ENGINES)
def place(request, tmp_path, database_server):
    engine = request.param
    package = {"DuckDB": "duckdb", "ClickHouse": "chdb"}.get(engine)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"the package {package!r} is not installed")
    if engine in ("PostgreSQL", "MariaDB"):
        with database_server(engine).place() as url:
            yield Place(engine, tmp_path, url)
    else:
        made = Place(engine, tmp_path)
        yield made
        made.discard()


def records(text, id_, number=0):
    """A record of each class that carries a text and an id wherever it can."""
    at = AT + timedelta(minutes=number)
    yield Delivery(
        id=id_, internal_name=text, label=text, channel=text, typology=text, expired_url=text, service_id=id_
    )
    yield Message(id=id_, delivery_id=id_, recipient_id=id_, address=text, domain=text, variant=text, service_id=id_)
    yield TrackedLink(delivery_id=id_, id=id_, url=text, key=text, label=text, category=text, variant=text)
    yield Exclusion(delivery_id=id_, id=id_, recipient_id=id_, address=text, rule=text)
    yield Service(id=id_, label=text, channel=text)
    yield Subscription(service_id=id_, recipient_id=id_, created_at=at)
    yield SubscriptionChange(service_id=id_, id=id_, action="subscribe", changed_at=at, recipient_id=id_, origin=text)
    yield Visitor(delivery_id=id_, id=id_, recipient_id=id_, network=text, origin=text)
    yield SharedView(delivery_id=id_, id=id_, network=text, occurred_at=at, visitor_id=id_)
    yield AddressState(address=f"{id_}@x", channel=id_, delivery_id=id_)
    yield WebApplication(id=id_, label=text, steps=(text,))
    yield StepView(application_id=id_, step=id_, source_id=id_, occurred_at=at)
    yield WorkflowRun(id=id_, started_at=at, sources=(text,), skipped={text: 1}, error=text)
    yield AuditEntry(id=id_, action="purge", started_at=at, subject=text, detail=text, done={text: 1})


def events(text, id_, number=0):
    """Events that carry them."""
    client = Client(user_agent=text, browser=text, browser_version=text, os=text, os_version=text, device=text)
    shared = {
        "occurred_at": AT + timedelta(minutes=number),
        "delivery_id": id_,
        "message_id": id_,
        "link_id": id_,
        "source_id": id_,
        "source": text,
        "request_id": text,
    }
    yield Click(id=id_, client=client, verdict=Verdict(audience="human", reasons=(text,), rules_version=text), **shared)
    yield Open(client=client, **shared)
    yield Bounced(diagnostic=text, **shared)
    yield Unknown(name=text, **shared)


def queries(id_, text):
    """Each way to ask by them."""
    for name in ("delivery_ids", "message_ids", "link_ids", "except_delivery_ids"):
        yield Query(**{name: (id_,)})
    for name in ("labels", "categories", "domains"):
        yield Query(**{name: (text,)})
    yield Query(recipient_id=id_)
    yield Query(limit=3, after=(AT, id_))
    yield Query(limit=3, after=(AT + timedelta(minutes=1), id_), newest_first=True)


def agree(store, memory, asked):
    """Both stores say the same, whatever is asked."""
    for kind in RECORD_KINDS:
        assert [*store.find(kind)] == [*memory.find(kind)]
    assert [*store.scan()] == [*memory.scan()]
    assert store.counts() == memory.counts()
    assert store.slots() == memory.slots()
    assert store.spans() == memory.spans()
    for number, (id_, text) in enumerate(asked):
        assert store.checkpoint(id_) == memory.checkpoint(id_)
        assert [*store.export(id_)] == [*memory.export(id_)]
        assert [*store.events_by(frozenset({id_}))] == [*memory.events_by(frozenset({id_}))]
        for query in queries(id_, text):
            assert [*store.scan(query)] == [*memory.scan(query)], query
            assert [*store.messages(query)] == [*memory.messages(query)], query
            for kind in FACT_KEYS:
                assert [*store.facts(kind, query)] == [*memory.facts(kind, query)], query
            if query.limit is None and number % 4 == 0:
                assert store.counts(query) == memory.counts(query), query


def go_through(place, pairs):
    """Every method of a store and of the one in memory, with the same values."""
    with place.open() as store, open_store("memory:") as memory:
        before = place.tables() if place.engine != "DuckDB" else set()
        for each in (store, memory):
            for number, (id_, text) in enumerate(pairs):
                each.put(records(text, id_, number))
                each.ingest(events(text, id_, number), Checkpoint(source=id_, position=text))
                each.ingest(events(text, id_, number), Checkpoint(source=id_, position=text))
        agree(store, memory, pairs)
        gone = [id_ for id_, _ in pairs[::3]]
        for each in (store, memory):
            each.revise(
                records=[Delivery(id=id_, label=text) for id_, text in pairs[1::3]],
                events=[event for id_, text in pairs[1::3] for event in events(text[::-1], id_) if event.has_own_id],
                remove=[record for id_, text in pairs[::3] for record in records(text, id_)],
                remove_events=gone,
            )
            each.rebuild([id_ for id_, _ in pairs])
        agree(store, memory, pairs[::5])
        id_, text = pairs[-1]
        for each in (store, memory):
            each.erase(id_, now=AT)
            each.purge(AT + timedelta(days=1), now=AT + timedelta(days=1))
        assert [*store.export(id_)] == [*memory.export(id_)] == []
        assert store.counts() == memory.counts()
        assert [*store.find(FrozenCounts)] == [*memory.find(FrozenCounts)]
    if place.engine != "DuckDB":
        assert place.tables() == before


def test_texts_that_look_like_code_come_back_and_are_found(place):
    ids = IDS if FULL else (*IDS[4:8], "%s", ":id", "{x:String}", "a\0b", "a ")
    go_through(place, [*zip(ids, TEXTS[-len(ids) :], strict=True)])


@pytest.mark.parametrize("text", ["\ud800", "x" * 400])
def test_what_no_engine_could_have_as_a_key_is_refused(text):
    with pytest.raises(InvalidValue):
        AddressState(address="a@x", channel=text)
    with pytest.raises(InvalidValue):
        AddressState(address=text)
    with pytest.raises(InvalidValue):
        FrozenCounts(delivery_id="1", audience="all", zone=text, frozen_at=AT)
    for name in ("id", "delivery_id", "message_id", "link_id", "source_id"):
        with pytest.raises(InvalidValue):
            Click(occurred_at=AT, **{name: text})
    with pytest.raises(InvalidValue):
        Checkpoint(source=text, position="1")


PIECES = st.sampled_from(
    [*"'\"`\\;-%:{}?$()\0\x01\n é", "--", "/*", "*/", "%s", ":x", "{x}", "DROP TABLE msgtrack_events", "''"]
)
HOSTILE = st.lists(PIECES, min_size=1, max_size=8).map("".join)
HOSTILE_IDS = HOSTILE.filter(lambda text: len(text.encode()) <= 64)


@settings(max_examples=20 if FULL else 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(pairs=st.lists(st.tuples(HOSTILE_IDS, HOSTILE), min_size=1, max_size=4, unique_by=lambda pair: pair[0]))
def test_texts_made_of_pieces_of_code_come_back_and_are_found(place, pairs):
    empty(place)
    go_through(place, pairs)


def empty(place):
    with place.open() as store:
        store.revise(
            remove=[record for kind in RECORD_KINDS for record in store.find(kind)],
            remove_events=[event.id for event in store.scan()],
        )
        store.rebuild()


@pytest.mark.parametrize("schema", ["'", "`", "x`; DROP DATABASE default; --", "{x}", *(IDS[4:20] if FULL else ())])
@pytest.mark.parametrize("place", ["ClickHouse"], indirect=True)
def test_databases_of_clickhouse_are_quoted(place, schema):
    engine = chdb_process().engine()
    escaped = schema.replace("\\", "\\\\").replace("`", "\\`")
    with place.open() as plain:
        plain.ingest(events("'", "1"))
        with engine.open(f"chdb:///{engine.folder}?database={quote(schema, safe='')}") as store:
            store.put(records("'", "1"))
            store.ingest(events("'", "1"), Checkpoint(source="web", position="1"))
            assert store.counts().deliveries["1"].slots == store.slots()["1"]
            store.rebuild(["1"])
            store.revise(remove_events=["1"])
            assert len([*store.scan()]) == 3
        engine.run(f"DROP DATABASE `{escaped}`")
        assert len([*plain.scan()]) == 4


SCHEMAS = (
    "'",
    '"',
    "`",
    "a b",
    "x'; DROP TABLE victim; --",
    'x"; DROP TABLE victim; --',
    "x`; DROP TABLE victim; #",
    "%s",
    "%(x)s",
)
MORE_SCHEMAS = (":x", "{x}", "$1", "ä", "x" * 60, "--", "/*", "a.b", "\\", "\\'", "select", "A", "?")


@pytest.mark.parametrize("schema", SCHEMAS + (MORE_SCHEMAS if FULL else ()))
@pytest.mark.parametrize("engine", ["PostgreSQL", "MariaDB"])
def test_schemas_are_quoted(engine, schema, database_server):
    server = database_server(engine)
    with server.place() as url:
        plain = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        quoted = plain.dialect.identifier_preparer.quote_identifier(schema).replace("%%", "%")
        with plain.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE victim (n INTEGER)")
        # Where it is not there, it is not made either.
        with pytest.raises(StoreError):
            open_store(url, schema=schema)
        try:
            run(plain, f"CREATE SCHEMA {quoted}")
            with open_store(url, schema=schema) as store:
                store.put(records("'", "1"))
                store.ingest([*events("'", "1"), *(Click(occurred_at=AT, id=f"c{n}") for n in range(5100))])
                assert store.counts().deliveries["1"].slots == store.slots()["1"]
                store.rebuild(["1"])
                store.revise(remove_events=["c1"])
            assert sqlalchemy.inspect(plain).get_table_names() == ["victim"]
        finally:
            cascade = " CASCADE" if engine == "PostgreSQL" else ""
            run(plain, f"DROP SCHEMA IF EXISTS {quoted}{cascade}")


def run(engine, statement):
    """A statement as it is: no driver may look for parameters in it."""
    with engine.connect() as connection, connection.connection.driver_connection.cursor() as cursor:
        cursor.execute(statement)
        connection.connection.driver_connection.commit()


@pytest.mark.parametrize("name", ["it's", 'a"b', "a`b", "a;b", "a b", "a%sb", "a:b", "a{b}", "ä", "--", "a\\b", "a#b"])
@pytest.mark.parametrize("scheme", ["sqlite", "duckdb"])
def test_files_may_have_any_name(scheme, name, tmp_path):
    if importlib.util.find_spec("duckdb") is None and scheme == "duckdb":
        pytest.skip("the package 'duckdb' is not installed")
    if (scheme, name) == ("duckdb", "a\\b"):
        # The engine takes a backslash for a slash, and there is no such folder.
        with pytest.raises(StoreError, match="cannot be opened"):
            open_store(f"{scheme}:///{tmp_path}/{name}")
        return
    with open_store(f"{scheme}:///{tmp_path}/{name}") as store:
        store.ingest(events("'", "1"))
    assert (tmp_path / name).is_file()


@pytest.mark.parametrize("scheme", ["sqlite", "duckdb", "chdb"])
def test_half_characters_are_in_no_address_and_no_name(scheme, tmp_path):
    pytest.importorskip({"duckdb": "duckdb", "chdb": "clickhouse_connect"}.get(scheme, "sqlalchemy"))
    with pytest.raises(InvalidValue):
        open_store(f"{scheme}:///{tmp_path}/\ud800")
    if scheme == "sqlite":
        with pytest.raises(InvalidValue):
            open_store(f"{scheme}:///{tmp_path}/s.db", schema="\ud800")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", [*IDS[:12], "%s", "\0", "x" * 300])
@pytest.mark.parametrize("engine", ["PostgreSQL", "MariaDB"])
def test_a_database_that_is_not_there_is_an_error_of_ours(engine, name, database_server):
    server = database_server(engine)
    address = server.admin.set(database=None).render_as_string(hide_password=False)
    with pytest.raises(MsgtrackError):
        open_store(f"{address.rstrip('/')}/{quote(name, safe='')}")


@pytest.mark.parametrize("text", ["'", "x' OR 1=1 --", "%s", "\0", "{x}"])
def test_closed_lists_take_no_other_text(place, text):
    with place.open() as store:
        store.ingest(events("'", "1"))
        for name in ("kinds", "audience", "zone"):
            with pytest.raises(InvalidValue):
                store.counts(Query(**{name: text}))
        with pytest.raises(InvalidValue):
            store.purge({text: AT}, now=AT)
        assert len([*store.scan()]) == 4


PREFIXES = ("'", "x'; DROP TABLE y; --", "`", "\\", "%s", "{x}", "é", "a b", "x" * 64)
PLAIN = {"a", "_", "null", "f" * 32}
"""Those of the ids that are names as any."""


@pytest.mark.parametrize("place", ["SQLite", "PostgreSQL", "MariaDB"], indirect=True)
def test_prefixes_that_are_no_plain_names_are_refused(place):
    with place.open() as store:
        store.ingest(events("'", "1"))
        before = place.tables()
        for prefix in {*PREFIXES, *IDS} - PLAIN:
            with pytest.raises(InvalidValue):
                place.open(prefix=prefix)
        assert place.tables() == before
        assert len([*store.scan()]) == 4


@pytest.mark.parametrize("place", ["ClickHouse"], indirect=True)
@pytest.mark.parametrize("prefix", [*PREFIXES, *(IDS[4:20] if FULL else ())])
def test_prefixes_are_quoted(place, prefix):
    with place.open() as store:
        store.ingest(events("'", "1"))
        with place.open(prefix=prefix) as other:
            other.put(records("'", "1"))
            other.ingest(events("'", "1"))
            assert other.counts().deliveries["1"].slots == other.slots()["1"]
            assert len([*other.scan()]) == 4
        assert len([*store.scan()]) == 4


@pytest.mark.parametrize("place", ["ClickHouse"], indirect=True)
@pytest.mark.parametrize("prefix", ["\0", "a\0b", "x" * 65, "é" * 33, "\ud800" * 22])
def test_prefixes_that_no_table_could_have_are_refused(place, prefix):
    with pytest.raises(InvalidValue):
        place.open(prefix=prefix)


def test_a_file_of_duckdb_takes_no_prefix_and_no_schema(tmp_path):
    pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")
    for name in ("prefix", "schema"):
        for text in IDS:
            with pytest.raises(UnknownOption):
                open_store(f"duckdb:///{tmp_path / 'd.db'}", **{name: text})
    assert [*tmp_path.iterdir()] == []
