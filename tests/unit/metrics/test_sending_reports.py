"""The reports on sending a second time: each formula transcribed from its text, slow and without the package's arithmetic.

``B``, ``X``, ``L`` and ``H`` are the messages, exclusions, reactions and subscription changes of the notation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick
from msgtrack.facts import AddressState, Exclusion, Fact, Service, SubscriptionChange
from msgtrack.metrics import (
    Table,
    bounces,
    catalogue,
    delivery_statistics,
    delivery_summary,
    home_kpis,
    indicators,
    throughput,
)
from msgtrack.model import Audience, Delivery, Message, Verdict
from msgtrack.storage import open_store

START = datetime(2026, 3, 28, 20, tzinfo=UTC)
"""Clocks change within the next hours, in Paris at 1 in UTC."""

SUCCESS = ("SENT", "TAKEN_INTO_ACCOUNT", "RECEIVED_ON_MOBILE")
SEVEN = {
    "unknown_user": 1,
    "invalid_domain": 2,
    "unreachable": 3,
    "disabled": 4,
    "mailbox_full": 5,
    "not_connected": 6,
    "refused": 20,
}
CAUSES = {1: "unknown_user", 9: "quarantined", 10: "double"}


@frozen(kw_only=True)
class World:
    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]
    events: tuple[Event, ...]
    facts: tuple[Fact, ...]

    def table(self, **options: Any) -> Table:
        return indicators.from_events(self.deliveries, self.messages, [], self.events, facts=self.facts, **options)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to three deliveries over two or three channels, with messages of every fate, exclusions, services and quarantine."""
    ids = draw(st.lists(st.sampled_from("123"), min_size=1, max_size=3, unique=True))
    small = st.none() | st.integers(0, 6)
    moments = st.integers(0, 2000).map(lambda minutes: START + timedelta(minutes=minutes))
    addresses = st.sampled_from(["x@gmail.com", "y@gmail.com", "x@aol.com", ""])
    some_id = st.sampled_from([*ids, "elsewhere"])
    deliveries = tuple(
        Delivery(
            id=delivery_id,
            channel=draw(st.sampled_from(["email", "email", "sms", "direct_mail"])),
            to_deliver=draw(small),
            total_target=draw(small),
            reject=draw(small),
            is_proof=draw(st.sampled_from([False, False, False, True])),
        )
        for delivery_id in ids
    )
    messages = tuple(
        Message(
            id=message_id,
            delivery_id=delivery_id,
            address=draw(addresses),
            status=draw(
                st.sampled_from(["sent", "taken_into_account", "failed", "failed", "prepared", "pending", "ignored"])
            ),
            failure_reason=draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8, 20])),
            is_seed=draw(st.sampled_from([False, False, False, True])),
            is_quarantine=draw(st.sampled_from([False, False, True])),
            event_at=draw(st.none() | moments),
            size_bytes=draw(st.none() | st.integers(0, 5000)),
        )
        for delivery_id in ids
        for message_id in "abcde"
        if draw(st.booleans())
    )
    events = tuple(
        draw(st.sampled_from([Open, Click, Click, OptOutClick, MirrorPageView]))(
            occurred_at=draw(moments),
            delivery_id=draw(some_id),
            message_id=draw(st.sampled_from(["a", "b", "c", "d", "nobody", None])),
            source_id=draw(st.sampled_from(["s", "t", "u", None])),
            is_seed=draw(st.sampled_from([False] * 5 + [True])),
            verdict=Verdict(audience=draw(st.sampled_from(Audience))),
        )
        for _ in range(draw(st.integers(0, 12)))
    )
    facts: list[Fact] = [
        Exclusion(
            delivery_id=draw(some_id),
            id=str(number),
            failure_reason=draw(st.sampled_from(list(CAUSES))),
            rule=draw(st.sampled_from(["", "", "double", "Fatigue"])),
            is_seed=draw(st.sampled_from([False, False, True])),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    facts += [
        Service(id=service_id, channel=draw(st.sampled_from(["email", "sms", "fax"])))
        for service_id in draw(st.sets(st.sampled_from("PQ")))
    ]
    facts += [
        SubscriptionChange(
            service_id=draw(st.sampled_from("PQ")),
            id=str(number),
            action=draw(st.sampled_from(["subscribe", "unsubscribe"])),
            changed_at=draw(moments),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    facts += [
        AddressState(
            address=address,
            channel=draw(st.sampled_from(["email", "sms"])),
            status=draw(st.sampled_from(["with-errors", "quarantine", "denylisted"])),
            delivery_id=draw(some_id),
        )
        for address in draw(st.sets(st.sampled_from(["x@gmail.com", "z@gmail.com"])))
    ]
    return World(deliveries=deliveries, messages=messages, events=events, facts=tuple(facts))


class Oracle:
    """The formulas as the reference prints them; ``domain`` and ``deliveries`` keep the rows of those alone."""

    def __init__(
        self,
        world: World,
        *,
        domain: str | None = None,
        deliveries: Callable[[Delivery], bool] = lambda _: True,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        self.D = [d for d in world.deliveries if not d.is_proof and deliveries(d)]
        ids = {d.id for d in self.D}
        everybody = {(m.delivery_id, m.id): m for m in world.messages}
        self.B = [m for m in world.messages if m.delivery_id in ids and not m.is_seed]
        self.L = []
        for e in world.events:
            m = everybody.get((e.delivery_id or "", e.message_id or ""))
            of = m.domain if m else "Others"
            if e.delivery_id in ids and not e.is_seed and not (m and m.is_seed) and domain in (None, of):
                self.L.append(e)
        if domain is not None:
            self.B = [m for m in self.B if m.domain == domain]
        self.X = [f for f in world.facts if isinstance(f, Exclusion) and f.delivery_id in ids and not f.is_seed]
        self.Q = [f for f in world.facts if isinstance(f, AddressState) and f.delivery_id in ids]
        services = {f.id: f.channel for f in world.facts if isinstance(f, Service)}
        channels = {d.channel for d in self.D}
        self.H = [
            f
            for f in world.facts
            if isinstance(f, SubscriptionChange)
            and services.get(f.service_id, "email") in channels
            and (since is None or f.changed_at >= since)
            and (until is None or f.changed_at < until)
        ]

    def messages_that(self, cond: Callable[[Message], bool]) -> int:
        return len([m for m in self.B if cond(m)])

    def failed(self, *reasons: int) -> int:
        return self.messages_that(lambda m: m.status.name == "FAILED" and m.failure_reason in reasons)

    def status(self, *names: str) -> int:
        return self.messages_that(lambda m: m.status.name in names)

    def to_deliver_of(self, d: Delivery) -> int:
        if d.to_deliver is not None:
            return d.to_deliver
        return self.messages_that(lambda m: m.delivery_id == d.id and m.status.name != "IGNORED")

    def reject_of(self, d: Delivery) -> int | None:
        return d.reject if d.reject is not None else len([x for x in self.X if x.delivery_id == d.id]) or None

    def total_target_of(self, d: Delivery) -> int | None:
        if d.total_target is not None:
            return d.total_target
        reject = self.reject_of(d)
        return None if reject is None else reject + self.to_deliver_of(d)

    def new_quarantine_of(self, d: Delivery) -> int:
        addresses: set[tuple[str, str]] = set()
        nameless = 0
        for m in self.B:
            if m.delivery_id == d.id and m.is_quarantine:
                if m.address:
                    addresses.add((d.channel, m.address))
                else:
                    nameless += 1
        for q in self.Q:
            if q.delivery_id == d.id and q.status.value in ("quarantine", "denylisted"):
                addresses.add((q.channel, q.address))
        return len(addresses) + nameless

    def people(self) -> int:
        return len({e.source_id for e in self.L if isinstance(e, Click)} - {None})

    def rows(self, kind: type[Event]) -> int:
        return len([e for e in self.L if isinstance(e, kind)])

    def numbers(self) -> dict[str, Any]:
        """Every key; a pair is a quotient, None a number that nobody told."""
        n: dict[str, Any] = {}
        error, success = self.status("FAILED"), self.status(*SUCCESS)
        n["summary_to_deliver"] = to_deliver = sum(map(self.to_deliver_of, self.D))
        n["total_target"] = added(map(self.total_target_of, self.D))
        n["reject"] = added(map(self.reject_of, self.D))
        n["reject_rate"] = n["reject"], n["total_target"]
        n["exclusion_by_cause"] = len(self.X)
        n["summary_success"] = n["kpi_delivered"] = success
        n["summary_success_rate"] = success, to_deliver
        n["error"] = n["kpi_errors"] = n["domain_error_value"] = error
        n["error_rate"] = n["kpi_error_rate"] = error, to_deliver
        n["new_quarantine"] = sum(map(self.new_quarantine_of, self.D))
        n["new_quarantine_rate"] = n["new_quarantine"], to_deliver
        n["processed"] = n["total_processed"] = processed = self.status("PREPARED") + error + success
        n["delivered"] = n["kpi_delivered_rate"] = success, processed
        for key, reason in SEVEN.items():
            n[key] = self.failed(reason)
        n["hard_bounce"] = n["unknown_user"]
        n["soft_bounce"] = sum(n[key] for key in SEVEN if key != "unknown_user")
        n["hard_bounce_rate"] = n["hard_bounce"], processed
        n["soft_bounce_rate"] = n["soft_bounce"], processed
        n["total_errors"] = n["error_value"] = sum(n[key] for key in SEVEN)
        n["error_contribution"] = n["error_value"], n["total_errors"]
        n["error_breakdown"] = n["error_value"], processed
        n["domain_error_contribution"] = error, n["total_errors"]
        n["domain_error_breakdown"] = error, processed
        n["stats_opens"] = len({(e.delivery_id, e.message_id) for e in self.L if e.message_id}), success
        n["kpi_clicks"] = self.people()
        n["stats_clicks"] = n["kpi_click_rate"] = self.people(), success
        n["stats_unsubscriptions"] = self.rows(OptOutClick), success
        n["kpi_opens"] = self.rows(Open)
        n["kpi_open_rate"] = self.rows(Open), success
        n["kpi_subscriptions"] = len([h for h in self.H if h.action.value == 1])
        n["kpi_unsubscriptions"] = len([h for h in self.H if h.action.value == 0])
        n["kpi_subscription_rate"] = n["kpi_subscriptions"], success
        n["kpi_unsubscription_rate"] = n["kpi_unsubscriptions"], success
        letters = {d.id for d in self.D if d.channel == "direct_mail"}
        n["kpi_sent_direct_mail"] = self.messages_that(lambda m: m.delivery_id in letters and m.status.name == "SENT")
        return n


def added(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def check(table: Table, key: str, expected: Any, value: Any = None) -> None:
    """That a value is the number, or the quotient with these two numbers, and undefined where it must be."""
    value = table[key] if value is None else value
    if not isinstance(expected, tuple):
        assert value.value == expected, (key, value)
        assert (value.value is None) == ("no-data" in value.caveats and expected is None)
        assert (value.numerator, value.denominator) == (None, None)
        return
    top, bottom = expected
    assert (value.numerator, value.denominator) == (top, bottom), (key, value)
    assert value.value == (float(Fraction(top, bottom)) if top is not None and bottom else None), (key, value)
    assert ("no-denominator" in value.caveats) == (top is not None and not bottom)
    if value.value is None:
        assert value.value_or_zero == 0
    elif value.value > 1:
        assert "above-one" in value.caveats


EMPTY = World(deliveries=(), messages=(), events=(), facts=())
TRANSCRIBED = frozenset(Oracle(EMPTY).numbers())
OWN = (delivery_summary, delivery_statistics, bounces, home_kpis)


def test_the_transcription_has_every_key() -> None:
    assert {indicator.key for report in OWN for indicator in report.INDICATORS} == TRANSCRIBED
    for key, number in Oracle(EMPTY).numbers().items():
        assert (catalogue[key].over is not None) == isinstance(number, tuple), key


@given(worlds())
def test_scalars(world: World) -> None:
    table = world.table()
    for key, expected in Oracle(world).numbers().items():
        check(table, key, expected)


@given(worlds())
def test_rows_by_delivery(world: World) -> None:
    table = world.table()
    there = [d.id for d in world.deliveries if not d.is_proof]
    for key in TRANSCRIBED:
        if "delivery" in catalogue[key].groupings:
            series = table.series(key, by="delivery")
            assert list(series) == sorted(there)
            for name, value in series.items():
                only = Oracle(world, deliveries=lambda d, name=name: d.id == name)
                check(table, key, only.numbers()[key], value)


@given(worlds())
def test_rows_by_domain(world: World) -> None:
    table = world.table()
    whole = Oracle(world)
    everybody = {(m.delivery_id, m.id): m for m in world.messages}
    domains = {m.domain for m in whole.B}
    for e in whole.L:
        m = everybody.get((e.delivery_id or "", e.message_id or ""))
        domains.add(m.domain if m else "Others")
    numbers = {domain: Oracle(world, domain=domain).numbers() for domain in domains}
    for domain in domains:
        top, _ = numbers[domain]["domain_error_contribution"]
        numbers[domain]["domain_error_contribution"] = top, whole.numbers()["total_errors"]
    keys = [key for key in TRANSCRIBED if "domain" in catalogue[key].groupings]
    assert len(keys) > 20
    for key in keys:
        series = table.series(key, by="domain")
        assert set(series) == domains
        for domain, value in series.items():
            check(table, key, numbers[domain][key], value)


@given(worlds())
def test_rows_by_reason(world: World) -> None:
    table = world.table()
    n = Oracle(world).numbers()
    series = {key: table.series(key, by="reason") for key in ("error_value", "error_contribution", "error_breakdown")}
    for rows in series.values():
        assert list(rows) in ([], list(SEVEN))
    for reason, value in series["error_value"].items():
        check(table, "error_value", n[reason], value)
        assert value.value == table[reason].value
    for reason, value in series["error_contribution"].items():
        check(table, "error_contribution", (n[reason], n["total_errors"]), value)
    for reason, value in series["error_breakdown"].items():
        check(table, "error_breakdown", (n[reason], n["processed"]), value)


@given(worlds())
def test_rows_by_channel(world: World) -> None:
    table = world.table()
    channels = sorted({d.channel for d in world.deliveries if not d.is_proof})
    keys = [key for key in TRANSCRIBED if "channel" in catalogue[key].groupings]
    assert len(keys) == 12
    numbers = {c: Oracle(world, deliveries=lambda d, c=c: d.channel == c).numbers() for c in channels}
    for key in keys:
        series = table.series(key, by="channel")
        assert list(series) == channels
        for channel, value in series.items():
            check(table, key, numbers[channel][key], value)
        # Counts of rows add up to the whole; distinct people need not.
        if catalogue[key].over is None and key != "kpi_clicks":
            assert sum(value.value for value in series.values()) == table[key].value


@given(worlds())
def test_rows_by_cause(world: World) -> None:
    table = world.table()
    excluded = Oracle(world).X
    names: dict[str, Callable[[Exclusion], str]] = {
        "cause": lambda x: x.rule or CAUSES[x.failure_reason.value],
        "reason": lambda x: CAUSES[x.failure_reason.value],
    }
    for by, name_of in names.items():
        expected = Counter(map(name_of, excluded))
        series = table.series("exclusion_by_cause", by=by)
        assert {name: value.value for name, value in series.items()} == expected
        assert list(series) == sorted(expected, key=lambda name: (-expected[name], name))


@given(worlds(), st.integers(0, 2000), st.integers(0, 2000))
def test_a_window_narrows_the_history_of_subscriptions(world: World, first: int, last: int) -> None:
    since, until = START + timedelta(minutes=first), START + timedelta(minutes=last)
    table = world.table(since=since, until=until)
    n = Oracle(world, since=since, until=until).numbers()
    for key in ("kpi_subscriptions", "kpi_unsubscriptions", "kpi_subscription_rate", "kpi_unsubscription_rate"):
        check(table, key, n[key])


ZONES = ["UTC", "Europe/Paris", "Asia/Kathmandu", "Australia/Lord_Howe"]


def bin_of(at: datetime, minutes: int, zone: str) -> tuple[object, ...]:
    """What tells bins apart, read off a clock on the wall of the zone."""
    there = at.astimezone(ZoneInfo(zone))
    if minutes == 1440:
        return (there.date(),)
    number = (there.hour * 60 + there.minute) // minutes
    # A stretch that comes twice is two bins when it is no longer than the change of the clock.
    return there.date(), number, there.utcoffset() if minutes <= 30 else None


@given(worlds(), st.sampled_from(ZONES), st.sampled_from([5, 10, 30, 180, 1440]))
def test_throughput_by_bin(world: World, zone: str, minutes: int) -> None:
    table = world.table(zone=zone)
    handled = [m for m in Oracle(world).B if m.event_at and m.status.name in (*SUCCESS, "FAILED")]
    wanted: dict[str, Callable[[Message], bool]] = {
        "bin": lambda m: True,
        "bin-success": lambda m: m.status.name in SUCCESS,
        "bin-error": lambda m: m.status.name == "FAILED",
    }
    there = {bin_of(m.event_at, minutes, zone) for m in handled if m.event_at}
    for by, is_wanted in wanted.items():
        messages = table.series("throughput_messages_per_hour", by=by, bin_seconds=minutes * 60)
        bits = table.series("throughput_bits_per_second", by=by, bin_seconds=minutes * 60)
        assert list(messages) == list(bits)
        assert list(messages) == sorted(messages, key=datetime.fromisoformat)
        assert {bin_of(datetime.fromisoformat(start), minutes, zone) for start in messages} == there
        for start, value in messages.items():
            begin = end = datetime.fromisoformat(start).astimezone(UTC)
            while bin_of(end, minutes, zone) == bin_of(begin, minutes, zone):
                end += timedelta(minutes=5)
            assert bin_of(begin - timedelta(minutes=5), minutes, zone) != bin_of(begin, minutes, zone)
            seconds = int((end - begin).total_seconds())
            inside = [m for m in handled if m.event_at and begin <= m.event_at < end and is_wanted(m)]
            assert value.value == float(Fraction(len(inside) * 3600, seconds))
            assert Fraction(value.numerator, value.denominator) == Fraction(len(inside) * 3600, seconds)
            assert (bits[start].numerator, bits[start].denominator) == (
                8 * sum(m.size_bytes or 0 for m in inside),
                seconds,
            )


@given(worlds())
def test_throughput_over_everything_and_by_outcome(world: World) -> None:
    table = world.table()
    done = [m for m in Oracle(world).B if m.status.name in (*SUCCESS, "FAILED")]
    handled = [m for m in done if m.event_at]
    value, bits = table["throughput_messages_per_hour"], table["throughput_bits_per_second"]
    assert ("undated" in value.caveats) == (len(handled) < len(done))
    assert ("unsized" in bits.caveats) == any(m.size_bytes is None for m in done)
    assert "choice" in value.caveats
    if not handled:
        assert value.value is None
        assert "no-data" in value.caveats
        assert table.series("throughput_messages_per_hour", by="outcome") == {}
        return
    slots = [int(m.event_at.timestamp()) // 300 for m in handled if m.event_at]
    seconds = (max(slots) + 1 - min(slots)) * 300
    assert value.value == float(Fraction(len(handled) * 3600, seconds))
    assert bits.value == float(Fraction(8 * sum(m.size_bytes or 0 for m in handled), seconds))
    rows = table.series("throughput_messages_per_hour", by="outcome")
    assert list(rows) == ["success", "error"]
    for outcome, is_error in (("success", False), ("error", True)):
        number = len([m for m in handled if (m.status.name == "FAILED") == is_error])
        assert rows[outcome].value == float(Fraction(number * 3600, seconds))


@given(worlds())
def test_laws(world: World) -> None:
    table = world.table()
    for name in ("processed", "error", "hard_bounce", "soft_bounce", "total_errors", "domain_error_value"):
        for by in catalogue[name].groupings:
            assert sum(value.value for value in table.series(name, by=by).values()) == table[name].value, (name, by)
    for key in ("total_processed", "processed"):
        assert table[key].value >= table["summary_success"].value + table["error"].value
    assert table["hard_bounce"].value + table["soft_bounce"].value == table["total_errors"].value
    assert table["total_errors"].value <= table["error"].value
    contributions = [value.value for value in table.series("error_contribution", by="reason").values()]
    if table["total_errors"].value:
        assert sum(contributions) == pytest.approx(1)


@given(worlds(), st.sets(st.sampled_from(Audience), min_size=1))
def test_an_audience_narrows_reactions_and_never_messages(world: World, audience: set[Audience]) -> None:
    kept = tuple(e for e in world.events if e.verdict.audience in audience)
    assert world.table(audience=audience) == evolve(world, events=kept).table()


@pytest.mark.parametrize("address", ["memory:", "sqlite"])
@given(world=worlds())
def test_stores_give_the_same(address: str, world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("store") / "events.db"
    with open_store(address if address == "memory:" else f"sqlite:///{path}") as store:
        store.put((*world.deliveries, *world.messages, *world.facts))
        store.ingest(world.events)
        kept = indicators(store, [d.id for d in world.deliveries], zone="Europe/Paris")
        plain = world.table(zone="Europe/Paris")
        own = [indicator for report in (*OWN, throughput) for indicator in report.INDICATORS]
        for indicator in own:
            assert kept[indicator.key] == plain[indicator.key]
            for by in indicator.groupings:
                assert kept.series(indicator.key, by=by) == plain.series(indicator.key, by=by)
