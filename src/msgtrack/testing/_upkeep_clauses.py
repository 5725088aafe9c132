"""Clauses S29 to S32: rewriting, and purging what is old."""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from msgtrack.errors import EventsPurged, InvalidId, InvalidOption, InvalidValue
from msgtrack.events import PageVisit
from msgtrack.facts import (
    AddressState,
    Exclusion,
    SharedView,
    StepView,
    Visitor,
)
from msgtrack.hits import Rejected
from msgtrack.model import Audience, Delivery
from msgtrack.protocols import AuditEntry, FrozenCounts, Ingested, Query, Record, WorkflowRun
from msgtrack.storage import BaseStore, record_key
from msgtrack.testing._cases import NO_IDS, NOON, Broken, breaking, click, needs, opened, with_id
from msgtrack.testing._house import (
    DAY,
    LATER,
    broken_after,
    fill,
    named,
    sent,
    thawed,
)

__all__ = ["UpkeepClauses"]


class UpkeepClauses:
    """What keeping house does, and what it leaves as it was."""

    def test_S29_what_is_taken_out_is_gone_and_the_rest_stays(self, revisable: BaseStore) -> None:
        """S29: records by key and class, events by id; what is not there is no error."""
        records: list[Record] = [
            Delivery(id="1"),
            Delivery(id="2"),
            sent("1", "7"),
            sent("2", "7"),
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

    def test_S29_events_are_taken_out_by_ids(self, revisable: BaseStore) -> None:
        """S29: a text is one id, an integer is its decimal text, and where one is no id nothing is taken out."""
        revisable.ingest(click(0, id=name) for name in ("5", "7", "a", "b", "ab"))
        revise: Any = revisable.revise
        for stranger in NO_IDS:
            with pytest.raises(InvalidId):
                revise(remove=[Delivery(id="1")], remove_events=["a", stranger])
        assert len([*revisable.scan()]) == 5
        revise(remove_events=[5])
        revise(remove_events=7)
        revise(remove_events="ab")
        assert [event.id for event in revisable.scan()] == ["a", "b"]

    def test_S29_what_is_rewritten_is_replaced_whole(self, revisable: BaseStore) -> None:
        """S29: events keep their id and take every other field anew; one whose id is not there is not kept."""
        revisable.put([Delivery(id="1", label="old", to_deliver=4), sent("1", "7", recipient_id="r")])
        first = click(0, id="a", source_id="b", client="Mozilla", request_id="q")
        revisable.ingest([first, click(5), *(click(n, id=f"e{n}") for n in range(1500))])
        changed = [opened(7, id="a", delivery_id="2", verdict="human"), evolve(with_id(click(5)), source_id="new")]
        revisable.revise(records=[Delivery(id="1")], remove=[sent("1", "7")], events=[*changed, click(0, id="none")])
        assert list(revisable.deliveries()) == [Delivery(id="1")]
        assert list(revisable.scan(Query(delivery_ids="2"))) == [changed[0]]
        assert list(revisable.scan(Query(recipient_id="r"))) == []
        found = {event.id: event for event in revisable.scan()}
        due = {"a", changed[1].id, *(f"e{n}" for n in range(1500))}
        too_many, missing = sorted(found.keys() - due), sorted(due - found.keys())
        assert (too_many, missing) == ([], []), f"events too many: {too_many[:9]}; missing: {missing[:9]}"
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
        fill(revisable, "1")
        revisable.counts()
        gone = [event.id for event in revisable.scan(Query(limit=4))]
        revisable.revise(remove_events=gone, remove=[sent("1", "0")])
        revisable.rebuild(["1"])
        counts = revisable.counts().deliveries["1"]
        assert counts.rows("click") == 6
        assert sum(counts.domains["Gmail"].statuses.values()) == 3
        assert revisable.slots() == {"1": counts.slots}

    def test_S30_a_delivery_that_is_over_goes_and_its_counts_stay(self, revisable: BaseStore) -> None:
        """S30: for all audiences and for each, in every zone that was named; deliveries and links stay."""
        fill(revisable, "1")
        zones = ("UTC", "Europe/Paris")
        asked = [named("1", audience=a, zone=z) for a in ("all", *Audience) for z in zones]
        before = [revisable.counts(query) for query in asked]
        slots = [revisable.slots(query) for query in asked]
        entry = revisable.purge(LATER, now=LATER, zones=zones)
        assert (entry.action, entry.status, entry.started_at) == ("purge", "finished", LATER)
        assert entry.done["events"] == 10
        assert [revisable.slots(query) for query in asked] == slots
        assert [thawed(revisable.counts(query)) for query in asked] == before
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
            fill(revisable, name)
        revisable.ingest([opened(occurred_at=LATER, delivery_id="a")])
        revisable.put([sent("b", "9", last_modified_at=LATER), Delivery(id="d", validity_end_at=LATER)])
        revisable.put([SharedView(delivery_id="c", id="t", network="x", occurred_at=LATER), Delivery(id="g")])
        revisable.put([Delivery(id="e", contact_at=LATER)])
        kept = {name: list(revisable.scan(named(name))) for name in "abcde"}
        before = revisable.counts()
        revisable.purge(LATER, now=LATER)
        assert {name: list(revisable.scan(named(name))) for name in "abcde"} == kept
        assert {frozen.delivery_id for frozen in revisable.frozen()} == {"f"}
        after = revisable.counts()
        assert after.deliveries == before.deliveries
        assert after.frozen == ("f",)
        assert after.persons >= before.persons

    def test_S30_each_kind_has_its_own_moment(self, revisable: BaseStore) -> None:
        """S30: messages may go before events, which stay until they are old; then counts are those of the freezing."""
        fill(revisable, "1")
        before = revisable.counts()
        revisable.purge({"messages": LATER, "events": NOON}, now=LATER)
        assert list(revisable.messages()) == []
        assert len(list(revisable.scan())) == 10
        assert thawed(revisable.counts()) == before
        revisable.purge({"events": NOON + timedelta(minutes=14)}, now=LATER)
        assert [event.occurred_at for event in revisable.scan(Query(limit=1))] == [NOON + timedelta(minutes=14)]
        assert thawed(revisable.counts()) == before

    def test_S30_a_delivery_that_only_messages_name_goes_too(self, revisable: BaseStore) -> None:
        """S30: nobody registered it and nothing happened, but addresses are there."""
        revisable.put([sent("1", "1", recipient_id="r1", address="r1@mail.example"), sent("2", "1", event_at=LATER)])
        before = revisable.counts()
        entry = revisable.purge(LATER, now=LATER)
        assert (entry.done["frozen"], entry.done["messages"]) == (1, 1)
        assert [message.delivery_id for message in revisable.messages()] == ["2"]
        assert thawed(revisable.counts()) == before

    def test_S30_a_delivery_that_only_facts_name_goes_too(self, revisable: BaseStore) -> None:
        """S30: somebody was shown it, or visited; a visitor of yesterday keeps it."""
        view = SharedView(delivery_id="1", id="s", network="facebook", occurred_at=NOON)
        old, new = (Visitor(delivery_id=name, id="v", created_at=at) for name, at in (("2", NOON), ("3", LATER)))
        revisable.put([view, old, new, AddressState(address="r1@mail.example", delivery_id="4", last_error_at=NOON)])
        before = revisable.counts()
        entry = revisable.purge(LATER, now=LATER)
        assert dict(entry.done) == {"frozen": 2, "views": 1, "visitors": 1}
        assert [*revisable.facts(SharedView), *revisable.facts(Visitor)] == [new]
        assert thawed(revisable.counts()) == before

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
        # What is consolidated goes with them.
        assert [*revisable.slots()[""]["page-visit"][""].values()] == [1]
        with pytest.raises(InvalidOption):
            revisable.purge({"everything": LATER}, now=LATER)

    def test_S31_frozen_counts_say_what_they_cannot_answer(self, revisable: BaseStore) -> None:
        """S31: a narrower question, some audiences together, a window across, another zone; and other deliveries go on."""
        fill(revisable, "1")
        fill(revisable, "2", at=LATER)
        middle = NOON + timedelta(minutes=20)
        windows = [
            Query(since=NOON, until=LATER + DAY),
            Query(until=NOON),
            Query(since=LATER - DAY),
            Query(since=middle),
        ]
        before = [revisable.counts(evolve(window, delivery_ids="1")) for window in windows[:3]]
        by_slot = [revisable.slots(evolve(query, delivery_ids="1")) for query in (windows[3], Query(kinds="click"))]
        alone = revisable.counts(named("2", kinds="click"))
        revisable.purge(LATER, now=LATER)
        assert [thawed(revisable.counts(evolve(window, delivery_ids="1"))) for window in windows[:3]] == before
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
            for asked in (query, evolve(query, delivery_ids=("1", "2"))):
                with pytest.raises(EventsPurged, match="'1'"):
                    revisable.counts(asked)
            revisable.counts(evolve(query, except_delivery_ids="1"))
        assert revisable.counts(named("2", kinds="click")) == alone
        with pytest.raises(EventsPurged):
            revisable.slots(Query(since=middle + timedelta(minutes=1)))

    def test_S31_what_no_event_passes_is_answered_too(self, revisable: BaseStore) -> None:
        """S31: an empty choice admits no event, and views are counted all the same."""
        fill(revisable, "1")
        choices = ("audience", "kinds", "message_ids", "link_ids", "labels", "categories", "domains")
        empty: list[dict[str, Any]] = [{name: ()} for name in choices]
        queries = [Query(**choice) for choice in empty]
        queries += [Query(audience=(), until=NOON), Query(audience=(), until=LATER), Query(kinds=(), recipient_id="r1")]
        before = [(revisable.counts(query), revisable.slots(query)) for query in queries[:-1]]
        revisable.purge(LATER, now=LATER)
        assert [(thawed(revisable.counts(query)), revisable.slots(query)) for query in queries[:-1]] == before
        with pytest.raises(EventsPurged, match="recipient_id"):
            revisable.counts(queries[-1])

    def test_S31_of_frozen_counts_those_are_read_that_answer(self, revisable: BaseStore) -> None:
        """S31: what a store finds by delivery, audience and zone is what all of them hold, however many deliveries are named."""
        made = [
            FrozenCounts(delivery_id=name, audience=audience, zone=zone, body=name)
            for name in ("1", "10", "2", "a\x00b")
            for audience in ("all", "human", "outside")
            for zone in ("Europe/Paris", "UTC")
        ]
        revisable.put(made)
        many = tuple(map(str, range(6000)))
        for query in (
            Query(),
            Query(delivery_ids=("2", "1", "a\x00b")),
            Query(delivery_ids=many),
            Query(delivery_ids=(*many, "a\x00b")),
            Query(except_delivery_ids=many),
            Query(except_delivery_ids=(*many[5:], "a\x00b")),
        ):
            kept = [counts for counts in made if query.admits_delivery(counts.delivery_id)]
            assert revisable.frozen_deliveries(query) == {counts.delivery_id for counts in kept}
            assert list(revisable.frozen(query)) == sorted(kept, key=record_key)
            assert list(revisable.frozen_for(query, {"all", "outside"}, "UTC")) == sorted(
                (counts for counts in kept if counts.audience != "human" and counts.zone == "UTC"), key=record_key
            )

    def test_S31_what_comes_late_is_kept_and_counts_no_more(self, revisable: BaseStore) -> None:
        """S31: an event after the freezing is found by scans; the next purge takes it when it is old."""
        fill(revisable, "1")
        revisable.purge(LATER, now=LATER)
        before = revisable.counts()
        assert revisable.ingest([click(3, id="late"), click(3, id="free", delivery_id=None)]).added == 2
        assert [event.id for event in revisable.scan(named("1"))] == ["late"]
        after = revisable.counts()
        assert after.deliveries["1"] == before.deliveries["1"]
        assert after.deliveries[""].rows("click") == 1
        revisable.purge(LATER, now=LATER + DAY)
        assert [event.id for event in revisable.scan()] == ["free"]
        assert revisable.counts().deliveries["1"] == before.deliveries["1"]

    def test_S32_a_purge_that_broke_off_is_taken_up_again(self, revisable: BaseStore) -> None:
        """S32: wherever it stops, counts stay as they were, and in the end nothing old is left."""
        names = ["d1", "d2", "d3"]
        for name in names:
            fill(revisable, name)
        before = {name: revisable.counts(named(name)) for name in names}
        for writes in range(9):
            with broken_after(revisable, writes):
                revisable.purge(LATER, now=LATER + writes * DAY)
            assert {name: thawed(revisable.counts(named(name))) for name in names} == before
        revisable.purge(LATER, now=LATER + 99 * DAY)
        assert [*revisable.scan(), *revisable.messages()] == []
        assert {name: thawed(revisable.counts(named(name))) for name in names} == before
