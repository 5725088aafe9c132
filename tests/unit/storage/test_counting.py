"""Counts by an engine, held against the fold of the same facts; SQLite is the engine, tables and statements are those of all."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msgtrack import facts as fact_values
from msgtrack import model as model_values
from msgtrack import open_store
from msgtrack.events import Click, Event, Open
from msgtrack.facts import Fact
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import Query
from msgtrack.records import from_dict
from msgtrack.storage import BaseStore, MemoryStore
from msgtrack.testing import strategies as values

sqlalchemy = pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from msgtrack.storage import _consolidated  # noqa: E402  # after the check
from msgtrack.storage._counting import counts_of  # noqa: E402
from msgtrack.storage._counting_slots import _by_slot, slots_of  # noqa: E402
from msgtrack.storage._event_rows import EventWriter  # noqa: E402
from msgtrack.storage._operations import Operations, operations_for  # noqa: E402
from msgtrack.storage._rows import EVENT_COLUMNS, SHELVES  # noqa: E402
from msgtrack.storage._schema import tables_of  # noqa: E402
from msgtrack.storage.base import kept_ids  # noqa: E402

STORES = Path(__file__).resolve().parents[2] / "data" / "stores"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Engine:
    """A database in memory that keeps the rows of a store in memory; records are read of that store."""

    def __init__(self):
        self.store = MemoryStore()
        self.tables = tables_of("t_")
        self.connection = sqlalchemy.create_engine("sqlite://").connect()
        self.tables.metadata.create_all(self.connection)
        self.operations = operations_for("sqlite")

    def close(self):
        self.connection.close()
        self.store.close()

    def execute(self, statement):
        return self.connection.execute(statement)

    def put(self, records):
        for record in records:
            self.store.put([record])
            if not isinstance(record, Fact):
                shelf = SHELVES[type(record)]
                self._insert(self.tables.terms, shelf.terms(record), "OR IGNORE")
                self._insert(shelf.table(self.tables), [shelf.row(record)], "OR REPLACE")

    def ingest(self, events):
        events = [*events]
        self.store.ingest(events)
        last = sqlalchemy.select(sqlalchemy.func.coalesce(sqlalchemy.func.max(self.tables.events.c.seq), 0))
        before = self.execute(last).scalar_one()
        writer = EventWriter()
        kept = [*kept_ids(events)]
        rows = writer.rows([name for name, _ in kept], [event for _, event in kept])
        self._insert(self.tables.terms, writer.terms(), "OR IGNORE")
        self._insert(self.tables.events, rows, "OR IGNORE", EVENT_COLUMNS)
        _consolidated.note(self.execute, self.tables, self.operations, after=before)

    def _insert(self, table, rows, how, columns=None):
        names = [*(columns or table.c.keys())]
        for row in rows:
            statement = table.insert().prefix_with(how, dialect="sqlite")
            self.connection.execute(statement, dict(zip(names, row, strict=True)))

    def ask(self, statement):
        return self.connection.execute(statement).fetchall()

    def counts(self, query, *, lays_aside=True):
        execute = self.execute if lays_aside else None
        return counts_of(self.store, self.ask, query, self.tables, self.operations, execute=execute)

    def slots(self, query):
        return slots_of(self.ask, query, self.tables, self.operations)


@pytest.fixture
def engine():
    made = Engine()
    yield made
    made.close()


def agree(engine, query=None):
    query = query or Query()
    if query.is_paged:
        assert engine.counts(query) is None
        assert engine.slots(query) is None
        return
    expected = engine.store.live_counts(query)
    assert engine.counts(query) == expected
    assert engine.counts(query, lays_aside=False) == expected
    assert engine.slots(query) == engine.store.live_slots(query)


ASKED = [
    Query(),
    Query(audience="human", zone="Europe/Paris"),
    Query(audience=["proxy", "machine"], zone="America/St_Johns"),
    Query(delivery_ids=["spring", "Spring"], kinds=["click", "transaction"]),
    Query(delivery_ids="spring", link_ids=["2", "3"]),
    Query(recipient_id="r1", zone="Asia/Kathmandu"),
    Query(domains=["own\x00\ud800", "Gmail"]),
    Query(labels=["Shop"], except_delivery_ids=["push"]),
    Query(categories=["c2", ""], message_ids=["m1", "m3"]),
    Query(since=NOON - timedelta(days=1), until=NOON + timedelta(days=27, hours=11)),
    Query(since=datetime(2026, 3, 28, 23, tzinfo=UTC)),
    Query(until=datetime(2026, 3, 29, tzinfo=UTC), zone="Pacific/Apia"),
    Query(since=datetime(2026, 3, 28, 23, 0, 0, 1, tzinfo=UTC)),
    Query(delivery_ids=[]),
    Query(delivery_ids=["nobody", "none"]),
]
"""Questions about the world of ``tests/data/stores``: seeds, proofs, shared labels, ghosts, years before the time zones."""


def world():
    records, events = [], []
    for line in (STORES / "world.jsonl").read_text(encoding="utf-8").splitlines():
        what, name, written = json.loads(line)
        if what == "event":
            events.append(from_dict(written, Event))
        else:
            records.append(from_dict(written, getattr(model_values if what == "record" else fact_values, name)))
    return records, events


@pytest.fixture
def filled(engine):
    records, events = world()
    engine.ingest(events[::2])
    engine.put(records)
    # Half of them again: what is known already is not added up.
    engine.ingest(events)
    return engine


@pytest.mark.parametrize("query", ASKED, ids=range(len(ASKED)))
def test_a_world_with_everything_in_it(filled, query):
    agree(filled, query)
    expected = filled.store.live_counts(query)
    filled.operations.keeps_slots = False
    assert filled.counts(query) == expected
    assert filled.slots(query) == filled.store.live_slots(query)


def test_portable_statements_say_the_same(filled):
    expected = filled.store.live_counts(Query())
    filled.operations = Operations()
    assert filled.counts(Query()) == expected


def test_what_is_consolidated_can_be_made_anew(filled):
    def kept():
        return {
            table.name: sorted(filled.ask(sqlalchemy.select(table)))
            for table in (filled.tables.slots, filled.tables.agent_days)
        }

    expected = kept()
    assert all(expected.values())
    for table in (filled.tables.slots, filled.tables.agent_days):
        filled.execute(table.update().values(times=table.c.times + 7))
    _consolidated.rebuild(filled.execute, filled.tables, filled.operations, ["spring", ""])
    assert kept() != expected
    agree(filled, Query(delivery_ids="spring"))
    _consolidated.rebuild(filled.execute, filled.tables, filled.operations, ["push", "Spring", "nobody"])
    assert kept() == expected
    filled.execute(sqlalchemy.delete(filled.tables.slots))
    _consolidated.rebuild(filled.execute, filled.tables, filled.operations)
    assert kept() == expected


def test_rewriting_keeps_what_is_consolidated_right(tmp_path):
    records, events = world()
    with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        store.put(records)
        store.ingest(events)
        kept = [*store.scan()]
        moved = [evolve(event, verdict="machine", delivery_id="push") for event in kept[::3]]
        store.revise(events=moved, remove_events=[*(event.id for event in kept[1::4]), "none"])
        slots = store.slots()
        assert all(store.counts(query) == BaseStore.live_counts(store, query) for query in ASKED)
        store.rebuild()
        assert store.slots() == slots
        store.revise(remove_events=[event.id for event in kept])
        assert store.slots() == {}
        assert store.counts() == BaseStore.live_counts(store)


def test_slots_are_answered_without_a_look_at_events(filled):
    expected = filled.store.live_slots(Query(delivery_ids="push"))
    filled.execute(sqlalchemy.delete(filled.tables.events))
    assert filled.slots(Query(delivery_ids="push")) == expected != {}


def test_a_message_that_turns_out_to_be_a_seed_counts_no_more(filled):
    message = next(m for m in filled.store.messages() if (m.delivery_id, m.id) == ("spring", "m1"))
    filled.put([evolve(message, is_seed=True)])
    agree(filled)
    filled.put([message])
    agree(filled)


def test_whoever_registers_the_open_as_a_link_changes_nothing(engine):
    links = [
        TrackedLink(delivery_id="1", id=number, url="https://x.example/", label="Shop") for number in ("1", "2", "3")
    ]
    engine.put(links)
    engine.ingest(
        [
            Open(occurred_at=NOON, delivery_id="1", message_id="7"),
            Open(occurred_at=NOON, delivery_id="1", message_id="8", link_id=None),
            *(Click(occurred_at=NOON, delivery_id="1", message_id=m, link_id=n) for m, n in (("7", "2"), ("7", "3"))),
        ]
    )
    agree(engine)
    assert set(engine.counts(Query()).deliveries["1"].groups["label"]) == {"", "Shop"}


def test_sizes_beyond_all_measure_are_left_to_the_fold(engine):
    engine.put([Delivery(id="1"), Message(delivery_id="1", id="7", status="sent", size_bytes=2**63 - 1)])
    assert engine.counts(Query()) is None
    engine.put([Message(delivery_id="1", id="7", status="sent", size_bytes=2**36)])
    agree(engine)


def test_more_ids_than_a_statement_takes_are_left_to_the_fold(engine):
    assert engine.counts(Query(message_ids=list(map(str, range(5001))))) is None
    assert engine.slots(Query(labels=list(map(str, range(5001))))) is None
    assert engine.counts(Query(message_ids=list(map(str, range(5000))))) is not None
    # SQLite would read but the half of the last one.
    assert engine.counts(Query(delivery_ids=[*map(str, range(5001)), "1\x002"])) is None


def test_deliveries_are_named_and_left_out_by_the_thousand(filled):
    others = [str(number) for number in range(20_000)]
    for name in ("spring", "push"):
        agree(filled, Query(delivery_ids=[*others, name], zone="Europe/Paris"))
        agree(filled, Query(except_delivery_ids=[*others, name], audience="human"))


def test_years_of_changing_clocks_are_left_to_the_fold(engine):
    engine.ingest(
        Open(occurred_at=datetime(year, month, 1, tzinfo=UTC), delivery_id="1")
        for year in range(1950, 2030)
        for month in (1, 7)
    )
    assert engine.counts(Query(zone="America/New_York")) is None
    agree(engine, Query(zone="UTC"))
    agree(engine, Query(zone="Asia/Tokyo"))


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Europe/Amsterdam"])
def test_the_ends_of_the_calendar(engine, zone):
    moments = [
        datetime(1, 1, 1),
        datetime(1, 1, 2),
        datetime(1850, 3, 1, 23, 55),
        datetime(1969, 12, 31, 23, 59),
        datetime(9999, 12, 31, 23, 59, 59),
    ]
    engine.ingest(Click(occurred_at=at.replace(tzinfo=UTC), delivery_id="1", source_id=str(at)) for at in moments)
    agree(engine, Query(zone=zone))


@st.composite
def questions(draw):
    world = draw(values.worlds())
    queries = draw(st.lists(values.queries(world), min_size=1, max_size=2))
    return world, queries


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(asked=questions(), parts=st.integers(1, 3))
def test_the_engine_counts_what_the_fold_counts(asked, parts):
    world, queries = asked
    engine = Engine()
    try:
        for part in range(parts):
            engine.ingest(world.events[part::parts])
            engine.put(world.records[part::parts])
        for query in queries:
            agree(engine, query)
        agree(engine, Query(audience=queries[0].audience, zone=queries[0].zone))
    finally:
        engine.close()


def test_rows_of_no_times_say_nothing_whatever_the_engine_writes_them_as(filled):
    slots = filled.tables.slots
    expected = filled.slots(Query())
    for audience, times in (("human", 0), ("proxy", 3), ("machine", -3)):
        filled.execute(slots.insert().values(("", "open", "nothing", 300, audience, times)))
        filled.execute(slots.insert().values(("nowhere", "open", "", -300, audience, times)))
    for operations in (filled.operations, Operations()):
        filled.operations = operations
        assert filled.slots(Query()) == expected
        assert "nowhere" not in filled.counts(Query()).deliveries
    assert filled.slots(Query(audience="machine"))["nowhere"] == {"open": {"": {-300: -3}}}


def test_numbers_are_read_however_an_engine_writes_them():
    slots, times = [-62135596800, 253402300500, 0, -300], [1, 2**40, 0, -7]
    by_turns = [number for pair in zip(slots, times, strict=True) for number in pair]
    in_rows = [(None, "open", "2", Decimal(slot), Decimal(n)) for slot, n in zip(slots, times, strict=True)]
    none = sqlalchemy.select(*map(sqlalchemy.column, ("of", "kind", "link_id", "slot", "times")))
    as_text = ",".join(map(str, by_turns))
    for name, rows in (
        ("sqlite", [(None, "open", "2", as_text)]),
        ("postgresql", [(None, "open", "2", struct.pack(">8q", *by_turns))]),
        ("mariadb", [(None, "open", "2", as_text, Decimal(len(as_text)))]),
        ("mysql", in_rows),
    ):
        found = operations_for(name).gathered(lambda _, rows=rows: rows, none)
        assert [*found] == [(None, "open", "2", slots, times)], name
    assert [*_by_slot([600, -300, 600, 0], [1, 2, 4, 0]).items()] == [(-300, 2), (600, 5)]
    assert [*_by_slot([600, -300], [1, 2]).items()] == [(-300, 2), (600, 1)]


def test_slots_are_one_answer_after_one_look_at_what_to_leave_out(engine):
    engine.put([Delivery(id="1"), Delivery(id="proof", is_proof=True), Message(id="m", delivery_id="1")])
    engine.ingest([Open(occurred_at=NOON, delivery_id=name, message_id="m") for name in ("1", "proof")])
    asked = []
    ask = engine.ask
    engine.ask = lambda statement: asked.append(statement) or ask(statement)
    for query in (Query(), Query(delivery_ids=["1", "proof"])):
        asked.clear()
        assert [*engine.slots(query)] == ["1"]
        assert len(asked) == 2
    engine.put([Message(id="m", delivery_id="proof", is_seed=True)])
    assert [*engine.slots(Query())] == ["1"]
    engine.put([Message(id="m", delivery_id="1", is_seed=True)])
    asked.clear()
    assert engine.slots(Query()) == {}
    assert len(asked) == 3
