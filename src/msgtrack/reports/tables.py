"""Reports of indicators (:func:`msgtrack.metrics.indicator_report`) as text for a terminal, CSV and JSON.

Numbers are printed as in a delivery's report: ``≈`` before an estimate, ``–`` for what is undefined. Foreign text, labels and
URLs among it, is shown with nothing in it that a terminal or a spreadsheet would obey.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime

from msgtrack._borders import zone_of
from msgtrack.errors import InvalidOption
from msgtrack.metrics import CAVEATS, Block, Column, IndicatorReport, Row, report_document, report_records
from msgtrack.reports.csv import guarded
from msgtrack.reports.formats import cut, moment, printed, visible
from msgtrack.reports.formats import width as width_of
from msgtrack.reports.text import MIN_WIDTH, aligned, wrapped

__all__ = ["as_csv", "as_json", "as_text"]

_LEAST_WIDTH = 12
_MOST_WIDTH = 80


def as_text(report: IndicatorReport, *, width: int = 100, with_caveats: bool = True) -> str:
    """The report as lines of at most ``width`` columns, with a line break at the end.

    A row that several audiences have stands once for each of them, one under the other. ``with_caveats=False`` leaves out the
    sentences at the end.

    >>> from msgtrack.metrics import Layout, LineLayout, LinesLayout, indicator_report
    >>> from msgtrack.model import Delivery, Message
    >>> line = LineLayout(keys=["summary_success", "summary_success_rate"])
    >>> mine = Layout(name="mine", title="Mine", blocks=[LinesLayout(name="sending", title="Sending", lines=[line])])
    >>> sent = [Message(id=str(n), delivery_id="1", status=("sent", "failed")[n % 2]) for n in range(4)]
    >>> print(as_text(indicator_report.from_events(mine, Delivery(id="1", to_deliver=4), sent, [], [])), end="")
    Mine
    ====
    Delivery 1
    Audience: all. Period: all reactions so far. Times in UTC.
    <BLANKLINE>
    SENDING
    Success       2  50.00 %

    Raises:
        InvalidOption: ``width`` is no whole number from 60.
    """
    if isinstance(width, bool) or not isinstance(width, int) or width < MIN_WIDTH:
        raise InvalidOption(f"width={width!r:.80} is no whole number of at least {MIN_WIDTH} columns")
    return "\n".join(line.rstrip() for line in _lines(report, width, with_caveats=with_caveats)) + "\n"


def as_json(report: IndicatorReport) -> str:
    """The report as a JSON document in ASCII, which :func:`msgtrack.metrics.report_from` reads back."""
    return json.dumps(report_document(report), indent=2, allow_nan=False) + "\n"


def as_csv(report: IndicatorReport) -> str:
    """The report as CSV in long format, a number a row at full precision (RFC 4180: CRLF, quotes doubled).

    Text that a spreadsheet would run has an apostrophe before it.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_CSV_COLUMNS)
    for record in report_records(report):
        writer.writerow(_cell(name, record[name]) for name in _CSV_COLUMNS)
    return out.getvalue()


_CSV_COLUMNS = (
    "report",
    "block",
    "row",
    "kind",
    "note",
    "audience",
    "key",
    "label",
    "value",
    "unit",
    "numerator",
    "denominator",
    "estimated",
    "caveats",
)
_CSV_NUMBERS = ("value", "numerator", "denominator")


def _cell(name: str, found: object) -> str:
    if found is None:
        return ""
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, list):
        return "; ".join(map(str, found))
    # Numbers are numbers by type, negative ones too.
    return str(found) if name in _CSV_NUMBERS else guarded(str(found))


def _lines(report: IndicatorReport, columns: int, *, with_caveats: bool) -> Iterator[str]:
    title = cut(visible(report.title), columns)
    yield from (title, "=" * width_of(title))
    ids = ", ".join(map(visible, report.delivery_ids))
    yield from wrapped(f"{'Deliveries' if len(report.delivery_ids) > 1 else 'Delivery'} {ids}", columns)
    yield from wrapped(f"Audience: {' | '.join(report.audiences)}. {_period(report)}", columns)
    if report.is_left_out:
        yield from wrapped(CAVEATS["left-out"], columns)
    for block in report.blocks:
        yield from ("", visible(block.title).upper())
        yield from _block(report, block, columns)
    if with_caveats and report.caveats:
        yield ""
        for code, sentence in CAVEATS.items():
            if code in report.caveats:
                yield from wrapped(f"[{code}] {sentence}", columns)


def _period(report: IndicatorReport) -> str:
    zone = zone_of(report.zone)
    ends = [
        f"{word} {moment(at, zone)}"
        for word, at in (("from", report.since), ("until", report.until))
        if isinstance(at, datetime)
    ]
    made = "" if report.now is None else f" As of {moment(report.now, zone)}."
    return f"Period: {' '.join(ends) or 'all reactions so far'}.{made} Times in {visible(report.zone)}."


def _block(report: IndicatorReport, block: Block, columns: int) -> Iterator[str]:
    if not block.rows:
        yield "Nothing of the kind."
        return
    is_several = len(report.audiences) > 1
    has_notes = any(row.note for row in block.rows)
    shown = list(_printed(block, is_several=is_several, has_notes=has_notes))
    header = ["", *(["Audience"] if is_several else [])]
    header += [column.label for column in block.columns] if block.by else [""] * max(0, len(shown[0]) - len(header))
    if block.by and has_notes:
        header.append("Note")
    left = [0, *([1] if is_several else []), *([len(header) - 1] if has_notes else [])]
    has_header = bool(block.by) or is_several
    rows = [header, *shown] if has_header else shown
    yield from aligned(rows, columns, wide=0, left=left, least=(_LEAST_WIDTH,), has_header=has_header)


def _printed(block: Block, *, is_several: bool, has_notes: bool) -> Iterator[list[str]]:
    most = max(len(_cells(block, row, audience)) for row in block.rows for audience in _audiences(row))
    for row in block.rows:
        for audience in _audiences(row):
            cells = _cells(block, row, audience)
            cells += [""] * (most - len(cells))
            name = cut(visible(row.name) or "(none)", _MOST_WIDTH)
            note = [cut(visible(row.note), _MOST_WIDTH)] if has_notes else []
            yield [name, *([audience] if is_several else []), *cells, *note]


def _audiences(row: Row) -> list[str]:
    return list(dict.fromkeys(cell.audience for cell in row.cells))


def _cells(block: Block, row: Row, audience: str) -> list[str]:
    values = row.values(audience)
    by_key: dict[str, Column] = {column.key: column for column in block.columns}
    if not block.by:
        # A single number, and the rate beside it; the title says what they are.
        return [printed(value, is_share=by_key[key].is_share) for key, value in values.items()]
    return [printed(values[key], is_share=by_key[key].is_share) if key in values else "" for key in by_key]
