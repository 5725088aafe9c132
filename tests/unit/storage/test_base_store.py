"""What follows from the six methods."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve

from msgtrack import open_store
from msgtrack.errors import InvalidValue, NaiveDatetime, NotSupported, StoreClosed
from msgtrack.events import Open
from msgtrack.facts import Service
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import AuditEntry, FrozenCounts, Query, WorkflowRun
from msgtrack.storage import BaseStore, MemoryStore, admits, in_order, kept_events, paged, record_key

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINK = TrackedLink(delivery_id="1", id="2", url="https://a.example/")


@pytest.fixture(params=["memory:", "sqlite"])
def store(request, tmp_path):
    with open_store("memory:" if request.param == "memory:" else f"sqlite:///{tmp_path / 'x.db'}") as store:
        yield store


def test_records_are_put_and_got_one_by_one(store):
    store.put_deliveries(Delivery(id="1"), Delivery(id="2"))
    store.put_messages(Message(delivery_id="1", id="7"))
    store.put_links(LINK)
    store.put_facts(Service(id="news"))
    assert [*store.facts(Service)] == [Service(id="news")]
    assert store.get_delivery("2") == Delivery(id="2")
    assert store.get_message("1", "7") == Message(delivery_id="1", id="7")
    assert store.get_link("1", "2") == LINK
    assert [store.get_delivery("3"), store.get_message("2", "7"), store.get_link("1", "3")] == [None, None, None]


def test_an_adapter_of_six_methods_says_what_it_lacks():
    class Six(MemoryStore):
        revise = BaseStore.revise

    store = Six()
    with pytest.raises(NotSupported, match="a Six cannot take out") as caught:
        store.erase("r", now=NOON)
    assert "revise()" in str(caught.value)
    with pytest.raises(NotSupported, match="neither erase nor purge"):
        store.purge(NOON, now=NOON)
    assert list(store.audits()) == []


def test_one_name_is_no_list_of_time_zones(store):
    with pytest.raises(InvalidValue, match="not one text: 'Europe/Paris'"):
        store.purge(NOON, zones="Europe/Paris")


def test_leaving_the_with_block_closes(store):
    with store as same:
        assert same is store
    with pytest.raises(StoreClosed):
        store.get_delivery("1")


def test_an_adapter_must_write_the_six_methods():
    missing = {"capabilities", "put", "find", "ingest", "scan", "checkpoint", "close"}
    assert BaseStore.__abstractmethods__ == missing
    with pytest.raises(TypeError, match="abstract"):
        BaseStore()


def test_helpers_for_adapters():
    assert record_key(Delivery(id="1")) == ("1",)
    assert record_key(LINK) == ("1", "2")
    with pytest.raises(InvalidValue, match="not str"):
        record_key("1")
    run = WorkflowRun(id="r", started_at=NOON)
    assert admits(Query(delivery_ids=(), message_ids=()), run)
    assert not admits(Query(delivery_ids="2"), LINK)
    assert in_order([]) == []
    late, early = Open(occurred_at=NOON, id="b"), Open(occurred_at=NOON, id="a")
    assert list(paged(Query(limit=1), [late, early])) == [early]
    assert list(paged(Query(newest_first=True), [early, late])) == [late, early]
    frozen = FrozenCounts(delivery_id="1", audience="all", zone="UTC", frozen_at=NOON)
    assert record_key(frozen) == ("1", "all", "UTC")
    assert not admits(Query(except_delivery_ids="1"), frozen)
    assert admits(Query(delivery_ids=()), AuditEntry(id="a", action="purge", started_at=NOON))
    bare = Open(occurred_at=NOON)
    other = evolve(bare, link_id="2")
    kept = list(kept_events([bare, bare, other]))
    assert [event.id for event in kept] == [bare.id, bare.derived_id(1), other.id]
    assert all(event.has_own_id for event in kept)
    own = Open(occurred_at=NOON, id="e")
    assert list(kept_events([own, own])) == [own, own]


def test_an_audit_entry_has_the_moment_given_or_none() -> None:
    store = open_store("memory:")
    store.put([Delivery(id="1"), Message(id="7", delivery_id="1", recipient_id="ann")])
    assert store.erase("ann").started_at is None
    assert store.purge(NOON).started_at is None
    dated = store.purge(NOON, now=NOON)
    assert dated.started_at == NOON
    assert [entry.started_at for entry in store.audits()] == [NOON, None, None]
    with pytest.raises(NaiveDatetime):
        store.erase("bob", now=NOON.replace(tzinfo=None))
