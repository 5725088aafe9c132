"""Clauses S29 to S37: rewriting, purging, erasing and exporting."""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.counts import Counts
from msgtrack.errors import EventsPurged, InvalidOption, InvalidValue, NotSupported
from msgtrack.events import Bounced, Event, PageVisit
from msgtrack.facts import (
    FACT_KEYS,
    AddressState,
    Exclusion,
    Fact,
    SharedView,
    StepView,
    Subscription,
    SubscriptionChange,
    Visitor,
)
from msgtrack.hits import Rejected
from msgtrack.model import Audience, Client, Delivery, Message, TrackedLink
from msgtrack.protocols import AuditEntry, Ingested, Query, Record, Store, WorkflowRun
from msgtrack.records import to_json
from msgtrack.storage import BaseStore, subject_digest
from msgtrack.testing import strategies
from msgtrack.testing._cases import NOON, Broken, breaking, click, few_examples, needs, opened, with_id

__all__ = ["UpkeepClauses"]

DAY = timedelta(days=1)
LATER = NOON + 400 * DAY


def _sent(delivery_id: str, id: str, **fields: Any) -> Message:  # noqa: A002  # the field's name
    given: dict[str, Any] = {"status": "sent", "event_at": NOON, "last_modified_at": NOON}
    return Message(delivery_id=delivery_id, id=id, **given | fields)


def _fill(store: Store, delivery_id: str, *, at: datetime = NOON) -> None:
    """A delivery with all that may go: messages, events of two audiences, exclusions, visitors, views."""
    store.put(
        [
            Delivery(id=delivery_id, contact_at=at, label="Spring"),
            TrackedLink(delivery_id=delivery_id, id="2", url="https://a.example/"),
            *(
                _sent(delivery_id, str(n), recipient_id=f"r{n}", address=f"{n}@gmail.com", event_at=at)
                for n in range(4)
            ),
            Exclusion(delivery_id=delivery_id, id="x", recipient_id="r9", address="r9@a.example"),
            Visitor(delivery_id=delivery_id, id="v", created_at=at),
            Visitor(delivery_id=delivery_id, id="w", recipient_id="r1", created_at=at),
            SharedView(delivery_id=delivery_id, id="s", network="facebook", occurred_at=at + timedelta(minutes=3)),
        ]
    )
    minute = timedelta(minutes=1)
    store.ingest(
        click(
            occurred_at=at + n * 7 * minute,
            delivery_id=delivery_id,
            message_id=str(n % 4),
            link_id="2",
            source_id=f"b{n % 3}",
            verdict="human" if n % 2 else "machine",
            client=Client(user_agent="Mozilla", browser="Firefox"),
        )
        for n in range(10)
    )


def _named(delivery_id: str, **fields: Any) -> Query:
    return Query(delivery_ids=delivery_id, **fields)


def _thawed(counts: Counts) -> Counts:
    return evolve(counts, frozen=())


@contextmanager
def _broken_after(store: Store, writes: int) -> Iterator[None]:
    """Lets so many writing calls of a store through, and breaks the next one off before it does anything."""
    left = writes
    kept: dict[str, Callable[..., Any]] = {name: getattr(store, name) for name in ("put", "revise")}

    def stopping(name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Broken
            left -= bool(args or named)
            return kept[name](*args, **named)

        return call

    for name in kept:
        setattr(store, name, stopping(name))
    try:
        with suppress(Broken):
            yield
    finally:
        for name in kept:
            delattr(store, name)


class UpkeepClauses:
    """What keeping house does, and what it leaves as it was."""

    @pytest.fixture
    def revisable(self, store: BaseStore) -> BaseStore:
        """Never touch: the store, where it can take out what it keeps."""
        needs(store.capabilities, "revisable")
        return store

    def test_S29_what_is_taken_out_is_gone_and_the_rest_stays(self, revisable: BaseStore) -> None:
        """S29: records by key and class, events by id; what is not there is no error."""
        records: list[Record] = [
            Delivery(id="1"),
            Delivery(id="2"),
            _sent("1", "7"),
            _sent("2", "7"),
            WorkflowRun(id="1", started_at=NOON),
        ]
        revisable.put([*records, StepView(application_id="1", source_id="b", step="s", occurred_at=NOON)])
        revisable.ingest([click(0, id="a"), click(1, id="A"), click(2, id="f" * 32), click(3)])
        revisable.revise(
            remove=[Delivery(id="1", label="other"), records[3], Delivery(id="none"), *revisable.facts(StepView)],
            remove_events=["a", "f" * 32, "none", click(3).derived_id()],
        )
        assert [*revisable.deliveries(), *revisable.messages(), *revisable.runs()] == [
            records[1],
            records[2],
            records[4],
        ]
        assert list(revisable.facts(StepView)) == []
        assert list(revisable.scan()) == [click(1, id="A")]
        assert revisable.ingest([click(9, id="a"), click(9, id="A")]) == Ingested(added=1, known=1)

    def test_S29_what_is_rewritten_is_replaced_whole(self, revisable: BaseStore) -> None:
        """S29: events keep their id and take every other field anew; one whose id is not there is not kept."""
        revisable.put([Delivery(id="1", label="old", to_deliver=4), _sent("1", "7", recipient_id="r")])
        first = click(0, id="a", source_id="b", client="Mozilla", request_id="q")
        revisable.ingest([first, click(5), *(click(n, id=f"e{n}") for n in range(1500))])
        changed = [opened(7, id="a", delivery_id="2", verdict="human"), evolve(with_id(click(5)), source_id="new")]
        revisable.revise(records=[Delivery(id="1")], remove=[_sent("1", "7")], events=[*changed, click(0, id="none")])
        assert list(revisable.deliveries()) == [Delivery(id="1")]
        assert list(revisable.scan(Query(delivery_ids="2"))) == [changed[0]]
        assert list(revisable.scan(Query(recipient_id="r"))) == []
        found = {event.id: event for event in revisable.scan()}
        assert len(found) == 1502
        assert found[changed[1].id] == changed[1]
        revisable.revise(events=(evolve(click(n, id=f"e{n}"), source_id="s") for n in range(1500)))
        assert sum(event.source_id == "s" for event in revisable.scan()) == 1500

    def test_S29_removing_comes_first(self, revisable: BaseStore) -> None:
        """S29: what is removed and put in one call is there afterwards."""
        revisable.put([Delivery(id="1", label="old")])
        revisable.revise(records=[Delivery(id="1", label="new")], remove=[Delivery(id="1")])
        assert list(revisable.deliveries()) == [Delivery(id="1", label="new")]

    def test_S29_a_revision_is_all_or_nothing(self, revisable: BaseStore) -> None:
        """S29, where ``atomic_ingest`` holds: an iterable that raises leaves everything as it was."""
        needs(revisable.capabilities, "atomic_ingest")
        revisable.put([Delivery(id="1"), Delivery(id="2")])
        revisable.ingest([click(0, id="a"), click(1, id="b")])
        good: dict[str, list[Any]] = {
            "remove": [Delivery(id="1")],
            "remove_events": ["a"],
            "records": [Delivery(id="2", label="new")],
            "events": [click(9, id="b")],
        }
        for broken in good:
            with pytest.raises(Broken):
                revisable.revise(**{name: breaking(v) if name == broken else v for name, v in good.items()})
            assert list(revisable.deliveries()) == [Delivery(id="1"), Delivery(id="2")]
            assert list(revisable.scan()) == [click(0, id="a"), click(1, id="b")]
        for stranger in ({"records": [None]}, {"remove": ["1"]}, {"events": [Delivery(id="1")]}):
            with pytest.raises(InvalidValue):
                revisable.revise(remove_events=["a"], **stranger)
            assert len(list(revisable.scan())) == 2

    def test_S29_counts_and_slots_follow(self, revisable: BaseStore) -> None:
        """S29: after ``rebuild`` they are those of what is there."""
        _fill(revisable, "1")
        revisable.counts()
        gone = [event.id for event in revisable.scan(Query(limit=4))]
        revisable.revise(remove_events=gone, remove=[_sent("1", "0")])
        revisable.rebuild(["1"])
        counts = revisable.counts().deliveries["1"]
        assert counts.rows("click") == 6
        assert sum(counts.domains["Gmail"].statuses.values()) == 3
        assert revisable.slots() == {"1": counts.slots}

    def test_S30_a_delivery_that_is_over_goes_and_its_counts_stay(self, revisable: BaseStore) -> None:
        """S30: for all audiences and for each, in every zone that was named; deliveries and links stay."""
        _fill(revisable, "1")
        zones = ("UTC", "Europe/Paris")
        asked = [_named("1", audience=a, zone=z) for a in ("all", *Audience) for z in zones]
        before = [revisable.counts(query) for query in asked]
        slots = [revisable.slots(query) for query in asked]
        entry = revisable.purge(LATER, now=LATER, zones=zones)
        assert (entry.action, entry.status, entry.started_at) == ("purge", "finished", LATER)
        assert entry.done["events"] == 10
        assert [revisable.slots(query) for query in asked] == slots
        assert [_thawed(revisable.counts(query)) for query in asked] == before
        assert {revisable.counts(query).frozen for query in asked} == {("1",)}
        assert [*revisable.scan(), *revisable.messages(), *revisable.facts(Exclusion)] == []
        assert [visitor.id for visitor in revisable.facts(Visitor)] == ["w"]
        assert [delivery.label for delivery in revisable.deliveries()] == ["Spring"]
        assert [link.id for link in revisable.links()] == ["2"]
        assert revisable.ingest([], None) == Ingested()
        again = revisable.purge(LATER, now=LATER + DAY, zones=zones)
        assert again.done.get("frozen", 0) == again.done.get("events", 0) == 0

    def test_S30_a_delivery_that_goes_on_is_left_alone(self, revisable: BaseStore) -> None:
        """S30: one younger event, message, view or validity is enough, and one of which no moment is known."""
        for name in "abcdef":
            _fill(revisable, name)
        revisable.ingest([opened(occurred_at=LATER, delivery_id="a")])
        revisable.put([_sent("b", "9", last_modified_at=LATER), Delivery(id="d", validity_end_at=LATER)])
        revisable.put([SharedView(delivery_id="c", id="t", network="x", occurred_at=LATER), Delivery(id="g")])
        revisable.put([Delivery(id="e", contact_at=LATER)])
        kept = {name: list(revisable.scan(_named(name))) for name in "abcde"}
        before = revisable.counts()
        revisable.purge(LATER, now=LATER)
        assert {name: list(revisable.scan(_named(name))) for name in "abcde"} == kept
        assert {frozen.delivery_id for frozen in revisable.frozen()} == {"f"}
        after = revisable.counts()
        assert after.deliveries == before.deliveries
        assert after.frozen == ("f",)
        assert after.persons >= before.persons

    def test_S30_each_kind_has_its_own_moment(self, revisable: BaseStore) -> None:
        """S30: messages may go before events, which stay until they are old; then counts are those of the freezing."""
        _fill(revisable, "1")
        before = revisable.counts()
        revisable.purge({"messages": LATER, "events": NOON}, now=LATER)
        assert list(revisable.messages()) == []
        assert len(list(revisable.scan())) == 10
        assert _thawed(revisable.counts()) == before
        revisable.purge({"events": NOON + timedelta(minutes=14)}, now=LATER)
        assert [event.occurred_at for event in revisable.scan(Query(limit=1))] == [NOON + timedelta(minutes=14)]
        assert _thawed(revisable.counts()) == before

    def test_S30_strays_rejects_and_old_entries_go_when_asked(self, revisable: BaseStore) -> None:
        """S30: events of no delivery only by their own name; runs and what is unfinished stay."""
        run = WorkflowRun(id="run", started_at=NOON, hits=3, rejects=[Rejected(line=1, reason="x", text="r1")])
        revisable.put([run, AuditEntry(id="a", action="erase", started_at=NOON, status="finished")])
        revisable.put([AuditEntry(id="b", action="erase", started_at=NOON)])
        revisable.ingest([PageVisit(occurred_at=NOON, id="p"), PageVisit(occurred_at=LATER, id="q")])
        revisable.purge(LATER, now=LATER)
        assert [event.id for event in revisable.scan()] == ["p", "q"]
        assert list(revisable.runs()) == [evolve(run, rejects=())]
        assert {entry.id for entry in revisable.audits()} >= {"b"}
        assert "a" not in {entry.id for entry in revisable.audits()}
        revisable.purge({"strays": LATER}, now=LATER)
        assert [event.id for event in revisable.scan()] == ["q"]
        with pytest.raises(InvalidOption):
            revisable.purge({"everything": LATER}, now=LATER)

    def test_S31_frozen_counts_say_what_they_cannot_answer(self, revisable: BaseStore) -> None:
        """S31: a narrower question, some audiences together, a window across, another zone; and other deliveries go on."""
        _fill(revisable, "1")
        _fill(revisable, "2", at=LATER)
        middle = NOON + timedelta(minutes=20)
        windows = [
            Query(since=NOON, until=LATER + DAY),
            Query(until=NOON),
            Query(since=LATER - DAY),
            Query(since=middle),
        ]
        before = [revisable.counts(evolve(window, delivery_ids="1")) for window in windows[:3]]
        by_slot = [revisable.slots(evolve(query, delivery_ids="1")) for query in (windows[3], Query(kinds="click"))]
        alone = revisable.counts(_named("2", kinds="click"))
        revisable.purge(LATER, now=LATER)
        assert [_thawed(revisable.counts(evolve(window, delivery_ids="1"))) for window in windows[:3]] == before
        assert [
            revisable.slots(evolve(query, delivery_ids="1")) for query in (windows[3], Query(kinds="click"))
        ] == by_slot
        for query in (
            Query(kinds="click"),
            Query(message_ids="1"),
            Query(recipient_id="r1"),
            Query(link_ids="2"),
            Query(limit=3),
            Query(audience=("human", "machine")),
            Query(since=middle),
            Query(zone="Asia/Kathmandu"),
        ):
            for named in (query, evolve(query, delivery_ids=("1", "2"))):
                with pytest.raises(EventsPurged, match="'1'"):
                    revisable.counts(named)
            revisable.counts(evolve(query, except_delivery_ids="1"))
        assert revisable.counts(_named("2", kinds="click")) == alone
        with pytest.raises(EventsPurged):
            revisable.slots(Query(since=middle + timedelta(minutes=1)))

    def test_S31_what_comes_late_is_kept_and_counts_no_more(self, revisable: BaseStore) -> None:
        """S31: an event after the freezing is found by scans; the next purge takes it when it is old."""
        _fill(revisable, "1")
        revisable.purge(LATER, now=LATER)
        before = revisable.counts()
        assert revisable.ingest([click(3, id="late"), click(3, id="free", delivery_id=None)]).added == 2
        assert [event.id for event in revisable.scan(_named("1"))] == ["late"]
        after = revisable.counts()
        assert after.deliveries["1"] == before.deliveries["1"]
        assert after.deliveries[""].rows("click") == 1
        revisable.purge(LATER, now=LATER + DAY)
        assert [event.id for event in revisable.scan()] == ["free"]
        assert revisable.counts().deliveries["1"] == before.deliveries["1"]

    def test_S32_a_purge_that_broke_off_is_taken_up_again(self, revisable: BaseStore) -> None:
        """S32: wherever it stops, counts stay as they were, and in the end nothing old is left."""
        names = [f"d{number}" for number in range(6)]
        for name in names:
            _fill(revisable, name)
        before = {name: revisable.counts(_named(name)) for name in names}
        for writes in range(14):
            with _broken_after(revisable, writes):
                revisable.purge(LATER, now=LATER + writes * DAY)
            assert {name: _thawed(revisable.counts(_named(name))) for name in names} == before
        revisable.purge(LATER, now=LATER + 99 * DAY)
        assert [*revisable.scan(), *revisable.messages()] == []
        assert {name: _thawed(revisable.counts(_named(name))) for name in names} == before

    def test_S32_an_erasure_that_broke_off_is_taken_up_again(self, revisable: BaseStore) -> None:
        """S32: with the same pseudonyms, so that one who is half erased is not counted twice."""
        _recipients(revisable, range(14))
        before = revisable.counts()
        for writes in range(14):
            with _broken_after(revisable, writes):
                revisable.erase(f"r{writes}", now=NOON)
            revisable.erase(f"r{writes}", now=NOON + DAY)
            assert revisable.counts() == before
            assert list(revisable.export(f"r{writes}")) == []
        held = _everything(revisable)
        assert not any(f'"r{number}' in held or f"b{number}!" in held for number in range(14))
        assert [entry for entry in revisable.audits() if entry.status == "started" or entry.secret] == []

    def test_S33_what_identifies_goes(self, revisable: BaseStore) -> None:
        """S33: address, recipient id, browsers, user agents, request ids and the texts of bounces, wherever they stand."""
        _recipients(revisable, range(3))
        store = revisable
        store.put([Visitor(delivery_id="1", id="vis!1", recipient_id="r1", origin="r1@mail.example")])
        store.put([SharedView(delivery_id="1", id="s", network="x", occurred_at=NOON, visitor_id="vis!1")])
        store.put([AddressState(address="r1@mail.example", status="quarantine", delivery_id="1")])
        store.put([Exclusion(delivery_id="1", id="x", recipient_id="r1", address="r1@mail.example")])
        store.put([Subscription(service_id="news", recipient_id="r1", created_at=NOON)])
        store.put(
            [SubscriptionChange(service_id="news", id="c", action="subscribe", changed_at=NOON, recipient_id="r1")]
        )
        before, others = store.counts(), [*store.export("r0"), *store.export("r2")]
        entry = store.erase("r1", now=LATER)
        assert store.counts() == before
        held = _everything(store)
        for word in ('"r1', "r1@mail", "b1!", "Mozilla/1", "request-1", "vis!1"):
            assert word not in held
        assert [*store.export("r0"), *store.export("r2")] == others
        assert list(store.export("r1")) == []
        assert (entry.action, entry.status, entry.subject) == ("erase", "finished", subject_digest("r1"))
        assert "r1" not in to_json(entry).replace(entry.subject, "")
        assert next(kept for kept in store.audits()) == entry
        assert store.ingest(_events_of(1)) == Ingested(added=0, known=len(_events_of(1)))

    @few_examples
    @given(data=st.data())
    def test_S33_counts_are_the_same_afterwards(self, store: BaseStore, data: st.DataObject) -> None:
        """S33: all of them, of any world, as long as nobody shares an address."""
        needs(store.capabilities, "revisable")
        world = data.draw(strategies.worlds())
        store.put(evolve(m, address=f"{m.recipient_id}@{m.address}" if m.recipient_id else "") for m in world.messages)
        store.put([*world.deliveries, *world.links, *world.facts])
        store.ingest(world.events)
        query = Query(zone="Europe/Paris")
        before = [store.counts(), store.counts(query), store.slots(), len(list(store.scan()))]
        for recipient_id in ("r1", "nobody", "R1"):
            store.erase(recipient_id, now=NOON)
            assert [store.counts(), store.counts(query), store.slots(), len(list(store.scan()))] == before
            assert list(store.messages(Query(recipient_id=recipient_id))) == []

    def test_S34_whoever_is_not_anonymised_is_removed(self, revisable: BaseStore) -> None:
        """S34: with messages, events and facts; what remains is counted as if he had never been there."""
        _recipients(revisable, range(3))
        revisable.put([Subscription(service_id="news", recipient_id="r1", created_at=NOON)])
        held = len(list(revisable.scan()))
        entry = revisable.erase("r1", now=LATER, anonymise=False)
        assert entry.done["messages"] == 2
        assert len(list(revisable.scan())) == held - len(_events_of(1)) + 1
        assert list(revisable.facts(Subscription)) == []
        assert {message.recipient_id for message in revisable.messages()} == {"r0", "r2"}
        counts = revisable.counts()
        assert counts.deliveries["1"].rows("click") == 2
        assert revisable.slots() == {name: c.slots for name, c in counts.deliveries.items() if c.slots}
        assert "b1!" not in _everything(revisable)

    def test_S35_an_export_holds_all_about_one_and_nothing_about_others(self, store: BaseStore) -> None:
        """S35: as values that have a written form."""
        _recipients(store, range(3))
        his: list[Fact] = [
            Exclusion(delivery_id="1", id="x", recipient_id="r1"),
            Subscription(service_id="news", recipient_id="r1", created_at=NOON),
            SubscriptionChange(service_id="news", id="c", action="subscribe", changed_at=NOON, recipient_id="r1"),
            Visitor(delivery_id="1", id="v", recipient_id="r1"),
            SharedView(delivery_id="1", id="s", network="x", occurred_at=NOON, visitor_id="v"),
            AddressState(address="r1@mail.example"),
            StepView(application_id="a", source_id="b1!", step="one", occurred_at=NOON),
        ]
        store.put(
            [
                *his,
                Visitor(delivery_id="2", id="v"),
                AddressState(address="r2@mail.example"),
                Exclusion(delivery_id="2", id="x"),
            ]
        )
        exported = list(store.export("r1"))
        assert [value for value in exported if isinstance(value, Fact)] == [
            *his[:4],
            *(fact for fact in his[4:] if isinstance(fact, SharedView)),
            *his[5:],
            StepView(application_id="app", source_id="b1!", step="one", occurred_at=NOON),
        ]
        assert [value for value in exported if isinstance(value, Message)] == list(
            store.messages(Query(recipient_id="r1"))
        )
        events = [value for value in exported if isinstance(value, Event)]
        assert sorted(event.id for event in events) == sorted(event.id for event in _events_of(1))
        assert all(to_json(value) for value in exported)
        assert list(store.export("nobody")) == []

    def test_S36_everything_leaves_an_entry(self, revisable: BaseStore) -> None:
        """S36: when, by what rule, how much; also where there was nothing to do."""
        _fill(revisable, "1")
        first = revisable.purge({"events": LATER}, now=LATER)
        second = revisable.erase("nobody", now=LATER + DAY)
        assert list(revisable.audits()) == [second, first]
        assert first.detail == f"events before {LATER.isoformat()}"
        assert (second.detail, second.subject) == ("anonymised", subject_digest("nobody"))
        assert not any(second.done.values())

    def test_S37_who_cannot_take_out_says_so_and_writes_nothing(self, store: BaseStore) -> None:
        """S37, where ``revisable`` does not hold: ``erase`` and ``purge`` raise ``NotSupported``."""
        if store.capabilities.revisable:
            store.erase("r", now=NOON)
            store.purge(NOON, now=NOON)
            return
        _fill(store, "1")
        with pytest.raises(NotSupported):
            store.erase("r1", now=NOON)
        with pytest.raises(NotSupported):
            store.purge(LATER, now=NOON)
        assert [*store.audits(), *store.frozen()] == []
        assert len(list(store.scan())) == 10


def _events_of(number: int) -> list[Event]:
    """What a recipient did: clicks, a bounce, and a visit of his browser that names no message."""
    shared: dict[str, Any] = {
        "source_id": f"b{number}!",
        "client": Client(user_agent=f"Mozilla/{number}", browser="Firefox"),
        "request_id": f"request-{number}",
    }
    return [
        click(number, message_id=str(number), **shared),
        click(number, message_id=str(number), delivery_id="2", **shared),
        Bounced(occurred_at=NOON, delivery_id="1", message_id=str(number), diagnostic=f"550 <r{number}@mail.example>"),
        PageVisit(occurred_at=NOON, source_id=f"b{number}!"),
    ]


def _recipients(store: Store, numbers: range) -> None:
    """Recipients with two messages each, events, and steps of a web application."""
    for number in numbers:
        name = {"recipient_id": f"r{number}", "address": f"r{number}@mail.example", "is_quarantine": True}
        store.put([_sent(delivery_id, str(number), **name) for delivery_id in "12"])
        store.put([StepView(application_id="app", source_id=f"b{number}!", step="one", occurred_at=NOON)])
        store.ingest(_events_of(number))


def _everything(store: Store) -> str:
    """All that a store holds, written."""
    facts = [fact for kind in FACT_KEYS for fact in store.facts(kind)]
    records = [*store.deliveries(), *store.messages(), *store.links(), *store.runs(), *store.frozen(), *store.audits()]
    return "\n".join(map(to_json, [*records, *facts, *store.scan()]))
