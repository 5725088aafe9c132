"""Subscription tracking: the formulas a second time, the printed example, and the readings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import open_store
from msgtrack.counts import Counts, ServiceCounts
from msgtrack.facts import Fact, Service, Subscription, SubscriptionChange
from msgtrack.metrics import Table, indicators
from msgtrack.model import Delivery

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
PERIODS = {
    "24 h": timedelta(hours=24),
    "48 h": timedelta(hours=48),
    "1 week": timedelta(days=7),
    "2 weeks": timedelta(days=14),
    "1 month": timedelta(days=30),
    "6 months": timedelta(days=183),
}
KEYS = ("subscriber", "subscription", "unsubscription", "evolution", "evolution_rate", "loyalty")


@frozen(kw_only=True)
class World:
    services: tuple[Service, ...]
    subscriptions: tuple[Subscription, ...]
    changes: tuple[SubscriptionChange, ...]

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (*self.services, *self.subscriptions, *self.changes)


# The ends of periods themselves, and a hair to both sides of them.
moments = st.one_of(
    st.builds(
        lambda period, hair: NOW - period + timedelta(microseconds=hair),
        st.sampled_from([*PERIODS.values(), timedelta(0)]),
        st.sampled_from([-1, 0, 1]),
    ),
    st.builds(lambda hours: NOW - timedelta(hours=hours), st.integers(-48, 24 * 200)),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    ids = ["news", "a/b%"]
    return World(
        services=tuple(Service(id=name) for name in ids if draw(st.booleans())),
        subscriptions=tuple(
            Subscription(
                service_id=name, recipient_id=who, created_at=draw(moments), ended_at=draw(st.none() | moments)
            )
            for name in ids
            for who in "abcd"
            if draw(st.booleans())
        ),
        changes=tuple(
            SubscriptionChange(
                service_id=draw(st.sampled_from(ids)),
                id=str(n),
                action=draw(st.integers(0, 1)),
                changed_at=draw(moments),
            )
            for n in range(draw(st.integers(0, 8)))
        ),
    )


def table_of(world: World, now: datetime | None = NOW) -> Table:
    return indicators.from_events(Delivery(id="1"), [], [], [], facts=world.facts, now=now)


def pct(a: int, b: int) -> Fraction:
    return Fraction(a, b) if b else Fraction(0)


def is_active(s: Subscription) -> bool:
    return s.created_at <= NOW and (s.ended_at is None or s.ended_at > NOW)


def literal(world: World, period: timedelta, only: str | None = None) -> dict[str, Any]:
    """The formulas as printed; facts of the time after the report are not there yet."""
    subscriptions = [s for s in world.subscriptions if is_active(s) and only in (None, s.service_id)]
    sub_history = [c for c in world.changes if c.changed_at <= NOW and only in (None, c.service_id)]
    n: dict[str, Any] = {}
    n["subscriber"] = len([s for s in subscriptions if s.created_at < NOW - period])
    n["subscription"] = len([c for c in sub_history if c.action == 1 and c.changed_at > NOW - period])
    n["unsubscription"] = len([c for c in sub_history if c.action == 0 and c.changed_at > NOW - period])
    n["evolution"] = n["subscription"] - n["unsubscription"]
    n["evolution_rate"] = pct(n["subscription"] - n["unsubscription"], n["subscriber"])
    n["loyalty"] = 1 - pct(n["unsubscription"], n["subscriber"] + n["subscription"] - n["unsubscription"])
    n["over"] = {
        "evolution_rate": n["subscriber"],
        "loyalty": n["subscriber"] + n["subscription"] - n["unsubscription"],
    }
    return n


def check(value: Any, key: str, expected: dict[str, Any]) -> None:
    ours = value.value_or_zero
    assert ours == (float(expected[key]) if isinstance(ours, float) else expected[key]), (key, value, expected)
    if key in expected["over"]:
        assert value.denominator == expected["over"][key]
        assert (value.value is None) == (expected["over"][key] == 0)
    assert value.value is not None or "no-denominator" in value.caveats


@given(worlds())
def test_formulas(world: World) -> None:
    table = table_of(world)
    active = [s for s in world.subscriptions if is_active(s)]
    assert table["subscribed_to_date"].value == len(active)
    for key in KEYS:
        check(table[key], key, literal(world, PERIODS["24 h"]))
        rows = table.series(key, by="period")
        assert list(rows) == (list(PERIODS) if world.facts else [])
        for name, value in rows.items():
            check(value, key, literal(world, PERIODS[name]))


@given(worlds())
def test_formulas_by_service(world: World) -> None:
    table = table_of(world)
    named = {getattr(fact, "service_id", None) or getattr(fact, "id", "") for fact in world.facts}
    assert list(table.series("subscribed_to_date", by="service")) == sorted(named)
    for key in KEYS:
        for name, value in table.series(key, by="service").items():
            check(value, key, literal(world, PERIODS["24 h"], name))
        for name, value in table.series(key, by="service-period").items():
            service, _, period = name.rpartition("/")
            check(value, key, literal(world, PERIODS[period], service.replace("%2F", "/").replace("%25", "%")))


@given(worlds())
def test_services_add_up_and_longer_periods_hold_shorter_ones(world: World) -> None:
    table = table_of(world)
    for key in ("subscribed_to_date", "subscriber", "subscription", "unsubscription", "evolution"):
        rows = table.series(key, by="service").values()
        assert sum(int(row.value_or_zero) for row in rows) == table[key].value
    for key in ("subscription", "unsubscription"):
        numbers = [value.value_or_zero for value in table.series(key, by="period").values()]
        assert numbers == sorted(numbers)
    before = [value.value_or_zero for value in table.series("subscriber", by="period").values()]
    assert before == sorted(before, reverse=True)


@given(worlds())
def test_a_store_gives_the_same_table(world: World) -> None:
    with_store = open_store("memory:")
    with_store.put([Delivery(id="1"), *world.facts])
    table = indicators(with_store, "1", now=NOW)
    expected = table_of(world)
    for key in ("subscribed_to_date", *KEYS):
        assert table[key] == expected[key]
        assert table.series(key, by="service") == expected.series(key, by="service")


def test_vector_5_the_printed_evolution_and_loyalty() -> None:
    long_ago, today = 0, int(NOW.timestamp() - 3600) * 1_000_000
    service = ServiceCounts(created=(long_ago,) * 215_608, joined=(today,) * 29_019, left=(today,) * 1_581)
    table = indicators.from_counts(Counts(services={"news": service}), now=NOW)
    assert table["subscriber"].value == 215_608
    assert table["evolution"].value == 27_438
    rate, loyalty = table["evolution_rate"], table["loyalty"]
    assert f"{rate.value:.2%}" == "12.73%"
    assert f"{loyalty.value:.2%}" == "99.35%"
    assert (loyalty.numerator, loyalty.denominator) == (243_046 - 1_581, 243_046)


def test_a_subscription_that_ends_after_the_report_was_active_when_it_was_made() -> None:
    long_ago = NOW - timedelta(days=300)
    ends = {"before": -1, "then": 0, "after": 1}
    taken = tuple(
        Subscription(service_id="news", recipient_id=who, created_at=long_ago, ended_at=NOW + timedelta(microseconds=n))
        for who, n in ends.items()
    )
    world = World(services=(), subscriptions=taken, changes=())
    table = table_of(world)
    assert (table["subscribed_to_date"].value, table["subscriber"].value) == (1, 1)
    later = table_of(world, now=NOW + timedelta(days=1))
    assert (later["subscribed_to_date"].value, later["subscriber"].value) == (0, 0)
    # Nobody says at which moment: those that have an end are not in.
    assert table_of(world, now=None)["subscribed_to_date"].value == 0


def left_alone() -> World:
    change = SubscriptionChange(service_id="news", id="1", action="unsubscribe", changed_at=NOW - timedelta(hours=1))
    return World(services=(), subscriptions=(), changes=(change,))


def test_c8_evolution_is_what_came_less_what_went_and_may_be_negative() -> None:
    value = table_of(left_alone())["evolution"]
    assert value.value == -1
    assert "negative" not in value.caveats, "a balance below zero is no contradiction"
    assert "reading" in value.caveats


def test_loyalty_of_nobody_is_undefined_and_printed_as_one() -> None:
    value = table_of(World(services=(Service(id="news"),), subscriptions=(), changes=()))["loyalty"]
    assert (value.value, value.numerator, value.denominator) == (None, 0, 0)
    assert value.value_or_zero == 1.0


def test_without_a_moment_there_are_no_periods() -> None:
    world = World(
        services=(), subscriptions=(Subscription(service_id="news", recipient_id="r", created_at=NOW),), changes=()
    )
    table = table_of(world, now=None)
    assert table["subscribed_to_date"].value == 1
    for key in KEYS:
        assert table[key].value is None
        assert "no-moment" in table[key].caveats
        assert "no-denominator" not in table[key].caveats
        assert {value.value for value in table.series(key, by="period").values()} == {None}


def test_zeros_where_nobody_measured_say_so() -> None:
    nothing = table_of(World(services=(), subscriptions=(), changes=()))
    assert nothing["subscribed_to_date"].value == 0
    assert all("no-data" in nothing[key].caveats for key in ("subscribed_to_date", *KEYS))
    registered = table_of(World(services=(Service(id="news"),), subscriptions=(), changes=()))
    assert "no-data" not in registered["subscriber"].caveats
    assert "no-data" in registered["subscription"].caveats
    assert "no-data" not in table_of(left_alone())["subscription"].caveats


def test_a_report_of_the_first_days_of_the_calendar_has_all_periods() -> None:
    table = table_of(left_alone(), now=datetime(1, 1, 2, tzinfo=UTC))
    assert [value.value for value in table.series("unsubscription", by="period").values()] == [0] * 6
