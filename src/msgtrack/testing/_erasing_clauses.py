"""Clauses S32 to S37: erasing, exporting, and the trail that they leave."""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import NotSupported
from msgtrack.events import Event
from msgtrack.facts import (
    AddressState,
    Exclusion,
    Fact,
    SharedView,
    StepView,
    Subscription,
    SubscriptionChange,
    Visitor,
)
from msgtrack.model import Message
from msgtrack.protocols import Ingested, Query
from msgtrack.records import to_json
from msgtrack.storage import BaseStore, in_order, subject_digest
from msgtrack.testing import strategies
from msgtrack.testing._cases import NOON, click, few_examples, needs
from msgtrack.testing._house import (
    DAY,
    LATER,
    broken_after,
    events_of,
    everything,
    fill,
    put_recipients,
)

__all__ = ["ErasingClauses"]


class ErasingClauses:
    """Forgetting somebody, and telling somebody what is known."""

    def test_S32_an_erasure_that_broke_off_is_taken_up_again(self, revisable: BaseStore) -> None:
        """S32: with the same pseudonyms, so that one who is half erased is not counted twice."""
        put_recipients(revisable, range(11))
        before = revisable.counts()
        for writes in range(11):
            with broken_after(revisable, writes):
                revisable.erase(f"r{writes}", now=NOON)
            revisable.erase(f"r{writes}", now=NOON + DAY)
            assert revisable.counts() == before
            assert list(revisable.export(f"r{writes}")) == []
        held = everything(revisable)
        assert not any(f'"r{number}' in held or f"b{number}!" in held for number in range(11))
        assert [entry for entry in revisable.audits() if entry.status == "started" or entry.secret] == []

    def test_S33_what_identifies_goes(self, revisable: BaseStore) -> None:
        """S33: address, recipient id, browsers, user agents, request ids and the texts of bounces, wherever they stand."""
        put_recipients(revisable, range(3))
        store = revisable
        store.put([Visitor(delivery_id="1", id="vis!1", recipient_id="r1", origin="r1@mail.example")])
        store.put([SharedView(delivery_id="1", id="s", network="x", occurred_at=NOON, visitor_id="vis!1")])
        store.put([AddressState(address="r1@mail.example", status="quarantine", delivery_id="1")])
        store.put([Exclusion(delivery_id="1", id="x", recipient_id="r1", address="r1@mail.example")])
        store.put([Subscription(service_id="news", recipient_id="r1", created_at=NOON)])
        store.put(
            [SubscriptionChange(service_id="news", id="c", action="subscribe", changed_at=NOON, recipient_id="r1")]
        )
        store.put([Exclusion(delivery_id="1", id="z", address="r1@mail.example")])
        store.ingest([click(9, message_id="1", source_id="b1!, too")])
        before, others = store.counts(), [*store.export("r0"), *store.export("r2")]
        entry = store.erase("r1", now=LATER)
        assert store.counts() == before
        held = everything(store)
        for word in ('"r1', "r1@mail", "b1!", "Mozilla/1", "request-1", "vis!1"):
            assert word not in held
        assert [*store.export("r0"), *store.export("r2")] == others
        assert list(store.export("r1")) == []
        assert (entry.action, entry.status, entry.subject) == ("erase", "finished", subject_digest("r1"))
        assert "r1" not in to_json(entry).replace(entry.subject, "")
        assert next(kept for kept in store.audits()) == entry
        assert store.ingest(events_of(1)) == Ingested(added=0, known=len(events_of(1)))

    @few_examples
    @given(data=st.data())
    def test_S33_counts_are_the_same_afterwards(self, store: BaseStore, data: st.DataObject) -> None:
        """S33: all of them, of any world, as long as nobody shares an address."""
        needs(store.capabilities, "revisable")
        world = data.draw(strategies.worlds())
        store.put(evolve(m, address=f"{m.recipient_id}@{m.address}" if m.recipient_id else "") for m in world.messages)
        store.put([*world.deliveries, *world.links, *world.facts])
        store.ingest(world.events)
        before = (store.counts(Query(zone="Europe/Paris")), len(list(store.scan())))
        for recipient_id in ("r1", "R1"):
            store.erase(recipient_id, now=NOON)
            assert list(store.messages(Query(recipient_id=recipient_id))) == []
        assert (store.counts(Query(zone="Europe/Paris")), len(list(store.scan()))) == before
        assert store.slots() == {name: counts.slots for name, counts in before[0].deliveries.items() if counts.slots}

    def test_S33_records_are_found_by_what_is_in_them(self, store: BaseStore) -> None:
        """S33: whatever an address, a browser or a visitor is called, and nobody is taken for another."""
        odd = ("a@b.example", "A@b.example", "a@b.exampl", 'q"\\@b', "%_@b", "ä\u0301@b", "\n\x00@b", "'; --@b")
        messages = [Message(delivery_id="1", id=str(n), address=address) for n, address in enumerate(odd)]
        messages.append(Message(delivery_id="1", id="x", address='"address":"a@b.example"', recipient_id="a@b.example"))
        states = [AddressState(address=address) for address in odd]
        views = [
            SharedView(delivery_id="1", id=str(n), network="email", occurred_at=NOON, visitor_id=name)
            for n, name in enumerate((*odd, None))
        ]
        steps = [StepView(application_id="1", step="2", source_id=name, occurred_at=NOON) for name in odd]
        mine = Exclusion(delivery_id="1", id="1", recipient_id="ann")
        store.put([*messages, *states, *views, *steps, mine, Exclusion(delivery_id="1", id="2", address="ann")])
        for wanted in (set(), {"nobody"}, {odd[0]}, {odd[2], odd[3]}, {*odd}, {*odd[4:], *map(str, range(60))}):
            for kind, name, records in (
                (Message, "address", messages),
                (AddressState, "address", states),
                (SharedView, "visitor_id", views),
                (StepView, "source_id", steps),
            ):
                expected = in_order(record for record in records if getattr(record, name) in wanted)
                assert list(store.find_having(kind, name, wanted)) == expected
        assert list(store.find_having(Exclusion, "recipient_id", {"ann"})) == [mine]

    def test_S34_whoever_is_not_anonymised_is_removed(self, revisable: BaseStore) -> None:
        """S34: with messages, events and facts; what remains is counted as if he had never been there."""
        put_recipients(revisable, range(3))
        revisable.put([Subscription(service_id="news", recipient_id="r1", created_at=NOON)])
        held = len(list(revisable.scan()))
        entry = revisable.erase("r1", now=LATER, anonymise=False)
        assert entry.done["messages"] == 2
        assert len(list(revisable.scan())) == held - len(events_of(1)) + 2
        assert list(revisable.facts(Subscription)) == []
        assert {message.recipient_id for message in revisable.messages()} == {"r0", "r2"}
        counts = revisable.counts()
        assert counts.deliveries["1"].rows("click") == 5
        assert revisable.slots() == {name: c.slots for name, c in counts.deliveries.items() if c.slots}
        assert "b1!" not in everything(revisable)

    def test_S35_an_export_holds_all_about_one_and_nothing_about_others(self, store: BaseStore) -> None:
        """S35: as values that have a written form."""
        put_recipients(store, range(3))
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
        assert sorted(event.id for event in events) == sorted(event.id for event in events_of(1))
        assert all(to_json(value) for value in exported)
        assert list(store.export("nobody")) == []

    def test_S35_who_writes_while_he_exports_reads_what_he_wrote(self, store: BaseStore) -> None:
        """S35: an export that is read half way holds up nothing else."""
        put_recipients(store, range(3))
        half_read = store.export("r1")
        next(half_read)
        store.put([Exclusion(delivery_id="1", id="new")])
        assert [fact.id for fact in store.facts(Exclusion)] == ["new"]
        assert not any(isinstance(value, Exclusion) for value in half_read)

    def test_S36_the_same_again_at_the_same_moment_leaves_another_entry(self, revisable: BaseStore) -> None:
        """S36: what was done the first time is still told."""
        put_recipients(revisable, range(2))
        entries = []
        for _ in range(2):
            entries += [revisable.erase("r1", now=LATER), revisable.purge(LATER, now=LATER)]
        assert len({entry.id for entry in entries}) == 4
        assert sorted(revisable.audits(), key=lambda e: e.id) == sorted(entries, key=lambda e: e.id)
        assert entries[0].done["messages"] == 2
        assert entries[1].done["events"]

    def test_S36_everything_leaves_an_entry(self, revisable: BaseStore) -> None:
        """S36: when, by what rule, how much; also where there was nothing to do."""
        fill(revisable, "1")
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
        fill(store, "1")
        with pytest.raises(NotSupported):
            store.erase("r1", now=NOON)
        with pytest.raises(NotSupported):
            store.purge(LATER, now=NOON)
        assert [*store.audits(), *store.frozen()] == []
        assert len(list(store.scan())) == 10
