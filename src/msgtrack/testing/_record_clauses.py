"""Clauses S1 to S5, S17, S21 and S23: what a store keeps by key."""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack._borders import MAX_ID_BYTES
from msgtrack.errors import InvalidId, InvalidValue
from msgtrack.events import Event
from msgtrack.facts import (
    FACT_KEYS,
    MAX_ADDRESS_BYTES,
    AddressState,
    Exclusion,
    Fact,
    Service,
    SharedView,
    StepView,
    Subscription,
    SubscriptionChange,
    fact_key,
)
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import AuditEntry, Checkpoint, FrozenCounts, Ingested, Query, Record, Store, WorkflowRun
from msgtrack.storage import in_order, record_key
from msgtrack.testing import strategies
from msgtrack.testing._cases import NOON, Broken, breaking, click, few_examples, listed, opened, with_id

COMPOSED, DECOMPOSED = "\u00e5", "a\u030a"
ODD_IDS = (
    *("a", "A", "a ", " a", "a\0", "\0", "\n", COMPOSED, DECOMPOSED, "0", "00", "日本", "😀"),
    *("%", "_", "'", '"', "\\", "f" * 32, "F" * 32),
)
"""Ids that are easily taken for one another, or for something else."""


class RecordClauses:
    """Deliveries, messages, tracked links and run records."""

    @few_examples
    @given(record=strategies.deliveries() | strategies.messages() | strategies.links())
    def test_S1_what_was_put_comes_back_equal(self, store: Store, record: Delivery | Message | TrackedLink) -> None:
        """S1: a record comes back equal, under its key, once."""
        store.put([record])
        assert listed(store, record) == [record]

    def test_S1_put_takes_any_iterable_of_any_records(self, store: Store) -> None:
        """S1: one call may mix classes, and its iterable is read once."""
        records: list[Record] = [
            Delivery(id="1"),
            TrackedLink(delivery_id="1", id="2", url="https://a.example/"),
            *(Message(delivery_id="1", id=str(number)) for number in range(2500)),
            WorkflowRun(id="run", started_at=NOON),
        ]
        store.put(record for record in records)
        assert [*store.deliveries(), *store.links()] == records[:2]
        assert {message.id for message in store.messages()} == {str(number) for number in range(2500)}
        assert list(store.runs()) == records[-1:]

    def test_S1_nothing_put_is_nothing_kept(self, store: Store) -> None:
        """S1: an empty iterable changes nothing; an empty store lists nothing."""
        store.put([])
        assert [*store.deliveries(), *store.messages(), *store.links(), *store.runs(), *store.scan()] == []

    def test_S2_a_known_key_is_replaced_whole(self, store: Store) -> None:
        """S2: nothing of the older record shines through."""
        store.put([Delivery(id="1", label="old", to_deliver=4), Message(delivery_id="1", id="7", recipient_id="r")])
        store.put([Delivery(id="1", typology="new"), Message(delivery_id="1", id="7", address="a@b.example")])
        assert list(store.deliveries()) == [Delivery(id="1", typology="new")]
        assert list(store.messages()) == [Message(delivery_id="1", id="7", address="a@b.example")]
        assert list(store.messages(Query(recipient_id="r"))) == []

    def test_S2_the_last_of_one_call_wins(self, store: Store) -> None:
        """S2: within one call too, the later record replaces the earlier one."""
        store.put([Delivery(id="1", label="first"), Delivery(id="2"), Delivery(id="1", label="last")])
        assert list(store.deliveries()) == [Delivery(id="1", label="last"), Delivery(id="2")]

    def test_S2_the_key_of_a_message_and_of_a_link_is_delivery_and_id(self, store: Store) -> None:
        """S2: the same id in another delivery is another record."""
        records = [make(delivery_id=d, id=i) for make in (Message, _link) for d in "12" for i in "78"]
        store.put(records)
        assert [*store.messages(), *store.links()] == records

    @pytest.mark.parametrize("before", [0, 1, 2500])
    def test_S3_put_keeps_all_or_none(self, store: Store, before: int) -> None:
        """S3: an iterable that raises in the middle leaves everything as it was, and its error passes through."""
        store.put([Delivery(id="1", label="old")])
        fresh = [Delivery(id="1", label="new"), *(Message(delivery_id="1", id=str(i)) for i in range(before))]
        with pytest.raises(Broken):
            store.put(breaking(fresh))
        assert list(store.deliveries()) == [Delivery(id="1", label="old")]
        assert list(store.messages()) == []

    def test_S4_listings_are_ordered_by_key(self, store: Store) -> None:
        """S4: by delivery and id, as text, character by character."""
        order = ("", "1", "10", "2", "A", "a", "é")[1:]
        for records in (
            [Delivery(id=id_) for id_ in order],
            [Message(delivery_id=d, id=i) for d in order for i in order],
            [_link(delivery_id=d, id=i) for d in order for i in order],
        ):
            store.put(reversed(records))
        assert [delivery.id for delivery in store.deliveries()] == list(order)
        pairs = [(d, i) for d in order for i in order]
        assert [(message.delivery_id, message.id) for message in store.messages()] == pairs
        assert [(link.delivery_id, link.id) for link in store.links()] == pairs

    def test_S4_listings_narrow_by_the_fields_that_concern_them(self, store: Store) -> None:
        """S4: deliveries and links by delivery, messages by delivery, message and recipient; other fields do nothing."""
        everyone = [Message(delivery_id=d, id=i, recipient_id=r) for d in "12" for i, r in (("7", "r"), ("8", "q"))]
        store.put([Delivery(id="1"), Delivery(id="2"), _link(delivery_id="1", id="2"), _link(delivery_id="2", id="2")])
        store.put([*everyone, Message(delivery_id="1", id="9")])
        assert [delivery.id for delivery in store.deliveries(Query(delivery_ids="2", message_ids="7"))] == ["2"]
        assert [link.delivery_id for link in store.links(Query(delivery_ids="2", recipient_id="r"))] == ["2"]
        assert list(store.messages(Query(delivery_ids="2", kinds="click", since=NOON))) == everyone[2:]
        assert list(store.messages(Query(message_ids=("7", "none")))) == [everyone[0], everyone[2]]
        assert list(store.messages(Query(recipient_id="q"))) == [everyone[1], everyone[3]]
        assert list(store.messages(Query(recipient_id="q", delivery_ids="1", message_ids="7"))) == []

    def test_S4_an_empty_choice_chooses_nothing(self, store: Store) -> None:
        """S4: None asks for all, an empty tuple for none."""
        store.put([Delivery(id="1"), Message(delivery_id="1", id="7"), _link(delivery_id="1", id="2")])
        none = Query(delivery_ids=())
        assert [*store.deliveries(none), *store.messages(none), *store.links(none)] == []
        assert list(store.messages(Query(message_ids=()))) == []

    def test_S4_many_ids_may_be_asked_for_at_once(self, store: Store) -> None:
        """S4: however many ids a query names, it is answered."""
        store.put(
            [Delivery(id="1"), Delivery(id="x"), Message(delivery_id="1", id="7"), Message(delivery_id="x", id="7")]
        )
        many = tuple(str(number) for number in range(40_000))
        assert list(store.deliveries(Query(delivery_ids=many))) == [Delivery(id="1")]
        assert list(store.messages(Query(delivery_ids=many, message_ids=many))) == [Message(delivery_id="1", id="7")]

    def test_S4_many_ids_may_be_left_out_at_once(self, store: Store) -> None:
        """S4: however many deliveries a query excepts, the others are answered; an id with NUL among them, too."""
        names = ("1", "2", "a", "a\x00b")
        store.put(record for name in names for record in (Delivery(id=name), Message(delivery_id=name, id="7")))
        store.ingest(click(place, delivery_id=name, message_id="7") for place, name in enumerate((*names, None)))
        many = tuple(str(number) for number in range(2, 8000))
        for left_out in (many, (*many, "a\x00b")):
            query, some = Query(except_delivery_ids=left_out), [name for name in names if name not in left_out]
            assert [delivery.id for delivery in store.deliveries(query)] == some
            assert [event.delivery_id for event in store.scan(query)] == [*some, None]
            assert [*store.counts(query).deliveries] == ["", *some]
            assert [*store.slots(query)] == ["", *some]
            assert [*store.counts(Query(delivery_ids=(*left_out, "1"))).deliveries] == [
                name for name in names if name == "1" or name in left_out
            ]

    def test_S5_ids_are_kept_character_for_character(self, store: Store) -> None:
        """S5: ids that look alike are different ids, and come back as they went in: as keys, and in events."""
        store.put([Delivery(id=id_, label=id_) for id_ in ODD_IDS])
        store.put([Message(delivery_id=id_, id=id_, recipient_id=id_) for id_ in ODD_IDS])
        store.ingest([click(id=id_, delivery_id=id_, message_id=id_, link_id=id_, source_id=id_) for id_ in ODD_IDS])
        assert [delivery.id for delivery in store.deliveries()] == sorted(ODD_IDS)
        for id_ in ODD_IDS:
            assert [delivery.label for delivery in store.deliveries(Query(delivery_ids=id_))] == [id_]
            found = Query(recipient_id=id_)
            assert [(message.delivery_id, message.id) for message in store.messages(found)] == [(id_, id_)]
            expected = [click(id=id_, delivery_id=id_, message_id=id_, link_id=id_, source_id=id_)]
            assert list(store.scan(found)) == list(store.scan(Query(delivery_ids=id_))) == expected
            store.ingest([], Checkpoint(source=id_, position=id_))
        assert [store.checkpoint(id_) for id_ in ODD_IDS] == [Checkpoint(source=id_, position=id_) for id_ in ODD_IDS]

    def test_S5_the_longest_ids_are_kept_to_their_last_byte(self, store: Store) -> None:
        """S5: of every class of record, in events and of checkpoints; two that differ in the last byte alone are two."""
        names = _longest(MAX_ID_BYTES)
        _keeps_apart(
            store,
            [
                *(Delivery(id=name, label=name) for name in names),
                *(Message(delivery_id=d, id=i, recipient_id=i) for d in names for i in names),
                *(_link(delivery_id=d, id=i) for d in names for i in names),
                *(WorkflowRun(id=name, started_at=NOON, error=name) for name in names),
                *(AuditEntry(id=name, action="purge", started_at=NOON) for name in names),
                *(FrozenCounts(delivery_id=name, audience="all", zone="UTC", body=name) for name in names),
            ],
        )
        events = [click(id=n, delivery_id=n, message_id=n, link_id=n, source_id=n) for n in names]
        assert store.ingest(events) == Ingested(added=len(names), known=0)
        assert list(store.scan()) == events
        for event in events:
            assert list(store.scan(Query(delivery_ids=event.id))) == [event]
            assert list(store.scan(Query(message_ids=event.id, recipient_id=event.id))) == [event]
            store.ingest([], Checkpoint(source=event.id, position=event.id))
        assert [store.checkpoint(name) for name in names] == [Checkpoint(source=n, position=n) for n in names]

    @pytest.mark.parametrize(
        "text", ["\0", "\ud800", "a\udfffb", "\U0010ffff", "\u2028\x85\r\n", "'; DROP TABLE x; --"]
    )
    def test_S5_texts_may_hold_anything(self, store: Store, text: str) -> None:
        """S5: texts that are no ids come back too, be it NUL or half a character."""
        delivery, event = Delivery(id="1", label=text), opened(request_id=text, source=text)
        message, run = Message(delivery_id="1", id="7", address=text), WorkflowRun(id="r", started_at=NOON, error=text)
        store.put([delivery, message, run])
        store.ingest([event], Checkpoint(source="web", position=text))
        assert [*store.deliveries(), *store.messages(), *store.runs()] == [delivery, message, run]
        assert list(store.scan()) == [with_id(event)]
        assert store.checkpoint("web") == Checkpoint(source="web", position=text)

    def test_S5_half_a_character_is_no_id(self, store: Store) -> None:
        """S5: what UTF-8 cannot write is refused, wherever an id is asked for."""
        for make in (lambda: Delivery(id="\ud800"), lambda: Query(recipient_id="\ud800"), lambda: click(id="\ud800")):
            with pytest.raises(InvalidId):
                make()

    @few_examples
    @given(fact=strategies.facts())
    def test_S23_a_fact_comes_back_equal(self, store: Store, fact: Fact) -> None:
        """S23: of every class, under its key, once; put again, it is replaced whole."""
        store.put([fact, fact])
        found = [kept for kept in store.facts(type(fact)) if fact_key(kept) == fact_key(fact)]
        assert found == [fact]

    def test_S23_facts_are_ordered_by_key_and_replaced(self, store: Store) -> None:
        """S23: by the fields of ``FACT_KEYS`` in their order, as text, character by character."""
        order = ("1", "10", "2", "A", "a", "é")
        views = [
            StepView(application_id=a, source_id=s, step=t, occurred_at=NOON)
            for a in order
            for s in order
            for t in "ab"
        ]
        store.put(reversed(views))
        assert list(store.facts(StepView)) == views
        store.put([Service(id="news", label="old"), Service(id="news", channel="sms")])
        assert list(store.facts(Service)) == [Service(id="news", channel="sms")]

    def test_S23_the_longest_keys_are_kept_to_their_last_byte(self, store: Store) -> None:
        """S23: ids, and addresses and channels, which are longer; two keys that differ in the last byte of one field are two."""
        facts: list[Record] = []
        for kind, fields in FACT_KEYS.items():
            names = _longest(MAX_ADDRESS_BYTES if kind is AddressState else MAX_ID_BYTES)
            keys = product(names, repeat=len(fields))
            facts.extend(_fact(kind, **dict(zip(fields, key, strict=True))) for key in keys)
        _keeps_apart(store, facts)

    @few_examples
    @given(data=st.data())
    def test_S23_facts_narrow_by_the_query(self, store: Store, data: st.DataObject) -> None:
        """S23: ``facts(kind, query)`` is ``facts(kind)`` filtered by ``query.admits_fact``."""
        world = data.draw(strategies.worlds(max_events=3))
        query = data.draw(strategies.queries(world))
        store.put(world.facts)
        for kind in FACT_KEYS:
            everything: list[Fact] = list(store.facts(kind))
            assert list(store.facts(kind, query)) == [fact for fact in everything if query.admits_fact(fact)]

    def test_S23_what_belongs_to_no_delivery_is_in_every_listing(self, store: Store) -> None:
        """S23: services are the platform's; exclusions are their delivery's; many ids may be asked for at once."""
        excluded = [Exclusion(delivery_id=d, id="x", recipient_id=r) for d, r in (("1", "r"), ("2", None))]
        store.put([*excluded, Service(id="news"), AddressState(address="a@b.example")])
        for query in (Query(delivery_ids="1"), Query(delivery_ids=("1", *map(str, range(3, 40_000, 3))))):
            assert list(store.facts(Exclusion, query)) == excluded[:1]
            assert list(store.facts(Service, query)) == [Service(id="news")]
            assert len(list(store.facts(AddressState, query))) == 1
        assert list(store.facts(Exclusion, Query(recipient_id="q"))) == excluded[1:]

    @few_examples
    @given(run=strategies.runs())
    def test_S17_a_run_record_comes_back_equal(self, store: Store, run: WorkflowRun) -> None:
        """S17: with everything that it says, replaced whole when put again."""
        store.put([WorkflowRun(id=run.id, started_at=NOON, hits=1), run])
        assert [found for found in store.runs() if found.id == run.id] == [run]

    def test_S17_runs_are_listed_latest_first(self, store: Store) -> None:
        """S17: by their start, to the microsecond; of equal starts the lesser id first."""
        starts = [("c", 0), ("a", 1), ("d", 60_000_000), ("b", 1)]
        store.put(WorkflowRun(id=id_, started_at=NOON + timedelta(microseconds=us)) for id_, us in starts)
        assert [run.id for run in store.runs()] == ["d", "a", "b", "c"]

    @pytest.mark.parametrize("foreign", [None, "1", {"id": "1"}, click(), Query()])
    def test_S21_what_is_no_record_is_refused(self, store: Store, foreign: Any) -> None:
        """S21: with ``InvalidValue``, and nothing of the call is kept."""
        with pytest.raises(InvalidValue):
            store.put([Delivery(id="1"), foreign])
        assert list(store.deliveries()) == []

    @pytest.mark.parametrize("foreign", [None, "1", Delivery(id="1"), Event(occurred_at=NOON)])
    def test_S21_what_is_no_event_is_refused(self, store: Store, foreign: Any) -> None:
        """S21: with ``InvalidValue``, and the checkpoint stays."""
        with pytest.raises(InvalidValue):
            store.ingest([foreign], Checkpoint(source="web", position="1"))
        assert store.checkpoint("web") is None


def _link(*, delivery_id: str, id: str) -> TrackedLink:  # noqa: A002  # the field's name
    return TrackedLink(delivery_id=delivery_id, id=id, url="https://a.example/")


def _longest(size: int) -> list[str]:
    """Names of so many bytes, two and two alike but for the last one."""
    smile = "😀".encode()
    pairs = ((b"\0", b"\1"), (b"a", b"b"), (smile, smile[:-1] + bytes([smile[-1] + 1])))
    beginnings = [(first * (size // len(first) - 1), first, second) for first, second in pairs]
    return [(alike + last).decode() for alike, *lasts in beginnings for last in lasts]


def _fact(kind: type[Fact], **key: str) -> Fact:
    """A fact of this class, under this key."""
    others: dict[type[Fact], dict[str, Any]] = {
        Subscription: {"created_at": NOON},
        SubscriptionChange: {"action": "subscribe", "changed_at": NOON},
        SharedView: {"network": "email", "occurred_at": NOON},
        StepView: {"occurred_at": NOON},
    }
    make: Callable[..., Fact] = kind
    return make(**key, **others.get(kind, {}))


def _keeps_apart(store: Store, records: Sequence[Record]) -> None:
    """Whether each record is kept under its own key, and found by it when it comes again."""
    for _ in range(2):
        store.put(reversed(records))
        for kind in dict.fromkeys(map(type, records)):
            due = [record for record in records if type(record) is kind]
            found = list(_LISTINGS[kind](store))
            kept = {record_key(record) for record in found}
            lost = [record_key(record) for record in due if record_key(record) not in kept]
            assert not lost, f"{len(lost)} of {len(due)} keys of {kind.__name__} are not there, such as {lost[0]}"
            assert found == in_order(due)


_LISTINGS: dict[type[Record], Callable[[Store], Iterator[Record]]] = {
    Delivery: lambda store: store.deliveries(),
    Message: lambda store: store.messages(),
    TrackedLink: lambda store: store.links(),
    WorkflowRun: lambda store: store.runs(),
    AuditEntry: lambda store: store.audits(),
    FrozenCounts: lambda store: store.frozen(),
    **{kind: partial(lambda kind, store: store.facts(kind), kind) for kind in FACT_KEYS},
}
