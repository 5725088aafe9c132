"""What keeping house reads of a database: no more than the question needs, however much is there."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from msgtrack import open_store
from msgtrack.events import Click
from msgtrack.facts import AddressState, Exclusion, SharedView, Visitor
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import Query
from msgtrack.storage import MemoryStore

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from msgtrack.storage import _core

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=400)


def fill(store, name, at=NOON):
    store.put([Delivery(id=name, contact_at=at), TrackedLink(delivery_id=name, id="2", url="https://a.example/")])
    store.put(Message(delivery_id=name, id=str(n), recipient_id=f"r{n}", status="sent", event_at=at) for n in range(5))
    store.ingest(Click(occurred_at=at, delivery_id=name, message_id=str(n), source_id="b") for n in range(5))


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        yield store


@pytest.fixture
def rows_read(store, monkeypatch):
    """How many rows were read, by table."""
    read = Counter()
    rows = store._database.rows

    def counted(statement, check_open):
        table = statement.get_final_froms()[0].name.removeprefix("msgtrack_")
        for row in rows(statement, check_open):
            # Ids alone are not what takes long.
            read[table] += "body" in statement.selected_columns
            yield row

    monkeypatch.setattr(store._database, "rows", counted)
    return read


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(delivery_ids="1"), 1),
        (Query(delivery_ids="1", until=NOON), 2),
        (Query(delivery_ids="live"), 0),
        (Query(), 3),
        (Query(audience="human", zone="Europe/Paris"), 3),
        (Query(except_delivery_ids="2", since=NOON - timedelta(days=1)), 4),
    ],
)
def test_of_frozen_counts_those_are_read_that_answer(store, rows_read, query, expected):
    for name in "123":
        fill(store, name)
    fill(store, "live", LATER)
    store.purge(LATER, zones=("UTC", "Europe/Paris"))
    # Seven rows of each delivery in each zone: all, four audiences, none, and nothing at all.
    assert len([*store.frozen()]) == 3 * 7 * 2
    for ask in (store.counts, store.slots):
        rows_read.clear()
        ask(query)
        assert rows_read["frozen"] == expected


def test_thousands_of_frozen_deliveries_leave_counting_to_the_engine(store, monkeypatch):
    made = MemoryStore()
    fill(made, "1")
    made.purge(LATER)
    names = [f"d{number}" for number in range(5100)]
    [template] = [kept for kept in made.frozen() if kept.audience == "all"]
    store.put(evolve(template, delivery_id=name, body=template.body.replace('"1":', f'"{name}":', 1)) for name in names)
    store.put(Delivery(id=name) for name in names)
    fill(store, "live", LATER)
    live = store.counts(Query(delivery_ids="live"))

    def folded(*_):
        raise AssertionError("folded")

    monkeypatch.setattr(_core, "fold", folded)
    counts = store.counts()
    assert counts.frozen == tuple(sorted(names))
    assert counts.deliveries["live"] == live.deliveries["live"]
    assert counts.persons == 5101
    assert sum(map(len, store.slots().values())) == 5101


def test_whoever_is_erased_has_his_own_rows_read(store, rows_read):
    store.put(
        Message(delivery_id="1", id=str(n), recipient_id=f"r{n}", address=f"{n}@a.example", status="sent")
        for n in range(800)
    )
    store.put([Message(delivery_id="2", id="1", recipient_id="other", address="9@a.example")])
    for number in range(200):
        store.put(
            [
                AddressState(address=f"{number}@a.example"),
                Exclusion(delivery_id="1", id=f"{number}", address=f"{number}@a.example"),
                Visitor(delivery_id="1", id=f"v{number}", recipient_id=f"r{number}"),
                Visitor(delivery_id="1", id=f"nobody{number}"),
                SharedView(delivery_id="1", id=str(number), network="email", occurred_at=NOON, visitor_id=f"v{number}"),
            ]
        )
    store.ingest(Click(occurred_at=NOON, delivery_id="1", message_id=str(n), source_id=f"s{n}") for n in range(800))
    assert len([*store.export("r7")]) == 6
    store.erase("r7")
    assert [*store.export("r7")] == []
    # Somebody else has this address too.
    store.erase("r9")
    assert [*store.find_having(AddressState, "address", {"7@a.example", "9@a.example"})] == [
        AddressState(address="9@a.example")
    ]
    assert max(rows_read["messages"], rows_read["facts"], rows_read["events"]) < 50


def test_a_purge_passes_over_what_was_purged_before(store, rows_read, monkeypatch):
    for name in "123":
        fill(store, name)
    assert store.purge(LATER).done["frozen"] == 3
    looked_at = []
    scan = store.scan
    monkeypatch.setattr(store, "scan", lambda query: looked_at.append(query.delivery_ids) or scan(query))
    rows_read.clear()
    store.ingest([Click(occurred_at=NOON, delivery_id="3", message_id="1")])
    assert store.purge(LATER).done == {"events": 1}
    assert rows_read["frozen"] == 0
    assert looked_at == [("3",)]
