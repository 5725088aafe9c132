"""The reference page of all indicators, as Markdown, made from the catalogue and one small world alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from itertools import islice

from attrs import NOTHING, AttrsInstance, Factory, fields

from msgtrack.metrics import _example
from msgtrack.metrics._catalogue import catalogue
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._values import CAVEATS, Value
from msgtrack.model import Client

__all__ = ["reference_page"]

_INTRODUCTION = """\
# Indicators

This page is made from `msgtrack.metrics.catalogue`; do not edit it by hand. What the words and the notation of the
formulas mean stands in the [explanation of indicators](../explanation/indicators.md).

A value of unit `count` is an `int`, of unit `ratio` a `float` (1.0 is 100 %), of unit `amount` a `Decimal`, of unit `duration` a
number of seconds. A value that is undefined is `None`.

Every indicator has an example with numbers. They are computed, and all in the same small world, which stands
[at the end](#the-world-of-the-examples): the delivery `spring`, reported a week after its launch, with no filter of any kind. Examples in
rows show the first three of them.
"""

_WORLD = """\
## The world of the examples

Everything that the examples above are computed from. Where a cell is empty the field has its default, and columns that are empty throughout
are left out. The reports are made at {now}; moments are UTC.
"""

_ROWS = 3


def reference_page() -> str:
    """The page ``docs/reference/indicators.md``: every indicator by report, the caveats, the world of the examples."""
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
    yield "\n" + _WORLD.format(now=_cell(_example.NOW))
    for items in (_example.DELIVERIES, _example.MESSAGES, _example.LINKS, _example.EVENTS, _example.FACTS):
        yield from _tables(items)


def _entry(indicator: Indicator) -> Iterator[str]:
    yield f"### `{indicator.key}`\n"
    yield f"{indicator.label}. {indicator.notes}".rstrip() + "\n"
    yield f"- Formula: `{indicator.formula}`"
    yield from _examples(indicator)
    yield f"- Does not mean: {indicator.misreading}"
    yield f"- Unit: {indicator.unit}" + (", an estimate" if indicator.estimated else "")
    if indicator.field != "-":
        yield f"- Field: `{indicator.field}`"
    if indicator.groupings:
        yield f"- Comes by: {', '.join(indicator.groupings)}"
    yield f"- Made of: {', '.join(f'`{name}`' for name in indicator.inputs)}"
    if indicator.caveats:
        yield f"- Caveats: {', '.join(f'`{code}`' for code in indicator.caveats)}"
    yield f"- Source: {'; '.join(indicator.sources)}\n"


def _examples(indicator: Indicator) -> Iterator[str]:
    delivery = _example.delivery_for(indicator)
    where = "" if delivery == "spring" else f" (delivery `{delivery}`)"
    table = _example.table_for(indicator)
    yield f"- Example{where}: {_shown(table[indicator.key], indicator)}"
    for by in indicator.groupings:
        if by == "delivery":
            # The examples ask for one delivery, which the number above is that of.
            continue
        series = table.series(indicator.key, by=by)
        if series:
            rows = "; ".join(f"{name}: {_shown(value, indicator)}" for name, value in islice(series.items(), _ROWS))
            yield f"- Example by {by}{where}: {rows}" + ("; …" if len(series) > _ROWS else "")
            return


def _shown(value: Value, indicator: Indicator) -> str:
    """A value with what it was made of: ``2 / 3 = 66.67 %``; one that is undefined, with the reason."""
    quotient = "" if value.numerator is None else f"{value.numerator} / {value.denominator} = "
    if value.value is None:
        # What every value of the indicator bears is no reason why this one is undefined.
        reason = next((code for code in value.caveats if code not in indicator.caveats), value.caveats[0])
        return f"{quotient if value.denominator is not None else ''}undefined (`{reason}`)"
    if value.is_share:
        return f"{quotient}{value.value * 100:.2f} %"
    if value.unit == "duration":
        return f"{quotient}{value.value} s"
    if isinstance(value.value, int):
        return f"{quotient}{value.value}"
    return f"{quotient}{value.value:.2f}" if isinstance(value.value, Decimal) else f"{quotient}{_plain(value.value)}"


def _plain(number: float) -> str:
    """A number with four digits at least, and never with an exponent."""
    return f"{number:.4g}" if abs(number) < 1000 else f"{number:.0f}"


def _tables(items: Sequence[AttrsInstance]) -> Iterator[str]:
    """A table for each class of the items, in the order in which they come."""
    for kind in dict.fromkeys(type(item) for item in items):
        rows = [_cells(item) for item in items if type(item) is kind]
        columns = [name for name in rows[0] if any(row[name] for row in rows)]
        yield f"### {kind.__name__}\n"
        yield f"| {' | '.join(columns)} |"
        yield f"|{' --- |' * len(columns)}"
        for row in rows:
            yield f"| {' | '.join(row[name] for name in columns)} |"
        yield ""


def _cells(item: AttrsInstance) -> dict[str, str]:
    """The fields of a value as text, those at their default empty."""
    cells = {}
    for attribute in fields(type(item)):
        value, default = getattr(item, attribute.name), attribute.default
        if isinstance(default, Factory):  # type: ignore[arg-type]  # a class, which the stubs declare as a function
            default = default.factory(item) if default.takes_self else default.factory()
        is_default = default is not NOTHING and value == default
        cells[attribute.name] = "" if is_default else _cell(value)
    return cells


def _cell(value: object) -> str:
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case Client():
            return f"{value.browser} {value.browser_version} on {value.os}"
        case Enum():
            return value.name.lower()
        case tuple():
            return ", ".join(map(_cell, value))
        case bool():
            return "yes" if value else "no"
    return str(value)
