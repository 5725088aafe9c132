"""URLs and click streams in detail: the others, clicks per day, the first ten, and averages over peers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.errors import InvalidOption
from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick
from msgtrack.metrics import Table, indicators
from msgtrack.model import Audience, Delivery, Message, TrackedLink, Verdict
from msgtrack.tally import Tally

START = datetime(2026, 3, 28, tzinfo=UTC)
NOW = datetime(2026, 9, 1, tzinfo=UTC)
GROUPS = ("label", "link", "url", "category")
PLATFORM = ("platform_average_reactivity", "platform_average_distinct_clicks", "platform_average_cumulated_clicks")
SCALARS = ("url_clicks_others", "clicks_per_day", "top10_links", *PLATFORM)


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
    """Two deliveries and up to seven links each, over some days around a change of the clock in Europe."""
    ids = draw(st.sampled_from([("1",), ("1", "2")]))
    links = tuple(
        TrackedLink(
            delivery_id=delivery_id,
            id=name,
            url=draw(st.sampled_from(["https://a.example/", "https://b.example/", "https://c.example/"])),
            label=draw(st.sampled_from(["", "A", "B", "C", "Others"])),
            category=draw(st.sampled_from(["", "x", "y"])),
            type=draw(st.sampled_from(["click", "click", "mobile_click"])),
        )
        for delivery_id in ids
        for name in draw(st.sets(st.sampled_from("2345678")))
    )
    events: list[Event] = []
    for _ in range(draw(st.integers(0, 20))):
        kind = draw(st.sampled_from([Open, Click, Click, Click, OptOutClick, MirrorPageView]))
        fields: dict[str, Any] = {} if kind is Open else {"link_id": draw(st.sampled_from([*"23456789", None]))}
        events.append(
            kind(
                occurred_at=START + timedelta(minutes=30 * draw(st.integers(0, 96))),
                delivery_id=draw(st.sampled_from(ids)),
                message_id=draw(st.sampled_from(["a", "b", "seed", None])),
                source_id=draw(st.sampled_from([None, "p", "q"])),
                verdict=Verdict(audience=draw(st.sampled_from(Audience))),
                **fields,
            )
        )
    return World(
        deliveries=tuple(Delivery(id=name) for name in ids),
        messages=tuple(Message(id="seed", delivery_id=name, is_seed=True) for name in ids),
        links=links,
        events=tuple(events),
    )


class Oracle:
    """``S`` with ``url_id != 1``, and the groups of its rows."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.links = {(x.delivery_id, x.id): x for x in world.links}
        self.rows = [e for e in world.events if not isinstance(e, Open) and e.message_id != "seed"]

    def name(self, by: str, delivery_id: str, link_id: str) -> str:
        link = self.links.get((delivery_id, link_id))
        names: dict[str, Callable[[], str]] = {
            "label": lambda: (link.label or link.url) if link else "",
            "link": lambda: f"{delivery_id}/{link_id}" if len(self.world.deliveries) > 1 else link_id,
            "url": lambda: link.url if link else "",
            "category": lambda: link.category if link else "",
        }
        return names[by]()

    def group(self, by: str, e: Event) -> str:
        return self.name(by, e.delivery_id or "", e.link_id or "")

    def ranking(self, by: str) -> list[tuple[str, int]]:
        clicks = Counter({self.name(by, *key): 0 for key in self.links})
        clicks.update(self.group(by, e) for e in self.rows)
        labels = {name: name for name in clicks}
        if by == "link":
            labels = {self.name("link", *key): self.name("label", *key) for key in self.links}
        return sorted(clicks.items(), key=lambda row: (-row[1], labels.get(row[0], ""), row[0]))


@given(worlds(), st.integers(0, 4))
def test_first_rows_and_the_others(world: World, top: int) -> None:
    table, oracle = world.table(), Oracle(world)
    for by in GROUPS:
        ranking = oracle.ranking(by)
        first = table.series("top10_links", by=by, top=top)
        assert [(name, value.value) for name, value in first.items()] == ranking[:top]
        others = table.series("url_clicks_others", by=by, top=top)
        rest = sum(clicks for _, clicks in ranking) - sum(clicks for _, clicks in ranking[:top])
        assert {name: value.value for name, value in others.items()} == {"Others": rest}


@given(worlds())
def test_scalars(world: World) -> None:
    table, oracle = world.table(), Oracle(world)
    ranking = oracle.ranking("label")
    assert table["top10_links"].value == sum(clicks for _, clicks in ranking[:10])
    assert table["url_clicks_others"].value == sum(clicks for _, clicks in ranking[10:])
    assert table["clicks_per_day"].value == len(oracle.rows) == table["url_clicks"].value


@given(worlds(), st.sampled_from(["UTC", "Europe/Paris", "Asia/Kathmandu"]), st.integers(0, 4))
def test_clicks_per_day(world: World, zone: str, top: int) -> None:
    table, oracle = world.table(zone=zone), Oracle(world)

    def day(e: Event) -> str:
        return e.occurred_at.astimezone(ZoneInfo(zone)).date().isoformat()

    per_day = Counter(day(e) for e in oracle.rows)
    series = {name: value.value for name, value in table.series("clicks_per_day", by="day").items()}
    assert {name: value for name, value in series.items() if value} == per_day
    for by in GROUPS:
        shown = [name for name, _ in oracle.ranking(by)[:top]]
        expected = Counter(
            f"{day(e)}/{name if (name := oracle.group(by, e)) in shown else 'Others'}" for e in oracle.rows
        )
        rows = table.series("clicks_per_day", by=f"day/{by}", top=top)
        assert {name: value.value for name, value in rows.items()} == expected
        assert list(rows) == sorted(rows, key=lambda name: name[:10]), "day after day"


@given(worlds(), st.sets(st.sampled_from(Audience), min_size=1))
def test_an_audience_is_a_filter_of_events(world: World, audience: set[Audience]) -> None:
    kept = tuple(event for event in world.events if event.verdict.audience in audience)
    by_hand = World(deliveries=world.deliveries, messages=world.messages, links=world.links, events=kept)
    ours, theirs = world.table(audience=audience), by_hand.table()
    for key in SCALARS:
        assert ours[key] == theirs[key]


@frozen(kw_only=True)
class Platform:
    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]
    events: tuple[Event, ...]


@st.composite
def platforms(draw: st.DrawFn) -> Platform:
    """Deliveries around the bounds of six months, of some typologies and channels."""
    half_year = timedelta(days=183)
    moments = [NOW - half_year - timedelta(seconds=1), NOW - half_year, NOW - timedelta(days=9), NOW, None]
    deliveries = tuple(
        Delivery(
            id=str(number),
            contact_at=draw(st.sampled_from([*moments, NOW + timedelta(seconds=1)])),
            typology=draw(st.sampled_from(["", "", "press"])),
            channel=draw(st.sampled_from(["email", "email", "sms"])),
            is_proof=draw(st.sampled_from([False, False, False, True])),
            text=draw(st.sampled_from([None, 0, 1])),
        )
        for number in range(draw(st.integers(1, 5)))
    )
    messages = tuple(
        Message(id=name, delivery_id=delivery.id, status=draw(st.sampled_from(["sent", "sent", "failed"])))
        for delivery in deliveries
        for name in draw(st.sets(st.sampled_from("abcd")))
    )
    events = tuple(
        Click(
            occurred_at=START,
            delivery_id=delivery.id,
            message_id=draw(st.sampled_from("abcd")),
            source_id=draw(st.sampled_from([None, "p", "q"])),
            link_id="2",
        )
        if draw(st.booleans())
        else Open(occurred_at=START, delivery_id=delivery.id, message_id=draw(st.sampled_from("abcd")))
        for delivery in deliveries
        for _ in range(draw(st.integers(0, 4)))
    )
    return Platform(deliveries=deliveries, messages=messages, events=events)


def is_peer(delivery: Delivery, asked: Delivery) -> bool:
    return (
        not delivery.is_proof
        and delivery.contact_at is not None
        and NOW - timedelta(days=183) <= delivery.contact_at <= NOW
        and (delivery.typology, delivery.channel) == (asked.typology, asked.channel)
    )


def numbers_of(platform: Platform, delivery: Delivery) -> dict[str, int | None]:
    """The inputs of one delivery, word by word."""
    mine = [m for m in platform.messages if m.delivery_id == delivery.id]
    rows = [e for e in platform.events if e.delivery_id == delivery.id]
    clicks = [e for e in rows if isinstance(e, Click)]
    able = len(mine) - (delivery.text or 0)
    opens = len({e.message_id for e in rows})
    scaled = Fraction(opens * len(mine), able) if able else None
    return {
        "recipient_click": len({e.message_id for e in clicks}),
        "person_click": len({e.source_id for e in clicks} - {None}),
        "total_recipient_click": len(clicks),
        "success": len([m for m in mine if m.status.name == "SENT"]),
        "estimated": None
        if scaled is None
        else int(math.copysign(math.floor(abs(scaled) + Fraction(1, 2)), scaled or 1)),
    }


def averages(platform: Platform) -> dict[str, tuple[int, int] | None]:
    asked = platform.deliveries[0]
    peers = [numbers_of(platform, d) for d in platform.deliveries if is_peer(d, asked)]

    def total(name: str) -> int:
        return sum(peer[name] or 0 for peer in peers)

    if not peers:
        return dict.fromkeys(PLATFORM)
    return {
        PLATFORM[0]: (total("recipient_click"), total("estimated")),
        PLATFORM[1]: (total("person_click"), total("success")),
        PLATFORM[2]: (total("total_recipient_click"), total("success")),
    }


def check(table: Table, expected: dict[str, tuple[int, int] | None]) -> None:
    for key, quotient in expected.items():
        value = table[key]
        if quotient is None:
            assert value.value is None
            assert "no-peers" in value.caveats
            assert value.value_or_zero is None, "no peers have no average, in the reference neither"
            continue
        top, bottom = quotient
        assert "no-peers" not in value.caveats
        assert value.value == (top / bottom if bottom else None), key
        assert (value.numerator, value.denominator or 0) == (top, bottom), key


@given(platforms())
def test_platform_averages(platform: Platform) -> None:
    table = indicators.from_events(
        platform.deliveries[0], platform.messages, [], platform.events, now=NOW, peers=platform.deliveries[1:]
    )
    expected = averages(platform)
    if len(platform.deliveries) == 1:
        expected = dict.fromkeys(PLATFORM)
    check(table, expected)


@given(platforms())
@settings(max_examples=15, deadline=None)
def test_platform_averages_through_stores(tmp_path_factory: Any, platform: Platform) -> None:
    folder: Path = tmp_path_factory.mktemp("stores")
    for url in ("memory:", f"sqlite:///{folder / 'x.db'}"):
        with open_store(url) as store:
            store.put((*platform.deliveries, *platform.messages))
            store.ingest(platform.events)
            check(indicators(store, "0", now=NOW, peers=True), averages(platform))


@given(worlds())
@settings(max_examples=10, deadline=None)
def test_every_store_gives_the_same(tmp_path_factory: Any, world: World) -> None:
    folder: Path = tmp_path_factory.mktemp("stores")
    plain = world.table(zone="Europe/Paris")
    for url in ("memory:", f"sqlite:///{folder / 'x.db'}"):
        with open_store(url) as store:
            store.put((*world.deliveries, *world.messages, *world.links))
            store.ingest(world.events)
            table = indicators(store, [delivery.id for delivery in world.deliveries], zone="Europe/Paris")
            for key in SCALARS:
                assert table[key] == plain[key]
            assert table.series("clicks_per_day", by="day/label") == plain.series("clicks_per_day", by="day/label")


def test_nobody_gave_peers() -> None:
    table = indicators.from_events(Delivery(id="1", contact_at=START), [], [], [], now=NOW)
    assert {table[key].value for key in PLATFORM} == {None}
    assert all("no-peers" in table[key].caveats for key in PLATFORM)


def test_peers_need_the_moment_of_the_report() -> None:
    with pytest.raises(InvalidOption, match="now"):
        indicators.from_events(Delivery(id="1"), [], [], [], peers=[Delivery(id="2")])


def test_averages_weigh_by_size_and_sum_persons() -> None:
    deliveries = [Delivery(id=name, contact_at=START) for name in "12"]
    messages = [Message(id=str(n), delivery_id="1", status="sent") for n in range(9)]
    messages.append(Message(id="0", delivery_id="2", status="sent"))
    events = [
        Click(occurred_at=START, delivery_id=name, message_id="0", source_id="p", link_id="2") for name in ("1", "2")
    ]
    table = indicators.from_events(deliveries[0], messages, [], events, now=NOW, peers=deliveries[1:])
    assert table["platform_average_cumulated_clicks"].value == 0.2, "not the mean of 1/9 and 1"
    assert table["platform_average_distinct_clicks"].value == 0.2, "one person in two deliveries is in twice"
    assert table["platform_average_reactivity"].value == 1.0
    assert table["platform_average_reactivity"].estimated


def test_the_clicks_of_a_day_are_summed() -> None:
    events = [Click(occurred_at=START, delivery_id="1", message_id="a", link_id="2")] * 5
    table = indicators.from_events(Delivery(id="1"), [], [], events)
    assert table.series("clicks_per_day", by="day")["2026-03-28"].value == 5


def test_clicks_on_notifications_are_clicks_of_their_day_and_their_link_alike() -> None:
    links = [
        TrackedLink(delivery_id="1", id="2", url="https://a.example/", label="App", type="mobile_click"),
        TrackedLink(delivery_id="1", id="3", url="https://b.example/", label="Shop"),
    ]
    clicks = [Click(occurred_at=START, delivery_id="1", message_id="7", link_id=name) for name in "223"]
    table = indicators.from_events(Delivery(id="1", channel="push"), [], links, clicks)
    assert table["clicks_per_day"].value == table["url_clicks"].value == 3
    for by in ("day", "day/label", "delivery"):
        assert sum(value.value or 0 for value in table.series("clicks_per_day", by=by).values()) == 3, by


def test_opt_outs_and_mirror_pages_are_in_the_tables_of_links() -> None:
    events: list[Event] = [
        Open(occurred_at=START, delivery_id="1", message_id="a"),
        OptOutClick(occurred_at=START, delivery_id="1", message_id="a", link_id="2"),
        MirrorPageView(occurred_at=START, delivery_id="1", message_id="a", link_id="3"),
    ]
    table = indicators.from_events(Delivery(id="1"), [], [], events)
    assert (table["clicks_per_day"].value, table["top10_links"].value) == (2, 2)


def test_ties_go_by_label() -> None:
    links = [
        TrackedLink(delivery_id="1", id=name, url="https://a.example/", label=label)
        for name, label in (("2", "c"), ("3", "a"), ("4", "b"))
    ]
    table = indicators.from_events(Delivery(id="1"), [], links, [])
    assert list(table.series("top10_links", by="link", top=2)) == ["3", "4"]


def test_the_others_of_a_day_come_last_with_a_group_of_their_name_among_them() -> None:
    links = [
        TrackedLink(delivery_id="1", id=name, url="https://a.example/", label=label)
        for name, label in (("2", "Others"), ("3", "Shop"), ("4", "Rare"))
    ]
    events = [
        Click(occurred_at=START, delivery_id="1", message_id="a", link_id=link_id)
        for link_id in ("2", "2", "2", "3", "4")
    ]
    table = indicators.from_events(Delivery(id="1"), [], links, events)
    rows = table.series("clicks_per_day", by="day/label", top=2)
    assert [(name, value.value) for name, value in rows.items()] == [
        ("2026-03-28/Rare", 1),
        ("2026-03-28/Others", 4),
    ]


def test_a_peer_without_an_estimate_is_told() -> None:
    deliveries = [Delivery(id="1", contact_at=START), Delivery(id="2", contact_at=START, text=1)]
    messages = [Message(id="a", delivery_id=name, status="sent") for name in ("1", "2")]
    events = [Click(occurred_at=START, delivery_id="1", message_id="a", link_id="2")]
    alone = indicators.from_events(deliveries[0], messages, [], events, now=NOW, peers=deliveries[:1])
    both = indicators.from_events(deliveries[0], messages, [], events, now=NOW, peers=deliveries[1:])
    assert "partly-undefined" not in alone["platform_average_reactivity"].caveats
    assert "partly-undefined" in both["platform_average_reactivity"].caveats
    assert (both["platform_average_reactivity"].numerator, both["platform_average_reactivity"].denominator) == (1, 1)


@pytest.mark.parametrize("sketched", ["own", "peers"])
def test_persons_that_were_sketched_say_so_where_they_were_counted(sketched: str) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    counts = {}
    for name, limit in (("exactly", None), ("sketched", 1)):
        tally = Tally(sketch_above=limit)
        tally.add(Message(id="7", delivery_id="1", status="sent"))
        tally.extend(Click(occurred_at=at, delivery_id="1", message_id="7", source_id=source) for source in "abc")
        counts[name] = tally.counts()
    own, peers = ("sketched", "exactly") if sketched == "own" else ("exactly", "sketched")
    table = indicators.from_counts(counts[own], peers=counts[peers])
    assert table["person_click"].value == 3
    assert ("sketched" in table["person_click"].caveats) is (sketched == "own")
    assert "sketched" not in table["platform_average_cumulated_clicks"].caveats
    assert sketched == "own" or "sketched" in table["platform_average_distinct_clicks"].caveats
