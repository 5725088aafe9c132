"""Dynamic reporting: each formula a second time from its text, its contradictions, its official vector, and its laws."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.events import Click, Delivered, Event, MirrorPageView, Open, OptOutClick, PageVisit, Transaction
from msgtrack.metrics import Table, catalogue, indicators
from msgtrack.metrics.dynamic_reporting import INDICATORS
from msgtrack.model import Audience, Delivery, LinkType, Message, TrackedLink, Verdict

START = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = [indicator.key for indicator in INDICATORS]
TYPES = {
    "2": LinkType.CLICK,
    "3": LinkType.OFFER_CLICK,
    "4": LinkType.OFFER_INTERESTED,
    "5": LinkType.CLICK,
    "6": LinkType.MOBILE_CLICK,
}


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
    """One or two deliveries over three days; some events name a message or a link that nobody registered."""
    ids = draw(st.sampled_from([("1",), ("1", "2")]))
    messages = tuple(
        Message(
            id=name,
            delivery_id=delivery_id,
            address=draw(st.sampled_from(["x@gmail.com", "x@aol.com"])),
            status=draw(st.sampled_from(["sent", "sent", "taken_into_account", "failed", "ignored", "pending"])),
            failure_type=draw(st.sampled_from(["undefined", "soft", "hard", "hard"])),
            failure_reason=draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8, 8, 20, 20])),
            is_quarantine=draw(st.booleans()),
            is_seed=draw(st.sampled_from([False] * 5 + [True])),
            variant=draw(st.sampled_from(["", "A", "B"])),
        )
        for delivery_id in ids
        for name in draw(st.sets(st.sampled_from("abcde")))
    )
    links = tuple(
        TrackedLink(delivery_id=delivery_id, id=name, url=f"https://a.example/{name}", type=TYPES[name])
        for delivery_id in ids
        for name in draw(st.sets(st.sampled_from(list(TYPES))))
    )
    events: list[Event] = []
    for _ in range(draw(st.integers(0, 16))):
        kind = draw(
            st.sampled_from([Open, Open, Click, Click, MirrorPageView, OptOutClick, PageVisit, Transaction, Delivered])
        )
        fields: dict[str, Any] = {} if kind is Open else {"link_id": draw(st.sampled_from([*TYPES, None]))}
        events.append(
            kind(
                occurred_at=START + timedelta(hours=draw(st.integers(0, 71))),
                delivery_id=draw(st.sampled_from(ids)),
                message_id=draw(st.sampled_from(["a", "b", "c", "d", "nobody", None])),
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


@frozen(kw_only=True)
class Row:
    """A row of L with what it joins."""

    event: Event
    type: int
    domain: str
    variant: str


class Oracle:
    """The formulas as the reference prints them, over the rows that pass."""

    def __init__(
        self,
        world: World,
        of_message: Callable[[Message], bool] = lambda m: True,
        of_row: Callable[[Row], bool] = lambda r: True,
    ) -> None:
        self.B = [m for m in world.messages if not m.is_seed and of_message(m)]
        known = {(m.delivery_id, m.id): m for m in world.messages}
        links = {(x.delivery_id, x.id): x for x in world.links}
        self.L: list[Row] = []
        for e in world.events:
            m = known.get((e.delivery_id or "", e.message_id or ""))
            if e.link_type is None or (m is not None and m.is_seed):
                continue
            link = links.get((e.delivery_id or "", e.link_id or ""))
            is_special = isinstance(e, Click) and link is not None and link.type in (10, 11, 100)
            row = Row(
                event=e,
                type=int(link.type) if is_special and link is not None else int(e.link_type),
                domain=m.domain if m else "Others",
                variant=m.variant if m else "",
            )
            if of_row(row):
                self.L.append(row)

    def b(self, cond: Callable[[Message], bool]) -> int:
        return len([m for m in self.B if cond(m)])

    def l(self, *types: int) -> int:  # noqa: E743  # the name of the row set
        return len([r for r in self.L if r.type in types])

    def unique(self, *types: int) -> int:
        named = [r.event for r in self.L if r.type in types and r.event.message_id is not None]
        return len({(e.delivery_id, e.message_id) for e in named})

    def numbers(self) -> dict[str, Any]:
        n: dict[str, Any] = {}
        n["dr_disabled"] = self.b(lambda m: m.failure_reason == 4)
        n["dr_denylisted"] = self.b(lambda m: m.failure_reason == 8 and m.failure_type.name == "HARD")
        n["dr_bounces"] = self.b(lambda m: m.status.name == "FAILED")
        n["dr_clicks"] = self.l(1, 10, 11)
        n["dr_delivered"] = self.b(lambda m: m.status == 1)
        n["dr_sent"] = n["dr_delivered"] + n["dr_bounces"]
        n["dr_hard_bounces"] = self.b(lambda m: m.failure_type.name == "HARD" and m.failure_reason != 8)
        n["dr_invalid_domain"] = self.b(lambda m: m.failure_reason == 2)
        n["dr_mailbox_full"] = self.b(lambda m: m.failure_reason == 5)
        n["dr_mirror_page"] = self.l(6)
        n["dr_not_connected"] = self.b(lambda m: m.failure_reason == 6)
        n["dr_opens"] = self.l(2) + self.unique(1, 2, 3, 6, 10, 11) - self.unique(2)
        n["dr_quarantine"] = self.b(lambda m: m.is_quarantine)
        n["dr_rejected"] = self.b(lambda m: m.failure_reason == 20 and m.failure_type.name == "HARD")
        n["dr_soft_bounces"] = self.b(lambda m: m.failure_type.name == "SOFT")
        n["dr_unique_clicks"] = self.unique(1, 10, 11)
        n["dr_unique_opens"] = self.unique(1, 2, 3, 6, 10, 11)
        n["dr_unreachable"] = self.b(lambda m: m.failure_reason == 3)
        n["dr_unsubscribes"] = self.l(3)
        n["dr_unknown_user"] = self.b(lambda m: m.failure_reason == 1)
        n["dr_unique_unsubscribes"] = self.unique(3)
        n["dr_offer_clicks"] = self.l(10, 11)
        for key, (top, bottom) in RATES.items():
            n[key] = (n[top], n[bottom])
        return n


RATES = {
    "dr_denylist_rate": ("dr_denylisted", "dr_sent"),
    "dr_bounce_rate": ("dr_bounces", "dr_sent"),
    "dr_click_through_rate": ("dr_unique_clicks", "dr_delivered"),
    "dr_delivered_rate": ("dr_delivered", "dr_sent"),
    "dr_hard_bounce_rate": ("dr_hard_bounces", "dr_sent"),
    "dr_mirror_page_rate": ("dr_mirror_page", "dr_delivered"),
    "dr_open_rate": ("dr_opens", "dr_delivered"),
    "dr_quarantine_rate": ("dr_quarantine", "dr_sent"),
    "dr_rejected_rate": ("dr_rejected", "dr_sent"),
    "dr_soft_bounce_rate": ("dr_soft_bounces", "dr_sent"),
    "dr_unsubscribe_rate": ("dr_unsubscribes", "dr_delivered"),
    "dr_offer_click_rate": ("dr_offer_clicks", "dr_delivered"),
}


def agrees(value: Any, expected: Any) -> bool:
    if not isinstance(expected, tuple):
        return bool(value.value == expected)
    top, bottom = expected
    number = float(Fraction(top, bottom)) if bottom else None
    return bool(
        value.value == number
        and (value.numerator, value.denominator) == (top, bottom)
        and ("no-denominator" in value.caveats) == (bottom == 0)
    )


def keys_by(grouping: str) -> list[str]:
    return [key for key in KEYS if grouping in catalogue[key].groupings]


def test_the_transcription_has_every_key() -> None:
    empty = World(deliveries=(), messages=(), links=(), events=())
    assert set(Oracle(empty).numbers()) == set(KEYS)
    assert set(RATES) == {key for key in KEYS if catalogue[key].over is not None}


@given(worlds())
def test_formulas(world: World) -> None:
    table = world.table()
    for key, expected in Oracle(world).numbers().items():
        assert agrees(table[key], expected), (key, table[key], expected)


@given(worlds())
def test_rows_of_messages(world: World) -> None:
    table = world.table()
    for delivery in world.deliveries:
        numbers = Oracle(
            world, lambda m, d=delivery: m.delivery_id == d.id, lambda r, d=delivery: r.event.delivery_id == d.id
        ).numbers()
        for key in keys_by("delivery"):
            assert agrees(table.series(key, by="delivery")[delivery.id], numbers[key]), key
    whole = Oracle(world)
    domains = {m.domain for m in whole.B} | {r.domain for r in whole.L}
    for domain in domains:
        numbers = Oracle(world, lambda m, d=domain: m.domain == d, lambda r, d=domain: r.domain == d).numbers()
        for key in keys_by("domain"):
            assert agrees(table.series(key, by="domain")[domain], numbers[key]), (key, domain)
    assert all(set(table.series(key, by="domain")) == domains for key in keys_by("domain"))


@given(worlds())
def test_rows_by_variant(world: World) -> None:
    """Of the deliveries that have variants at all."""
    table = world.table()
    varied = {m.delivery_id for m in world.messages if m.variant and not m.is_seed}
    whole = Oracle(world, lambda m: m.delivery_id in varied, lambda r: r.event.delivery_id in varied)
    names = {m.variant for m in whole.B} | {r.variant for r in whole.L}
    for name in names:
        numbers = Oracle(
            world,
            lambda m, v=name: m.delivery_id in varied and m.variant == v,
            lambda r, v=name: r.event.delivery_id in varied and r.variant == v,
        ).numbers()
        for key in keys_by("variant"):
            assert agrees(table.series(key, by="variant")[name], numbers[key]), (key, name)
    assert all(set(table.series(key, by="variant")) == names for key in keys_by("variant"))


@given(worlds(), st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]))
def test_rows_by_day(world: World, zone: str) -> None:
    table = world.table(zone=zone)

    def day_of(row: Row) -> str:
        return row.event.occurred_at.astimezone(ZoneInfo(zone)).date().isoformat()

    days = {day_of(row) for row in Oracle(world).L}
    for day in days:
        numbers = Oracle(world, of_row=lambda r, d=day: day_of(r) == d).numbers()
        for key in keys_by("day"):
            assert agrees(table.series(key, by="day")[day], numbers[key]), (key, day)
    assert all(set(table.series(key, by="day")) == days for key in keys_by("day"))


@given(worlds())
def test_rows_by_link(world: World) -> None:
    """A row per link; who clicked several is in each of them and once in the whole."""
    table = world.table()
    is_several = len(world.deliveries) > 1
    for key in keys_by("link"):
        for name, value in table.series(key, by="link").items():
            delivery_id, link_id = name.split("/") if is_several else (world.deliveries[0].id, name)
            numbers = Oracle(
                world,
                of_row=lambda r, d=delivery_id, x=link_id: r.event.delivery_id == d and (r.event.link_id or "") == x,
            ).numbers()
            assert agrees(value, numbers[key]), (key, name)
        assert table[key].value_or_zero <= sum(v.value_or_zero for v in table.series(key, by="link").values())


@given(worlds(), st.sets(st.sampled_from(Audience), min_size=1))
def test_an_audience_is_a_filter_of_events(world: World, audience: set[Audience]) -> None:
    kept = tuple(event for event in world.events if event.verdict.audience in audience)
    by_hand = World(deliveries=world.deliveries, messages=world.messages, links=world.links, events=kept)
    for key in KEYS:
        assert world.table(audience=audience)[key] == by_hand.table()[key]


@given(worlds())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_store_gives_the_same(tmp_path_factory: Any, world: World) -> None:
    folder: Path = tmp_path_factory.mktemp("stores")
    ids = [delivery.id for delivery in world.deliveries]
    plain = world.table()
    for url in ("memory:", f"sqlite:///{folder / 'x.db'}"):
        with open_store(url) as store:
            store.put((*world.deliveries, *world.messages, *world.links))
            store.ingest(world.events)
            table = indicators(store, ids)
            assert {key: table[key] for key in KEYS} == {key: plain[key] for key in KEYS}


@given(worlds())
def test_wholes_and_parts(world: World) -> None:
    table = world.table()
    assert table["dr_sent"].value == table["dr_delivered"].value_or_zero + table["dr_bounces"].value_or_zero
    assert table["dr_unique_clicks"].value_or_zero <= table["dr_unique_opens"].value_or_zero
    assert table["dr_unique_opens"].value_or_zero <= table["dr_opens"].value_or_zero
    assert table["dr_offer_clicks"].value_or_zero <= table["dr_clicks"].value_or_zero
    for key in ("dr_delivered", "dr_bounces", "dr_hard_bounces", "dr_unique_opens", "dr_unique_clicks", "dr_opens"):
        rows = table.series(key, by="domain").values()
        assert sum(value.value_or_zero for value in rows) == table[key].value, "a message is of one domain"
    share = (table["dr_delivered_rate"].value_or_zero, table["dr_bounce_rate"].value_or_zero)
    assert sum(share) in (0, 1) or abs(sum(share) - 1) < 1e-15


def at(day: int, kind: type[Event], message_id: str | None, link_id: str = "2") -> Event:
    fields: dict[str, Any] = {} if kind is Open else {"link_id": link_id}
    return kind(occurred_at=START + timedelta(days=day - 1), delivery_id="1", message_id=message_id, **fields)


def table_of(*events: Event, messages: tuple[Message, ...] = (), links: tuple[TrackedLink, ...] = ()) -> Table:
    sent = messages or tuple(Message(id=name, delivery_id="1", status="sent") for name in ("P1", "P2"))
    return indicators.from_events(Delivery(id="1"), sent, links, events)


def test_vector_4_unique_opens_are_no_sum_of_days() -> None:
    events = [at(1, Open, "P1")] * 2 + [at(2, Open, "P1")] * 3 + [at(1, Open, "P2")]
    table = table_of(*events)
    assert table["dr_opens"].value == 6
    assert {day: v.value for day, v in table.series("dr_opens", by="day").items()} == {"2026-03-01": 3, "2026-03-02": 3}
    unique = {day: v.value for day, v in table.series("dr_unique_opens", by="day").items()}
    assert unique == {"2026-03-01": 2, "2026-03-02": 1}
    assert table["dr_unique_opens"].value == 2
    assert "not-additive" in table["dr_unique_opens"].caveats


def test_vector_4_a_click_without_an_open_adds_one() -> None:
    assert table_of(at(1, Click, "P1"), at(1, Click, "P1"))["dr_opens"].value == 1
    assert table_of(at(1, Click, "P1"), at(1, Open, "P1"))["dr_opens"].value == 1
    assert table_of(at(1, Click, "P1"), at(1, Open, "P2"))["dr_opens"].value == 2


def test_vector_4_three_links_are_three_rows_and_one_profile() -> None:
    table = table_of(*(at(1, Click, "P1", link_id) for link_id in ("2", "3", "4")))
    assert [value.value for value in table.series("dr_unique_clicks", by="link").values()] == [1, 1, 1]
    assert table["dr_unique_clicks"].value == 1


def test_tagged_pages_are_no_reaction_here_and_are_one_in_the_console() -> None:
    table = table_of(at(1, PageVisit, "P1"), at(1, Transaction, "P2"))
    assert (table["recipient_open"].value, table["dr_unique_opens"].value, table["dr_opens"].value) == (2, 0, 0)


def test_hard_is_without_the_denylisted_and_soft_goes_by_type() -> None:
    messages = (
        Message(id="a", delivery_id="1", status="failed", failure_type="hard", failure_reason=8),
        Message(id="b", delivery_id="1", status="failed", failure_type="hard", failure_reason=3),
        Message(id="c", delivery_id="1", status="failed", failure_type="soft", failure_reason=1),
        Message(id="d", delivery_id="1", status="failed", failure_type="undefined", failure_reason=8),
    )
    table = table_of(messages=messages)
    names = ("dr_denylisted", "dr_hard_bounces", "dr_soft_bounces", "dr_bounces", "complaints")
    assert [table[name].value for name in names] == [1, 1, 1, 4, 2]


def test_the_rate_of_unsubscriptions_is_over_clicks_and_not_over_people() -> None:
    table = table_of(*[at(1, OptOutClick, "P1")] * 3)
    assert (table["dr_unsubscribe_rate"].value, table["dr_unique_unsubscribes"].value) == (1.5, 1)
    assert "above-one" in table["dr_unsubscribe_rate"].caveats


def test_delivered_is_sent_alone() -> None:
    statuses = ("sent", "taken_into_account", "received_on_mobile", "failed", "prepared")
    table = table_of(messages=tuple(Message(id=name, delivery_id="1", status=name) for name in statuses))
    assert (table["dr_delivered"].value, table["success"].value, table["dr_sent"].value) == (1, 3, 2)
    assert table["dr_delivered_rate"].value == 0.5


def test_c18_opens_are_rows_and_unique_opens_messages() -> None:
    table = table_of(*[at(1, Open, "P1")] * 3)
    assert (table["dr_opens"].value, table["dr_unique_opens"].value) == (3, 1)


def test_c19_the_rate_of_opens_is_over_all_opens() -> None:
    table = table_of(*[at(1, Open, "P1")] * 3)
    assert (table["dr_open_rate"].numerator, table["dr_open_rate"].denominator) == (3, 2)


def test_offers_are_clicks_and_opt_outs_and_mirror_pages_are_not() -> None:
    links = tuple(
        TrackedLink(delivery_id="1", id=name, url="https://a.example/", type=kind) for name, kind in TYPES.items()
    )
    table = table_of(
        *(at(1, Click, "P1", name) for name in TYPES),
        at(1, OptOutClick, "P2"),
        at(1, MirrorPageView, "P2"),
        links=links,
    )
    assert (table["dr_clicks"].value, table["dr_offer_clicks"].value) == (4, 2)
    assert (table["dr_unique_clicks"].value, table["dr_unique_opens"].value) == (1, 2)
    assert table["dr_offer_click_rate"].value == 1.0


def test_a_click_on_a_notification_is_none_here_and_is_one_in_the_console() -> None:
    mobile = TrackedLink(delivery_id="1", id="6", url="https://a.example/", type="mobile_click")
    events = (at(1, Click, "P1", "6"), at(1, Click, "P2", "6"), at(2, Click, "P2", "2"))
    table = table_of(*events, links=(mobile,))
    for key, whole, days in (
        ("dr_clicks", 1, [0, 1]),
        ("dr_unique_clicks", 1, [0, 1]),
        ("dr_unique_opens", 1, [0, 1]),
        ("dr_opens", 1, [0, 1]),
        ("total_recipient_click", 3, None),
        ("recipient_click", 2, None),
        ("recipient_open", 2, None),
    ):
        assert table[key].value == whole, key
        if days:
            assert [value.value for value in table.series(key, by="day").values()] == days, key
    assert {name: value.value for name, value in table.series("dr_clicks", by="link").items()} == {"6": 0, "2": 1}
    assert {name: value.value for name, value in table.series("dr_unique_opens", by="domain").items()} == {"Others": 1}
    # Nobody registered the link, so nobody knows that it is one of a notification.
    assert table_of(*events)["dr_clicks"].value == 3


def test_c36_a_person_counts_in_each_delivery() -> None:
    children = [Delivery(id=name) for name in "123"]
    messages = [Message(id="7", delivery_id=name, recipient_id="ann", status="sent") for name in "123"]
    events = [Open(occurred_at=START, delivery_id=name, message_id="7") for name in "123"]
    table = indicators.from_events(children, messages, [], events)
    assert table["dr_unique_opens"].value == 3
    assert {name: value.value for name, value in table.series("dr_unique_opens", by="recipient").items()} == {
        "recipients": 1
    }


def test_a_zero_of_offers_nobody_registered_is_no_finding() -> None:
    assert "no-data" in table_of(at(1, Click, "P1"))["dr_offer_clicks"].caveats
    offer = TrackedLink(delivery_id="1", id="9", url="https://a.example/", type="offer_click")
    table = table_of(at(1, Click, "P1"), links=(offer,))
    assert (table["dr_offer_clicks"].value, "no-data" in table["dr_offer_clicks"].caveats) == (0, False)
