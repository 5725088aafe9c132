"""Many clauses once more, with more than a page, a batch or a list of parameters holds; and clause S40."""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from attrs import evolve

from msgtrack.facts import StepView
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import AuditEntry, Checkpoint, FrozenCounts, Ingested, Query, Record, Store, WorkflowRun
from msgtrack.storage import in_order
from msgtrack.testing._cases import NOON, Broken, StoreFactory, breaking, click, needs
from msgtrack.testing._sizes import BATCHES, MANY, Living, counted_by_folding, crowd, made_alive, strewn

__all__ = ["SizeClauses"]


def _ids(store: Store, query: Query) -> list[str]:
    return [event.id for event in store.scan(query)]


def _of_kind(kind: type[Record], number: int) -> Record:
    """A record of a class, under a key of its own."""
    text, start = str(number), NOON + timedelta(minutes=number % 7)
    made: dict[type[Record], Record] = {
        Delivery: Delivery(id=text),
        Message: Message(delivery_id=str(number % 3), id=text),
        TrackedLink: TrackedLink(delivery_id=str(number % 3), id=text, url="https://a.example/"),
        StepView: StepView(application_id=str(number % 3), source_id=text, step="s", occurred_at=NOON),
        WorkflowRun: WorkflowRun(id=text, started_at=start),
        AuditEntry: AuditEntry(id=text, action="purge", started_at=start),
        FrozenCounts: FrozenCounts(delivery_id=text, audience="all", zone="UTC"),
    }
    return made[kind]


class SizeClauses:
    """What a handful of values does not show."""

    events_at_once = 10_000
    """May override: so many events of one call your store has in memory at once at most (S40)."""

    def test_S2_the_last_of_a_long_call_wins(self, store: Store) -> None:
        """S2: however far apart the versions of a record stand."""
        older, newer = ([Message(delivery_id="1", id=str(n), variant=v) for n in range(BATCHES)] for v in "ab")
        store.put([*older, *newer])
        assert {message.variant for message in store.messages()} == {"b"}
        store.put([*newer, *reversed(older)])
        assert [message.variant for message in store.messages()] == ["a"] * BATCHES

    def test_S3_a_long_call_is_kept_whole_or_not_at_all(self, store: Store) -> None:
        """S3: an iterable that raises after thousands of records leaves none of them."""
        with pytest.raises(Broken):
            store.put(breaking(Message(delivery_id="1", id=str(n)) for n in range(MANY)))
        assert list(store.messages()) == []

    def test_S4_a_long_listing_is_whole_and_in_order(self, store: Store) -> None:
        """S4: by key as text, from the first to the last, in whatever order they came."""
        _lists_all(store, Delivery, Message, TrackedLink)

    def test_S4_each_id_of_a_long_choice_is_looked_for(self, store: Store) -> None:
        """S4: thousands of ids that are there, between others that are not; found in order, and left out to the last."""
        numbers = range(BATCHES)
        store.put(Delivery(id=str(number)) for number in numbers)
        store.put(Message(delivery_id=str(number), id=str(number), recipient_id="r") for number in numbers)
        some = [str(number) for number in strewn(range(1, 2 * BATCHES))]
        there = sorted(name for name in some if int(name) < BATCHES)
        assert [delivery.id for delivery in store.deliveries(Query(delivery_ids=some))] == there
        assert [message.id for message in store.messages(Query(delivery_ids=some, recipient_id="r"))] == there
        assert [message.id for message in store.messages(Query(message_ids=some))] == there
        assert [delivery.id for delivery in store.deliveries(Query(except_delivery_ids=some))] == ["0"]

    def test_S7_a_long_call_given_again_adds_nothing(self, store: Store) -> None:
        """S7: whatever came with it or since, in another order, and cut otherwise."""
        events = crowd(MANY)
        assert store.ingest(iter(events)) == Ingested(added=MANY, known=0)
        late = [click(-n, id=f"late {n}") for n in range(30)]
        again = [*late[:10], *(evolve(event, link_id="other") for event in reversed(events)), *late[10:]]
        assert store.ingest(iter(again)) == Ingested(added=30, known=MANY)
        kept = list(store.scan())
        assert len(kept) == MANY + 30
        assert [event for event in kept if not event.id.startswith("late")] == events

    def test_S8_doubles_and_alike_ones_of_a_long_call(self, store: Store) -> None:
        """S8: thousands of events between the two change nothing: a double is known, and what is alike has its own ordinal."""
        many = crowd(MANY)
        alike = [click(99)] * BATCHES
        first = evolve(many[-1], link_id="first")
        given = [alike[0], first, *many, *alike[1:], many[0]]
        assert store.ingest(iter(given)) == Ingested(added=MANY + BATCHES, known=2)
        assert store.ingest(iter(given)) == Ingested(added=0, known=MANY + BATCHES + 2)
        ids = [event.id for event in store.scan(Query(since=NOON + timedelta(minutes=99)))]
        assert ids == sorted(click(99).derived_id(ordinal) for ordinal in range(BATCHES))
        assert list(store.scan(Query(limit=1, newest_first=True, until=click(99).occurred_at))) == [first]

    def test_S10_a_long_call_that_fails_moves_nothing(self, store: Store) -> None:
        """S10, where ``atomic_ingest`` holds: neither its thousands of events are kept nor its checkpoint."""
        needs(store.capabilities, "atomic_ingest")
        with pytest.raises(Broken):
            store.ingest(breaking(crowd(MANY)), Checkpoint(source="web", position="new"))
        assert (list(store.scan()), store.checkpoint("web")) == ([], None)

    def test_S11_a_long_scan_is_in_order_where_its_pages_meet(self, store: Store) -> None:
        """S11: more events of one moment than a page holds, of several deliveries; each once."""
        expected = crowd(2 * BATCHES)
        store.ingest(strewn(expected))
        assert list(store.scan()) == expected
        for query in (Query(delivery_ids=("0", "2"), kinds="click", since=NOON + timedelta(minutes=1)),):
            assert list(store.scan(query)) == [event for event in expected if query.admits(event)]

    def test_S14_each_value_of_a_long_choice_is_looked_for(self, store: Store) -> None:
        """S14: thousands of messages, or of deliveries, that are there; in order, each once."""
        events = [click(n % 11, id=f"e{n}", delivery_id=str(n), message_id=str(n)) for n in range(BATCHES)]
        store.ingest(events)
        some = [str(number) for number in strewn(range(1, 2 * BATCHES))]
        for query in (Query(delivery_ids=some), Query(message_ids=some), Query(except_delivery_ids=some)):
            expected = [event for event in events if query.admits(event)]
            assert list(store.scan(query)) == sorted(expected, key=lambda event: (event.occurred_at, event.id))

    def test_S15_a_recipient_may_have_thousands_of_messages(self, store: Store) -> None:
        """S15: the events of each of them are his."""
        numbers = range(2 * BATCHES)
        store.put(Message(delivery_id=str(n % 3), id=str(n), recipient_id="rq"[n % 7 == 0]) for n in numbers)
        store.ingest(click(n, id=f"e{n}", delivery_id=str(n % 3), message_id=str(n)) for n in numbers)
        his = [f"e{n}" for n in numbers if n % 7]
        assert _ids(store, Query(recipient_id="r")) == his
        assert _ids(store, Query(recipient_id="r", newest_first=True, limit=BATCHES)) == his[::-1][:BATCHES]

    def test_S16_counts_of_thousands_are_those_of_the_fold(self, store: Store) -> None:
        """S16: events, persons, messages, links, and more deliveries than a list of parameters holds."""
        numbers = range(BATCHES)
        store.put(Delivery(id=str(number)) for number in numbers)
        store.put(
            Message(delivery_id=str(n % 3), id=str(n), recipient_id=f"r{n % 900}", address=f"{n}@d{n % 5}.example")
            for n in numbers
        )
        store.put(TrackedLink(delivery_id="1", id=str(n), url=f"https://a.example/{n}") for n in numbers)
        store.ingest(strewn(crowd(BATCHES)))
        assert store.counts() == counted_by_folding(store, Query())

    def test_S17_a_long_listing_of_runs_is_whole_and_in_order(self, store: Store) -> None:
        """S17: by start and id, where many share a moment."""
        _lists_all(store, WorkflowRun)

    def test_S18_all_of_a_long_call_is_there_after_close_and_open(self, store_factory: StoreFactory) -> None:
        """S18, where ``persistent`` holds: to its last event."""
        with closing(store_factory()) as store:
            needs(store.capabilities, "persistent")
            store.ingest(strewn(crowd(BATCHES)))
        with closing(store_factory()) as store:
            assert list(store.scan()) == crowd(BATCHES)
            assert store.ingest(crowd(BATCHES)) == Ingested(added=0, known=BATCHES)

    def test_S23_a_long_listing_of_facts_is_whole_and_in_order(self, store: Store) -> None:
        """S23: by the fields of ``FACT_KEYS``."""
        _lists_all(store, StepView)

    def test_S24_thousands_of_links_and_messages_may_pass(self, store: Store) -> None:
        """S24: where many go by one text, and where a query names many texts."""
        numbers = range(BATCHES)
        link = {"delivery_id": "1", "url": "https://a.example/", "label": "same"}
        store.put(TrackedLink(id=str(n), category=f"text {n}", **link) for n in numbers)
        store.put(Message(delivery_id="1", id=str(n), domain=f"text {n}") for n in numbers)
        store.ingest(click(n, id=f"e{n}", link_id=str(n), message_id=str(n)) for n in numbers)
        assert _ids(store, Query(labels="same")) == [f"e{n}" for n in numbers]
        many = [f"text {n}" for n in strewn(numbers) if n]
        assert _ids(store, Query(categories=many)) == _ids(store, Query(domains=many)) == [f"e{n}" for n in numbers[1:]]

    def test_S25_a_long_page_follows_another(self, store: Store) -> None:
        """S25: pages that end within a moment, and are as long as several inner ones."""
        expected = crowd(2 * BATCHES)
        store.ingest(strewn(expected))
        for size, newest_first in ((1050, False), (1999, True)):
            query = Query(limit=size, newest_first=newest_first)
            pages = [list(store.scan(query))]
            while len(pages[-1]) == size:
                pages.append(list(store.scan(evolve(query, after=pages[-1][-1]))))
            assert [event for page in pages for event in page] == expected[:: -1 if newest_first else 1]

    def test_S26_slots_of_thousands_are_those_of_the_counts(self, store: Store) -> None:
        """S26: also when the same come again, and more of the same slots."""
        events = [click(n % 11, id=f"e{n}", delivery_id=str(n % 3)) for n in range(2 * BATCHES)]
        store.ingest(events[:BATCHES])
        store.ingest([*strewn(events), *(click(0, id=f"late {n}") for n in range(30))])
        expected = {name: counts.slots for name, counts in store.counts().deliveries.items()}
        assert sum(sum(of["click"][""].values()) for of in expected.values()) == 2 * BATCHES + 30
        assert store.slots() == expected

    def test_S27_rebuilding_thousands_changes_no_answer(self, store: Store) -> None:
        """S27: of all, and of more deliveries than a list of parameters holds."""
        store.ingest(crowd(BATCHES))
        before = store.slots()
        store.rebuild(str(number) for number in reversed(range(2 * BATCHES)))
        assert store.slots() == before
        store.rebuild()
        assert store.slots() == before

    def test_S28_a_long_listing_is_whole_and_in_order(self, store: Store) -> None:
        """S28: the audit trail by start and id, frozen counts by key."""
        _lists_all(store, AuditEntry, FrozenCounts)

    def test_S40_few_events_of_a_call_are_alive_at_once(self, store: Store) -> None:
        """S40, where ``streaming`` holds: ``ingest`` lets them go as it keeps them, ``scan`` makes them as they are drawn."""
        needs(store.capabilities, "streaming")
        number = self.events_at_once * 6 // 5
        living = Living()
        assert store.ingest(living.watch(click(n % 7, id=str(n)) for n in range(number))).added == number
        assert living.most <= self.events_at_once, self._held("ingest", living.most, number)
        before, given, most = made_alive(), 0, 0
        events = store.scan()
        assert iter(events) is events
        for given, _ in enumerate(events, 1):
            if given % (number // 3) == 1:
                most = max(most, made_alive() - before)
        assert given == number
        assert most <= self.events_at_once, self._held("scan", most, number)

    def _held(self, method: str, most: int, number: int) -> str:
        return f"{method} held {most:,} of {number:,} events at once, and may hold {self.events_at_once:,}"


def _lists_all(store: Store, *kinds: type[Record]) -> None:
    """Whether each class is listed whole and in order."""
    records = {kind: [_of_kind(kind, number) for number in range(BATCHES)] for kind in kinds}
    store.put(record for of_kind in records.values() for record in strewn(of_kind))
    listings: dict[type[Record], Callable[[], Iterator[Record]]] = {
        Delivery: store.deliveries,
        Message: store.messages,
        TrackedLink: store.links,
        StepView: lambda: store.facts(StepView),
        WorkflowRun: store.runs,
        AuditEntry: store.audits,
        FrozenCounts: store.frozen,
    }
    assert {kind: list(listings[kind]()) for kind in kinds} == {k: in_order(records[k]) for k in kinds}
