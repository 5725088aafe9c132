"""Reports as data: what stands where, totals that are no sums, audiences side by side, and the same from every store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from attrs import evolve
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.events import Click, Event, Open
from msgtrack.facts import Visitor
from msgtrack.metrics import (
    Block,
    DifferencesLayout,
    IndicatorReport,
    Layout,
    LineLayout,
    LinesLayout,
    Row,
    RowsLayout,
    Table,
    catalogue,
    compare_variants,
    indicator_report,
    indicators,
    layouts,
    open_bounds,
    report_document,
    report_from,
    report_records,
)
from msgtrack.model import Audience, Delivery, Message, TrackedLink, Verdict
from msgtrack.protocols import Store
from msgtrack.storage import open_store
from msgtrack.testing.strategies import World, worlds

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
NOW = datetime(2026, 3, 2, tzinfo=UTC)
TABULAR = [name for name in layouts if name != "opens-interval"]


def one_event_an_id(world: World) -> World:
    """Two events of one id in different deliveries would be settled by what is asked for."""
    kept = {event.id if event.has_own_id else number: event for number, event in enumerate(world.events)}
    return evolve(world, events=tuple(kept.values()))


honest_worlds = worlds().map(one_event_an_id).filter(lambda world: world.deliveries)


def ids_of(world: World) -> list[str]:
    return sorted(delivery.id for delivery in world.deliveries)


def stores_of(world: World) -> Iterator[Store]:
    """The two stores, each with the world in it."""
    with TemporaryDirectory() as folder:
        for address in ("memory:", f"sqlite:///{folder}/x.db"):
            store = open_store(address)
            store.put(world.records)
            store.ingest(world.events)
            yield store


def plain(name: str, world: World, **options: Any) -> IndicatorReport:
    return indicator_report.from_events(
        name, world.deliveries, world.messages, world.links, world.events, facts=world.facts, now=NOW, **options
    )


def table_of(world: World, **options: Any) -> Table:
    return indicators.from_events(
        world.deliveries, world.messages, world.links, world.events, facts=world.facts, now=NOW, **options
    )


def rows(report: IndicatorReport) -> Iterator[tuple[Block, Row]]:
    return ((block, row) for block in report.blocks for row in block.rows)


# What stands where


def test_every_indicator_stands_in_a_report() -> None:
    shown = {key for layout in layouts.values() for key in layout.keys}
    assert shown == set(catalogue)


def test_every_report_of_the_reference_is_there() -> None:
    assert list(layouts) == [
        "tracking-indicators",
        "tracking-statistics",
        "urls-and-click-streams",
        "hot-clicks",
        "user-activities",
        "breakdown-of-opens",
        "opens-interval",
        "delivery-summary",
        "delivery-statistics",
        "non-deliverables",
        "delivery-throughput",
        "cumulated",
        "channels",
        "browsers",
        "operating-systems",
        "social-sharing",
        "sharing-activities",
        "subscriptions",
        "web-applications",
        "home-kpis",
        "top-links",
        "dynamic-reporting",
        "variants",
    ]
    assert all(layouts[name].name == name for name in layouts)


@pytest.mark.parametrize("name", layouts)
def test_indicators_come_by_the_groupings_they_are_shown_by(name: str) -> None:
    for block in layouts[name].blocks:
        if isinstance(block, RowsLayout):
            assert all(block.by in catalogue[key].groupings for key in block.keys), block.name
        if isinstance(block, LinesLayout):
            assert all(key in catalogue for key in block.keys)


def test_tracking_indicators_have_five_blocks() -> None:
    assert [block.name for block in layouts["tracking-indicators"].blocks] == [
        "delivery",
        "opens",
        "domains",
        "clicks",
        "web",
    ]


def test_clicks_over_time_come_in_bins_of_one_three_and_twenty_four_hours() -> None:
    widths = [block.bin_seconds for block in layouts["tracking-statistics"].blocks if isinstance(block, RowsLayout)]
    assert widths == [None, 3600, 10800, 86400, None]


# The same on every store


@given(honest_worlds)
@settings(max_examples=12)
def test_every_report_is_the_same_from_facts_and_from_both_stores(world: World) -> None:
    tables = [table_of(world, peers=world.deliveries)]
    for store in stores_of(world):
        with store:
            tables.append(indicators(store, [d.id for d in world.deliveries], now=NOW, peers=True))
    for name in TABULAR:
        expected, *others = (indicator_report.from_table(name, table) for table in tables)
        assert all(other == expected for other in others), name
        assert expected.audiences == ("all",)
        assert set(expected) == {block.name for block in layouts[name].blocks}


@given(world=honest_worlds, name=st.sampled_from(list(layouts)), data=st.data())
@settings(max_examples=20)
def test_a_store_is_asked_for_what_plain_facts_are(world: World, name: str, data: st.DataObject) -> None:
    options: dict[str, Any] = {
        "zone": data.draw(st.sampled_from(["UTC", "Asia/Kathmandu"])),
        "since": data.draw(st.sampled_from([None, datetime(2026, 3, 1, 0, 30, tzinfo=UTC)])),
        "top": data.draw(st.integers(0, 3)),
        "bin_seconds": data.draw(st.sampled_from([None, 600])),
        "clip": data.draw(st.booleans()),
    }
    if name != "opens-interval":
        options["audiences"] = data.draw(st.sampled_from(["human", ("all", "human"), (("human", "proxy"), "machine")]))
    expected = plain(name, world, **options)
    for store in stores_of(world):
        with store:
            found = indicator_report(name, store, (d.id for d in world.deliveries), now=NOW, **options)
        assert found == expected


def test_clip_and_peers_reach_the_table() -> None:
    deliveries = [Delivery(id=id_, contact_at=AT) for id_ in "12"]
    messages = [Message(id=f"{id_}{n}", delivery_id=id_, status="sent") for id_ in "12" for n in range(2)]
    # Two recipients share one browser, so that there are fewer persons than recipients.
    clicks = [
        Click(occurred_at=AT, delivery_id="1", message_id=f"1{n}", link_id="2", source_id="b", id=f"e{n}")
        for n in range(2)
    ]
    options: dict[str, Any] = {"now": NOW, "clip": True}
    with open_store("memory:") as store:
        store.put([*deliveries, *messages])
        store.ingest(clicks)

        def reports(name: str) -> list[IndicatorReport]:
            peers = deliveries[1:]
            return [
                indicator_report(name, store, "1", peers=True, **options),
                indicator_report.from_events(name, deliveries[0], messages, [], clicks, peers=peers, **options),
            ]

        for report in reports("tracking-indicators"):
            assert report["opens"]["Estimation of forwards"]["forward_estimate"].value == 0
        for report in reports("urls-and-click-streams"):
            row = report["rates"]["Cumulated clicks"]
            assert row["cumulated_clicks"].value == 1.0
            assert row["platform_average_cumulated_clicks"].value == 0.5


# Rows, others and totals


@given(honest_worlds)
@settings(max_examples=25)
def test_numbers_are_those_of_the_table(world: World) -> None:
    table = table_of(world)
    for name in TABULAR:
        report = indicator_report.from_table(name, table)
        for layout in layouts[name].blocks:
            block = report[layout.name]
            if isinstance(layout, LinesLayout):
                for line, row in zip(layout.lines, block.rows, strict=True):
                    assert row.values() == {key: table[key] for key in line.keys}
            if isinstance(layout, RowsLayout) and not layout.others:
                for key in layout.columns:
                    series = table.series(key, by=layout.by, bin_seconds=layout.bin_seconds)
                    assert {
                        row.name: row[key] for row in block.rows if row.kind != "total" and key in row.values()
                    } == series
            if isinstance(layout, RowsLayout):
                assert (block.total is not None) is layout.has_total
                if block.total is not None:
                    assert block.rows[-1] is block.total, "the total stands last"
                    assert block.total.values() == {key: table[key] for key in layout.columns}


@given(world=honest_worlds, top=st.integers(0, 3))
def test_what_is_beyond_the_ranking_adds_up_to_the_total(world: World, top: int) -> None:
    report = plain("urls-and-click-streams", world, top=top)
    whole = plain("urls-and-click-streams", world, top=10**6)
    for name in ("by-label", "by-url", "by-category"):
        ranked = [row for row in report[name].rows if row.kind == "row"]
        everything = [row for row in whole[name].rows if row.kind == "row"]
        others = [row for row in report[name].rows if row.kind == "others"]
        assert ranked == everything[:top]
        assert len(others) == (len(everything) > top)
        total = report[name].total
        assert total is not None
        assert sum(row["url_clicks"].value_or_zero for row in (*ranked, *others)) == total["url_clicks"].value
        for row in others:
            share = row["url_clicks_percent"]
            assert share.numerator == row["url_clicks"].value
            assert share.denominator == total["url_clicks"].value
            assert share.denominator == 0 or share.value == share.numerator / share.denominator


def test_others_come_last_whatever_they_have() -> None:
    messages = [
        Message(id=str(n), delivery_id="1", status="sent", address="a@gmail.com" if n == 0 else "a@corp.example")
        for n in range(5)
    ]
    for name in ("tracking-indicators", "delivery-statistics", "non-deliverables", "dynamic-reporting"):
        report = indicator_report.from_events(name, Delivery(id="1"), messages, [], [])
        shown = [(row.name, row.kind) for row in report["domains"].rows]
        assert shown == [("Gmail", "row"), ("Others", "others"), ("Total", "total")]


def test_a_group_called_like_the_total_or_the_others_is_told_apart() -> None:
    links = [
        TrackedLink(delivery_id="1", id=f"2{n}", url=f"https://x.example/{n}", label=label)
        for n, label in enumerate(("Others", "Total", "x", "y"))
    ]
    clicks = [
        Click(occurred_at=AT, delivery_id="1", message_id="1", link_id=link.id)
        for times, link in zip((4, 3, 2, 1), links, strict=True)
        for _ in range(times)
    ]
    report = indicator_report.from_events("urls-and-click-streams", Delivery(id="1"), [], links, clicks, top=2)
    block = report["by-label"]
    assert [(row.name, row.kind, row["url_clicks"].value) for row in block.rows] == [
        ("Others", "row", 4),
        ("Total", "row", 3),
        ("Others", "others", 3),
        ("Total", "total", 10),
    ]
    assert block["Others"].kind == "row"
    assert block["Total"].kind == "row"
    assert block.total is not None
    assert block.total["url_clicks"].value == 10


def test_links_say_what_they_are() -> None:
    link = TrackedLink(delivery_id="1", id="2", url="https://x.example/", label="Shop")
    bare = TrackedLink(delivery_id="1", id="3", url="https://y.example/")
    clicks = [Click(occurred_at=AT, delivery_id="1", message_id="1", link_id=id_) for id_ in ("2", "3", "3", "9")]
    report = indicator_report.from_events("hot-clicks", Delivery(id="1"), [], [link, bare], clicks)
    assert {row.name: row.note for row in report["links"].rows} == {"2": "Shop", "3": "https://y.example/", "9": ""}


def test_links_of_several_deliveries_say_what_they_are() -> None:
    links = [TrackedLink(delivery_id=id_, id="2", url="https://x.example/", label=f"of {id_}") for id_ in "12"]
    clicks = [Click(occurred_at=AT, delivery_id=id_, message_id="1", link_id="2") for id_ in "12"]
    report = indicator_report.from_events("top-links", [Delivery(id=id_) for id_ in "12"], [], links, clicks)
    assert {row.name: row.note for row in report["by-link"].rows} == {"1/2": "of 1", "2/2": "of 2"}


def test_what_cannot_be_added_up_is_left_out_of_the_others() -> None:
    links = [TrackedLink(delivery_id="1", id=id_, url=f"https://x.example/{id_}") for id_ in "234"]
    clicks = [Click(occurred_at=AT, delivery_id="1", message_id="1", link_id=id_) for id_ in "234"]
    columns = ["url_clicks", "hot_click_percent", "dr_unique_clicks"]
    layout = Layout(
        name="x",
        title="X",
        blocks=[RowsLayout(name="x", title="X", by="link", columns=columns, others="url_clicks_others")],
    )
    report = indicator_report.from_events(layout, Delivery(id="1"), [], links, clicks, top=1)
    first, others = report["x"].rows
    assert list(first.values()) == columns
    assert list(others.values()) == columns[:2], "one message may have clicked both of the others"
    assert (others["url_clicks"].value, others["hot_click_percent"].value) == (2, 2 / 3)
    assert others["hot_click_percent"].caveats == ("reading",)


def test_bins_are_as_wide_as_asked_where_a_block_leaves_it_open() -> None:
    opens = [Open(occurred_at=AT + timedelta(minutes=n), delivery_id="1", message_id="1") for n in (0, 20)]
    report = indicator_report.from_events("tracking-statistics", Delivery(id="1"), [], [], opens, bin_seconds=1800)
    assert len(report["curve"].rows) == len(report["curve-1h"].rows) == 1
    assert len(indicator_report.from_events("tracking-statistics", Delivery(id="1"), [], [], opens)["curve"].rows) == 2


def test_the_month_without_a_name_stands_last() -> None:
    facts = [
        Visitor(id=id_, delivery_id="1", recipient_id="r", created_at=created_at)
        for id_, created_at in (("1", None), ("2", NOW), ("3", NOW - timedelta(days=90)))
    ]
    report = indicator_report.from_events(
        "sharing-activities", Delivery(id="1"), [], [], [], facts=facts, audiences=("all", "human")
    )
    assert [row.name for row in report["months"].rows] == ["2025-12", "2026-03", "", "Total"]


# Audiences


def judged(audience: Audience, kind: type[Event], link_id: str | None = None, *, minutes: int = 0) -> Event:
    return kind(
        occurred_at=AT + timedelta(minutes=minutes),
        delivery_id="1",
        message_id="1",
        link_id=link_id,
        verdict=Verdict(audience=audience),
    )


def test_audiences_stand_side_by_side() -> None:
    events = [
        judged(Audience.MACHINE, Click, "3"),
        judged(Audience.MACHINE, Click, "3"),
        judged(Audience.HUMAN, Click, "2"),
    ]
    message = Message(id="1", delivery_id="1", status="sent")
    report = indicator_report.from_events(
        "hot-clicks", Delivery(id="1"), [message], [], events, audiences=("human", "all", ("human", "proxy"))
    )
    assert report.audiences == ("human", "all", "human, proxy")
    assert [row.name for row in report["links"].rows] == ["2", "3"], "the first audience gives the order"
    two, three = report["links"].rows
    assert two["hot_click_percent"].value == two["hot_click_percent", "human, proxy"].value == 1.0
    assert two["hot_click_percent", "all"].value == 1 / 3
    assert three["hot_click_percent"] == three["hot_click_percent", "all"]
    with pytest.raises(KeyError):
        three["hot_click_percent", "human"]
    assert list(three.values("human")) == []


def test_bins_of_several_audiences_are_in_the_order_of_time() -> None:
    events = [
        judged(Audience.HUMAN, Open, minutes=0),
        judged(Audience.MACHINE, Open, minutes=60),
        judged(Audience.HUMAN, Open, minutes=120),
    ]
    report = indicator_report.from_events(
        "user-activities", Delivery(id="1"), [], [], events, audiences=("human", "machine"), zone="Asia/Tokyo"
    )
    names = [row.name for row in report["hours"].rows]
    assert names == [f"2026-03-01T{hour}:00:00+09:00" for hour in (17, 18, 19)] + ["Total"]


@given(world=honest_worlds, name=st.sampled_from(TABULAR))
@settings(max_examples=40)
def test_an_audience_beside_another_is_as_alone(world: World, name: str) -> None:
    several = plain(name, world, audiences=("all", "human"))
    for audience in several.audiences:
        alone = plain(name, world, audiences=audience)
        for block in several.blocks:
            found = {(row.name, row.kind): row.values(audience) for row in block.rows if row.values(audience)}
            if any(catalogue[column.key].is_cumulated for column in block.columns if column.key in catalogue):
                continue
            assert found == {(row.name, row.kind): row.values() for row in alone[block.name].rows}


@given(world=honest_worlds, width=st.sampled_from([None, 600]))
@settings(max_examples=25)
def test_a_curve_has_a_cell_for_every_audience_in_every_bin(world: World, width: int | None) -> None:
    audiences = ("human", "all", "machine")
    report = plain("tracking-statistics", world, audiences=audiences, bin_seconds=width)
    # Of each audience alone, in bins of the finest width: the last value up to the end of a bin is the value of the bin.
    fine = {name: plain("tracking-statistics", world, audiences=name, bin_seconds=300) for name in audiences}
    for name in ("curve", "curve-1h", "curve-3h", "curve-24h"):
        rows_ = report[name].rows
        for number, row in enumerate(rows_):
            end = datetime.fromisoformat(rows_[number + 1].name) if row is not rows_[-1] else AT + timedelta(days=9999)
            for audience in audiences:
                before = [r for r in fine[audience]["curve"].rows if datetime.fromisoformat(r.name) < end]
                numbers = {key: value.value for key, value in row.values(audience).items()}
                assert numbers == {
                    key: before[-1][key].value if before else 0
                    for key in (column.key for column in report[name].columns)
                }


def test_a_curve_goes_on_where_an_audience_has_no_events() -> None:
    events = [
        judged(Audience.HUMAN, Open, minutes=0),
        judged(Audience.MACHINE, Open, minutes=7),
        judged(Audience.MACHINE, Open, minutes=10),
        judged(Audience.HUMAN, Open, minutes=4 * 60),
    ]
    report = indicator_report.from_events(
        "tracking-statistics", Delivery(id="1"), [], [], events, audiences=("machine", "human", "proxy")
    )
    key = "tracking_statistics_opens"
    curve = [[row[key, audience].value for audience in report.audiences] for row in report["curve"].rows]
    assert curve == [[1, 1, 0], [2, 1, 0], [2, 2, 0]], "and all have bins of ten minutes, though one needs five alone"
    assert "no-data" in report["curve"].rows[0]["tracking_statistics_transactions", "proxy"].caveats


# Variants, and bounds of opens


def test_variants_are_compared_as_by_hand() -> None:
    messages = [Message(id=str(n), delivery_id="1", status="sent", variant="AB"[n % 2]) for n in range(200)]
    events = [
        Click(occurred_at=AT, delivery_id="1", message_id=str(n), link_id="2") for n in range(200) if n % 2 or n < 40
    ]
    facts = (Delivery(id="1"), messages, [], events)
    report = indicator_report.from_events("variants", *facts)
    comparison = compare_variants(indicators.from_events(*facts), "click")
    shares = report["clicks-shares"]
    assert {row.name: row["share"] for row in shares.rows} == comparison.shares
    interval = comparison.shares["A"].interval()
    assert (shares["A"]["low"].value, shares["A"]["high"].value) == interval
    (row,) = report["clicks-differences"].rows
    (found,) = comparison.differences
    assert row.name == "A/B"
    assert [row[key].value for key in ("difference", "low", "high", "p_value", "adjusted_p_value")] == [
        found.value,
        found.low,
        found.high,
        found.p_value,
        found.adjusted_p_value,
    ]
    assert row.note.startswith("differs at 0.95, z test")
    (same,) = report["opt-outs-differences"].rows
    assert same.note.startswith("no difference shown")


def test_one_variant_is_compared_with_nothing() -> None:
    messages = [Message(id="1", delivery_id="1", status="sent", variant="A")]
    report = indicator_report.from_events("variants", Delivery(id="1"), messages, [], [])
    assert report["clicks-shares"].rows == report["clicks-differences"].rows == ()
    assert [row.name for row in report["variants"].rows] == ["A", "Total"]


def test_names_of_pairs_stay_apart() -> None:
    names = ("a", "a/b", "b/a", "b")
    messages = [Message(id=name, delivery_id="1", status="sent", variant=name) for name in names]
    layout = Layout(name="x", title="X", blocks=[DifferencesLayout(name="d", title="D", kind="click")])
    report = indicator_report.from_events(layout, Delivery(id="1"), messages, [], [])
    assert [row.name for row in report["d"].rows] == [
        "a/a%2Fb",
        "a/b",
        "a/b%2Fa",
        "a%2Fb/b",
        "a%2Fb/b%2Fa",
        "b/b%2Fa",
    ]
    assert {cell.value.caveats for row in report["d"].rows for cell in row.cells} == {("small",)}


@given(honest_worlds)
@settings(max_examples=25)
def test_the_interval_is_that_of_open_bounds(world: World) -> None:
    bounds = open_bounds(lambda *, audience: table_of(world, audience=audience))
    block = plain("opens-interval", world)["bounds"]
    assert block["At least"].values() == {"messages": bounds.lower, "rate": bounds.lower_rate}
    assert block["Published estimate"]["messages"] == bounds.estimate
    assert block["At most"].values() == {"messages": bounds.upper, "rate": bounds.upper_rate}


# Written and read


@given(world=worlds().filter(lambda world: world.deliveries), name=st.sampled_from(list(layouts)))
@settings(max_examples=60)
def test_json_reads_back_as_the_same_report(world: World, name: str) -> None:
    report = plain(name, world, **({} if name == "opens-interval" else {"audiences": ("all", "human")}))
    text = json.dumps(report_document(report), allow_nan=False, sort_keys=True)
    again = report_from(json.loads(text))
    assert again == report
    assert hash(again) == hash(report)


@given(honest_worlds)
@settings(max_examples=10)
def test_records_are_one_for_each_number(world: World) -> None:
    report = plain("tracking-indicators", world)
    found = [(record["block"], record["row"], record["key"]) for record in report_records(report)]
    assert found == [(block.name, row.name, cell.key) for block, row in rows(report) for cell in row.cells]


def example() -> dict[str, Any]:
    return report_document(indicator_report.from_events("tracking-indicators", Delivery(id="1"), [], [], []))


def path_set(document: dict[str, Any], path: tuple[str | int, ...], value: object) -> None:
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value


FIRST = ("blocks", 0, "rows", 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "x"),
        (("version",), 2),
        (("name",), 3),
        (("blocks",), 3),
        (("blocks",), [{}]),
        (("blocks",), ["x"]),
        (("audiences",), "all"),
        (("now",), "yesterday"),
        (("now",), "2026-03-01T00:00:00"),
        ((*FIRST, "kind"), "sum"),
        ((*FIRST, "values", 0, "value"), "NaN"),
        ((*FIRST, "values", 0, "value"), float("nan")),
        ((*FIRST, "values", 0, "value"), True),
        ((*FIRST, "values", 0, "value"), "many"),
        ((*FIRST, "values", 0, "numerator"), 0.5),
        ((*FIRST, "values", 0, "unit"), "stone"),
        ((*FIRST, "values", 0, "estimated"), 1),
        ((*FIRST, "values", 0, "caveats"), ["hearsay"]),
        ((*FIRST, "values", 0, "caveats"), [[]]),
        ((*FIRST, "values"), [None]),
    ],
)
def test_a_document_that_is_none_is_refused(path: tuple[str | int, ...], value: object) -> None:
    document = example()
    assert report_from(document) is not None
    path_set(document, path, value)
    with pytest.raises(InvalidValue):
        report_from(document)


@pytest.mark.parametrize("document", [None, [], "x", {}])
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(InvalidValue):
        report_from(document)


def test_new_names_in_a_document_are_passed_over() -> None:
    assert report_from({**example(), "mood": "good"}) == report_from(example())


# Asked wrongly


def test_a_layout_of_ones_own() -> None:
    layout = Layout(
        name="mine",
        title="Mine",
        blocks=[
            LinesLayout(
                name="twice",
                title="Twice",
                lines=[LineLayout(keys=["success"], title="It"), LineLayout(keys=["sends"], title="It")],
            ),
            RowsLayout(name="domains", title="Domains", by="domain", columns=["sends"], titles=["Sent"]),
        ],
    )
    report = indicator_report.from_events(
        layout, Delivery(id="1"), [Message(id="1", delivery_id="1", status="sent")], [], []
    )
    assert [row.values() for row in report["twice"].rows] == [
        {"success": report["twice"].rows[0]["success"]},
        {"sends": report["twice"].rows[1]["sends"]},
    ]
    assert report["domains"].column("sends").label == "Sent"
    assert layout.keys == ("success", "sends")


@pytest.mark.parametrize(
    ("asked", "options", "said"),
    [
        ("tracking-indicator", {}, "there is no report"),
        (3, {}, "there is no report"),
        ("top-links", {"audiences": ()}, "nobody"),
        ("top-links", {"audiences": ("all", "martians")}, "martians"),
        ("top-links", {"bin_seconds": 7}, "bin_seconds=7"),
        ("opens-interval", {"audiences": ("all", "human")}, "leave audiences out"),
    ],
)
def test_what_cannot_be_is_refused(asked: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        indicator_report.from_events(asked, Delivery(id="1"), [], [], [], **options)


def test_more_that_cannot_be() -> None:
    with pytest.raises(InvalidValue):
        indicator_report.from_events("top-links", Delivery(id="1"), [], [], [], top=-1)
    with pytest.raises(InvalidOption, match="every audience"):
        indicator_report.from_table("opens-interval", indicators.from_events(Delivery(id="1"), [], [], []))
    with pytest.raises(InvalidValue, match="two blocks"):
        Layout(name="x", title="X", blocks=[LinesLayout(name="a", title="", lines=[])] * 2)
    with pytest.raises(InvalidValue, match="titles"):
        RowsLayout(name="x", title="X", by="domain", columns=["sends"], titles=["a", "b"])
    layout = Layout(name="x", title="X", blocks=[RowsLayout(name="a", title="", by="link", columns=["sends"])])
    with pytest.raises(InvalidOption, match="does not come by"):
        indicator_report.from_events(layout, Delivery(id="1"), [], [], [])


def test_one_audience_may_be_given_as_it_is() -> None:
    report = indicator_report.from_events("top-links", Delivery(id="1"), [], [], [], audiences=Audience.HUMAN)
    assert report.audiences == ("human",)


@given(honest_worlds)
@settings(max_examples=10)
def test_streams_of_facts_serve_every_audience(world: World) -> None:
    assume(world.events)
    streams = indicator_report.from_events(
        "tracking-indicators",
        iter(world.deliveries),
        iter(world.messages),
        iter(world.links),
        iter(world.events),
        facts=iter(world.facts),
        peers=iter(world.deliveries),
        now=NOW,
        audiences=("all", "human", "machine"),
    )
    assert streams == plain("tracking-indicators", world, peers=world.deliveries, audiences=("all", "human", "machine"))
