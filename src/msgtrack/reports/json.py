"""A report as JSON: every number at full precision with what it was made of, under a schema that names its version.

Counts are integers, ratios floats (1.0 is 100 %), amounts decimal text, undefined values null. The text is plain ASCII
(everything else is escaped) and the same for the same data, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgtrack.metrics import Value
from msgtrack.reports.data import Figure, ReportData

__all__ = ["SCHEMA", "VERSION", "document", "render"]

SCHEMA = "msgtrack.delivery-report"
VERSION = 1
"""Grows when a name goes away or changes its meaning; names may be added without it."""


def render(data: ReportData) -> str:
    """The report as a JSON document."""
    return json.dumps(document(data), indent=2, allow_nan=False) + "\n"


def document(data: ReportData) -> dict[str, Any]:
    """The report as plain values, for those who write JSON their own way."""
    facts = data.facts
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "generated_at": _iso(facts.generated_at),
        "language": facts.language,
        "zone": facts.zone,
        "audience": list(facts.audiences) or "all",
        "since": _iso(facts.since),
        "until": _iso(facts.until),
        "delivery": {
            "id": facts.delivery_id,
            "label": facts.label,
            "internal_name": facts.internal_name,
            "channel": facts.channel,
            "contact_at": _iso(facts.contact_at),
        },
        "sections": [
            {"name": section.name, "title": section.title, "keys": [figure.key for figure in section.figures]}
            for section in data.sections
        ],
        "indicators": _by_key(figure for section in data.sections for figure in section.figures),
        "domains": [{"domain": row.name, "indicators": _by_key(row.figures)} for row in data.domains],
        "domains_total": _by_key(data.domains_total.figures),
        "links": [
            {
                "id": link.id,
                "label": link.label,
                "url": link.url,
                "category": link.category,
                "type": link.type,
                "is_registered": link.is_registered,
                "indicators": _by_key((link.clicks, link.share)),
            }
            for link in data.links
        ],
        "labels": [{"label": row.name, "indicators": _by_key(row.figures)} for row in data.labels],
        "curve": {
            "launch_at": _iso(data.curve.launch_at),
            "bin_seconds": data.curve.bin_seconds,
            "points": [
                {"at": point.at.isoformat(), "opens": point.opens.value, "clicks": point.clicks.value}
                for point in data.curve.points
            ],
        },
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _by_key(figures: Iterable[Figure]) -> dict[str, dict[str, Any]]:
    return {figure.key: _value(figure) for figure in figures}


def _value(figure: Figure) -> dict[str, Any]:
    value: Value = figure.value
    return {
        "label": figure.label,
        "value": _number(value.value),
        "unit": value.unit,
        "numerator": _number(value.numerator),
        "denominator": _number(value.denominator),
        "estimated": value.estimated,
        "caveats": list(value.caveats),
        "formula": figure.formula,
    }


def _number(number: float | Decimal | None) -> int | float | str | None:
    return str(number) if isinstance(number, Decimal) else number
