"""The reference page of all indicators, as Markdown, made from the catalogue alone."""

from __future__ import annotations

from collections.abc import Iterator

from msgtrack.metrics._catalogue import PLANNED, catalogue
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._values import CAVEATS

__all__ = ["reference_page"]

_INTRODUCTION = """\
# Indicators

This page is made from `msgtrack.metrics.catalogue`; do not edit it by hand. What the words and the notation of the
formulas mean stands in the [explanation of indicators](../explanation/indicators.md).

A value of unit `count` is an `int`, of unit `ratio` a `float` (1.0 is 100 %), of unit `amount` a `Decimal`. A value
that is undefined is `None`.
"""


def reference_page() -> str:
    """The page ``docs/reference/indicators.md``: every indicator by report, the caveats, what is not computed yet."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    by_report: dict[str, list[Indicator]] = {}
    for indicator in catalogue.values():
        by_report.setdefault(indicator.report, []).append(indicator)
    for report, indicators in by_report.items():
        yield f"## {report}\n"
        for indicator in indicators:
            yield from _entry(indicator)
    yield "## Caveats\n"
    for code, sentence in CAVEATS.items():
        yield f"- [`{code}`](../explanation/caveats.md#{code}): {sentence}"
    if PLANNED:
        yield "\n## Not computed yet\n\nAsking for one of these raises `msgtrack.errors.NotSupported`.\n"
    for report, keys in PLANNED.items():
        yield f"- {report}: {', '.join(f'`{key}`' for key in keys)}"


def _entry(indicator: Indicator) -> Iterator[str]:
    yield f"### `{indicator.key}`\n"
    yield f"{indicator.label}. {indicator.notes}".rstrip() + "\n"
    yield f"- Formula: `{indicator.formula}`"
    yield f"- Unit: {indicator.unit}" + (", an estimate" if indicator.estimated else "")
    if indicator.field != "-":
        yield f"- Field: `{indicator.field}`"
    if indicator.groupings:
        yield f"- Comes by: {', '.join(indicator.groupings)}"
    yield f"- Made of: {', '.join(f'`{name}`' for name in indicator.inputs)}"
    if indicator.caveats:
        yield f"- Caveats: {', '.join(f'`{code}`' for code in indicator.caveats)}"
    yield f"- Source: {'; '.join(indicator.sources)}\n"
