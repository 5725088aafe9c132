"""Reports as plain values: a document that JSON can hold, which reads back as an equal report, and flat records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

from msgtrack._borders import shown
from msgtrack.errors import InvalidValue
from msgtrack.metrics._report import Block, Cell, Column, IndicatorReport, Row
from msgtrack.metrics._values import Number, Value

__all__ = ["SCHEMA", "VERSION", "report_document", "report_from", "report_records"]

SCHEMA = "msgtrack.indicator-report"
VERSION = 1
"""Grows when a name goes away or changes its meaning; names may be added without it."""


def report_document(report: IndicatorReport) -> dict[str, Any]:
    """A report as text, numbers, lists and mappings, as ``json.dumps`` takes them.

    Counts are integers, ratios floats (1.0 is 100 %), amounts and other exact decimals text, undefined values null;
    :func:`report_from` makes an equal report of it.
    """
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "name": report.name,
        "title": report.title,
        "delivery_ids": list(report.delivery_ids),
        "audiences": list(report.audiences),
        "since": _iso(report.since),
        "until": _iso(report.until),
        "zone": report.zone,
        "now": _iso(report.now),
        "is_left_out": report.is_left_out,
        "blocks": [
            {
                "name": block.name,
                "title": block.title,
                "by": block.by,
                "columns": [
                    {"key": column.key, "label": column.label, "unit": column.unit, "is_share": column.is_share}
                    for column in block.columns
                ],
                "rows": [
                    {
                        "name": row.name,
                        "kind": row.kind,
                        "note": row.note,
                        "values": [
                            {"audience": cell.audience, "key": cell.key, **_value(cell.value)} for cell in row.cells
                        ],
                    }
                    for row in block.rows
                ],
            }
            for block in report.blocks
        ],
    }


def report_from(document: Mapping[str, Any]) -> IndicatorReport:
    """The report that :func:`report_document` wrote; names that it does not know are passed over.

    Raises:
        InvalidValue: it is no such document, or one of another version.
    """
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise InvalidValue(f"expected a document of the schema {SCHEMA}: {shown(document)}")
    if document.get("version") != VERSION:
        raise InvalidValue(f"expected version {VERSION} of {SCHEMA}, not {shown(document.get('version'))}")
    try:
        return IndicatorReport(
            name=document["name"],
            title=document["title"],
            delivery_ids=document["delivery_ids"],
            audiences=document["audiences"],
            since=_moment(document["since"]),
            until=_moment(document["until"]),
            zone=document["zone"],
            now=_moment(document["now"]),
            is_left_out=document["is_left_out"],
            blocks=[_block(block) for block in document["blocks"]],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidValue(
            f"a document of {SCHEMA} lacks something, or has it in another form: {shown(error)}"
        ) from None


def report_records(report: IndicatorReport) -> Iterator[dict[str, Any]]:
    """A flat record for each number, in order: for data frames, or rows of CSV.

    The names are ``report block row kind note audience key label value unit numerator denominator estimated caveats``;
    numbers are as in :func:`report_document`, caveats a list of codes.
    """
    for block in report.blocks:
        labels = {column.key: column.label for column in block.columns}
        for row in block.rows:
            for cell in row.cells:
                value = _value(cell.value)
                yield {
                    "report": report.name,
                    "block": block.name,
                    "row": row.name,
                    "kind": row.kind,
                    "note": row.note,
                    "audience": cell.audience,
                    "key": cell.key,
                    "label": labels.get(cell.key, cell.key),
                    "value": value["value"],
                    "unit": value["unit"],
                    "numerator": value["numerator"],
                    "denominator": value["denominator"],
                    "estimated": value["estimated"],
                    "caveats": value["caveats"],
                }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _value(value: Value) -> dict[str, Any]:
    return {
        "value": _written(value.value),
        "unit": value.unit,
        "numerator": _written(value.numerator),
        "denominator": _written(value.denominator),
        "estimated": value.estimated,
        "is_share": value.is_share,
        "caveats": list(value.caveats),
        "otherwise": value.otherwise,
        "is_blank": value.is_blank,
        "is_proportion": value.is_proportion,
    }


def _written(number: Number | None) -> int | float | str | None:
    return str(number) if isinstance(number, Decimal) else number


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    if isinstance(text, str):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise InvalidValue(f"expected a moment in ISO 8601, got {shown(text)}")


def _block(block: Mapping[str, Any]) -> Block:
    return Block(
        name=block["name"],
        title=block["title"],
        by=block["by"],
        columns=[
            Column(key=column["key"], label=column["label"], unit=column["unit"], is_share=column["is_share"])
            for column in block["columns"]
        ],
        rows=[
            Row(name=row["name"], kind=row["kind"], note=row["note"], cells=[_cell(cell) for cell in row["values"]])
            for row in block["rows"]
        ],
    )


def _cell(cell: Mapping[str, Any]) -> Cell:
    otherwise = _read(cell["otherwise"])
    return Cell(
        audience=cell["audience"],
        key=cell["key"],
        value=Value(
            value=_read(cell["value"]),
            unit=cell["unit"],
            numerator=_exact(cell["numerator"]),
            denominator=_exact(cell["denominator"]),
            estimated=_flag(cell["estimated"]),
            is_share=_flag(cell["is_share"]),
            caveats=cell["caveats"],
            otherwise=None if otherwise is None else float(otherwise),
            is_blank=_flag(cell.get("is_blank", False)),
            is_proportion=_flag(cell["is_proportion"]),
        ),
    )


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise InvalidValue(f"expected true or false, got {shown(value)}")


def _exact(number: object) -> int | Decimal | None:
    found = _read(number)
    if isinstance(found, float):
        raise InvalidValue(f"expected a whole number or a decimal as text, got {shown(number)}")
    return found


def _read(number: object) -> Number | None:
    if number is None or (isinstance(number, int) and not isinstance(number, bool)):
        return number
    if isinstance(number, float) and isfinite(number):
        return number
    if isinstance(number, str):
        try:
            found = Decimal(number)
        except InvalidOperation:
            found = Decimal("NaN")
        if found.is_finite():
            return found
    raise InvalidValue(f"expected a number, got {shown(number)}")
