"""Hot clicks: the share of each link that has a place on the message, over the clicks of all links."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick, PageVisit, Transaction
from msgtrack.metrics import Table, indicators
from msgtrack.model import Audience, Delivery, LinkType, Message, TrackedLink, Verdict

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
KEYS = ("hot_click_percent", "hot_click_offer_percent")


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
    ids = draw(st.sampled_from([("1",), ("1", "2")]))
    links = tuple(
        TrackedLink(
            delivery_id=delivery_id,
            id=name,
            url=draw(st.sampled_from(["https://a.example/", "https://b.example/"])),
            label=draw(st.sampled_from(["", "Shop"])),
            type=draw(st.sampled_from([kind for kind in LinkType if kind is not LinkType.OPEN])),
        )
        for delivery_id in ids
        for name in draw(st.sets(st.sampled_from("2345")))
    )
    messages = tuple(Message(id="s", delivery_id=delivery_id, is_seed=True) for delivery_id in ids)
    events: list[Event] = []
    for _ in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from([Open, Click, Click, Click, OptOutClick, MirrorPageView, PageVisit]))
        fields: dict[str, Any] = {} if kind is Open else {"link_id": draw(st.sampled_from([*"23456", None]))}
        events.append(
            kind(
                occurred_at=AT,
                delivery_id=draw(st.sampled_from(ids)),
                message_id=draw(st.sampled_from(["a", "b", "s", None])),
                verdict=Verdict(audience=draw(st.sampled_from(Audience))),
                **fields,
            )
        )
    return World(
        deliveries=tuple(Delivery(id=delivery_id) for delivery_id in ids),
        messages=messages,
        links=links,
        events=tuple(events),
    )


class Oracle:
    """``S`` by link: rows of the tracking log whose link is not the open (``url_id != 1``)."""

    def __init__(self, world: World) -> None:
        self.several = len(world.deliveries) > 1
        self.links = {(x.delivery_id, x.id): x for x in world.links}
        self.rows = [e for e in world.events if not isinstance(e, Open) and e.message_id != "s"]
        self.clicks = Counter((e.delivery_id or "", e.link_id or "") for e in self.rows)
        self.total = len(self.rows)
        self.by_click = {(e.delivery_id or "", e.link_id or "") for e in self.rows if isinstance(e, Click)}

    def drawn(self) -> list[tuple[str, str]]:
        registered = [key for key, x in self.links.items() if x.type not in (3, 4, 5, 6, 10, 11)]
        return registered + [key for key in self.by_click if key not in self.links and key[1]]

    def name(self, key: tuple[str, str]) -> str:
        return "/".join(key) if self.several else key[1]


@given(worlds())
def test_formulas(world: World) -> None:
    table, oracle = world.table(), Oracle(world)
    offers = sum(times for key, times in oracle.clicks.items() if key in oracle.links and oracle.links[key].type >= 10)
    mobile = sum(times for key, times in oracle.clicks.items() if key in oracle.links and oracle.links[key].type == 100)
    for key, top in (
        ("hot_click_percent", sum(oracle.clicks[link] for link in oracle.drawn())),
        ("hot_click_offer_percent", offers - mobile),
    ):
        number = float(Fraction(top, oracle.total)) if oracle.total else None
        assert (table[key].value, table[key].numerator, table[key].denominator) == (number, top, oracle.total)
        assert ("no-denominator" in table[key].caveats) == (oracle.total == 0)


@given(worlds())
def test_rows_by_link_and_by_place(world: World) -> None:
    table, oracle = world.table(), Oracle(world)
    by_link = table.series("hot_click_percent", by="link")
    by_place = table.series("hot_click_percent", by="place")
    assert set(by_link) == set(by_place) == {oracle.name(key) for key in oracle.drawn()}
    for key in oracle.drawn():
        value = by_link[oracle.name(key)]
        assert (value.numerator, value.denominator) == (oracle.clicks[key], oracle.total)
        link = oracle.links.get(key)
        alike = [
            other
            for other in oracle.drawn()
            if other == key
            or (
                link
                and (x := oracle.links.get(other))
                and (x.delivery_id, x.url, x.label) == (link.delivery_id, link.url, link.label)
            )
        ]
        assert by_place[oracle.name(key)].numerator == sum(oracle.clicks[other] for other in alike)
    clicks = [value.numerator or 0 for value in by_link.values()]
    assert clicks == sorted(clicks, reverse=True)
    assert sum(clicks) == table["hot_click_percent"].numerator


@given(worlds())
def test_a_delivery_is_itself(world: World) -> None:
    table = world.table()
    for delivery in world.deliveries:
        alone = indicators.from_events(delivery, world.messages, world.links, world.events)
        for key in KEYS:
            assert table.series(key, by="delivery")[delivery.id] == alone[key]


@given(worlds(), st.sets(st.sampled_from(Audience), min_size=1))
def test_an_audience_is_a_filter_of_events(world: World, audience: set[Audience]) -> None:
    kept = tuple(event for event in world.events if event.verdict.audience in audience)
    by_hand = World(deliveries=world.deliveries, messages=world.messages, links=world.links, events=kept)
    for key in KEYS:
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
            for key in KEYS:
                assert table[key] == plain[key]
            assert table.series(KEYS[0], by="place") == plain.series(KEYS[0], by="place")


def links(**types: str) -> list[TrackedLink]:
    return [
        TrackedLink(delivery_id="1", id=name.strip("_"), url=f"https://a.example/{name}", type=kind)
        for name, kind in types.items()
    ]


def clicks(*link_ids: str) -> list[Event]:
    return [Click(occurred_at=AT, delivery_id="1", message_id="a", link_id=link_id) for link_id in link_ids]


def test_c24_offers_opt_outs_and_mirror_pages_have_no_row_and_are_in_the_denominator() -> None:
    table = indicators.from_events(
        Delivery(id="1"),
        [],
        links(_2="click", _3="opt_out", _4="mirror_page", _5="offer_click", _6="offer_interested"),
        clicks("2", "3", "4", "5", "6"),
    )
    assert {name: value.value for name, value in table.series("hot_click_percent", by="link").items()} == {"2": 0.2}
    assert table["hot_click_percent"].value == 0.2
    assert table["hot_click_offer_percent"].value == 0.4
    assert "no-data" not in table["hot_click_offer_percent"].caveats


def test_tagged_web_pages_are_not_on_the_message_and_so_not_drawn() -> None:
    visits = [
        PageVisit(occurred_at=AT, delivery_id="1", message_id="a", link_id="3"),
        Transaction(occurred_at=AT, delivery_id="1", message_id="a", link_id="4"),
    ]
    table = indicators.from_events(
        Delivery(id="1"), [], links(_2="click", _3="web", _4="transaction"), [*clicks("2", "2"), *visits]
    )
    for by in ("link", "place"):
        assert {name: value.value for name, value in table.series("hot_click_percent", by=by).items()} == {"2": 0.5}
    assert (table["hot_click_percent"].numerator, table["hot_click_percent"].denominator) == (2, 4)


def test_links_alike_share_one_number_by_place() -> None:
    twins = [
        TrackedLink(delivery_id="1", id=name, url="https://a.example/", label=label)
        for name, label in (("2", "Shop"), ("3", "Shop"), ("4", "Store"))
    ]
    table = indicators.from_events(Delivery(id="1"), [], twins, clicks("2", "2", "3", "4"))
    by_place = table.series("hot_click_percent", by="place")
    assert {name: value.value for name, value in by_place.items()} == {"2": 0.75, "3": 0.75, "4": 0.25}
    by_link = table.series("hot_click_percent", by="link")
    assert {name: value.value for name, value in by_link.items()} == {"2": 0.5, "3": 0.25, "4": 0.25}


def test_a_link_nobody_registered_is_drawn_when_it_was_clicked_as_one() -> None:
    opted_out = OptOutClick(occurred_at=AT, delivery_id="1", message_id="a", link_id="8")
    table = indicators.from_events(Delivery(id="1"), [], [], [*clicks("7"), opted_out])
    assert list(table.series("hot_click_percent", by="link")) == ["7"]


def test_nobody_registered_an_offer() -> None:
    table = indicators.from_events(Delivery(id="1"), [], links(_2="click"), clicks("2"))
    assert (table["hot_click_offer_percent"].value, table["hot_click_offer_percent"].caveats) == (0.0, ("no-data",))
