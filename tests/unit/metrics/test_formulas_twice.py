"""Every formula a second time, transcribed word by word from its text, slow and without the package's own arithmetic.

``B`` and ``L`` are the row sets of the notation; ``pct``, ``div``, ``count``, ``count_distinct`` its functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.events import Click, Delivered, Event, MirrorPageView, Open, OptOutClick, PageVisit, Transaction
from msgtrack.metrics import catalogue, indicators, opens, sharing, tracking_indicators, tracking_statistics, urls
from msgtrack.model import Audience, Delivery, Message, TrackedLink, Verdict

START = datetime(2026, 3, 1, tzinfo=UTC)
NETWORKS = ("email", "facebook", "twitter", "delicious", "digg", "google", "linkedin")


@frozen(kw_only=True)
class World:
    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]
    links: tuple[TrackedLink, ...]
    events: tuple[Event, ...]


def subset(draw: st.DrawFn, keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [key for key in keys if draw(st.booleans())]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to three deliveries, each record once; events hit known and unknown messages, links and deliveries."""
    ids = draw(st.lists(st.sampled_from(["1", "2", "3"]), min_size=1, max_size=3, unique=True))
    small = st.none() | st.integers(0, 6)
    deliveries = tuple(
        Delivery(
            id=delivery_id,
            to_deliver=draw(small),
            text=draw(small),
            is_proof=draw(st.sampled_from([False, False, False, True])),
        )
        for delivery_id in ids
    )
    messages = tuple(
        Message(
            id=message_id,
            delivery_id=delivery_id,
            address=draw(st.sampled_from(["x@gmail.com", "x@aol.com", "x@corp.example"])),
            status=draw(st.sampled_from(["sent", "sent", "taken_into_account", "failed", "pending", "ignored"])),
            failure_reason=draw(st.sampled_from([0, 1, 8])),
            format=draw(st.sampled_from(["html", "html", "text"])),
            is_seed=draw(st.sampled_from([False, False, False, True])),
        )
        for delivery_id, message_id in subset(draw, [(d, m) for d in ids for m in "abcd"])
    )
    links = tuple(
        TrackedLink(
            delivery_id=delivery_id,
            id=link_id,
            url=draw(st.sampled_from(["https://a.example/", "https://b.example/"])),
            label=draw(st.sampled_from(["", "A", "B"])),
            category=draw(st.sampled_from(["", "shop", "Facebook", *NETWORKS])),
        )
        for delivery_id, link_id in subset(draw, [(d, n) for d in ids for n in "234"])
    )
    kinds = st.sampled_from(
        [Open, Open, Click, Click, Click, MirrorPageView, OptOutClick, PageVisit, Transaction, Delivered]
    )
    events: list[Event] = []
    for number in range(draw(st.integers(0, 14))):
        kind = draw(kinds)
        fields: dict[str, Any] = {
            "id": draw(st.sampled_from([None, f"e{number}"])),
            "occurred_at": START + timedelta(minutes=draw(st.integers(0, 600))),
            "delivery_id": draw(st.sampled_from([*ids, "elsewhere"])),
            "message_id": draw(st.sampled_from(["a", "b", "c", "d", "nobody", None])),
            "source_id": draw(st.sampled_from(["s", "t", "u", None])),
            "is_seed": draw(st.sampled_from([False] * 5 + [True])),
            "is_proof": draw(st.sampled_from([False] * 5 + [True])),
            "verdict": Verdict(audience=draw(st.sampled_from(Audience))),
        }
        if kind is not Open:
            fields["link_id"] = draw(st.sampled_from(["2", "3", "4", "99", None]))
        if kind is Transaction:
            fields["amount"] = draw(st.none() | st.decimals(-9, 9, places=2))
            fields["article"] = draw(small)
        event = kind(**fields)
        events.append(event)
        if event.has_own_id and draw(st.booleans()):
            events.append(event)
    return World(deliveries=deliveries, messages=messages, links=links, events=tuple(draw(st.permutations(events))))


class Oracle:
    """The formulas as the reference prints them; ``only`` keeps the rows of one domain."""

    def __init__(self, world: World, *, only: str | None = None) -> None:
        self.D = [d for d in world.deliveries if not d.is_proof and not d.is_template]
        in_scope = {d.id for d in self.D}
        everybody = {(m.delivery_id, m.id): m for m in world.messages}
        self.B = [m for m in world.messages if m.delivery_id in in_scope and not m.is_seed]
        self.L = []
        seen = set()
        for e in world.events:
            if e.has_own_id and e.id in seen:
                continue
            seen.add(e.id if e.has_own_id else object())
            m = everybody.get((e.delivery_id or "", e.message_id or ""))
            is_seed = e.is_seed or (m is not None and m.is_seed)
            if e.delivery_id in in_scope and not is_seed and not e.is_proof and e.link_type is not None:
                self.L.append((e, m.domain if m else "Others"))
        if only is not None:
            self.B = [m for m in self.B if m.domain == only]
            self.L = [(e, domain) for e, domain in self.L if domain == only]
        self.links = {(x.delivery_id, x.id): x for x in world.links}

    def link(self, e: Event) -> TrackedLink | None:
        return self.links.get((e.delivery_id or "", e.link_id or ""))

    def count(self, cond: Callable[[Event], bool]) -> int:
        return len([e for e, _ in self.L if cond(e)])

    def count_distinct(self, f: Callable[[Event], object], cond: Callable[[Event], bool] = lambda e: True) -> int:
        return len({f(e) for e, _ in self.L if cond(e)} - {None})

    @staticmethod
    def broadlog_id(e: Event) -> object:
        return None if e.message_id is None else (e.delivery_id, e.message_id)

    @staticmethod
    def is_type(number: int) -> Callable[[Event], bool]:
        return lambda e: e.link_type == number

    def to_deliver_of(self, d: Delivery) -> int:
        if d.to_deliver is not None:
            return d.to_deliver
        return len([m for m in self.B if m.delivery_id == d.id and m.status.name != "IGNORED"])

    def text_of(self, d: Delivery) -> int:
        if d.text is not None:
            return d.text
        return len(
            [m for m in self.B if m.delivery_id == d.id and m.status.name != "IGNORED" and m.format.value == "text"]
        )

    def estimate(self, cond: Callable[[Event], bool], f: Callable[[Event], object]) -> tuple[int, bool]:
        total, is_defined = 0, False
        for d in self.D:
            of_delivery = {f(e) for e, _ in self.L if e.delivery_id == d.id and cond(e)} - {None}
            to_deliver, text = self.to_deliver_of(d), self.text_of(d)
            if to_deliver - text != 0:
                total += round_(Fraction(len(of_delivery) * to_deliver, to_deliver - text))
                is_defined = True
        return total, is_defined

    def numbers(self) -> dict[str, Any]:
        n: dict[str, Any] = {}
        n["to_deliver"] = sum(self.to_deliver_of(d) for d in self.D)
        n["success"] = len([m for m in self.B if m.status.name in ("SENT", "TAKEN_INTO_ACCOUNT", "RECEIVED_ON_MOBILE")])
        n["sends"] = n["success"]
        n["complaints"] = len([m for m in self.B if m.status.name == "FAILED" and m.failure_reason == 8])
        n["recipient_open"] = self.count_distinct(self.broadlog_id)
        n["total_recipient_open"] = self.count(self.is_type(2))
        n["estimated_recipient_open"], self.has_estimate = self.estimate(lambda e: True, self.broadlog_id)
        n["estimated_total_recipient_open"], _ = self.estimate(self.is_type(2), id)
        n["opt_out"] = self.count(self.is_type(3))
        n["mirror_page"] = self.count(self.is_type(6))
        n["recipient_click"] = self.count_distinct(self.broadlog_id, self.is_type(1))
        n["person_click"] = self.count_distinct(lambda e: e.source_id, self.is_type(1))
        n["total_recipient_click"] = self.count(self.is_type(1))
        n["forward_estimate"] = n["person_click"] - n["recipient_click"]
        n["raw_reactivity"] = pct(n["recipient_click"], n["recipient_open"])
        n["estimated_reactivity"] = pct(n["recipient_click"], n["estimated_recipient_open"])
        n["reactivity"] = n["estimated_reactivity"]
        n["distinct_open_rate"] = pct(n["estimated_recipient_open"], n["success"])
        n["total_open_rate"] = pct(n["estimated_total_recipient_open"], n["success"])
        n["opt_out_rate"] = pct(n["opt_out"], n["success"])
        n["mirror_page_rate"] = pct(n["mirror_page"], n["success"])
        n["forward_rate"] = pct(n["forward_estimate"], n["success"])
        n["person_click_rate"] = n["distinct_clicks"] = pct(n["person_click"], n["success"])
        n["total_click_rate"] = n["cumulated_clicks"] = pct(n["total_recipient_click"], n["success"])
        n["recipient_click_rate"] = pct(n["recipient_click"], n["success"])
        n["domain_complaint_rate"] = pct(n["complaints"], n["sends"])
        n["domain_open_rate"] = pct(n["recipient_open"], n["sends"])
        n["domain_click_rate"] = pct(n["recipient_click"], n["sends"])
        n["total_web_page"] = self.count(lambda e: e.link_type in (4, 5))
        n["transaction"] = self.count(self.is_type(5))
        bought = [e for e, _ in self.L if isinstance(e, Transaction)]
        n["amount"] = sum((e.amount or Decimal(0) for e in bought), Decimal(0))
        n["article"] = sum(e.article or 0 for e in bought)
        n["average_transaction_amount"] = div(n["amount"], n["transaction"])
        n["average_article_per_transaction"] = div(n["article"], n["transaction"])
        n["average_amount_per_message"] = div(n["amount"], n["to_deliver"])
        for network in NETWORKS:
            n[f"share_{network}"] = len(
                [e for e, _ in self.L if e.link_type != 2 and (x := self.link(e)) and x.category == network]
            )
        n["url_clicks"] = self.count(lambda e: e.link_type != 2)
        n["url_clicks_percent"] = pct(n["url_clicks"], n["url_clicks"])
        n["tracking_statistics_opens"] = n["total_recipient_open"]
        n["tracking_statistics_clicks"] = n["total_recipient_click"]
        n["tracking_statistics_transactions"] = n["transaction"]
        return n

    def url_clicks_by(self, name_of: Callable[[TrackedLink], str]) -> dict[str, int]:
        groups: dict[str, int] = {}
        in_scope = {d.id for d in self.D}
        for x in self.links.values():
            if x.delivery_id in in_scope:
                groups.setdefault(name_of(x), 0)
        for e, _ in self.L:
            if e.link_type != 2:
                link = self.link(e)
                name = name_of(link) if link else ""
                groups[name] = groups.get(name, 0) + 1
        return groups


def pct(a: int, b: int) -> Fraction | int:
    return Fraction(a, b) if b else 0


def div(a: Decimal | int, b: int) -> Fraction | int:
    return Fraction(a) / b if b else 0


def round_(x: Fraction) -> int:
    return math.floor(x + Fraction(1, 2)) if x >= 0 else -math.floor(-x + Fraction(1, 2))


def is_same(ours: Any, theirs: Any) -> bool:
    """Counts exactly; floats as the nearest to the fraction; amounts within their 28 digits."""
    if isinstance(ours, Decimal):
        return abs(Fraction(ours) - Fraction(theirs)) <= Fraction(1, 10**20)
    return bool(ours == (float(theirs) if isinstance(ours, float) else theirs))


DENOMINATORS = {
    "raw_reactivity": "recipient_open",
    "estimated_reactivity": "estimated_recipient_open",
    "reactivity": "estimated_recipient_open",
    **dict.fromkeys(
        (
            "distinct_open_rate",
            "total_open_rate",
            "opt_out_rate",
            "mirror_page_rate",
            "forward_rate",
            "person_click_rate",
            "total_click_rate",
            "recipient_click_rate",
            "distinct_clicks",
            "cumulated_clicks",
        ),
        "success",
    ),
    **dict.fromkeys(("domain_complaint_rate", "domain_open_rate", "domain_click_rate"), "sends"),
    "average_transaction_amount": "transaction",
    "average_article_per_transaction": "transaction",
    "average_amount_per_message": "to_deliver",
    "url_clicks_percent": "url_clicks",
}
ON_ESTIMATES = {
    "estimated_recipient_open",
    "estimated_total_recipient_open",
    "estimated_reactivity",
    "reactivity",
    "distinct_open_rate",
    "total_open_rate",
}


TRANSCRIBED = frozenset(Oracle(World(deliveries=(), messages=(), links=(), events=())).numbers())
"""The indicators of this file; each other report has a file like this one."""


def test_the_transcription_has_every_key_and_every_quotient() -> None:
    own = (tracking_indicators, tracking_statistics, sharing, opens, urls)
    written = {indicator.key for report in own for indicator in report.INDICATORS}
    assert {key for key in written if not key.startswith("opens_by_")} == TRANSCRIBED
    assert set(DENOMINATORS) == {key for key in TRANSCRIBED if catalogue[key].over is not None}


@given(worlds())
def test_scalars(world: World) -> None:
    table = indicators.from_events(world.deliveries, world.messages, world.links, world.events)
    oracle = Oracle(world)
    numbers = oracle.numbers()
    for key in TRANSCRIBED:
        value = table[key]
        assert is_same(value.value_or_zero, numbers[key]), (key, value, numbers[key])
        is_undefined = key in DENOMINATORS and numbers[DENOMINATORS[key]] == 0
        if key in ON_ESTIMATES and not oracle.has_estimate:
            is_undefined = True
        assert (value.value is None) == is_undefined, (key, value)
        assert ("no-denominator" in value.caveats) == is_undefined


@given(worlds())
def test_quotients_have_the_denominators_they_should(world: World) -> None:
    table = indicators.from_events(world.deliveries, world.messages, world.links, world.events)
    for key, denominator in DENOMINATORS.items():
        assert (table[key].denominator or 0) == table[denominator].value_or_zero
        value = table[key]
        if value.value is not None and value.unit == "ratio":
            assert value.numerator is not None
            assert value.denominator is not None
            assert value.value == value.numerator / value.denominator


@given(worlds())
def test_rows_by_domain(world: World) -> None:
    table = indicators.from_events(world.deliveries, world.messages, world.links, world.events)
    whole = Oracle(world)
    domains = {m.domain for m in whole.B} | {domain for _, domain in whole.L}
    expected = {domain: Oracle(world, only=domain).numbers() for domain in domains}
    for key in TRANSCRIBED:
        if "domain" not in catalogue[key].groupings:
            continue
        series = table.series(key, by="domain")
        assert set(series) == domains
        for domain, value in series.items():
            assert is_same(value.value_or_zero, expected[domain][key]), (key, domain)
            if key in DENOMINATORS:
                assert (value.denominator or 0) == expected[domain][DENOMINATORS[key]]
    order = list(table.series("sends", by="domain"))
    assert order == sorted(domains, key=lambda domain: (-expected[domain]["sends"], domain))


@given(worlds())
def test_rows_by_link(world: World) -> None:
    table = indicators.from_events(world.deliveries, world.messages, world.links, world.events)
    oracle = Oracle(world)
    names: dict[str, Callable[[TrackedLink], str]] = {
        "label": lambda x: x.label or x.url,
        "url": lambda x: x.url,
        "category": lambda x: x.category,
    }
    total = oracle.numbers()["url_clicks"]
    for by, name_of in names.items():
        expected = oracle.url_clicks_by(name_of)
        series = table.series("url_clicks", by=by)
        assert {name: value.value for name, value in series.items()} == expected
        assert list(series) == sorted(expected, key=lambda name: (-expected[name], name))
        for name, value in table.series("url_clicks_percent", by=by).items():
            assert (value.numerator, value.denominator) == (expected[name], total)
    per_link = table.series("url_clicks", by="link")
    assert sum(int(value.value_or_zero) for value in per_link.values()) == total


@given(worlds(), st.sampled_from([300, 600, 3600, 86400]))
def test_curves_add_up(world: World, width: int) -> None:
    table = indicators.from_events(world.deliveries, world.messages, world.links, world.events)
    oracle = Oracle(world)
    for key, number in (
        ("tracking_statistics_opens", 2),
        ("tracking_statistics_clicks", 1),
        ("tracking_statistics_transactions", 5),
    ):
        curve = table.series(key, by="bin", bin_seconds=width)
        assert list(curve) == sorted(curve)
        for start, value in curve.items():
            end = datetime.fromisoformat(start) + timedelta(seconds=width)
            assert value.value == len([e for e, _ in oracle.L if e.link_type == number and e.occurred_at < end])


OVER_DAYS_OF_THE_WINDOW = ("os_visitors", "os_pages")
"""Averages over the days that the window touches: the window is part of their formula, and they say when it cuts a day."""


@given(worlds(), st.sets(st.sampled_from(Audience), min_size=1), st.integers(0, 600), st.integers(0, 600))
def test_an_audience_and_a_window_narrow_events_and_never_messages(
    world: World, audience: set[Audience], since: int, until: int
) -> None:
    first, last = START + timedelta(minutes=since), START + timedelta(minutes=until)
    table = indicators.from_events(
        world.deliveries, world.messages, world.links, world.events, audience=audience, since=first, until=last
    )
    kept = [e for e in world.events if e.verdict.audience in audience and first <= e.occurred_at < last]
    by_hand = indicators.from_events(world.deliveries, world.messages, world.links, kept)
    assert table.counts == by_hand.counts
    for key, value in table.items():
        if key in OVER_DAYS_OF_THE_WINDOW:
            assert value.numerator == by_hand[key].numerator, key
        else:
            assert value == by_hand[key], key
    whole = indicators.from_events(world.deliveries, world.messages, world.links, world.events)
    for key in ("to_deliver", "success", "sends", "complaints"):
        assert table[key] == whole[key]
