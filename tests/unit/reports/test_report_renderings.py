"""Hostile text in every rendering, and the promises each rendering makes about itself."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from msgtrack.metrics import Value
from msgtrack.reports import Report
from msgtrack.reports.csv import COLUMNS
from msgtrack.reports.data import ReportData
from msgtrack.reports.formats import visible, width
from msgtrack.reports.report import FRAGMENTS

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m\u202egpj.exe\u2066",
    "</td></tr></table></svg></style><svg onload=alert(1)>",
    "]]>{{ 7 * 7 }}{% raw %}&amp;<!--",
    "lone \udc80 surrogate",
)

Make = Callable[..., Report]


class Page(HTMLParser):
    """The tags of a page in order with the names of their attributes, and what is left open at the end."""

    VOID = ("meta", "path", "rect", "line", "input", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.open: list[str] = []
        self.unmatched: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *sorted(name for name, _ in attrs)))
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *sorted(name for name, _ in attrs)))
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unmatched.append(tag)


@pytest.fixture(scope="module")
def hostile(report_with: Make) -> Report:
    return report_with(HOSTILE, title=HOSTILE[0] + HOSTILE[8])


@pytest.fixture(scope="module")
def hostile_page(hostile: Report) -> str:
    return hostile.html()


def test_hostile_text_adds_no_element_and_no_attribute(hostile_page: str, report_with: Make) -> None:
    tame = Page(report_with([f"Label {n}" for n in range(len(HOSTILE))], title="Tame").html())
    wild = Page(hostile_page)
    # Rows with as many clicks go by their labels, so the order of chips may differ; what there is may not.
    assert sorted(wild.tags) == sorted(tame.tags)
    assert (wild.open, wild.unmatched) == ([], [])


def test_hostile_text_is_there_to_be_read(hostile_page: str) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in hostile_page
    assert "{{ 7 * 7 }}" in hostile_page
    assert "\\x1b[2J" in hostile_page
    assert "\\u202e" in hostile_page


def test_a_page_has_no_character_that_hides_or_turns(hostile_page: str) -> None:
    # The escapes of visible() stand in labels, in titles and in drawings alike.
    assert {c for c in hostile_page if unicodedata.category(c) in ("Cc", "Cf", "Cs")} <= {"\n"}
    hostile_page.encode()


def test_a_page_fetches_nothing(page: str) -> None:
    parsed = Page(page)
    names = {name for name, _ in parsed.attributes}
    assert names.isdisjoint({"src", "srcset", "href", "xlink:href", "style", "action", "background", "poster", "data"})
    assert not any(name.startswith("on") for name in names)
    assert {tag[0] for tag in parsed.tags}.isdisjoint({"link", "img", "iframe", "object", "embed", "base", "a", "form"})
    assert "@import" not in page
    assert "url(" not in page


def test_a_page_closes_itself_by_its_policy(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    directives = dict(part.split(" ", 1) for part in policy[1].replace("&#39;", "'").split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["style-src"].startswith("'sha256-")
    assert directives["script-src"].startswith("'sha256-")
    assert "unsafe" not in policy[1]
    assert page.index("Content-Security-Policy") < page.index("<style>") < page.index("<script>")


def test_a_page_can_be_heard_as_well_as_seen(page: str) -> None:
    parsed = Page(page)
    tags = [tag for tag, *_ in parsed.tags]
    assert tags.count("h1") == 1
    assert ("html", "lang") in parsed.tags
    assert tags.count("caption") == tags.count("table")
    assert all("scope" in names for tag, *names in parsed.tags if tag == "th")
    drawings = [names for tag, *names in parsed.tags if "role" in names and tag == "div"]
    assert all("aria-label" in names for names in drawings)
    assert tags.count("svg") - page.count('msgtrack-bar"') == 4
    assert "id" not in {name for name, _ in parsed.attributes}


def test_a_page_is_the_same_each_time(report: Report, page: str) -> None:
    assert report.html() == page


def test_long_names_give_way_in_the_middle_and_a_link_without_a_label_says_its_address_once(report_with: Make) -> None:
    long = "https://shop.example/" + "very/long/" * 40
    page = report_with([long, ""]).fragment("links")
    assert long[:60] in page
    assert " … " in page
    assert long not in page
    assert page.count("<bdi>#</bdi>") == 2  # in the table of links, and in the numbers of the chart
    assert 'dir="ltr">#<' not in page
    assert long in report_with([long]).csv()


@pytest.mark.parametrize("name", FRAGMENTS)
def test_fragments_stand_alone(report: Report, page: str, name: str) -> None:
    text = report.fragment(name)
    parsed = Page(text)
    assert (parsed.open, parsed.unmatched) == ([], [])
    assert {"html", "body", "script", "title"}.isdisjoint(tag for tag, *_ in parsed.tags)
    heart = re.sub(r"^<(div class=\"msgtrack\"|style)>|</(div|style)>\n$", "", text).strip()
    assert heart in page


def test_a_csv_runs_nothing_and_keeps_its_numbers(hostile: Report) -> None:
    rows = list(csv.reader(io.StringIO(hostile.csv(), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert {len(row) for row in rows} == {len(COLUMNS)}
    for row in rows[1:]:
        cells = dict(zip(COLUMNS, row, strict=True))
        for name, cell in cells.items():
            is_number = name in ("value", "numerator", "denominator") and cells["unit"] != "text"
            assert is_number or not cell.startswith(tuple("=+-@\t\r\n")), cells
            assert not is_number or cell == "" or float(cell) is not None
            assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in cell)
    labels = {cells[4] for cells in rows if cells[1] == "link_label"}
    assert {"'=cmd|' /C calc'!A0", "'+1+1", "'-2+3", "'@SUM(A1)", "'=1+1"} <= labels
    assert re.findall("[^\r]\n", hostile.csv()) == []


def test_negative_numbers_of_a_csv_stay_numbers(report: Report) -> None:
    section = report.data.sections[3]
    assert section.lines[2].figure.key == "forward_estimate"
    below = with_value(report.data, "forward_estimate", Value(value=-3, unit="count", estimated=True))
    row = next(row for row in csv.reader(io.StringIO(Report(data=below).csv())) if row[1] == "forward_estimate")
    assert row[4] == "-3"
    assert "≈ -3" in Report(data=below).text()


def with_value(data: ReportData, key: str, value: Value) -> ReportData:
    import attrs

    def changed(figure: Any) -> Any:
        return attrs.evolve(figure, value=value) if figure.key == key else figure

    return attrs.evolve(
        data,
        sections=tuple(
            attrs.evolve(s, lines=tuple(attrs.evolve(line, figure=changed(line.figure)) for line in s.lines))
            for s in data.sections
        ),
    )


def test_json_is_ascii_and_keeps_text_as_it_was(hostile: Report) -> None:
    text = hostile.json()
    assert text.isascii()
    assert not any(ord(c) < 32 and c != "\n" for c in text)
    found = json.loads(text)
    assert (found["schema"], found["version"]) == ("msgtrack.delivery-report", 1)
    kept = {link["label"] for link in found["links"]}
    # A lone surrogate is no text that UTF-8 can hold; everything else comes back as it went in.
    assert kept == {label for label in HOSTILE if "\udc80" not in label} | {"lone ? surrogate"}


def test_a_terminal_is_not_commanded(hostile: Report) -> None:
    text = hostile.text(width=140)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in text.replace("\n", ""))
    assert visible(HOSTILE[0]) in text
    assert len(text.splitlines()) == len(text.split("\n")) - 1


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_text_keeps_to_its_width(report: Report, columns: int) -> None:
    lines = report.text(width=columns).splitlines()
    assert max(map(width, lines)) <= columns
    assert not any(line.endswith(" ") for line in lines)


def test_columns_of_text_stand_under_each_other_in_any_script(report_with: Make) -> None:
    text = report_with(["東京の春", "Été à Paris", "e\u0301te\u0301", "плоский"]).text(width=120)
    block = text[text.index("\nLINKS\n") + 7 :].splitlines()[1:5]
    head = text[text.index("\nLINKS\n") + 7 :].splitlines()[0]
    url_column = head.index("URL")
    for line in block:
        before = line[: next(i for i in range(len(line) + 1) if width(line[:i]) >= url_column)]
        assert before.endswith(("%  ", "% ")), line


def test_text_in_pieces_when_a_table_does_not_fit(report: Report) -> None:
    text = report.text(width=60)
    block = text[text.index("BY INTERNET DOMAIN") :]
    assert block.splitlines()[1] == "Gmail"
    assert block.splitlines()[2].startswith("  Sent ")
