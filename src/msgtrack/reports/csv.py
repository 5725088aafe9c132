"""A report as CSV: long format, a number a row, at full precision (RFC 4180: CRLF, quotes doubled).

Spreadsheets run a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break, so text that does gets an
apostrophe before it. Numbers are numbers by type and stay as they are, negative ones too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime

from msgtrack.metrics import Value
from msgtrack.reports.data import Facts, ReportData
from msgtrack.reports.formats import visible

__all__ = ["COLUMNS", "guarded", "render"]

COLUMNS = (
    "section",
    "key",
    "label",
    "group",
    "value",
    "unit",
    "numerator",
    "denominator",
    "estimated",
    "caveats",
)
"""The header. ``group`` names the domain, the link id, the link label or the bin; ``caveats`` are codes, by ``; ``."""

_DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")


def render(data: ReportData) -> str:
    """The report as CSV text, to be written as UTF-8 with its line ends as they are."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in _rows(data):
        writer.writerow(row)
    return out.getvalue()


def _rows(data: ReportData) -> Iterator[tuple[str, ...]]:
    for key, fact in _facts(data.facts):
        yield "report", key, "", "", guarded(fact), "text", "", "", "", ""
    for section, group, figure in data.figures():
        yield section, figure.key, guarded(figure.label), guarded(group), *_numbers(figure.value)
    for link in data.links:
        for key, fact in (("label", link.label), ("url", link.url), ("category", link.category), ("type", link.type)):
            yield "links", f"link_{key}", "", guarded(link.id), guarded(fact), "text", "", "", "", ""
    for point in data.curve.points:
        at = point.at.isoformat()
        yield "curve", "tracking_statistics_opens", "Opens, cumulated", at, *_numbers(point.opens)
        yield "curve", "tracking_statistics_clicks", "Clicks, cumulated", at, *_numbers(point.clicks)


def _facts(facts: Facts) -> Iterator[tuple[str, str]]:
    yield "delivery_id", facts.delivery_id
    yield "delivery_label", facts.label
    yield "delivery_internal_name", facts.internal_name
    yield "channel", facts.channel
    yield "contact_at", _iso(facts.contact_at)
    yield "audience", facts.audience
    yield "since", _iso(facts.since)
    yield "until", _iso(facts.until)
    yield "zone", facts.zone
    yield "generated_at", _iso(facts.generated_at)


def _iso(at: datetime | None) -> str:
    return "" if at is None else at.isoformat()


def _numbers(value: Value) -> tuple[str, str, str, str, str, str]:
    return (
        _plain(value.value),
        value.unit,
        _plain(value.numerator),
        _plain(value.denominator),
        "true" if value.estimated else "false",
        "; ".join(value.caveats),
    )


def _plain(number: object) -> str:
    return "" if number is None else str(number)


def guarded(text: str) -> str:
    """Foreign text on one line, with an apostrophe before it where a spreadsheet would run it."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(_DANGEROUS) else shown
