"""The reports of SMS and push: their deliveries alone, among whatever else was asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.counts import Counts, DeliveryCounts, Reached
from msgtrack.events import Click, Event, Open, OptOutClick
from msgtrack.metrics import Table, indicators
from msgtrack.model import Audience, Delivery, Message, TrackedLink, Verdict

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
CHANNELS = ["email", "sms", "SMS", "push", "ios", "android", "direct_mail"]


@frozen(kw_only=True)
class World:
    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]
    links: tuple[TrackedLink, ...]
    events: tuple[Event, ...]

    def table(self, **options: Any) -> Table:
        return indicators.from_events(self.deliveries, self.messages, self.links, self.events, **options)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    channels = draw(st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3))
    deliveries = tuple(Delivery(id=str(n), channel=channel) for n, channel in enumerate(channels))
    messages = tuple(
        Message(
            id=name,
            delivery_id=delivery.id,
            status=draw(st.sampled_from(["sent", "received_on_mobile", "failed"])),
            address=draw(st.sampled_from(["+33612345678", "x@gmail.com"])),
            is_seed=draw(st.sampled_from([False, False, False, True])),
        )
        for delivery in deliveries
        for name in draw(st.sets(st.sampled_from("abc")))
    )
    links = tuple(
        TrackedLink(delivery_id=delivery.id, id=name, url="https://a.example/", type=kind)
        for delivery in deliveries
        for name, kind in (("2", "click"), ("3", "mobile_click"))
        if draw(st.booleans())
    )
    events: list[Event] = []
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from([Open, Click, Click, Click, OptOutClick]))
        fields: dict[str, Any] = {} if kind is Open else {"link_id": draw(st.sampled_from(["2", "3", None]))}
        events.append(
            kind(
                occurred_at=AT,
                delivery_id=draw(st.sampled_from([d.id for d in deliveries])),
                message_id=draw(st.sampled_from(["a", "b", "c", None])),
                verdict=Verdict(audience=draw(st.sampled_from(Audience))),
                **fields,
            )
        )
    return World(deliveries=deliveries, messages=messages, links=links, events=tuple(events))


def clicked(world: World, delivery: Delivery, *, mobile_only: bool = False) -> int:
    """``count_distinct(L, broadlog_id, …)`` of one delivery."""
    seeds = {m.id for m in world.messages if m.delivery_id == delivery.id and m.is_seed}
    mobile = {x.id for x in world.links if x.delivery_id == delivery.id and x.type == 100}
    return len(
        {
            e.message_id
            for e in world.events
            if isinstance(e, Click)
            and e.delivery_id == delivery.id
            and e.message_id is not None
            and e.message_id not in seeds
            and (e.link_id in mobile or not mobile_only)
        }
    )


def success(world: World, delivery: Delivery) -> int:
    names = ("SENT", "TAKEN_INTO_ACCOUNT", "RECEIVED_ON_MOBILE")
    return len([m for m in world.messages if m.delivery_id == delivery.id and m.status.name in names and not m.is_seed])


def expected_sms(world: World, deliveries: tuple[Delivery, ...]) -> tuple[float | None, bool]:
    short = [d for d in deliveries if d.channel.lower() == "sms"]
    top, bottom = sum(clicked(world, d) for d in short), sum(success(world, d) for d in short)
    return (top / bottom if bottom else None), bool(short)


def are_nameless(world: World) -> bool:
    """There are clicks in short messages, and none of them names its message."""
    short = {d.id for d in world.deliveries if d.channel.lower() == "sms"}
    seeds = {(m.delivery_id, m.id) for m in world.messages if m.is_seed}
    of_short = [e for e in world.events if isinstance(e, Click) and e.delivery_id in short]
    named = {e.message_id for e in of_short if (e.delivery_id, e.message_id) not in seeds}
    return named == {None}


def expected_push(world: World, deliveries: tuple[Delivery, ...]) -> int:
    return sum(clicked(world, d, mobile_only=d.channel not in ("push", "ios", "android")) for d in deliveries)


@given(worlds())
def test_formulas(world: World) -> None:
    table = world.table()
    number, is_there = expected_sms(world, world.deliveries)
    assert table["sms_click_rate"].value == number
    assert ("no-data" in table["sms_click_rate"].caveats) == (not is_there or are_nameless(world))
    assert table["push_clicks"].value == expected_push(world, world.deliveries)
    for delivery in world.deliveries:
        number, _ = expected_sms(world, (delivery,))
        assert table.series("sms_click_rate", by="delivery")[delivery.id].value == number
        assert table.series("push_clicks", by="delivery")[delivery.id].value == expected_push(world, (delivery,))


@given(worlds(), st.sets(st.sampled_from(Audience), min_size=1))
def test_an_audience_is_a_filter_of_events(world: World, audience: set[Audience]) -> None:
    kept = tuple(event for event in world.events if event.verdict.audience in audience)
    by_hand = World(deliveries=world.deliveries, messages=world.messages, links=world.links, events=kept)
    for key in ("sms_click_rate", "push_clicks"):
        assert world.table(audience=audience)[key] == by_hand.table()[key]


@given(worlds())
@settings(max_examples=15, deadline=None)
def test_every_store_gives_the_same(tmp_path_factory: Any, world: World) -> None:
    folder: Path = tmp_path_factory.mktemp("stores")
    plain = world.table()
    for url in ("memory:", f"sqlite:///{folder / 'x.db'}"):
        with open_store(url) as store:
            store.put((*world.deliveries, *world.messages, *world.links))
            store.ingest(world.events)
            table = indicators(store, [delivery.id for delivery in world.deliveries])
            for key in ("sms_click_rate", "push_clicks"):
                assert table[key] == plain[key]


def one(channel: str, *events: Event, kind: str = "click") -> Table:
    return indicators.from_events(
        Delivery(id="1", channel=channel),
        [Message(id="a", delivery_id="1", status="sent"), Message(id="b", delivery_id="1", status="sent")],
        [TrackedLink(delivery_id="1", id="2", url="https://a.example/", type=kind)],
        events,
    )


CLICK = Click(occurred_at=AT, delivery_id="1", message_id="a", link_id="2")


def test_the_rate_of_an_email_delivery_is_none_of_sms() -> None:
    assert one("sms", CLICK, CLICK)["sms_click_rate"].value == 0.5
    value = one("email", CLICK)["sms_click_rate"]
    assert (value.value, value.caveats) == (None, ("no-data", "choice"))


def test_a_click_in_a_push_delivery_counts_whatever_its_link() -> None:
    assert one("push", CLICK, CLICK)["push_clicks"].value == 1
    assert one("email", CLICK)["push_clicks"].value == 0
    assert one("email", CLICK, kind="mobile_click")["push_clicks"].value == 1


def test_no_push_delivery_is_no_finding() -> None:
    assert "no-data" in one("email", CLICK)["push_clicks"].caveats
    assert "no-data" not in one("push")["push_clicks"].caveats
    assert "no-data" not in one("email", kind="mobile_click")["push_clicks"].caveats


def test_notifications_beside_emails_count_where_they_were_clicked() -> None:
    reached = Reached(reach={"click": 1, "click open": 2, "open": 4, "mobile-click": 8})
    deliveries = {
        "none": DeliveryCounts(channel="email"),
        "other": DeliveryCounts(channel="email", groups={"type": {"click": reached}}),
        "mobile": DeliveryCounts(channel="email", groups={"type": {"mobile_click": reached}}),
    }
    for names, expected in ((["none"], 0), (["other"], 0), (["mobile"], 11), (["none", "other", "mobile"], 11)):
        counts = Counts(deliveries={name: deliveries[name] for name in names})
        assert indicators.from_counts(counts)["push_clicks"].value == expected
