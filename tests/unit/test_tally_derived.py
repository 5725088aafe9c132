"""What a tally says of people by group over all deliveries, and which numbers it had to count itself."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from hypothesis import given

from msgtrack.counts import Counts
from msgtrack.domains import OTHERS
from msgtrack.events import Click
from msgtrack.facts import Exclusion
from msgtrack.model import Delivery, Message
from msgtrack.tally import fold
from msgtrack.testing.strategies import World, worlds

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)


def clicked(delivery_id: str, message_id: str, source_id: str | None) -> Click:
    return Click(occurred_at=AT, delivery_id=delivery_id, message_id=message_id, link_id="2", source_id=source_id)


def counts_of(*deliveries: Delivery, **more: Any) -> Counts:
    return fold(deliveries, more.get("messages", ()), (), more.get("events", ()), more.get("facts", ())).counts()


def test_a_person_in_two_deliveries_is_one_in_the_domain_and_the_channel_of_both() -> None:
    messages = [
        Message(id="7", delivery_id="1", address="ann@gmail.com"),
        Message(id="8", delivery_id="2", address="ann@gmail.com"),
        Message(id="9", delivery_id="3", address="ann@corp.example"),
    ]
    events = [clicked("1", "7", "s"), clicked("2", "8", "s"), clicked("3", "9", "s"), clicked("3", "9", None)]
    deliveries = [Delivery(id="1"), Delivery(id="2"), Delivery(id="3", channel="sms")]
    found = counts_of(*deliveries, messages=messages, events=events)
    assert found.persons_by == {"domain": {"Gmail": 1, "Others": 1}, "channel": {"email": 1, "sms": 1}}
    assert found.persons == 1


@given(worlds())
def test_persons_by_group_are_those_that_a_plain_reading_finds(world: World) -> None:
    found = fold(world.deliveries, world.messages, world.links, world.events, world.facts).counts()
    deliveries = {delivery.id: delivery for delivery in world.deliveries}
    messages = {(message.delivery_id, message.id): message for message in world.messages}
    people: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    seen: dict[str, Any] = {}
    for event in world.events:
        if event.has_own_id:
            seen.setdefault(event.id, []).append(event)
        else:
            seen[f"no id {len(seen)}"] = [event]
    for versions in seen.values():
        # Versions of one event that differ meet by a rule of their own, which this reading leaves to other tests.
        if len({(v.kind, v.delivery_id, v.message_id, v.source_id, v.is_seed) for v in versions}) > 1:
            return
        event = versions[0]
        delivery = deliveries.get(event.delivery_id or "")
        message = messages.get((event.delivery_id or "", event.message_id or ""))
        is_out = event.is_seed or (message and message.is_seed) or (delivery and delivery.is_proof)
        if event.kind == Click.kind and event.source_id and not is_out:
            people["domain", message.domain if message else OTHERS].add(event.source_id)
            people["channel", delivery.channel if delivery else "email"].add(event.source_id)
    expected: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (by, name), persons in people.items():
        expected[by][name] = len(persons)
    assert found.persons_by == expected


def test_what_a_delivery_says_is_not_derived() -> None:
    spoken = Delivery(id="1", to_deliver=2, text=0, total_target=3, reject=1)
    assert counts_of(spoken).deliveries["1"].derived == ()


def test_what_a_delivery_does_not_say_is_derived_where_it_can_be() -> None:
    excluded = Exclusion(delivery_id="1", id="x")
    found = counts_of(Delivery(id="1")).deliveries["1"]
    assert (found.derived, found.reject, found.total_target) == (("to_deliver", "text"), None, None)
    found = counts_of(Delivery(id="1", to_deliver=2), facts=[excluded]).deliveries["1"]
    assert (found.derived, found.reject, found.total_target) == (("text", "total_target", "reject"), 1, 3)
    found = counts_of(Delivery(id="1", reject=4, to_deliver=2, text=0)).deliveries["1"]
    assert (found.derived, found.total_target) == (("total_target",), 6)
