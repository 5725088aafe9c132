"""Counts are written and read back, and put together with those of other deliveries."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given

from msgtrack.counts import Counts
from msgtrack.errors import EventsPurged, StoreError
from msgtrack.protocols import FrozenCounts, Query
from msgtrack.storage import MemoryStore
from msgtrack.storage._frozen import read_counts, together, written_counts
from msgtrack.tally import Tally
from msgtrack.testing import strategies

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@given(strategies.counts())
def test_what_was_written_is_read(counts):
    body = written_counts(counts)
    assert read_counts(body) == counts
    assert body.isascii()
    assert written_counts(read_counts(body)) == body


@pytest.mark.parametrize(
    "body", ["", "?", "[]", "1", '{"persons":{}}', '{"nobody":1}', '{"deliveries":{"1":[]}}', '"x"']
)
def test_what_was_not_written_by_us_is_refused(body):
    with pytest.raises(StoreError, match="frozen counts cannot be read"):
        read_counts(body)


@given(strategies.worlds())
def test_deliveries_counted_apart_are_those_counted_together(world):
    store = MemoryStore()
    store.put(world.records)
    store.ingest(world.events)
    whole = store.counts()
    names = [name for name in whole.deliveries if name]
    parts = {name: evolve(store.counts(Query(delivery_ids=name)), services={}, applications={}) for name in names}
    rest = store.counts(Query(except_delivery_ids=names))
    both = together(rest, parts)
    assert both.deliveries == whole.deliveries
    assert [*both.deliveries] == [*whole.deliveries]
    assert (both.services, both.applications, both.zone) == (whole.services, whole.applications, whole.zone)
    assert both.frozen == tuple(sorted(names))
    # Whoever is in two deliveries counts in each.
    assert both.persons >= whole.persons
    assert sum(row.pages for row in both.visits) == sum(row.pages for row in whole.visits)
    assert [evolve(row, visitors=0) for row in both.visits] == [evolve(row, visitors=0) for row in whole.visits]


def test_nothing_and_nothing_is_nothing():
    assert together(Tally().counts(), {}) == Counts()


@given(strategies.worlds())
def test_purging_a_world_leaves_its_counts(world):
    store = MemoryStore()
    store.put(world.records)
    store.ingest(world.events)
    names = [name for name in store.counts().deliveries if name]
    before = {name: store.counts(Query(delivery_ids=name)) for name in names}
    whole = store.counts()
    store.purge(LATER, now=LATER)
    over = {frozen.delivery_id for frozen in store.frozen()}
    for name in names:
        after = store.counts(Query(delivery_ids=name))
        assert evolve(after, frozen=()) == before[name]
        assert after.frozen == ((name,) if name in over else ())
    assert store.counts().deliveries == whole.deliveries
    assert all(event.delivery_id not in over for event in store.scan())
    assert all(message.delivery_id not in over for message in store.messages())
    # What stays has no moment at all, or names no delivery.
    assert {event.delivery_id for event in store.scan()} <= {None}


def test_counts_that_were_not_frozen_are_named():
    """As of a delivery that was frozen before counts without any event were."""
    store = MemoryStore()
    store.put(FrozenCounts(delivery_id="1", audience="all", zone=zone) for zone in ("UTC", "Asia/Tokyo"))
    with pytest.raises(EventsPurged, match="do not answer the audience 'none'"):
        store.counts(Query(audience=()))
    with pytest.raises(EventsPurged, match=r"days in the zone Europe/Paris.*Asia/Tokyo, UTC"):
        store.counts(Query(zone="Europe/Paris"))
    with pytest.raises(EventsPurged, match="the audience 'none'"):
        store.counts(Query(audience=(), until=LATER))
