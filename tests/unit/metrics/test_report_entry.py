"""The three ways to a report: what was asked for arrives, and what cannot be asked for is refused in plain words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from msgtrack.errors import InvalidOption, InvalidValue, NaiveDatetime
from msgtrack.events import Click, Open
from msgtrack.facts import Exclusion
from msgtrack.metrics import (
    DifferencesLayout,
    IndicatorReport,
    IntervalLayout,
    Layout,
    LineLayout,
    LinesLayout,
    RowsLayout,
    SharesLayout,
    catalogue,
    indicator_report,
    indicators,
    layouts,
)
from msgtrack.model import Audience, Delivery, Message, TrackedLink, Verdict
from msgtrack.storage import open_store

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
DELIVERIES = [Delivery(id="1", contact_at=AT), Delivery(id="2", contact_at=AT)]
MESSAGES = [Message(id=str(n), delivery_id=id_, status="sent") for id_ in "12" for n in range(3)]
LINKS = [TrackedLink(delivery_id="1", id=f"{n}", url=f"https://a.example/{n}", label=f"L{n}") for n in range(2, 16)]
EVENTS = [
    *(
        Click(id=f"c{n}", occurred_at=AT + n * HOUR / 6, delivery_id="1", message_id="0", link_id=link.id)
        for n, link in enumerate(LINKS)
    ),
    Open(id="o", occurred_at=AT, delivery_id="1", message_id="1", verdict=Verdict(audience="human")),
    Open(id="p", occurred_at=AT, delivery_id="2", message_id="1", verdict=Verdict(audience="machine")),
]
FACTS = [Exclusion(delivery_id="1", id="x", failure_reason="double")]

Ask = Callable[..., IndicatorReport]


def from_facts(layout: Any, ids: str = "1", **options: Any) -> IndicatorReport:
    chosen = [delivery for delivery in DELIVERIES if delivery.id in ids]
    if "peers" in options:
        options["peers"] = DELIVERIES if options["peers"] else ()
    return indicator_report.from_events(layout, chosen, MESSAGES, LINKS, EVENTS, facts=FACTS, **options)


def from_store(layout: Any, ids: str = "1", **options: Any) -> IndicatorReport:
    with open_store("memory:") as store:
        store.put([*DELIVERIES, *MESSAGES, *LINKS, *FACTS])
        store.ingest(EVENTS)
        return indicator_report(layout, store, list(ids), **options)


WAYS = [pytest.param(from_facts, id="facts"), pytest.param(from_store, id="store")]


@pytest.mark.parametrize("ask", WAYS)
def test_what_nobody_asks_for_is_the_plain_case(ask: Ask) -> None:
    report = ask("urls-and-click-streams")
    assert (report.since, report.until, report.now, report.zone, report.is_left_out) == (None, None, None, "UTC", False)
    assert (report.audiences, report.delivery_ids, report.name) == (("all",), ("1",), "urls-and-click-streams")
    kinds = [row.kind for row in report["by-label"].rows]
    assert kinds == ["row"] * 10 + ["others", "total"], "ten rows before the others"
    assert report["rates"]["Reactivity"]["platform_average_reactivity"].caveats[-1] != "clipped"
    assert "no-peers" in report["rates"]["Cumulated clicks"]["platform_average_cumulated_clicks"].caveats
    # Two hours and more since the launch, and so bins of five minutes.
    assert [row.name[11:16] for row in ask("tracking-statistics")["curve"].rows[:3]] == ["08:00", "08:10", "08:20"]


@pytest.mark.parametrize("ask", WAYS)
def test_what_is_asked_for_arrives(ask: Ask) -> None:
    options: dict[str, Any] = {"since": AT, "until": AT + HOUR, "now": AT + 2 * HOUR, "zone": "Asia/Tokyo"}
    report = ask("urls-and-click-streams", top=3, peers=True, **options)
    assert (report.since, report.until, report.now, report.zone) == tuple(
        options[name] for name in ("since", "until", "now", "zone")
    )
    assert ask("urls-and-click-streams", audiences=("all", "human")).audiences == ("all", "human")
    assert [row.kind for row in report["by-label"].rows] == ["row"] * 3 + ["others", "total"]
    total = report["by-label"].total
    assert total is not None
    assert total["url_clicks"].value == 6, "those of the first hour"
    average = report["rates"]["Cumulated clicks"]["platform_average_cumulated_clicks"]
    assert (average.numerator, average.denominator) == (14, 6), "of both deliveries, whatever the window"
    curve = ask("tracking-statistics", bin_seconds=3600, **options)["curve"]
    assert [row.name for row in curve.rows] == ["2026-03-01T17:00:00+09:00"]
    causes = ask("delivery-summary", **options)["causes"].total
    assert causes is not None
    assert causes["exclusion_by_cause"].value == 1


@pytest.mark.parametrize("ask", WAYS)
def test_forwards_below_zero_are_clipped_when_asked(ask: Ask) -> None:
    for clip in (False, True):
        forwards = ask("tracking-indicators", clip=clip)["opens"]["Estimation of forwards"]["forward_estimate"]
        plain = indicators.from_events(DELIVERIES[0], MESSAGES, LINKS, EVENTS, clip=clip)["forward_estimate"]
        assert forwards == plain


@pytest.mark.parametrize("ask", WAYS)
def test_several_deliveries_are_one_report(ask: Ask) -> None:
    report = ask("cumulated", "12")
    assert report.delivery_ids == ("1", "2")
    assert [row.name for row in report["deliveries"].rows] == ["1", "2", "Total"]


@pytest.mark.parametrize("ask", WAYS)
def test_one_delivery_may_be_given_as_it_is_and_nothing_else_instead(ask: Ask) -> None:
    if ask is from_facts:
        alone = indicator_report.from_events("top-links", DELIVERIES[0], MESSAGES, LINKS, EVENTS, facts=FACTS)
        with pytest.raises(InvalidValue):
            indicator_report.from_events("top-links", "1", [], [], [])  # type: ignore[arg-type]
    else:
        with open_store("memory:") as store:
            store.put([*DELIVERIES, *MESSAGES, *LINKS, *FACTS])
            store.ingest(EVENTS)
            alone = indicator_report("top-links", store, "1")
            assert indicator_report("top-links", store, 1) == alone
            with pytest.raises(InvalidValue):
                indicator_report("top-links", store, None)  # type: ignore[arg-type]
    assert alone == ask("top-links")


def test_the_interval_of_opens_needs_every_audience_and_is_told_apart() -> None:
    for ask in (from_facts, from_store):
        block = ask("opens-interval", "12")["bounds"]
        names = ["At least", "Published estimate", "At most", "Readers whom no image showed"]
        assert [row.name for row in block.rows] == names
        assert block["At least"]["messages"].value == 1, "the one that a human opened"
    refusal = "the report 'opens-interval' weighs every audience itself; leave audiences out"
    for audiences in ("human", ("human",), ("all", "human"), ("human", "all")):
        with pytest.raises(InvalidOption) as caught:
            from_facts("opens-interval", audiences=audiences)
        assert caught.value.message == refusal
    assert from_facts("opens-interval", audiences=("all", "all")) == from_facts("opens-interval")
    table = indicators.from_events(DELIVERIES, MESSAGES, LINKS, EVENTS)
    with pytest.raises(InvalidOption) as caught:
        indicator_report.from_table("opens-interval", table)
    assert caught.value.message == "the report 'opens-interval' needs the facts of every audience, not one table"


def test_a_table_makes_the_report_of_its_audience() -> None:
    table = indicators.from_events(
        DELIVERIES[0], MESSAGES, LINKS, EVENTS, facts=FACTS, audience=("human", "proxy"), now=AT
    )
    report = indicator_report.from_table("urls-and-click-streams", table)
    assert report == from_facts("urls-and-click-streams", audiences=(("human", "proxy"),), now=AT)
    assert report.audiences == ("human, proxy",)
    everything = indicators.from_events(DELIVERIES[0], MESSAGES, LINKS, EVENTS, facts=FACTS)
    asked: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("top-links", {"top": 2}, {"top": 3}),
        ("tracking-statistics", {"bin_seconds": 300}, {"bin_seconds": 3600}),
    ]
    for name, options, others in asked:
        found = indicator_report.from_table(name, everything, **options)
        assert found == from_facts(name, **options)
        assert found != from_facts(name, **others)
    assert indicator_report.from_table("top-links", everything) == from_facts("top-links", top=10)


def test_audiences_are_asked_for_once_each() -> None:
    asked = from_facts("top-links", audiences=("human", "all", Audience.HUMAN))
    assert asked.audiences == ("human", "all")


@pytest.mark.parametrize(
    ("layout", "options", "message", "hint"),
    [
        (
            "tracking-indicator",
            {},
            f"there is no report 'tracking-indicator'; there are: {', '.join(layouts)}",
            "did you mean tracking-indicators?",
        ),
        ("zzzz", {}, f"there is no report 'zzzz'; there are: {', '.join(layouts)}", ""),
        (None, {}, f"there is no report None; there are: {', '.join(layouts)}", ""),
        (["top-links"], {}, f"there is no report ['top-links']; there are: {', '.join(layouts)}", ""),
        ("top-links", {"audiences": ()}, "audiences=() asks for nobody; use 'all' or name at least one audience", ""),
        (
            "top-links",
            {"bin_seconds": 7},
            "bin_seconds=7 is not one of: 300, 600, 1800, 3600, 10800, 86400",
            "",
        ),
    ],
)
def test_a_refusal_says_what_there_is(layout: Any, options: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        from_facts(layout, **options)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_name_that_cannot_be_printed_is_refused_too() -> None:
    for name in (10**5000, "x" * 10**6):
        with pytest.raises(InvalidOption, match=r"^there is no report .{1,80}; there are: tracking-indicators, "):
            from_facts(name)


@pytest.mark.parametrize("top", [-1, 1.0, True, "3", None])
def test_a_ranking_has_a_number_of_rows(top: Any) -> None:
    with pytest.raises(InvalidValue):
        from_facts("top-links", top=top)


def test_a_ranking_of_no_rows_is_the_others_alone() -> None:
    assert [row.kind for row in from_facts("urls-and-click-streams", top=0)["by-label"].rows] == ["others", "total"]


@pytest.mark.parametrize("ask", WAYS)
def test_naive_moments_are_refused(ask: Ask) -> None:
    for name in ("since", "until", "now"):
        with pytest.raises(NaiveDatetime):
            ask("top-links", **{name: datetime(2026, 3, 1)})


def test_a_layout_of_ones_own_is_as_good_as_a_name() -> None:
    own = Layout(
        name="mine", title="Mine", blocks=[LinesLayout(name="b", title="B", lines=[LineLayout(keys=["success"])])]
    )
    report = from_facts(own)
    assert (report.name, report.title, list(report)) == ("mine", "Mine", ["b"])
    assert from_facts(layouts["top-links"]) == from_facts("top-links")


def test_a_layout_may_have_the_interval_beside_rankings_and_bins() -> None:
    blocks = (
        *layouts["opens-interval"].blocks,
        RowsLayout(name="curve", title="", by="bin", columns=["tracking_statistics_clicks"]),
        RowsLayout(name="links", title="", by="label", columns=["url_clicks"], others="url_clicks_others"),
    )
    for ask in (from_facts, from_store):
        report = ask(Layout(name="x", title="X", blocks=blocks), "12", top=4, bin_seconds=3600)
        assert report["bounds"] == ask("opens-interval", "12")["bounds"]
        assert [row.name[11:16] for row in report["curve"].rows] == ["08:00", "09:00", "10:00"]
        assert [row.kind for row in report["links"].rows] == ["row"] * 4 + ["others"]


def test_a_report_over_a_proof_says_that_it_counts_nowhere() -> None:
    proof = Delivery(id="1", is_proof=True)
    assert indicator_report.from_events("top-links", proof, MESSAGES, LINKS, EVENTS).is_left_out
    assert not indicator_report.from_events("top-links", [proof, DELIVERIES[1]], MESSAGES, LINKS, EVENTS).is_left_out


def test_what_is_no_link_has_no_note_though_it_is_called_like_one() -> None:
    links = [TrackedLink(delivery_id="1", id="2", url="https://a.example/", label="2")]
    report = indicator_report.from_events("top-links", DELIVERIES[0], MESSAGES, links, EVENTS[:1])
    assert (report["by-link"]["2"].note, report["by-label"]["2"].note) == ("2", "")


def test_shares_of_the_others_say_what_they_were_added_up_from() -> None:
    row = next(row for row in from_facts("urls-and-click-streams", top=3)["by-label"].rows if row.kind == "others")
    share = row["url_clicks_percent"]
    assert (share.numerator, share.denominator, share.value) == (11, 14, 11 / 14)
    assert isinstance(share.numerator, int)
    assert isinstance(share.value, float)


OTHER_BLOCKS = {SharesLayout: "variant", DifferencesLayout: "variants", LinesLayout: "", IntervalLayout: ""}


@pytest.mark.parametrize("name", layouts)
def test_blocks_say_what_they_are_cut_by_and_what_their_columns_are(name: str) -> None:
    report = from_facts(name)
    for layout in layouts[name].blocks:
        block = report[layout.name]
        assert block.title == layout.title
        assert block.by == (layout.by if isinstance(layout, RowsLayout) else OTHER_BLOCKS[type(layout)])
        if isinstance(layout, RowsLayout | LinesLayout):
            keys = layout.columns if isinstance(layout, RowsLayout) else layout.keys
            titles = layout.titles if isinstance(layout, RowsLayout) else ()
            labels = titles or [catalogue[key].label for key in keys]
            assert [(column.key, column.label) for column in block.columns] == list(zip(keys, labels, strict=True))
            for column in block.columns:
                indicator = catalogue[column.key]
                assert (column.unit, column.is_share) == (indicator.unit, indicator.is_share)


def of_variants(name: str, size: int) -> IndicatorReport:
    messages = [Message(id=f"{v}{n}", delivery_id="1", status="sent", variant=v) for v in "AB" for n in range(size)]
    clicks = [Click(occurred_at=AT, delivery_id="1", message_id=f"A{n}", link_id="2") for n in range(size)]
    return indicator_report.from_events(name, DELIVERIES[0], messages, LINKS, [*EVENTS, *clicks], facts=FACTS)


@pytest.mark.parametrize("name", layouts)
def test_a_column_says_how_each_number_below_it_is_read(name: str) -> None:
    report = of_variants(name, 3)
    cells = [(block, cell) for block in report.blocks for row in block.rows for cell in row.cells]
    assert cells
    for block, cell in cells:
        column = block.column(cell.key)
        assert (column.unit, column.is_share) == (cell.value.unit, cell.value.is_share), (block.name, cell.key)


def test_columns_that_are_no_indicators_have_names_of_their_own() -> None:
    titles = {
        (block.name, column.key): column.label
        for name in ("variants", "opens-interval")
        for block in from_facts(name).blocks
        for column in block.columns
        if column.key not in catalogue and block.name in {"clicks-shares", "clicks-differences", "bounds"}
    }
    assert titles == {
        ("clicks-shares", "share"): "Share",
        ("clicks-shares", "low"): "At least",
        ("clicks-shares", "high"): "At most",
        ("clicks-differences", "difference"): "Difference",
        ("clicks-differences", "low"): "At least",
        ("clicks-differences", "high"): "At most",
        ("clicks-differences", "p_value"): "p",
        ("clicks-differences", "adjusted_p_value"): "p, adjusted",
        ("bounds", "messages"): "Messages",
        ("bounds", "rate"): "Of those delivered",
        ("bounds", "hidden_rate"): "Of those who clicked",
    }


@pytest.mark.parametrize(
    ("size", "note"), [(2, "no difference shown at 0.95, Fisher's exact test"), (200, "differs at 0.95, z test")]
)
def test_a_difference_says_which_test_found_it(size: int, note: str) -> None:
    (row,) = of_variants("variants", size)["clicks-differences"].rows
    assert row.note == f"{note}, adjusted p {float(row['adjusted_p_value'].value or 0):.3g}"
    assert row["difference"].value == -1.0


def test_bins_go_by_time_through_the_hour_that_comes_twice() -> None:
    """The clock of Paris is put back at 01:00 UTC: what it calls 02:00 the second time comes after its first 02:30."""
    opens = [
        Open(
            occurred_at=datetime(2026, 10, 25, hour, minute, tzinfo=UTC),
            delivery_id="1",
            verdict=Verdict(audience=audience),
        )
        for audience, hour, minute in (("human", 0, 30), ("machine", 1, 0), ("human", 1, 30))
    ]
    report = indicator_report.from_events(
        "user-activities", DELIVERIES[0], [], [], opens, audiences=("machine", "human"), zone="Europe/Paris"
    )
    names = [row.name[11:] for row in report["half-hours"].rows if row.kind == "row"]
    assert names == ["02:30:00+02:00", "02:00:00+01:00", "02:30:00+01:00"]


def test_a_variant_of_which_nothing_arrived_is_not_compared() -> None:
    messages = [
        Message(id="a", delivery_id="1", status="sent", variant="A"),
        Message(id="b", delivery_id="1", status="failed", variant="B"),
    ]
    report = indicator_report.from_events("variants", DELIVERIES[0], messages, [], [])
    (row,) = report["clicks-differences"].rows
    assert (row.name, row.note) == ("A/B", "not to be compared")
    assert {(value.value, value.caveats) for value in row.values().values()} == {(None, ("no-denominator",))}
    assert [row.name for row in report["clicks-shares"].rows] == ["A", "B"]
    assert report["clicks-shares"]["B"]["low"].value is None
