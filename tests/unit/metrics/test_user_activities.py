"""User activities: what happened in each bin, and the same laid over a day and over a week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick, PageVisit, Transaction
from msgtrack.metrics import Table, indicators
from msgtrack.model import Audience, Delivery, Message, Verdict

START = datetime(2026, 3, 28, tzinfo=UTC)
KINDS: dict[str, type[Event]] = {"opens": Open, "clicks": Click, "transactions": Transaction}
ZONES = ["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@frozen(kw_only=True)
class World:
    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]
    events: tuple[Event, ...]

    def table(self, **options: Any) -> Table:
        return indicators.from_events(self.deliveries, self.messages, [], self.events, **options)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Ten days, in which clocks change in Europe and in Australia."""
    ids = draw(st.sampled_from([("1",), ("1", "2")]))
    events = tuple(
        draw(st.sampled_from([Open, Click, Click, Transaction, OptOutClick, MirrorPageView]))(
            occurred_at=START + timedelta(minutes=draw(st.integers(0, 10 * 1440))),
            delivery_id=draw(st.sampled_from(ids)),
            message_id=draw(st.sampled_from(["a", "b", "seed", None])),
            verdict=Verdict(audience=draw(st.sampled_from(Audience))),
        )
        for _ in range(draw(st.integers(0, 20)))
    )
    return World(
        deliveries=tuple(Delivery(id=name) for name in ids),
        messages=tuple(Message(id="seed", delivery_id=name, is_seed=True) for name in ids),
        events=events,
    )


def rows_of(world: World, kind: type[Event]) -> list[Event]:
    return [e for e in world.events if type(e) is kind and e.message_id != "seed"]


def numbers(table: Table, name: str, by: str, **options: Any) -> dict[str, object]:
    return {row: value.value for row, value in table.series(f"user_activities_{name}", by=by, **options).items()}


def clock(at: datetime, width: int) -> str:
    minutes = (at.hour * 60 + at.minute) // (width // 60) * (width // 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


@given(worlds())
def test_scalars_and_deliveries(world: World) -> None:
    table = world.table()
    for name, kind in KINDS.items():
        assert table[f"user_activities_{name}"].value == len(rows_of(world, kind))
        assert table[f"user_activities_{name}"].value == table[f"tracking_statistics_{name}"].value
        by_delivery = Counter(e.delivery_id for e in rows_of(world, kind))
        assert numbers(table, name, "delivery") == {d.id: by_delivery[d.id] for d in world.deliveries}


@given(worlds(), st.sampled_from(ZONES), st.sampled_from([None, 1800, 3600, 86400]))
def test_formulas(world: World, zone: str, width: int | None) -> None:
    table, there = world.table(zone=zone), ZoneInfo(zone)

    def counted(kind: type[Event], name_of: Callable[[datetime], str]) -> Counter[str]:
        return Counter(name_of(e.occurred_at.astimezone(there)) for e in rows_of(world, kind))

    def bin_of(at: datetime) -> str:
        hour, minute = map(int, clock(at, width or 3600).split(":"))
        fold = 0 if width == 86400 else at.fold
        return at.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=fold).isoformat()

    for name, kind in KINDS.items():
        bins = numbers(table, name, "bin", bin_seconds=width)
        assert {row: value for row, value in bins.items() if value} == counted(kind, bin_of)
        moments = [datetime.fromisoformat(row) for row in bins]
        assert moments == sorted(moments)
        times = numbers(table, name, "time", bin_seconds=width)
        assert list(times) == [clock(START + timedelta(seconds=s), 300) for s in range(0, 86400, width or 3600)]
        assert {row: value for row, value in times.items() if value} == counted(
            kind, lambda at: clock(at, width or 3600)
        )
        days = numbers(table, name, "weekday")
        assert list(days) == WEEK
        assert {row: value for row, value in days.items() if value} == counted(kind, lambda at: WEEK[at.weekday()])
        by_date = numbers(table, name, "day")
        assert {row: value for row, value in by_date.items() if value} == counted(kind, lambda at: f"{at.date()}")


@given(worlds(), st.sampled_from(ZONES))
def test_rows_add_up_to_the_whole(world: World, zone: str) -> None:
    table = world.table(zone=zone)
    for name in KINDS:
        for by in ("bin", "day", "time", "weekday", "delivery"):
            values = table.series(f"user_activities_{name}", by=by).values()
            assert sum(value.value_or_zero for value in values) == table[f"user_activities_{name}"].value


@given(worlds(), st.sets(st.sampled_from(Audience), min_size=1))
def test_an_audience_is_a_filter_of_events(world: World, audience: set[Audience]) -> None:
    kept = tuple(event for event in world.events if event.verdict.audience in audience)
    by_hand = World(deliveries=world.deliveries, messages=world.messages, events=kept).table()
    for name in KINDS:
        key = f"user_activities_{name}"
        assert world.table(audience=audience)[key] == by_hand[key]


@given(worlds())
@settings(max_examples=10, deadline=None)
def test_every_store_gives_the_same(tmp_path_factory: Any, world: World) -> None:
    folder: Path = tmp_path_factory.mktemp("stores")
    plain = world.table(zone="Europe/Paris")
    for url in ("memory:", f"sqlite:///{folder / 'x.db'}"):
        with open_store(url) as store:
            store.put((*world.deliveries, *world.messages))
            store.ingest(world.events)
            table = indicators(store, [delivery.id for delivery in world.deliveries], zone="Europe/Paris")
            for name in KINDS:
                for by in ("bin", "day", "time", "weekday"):
                    assert numbers(table, name, by) == numbers(plain, name, by)


def opens(*moments: str) -> list[Event]:
    return [Open(occurred_at=datetime.fromisoformat(at), delivery_id="1", message_id="a") for at in moments]


def test_an_hour_that_comes_twice_is_two_bins_and_one_time_of_day() -> None:
    events = opens("2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00")
    table = indicators.from_events(Delivery(id="1"), [], [], events, zone="Europe/Paris")
    assert numbers(table, "opens", "bin") == {"2026-10-25T02:00:00+02:00": 1, "2026-10-25T02:00:00+01:00": 1}
    assert numbers(table, "opens", "time")["02:00"] == 2


def test_the_day_of_the_week_is_that_of_the_zone() -> None:
    events = opens("2026-03-01T23:30:00+00:00")
    utc = indicators.from_events(Delivery(id="1"), [], [], events)
    paris = indicators.from_events(Delivery(id="1"), [], [], events, zone="Europe/Paris")
    assert (numbers(utc, "opens", "weekday")["Sunday"], numbers(paris, "opens", "weekday")["Monday"]) == (1, 1)


def test_bins_do_not_cumulate() -> None:
    table = indicators.from_events(
        Delivery(id="1"), [], [], opens("2026-03-01T10:00:00+00:00", "2026-03-01T12:00:00+00:00")
    )
    assert list(numbers(table, "opens", "bin").values()) == [1, 1]
    curve = table.series("tracking_statistics_opens", by="bin").values()
    assert [value.value for value in curve][-1] == 2


@pytest.mark.parametrize("kind", [OptOutClick, MirrorPageView])
def test_other_types_are_no_clicks(kind: type[Event]) -> None:
    event = kind(occurred_at=START, delivery_id="1", message_id="a", link_id="2")
    assert indicators.from_events(Delivery(id="1"), [], [], [event])["user_activities_clicks"].value == 0


def test_transactions_without_tagged_pages_are_zero_and_no_finding() -> None:
    value = indicators.from_events(Delivery(id="1"), [], [], [])["user_activities_transactions"]
    assert (value.value, value.caveats) == (0, ("no-data",))
    seen = PageVisit(occurred_at=START, delivery_id="1", message_id="a")
    assert indicators.from_events(Delivery(id="1"), [], [], [seen])["user_activities_transactions"].caveats == ()
