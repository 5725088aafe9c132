"""The time to reach a share of all reactions, against a literal search for the first bin that reaches it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick, Transaction
from msgtrack.metrics import Table, indicators
from msgtrack.metrics._values import Value
from msgtrack.model import Audience, Delivery, Message, Verdict

LAUNCH = datetime(2026, 3, 1, 10, tzinfo=UTC)
KINDS: dict[str, type[Event]] = {"opens": Open, "clicks": Click, "transactions": Transaction}
ROWS = [f"{percent} %" for percent in range(10, 100, 10)]


@frozen(kw_only=True)
class World:
    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]
    events: tuple[Event, ...]

    def table(self, **options: Any) -> Table:
        return indicators.from_events(self.deliveries, self.messages, [], self.events, **options)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Deliveries launched apart, at odd moments or never; some reactions come before the launch."""
    deliveries = tuple(
        Delivery(
            id=name,
            contact_at=draw(
                st.none()
                | st.integers(0, 7200).map(lambda s: LAUNCH + timedelta(seconds=s))
                | st.integers(0, 10**10).map(lambda us: LAUNCH + timedelta(microseconds=us))
            ),
        )
        for name in draw(st.sampled_from([("1",), ("1", "2")]))
    )
    events = tuple(
        draw(st.sampled_from([Open, Click, Click, Transaction, OptOutClick, MirrorPageView]))(
            occurred_at=LAUNCH + timedelta(seconds=draw(st.integers(-600, 20_000))),
            delivery_id=draw(st.sampled_from([d.id for d in deliveries])),
            message_id=draw(st.sampled_from(["a", "b", "seed", None])),
            verdict=Verdict(audience=draw(st.sampled_from(Audience))),
        )
        for _ in range(draw(st.integers(0, 25)))
    )
    seeds = tuple(Message(id="seed", delivery_id=d.id, is_seed=True) for d in deliveries)
    return World(deliveries=deliveries, messages=seeds, events=events)


def expected(world: World, kind: type[Event], percent: int) -> Fraction | None:
    """``min(t: cumulative(t) >= p * total) - launch``, where t is the end of a bin of five minutes."""
    ends = []
    for e in world.events:
        launch = next(d.contact_at for d in world.deliveries if d.id == e.delivery_id)
        if type(e) is not kind or e.message_id == "seed" or launch is None:
            continue
        end = datetime.fromtimestamp(math.floor(e.occurred_at.timestamp() / 300) * 300 + 300, UTC)
        ends.append(Fraction((end - launch) // timedelta(microseconds=1), 10**6))
    reaching = [t for t in ends if len([end for end in ends if end <= t]) >= Fraction(percent, 100) * len(ends)]
    return min(reaching) if reaching else None


def number(value: Value) -> Fraction | None:
    return None if value.value is None else Fraction(value.value)


@given(worlds())
def test_formulas(world: World) -> None:
    table = world.table()
    for name, kind in KINDS.items():
        series = table.series(f"pareto_{name}", by="share")
        assert list(series) == ROWS
        assert [number(value) for value in series.values()] == [expected(world, kind, p) for p in range(10, 100, 10)]
        assert number(table[f"pareto_{name}"]) == expected(world, kind, 50)
        times = [value.value for value in series.values() if value.value is not None]
        assert times == sorted(times), "a larger share is never reached sooner"


@given(worlds())
def test_why_it_is_undefined(world: World) -> None:
    table = world.table()
    for name, kind in KINDS.items():
        launches = [
            next(d.contact_at for d in world.deliveries if d.id == e.delivery_id)
            for e in world.events
            if type(e) is kind and e.message_id != "seed"
        ]
        value = table[f"pareto_{name}"]
        reasons = set(value.caveats) & {"no-data", "no-moment", "partly-undefined"}
        if not launches:
            assert reasons == {"no-data"}
        elif not any(launches):
            assert reasons == {"no-moment"}
        else:
            assert reasons == (set() if all(launches) else {"partly-undefined"})
        assert (value.value is None) == bool(reasons & {"no-data", "no-moment"})
        assert value.value_or_zero == value.value, "no time at all is not the time 0"


@given(worlds())
def test_a_delivery_is_itself(world: World) -> None:
    table = world.table()
    for delivery in world.deliveries:
        alone = indicators.from_events(delivery, world.messages, [], world.events)
        for name in KINDS:
            assert table.series(f"pareto_{name}", by="delivery")[delivery.id] == alone[f"pareto_{name}"]


@given(worlds(), st.sets(st.sampled_from(Audience), min_size=1), st.integers(-600, 20_000))
def test_an_audience_and_a_window_are_filters_of_events(world: World, audience: set[Audience], until: int) -> None:
    last = LAUNCH + timedelta(seconds=until)
    kept = tuple(e for e in world.events if e.verdict.audience in audience and e.occurred_at < last)
    by_hand = World(deliveries=world.deliveries, messages=world.messages, events=kept).table()
    table = world.table(audience=audience, until=last)
    for name in KINDS:
        assert table[f"pareto_{name}"] == by_hand[f"pareto_{name}"], "the whole is what the window holds"


@given(worlds())
@settings(max_examples=10, deadline=None)
def test_every_store_gives_the_same(tmp_path_factory: Any, world: World) -> None:
    folder: Path = tmp_path_factory.mktemp("stores")
    plain = world.table()
    for url in ("memory:", f"sqlite:///{folder / 'x.db'}"):
        with open_store(url) as store:
            store.put((*world.deliveries, *world.messages))
            store.ingest(world.events)
            table = indicators(store, [delivery.id for delivery in world.deliveries])
            for name in KINDS:
                assert table.series(f"pareto_{name}", by="share") == plain.series(f"pareto_{name}", by="share")


def clicks(*minutes: int, delivery_id: str = "1") -> list[Event]:
    return [
        Click(occurred_at=LAUNCH + timedelta(minutes=at), delivery_id=delivery_id, message_id="a", link_id="2")
        for at in minutes
    ]


def test_ten_clicks_ten_minutes_apart() -> None:
    delivery = Delivery(id="1", contact_at=LAUNCH)
    table = indicators.from_events(delivery, [], [], clicks(*range(0, 100, 10)))
    series = table.series("pareto_clicks", by="share")
    assert [value.value for value in series.values()] == [300 + 600 * n for n in range(9)]
    assert (series["50 %"].unit, table["pareto_clicks"].value) == ("duration", 2700)
    assert {type(value.value) for value in series.values()} == {int}


@pytest.mark.parametrize(("total", "row", "bins"), [(3, "10 %", 1), (3, "40 %", 2), (3, "70 %", 3), (1, "90 %", 1)])
def test_the_share_is_rounded_up(total: int, row: str, bins: int) -> None:
    delivery = Delivery(id="1", contact_at=LAUNCH)
    table = indicators.from_events(delivery, [], [], clicks(*range(0, 5 * total, 5)))
    assert table.series("pareto_clicks", by="share")[row].value == 300 * bins


def test_each_delivery_runs_from_its_own_launch() -> None:
    deliveries = [Delivery(id="1", contact_at=LAUNCH), Delivery(id="2", contact_at=LAUNCH + timedelta(minutes=60))]
    table = indicators.from_events(deliveries, [], [], [*clicks(0), *clicks(60, delivery_id="2")])
    assert {value.value for value in table.series("pareto_clicks", by="share").values()} == {300}


def test_a_moment_within_a_second_is_kept() -> None:
    delivery = Delivery(id="1", contact_at=LAUNCH + timedelta(microseconds=250_000))
    value = indicators.from_events(delivery, [], [], clicks(1))["pareto_clicks"].value
    assert value == Decimal("299.75")


def test_a_reaction_before_the_launch_is_flagged() -> None:
    value = indicators.from_events(Delivery(id="1", contact_at=LAUNCH), [], [], clicks(-60))["pareto_clicks"]
    assert (value.value, "negative" in value.caveats) == (-3300, True)


def test_opt_outs_and_mirror_pages_are_left_out() -> None:
    events: list[Event] = [
        kind(occurred_at=LAUNCH, delivery_id="1", message_id="a", link_id="2") for kind in (OptOutClick, MirrorPageView)
    ]
    table = indicators.from_events(Delivery(id="1", contact_at=LAUNCH), [], [], events)
    assert {table[f"pareto_{name}"].value for name in KINDS} == {None}
