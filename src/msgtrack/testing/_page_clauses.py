"""Clauses S24 to S28: joins, pages, slots, rebuilding, and what stores say of themselves."""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import InvalidValue
from msgtrack.events import Event
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import AuditEntry, FrozenCounts, Query, Store
from msgtrack.storage import BaseStore
from msgtrack.tally import fold
from msgtrack.testing import strategies
from msgtrack.testing._cases import NO_IDS, NOON, StoreFactory, click, few_examples, needs, opened, with_id

__all__ = ["PageClauses"]


def _ids(store: Store, query: Query) -> list[str]:
    return [event.id for event in store.scan(query)]


def _link(id: str, **fields: str) -> TrackedLink:  # noqa: A002  # the field's name
    return TrackedLink(delivery_id="1", id=id, url="https://a.example/ ", **fields)


class PageClauses:
    """Narrowing by what is known of links and messages, and reading in pages."""

    def test_S24_labels_and_categories_are_those_of_the_links_there(self, store: Store) -> None:
        """S24: trimmed, the URL where there is no label; a link that comes after its events counts, an older text no more."""
        store.ingest(click(n, id=f"e{n}", link_id=str(n)) for n in range(2, 6))
        store.ingest([click(6, id="e6", link_id="2", delivery_id="2"), click(7, id="e7", link_id=None)])
        store.put([_link("2", label=" Shop ", category="a"), _link("3", category=" a"), _link("4", label="Shop\0")])
        assert _ids(store, Query(labels="Shop")) == ["e2"]
        assert _ids(store, Query(labels=(" https://a.example/", "Shop\0"))) == ["e3", "e4"]
        assert _ids(store, Query(categories="a ")) == ["e2", "e3"]
        assert _ids(store, Query(categories="", labels=("Shop", "Shop\0"))) == ["e4"]
        assert _ids(store, Query(labels=())) == _ids(store, Query(categories=())) == []
        store.put([_link("5", label="Shop"), _link("2", label="shop")])
        assert _ids(store, Query(labels="Shop")) == ["e5"]
        assert _ids(store, Query(labels="Shop", delivery_ids="2")) == []

    def test_S24_domains_and_recipient_are_those_of_one_message(self, store: Store) -> None:
        """S24: of the message that the event names, at the time of the scan; an event of no known message passes none."""
        store.ingest(click(n, id=f"e{n}", message_id=str(n)) for n in range(4))
        store.put(Message(delivery_id="1", id=str(n), recipient_id="r", domain=d) for n, d in ((0, "a"), (1, "A")))
        store.put([Message(delivery_id="1", id="2", recipient_id="q", domain="a"), Message(delivery_id="2", id="3")])
        assert _ids(store, Query(domains="a")) == ["e0", "e2"]
        assert _ids(store, Query(domains=("a", "A"), recipient_id="r")) == ["e0", "e1"]
        assert _ids(store, Query(domains="a", recipient_id="r")) == ["e0"]
        assert _ids(store, Query(domains=())) == _ids(store, Query(domains="Others")) == []
        store.put([Message(delivery_id="1", id="0", recipient_id="r", domain="b")])
        assert _ids(store, Query(domains="a")) == ["e2"]

    def test_S24_half_characters_can_be_asked_for(self, store: Store) -> None:
        """S24: labels, categories and domains are texts, so they may hold anything."""
        odd = ("\ud800", "\0", "a\udfffb", "'; DROP TABLE x; --")
        store.put(_link(str(n), label=text, category=text) for n, text in enumerate(odd))
        store.put(Message(delivery_id="1", id=str(n), domain=text) for n, text in enumerate(odd))
        store.ingest(click(n, id=f"e{n}", link_id=str(n), message_id=str(n)) for n in range(len(odd)))
        for n, text in enumerate(odd):
            for query in (Query(labels=text), Query(categories=text), Query(domains=text)):
                assert _ids(store, query) == [f"e{n}"]

    @few_examples
    @given(data=st.data())
    def test_S24_every_query_gives_what_passes(self, store: Store, data: st.DataObject) -> None:
        """S24: ``scan(query)`` is ``scan()`` filtered by ``query.admits`` and by the messages and links there."""
        world = data.draw(strategies.worlds())
        query = evolve(data.draw(strategies.queries(world)), limit=None, newest_first=False)
        store.put(world.records)
        store.ingest(world.events)
        messages = {(m.delivery_id, m.id): m for m in store.messages()}
        links = {(link.delivery_id, link.id): link for link in store.links()}

        def passes(event: Event) -> bool:
            message = messages.get((event.delivery_id or "", event.message_id or ""))
            link = links.get((event.delivery_id or "", event.link_id or ""))
            return (
                query.admits(event)
                and (not query.asks_messages or (message is not None and query.admits_message(message)))
                and (not query.asks_links or (link is not None and query.admits_link(link)))
            )

        assert list(store.scan(query)) == [event for event in store.scan() if passes(event)]

    def test_S24_deliveries_can_be_left_out(self, store: Store) -> None:
        """S24: ``except_delivery_ids`` leaves out what belongs to a delivery, and keeps what belongs to none."""
        store.put([*map(_delivery, "123"), *(Message(delivery_id=d, id="7") for d in "123")])
        store.ingest(click(n, id=f"e{n}", delivery_id=d) for n, d in enumerate(("1", "2", "3", None)))
        but_two = Query(except_delivery_ids="2")
        assert _ids(store, but_two) == ["e0", "e2", "e3"]
        assert [delivery.id for delivery in store.deliveries(but_two)] == ["1", "3"]
        assert [message.delivery_id for message in store.messages(but_two)] == ["1", "3"]
        assert _ids(store, Query(delivery_ids=("1", "2"), except_delivery_ids=("2", "9"))) == ["e0"]
        many = tuple(map(str, range(2, 40_000)))
        assert _ids(store, Query(except_delivery_ids=many)) == ["e0", "e3"]
        assert [*store.counts(but_two).deliveries] == ["", "1", "3"]

    def test_S25_a_page_follows_another(self, store: Store) -> None:
        """S25: page after page gives the whole, each event once, also where many share a moment; in both directions."""
        ids = ["0", "1", "10", "2", "A" * 32, "a", "a" * 32, "bZ", "é", "\U0001f600", "z\0"]
        store.ingest(click(minute, id=f"{id_}{minute}") for minute in range(3) for id_ in reversed(ids))
        whole = list(store.scan())
        assert list(store.scan(Query(newest_first=True))) == whole[::-1]
        for newest_first in (False, True):
            for size in (1, 4, 100):
                query = Query(limit=size, newest_first=newest_first)
                pages = [list(store.scan(query))]
                while len(pages[-1]) == size:
                    pages.append(list(store.scan(evolve(query, after=pages[-1][-1]))))
                assert [event for page in pages for event in page] == (whole[::-1] if newest_first else whole)
                assert all(len(page) == size for page in pages[:-1])

    def test_S25_a_page_narrows_like_any_query(self, store: Store) -> None:
        """S25: ``limit`` counts what passes the rest; 0 is nothing; ``after`` need not be there."""
        store.put([Message(delivery_id="1", id="7", recipient_id="r")])
        store.ingest(click(n, id=f"e{n}", message_id="7" if n % 2 else "8") for n in range(2500))
        his = Query(recipient_id="r", newest_first=True, limit=2)
        assert _ids(store, his) == ["e2499", "e2497"]
        assert _ids(store, evolve(his, after=(NOON + timedelta(minutes=3), "e"))) == ["e1"]
        assert _ids(store, evolve(his, after=(NOON + timedelta(minutes=3), "f"))) == ["e3", "e1"]
        assert _ids(store, Query(limit=0)) == []
        assert _ids(store, Query(limit=1, since=NOON + timedelta(minutes=9))) == ["e9"]
        assert len(_ids(store, Query(limit=10_000, message_ids=tuple(map(str, range(40_000)))))) == 2500

    @few_examples
    @given(data=st.data())
    def test_S26_slots_are_those_of_the_counts(self, store: Store, data: st.DataObject) -> None:
        """S26: by delivery, kind, link and slot; whatever was asked before, and whatever comes late."""
        world, late = data.draw(strategies.worlds()), data.draw(strategies.worlds(max_events=6))
        store.put(world.records)
        store.ingest(world.events)
        query = data.draw(strategies.queries(world))
        for more in (None, late):
            if more is not None:
                store.put(more.records)
                store.ingest(more.events)
            for asked in (Query(audience="human"), query):
                deliveries = store.counts(asked).deliveries
                assert store.slots(asked) == {name: c.slots for name, c in deliveries.items() if c.slots}

    def test_S26_what_was_a_proof_once_has_seeds_all_the_same(self, store: Store) -> None:
        """S26: slots go by what deliveries and messages are now."""
        store.put([Delivery(id="1", is_proof=True), Delivery(id="2", is_proof=True)])
        store.put([Delivery(id="1"), Message(delivery_id="1", id="s", is_seed=True)])
        store.ingest([click(0, message_id="s"), click(5)])
        assert store.slots() == {"1": {"click": {"": {int(NOON.timestamp()) + 300: 1}}}}

    def test_S26_slots_hold_what_comes_late_and_nothing_twice(self, store: Store) -> None:
        """S26: each event in the slot of its moment, once, whenever it comes; seeds, machines and deliveries without any apart."""
        noon = int(NOON.timestamp())
        store.put([Delivery(id="1"), Delivery(id="3"), Message(delivery_id="1", id="s", is_seed=True)])
        first = [click(61, link_id="2"), opened(60), click(60, message_id="s", link_id="2")]
        late = [click(0, id="late"), click(4.99), click(-0.01), click(0, delivery_id="2", verdict="machine")]
        machines = {"2": {"click": {"": {noon: 1}}}}
        people = {
            "1": {
                "click": {"": {noon - 300: 1, noon: 2}, "2": {noon + 3600: 1}},
                "open": {"1": {noon + 3600: 1}},
            }
        }
        store.ingest(first)
        assert store.slots() == {"1": {"click": {"2": {noon + 3600: 1}}, "open": {"1": {noon + 3600: 1}}}}
        for _ in range(2):
            store.ingest([*first, *late])
            assert store.slots() == {**people, **machines}
            assert store.slots(Query(audience="machine")) == machines
            assert store.slots(Query(since=NOON, until=NOON + timedelta(minutes=5), delivery_ids="1")) == {
                "1": {"click": {"": {noon: 2}}}
            }
        store.put([Message(delivery_id="1", id="7", is_seed=True)])
        assert store.slots() == machines

    def test_S27_rebuilding_changes_no_answer(self, store: Store) -> None:
        """S27: not of the deliveries named, nor of the others, nor of those that are not there."""
        store.put([Delivery(id="1"), Message(delivery_id="1", id="7", is_seed=True), Message(delivery_id="2", id="7")])
        store.ingest(click(n, delivery_id=d) for n in range(40) for d in ("1", "2", None))
        before = (store.counts(), store.slots(), list(store.scan()))
        store.rebuild(["2", "none"])
        assert (store.counts(), store.slots(), list(store.scan())) == before
        store.rebuild()
        store.rebuild([])
        assert (store.counts(), store.slots(), list(store.scan())) == before
        assert store.ingest([click(0, delivery_id="2")]).added == 0
        assert store.slots() == before[1]

    @pytest.mark.parametrize("one", ["spring", 5, [5]])
    def test_S27_one_id_is_taken_for_one(self, revisable: BaseStore, one: Any) -> None:
        """S27: a text is one id and not its letters, and an integer is its decimal text."""
        name = "spring" if one == "spring" else "5"
        revisable.ingest(click(n, id=f"{n}", delivery_id=d, message_id=d) for n, d in enumerate((name, name, "s")))
        revisable.revise(remove_events=["0"])
        revisable.rebuild(one)
        counted = fold([], [], [], revisable.scan(), []).counts().deliveries
        assert revisable.slots() == {of: counts.slots for of, counts in counted.items()}

    def test_S27_what_is_no_id_is_not_rebuilt(self, store: Store) -> None:
        """S27: it is refused, alone and among others; empty text among others stands for events that name no delivery."""
        for stranger in NO_IDS:
            if stranger is not None:
                with pytest.raises(InvalidValue):
                    store.rebuild(stranger)
            if stranger != "":
                with pytest.raises(InvalidValue):
                    store.rebuild(["1", stranger])
        store.ingest([click(0, delivery_id=None, message_id=None)])
        before = store.slots()
        store.rebuild(["", "1"])
        assert store.slots() == before

    @few_examples
    @given(entry=strategies.audits(), kept=strategies.frozen_counts())
    def test_S28_audit_entries_and_frozen_counts_come_back_equal(
        self, store: Store, entry: AuditEntry, kept: FrozenCounts
    ) -> None:
        """S28: under their keys, replaced whole."""
        store.put([evolve(entry, done={}, status="started"), evolve(kept, body="old"), entry, kept])
        assert [found for found in store.audits() if found.id == entry.id] == [entry]
        key = (kept.delivery_id, kept.audience, kept.zone)
        found = store.frozen(Query(delivery_ids=kept.delivery_id))
        assert [k for k in found if (k.delivery_id, k.audience, k.zone) == key] == [kept]

    def test_S28_listings_are_ordered_and_narrowed(self, store: Store) -> None:
        """S28: frozen counts by delivery, audience and zone; the audit trail by its start, the latest first."""
        frozen = [
            FrozenCounts(delivery_id=d, audience=a, zone=z, frozen_at=NOON)
            for d in ("1", "10", "2", "a")
            for a in ("all", "human")
            for z in ("Europe/Paris", "UTC")
        ]
        starts = [("c", 0), ("a", 1), ("d", 60_000_000), ("b", 1)]
        audits = [
            AuditEntry(id=id_, action="purge", started_at=NOON + timedelta(microseconds=us)) for id_, us in starts
        ]
        store.put([*reversed(frozen), *audits])
        assert list(store.frozen()) == frozen
        assert list(store.frozen(Query(delivery_ids=("2", "none")))) == frozen[8:12]
        assert list(store.frozen(Query(except_delivery_ids=("1", "a")))) == frozen[4:12]
        assert [entry.id for entry in store.audits()] == ["d", "a", "b", "c"]

    def test_S38_a_snapshot_is_one_state(self, store_factory: StoreFactory) -> None:
        """S38, where ``snapshots`` and ``concurrent_writers`` hold: what others write meanwhile is not seen within it."""
        with store_factory() as one:
            needs(one.capabilities, "snapshots")
            needs(one.capabilities, "concurrent_writers")
            one.ingest([click(0)])
            with store_factory() as other:
                with one.snapshot():
                    assert list(one.scan()) == [with_id(click(0))]
                    other.ingest([opened(1)])
                    other.put([Delivery(id="1")])
                    assert list(one.scan()) == [with_id(click(0))]
                    assert list(one.deliveries()) == []
                assert len(list(one.scan())) == 2

    def test_S38_counting_within_a_snapshot_holds_up_nobody(self, store_factory: StoreFactory) -> None:
        """S38, where ``snapshots`` and ``concurrent_writers`` hold: counts are of that state as well, and others write on (S20)."""
        asked = [Query(), Query(since=NOON - timedelta(seconds=7), audience="unsure")]
        with store_factory() as one:
            needs(one.capabilities, "snapshots")
            needs(one.capabilities, "concurrent_writers")
            one.put([Delivery(id="1"), Message(delivery_id="1", id="7", recipient_id="r")])
            one.ingest(click(number, source_id=str(number)) for number in range(3))
            with store_factory() as other:
                with one.snapshot():
                    before = [(one.counts(query), one.slots(query)) for query in asked]
                    assert other.ingest(opened(number, source_id=str(number)) for number in range(4)).added == 4
                    assert [(one.counts(query), one.slots(query)) for query in asked] == before
                assert one.counts().deliveries["1"].rows("open") == 4

    def test_S38_a_snapshot_does_not_see_what_its_own_handle_writes(self, store: BaseStore) -> None:
        """S38, where ``snapshots`` holds: reading stays in one state, writing goes on."""
        needs(store.capabilities, "snapshots")
        store.ingest([click(0)])
        with store.snapshot():
            assert list(store.scan()) == [with_id(click(0))]
            store.ingest([opened(1)])
            store.put([Delivery(id="1")])
            assert list(store.scan()) == [with_id(click(0))]
            assert list(store.deliveries()) == []
        assert len(list(store.scan())) == 2
        assert list(store.deliveries()) == [Delivery(id="1")]


def _delivery(id: str) -> Delivery:  # noqa: A002  # the field's name
    return Delivery(id=id)
