"""Browsers and operating systems: every formula a second time over user-agent statistics made here, by hand and slowly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.counts import Counts, Visits
from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick, PageVisit, Transaction
from msgtrack.metrics import Table, Value, indicators
from msgtrack.model import Audience, Client, Delivery, Message, Verdict
from msgtrack.storage import open_store
from msgtrack.testing.strategies import worlds

START = datetime(2026, 3, 28, 20, tzinfo=UTC)
ZONES = ("UTC", "Europe/Paris", "Asia/Kathmandu")
CLIENTS = (
    None,
    Client(browser="Chrome", browser_version="120", os="Windows", os_version="11", device="PC", is_mobile=False),
    Client(browser="Chrome", browser_version="121", os="Android", os_version="14", is_mobile=True),
    Client(browser="Chrome", os="Android", os_version="14"),
    Client(browser="Safari", browser_version="17", os="iOS", os_version="17", device="iPhone", is_mobile=True),
    Client(browser="a/b%", browser_version="1/2", os="c/d%", os_version="3/4"),
    Client(browser="Others", os="Others"),
    Client(user_agent="unreadable"),
)
REPORTS = [
    pytest.param("browser", "browser", "browser_version", id="browsers"),
    pytest.param("os", "os", "os_version", id="systems"),
]


class Row(NamedTuple):
    """A row of userAgentsStats."""

    day: str
    family: str
    version: str
    visitors: int
    pages: int


@frozen(kw_only=True)
class Clicked:
    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]
    events: tuple[Event, ...]


@st.composite
def clicked(draw: st.DrawFn) -> Clicked:
    deliveries = (Delivery(id="1"), Delivery(id="2", is_proof=draw(st.booleans())))
    messages = tuple(
        Message(id=id_, delivery_id=delivery, status="sent", is_seed=draw(st.sampled_from([False, False, True])))
        for delivery in "12"
        for id_ in "ab"
    )
    kinds = st.sampled_from([Click, Click, Click, MirrorPageView, OptOutClick, Open, PageVisit, Transaction])
    events = [
        draw(kinds)(
            occurred_at=START + timedelta(hours=draw(st.integers(0, 80))),
            delivery_id=draw(st.sampled_from("12")),
            message_id=draw(st.sampled_from(["a", "b", "nobody", None])),
            link_id="7",
            source_id=draw(st.sampled_from([None, "s", "t", "u"])),
            client=draw(st.sampled_from(CLIENTS)),
            is_seed=draw(st.sampled_from([False, False, False, True])),
            verdict=Verdict(audience=draw(st.sampled_from(Audience))),
        )
        for _ in range(draw(st.integers(0, 14)))
    ]
    return Clicked(deliveries=deliveries, messages=messages, events=tuple(events))


def statistics(world: Clicked, zone: str, family: str, version: str) -> list[Row]:
    """UA: by day and user agent, distinct visitors and pages viewed."""
    seeds = {(m.delivery_id, m.id) for m in world.messages if m.is_seed}
    proofs = {d.id for d in world.deliveries if d.is_proof}
    groups: dict[Any, list[Event]] = {}
    for e in world.events:
        if e.is_seed or e.delivery_id in proofs or (e.delivery_id, e.message_id) in seeds:
            continue
        if e.link_type in (1, 3, 6) and not isinstance(e, PageVisit | Transaction | Open):
            day = e.occurred_at.astimezone(ZoneInfo(zone)).date().isoformat()
            c = e.client or Client()
            agent = (c.browser, c.browser_version, c.os, c.os_version, c.device, c.is_mobile)
            groups.setdefault((day, agent), []).append(e)
    rows = []
    for (day, agent), events in groups.items():
        people = {e.source_id or (e.delivery_id, e.message_id) for e in events if e.source_id or e.message_id}
        named = dict(zip(("browser", "browser_version", "os", "os_version"), agent, strict=False))
        rows.append(
            Row(day, named[family] or "Unknown", named[version] or "Unknown", len(people), len(events)),
        )
    return rows


def pct(a: int, b: int) -> Fraction | int:
    return Fraction(a, b) if b else 0


def v(rows: Iterable[Row]) -> int:
    return sum(row.visitors for row in rows)


def check(value: Value, top: int, bottom: int) -> None:
    assert (value.numerator, value.denominator) == (top, bottom)
    assert value.value_or_zero == float(pct(top, bottom))
    assert (value.value is None) == (bottom == 0)


def part(text: str) -> str:
    return text.replace("%", "%25").replace("/", "%2F")


def ranked(ua: list[Row], top: int) -> Callable[[Row], str]:
    """The name of the row of a ranking that a family falls into."""
    families = {row.family for row in ua} - {"Others"}
    pages = {name: sum(row.pages for row in ua if row.family == name) for name in families}
    seen = {name: v(row for row in ua if row.family == name) for name in families}
    first = sorted(families, key=lambda name: (-seen[name], -pages[name], name))[:top]
    return lambda row: row.family if row.family in first else "Others"


def table_of(world: Clicked, **options: Any) -> Table:
    return indicators.from_events(world.deliveries, world.messages, [], world.events, **options)


@pytest.mark.parametrize(("kind", "family", "version"), REPORTS)
@given(world=clicked(), zone=st.sampled_from(ZONES), top=st.integers(0, 4))
def test_formulas(kind: str, family: str, version: str, world: Clicked, zone: str, top: int) -> None:
    table = table_of(world, zone=zone)
    ua = statistics(world, zone, family, version)
    visitors_of_the_day = {day: v(row for row in ua if row.day == day) for day in {row.day for row in ua}}
    days = (
        (date.fromisoformat(max(visitors_of_the_day)) - date.fromisoformat(min(visitors_of_the_day))).days + 1
        if ua
        else 0
    )
    is_average = kind == "os"

    def check_both(name: str, rows: list[Row], values: Mapping[str, Value], over: int) -> None:
        total = v(rows) if name == "visitors" else sum(row.pages for row in rows)
        for value in values.values():
            if is_average:
                check(value, total, over)
            else:
                assert (value.value, value.denominator) == (total, None)

    name_of = ranked(ua, top)
    names = {name_of(row) for row in ua}
    for name in ("visitors", "pages"):
        check_both(name, ua, {"": table[f"{kind}_{name}"]}, days)
        series = table.series(f"{kind}_{name}", by=family, top=top)
        assert set(series) == names
        for row_name in names:
            check_both(name, [r for r in ua if name_of(r) == row_name], {"": series[row_name]}, days)
        series = table.series(f"{kind}_{name}", by="day")
        assert list(series) == sorted(visitors_of_the_day)
        for day in visitors_of_the_day:
            check_both(name, [r for r in ua if r.day == day], {"": series[day]}, 1)
        series = table.series(f"{kind}_{name}", by=f"{family}-day", top=top)
        expected = {(name_of(r), r.day) for r in ua}
        assert set(series) == {f"{part(f)}/{day}" for f, day in expected}
        for f, day in expected:
            rows = [r for r in ua if name_of(r) == f and r.day == day]
            check_both(name, rows, {"": series[f"{part(f)}/{day}"]}, 1)
        series = table.series(f"{kind}_{name}", by="version")
        versions = {(r.family, r.version) for r in ua}
        assert set(series) == {f"{part(f)}/{part(n)}" for f, n in versions}
        for f, n in versions:
            rows = [r for r in ua if (r.family, r.version) == (f, n)]
            check_both(name, rows, {"": series[f"{part(f)}/{part(n)}"]}, days)

    check(table[f"{kind}_usage_rate"], v(ua), v(ua))
    usage = table.series(f"{kind}_usage_rate", by=family, top=top)
    assert set(usage) == names
    for row_name in names:
        check(usage[row_name], v(r for r in ua if name_of(r) == row_name), v(ua))

    busiest = max(visitors_of_the_day.values(), default=0)
    for day, value in table.series(f"{kind}_history_rate", by="day").items():
        check(value, visitors_of_the_day[day], busiest)
    for f, day in {(name_of(r), r.day) for r in ua}:
        value = table.series(f"{kind}_history_rate", by=f"{family}-day", top=top)[f"{part(f)}/{day}"]
        check(value, v(r for r in ua if name_of(r) == f and r.day == day), busiest)

    check(table[f"{kind}_version_global_rate"], v(ua), v(ua))
    of_all = table.series(f"{kind}_version_global_rate", by="version")
    of_family = table.series(f"{kind}_version_relative_rate", by="version")
    assert set(of_all) == set(of_family) == {f"{part(r.family)}/{part(r.version)}" for r in ua}
    for f, n in {(r.family, r.version) for r in ua}:
        visitors = v(r for r in ua if (r.family, r.version) == (f, n))
        check(of_all[f"{part(f)}/{part(n)}"], visitors, v(ua))
        check(of_family[f"{part(f)}/{part(n)}"], visitors, v(r for r in ua if r.family == f))


@pytest.mark.parametrize(("kind", "family", "version"), REPORTS)
@given(world=clicked())
def test_parts_sum_to_wholes_and_relative_is_global_over_usage(
    kind: str, family: str, version: str, world: Clicked
) -> None:
    table = table_of(world)
    for key in (f"{kind}_visitors", f"{kind}_pages"):
        whole = table[key].numerator if kind == "os" else table[key].value
        for by in (family, "version", "day", f"{family}-day"):
            rows = table.series(key, by=by, top=2).values()
            assert sum((row.numerator if kind == "os" else row.value) or 0 for row in rows) == (whole or 0)
    usage = table.series(f"{kind}_usage_rate", by=family, top=99)
    relative = table.series(f"{kind}_version_relative_rate", by="version")
    for name, value in table.series(f"{kind}_version_global_rate", by="version").items():
        of_family = name.rpartition("/")[0].replace("%2F", "/").replace("%25", "%")
        share = usage[of_family]
        if value.value and share.value and value.denominator and share.numerator:
            assert Fraction(int(value.numerator or 0), int(value.denominator)) == Fraction(
                int(relative[name].numerator or 0), int(relative[name].denominator or 1)
            ) * Fraction(int(share.numerator), int(share.denominator or 1))


def visits(*rows: tuple[str, str, int]) -> Table:
    counts = Counts(visits=[Visits(day=day, browser=name, os=name, visitors=n, pages=n) for day, name, n in rows])
    return indicators.from_counts(counts)


def test_c23_browsers_are_totals_and_systems_are_averages_per_day() -> None:
    table = visits(("2026-03-01", "x", 6), ("2026-03-03", "x", 3))
    assert (table["browser_visitors"].value, table["browser_pages"].value) == (9, 9)
    assert (table["os_visitors"].value, table["os_pages"].value) == (3.0, 3.0)
    assert table["os_visitors"].denominator == 3


def test_the_first_ten_and_then_the_others() -> None:
    table = visits(*(("2026-03-01", f"b{n:02}", 20 - n) for n in range(12)), ("2026-03-01", "", 1))
    rows = table.series("browser_usage_rate", by="browser")
    assert list(rows) == [*(f"b{n:02}" for n in range(10)), "Others"]
    assert rows["Others"].numerator == 10 + 9 + 1
    assert list(table.series("browser_visitors", by="browser", top=0)) == ["Others"]
    assert list(table.series("browser_visitors", by="browser", top=13))[-1] == "Unknown"


def test_families_and_versions_go_by_visitors_then_pages_then_name() -> None:
    seen = [("x", 2, 2), ("y", 2, 5), ("z", 3, 3), ("a", 2, 2), ("x", 0, 1)]
    rows = [
        Visits(day="2026-03-01", browser=name, browser_version=name, os="o", os_version=name, visitors=n, pages=pages)
        for name, n, pages in seen
    ]
    table = indicators.from_counts(Counts(visits=rows))
    assert list(table.series("browser_visitors", by="browser")) == ["z", "y", "x", "a"]
    assert list(table.series("browser_pages", by="browser", top=1)) == ["z", "Others"]
    assert list(table.series("browser_visitors", by="version")) == ["z/z", "y/y", "x/x", "a/a"]
    assert list(table.series("os_visitors", by="version")) == ["o/z", "o/y", "o/x", "o/a"]


def test_a_program_called_others_or_unknown_falls_under_that_row_once() -> None:
    table = visits(
        ("2026-03-01", "Others", 9), ("2026-03-01", "Unknown", 5), ("2026-03-01", "", 2), ("2026-03-01", "z", 1)
    )
    rows = table.series("browser_visitors", by="browser", top=1)
    assert {name: value.value for name, value in rows.items()} == {"Unknown": 7, "Others": 10}
    assert list(rows) == ["Unknown", "Others"]


def test_the_curve_has_its_top_on_the_busiest_day_of_all_browsers() -> None:
    table = visits(("2026-03-01", "x", 4), ("2026-03-02", "x", 1), ("2026-03-02", "y", 7))
    assert {k: value.value for k, value in table.series("browser_history_rate", by="day").items()} == {
        "2026-03-01": 0.5,
        "2026-03-02": 1.0,
    }
    rows = table.series("browser_history_rate", by="browser-day")
    assert {k: value.value for k, value in rows.items()} == {
        "y/2026-03-02": 0.875,
        "x/2026-03-01": 0.5,
        "x/2026-03-02": 0.125,
    }


@pytest.mark.parametrize("key", ["browser_history_rate", "browser_version_relative_rate"])
def test_what_is_a_curve_or_is_relative_has_no_number_for_everything(key: str) -> None:
    value = visits(("2026-03-01", "x", 4))[key]
    assert value.value is None
    assert "not-additive" in value.caveats
    assert "no-denominator" not in value.caveats


@pytest.mark.parametrize("prefix", ["browser", "os"])
def test_nobody_read_user_agents(prefix: str) -> None:
    for table in (visits(), visits(("2026-03-01", "", 3))):
        assert "no-data" in table[f"{prefix}_visitors"].caveats
        assert "no-data" in table[f"{prefix}_usage_rate"].caveats
    assert "no-data" not in visits(("2026-03-01", "x", 1))[f"{prefix}_visitors"].caveats
    assert visits()[f"{prefix}_usage_rate"].value is None


def test_a_person_of_two_days_is_a_visitor_of_each() -> None:
    clicks = [
        Click(occurred_at=START + timedelta(days=day), delivery_id="1", message_id="a", source_id="s") for day in (0, 1)
    ]
    table = indicators.from_events(Delivery(id="1"), [], [], clicks)
    assert (table["browser_visitors"].value, table["person_click"].value) == (2, 1)


KEYS = [
    f"{prefix}_{name}"
    for prefix in ("browser", "os")
    for name in ("visitors", "pages", "usage_rate", "history_rate", "version_global_rate", "version_relative_rate")
]


@settings(max_examples=8)  # a database file for each
@given(world=worlds(), audience=st.sampled_from(["all", "human"]))
def test_every_store_gives_the_same(tmp_path_factory: pytest.TempPathFactory, world: Any, audience: str) -> None:
    ids = sorted({delivery.id for delivery in world.deliveries})
    if not ids:
        return
    path = Path(tmp_path_factory.mktemp("visits")) / "s.db"
    for url in ("memory:", f"sqlite:///{path}"):
        with open_store(url) as store:
            store.put(world.records)
            store.ingest(world.events)
            # Events of one id that contradict each other are settled by the store.
            kept = [event for event in store.scan() if audience in ("all", event.verdict.audience.value)]
            expected = indicators.from_events(world.deliveries, world.messages, world.links, kept)
            table = indicators(store, ids, audience=audience)
            for key in KEYS:
                assert table[key] == expected[key]
                by = "version" if "version" in key else "day" if "history" in key else key.partition("_")[0]
                assert dict(table.series(key, by=by)) == dict(expected.series(key, by=by))
