"""The values of a report by themselves, written out and read back word by word; and layouts, which have no numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from msgtrack.errors import InvalidOption, InvalidValue, MsgtrackError, NaiveDatetime
from msgtrack.metrics import (
    Block,
    Cell,
    Column,
    DifferencesLayout,
    IndicatorReport,
    IntervalLayout,
    Layout,
    LineLayout,
    LinesLayout,
    Row,
    RowsLayout,
    SharesLayout,
    Value,
    report_document,
    report_from,
    report_records,
)
from msgtrack.metrics._layout import BlockLayout

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)

SHARE = Value(
    value=0.5,
    unit="ratio",
    numerator=Decimal("1.50"),
    denominator=3,
    estimated=True,
    is_share=True,
    caveats=("estimate", "small"),
    otherwise=1.0,
    is_proportion=False,
)
AMOUNT = Value(value=Decimal("79.90"), unit="amount")
NONE = Value(value=None, unit="ratio", numerator=0, denominator=0, caveats=("no-denominator", "small"), is_blank=True)

REPORT = IndicatorReport(
    name="mine",
    title="Mine",
    delivery_ids=("1", "2"),
    audiences=("all", "human"),
    since=AT,
    until=AT + timedelta(hours=1),
    zone="Asia/Tokyo",
    now=AT + timedelta(hours=2),
    is_left_out=True,
    blocks=(
        Block(
            name="links",
            title="Links",
            by="link",
            columns=(
                Column(key="share", label="Share", unit="ratio", is_share=True),
                Column(key="amount", label="Amount", unit="amount"),
            ),
            rows=(
                Row(
                    name="2",
                    note="Shop",
                    cells=(
                        Cell(audience="all", key="share", value=SHARE),
                        Cell(audience="all", key="amount", value=AMOUNT),
                        Cell(audience="human", key="share", value=NONE),
                    ),
                ),
                Row(name="Total", kind="total", cells=(Cell(audience="human", key="stranger", value=AMOUNT),)),
            ),
        ),
        Block(name="empty", title="", columns=(), rows=()),
    ),
)

PLAIN: dict[str, Any] = {
    "value": "79.90",
    "unit": "amount",
    "numerator": None,
    "denominator": None,
    "estimated": False,
    "is_share": False,
    "caveats": [],
    "otherwise": None,
    "is_proportion": True,
    "is_blank": False,
}
DOCUMENT: dict[str, Any] = {
    "schema": "msgtrack.indicator-report",
    "version": 1,
    "name": "mine",
    "title": "Mine",
    "delivery_ids": ["1", "2"],
    "audiences": ["all", "human"],
    "since": "2026-03-01T08:00:00+00:00",
    "until": "2026-03-01T09:00:00+00:00",
    "zone": "Asia/Tokyo",
    "now": "2026-03-01T10:00:00+00:00",
    "is_left_out": True,
    "blocks": [
        {
            "name": "links",
            "title": "Links",
            "by": "link",
            "columns": [
                {"key": "share", "label": "Share", "unit": "ratio", "is_share": True},
                {"key": "amount", "label": "Amount", "unit": "amount", "is_share": False},
            ],
            "rows": [
                {
                    "name": "2",
                    "kind": "row",
                    "note": "Shop",
                    "values": [
                        {
                            "audience": "all",
                            "key": "share",
                            "value": 0.5,
                            "unit": "ratio",
                            "numerator": "1.50",
                            "denominator": 3,
                            "estimated": True,
                            "is_share": True,
                            "caveats": ["estimate", "small"],
                            "otherwise": 1.0,
                            "is_proportion": False,
                            "is_blank": False,
                        },
                        {"audience": "all", "key": "amount", **PLAIN},
                        {
                            "audience": "human",
                            "key": "share",
                            **PLAIN,
                            "value": None,
                            "unit": "ratio",
                            "numerator": 0,
                            "denominator": 0,
                            "caveats": ["no-denominator", "small"],
                            "is_blank": True,
                        },
                    ],
                },
                {
                    "name": "Total",
                    "kind": "total",
                    "note": "",
                    "values": [{"audience": "human", "key": "stranger", **PLAIN}],
                },
            ],
        },
        {"name": "empty", "title": "", "by": "", "columns": [], "rows": []},
    ],
}


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where each name of a document stands."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*path, name)
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def changed(path: tuple[str | int, ...], *value: object) -> dict[str, Any]:
    """The document with another value at a place, or without it."""
    document = copy.deepcopy(DOCUMENT)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if value:
        place[path[-1]] = value[0]
    else:
        del place[path[-1]]
    return document


# Documents and records


def test_a_document_holds_every_field_as_plain_data() -> None:
    assert report_document(REPORT) == DOCUMENT
    assert report_document(REPORT)["blocks"][0]["rows"][0]["values"][0]["is_share"] is True


def test_a_document_reads_back_as_the_report() -> None:
    again = report_from(DOCUMENT)
    assert again == REPORT
    share = again["links"]["2"]["share"]
    assert (type(share.numerator), type(share.denominator), type(share.value)) == (Decimal, int, float)
    assert (share.otherwise, share.is_proportion) == (1.0, False)
    assert again["links"]["Total"]["stranger"].otherwise is None


def test_moments_that_nobody_gave_are_null_and_read_back_as_none() -> None:
    timeless = evolve(REPORT, since=None, until=None, now=None)
    document = report_document(timeless)
    assert document == {**DOCUMENT, "since": None, "until": None, "now": None}
    assert report_from(document) == timeless


FIRST = ("blocks", 0, "rows", 0, "values", 0)


def test_a_document_of_before_there_were_blanks_reads_as_having_none() -> None:
    cell = ("blocks", 0, "rows", 0, "values", 2)
    older = report_from(changed((*cell, "is_blank")))
    assert older != REPORT
    assert not any(cell.value.is_blank for block in older.blocks for row in block.rows for cell in row.cells)


@pytest.mark.parametrize(
    "path", [path for path in places(DOCUMENT) if path[-1] != "is_blank"], ids=lambda path: ".".join(map(str, path))
)
def test_a_document_that_lacks_a_name_is_refused(path: tuple[str | int, ...]) -> None:
    with pytest.raises(InvalidValue, match=r"expected|lacks something"):
        report_from(changed(path))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("schema",), "x", "expected a document of the schema msgtrack.indicator-report: {'schema': 'x'"),
        (("version",), 2, "expected version 1 of msgtrack.indicator-report, not 2"),
        (("since",), "now", "expected a moment in ISO 8601, got 'now'"),
        (("until",), 5, "expected a moment in ISO 8601, got 5"),
        ((*FIRST, "estimated"), 1, "expected true or false, got 1"),
        ((*FIRST, "is_share"), None, "expected true or false, got None"),
        ((*FIRST, "is_proportion"), "no", "expected true or false, got 'no'"),
        ((*FIRST, "numerator"), 0.5, "expected a whole number or a decimal as text, got 0.5"),
        ((*FIRST, "denominator"), 0.5, "expected a whole number or a decimal as text, got 0.5"),
        ((*FIRST, "value"), "NaN", "expected a number, got 'NaN'"),
        ((*FIRST, "value"), "Infinity", "expected a number, got 'Infinity'"),
        ((*FIRST, "value"), float("inf"), "expected a number, got inf"),
        ((*FIRST, "value"), "many", "expected a number, got 'many'"),
        ((*FIRST, "otherwise"), [], "expected a number, got []"),
        ((*FIRST, "otherwise"), True, "expected a number, got True"),
        (("blocks",), [3], "a document of msgtrack.indicator-report lacks something, or has it in another form: Type"),
    ],
)
def test_what_is_wrong_with_a_document_is_said(path: tuple[str | int, ...], value: object, said: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        report_from(changed(path, value))
    assert caught.value.message.startswith(said)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("value", [pytest.param(10**5000, id="large"), pytest.param([[[[]]]], id="deep")])
def test_what_cannot_be_printed_is_refused_all_the_same(value: Any) -> None:
    if isinstance(value, list):
        for _ in range(10**4):
            value = [value]
    for path in (("version",), ("since",), (*FIRST, "estimated"), (*FIRST, "caveats")):
        with pytest.raises(MsgtrackError):
            report_from(changed(path, value))


def test_records_hold_each_number_with_all_that_stands_around_it() -> None:
    share, amount, none, stranger = report_records(REPORT)
    assert share == {
        "report": "mine",
        "block": "links",
        "row": "2",
        "kind": "row",
        "note": "Shop",
        "audience": "all",
        "key": "share",
        "label": "Share",
        "value": 0.5,
        "unit": "ratio",
        "numerator": "1.50",
        "denominator": 3,
        "estimated": True,
        "caveats": ["estimate", "small"],
    }
    assert (amount["label"], amount["value"], amount["unit"], amount["caveats"]) == ("Amount", "79.90", "amount", [])
    assert (none["audience"], none["value"], none["numerator"], none["denominator"]) == ("human", None, 0, 0)
    assert (stranger["row"], stranger["kind"], stranger["label"]) == ("Total", "total", "stranger")


# Reports, blocks and rows


def test_a_report_is_a_mapping_of_its_blocks() -> None:
    assert list(REPORT) == ["links", "empty"]
    assert len(REPORT) == 2
    assert REPORT["empty"] is REPORT.blocks[1]
    with pytest.raises(KeyError, match=r"^'nowhere'$"):
        REPORT["nowhere"]
    assert REPORT.caveats == ("estimate", "small", "no-denominator")


def test_a_block_finds_its_rows_columns_and_total() -> None:
    links, empty = REPORT.blocks
    assert links["2"] is links.rows[0]
    assert links.total is links["Total"] is links.rows[1]
    assert links.column("amount") is links.columns[1]
    assert (empty.total, empty.by) == (None, "")
    for missing in (lambda: links["x"], lambda: links.column("x"), lambda: empty["2"]):
        with pytest.raises(KeyError, match=r"^'(x|2)'$"):
            missing()


def test_a_group_wins_over_the_others_and_they_over_the_total() -> None:
    rows = [Row(name="x", kind=kind, cells=()) for kind in ("total", "others", "row")]
    for last in (3, 2, 1):
        block = Block(name="b", title="B", columns=(), rows=rows[:last])
        assert block["x"] is rows[last - 1]


def test_a_row_gives_values_of_its_first_audience_unless_told() -> None:
    row, total = REPORT["links"].rows
    assert row["share"] is row["share", "all"] is SHARE
    assert row["share", "human"] is NONE
    assert row.values() == row.values("all") == {"share": SHARE, "amount": AMOUNT}
    assert row.values("human") == {"share": NONE}
    assert row.values("machine") == {}
    assert total["stranger"] is AMOUNT
    assert Row(name="", cells=()).values() == {}
    mixed = Row(name="", cells=[Cell(audience=name, key=name, value=AMOUNT) for name in ("all", "human")])
    assert mixed.values() == {"all": AMOUNT}
    with pytest.raises(KeyError, match=r"amount.*human"):
        row["amount", "human"]
    with pytest.raises(KeyError, match=r"^'stranger'$"):
        row["stranger"]


def test_what_nobody_says_of_a_report_is_the_plain_case() -> None:
    report = IndicatorReport(name="r", title="R", delivery_ids=["1"], audiences=["all"], blocks=[])
    assert (report.since, report.until, report.now, report.zone, report.is_left_out) == (None, None, None, "UTC", False)
    assert (report.delivery_ids, report.audiences, report.blocks, report.caveats) == (("1",), ("all",), (), ())
    row = Row(name="1", cells=[])
    assert (row.kind, row.note, row.cells) == ("row", "", ())
    assert Column(key="k", label="K", unit="count").is_share is False
    block = Block(name="b", title="B", columns=[], rows=[row])
    assert (block.by, block.columns, block.rows) == ("", (), (row,))


def fields_of(kind: type) -> dict[str, Any]:
    fields: dict[type, dict[str, Any]] = {
        Column: {"key": "k", "label": "K", "unit": "count", "is_share": True},
        Cell: {"audience": "all", "key": "k", "value": AMOUNT},
        Row: {"name": "n", "kind": "row", "cells": [], "note": "n"},
        Block: {"name": "n", "title": "T", "by": "b", "columns": [], "rows": []},
        IndicatorReport: {
            "name": "n",
            "title": "T",
            "delivery_ids": [],
            "audiences": [],
            "since": AT,
            "until": AT,
            "zone": "UTC",
            "now": AT,
            "is_left_out": True,
            "blocks": [],
        },
        LineLayout: {"keys": [], "title": "T"},
        LinesLayout: {"name": "n", "title": "T", "lines": []},
        RowsLayout: {
            "name": "n",
            "title": "T",
            "by": "b",
            "columns": [],
            "titles": [],
            "has_total": True,
            "others": "o",
            "bin_seconds": 3600,
        },
        SharesLayout: {"name": "n", "title": "T", "kind": "click"},
        DifferencesLayout: {"name": "n", "title": "T", "kind": "click"},
        IntervalLayout: {"name": "n", "title": "T"},
        Layout: {"name": "n", "title": "T", "blocks": []},
    }
    return fields[kind]


KINDS = (
    Column,
    Cell,
    Row,
    Block,
    IndicatorReport,
    LineLayout,
    LinesLayout,
    RowsLayout,
    SharesLayout,
    DifferencesLayout,
    IntervalLayout,
    Layout,
)
FIELDS = [(kind, name) for kind in KINDS for name in fields_of(kind) if (kind, name) != (Cell, "value")]


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda item: item if isinstance(item, str) else item.__name__)
def test_a_field_takes_what_it_is_for_and_nothing_else(kind: Any, name: str) -> None:
    given = fields_of(kind)
    found = getattr(kind(**given), name)
    assert found == (tuple(given[name]) if isinstance(given[name], list) else given[name])
    assert not isinstance(found, list)
    with pytest.raises(MsgtrackError):
        kind(**{**given, name: 2.5})


def test_moments_are_kept_in_utc_and_naive_ones_refused() -> None:
    given = fields_of(IndicatorReport)
    for name in ("since", "until", "now"):
        there = AT.astimezone(timezone(timedelta(hours=9)))
        assert getattr(IndicatorReport(**{**given, name: there}), name).tzinfo is UTC
        with pytest.raises(NaiveDatetime):
            IndicatorReport(**{**given, name: datetime(2026, 3, 1)})


def test_words_of_a_closed_list_are_named_when_another_comes() -> None:
    with pytest.raises(InvalidOption, match=r"^kind='sum' is not one of: row, others, total$"):
        Row(name="", kind="sum", cells=())
    with pytest.raises(InvalidOption, match=r"^unit='stone' is not one of: count, ratio, amount, duration$"):
        Column(key="", label="", unit="stone")


# Layouts


def test_a_layout_shows_each_indicator_once_in_the_order_met() -> None:
    lines = LinesLayout(name="lines", title="L", lines=[LineLayout(keys=["a", "b"], title="x"), LineLayout(keys=["c"])])
    rows = RowsLayout(name="rows", title="R", by="link", columns=["c", "d"], others="e")
    plain = RowsLayout(name="plain", title="R", by="link", columns=["f"])
    silent: list[BlockLayout] = [
        SharesLayout(name="s", title="S", kind="click"),
        DifferencesLayout(name="d", title="D", kind="click"),
        IntervalLayout(name="i", title="I"),
    ]
    assert lines.keys == ("a", "b", "c")
    assert (rows.keys, plain.keys) == (("c", "d", "e"), ("f",))
    assert [block.keys for block in silent] == [(), (), ()]
    assert Layout(name="x", title="X", blocks=[lines, rows, plain, *silent]).keys == ("a", "b", "c", "d", "e", "f")
    assert LineLayout(keys=["c"]).title == ""
    assert (plain.titles, plain.has_total, plain.others, plain.bin_seconds) == ((), False, "", None)


def test_titles_are_as_many_as_columns_or_none() -> None:
    assert RowsLayout(name="x", title="", by="link", columns=["a", "b"], titles=["A", "B"]).titles == ("A", "B")
    for titles in (["A"], ["A", "B", "C"]):
        with pytest.raises(InvalidValue, match=rf"^the block 'x' has 2 columns and {len(titles)} titles$"):
            RowsLayout(name="x", title="", by="link", columns=["a", "b"], titles=titles)


def test_blocks_of_one_layout_have_different_names() -> None:
    a, b = (IntervalLayout(name=name, title="") for name in "ab")
    assert Layout(name="x", title="", blocks=[a, b]).blocks == (a, b)
    with pytest.raises(InvalidValue, match=r"^the layout 'x' has two blocks of one name: a, b, a$"):
        Layout(name="x", title="", blocks=[a, b, a])
