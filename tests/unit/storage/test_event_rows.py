"""Rows of events are made by column, many at a time; each must be as if it were made alone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")

from msgtrack.counts import REACTION_KINDS, SLOT_SECONDS  # after the check
from msgtrack.errors import InvalidValue
from msgtrack.events import Click, Event, Open, Transaction
from msgtrack.model import Client, Verdict
from msgtrack.storage._consolidated import Sums
from msgtrack.storage._core import kept_batches, kept_ids
from msgtrack.storage._event_rows import Commons, EventWriter
from msgtrack.storage._rows import EVENT_COLUMNS, READ_COLUMNS, EventReader
from msgtrack.storage._schema import microseconds, tables_of, unpack_id
from msgtrack.storage._types import pack_id, pack_ids
from msgtrack.testing import strategies

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENTS = st.lists(strategies.events(), max_size=12)


def made(events, writer=None):
    kept = [*kept_ids(events)]
    writer = writer or EventWriter()
    return writer.rows([name for name, _ in kept], [event for _, event in kept])


@given(EVENTS)
def test_a_row_is_the_same_among_others_and_alone(events):
    kept = [*kept_ids(events)]
    assert made(events) == [EventWriter().rows([name], [event])[0] for name, event in kept]


@given(EVENTS)
def test_what_is_written_is_read_back(events):
    places = [EVENT_COLUMNS.index(name) for name in READ_COLUMNS]
    reader = EventReader()
    for (name, event), row in zip(kept_ids(events), made(events), strict=True):
        kept_id, *rest = (row[place] for place in places)
        assert reader.event([unpack_id(kept_id), *rest]) == evolve(event, id=name)


@given(EVENTS)
def test_columns_hold_what_the_events_say(events):
    columns = dict(zip(EVENT_COLUMNS, EventWriter().columns([*map(str, range(len(events)))], events), strict=True))
    assert [*columns["occurred_at"]] == [microseconds(event.occurred_at) for event in events]
    assert [*columns["kind"]] == [event.kind for event in events]
    assert [*columns["audience"]] == [event.verdict.audience.value for event in events]
    assert [*columns["left_out"]] == [int(event.is_seed or event.is_proof) for event in events]


def test_a_writer_goes_on_over_more_events_than_it_holds_bodies_of():
    clients = [Client(browser=f"b{number}") for number in range(6000)]
    events = [
        Open(occurred_at=NOON + timedelta(seconds=number), client=client)
        for number, client in enumerate(clients + clients)
    ]
    writer = EventWriter()
    rows = made(events, writer)
    assert len({key for key, _ in writer.terms()}) == 6000
    place = EVENT_COLUMNS.index("body")
    assert [row[place] for row in rows] == [f'{{"v":1,"client":{{"browser":"b{n % 6000}"}}}}' for n in range(12000)]


def test_another_object_in_the_place_of_one_that_is_gone_is_not_taken_for_it():
    writer = EventWriter()
    place = EVENT_COLUMNS.index("audience")
    for number in range(2000):
        audience = ("human", "machine")[number % 2]
        [row] = made([Open(occurred_at=NOON, verdict=Verdict(audience=audience))], writer)
        assert row[place] == audience


@given(st.lists(EVENTS, max_size=4))
def test_what_was_common_in_earlier_calls_changes_no_row_and_no_term(calls):
    commons = Commons()
    for events in calls:
        writer, alone = EventWriter(commons), EventWriter()
        assert made(events, writer) == made(events, alone)
        assert writer.terms() == alone.terms()
        assert writer.terms() == []


def test_objects_of_an_earlier_call_that_are_gone_are_not_mistaken_for_others():
    commons = Commons()
    place = EVENT_COLUMNS.index("body")
    for number in range(2000):
        client = Client(browser=f"b{number % 7}")
        [row] = made([Open(occurred_at=NOON, client=client)], EventWriter(commons))
        assert row[place] == f'{{"v":1,"client":{{"browser":"b{number % 7}"}}}}'
        del client


def test_amounts_that_are_equal_are_kept_as_they_were_written():
    events = [Transaction(occurred_at=NOON, amount=Decimal(amount)) for amount in ("1.5", "1.50")]
    bodies = [row[EVENT_COLUMNS.index("body")] for row in made(events)]
    assert ["1.50" in body for body in bodies] == [False, True]


@given(st.lists(st.text(max_size=40) | st.text("0123456789abcdefABCDEF ", min_size=32, max_size=32), max_size=8))
@example(["AB" * 16])
@example(["ab " * 10 + "ab", "ab" * 16])
@example(["a" * 31, "a" * 33])
@example(["x" * 32])
def test_ids_are_packed_together_as_they_are_packed_alone(ids):
    assert pack_ids(ids) == [*map(pack_id, ids)]


@given(st.lists(st.uuids().map(lambda number: number.hex), min_size=1, max_size=8))
def test_our_own_ids_become_bytes(ids):
    assert pack_ids(ids) == [*map(bytes.fromhex, ids)]


@given(EVENTS, st.integers(1, 5))
def test_batches_give_the_ids_that_one_after_the_other_gives(events, size):
    events = events + events
    batches = [*kept_batches(iter(events), size)]
    assert [pair for ids, batch in batches for pair in zip(ids, batch, strict=True)] == [*kept_ids(events)]
    assert all(len(batch) == size for _, batch in batches[:-1])


@pytest.mark.parametrize("wrong", [None, "click", Event(occurred_at=NOON), object()])
def test_a_batch_refuses_what_is_no_event(wrong):
    with pytest.raises(InvalidValue, match="ingests events of the known kinds"):
        [*kept_batches([Open(occurred_at=NOON), wrong], 10)]


@given(st.lists(EVENTS, max_size=3))
def test_sums_are_what_events_add_up_to(batches):
    tables, sums, writer = tables_of(), Sums(), EventWriter()
    for events in batches:
        sums.add(writer.columns([*map(str, range(len(events)))], events))
    slots, days = Counter(), Counter()
    for event in (event for events in batches for event in events if not (event.is_seed or event.is_proof)):
        us, audience = microseconds(event.occurred_at), event.verdict.audience.value
        row = made([event])[0]
        slot = us // 1_000_000 // SLOT_SECONDS * SLOT_SECONDS
        slots[event.delivery_id or "", event.kind, event.link_id or "", slot, audience] += 1
        if event.kind in REACTION_KINDS:
            agent_key = row[EVENT_COLUMNS.index("agent_key")] or 0
            days[event.delivery_id or "", us // 86_400_000_000, agent_key, event.kind, audience] += 1
    found = dict(sums.rows(tables))
    for table, wanted in ((tables.slots, slots), (tables.agent_days, days)):
        rows = [*zip(*found.get(table, []), strict=True)]
        assert rows == sorted((*key, times) for key, times in wanted.items())


def test_events_of_seeds_and_proofs_are_in_no_sum():
    sums = Sums()
    events = [Click(occurred_at=NOON, is_seed=True), Click(occurred_at=NOON, is_proof=True)]
    sums.add(EventWriter().columns(["a", "b"], events))
    assert not len(sums)
    assert [*sums.rows(tables_of())] == []
