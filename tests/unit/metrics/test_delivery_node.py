"""The indicators node: text messages that a provider was handed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.metrics import indicators
from msgtrack.model import Delivery, Message, MessageStatus

HANDED = {"SENT", "SENT_TO_PROVIDER", "TAKEN_INTO_ACCOUNT", "RECEIVED_ON_MOBILE"}

channels = st.sampled_from(["sms", "sms", "email", "push"])
statuses = st.sampled_from(MessageStatus)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Delivery], list[Message]]:
    deliveries = [Delivery(id=str(n), channel=draw(channels)) for n in range(draw(st.integers(1, 3)))]
    messages = [
        Message(
            id=str(n),
            delivery_id=draw(st.sampled_from(deliveries)).id,
            status=draw(statuses),
            is_seed=draw(st.sampled_from([False, False, True])),
        )
        for n in range(draw(st.integers(0, 8)))
    ]
    return deliveries, messages


@given(worlds())
def test_formulas(world: tuple[list[Delivery], list[Message]]) -> None:
    deliveries, messages = world
    table = indicators.from_events(deliveries, messages, [], [])
    handed = [m.delivery_id for m in messages if m.status.name in HANDED and not m.is_seed]
    expected = {d.id: handed.count(d.id) if d.channel == "sms" else 0 for d in deliveries}
    assert {name: value.value for name, value in table.series("sent_sms", by="delivery").items()} == expected
    assert table["sent_sms"].value == sum(expected.values())
    assert ("no-data" in table["sent_sms"].caveats) == ("sms" not in {d.channel for d in deliveries})


@given(worlds())
def test_a_store_gives_the_same(world: tuple[list[Delivery], list[Message]]) -> None:
    deliveries, messages = world
    store = open_store("memory:")
    store.put([*deliveries, *messages])
    ids = [d.id for d in deliveries]
    assert indicators(store, ids)["sent_sms"] == indicators.from_events(deliveries, messages, [], [])["sent_sms"]


def test_what_is_on_its_way_is_sent_and_no_success() -> None:
    """Which is why the two must not be mixed."""
    message = Message(id="7", delivery_id="1", status="sent_to_provider")
    table = indicators.from_events(Delivery(id="1", channel="sms"), [message], [], [])
    assert (table["sent_sms"].value, table["success"].value) == (1, 0)


def test_sent_is_of_text_messages_alone() -> None:
    message = Message(id="7", delivery_id="1", status="sent")
    assert indicators.from_events(Delivery(id="1"), [message], [], [])["sent_sms"].value == 0
