"""Clauses S6 to S16: events, checkpoints and counts."""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import InvalidId
from msgtrack.events import EVENT_KINDS, Bounced, Click, Event, Open, PageVisit
from msgtrack.facts import FACT_KEYS
from msgtrack.model import Audience, Client, Delivery, Message, TrackedLink, Verdict
from msgtrack.protocols import Checkpoint, Ingested, Query, Store
from msgtrack.tally import fold
from msgtrack.testing import strategies
from msgtrack.testing._cases import NO_IDS, NOON, Broken, breaking, click, few_examples, needs, opened, with_id

MICROSECOND = timedelta(microseconds=1)


def _ids(store: Store, query: Query) -> list[str]:
    return [event.id for event in store.scan(query)]


class EventClauses:
    """Events in, events out, and what is counted of them."""

    @pytest.mark.parametrize("kind", EVENT_KINDS)
    @few_examples
    @given(data=st.data())
    def test_S6_an_event_comes_back_equal_with_its_id_set(self, store: Store, kind: str, data: st.DataObject) -> None:
        """S6: every field of every kind; an event that had no id of its own has the derived one now."""
        event = data.draw(strategies.events(EVENT_KINDS[kind]))
        kept = [found for found in store.scan() if found.id == event.id]
        store.ingest([event])
        found = [found for found in store.scan() if found.id == event.id]
        assert found == (kept or [with_id(event)])
        assert [type(event) for event in found] == [EVENT_KINDS[found[0].kind]]
        assert all(event.has_own_id for event in found)

    def test_S6_the_same_is_true_of_what_an_event_shares_with_others(self, store: Store) -> None:
        """S6: events that are alike but for one field stay different in that field."""
        fox, verdict = Client(browser="Firefox"), Verdict(audience="human", reasons=("a", "b"), rules_version="2")
        events = [
            click(0, id="a"),
            click(0, id="b", client=fox),
            click(0, id="c", client=evolve(fox, is_mobile=False)),
            click(0, id="d", client=fox, verdict=verdict),
            click(0, id="e", client=fox, verdict=evolve(verdict, reasons=("b", "a"))),
            click(0, id="f", client=fox, is_seed=True),
            click(0, id="g", client=fox, request_id="1"),
            opened(0, id="h", client=fox),
            opened(0, id="i", client=fox, link_id=None),
        ]
        store.ingest(events)
        assert list(store.scan()) == events

    def test_S6_an_event_without_an_id_has_the_derived_one(self, store: Store) -> None:
        """S6: from now on that is the id it was made with."""
        store.ingest([click(0), opened(1)])
        assert list(store.scan()) == [with_id(click(0)), with_id(opened(1))]
        assert all(event.has_own_id for event in store.scan())

    def test_S7_a_known_id_adds_nothing(self, store: Store) -> None:
        """S7: ingesting again is safe; what was kept first stays as it is."""
        first = [click(0, id="a"), click(1), click(2)]
        assert store.ingest(first) == Ingested(added=3, known=0)
        assert store.ingest(first) == Ingested(added=0, known=3)
        assert store.ingest([opened(9, id="a", message_id="other"), click(3)]) == Ingested(added=1, known=1)
        assert list(store.scan()) == [with_id(event) for event in [*first, click(3)]]

    def test_S7_a_derived_id_is_an_id(self, store: Store) -> None:
        """S7: an event without an id is known by the one derived from its content, whoever sets it."""
        assert store.ingest([click(0)]) == Ingested(added=1, known=0)
        assert store.ingest([with_id(click(0))]) == Ingested(added=0, known=1)

    def test_S8_doubles_within_one_ingest_are_known(self, store: Store) -> None:
        """S8: the first of them is kept, however far apart they stand."""
        many = [click(number, id=f"e{number}") for number in range(1500)]
        doubles = [many[0], *many, evolve(many[0], link_id="9"), *reversed(many)]
        assert store.ingest(iter(doubles)) == Ingested(added=1500, known=1502)
        assert list(store.scan()) == many

    def test_S8_alike_events_without_an_id_are_all_kept(self, store: Store) -> None:
        """S8: they are different events, told apart by their order; the same call again adds nothing."""
        alike = [click(0)] * 3 + [opened(0)] * 2 + [click(0)]
        assert store.ingest(alike) == Ingested(added=6, known=0)
        assert store.ingest(iter(alike)) == Ingested(added=0, known=6)
        assert {event.id for event in store.scan()} == {
            *(click(0).derived_id(ordinal) for ordinal in range(4)),
            *(opened(0).derived_id(ordinal) for ordinal in range(2)),
        }

    def test_S8_nothing_ingested_is_nothing_added(self, store: Store) -> None:
        """S8: an empty iterable is no error."""
        assert store.ingest([]) == Ingested(added=0, known=0)
        assert list(store.scan()) == []

    @few_examples
    @given(checkpoint=strategies.checkpoints(), later=strategies.checkpoints())
    def test_S9_a_checkpoint_comes_back_equal(self, store: Store, checkpoint: Checkpoint, later: Checkpoint) -> None:
        """S9: the last one of its source, and a source knows nothing of another's."""
        store.ingest([], checkpoint)
        assert store.checkpoint(checkpoint.source) == checkpoint
        store.ingest([click(0)], later)
        assert store.checkpoint(later.source) == later
        if later.source != checkpoint.source:
            assert store.checkpoint(checkpoint.source) == checkpoint

    def test_S9_each_source_has_a_checkpoint_of_its_own(self, store: Store) -> None:
        """S9: and the last one given is the one there is, even if it says less."""
        web, log = Checkpoint(source="web", position="9", moved_at=NOON), Checkpoint(source="log", position="1")
        store.ingest([click(0)], web)
        store.ingest([click(1)], log)
        assert [store.checkpoint("web"), store.checkpoint("log"), store.checkpoint("WEB")] == [web, log, None]
        store.ingest([click(0)], Checkpoint(source="web", position=""))
        assert [store.checkpoint("web"), store.checkpoint("log")] == [Checkpoint(source="web", position=""), log]

    def test_S9_a_source_never_read_has_no_checkpoint(self, store: Store) -> None:
        """S9: None, and an ingest without a checkpoint moves none."""
        store.ingest([click(0)])
        assert store.checkpoint("web") is None
        store.ingest([click(1)], Checkpoint(source="web", position="1"))
        store.ingest([click(2)])
        assert store.checkpoint("web") == Checkpoint(source="web", position="1")

    def test_S9_a_source_is_an_id(self, store: Store) -> None:
        """S9: an integer is its decimal text, here as in the checkpoint, and what is no id is refused."""
        five: Any = 5
        store.ingest([], Checkpoint(source=five, position="1"))
        assert store.checkpoint(five) == store.checkpoint("5") == Checkpoint(source="5", position="1")
        for stranger in NO_IDS:
            with pytest.raises(InvalidId):
                store.checkpoint(stranger)

    @pytest.mark.parametrize("before", [0, 1, 2500])
    def test_S10_the_checkpoint_is_never_ahead_of_the_events(self, store: Store, before: int) -> None:
        """S10: an iterable that raises leaves the checkpoint where it was, and its error passes through."""
        store.ingest([], Checkpoint(source="web", position="old"))
        with pytest.raises(Broken):
            store.ingest(breaking(map(click, range(before))), Checkpoint(source="web", position="new"))
        assert store.checkpoint("web") == Checkpoint(source="web", position="old")
        assert store.ingest(map(click, range(3))).added <= 3
        assert len(list(store.scan(Query(until=NOON + timedelta(minutes=3))))) == 3

    @pytest.mark.parametrize("before", [1, 2500])
    def test_S10_events_and_checkpoint_move_together_or_not_at_all(self, store: Store, before: int) -> None:
        """S10, where ``atomic_ingest`` holds: of a call that fails nothing is kept."""
        needs(store.capabilities, "atomic_ingest")
        store.ingest([opened(0)])
        with pytest.raises(Broken):
            store.ingest(breaking(map(click, range(before))), Checkpoint(source="web", position="new"))
        assert list(store.scan()) == [with_id(opened(0))]
        assert store.ingest(map(click, range(before))) == Ingested(added=before, known=0)

    def test_S11_events_are_ordered_by_moment_and_id(self, store: Store) -> None:
        """S11: ids as text, character by character, whether derived or not; in whatever order they came."""
        ids = ["0", "1", "10", "2", "A" * 32, "Z", "a", "aa", "a" * 31, "a" * 32, "bZ", "b" * 32, "é", "\U0001f600"]
        expected = [click(-1, id="z"), *(click(0, id=id_) for id_ in ids), click(1, id="0" * 32)]
        store.ingest(reversed(expected))
        assert list(store.scan()) == expected
        assert list(store.scan(Query(delivery_ids="1"))) == expected
        assert list(store.scan(Query(delivery_ids=("1", "2"), kinds="click"))) == expected

    def test_S11_the_order_of_ingest_changes_nothing(self, store: Store) -> None:
        """S11: late events take their place."""
        for index, minutes in enumerate(permutations(range(3))):
            for minute in minutes:
                store.ingest([click(minute, delivery_id=str(index))])
            found = [event.occurred_at for event in store.scan(Query(delivery_ids=str(index)))]
            assert found == [NOON, NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)]

    def test_S12_moments_are_kept_to_the_microsecond(self, store: Store) -> None:
        """S12: from the first moment that Python knows to the last; neighbours stay apart."""
        ends = [datetime.min.replace(tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
        moments = [ends[0], ends[0] + MICROSECOND, ends[1] - MICROSECOND, ends[1], ends[1] + MICROSECOND]
        moments += [NOON + step * MICROSECOND for step in (0, 1, 999_999)] + [ends[2] - MICROSECOND, ends[2]]
        store.ingest(click(occurred_at=at) for at in reversed(moments))
        assert [event.occurred_at for event in store.scan()] == moments
        assert {event.occurred_at.tzinfo for event in store.scan()} == {UTC}
        for index, at in enumerate(moments):
            assert [event.occurred_at for event in store.scan(Query(since=at))] == moments[index:]

    def test_S13_a_window_holds_its_start_and_not_its_end(self, store: Store) -> None:
        """S13: ``since`` is inside, ``until`` is outside; windows that meet share nothing and miss nothing."""
        store.ingest(click(occurred_at=NOON + step * MICROSECOND, id=f"e{step}") for step in range(-2, 3))
        at = [NOON + step * MICROSECOND for step in range(3)]
        assert _ids(store, Query(since=at[0])) == ["e0", "e1", "e2"]
        assert _ids(store, Query(until=at[0])) == ["e-2", "e-1"]
        assert _ids(store, Query(since=at[0], until=at[2])) == ["e0", "e1"]
        assert _ids(store, Query(since=at[1], until=at[1])) == []
        assert _ids(store, Query(since=at[2], until=at[0])) == []

    def test_S14_scans_narrow_by_every_field(self, store: Store) -> None:
        """S14: an event passes when all fields admit it; None admits all, an empty tuple nothing."""
        verdicts = [Verdict(audience=audience) for audience in Audience]
        events: list[Event] = [click(0, id="a", delivery_id="1", message_id="7", verdict=verdicts[0])]
        events += [opened(1, id="b", delivery_id="1", message_id="8", verdict=verdicts[1])]
        events += [PageVisit(occurred_at=NOON + timedelta(minutes=2), id="c", verdict=verdicts[2])]
        events += [click(3, id="d", delivery_id="2", message_id="7", verdict=verdicts[3])]
        events += [Bounced(occurred_at=NOON + timedelta(minutes=4), id="e", delivery_id="2", message_id=None)]
        store.ingest(events)
        assert _ids(store, Query(delivery_ids="1")) == ["a", "b"]
        assert _ids(store, Query(delivery_ids=("2", "1", "none"))) == ["a", "b", "d", "e"]
        assert _ids(store, Query(message_ids="7")) == ["a", "d"]
        assert _ids(store, Query(kinds=Click)) == ["a", "d"]
        assert _ids(store, Query(kinds=(Open, Bounced))) == ["b", "e"]
        assert _ids(store, Query(audience="machine")) == ["d"]
        assert _ids(store, Query(audience=("human", "unsure"))) == ["a", "c", "e"]
        assert _ids(store, Query(delivery_ids="2", message_ids="7", kinds=Click, audience="machine")) == ["d"]
        assert _ids(store, Query(delivery_ids="1", message_ids="7", kinds=Open)) == []
        for nothing in (Query(delivery_ids=()), Query(message_ids=()), Query(kinds=()), Query(audience=())):
            assert _ids(store, nothing) == []
        assert _ids(store, Query(delivery_ids=tuple(map(str, range(40_000))))) == ["a", "b", "d", "e"]

    @few_examples
    @given(data=st.data())
    def test_S14_every_query_gives_what_it_admits(self, store: Store, data: st.DataObject) -> None:
        """S14: ``scan(query)`` is ``scan()`` filtered by ``query.admits``."""
        world = data.draw(strategies.worlds())
        drawn = data.draw(strategies.queries(world))
        query = evolve(
            drawn, recipient_id=None, domains=None, labels=None, categories=None, limit=None, newest_first=False
        )
        store.ingest(world.events)
        assert list(store.scan(query)) == [event for event in store.scan() if query.admits(event)]

    def test_S15_a_recipient_has_the_events_of_his_messages(self, store: Store) -> None:
        """S15: by delivery and message together; a message that comes after its events counts as well."""
        store.put(
            [Message(delivery_id="1", id="7", recipient_id="r"), Message(delivery_id="2", id="8", recipient_id="r")]
        )
        pairs = [("1", "7"), ("1", "8"), ("2", "7"), ("2", "8"), ("1", None), (None, None)]
        store.ingest(click(n, id=f"e{n}", delivery_id=d, message_id=m) for n, (d, m) in enumerate(pairs))
        assert _ids(store, Query(recipient_id="r")) == ["e0", "e3"]
        assert _ids(store, Query(recipient_id="r", delivery_ids="2")) == ["e3"]
        assert _ids(store, Query(recipient_id="nobody")) == []
        store.put(
            [Message(delivery_id="1", id="8", recipient_id="r"), Message(delivery_id="1", id="7", recipient_id="q")]
        )
        assert _ids(store, Query(recipient_id="r")) == ["e1", "e3"]

    @few_examples
    @given(data=st.data())
    def test_S16_counts_are_those_of_the_fold(self, store: Store, data: st.DataObject) -> None:
        """S16: of the query's deliveries with their messages, links and facts, and of the events that pass."""
        world = data.draw(strategies.worlds())
        store.put(world.records)
        store.ingest(world.events)
        query = data.draw(strategies.queries(world))
        named = Query(delivery_ids=query.delivery_ids, except_delivery_ids=query.except_delivery_ids)
        views = evolve(named, since=query.since, until=query.until)
        facts = [fact for kind in FACT_KEYS for fact in store.facts(kind, views)]
        tally = fold(store.deliveries(named), store.messages(named), store.links(named), store.scan(query), facts)
        assert store.counts(query) == tally.counts(zone=query.zone)

    def test_S16_facts_that_come_late_are_counted(self, store: Store) -> None:
        """S16: the messages, links and events there are now, whatever was asked before."""
        store.ingest([click(0, link_id="2")])
        before = store.counts(Query(delivery_ids="1"))
        store.put([Delivery(id="1"), Message(delivery_id="1", id="7", address="a@gmail.com", status="sent")])
        store.put([TrackedLink(delivery_id="1", id="2", url="https://a.example/")])
        store.ingest([click(1, link_id="2")])
        after = store.counts(Query(delivery_ids="1"))
        assert before.deliveries["1"].domains["Others"].reactions == {"click": 1}
        assert after.deliveries["1"].domains["Gmail"].reactions == {"click": 2}
        assert after.deliveries["1"].links["2"].url == "https://a.example/"

    def test_S16_days_are_cut_in_the_zone_asked_for(self, store: Store) -> None:
        """S16: also where a zone changes its clocks, and is no whole hour away from UTC."""
        moments = [datetime(2026, 3, 28, 23, 30, tzinfo=UTC), datetime(2026, 3, 29, 22, 30, tzinfo=UTC)]
        moments += [datetime(2026, 3, 28, 18, 14, tzinfo=UTC), datetime(2026, 3, 28, 18, 15, tzinfo=UTC)]
        store.ingest(click(occurred_at=at, client=Client(browser="Firefox")) for at in moments)
        for zone, days in (
            ("UTC", {"2026-03-28": 3, "2026-03-29": 1}),
            ("Europe/Paris", {"2026-03-28": 2, "2026-03-29": 1, "2026-03-30": 1}),
            ("Asia/Kathmandu", {"2026-03-28": 1, "2026-03-29": 2, "2026-03-30": 1}),
        ):
            counts = store.counts(Query(zone=zone))
            assert {visits.day: visits.pages for visits in counts.visits} == days
            groups = counts.deliveries["1"].groups["day"]
            assert {day: reached.reactions["click"] for day, reached in groups.items()} == days

    def test_S16_days_before_1970_are_days(self, store: Store) -> None:
        """S16: what has a wrong clock is counted on the day that it says, in whatever zone."""
        store.ingest(click(occurred_at=datetime(1969, 12, 31, 23, minute, tzinfo=UTC)) for minute in (50, 57))
        store.ingest([click(occurred_at=datetime(1970, 1, 1, tzinfo=UTC))])
        for zone, days in (
            ("UTC", {"1969-12-31": 2, "1970-01-01": 1}),
            ("America/Bogota", {"1969-12-31": 3}),
        ):
            groups = store.counts(Query(zone=zone)).deliveries["1"].groups["day"]
            assert {day: reached.reactions["click"] for day, reached in groups.items()} == days
