"""How tallies go together and from one process to another, and how events are counted in groups."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from msgtrack._reactions import cells, reach_of
from msgtrack.counts import MOBILE_CLICK, distinct
from msgtrack.events import Click, Open, Transaction
from msgtrack.facts import Exclusion, Service
from msgtrack.model import Client, Delivery, Message, TrackedLink
from msgtrack.tally import Fact, Tally, fold
from msgtrack.testing import strategies

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS = ("click", "mirror-page-view", "open")


def all_of(world: strategies.World) -> list[Fact]:
    return [*world.deliveries, *world.messages, *world.links, *world.events, *world.facts]


@given(strategies.worlds(), st.integers(0, 3), st.none() | st.integers(0, 9))
def test_a_tally_survives_the_way_to_another_process(
    world: strategies.World, times: int, sketch_above: int | None
) -> None:
    tally = Tally()
    for _ in range(times):
        tally.extend(all_of(world))
    tally._sketch_above = sketch_above
    arrived = pickle.loads(pickle.dumps(tally))
    assert arrived == tally
    assert arrived._sketch_above == sketch_above
    tally._sketch_above = arrived._sketch_above = None
    assert repr(arrived.counts()) == repr(tally.counts())
    arrived.extend(all_of(world))
    tally.extend(all_of(world))
    assert arrived == tally


def test_what_arrives_is_of_the_types_that_left() -> None:
    amounts = [Decimal("2.5"), Decimal("2.50"), Decimal("2.500")]
    events: list[Fact] = [
        Transaction(id=str(n), occurred_at=NOON, delivery_id="1", amount=amount) for n, amount in enumerate(amounts)
    ]
    out = Open(id="seed", occurred_at=NOON, delivery_id="1", is_seed=True)
    messages = [Message(id="7", delivery_id="1", status="sent", recipient_id="r"), Message(id="8", delivery_id="2")]
    tally = Tally()
    tally.extend(
        [out, *events, *messages, Click(id="c", occurred_at=NOON, delivery_id="1", client=Client(browser="b"))]
    )
    arrived = pickle.loads(pickle.dumps(tally))
    assert arrived == tally
    assert arrived._messages == tally._messages
    assert [type(m) for d in arrived._messages.values() for m in d.values()] == [type(tally._messages["1"]["7"])] * 2
    assert str(arrived._identified["1"][8]) == "2.50"
    assert repr(arrived._messages["1"]["7"]) == repr(tally._messages["1"]["7"])
    assert pickle.loads(pickle.dumps(Tally())) == Tally()


@given(strategies.worlds(), st.integers(0, 40))
def test_to_absorb_is_to_merge_in_place(world: strategies.World, cut: int) -> None:
    facts = all_of(world)
    left, right = Tally(), Tally(sketch_above=10**6)
    left.extend(facts[:cut])
    right.extend(facts[cut // 2 :])
    merged, before = left.merge(right), right.copy()
    left.absorb(right)
    assert left == merged
    assert (left._sketch_above, right) == (10**6, before)
    right.extend(facts)
    assert left == merged, "nothing is shared"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, Tally.copy, lambda tally: pickle.loads(pickle.dumps(tally))]
)
def test_a_copy_goes_its_own_way(copied: Callable[[Tally], Tally]) -> None:
    events: list[Fact] = [Open(id="e", occurred_at=NOON, delivery_id="1"), Open(occurred_at=NOON, delivery_id="1")]
    records: list[Fact] = [
        Delivery(id="1"),
        Message(id="7", delivery_id="1"),
        TrackedLink(delivery_id="1", id="2", url="https://a.example/"),
        Exclusion(delivery_id="1", id="x"),
    ]
    tally = Tally(sketch_above=7)
    tally.extend([*records, *events])
    report, before = tally.counts(), repr(tally)
    twin = copied(tally)
    assert twin == tally
    assert twin._sketch_above == 7
    twin.extend([evolve(record, id="new") for record in records])
    twin.extend([evolve(events[0], id="f"), events[1], Service(id="news")])
    assert twin != tally
    assert tally.counts() is report
    assert tally.copy().counts() == report
    assert repr(tally) == before
    tally.extend([Delivery(id="3"), *events])
    assert "3" not in twin.counts().deliveries
    assert twin.counts().deliveries["1"].rows("open") == 4


def test_a_tally_that_absorbs_itself_doubles_what_has_no_id() -> None:
    tally = Tally()
    tally.extend([Open(occurred_at=NOON, delivery_id="1"), Open(id="e", occurred_at=NOON, delivery_id="1")])
    tally.absorb(tally)
    assert tally.counts().deliveries["1"].rows("open") == 3


@given(strategies.worlds(), st.integers(1, 3))
def test_an_event_without_an_id_that_came_often_counts_like_as_many_events(world: strategies.World, times: int) -> None:
    records: list[Fact] = [*world.deliveries, *world.messages, *world.links]
    alike = [event for event in world.events if not event.has_own_id]
    anonymous, named = Tally(), Tally()
    anonymous.extend([*records, *alike * times])
    named.extend([*records, *(evolve(event, id=str(n)) for n, event in enumerate(alike * times))])
    assert anonymous.counts() == named.counts()


@given(st.dictionaries(st.sampled_from(KINDS), st.frozensets(st.sampled_from("abcdef"))))
def test_cells_part_messages_by_all_that_they_showed(shown: dict[str, frozenset[str]]) -> None:
    everybody = frozenset().union(*shown.values())
    expected = Counter(" ".join(kind for kind in KINDS if name in shown.get(kind, ())) for name in everybody)
    assert reach_of(shown) == expected
    assert sorted(name for _, cell in cells(shown) for name in cell) == sorted(everybody)


def test_clicks_on_notifications_are_told_apart_once_their_link_is_known() -> None:
    clicks = [Click(occurred_at=NOON, delivery_id="1", message_id=m, link_id=x) for m, x in ("a2", "a3", "b3", "c2")]
    late = TrackedLink(delivery_id="1", id="3", url="https://a.example/", type="mobile_click")
    before = fold([Delivery(id="1")], [], [], clicks)
    assert before.counts().deliveries["1"].domains["Others"].reach == {"click": 3}
    before.add(late)
    counts = before.counts()
    part = counts.deliveries["1"].domains["Others"]
    assert part.reach == counts.recipients == {"click": 1, f"click {MOBILE_CLICK}": 1, MOBILE_CLICK: 1}
    assert part.reactions == {"click": 2, MOBILE_CLICK: 2}
    assert (part.reacted, part.clicked) == (3, 3)
    assert (distinct(part.reach, "click"), distinct(part.reach, "click", mobile=False)) == (3, 2)
    assert counts.deliveries["1"].agents[0].reactions == {"click": 4}
    assert counts.deliveries["1"].groups["link"]["3"].reach == {MOBILE_CLICK: 2}
