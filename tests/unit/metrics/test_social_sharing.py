"""Sharing to social networks and the statistics on sharing activities: the formulas a second time, and the readings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.events import Click, Event, MirrorPageView, Open
from msgtrack.facts import Exclusion, Fact, SharedView, Visitor
from msgtrack.metrics import Table, Value, indicators
from msgtrack.model import Audience, Delivery, Message, TrackedLink, Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)
NETWORKS = ("email", "facebook", "twitter", "delicious", "digg", "google", "linkedin")
KEYS = (
    "sharing_total_target",
    "sharing_success",
    "share_count",
    "share_breakdown",
    "share_rate",
    "share_open_count",
    "share_open_breakdown",
    "share_open_rate",
    "sharing_new_contacts",
    "sharing_opens",
    "sharing_shares",
)


@frozen(kw_only=True)
class World:
    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]
    links: tuple[TrackedLink, ...]
    events: tuple[Event, ...]
    facts: tuple[Fact, ...]


moments = st.builds(lambda hours: START + timedelta(hours=hours), st.integers(-30 * 24, 90 * 24))
categories = st.sampled_from(["facebook", "email", "Facebook", "shop", "", "linkedin"])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    ids = draw(st.sampled_from([["1"], ["1", "2"]]))
    ones = st.sampled_from(ids)
    events: list[Event] = []
    for n in range(draw(st.integers(0, 10))):
        kind = draw(st.sampled_from([Click, Click, MirrorPageView, Open]))
        fields: dict[str, Any] = {} if kind is Open else {"link_id": draw(st.sampled_from(["2", "3", "99"]))}
        audience = draw(st.sampled_from([Audience.HUMAN, Audience.MACHINE]))
        events.append(
            kind(
                id=f"e{n}",
                occurred_at=draw(moments),
                delivery_id=draw(ones),
                message_id=draw(st.sampled_from(["a", "b", "seed"])),
                verdict=Verdict(audience=audience),
                **fields,
            )
        )
    number = st.integers(0, 99).map(str)
    fact = st.one_of(
        st.builds(SharedView, delivery_id=ones, id=number, network=categories, occurred_at=moments),
        st.builds(
            Visitor,
            delivery_id=ones,
            id=number,
            recipient_id=st.sampled_from([None, "r1"]),
            created_at=st.none() | moments,
        ),
        st.builds(Exclusion, delivery_id=ones, id=number),
    )
    facts = draw(st.lists(fact, max_size=8, unique_by=lambda fact: (type(fact), fact.delivery_id, fact.id)))
    return World(
        deliveries=tuple(Delivery(id=name, total_target=draw(st.none() | st.integers(0, 9))) for name in ids),
        messages=tuple(
            Message(
                id=message,
                delivery_id=name,
                status=draw(st.sampled_from(["sent", "failed"])),
                is_seed=message == "seed",
            )
            for name in ids
            for message in ("a", "b", "seed")
        ),
        links=tuple(
            TrackedLink(delivery_id=name, id=link, url="https://a.example/", category=draw(categories))
            for name in ids
            for link in "23"
        ),
        events=tuple(events),
        facts=tuple(facts),
    )


def table_of(world: World, **options: Any) -> Table:
    return indicators.from_events(
        world.deliveries, world.messages, world.links, world.events, facts=world.facts, **options
    )


class Literal:
    """The formulas as printed, on ``S`` (clicks on links), ``L`` (opens), ``W2`` (shared views) and visitors."""

    def __init__(self, world: World) -> None:
        category = {(x.delivery_id, x.id): x.category for x in world.links}
        rows = [e for e in world.events if e.message_id != "seed"]
        self.L = [e for e in rows if e.kind == "open"]
        self.S = [(e, category.get((str(e.delivery_id), str(e.link_id)))) for e in rows if e.kind != "open"]
        self.W2 = [f for f in world.facts if isinstance(f, SharedView)]
        self.visitors = [f for f in world.facts if isinstance(f, Visitor)]
        self.success = len([m for m in world.messages if m.status.name == "SENT" and not m.is_seed])
        excluded = [f.delivery_id for f in world.facts if isinstance(f, Exclusion)]
        targets = []
        for d in world.deliveries:
            if d.total_target is not None:
                targets.append(d.total_target)
            elif d.id in excluded:
                targets.append(excluded.count(d.id) + 2)
        self.target = sum(targets) if targets else None

    def shares(self, network: str) -> int:
        return len([e for e, category in self.S if category == network])

    def views(self, network: str) -> int:
        return len([v for v in self.W2 if v.network == network])


def check(value: Value, numerator: int, denominator: int | None) -> None:
    assert (value.numerator, value.denominator) == (numerator, denominator)
    assert value.value == (float(Fraction(numerator, denominator)) if denominator else None)
    assert ("no-denominator" in value.caveats) == (not denominator)


@given(worlds())
def test_formulas(world: World) -> None:
    table, n = table_of(world), Literal(world)
    shares = {network: n.shares(network) for network in NETWORKS}
    views = {network: n.views(network) for network in NETWORKS}
    all_shares, all_views = sum(shares.values()), sum(views.values())
    assert table["sharing_total_target"].value == n.target
    assert table["sharing_success"].value == n.success
    assert (table["share_count"].value, table["share_open_count"].value) == (all_shares, all_views)
    check(table["share_breakdown"], all_shares, all_shares)
    check(table["share_rate"], all_shares, n.target)
    check(table["share_open_breakdown"], all_views, all_views)
    check(table["share_open_rate"], all_views, all_shares)
    for key in ("share_count", "share_breakdown", "share_rate", "share_open_rate"):
        assert tuple(table.series(key, by="network")) == NETWORKS
    for name in NETWORKS:

        def row(key: str, name: str = name) -> Value:
            return table.series(key, by="network")[name]

        assert (row("share_count").value, row("share_open_count").value) == (shares[name], views[name])
        assert row("share_count") == evolved(table[f"share_{name}"], row("share_count"))
        check(row("share_breakdown"), shares[name], all_shares)
        check(row("share_rate"), shares[name], n.target)
        check(row("share_open_breakdown"), views[name], all_views)
        check(row("share_open_rate"), views[name], shares[name])
    assert table["sharing_new_contacts"].value == len([v for v in n.visitors if v.recipient_id is not None])
    assert table["sharing_opens"].value == len(n.L)
    assert table["sharing_shares"].value == all_shares


def evolved(value: Value, like: Value) -> Value:
    """The number of one with the caveats of the other."""
    return Value(value=value.value, unit=value.unit, caveats=like.caveats)


@given(worlds(), st.sampled_from(["UTC", "Pacific/Auckland", "America/New_York"]))
def test_formulas_by_month(world: World, zone: str) -> None:
    table, n = table_of(world, zone=zone), Literal(world)

    def month(at: datetime | None) -> str:
        return "" if at is None else f"{at.astimezone(ZoneInfo(zone)):%Y-%m}"

    of_key: dict[str, list[str]] = {
        "sharing_new_contacts": [month(v.created_at) for v in n.visitors if v.recipient_id is not None],
        "sharing_opens": [month(e.occurred_at) for e in n.L],
        "sharing_shares": [month(e.occurred_at) for e, category in n.S if category in NETWORKS],
    }
    months = {name for names in of_key.values() for name in names}
    for key, names in of_key.items():
        rows = table.series(key, by="month")
        assert {name: value.value for name, value in rows.items()} == {name: names.count(name) for name in months}
        assert list(rows) == sorted(months, key=lambda name: (name == "", name))
        assert sum(int(value.value_or_zero) for value in rows.values()) == table[key].value


@given(worlds(), st.sampled_from([Audience.HUMAN, Audience.MACHINE]))
def test_stores_and_audiences_agree(world: World, audience: Audience) -> None:
    store = open_store("memory:")
    store.put([*world.deliveries, *world.messages, *world.links, *world.facts])
    store.ingest(world.events)
    table = indicators(store, [d.id for d in world.deliveries], audience=audience)
    kept = [e for e in world.events if e.verdict.audience == audience]
    by_hand = indicators.from_events(world.deliveries, world.messages, world.links, kept, facts=world.facts)
    for key in KEYS:
        assert table[key] == by_hand[key]


def shared(*events: Event, facts: tuple[Fact, ...] = (), category: str = "facebook", target: int | None = 10) -> Table:
    link = TrackedLink(delivery_id="1", id="2", url="https://a.example/", category=category)
    message = Message(id="7", delivery_id="1", status="sent")
    return indicators.from_events(Delivery(id="1", total_target=target), [message], [link], events, facts=facts)


def click() -> Click:
    return Click(occurred_at=START, delivery_id="1", message_id="7", link_id="2")


def view(number: int, network: str = "facebook") -> SharedView:
    return SharedView(delivery_id="1", id=str(number), network=network, occurred_at=START)


def test_c10_opens_after_sharing_are_over_shares_and_the_total_is_computed_anew() -> None:
    table = shared(*(click() for _ in range(209)), facts=tuple(view(n) for n in range(13)), target=100_000)
    rate = table.series("share_open_rate", by="network")["facebook"]
    assert (rate.numerator, rate.denominator) == (13, 209)
    assert f"{rate.value:.2%}" == "6.22%"
    assert (table["share_open_rate"].numerator, table["share_open_rate"].denominator) == (13, 209)
    assert "reading" in table["share_open_rate"].caveats
    # And the opens of the statistics are all opens, not those of people the message was shared with.
    table = shared(Open(occurred_at=START, delivery_id="1", message_id="7"), facts=(view(1), view(2)))
    assert (table["sharing_opens"].value, table["share_open_count"].value) == (1, 2)


def test_shares_are_summed_within_a_slot() -> None:
    assert shared(click(), click(), click())["sharing_shares"].value == 3


def test_c14_messages_to_deliver_are_the_initial_target() -> None:
    table = shared(target=10)
    assert (table["sharing_total_target"].value, table["to_deliver"].value) == (10, 1)


def test_names_of_networks_are_exact() -> None:
    table = shared(click(), facts=(view(1, "Facebook"), view(2, "elsewhere")), category="Facebook")
    assert (table["share_count"].value, table["share_open_count"].value) == (0, 0)


@pytest.mark.parametrize("key", ["share_open_count", "share_open_breakdown", "share_open_rate"])
def test_a_view_by_a_network_without_a_row_is_no_measurement(key: str) -> None:
    table = shared(click(), facts=(view(1, "elsewhere"),))
    assert "no-data" in table[key].caveats
    assert "no-data" in table.series(key, by="network")["facebook"].caveats
    both = shared(click(), facts=(view(1, "elsewhere"), view(2, "email")))
    assert "no-data" not in both.series(key, by="network")["facebook"].caveats, "somebody measures, and saw none here"


def test_zeros_where_nobody_measured_say_so() -> None:
    without = shared(category="shop")
    for key in ("share_count", "share_rate", "share_open_rate", "share_open_count", "sharing_shares"):
        assert "no-data" in without[key].caveats, key
    assert "no-data" in without["sharing_new_contacts"].caveats
    visited = shared(facts=(Visitor(delivery_id="1", id="v"), view(1)))
    for key in ("share_count", "share_open_count", "sharing_new_contacts", "sharing_shares"):
        assert visited[key].value in (0, 1)
        assert "no-data" not in visited[key].caveats


def test_a_target_that_the_delivery_does_not_say_is_derived_or_unknown() -> None:
    unknown = shared(target=None)
    assert unknown["sharing_total_target"].value is None
    assert "no-data" in unknown["sharing_total_target"].caveats
    derived = shared(target=None, facts=(Exclusion(delivery_id="1", id="x"),))
    assert derived["sharing_total_target"].value == 2
    assert "derived" in derived["sharing_total_target"].caveats
    assert "derived" in derived["share_rate"].caveats
    assert "derived" not in shared()["sharing_total_target"].caveats
    both = indicators.from_events([Delivery(id="1", total_target=5), Delivery(id="2")], [], [], [])
    assert both["sharing_total_target"].value == 5
    assert "partly-undefined" in both["sharing_total_target"].caveats
    assert "partly-undefined" in both["share_rate"].caveats


@pytest.mark.parametrize("nobody", [None, 0, "0"])
def test_a_recipient_of_0_is_nobody(nobody: int | str | None) -> None:
    """``count(visitors, recipient_id != 0)``, as exports write them."""
    visitors = [
        Visitor(delivery_id="1", id="v1", recipient_id=nobody),
        Visitor(delivery_id="1", id="v2", recipient_id=10),
    ]
    table = indicators.from_events(Delivery(id="1"), [], [], [], facts=visitors)
    assert table["sharing_new_contacts"].value == 1
    assert visitors[0].recipient_id is None
